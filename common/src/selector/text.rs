//! Label selectors as text: as `kubectl --selector` takes them, and as the scale of an object says which pods are its own.

use std::sync::Arc;

use super::{LabelSelector, Requirement, Test};

impl LabelSelector {
    /// Reads a text such as `app=web,tier in (a, b),!canary`; none if it is no selector.
    pub fn parse(text: &str) -> Option<Self> {
        let mut selector = Self::default();
        for part in parts(text.trim()) {
            selector.expressions.push(requirement(part.trim())?);
        }
        Some(selector)
    }
}

/// What stands between the commas that are in no list of values.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let is_between = |letter: char| {
        match letter {
            '(' => depth = depth.saturating_add(1),
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    };
    match text {
        "" => Vec::new(),
        _ => text.split(is_between).collect(),
    }
}

fn requirement(text: &str) -> Option<Requirement> {
    let (key, operator, values) = if let Some(key) = text.strip_prefix('!') {
        (key, "DoesNotExist", Vec::new())
    } else if let Some((head, list)) = text.split_once('(') {
        let (key, operator) = head.trim_end().rsplit_once(char::is_whitespace)?;
        let operator = match operator {
            "in" => "In",
            "notin" => "NotIn",
            _ => return None,
        };
        (key, operator, list.strip_suffix(')')?.split(',').collect())
    } else {
        let compared = [("!=", "NotIn"), ("==", "In"), ("=", "In"), (">", "Gt"), ("<", "Lt")];
        let found = compared.iter().find_map(|(sign, operator)| {
            text.split_once(sign).map(|(key, value)| (key, *operator, vec![value]))
        });
        found.unwrap_or((text, "Exists", Vec::new()))
    };
    let key = key.trim();
    let is_word =
        |text: &str| !text.contains(|letter: char| letter.is_whitespace() || "()!=<>".contains(letter));
    let values: Vec<Arc<str>> = values.into_iter().map(|value| value.trim().into()).collect();
    let sound = !key.is_empty() && is_word(key) && values.iter().all(|value| is_word(value));
    let test = Test::new(operator, &values).ok()?;
    sound.then(|| Requirement { key: key.into(), test })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        let selector = LabelSelector::parse(text)?;
        let all: Vec<String> = selector.expressions.iter().map(ToString::to_string).collect();
        Some(all.join("; "))
    }

    #[test]
    fn every_form_that_kubernetes_writes_is_read() {
        for (text, read) in [
            ("", ""),
            ("app=web", "app in (web)"),
            ("app==web,tier!=db", "app in (web); tier not in (db)"),
            ("env in (a, b),zone notin (x),gpu,!canary", "env in (a, b); zone not in (x); gpu; !canary"),
            ("example.com/cores > 4,n<7", "example.com/cores > 4; n < 7"),
            (" app = web ", "app in (web)"),
            ("empty=", "empty in ()"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(read), "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_none() {
        for text in ["=web", "app=web,", "a b", "a in (b", "a like (b)", "a in b)", "n > x", "a=b=c", "!"] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
