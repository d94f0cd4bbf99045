//! Colours, where they help: on a terminal, and not where NO_COLOR asks for none.

use std::borrow::Cow;
use std::io::IsTerminal;

/// The few colours that mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// All is well.
    Green,
    /// It wants a look.
    Yellow,
    /// It is lost.
    Red,
    /// Less important than what stands around it.
    Grey,
}

/// Whether colours are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// They are.
    Always,
    /// They are not.
    Never,
}

impl Paint {
    /// For standard output as it is. NO_COLOR with any content but none switches colours off (no-color.org).
    pub(crate) fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stdout_takes_codes() && !unwanted { Self::Always } else { Self::Never }
    }

    /// The text in that colour.
    pub(crate) fn apply(self, colour: Option<Colour>, text: &str) -> Cow<'_, str> {
        let code = match (self, colour) {
            (Self::Never, _) | (_, None) => return Cow::Borrowed(text),
            (Self::Always, Some(Colour::Green)) => 32,
            (Self::Always, Some(Colour::Yellow)) => 33,
            (Self::Always, Some(Colour::Red)) => 31,
            (Self::Always, Some(Colour::Grey)) => 90,
        };
        Cow::Owned(format!("\u{1b}[{code}m{text}\u{1b}[0m"))
    }
}

/// Whether standard output is a terminal that does what codes say.
pub(crate) fn stdout_takes_codes() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdout().is_terminal() && !dumb
}

/// The colour of a cluster's state.
pub(crate) fn of_state(state: &str) -> Option<Colour> {
    match state {
        "Ready" => Some(Colour::Green),
        "Lost" => Some(Colour::Red),
        "Unknown" => Some(Colour::Grey),
        _ => Some(Colour::Yellow),
    }
}

/// The colour of an event's type.
pub(crate) fn of_event(kind: &str) -> Option<Colour> {
    (kind == "Warning").then_some(Colour::Yellow)
}
