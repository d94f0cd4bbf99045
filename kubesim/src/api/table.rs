//! Tables, as `kubectl get` shows them.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::columns;
use crate::kinds::Kind;
use crate::object::{self, text};

/// A table of `rows`.
pub(super) fn table(kind: &Kind, metadata: Value, rows: Vec<Value>) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions(kind),
        "rows": rows,
    })
}

/// The cells of one object.
pub(super) fn cells(kind: &Kind, object: &Value) -> Value {
    let mut cells = vec![json!(object::name(object))];
    if kind.custom && !kind.columns.is_empty() {
        for column in &kind.columns {
            let value = column.path.iter().fold(object, |value, step| &value[step.as_str()]);
            cells.push(if column.kind == "date" { json!(age(text(value))) } else { value.clone() });
        }
        return Value::Array(cells);
    }
    cells.extend(columns::cells(kind, object));
    cells.push(json!(age(object::meta(object, "creationTimestamp"))));
    cells.extend(columns::wide_cells(kind, object));
    Value::Array(cells)
}

fn definitions(kind: &Kind) -> Vec<Value> {
    let define = |name: &str, kind: &str, priority: i64| {
        let format = if name == "Name" { "name" } else { "" };
        json!({"name": name, "type": kind, "format": format, "description": "", "priority": priority})
    };
    let mut all = vec![define("Name", "string", 0)];
    if kind.custom && !kind.columns.is_empty() {
        all.extend(kind.columns.iter().map(|column| define(&column.name, &column.kind, column.priority)));
        return all;
    }
    let (shown, wide) = columns::titles(kind);
    all.extend(shown.iter().map(|title| define(title, "string", 0)));
    all.push(define("Age", "string", 0));
    all.extend(wide.iter().map(|title| define(title, "string", 1)));
    all
}

/// How long ago `timestamp` was, as kubectl writes it.
pub(super) fn age(timestamp: &str) -> String {
    let Some(then) = object::parse_time(timestamp) else {
        return "<unknown>".into();
    };
    let ago = OffsetDateTime::now_utc() - then;
    human(ago.try_into().unwrap_or(Duration::ZERO))
}

/// A duration in at most two units.
pub(super) fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{large}{large_unit}")
        } else {
            format!("{large}{large_unit}{small}{small_unit}")
        }
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        _ => two(days / 365, "y", days % 365, "d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_like_those_of_kubectl() {
        for (seconds, text) in [
            (5, "5s"),
            (119, "119s"),
            (130, "2m10s"),
            (3600, "60m"),
            (11_000, "3h3m"),
            (90_000, "25h"),
            (200_000, "2d7h"),
            (900_000, "10d"),
        ] {
            assert_eq!(human(Duration::from_secs(seconds)), text);
        }
    }
}
