//! Prometheus' text format, version 0.0.4, as far as the hub needs it: gauges and counters with whole numbers and at
//! most one label, and histograms. That is less code than a library would need to be fed, since nothing here lives from one scrape to the next.

use crate::driver::Histogram;

/// What the page is; it is no OpenMetrics, and so has no end mark.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page in the making.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// A metric with one series.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "gauge", help);
        self.0.push_str(&format!("{name} {value}\n"));
    }

    /// A number that only rises, as long as the process runs.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.0.push_str(&format!("{name} {value}\n"));
    }

    /// Durations by their size, in seconds.
    pub(super) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, "histogram", help);
        for (bound, count) in histogram.cumulative() {
            self.0.push_str(&format!("{name}_bucket{{le=\"{}\"}} {count}\n", bound.as_secs_f64()));
        }
        let (total, sum) = (histogram.total(), histogram.sum().as_secs_f64());
        self.0.push_str(&format!(
            "{name}_bucket{{le=\"+Inf\"}} {total}\n{name}_sum {sum}\n{name}_count {total}\n"
        ));
    }

    /// A metric with a series for each value of a label.
    pub(super) fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        series: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.head(name, "gauge", help);
        for (of, value) in series {
            let of = escaped(of, true);
            self.0.push_str(&format!("{name}{{{label}=\"{of}\"}} {value}\n"));
        }
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let help = escaped(help, false);
        self.0.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
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
    use std::time::Duration;

    use super::*;
    use crate::driver::Times;

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
    fn a_histogram_has_its_buckets_its_sum_and_its_count() {
        let mut times = Times::default();
        times.wave.count(Duration::from_millis(25));
        times.wave.count(Duration::from_secs(1_000));
        let mut text = Text::default();
        text.histogram("a_seconds", "How long.", &times.wave);
        let page = text.into_string();
        for line in [
            "# TYPE a_seconds histogram",
            "a_seconds_bucket{le=\"0.01\"} 0",
            "a_seconds_bucket{le=\"0.025\"} 1",
            "a_seconds_bucket{le=\"300\"} 1",
            "a_seconds_bucket{le=\"+Inf\"} 2",
            "a_seconds_sum 1000.025",
            "a_seconds_count 2",
        ] {
            assert!(page.lines().any(|one| one == line), "{line} in {page}");
        }
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
