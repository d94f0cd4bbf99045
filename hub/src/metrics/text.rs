//! Prometheus' text format, version 0.0.4, as far as the hub needs it: gauges with whole numbers and at most one label.
//! That is less code than a library would need to be fed, since nothing here lives from one scrape to the next.

/// What the page is; it is no OpenMetrics, and so has no end mark.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page in the making.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// A metric with one series.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help);
        self.0.push_str(&format!("{name} {value}\n"));
    }

    /// A metric with a series for each value of a label.
    pub(super) fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        series: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.head(name, help);
        for (of, value) in series {
            let of = escaped(of, true);
            self.0.push_str(&format!("{name}{{{label}=\"{of}\"}} {value}\n"));
        }
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    fn head(&mut self, name: &str, help: &str) {
        let help = escaped(help, false);
        self.0.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
    }
}

/// In a label's value quotes are escaped; in a help text they must not be.
fn escaped(text: &str, quotes: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '"' if quotes => escaped.push_str("\\\""),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_its_help_its_type_and_its_series() {
        let mut text = Text::default();
        text.gauge("a_b", "What it is.", u64::MAX);
        text.gauges("c", "By kind.", "kind", [("x", 0), ("y", 7)]);
        let expected = "# HELP a_b What it is.\n# TYPE a_b gauge\na_b 18446744073709551615\n\
                        # HELP c By kind.\n# TYPE c gauge\nc{kind=\"x\"} 0\nc{kind=\"y\"} 7\n";
        assert_eq!(text.into_string(), expected);
    }

    #[test]
    fn nothing_in_a_text_breaks_its_line() {
        let mut text = Text::default();
        text.gauges("a", "one \"two\"\n\\three", "b", [("one \"two\"\n\\three", 1)]);
        let expected =
            "# HELP a one \"two\"\\n\\\\three\n# TYPE a gauge\na{b=\"one \\\"two\\\"\\n\\\\three\"} 1\n";
        assert_eq!(text.into_string(), expected);
    }

    #[test]
    fn a_label_without_values_leaves_a_metric_without_series() {
        let mut text = Text::default();
        text.gauges("a", "None.", "b", []);
        assert_eq!(text.into_string(), "# HELP a None.\n# TYPE a gauge\n");
    }
}
