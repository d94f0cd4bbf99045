//! Plans that change: which replicas move from where to where.

use std::io::{self, Write};

use godwit_proto::v1::{PlanChange, ShareChange};

use super::text;
use crate::target::kind_and_name;

/// Changes that are listed; the rest is counted. More would push what was asked for off the screen.
const CHANGES_SHOWN: usize = 20;
/// Clusters that one change names; the rest is counted.
const CLUSTERS_SHOWN: usize = 8;

/// Prints a line for each change, indented below what causes them; `untold` more are not at hand.
pub(crate) fn print<'a>(
    changes: impl IntoIterator<Item = &'a PlanChange>,
    untold: u64,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut left_out = untold;
    for (index, change) in changes.into_iter().enumerate() {
        if index < CHANGES_SHOWN {
            writeln!(out, "  {}", text::plain(&line(change)))?;
        } else {
            left_out += 1;
        }
    }
    match left_out {
        0 => Ok(()),
        more => writeln!(out, "  ... and {more} more"),
    }
}

/// The whole change in a line: `deployment/web in shop: alpha 4 -> 0, bravo 4 -> 8`.
pub(crate) fn line(change: &PlanChange) -> String {
    let name = kind_and_name(&change.kind, &change.name);
    format!("{name}{}: {}", in_namespace(&change.namespace), moves(change))
}

/// What changes: `alpha 4 -> 0, bravo 4 -> 8, 2 pending: no room`.
pub(crate) fn moves(change: &PlanChange) -> String {
    let mut parts = shares(change);
    let reasons = match change.reasons.is_empty() {
        true => String::new(),
        false => format!(": {}", change.reasons.join("; ")),
    };
    match (change.pending_before, change.pending_after) {
        (0, 0) => {}
        (before, 0) => parts.push(format!("no longer {before} pending")),
        (before, after) => {
            let still = if before == after { "still " } else { "" };
            parts.push(format!("{still}{after} pending{reasons}"));
        }
    }
    match parts.is_empty() {
        // The policy is another one, and gives the same numbers.
        true => "no replica moves".to_owned(),
        false => parts.join(", "),
    }
}

/// Each cluster's count before and after: `alpha 4 -> 0`.
pub(crate) fn shares(change: &PlanChange) -> Vec<String> {
    let one = |ShareChange { cluster, before, after }: &ShareChange| format!("{cluster} {before} -> {after}");
    let mut shares: Vec<String> = change.shares.iter().take(CLUSTERS_SHOWN).map(one).collect();
    match change.shares.len().saturating_sub(CLUSTERS_SHOWN) {
        0 => {}
        1 => shares.push("1 more cluster".to_owned()),
        more => shares.push(format!("{more} more clusters")),
    }
    shares
}

/// ` in shop`; nothing for the namespace `default`.
pub(crate) fn in_namespace(namespace: &str) -> String {
    match namespace {
        "default" => String::new(),
        namespace => format!(" in {namespace}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(shares: &[(&str, u32, u32)], pending: (u32, u32), reasons: &[&str]) -> PlanChange {
        let share = |(cluster, before, after): &(&str, u32, u32)| ShareChange {
            cluster: (*cluster).to_owned(),
            before: *before,
            after: *after,
        };
        PlanChange {
            namespace: "shop".into(),
            kind: "Deployment".into(),
            name: "web".into(),
            policy: "even".into(),
            shares: shares.iter().map(share).collect(),
            pending_before: pending.0,
            pending_after: pending.1,
            reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
        }
    }

    #[test]
    fn a_line_says_what_moves_and_what_waits() {
        let both = [("alpha", 4, 0), ("bravo", 4, 8)];
        assert_eq!(line(&change(&both, (0, 0), &[])), "deployment/web in shop: alpha 4 -> 0, bravo 4 -> 8");
        assert_eq!(
            line(&change(&[("alpha", 4, 2)], (0, 2), &["no room", "maximum reached"])),
            "deployment/web in shop: alpha 4 -> 2, 2 pending: no room; maximum reached"
        );
        assert_eq!(moves(&change(&[("alpha", 0, 3)], (3, 0), &[])), "alpha 0 -> 3, no longer 3 pending");
        assert_eq!(moves(&change(&[], (1, 1), &[])), "still 1 pending");
        assert_eq!(moves(&change(&[], (0, 0), &[])), "no replica moves");
        let unspaced = PlanChange { namespace: "default".into(), ..change(&both, (0, 0), &[]) };
        assert!(line(&unspaced).starts_with("deployment/web: alpha"));
    }

    #[test]
    fn many_changes_and_clusters_are_counted() {
        let one = change(&[("alpha", 1, 0)], (0, 0), &[]);
        let printed = |count: usize| {
            let mut out = Vec::new();
            print(&vec![one.clone(); count], 0, &mut out).expect("a vector takes everything");
            String::from_utf8(out).expect("text")
        };
        assert_eq!(printed(0), "");
        assert_eq!(printed(20).lines().count(), 20);
        let many = printed(23);
        assert_eq!(many.lines().count(), 21);
        assert!(many.ends_with("  deployment/web in shop: alpha 1 -> 0\n  ... and 3 more\n"), "{many}");
        let wide = change(&[("c", 1, 0); 10], (0, 0), &[]);
        assert!(moves(&wide).ends_with("c 1 -> 0, 2 more clusters"), "{}", moves(&wide));
    }

    #[test]
    fn text_of_others_is_made_safe() {
        let odd = change(&[("alpha", 1, 0)], (0, 1), &["\u{1b}[31m"]);
        let mut out = Vec::new();
        print([&odd], 0, &mut out).expect("a vector takes everything");
        assert!(!out.contains(&0x1b));
    }
}
