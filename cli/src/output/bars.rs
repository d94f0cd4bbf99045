//! Bars at the end of what a terminal shows: they are drawn over again in place, and lines that stay appear above them.

use std::io::{self, Write};

use super::text;
use crate::resources::Progress;

/// How wide a bar is.
const WIDTH: usize = 24;
/// How many there are at most: a screen has to hold them.
const BARS_MAX: usize = 12;

/// What was drawn last.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    lines: usize,
}

impl Bars {
    /// Takes the bars away, so that lines that stay can follow what stood before them.
    pub(crate) fn clear(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.lines > 0 {
            // So many lines up, and everything from there on is gone.
            write!(out, "\u{1b}[{}A\u{1b}[J", self.lines)?;
            self.lines = 0;
        }
        Ok(())
    }

    /// Draws these.
    pub(crate) fn draw(&mut self, all: &[Progress], out: &mut dyn Write) -> io::Result<()> {
        self.clear(out)?;
        let shown = &all[..all.len().min(BARS_MAX)];
        let widest = shown.iter().map(|one| one.what.chars().count()).max().unwrap_or(0);
        // What is too long for the screen is cut, so that each bar is one line of it.
        write!(out, "\u{1b}[?7l")?;
        for one in shown {
            writeln!(out, "{}", line(one, widest))?;
        }
        let more = all.len() - shown.len();
        if more > 0 {
            writeln!(out, "and {more} more")?;
        }
        write!(out, "\u{1b}[?7h")?;
        self.lines = shown.len() + usize::from(more > 0);
        Ok(())
    }
}

fn line(one: &Progress, widest: usize) -> String {
    let Progress { what, done, of, rest } = one;
    // Nothing to do is done.
    let share = u64::from(*done.min(of)) * WIDTH as u64;
    let full = usize::try_from(share.checked_div((*of).into()).unwrap_or(WIDTH as u64)).unwrap_or(WIDTH);
    let bar = format!("{}{}", "#".repeat(full), ".".repeat(WIDTH.saturating_sub(full)));
    let percent = (u64::from(*done.min(of)) * 100).checked_div((*of).into()).unwrap_or(100);
    text::plain(&format!("{what:widest$}  [{bar}] {percent:3}%  {rest}")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(what: &str, done: u32, of: u32) -> Progress {
        Progress { what: what.into(), done, of, rest: format!("{done}/{of} ready") }
    }

    #[test]
    fn a_bar_is_as_full_as_it_is_far() {
        assert_eq!(line(&progress("m-1", 1, 4), 5), "m-1    [######..................]  25%  1/4 ready");
        assert_eq!(line(&progress("m-1", 0, 4), 3), "m-1  [........................]   0%  0/4 ready");
        assert_eq!(line(&progress("m-1", 4, 4), 3), "m-1  [########################] 100%  4/4 ready");
        assert_eq!(line(&progress("m-1", 0, 0), 3), "m-1  [########################] 100%  0/0 ready");
        assert_eq!(line(&progress("m\u{1b}", 9, 4), 3).matches('#').count(), WIDTH);
    }

    #[test]
    fn bars_are_drawn_over_again_in_place() {
        let (mut bars, mut out) = (Bars::default(), Vec::new());
        let many: Vec<Progress> = (0..14).map(|number| progress(&format!("m-{number}"), 1, 2)).collect();
        bars.draw(&many, &mut out).expect("a vector takes everything");
        bars.draw(&many[..1], &mut out).expect("a vector takes everything");
        bars.clear(&mut out).expect("a vector takes everything");
        bars.clear(&mut out).expect("a vector takes everything");
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("and 2 more\n\u{1b}[?7h\u{1b}[13A\u{1b}[J\u{1b}[?7lm-0  ["), "{text:?}");
        assert!(text.ends_with("1/2 ready\n\u{1b}[?7h\u{1b}[1A\u{1b}[J"), "{text:?}");
    }
}
