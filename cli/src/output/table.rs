//! Tables in kubectl's manner: upper-case headers, aligned columns, no lines.

use std::io::{self, Write};

use super::colour::{Colour, Paint};
use super::text;

/// What separates two columns.
const GAP: usize = 3;

/// One field of a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    /// The same, coloured where colours are shown.
    pub(crate) fn coloured(mut self, colour: Option<Colour>) -> Self {
        self.colour = colour;
        self
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(value: T) -> Self {
        let value = value.into();
        // An empty cell would read as a missing column.
        let text = if value.is_empty() { "-".to_owned() } else { text::plain(&value).into_owned() };
        Self { text, colour: None }
    }
}

/// A table that grows: rows may follow after the first ones were printed, and stay aligned as far as they can.
#[derive(Debug)]
pub(crate) struct Table {
    headers: Vec<&'static str>,
    widths: Vec<usize>,
    started: bool,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(headers: Vec<&'static str>) -> Self {
        let widths = headers.iter().map(|header| header.len()).collect();
        Self { headers, widths, started: false }
    }

    /// Prints rows; before the first ones, the headers.
    pub(crate) fn print(&mut self, rows: &[Vec<Cell>], paint: Paint, out: &mut dyn Write) -> io::Result<()> {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        if !self.started {
            self.started = true;
            let headers: Vec<Cell> = self.headers.iter().map(|header| Cell::from(*header)).collect();
            self.line(&headers, paint, out)?;
        }
        rows.iter().try_for_each(|row| self.line(row, paint, out))
    }

    fn line(&self, row: &[Cell], paint: Paint, out: &mut dyn Write) -> io::Result<()> {
        let last = row.len().saturating_sub(1);
        for (index, (cell, width)) in row.iter().zip(&self.widths).enumerate() {
            write!(out, "{}", paint.apply(cell.colour, &cell.text))?;
            if index < last {
                let padding = (width + GAP).saturating_sub(cell.text.chars().count());
                write!(out, "{:padding$}", "")?;
            }
        }
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(table: &mut Table, rows: &[Vec<Cell>], paint: Paint) -> String {
        let mut out = Vec::new();
        table.print(rows, paint, &mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn columns_are_aligned_and_later_rows_follow() {
        let mut table = Table::new(vec!["NAME", "STATE", "AGE"]);
        let row = |cells: [&str; 3]| cells.map(Cell::from).to_vec();
        let first = print(
            &mut table,
            &[row(["alpha", "Ready", "5s"]), row(["größer-charlie", "", "3d"])],
            Paint::Never,
        );
        assert_eq!(
            first,
            "NAME             STATE   AGE\n\
             alpha            Ready   5s\n\
             größer-charlie   -       3d\n"
        );
        let next = print(&mut table, &[row(["bravo", "Lost\n", "1s"])], Paint::Never);
        assert_eq!(next, "bravo            Lost\\n   1s\n");
    }

    #[test]
    fn colours_do_not_move_columns() {
        let mut table = Table::new(vec!["STATE", "AGE"]);
        let rows = [vec![Cell::from("Lost").coloured(Some(Colour::Red)), Cell::from("1s")]];
        assert_eq!(print(&mut table, &rows, Paint::Always), "STATE   AGE\n\u{1b}[31mLost\u{1b}[0m    1s\n");
    }
}
