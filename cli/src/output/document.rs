//! Answers for programs: the admin messages as JSON and YAML.

use std::io::{self, Write};

use godwit_proto::json;
use prost::{Message, Name};
use serde_json::{Value, json};

use super::text;
use crate::error::Error;

/// JSON or YAML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// JSON, indented.
    Json,
    /// YAML.
    Yaml,
}

/// A list as a document: `{"items": [...]}`.
pub(crate) fn list<M: Message + Name>(messages: &[M]) -> Result<Value, Error> {
    let items: Result<Vec<Value>, _> = messages.iter().map(json::to_json).collect();
    Ok(json!({ "items": items? }))
}

/// Several answers as one document: a single one as it is, more as a list.
pub(crate) fn one_or_list(mut answers: Vec<Value>) -> Value {
    match answers.pop() {
        Some(only) if answers.is_empty() => only,
        Some(last) => {
            answers.push(last);
            json!({ "items": answers })
        }
        None => json!({ "items": [] }),
    }
}

/// Prints a document.
pub(crate) fn print(value: &Value, syntax: Syntax, out: &mut dyn Write) -> Result<(), Error> {
    match syntax {
        Syntax::Json => {
            let text = format!("{value:#}");
            writeln!(out, "{}", text::plain_json(&text))?;
        }
        Syntax::Yaml => out.write_all(yaml(value)?.as_bytes())?,
    }
    Ok(())
}

/// Prints one document of a stream of them: JSON on a line of its own, YAML after a `---`.
pub(crate) fn print_next(value: &Value, syntax: Syntax, out: &mut dyn Write) -> Result<(), Error> {
    match syntax {
        Syntax::Json => writeln!(out, "{}", text::plain_json(&value.to_string()))?,
        Syntax::Yaml => write!(out, "---\n{}", yaml(value)?)?,
    }
    Ok(())
}

/// Prints one YAML document of a stream of them, after a comment.
pub(crate) fn print_noted(note: &str, value: &Value, out: &mut dyn Write) -> Result<(), Error> {
    Ok(write!(out, "---\n# {}\n{}", text::plain(note), yaml(value)?)?)
}

fn yaml(value: &Value) -> io::Result<String> {
    // One line a text: a block would carry control characters as they are, and folding loses blanks at the end.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let mut text = serde_saphyr::to_string_with_options(value, options).map_err(io::Error::other)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use godwit_proto::v1;

    use super::*;

    fn printed(value: &Value, syntax: Syntax) -> String {
        let mut out = Vec::new();
        print(value, syntax, &mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn lists_have_items_and_default_values() {
        let share = |cluster: &str, replicas| v1::Share { cluster: cluster.into(), replicas };
        let value = list(&[share("alpha", 0), share("bravo", 2)]).expect("JSON");
        assert_eq!(
            value,
            json!({"items": [{"cluster": "alpha", "replicas": 0}, {"cluster": "bravo", "replicas": 2}]})
        );
        assert_eq!(list::<v1::Share>(&[]).expect("JSON"), json!({"items": []}));
    }

    #[test]
    fn yaml_says_what_json_says_and_holds_no_control_characters() {
        let value = json!({
            "items": [{"name": "a: b", "text": "x\u{1b}[31m\u{9b}\u{7f}\u{202e}\ny", "no": "no", "n": 7, "null": null,
                       "empty": [], "map": {}, "number": "0123", "long": "word ".repeat(60)}],
        });
        let yaml = printed(&value, Syntax::Yaml);
        assert!(yaml.chars().all(|c| c == '\n' || !c.is_control()), "{yaml:?}");
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml).expect("YAML"), value);
        let json = printed(&value, Syntax::Json);
        assert_eq!(serde_json::from_str::<Value>(&json).expect("JSON"), value);
    }

    #[test]
    fn one_answer_stands_alone() {
        assert_eq!(one_or_list(vec![json!(1)]), json!(1));
        assert_eq!(one_or_list(vec![json!(1), json!(2)]), json!({"items": [1, 2]}));
    }
}
