//! The layout of `describe`: names and values in two columns, then tables under headings.

use std::io::{self, Write};

use super::colour::{Colour, Paint};
use super::table::{Cell, Table};
use super::text;

/// Where values begin.
const VALUES_AT: usize = 20;

/// One thing, described from top to bottom.
pub(crate) struct Sheet<'a> {
    out: &'a mut dyn Write,
    paint: Paint,
}

impl<'a> Sheet<'a> {
    /// An empty sheet.
    pub(crate) fn new(out: &'a mut dyn Write, paint: Paint) -> Self {
        Self { out, paint }
    }

    /// A line with a name and a value.
    pub(crate) fn line(&mut self, name: &str, value: impl AsRef<str>) -> io::Result<()> {
        self.coloured(name, value, None)
    }

    /// The same with a coloured value.
    pub(crate) fn coloured(
        &mut self,
        name: &str,
        value: impl AsRef<str>,
        colour: Option<Colour>,
    ) -> io::Result<()> {
        let value = match value.as_ref() {
            "" => "-",
            value => value,
        };
        let value = text::plain(value);
        writeln!(self.out, "{:VALUES_AT$}{}", format!("{name}:"), self.paint.apply(colour, &value))
    }

    /// A name with several values, each on its own line; nothing if there are none.
    pub(crate) fn lines(&mut self, name: &str, values: &[String]) -> io::Result<()> {
        let mut name = name;
        for value in values {
            if name.is_empty() {
                writeln!(self.out, "{:VALUES_AT$}{}", "", text::plain(value))?;
            } else {
                self.line(name, value)?;
            }
            name = "";
        }
        Ok(())
    }

    /// A table under a heading; `empty` stands there if it has no rows.
    pub(crate) fn table(
        &mut self,
        heading: &str,
        headers: Vec<&'static str>,
        rows: &[Vec<Cell>],
        empty: &str,
    ) -> io::Result<()> {
        if rows.is_empty() {
            return self.line(heading, empty);
        }
        writeln!(self.out, "{heading}:")?;
        let mut indented = Indented { out: self.out, at_start: true };
        Table::new(headers).print(rows, self.paint, &mut indented)
    }
}

/// Puts two blanks before every line.
struct Indented<'a> {
    out: &'a mut dyn Write,
    at_start: bool,
}

impl Write for Indented<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.at_start {
                self.out.write_all(b"  ")?;
            }
            self.out.write_all(line)?;
            self.at_start = line.ends_with(b"\n");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_aligned() {
        let mut out = Vec::new();
        let mut sheet = Sheet::new(&mut out, Paint::Never);
        sheet.line("Name", "alpha").expect("written");
        sheet.line("Leader", "").expect("written");
        sheet.lines("Orphans", &["one".into(), "two\u{7}".into()]).expect("written");
        sheet.lines("Alarms", &[]).expect("written");
        let rows = [vec![Cell::from("web"), Cell::from("3")]];
        sheet.table("Placements", vec!["NAME", "N"], &rows, "none").expect("written");
        sheet.table("Events", vec!["AGE"], &[], "none").expect("written");
        let expected = "\
Name:               alpha
Leader:             -
Orphans:            one
                    two\\u{7}
Placements:
  NAME   N
  web    3
Events:             none
";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
