//! Logs: text for people, JSON for machines, always to standard error.

use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One line for people, coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, TelemetryError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(TelemetryError::Format { value: text.chars().take(80).collect() }),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Why logging could not begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The format is neither of the two.
    #[error("log format {value:?} is not known: it must be text or json")]
    Format {
        /// The format as it was given.
        value: String,
    },
    /// The filter cannot be parsed.
    #[error(
        "log filter {value:?} is not valid: it must be a level (error, warn, info, debug, trace) or a list such as info,godwit_hub=debug"
    )]
    Filter {
        /// The filter as it was given.
        value: String,
        /// What the parser said.
        source: ParseError,
    },
    /// Logging has begun already.
    #[error("logging was set up twice in one process")]
    Twice,
}

/// Sends log lines to standard error in the given format. `filter` is a level, or a list of `target=level` such as
/// `info,godwit_hub=debug`. Call it once, before anything that logs.
pub fn init(filter: &str, format: LogFormat) -> Result<(), TelemetryError> {
    let filter = parse_filter(filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let begun = match format {
        LogFormat::Text => builder.with_ansi(colours()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_ansi(false).try_init(),
    };
    begun.map_err(|_| TelemetryError::Twice)
}

fn parse_filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder()
        .parse(text)
        .map_err(|source| TelemetryError::Filter { value: text.chars().take(200).collect(), source })
}

/// Colours are for a terminal, and for those who want them (<https://no-color.org>).
fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_round_trip_and_others_are_named() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(format.to_string().parse::<LogFormat>().unwrap(), format);
        }
        let error = "xml".parse::<LogFormat>().unwrap_err().to_string();
        assert!(error.contains("\"xml\"") && error.contains("json"), "{error}");
    }

    #[test]
    fn filters_are_checked() {
        for good in ["info", "warn,godwit_hub=debug", "off"] {
            assert!(parse_filter(good).is_ok(), "{good}");
        }
        for bad in ["godwit=loud", "a=b=c", "info,,=x"] {
            let error = parse_filter(bad).unwrap_err().to_string();
            assert!(error.contains(bad), "{error}");
        }
    }
}
