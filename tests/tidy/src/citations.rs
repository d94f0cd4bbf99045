//! Rules and invariants that are cited by number are those of docs/semantics.md, and its last table tells where they stand.

use crate::finding::{Finding, expect_at, expect_none};
use crate::repository::Repository;
use crate::words::words;
use std::collections::BTreeSet;

const SEMANTICS: &str = "docs/semantics.md";
const STANDING: &str = "## Where each rule stands";
const CITING: [&str; 5] = ["rs", "md", "proto", "toml", "yaml"];

fn unknown_numbers(repository: &Repository) -> Vec<Finding> {
    let known = defined(repository);
    let mut findings = Vec::new();
    for (path, text) in CITING.iter().flat_map(|extension| repository.with_extension(extension)) {
        for (line, word) in words(text).filter(|(_, word)| is_number(word) && !known.contains(*word)) {
            let problem = format!("{word} is cited, and {SEMANTICS} does not define it");
            findings.push(Finding::new(path, line, problem, "correct the number, or define the rule there"));
        }
    }
    findings
}

/// Each number has a row in the last table, of a known state, and the places that the row names exist.
fn wrong_standing(repository: &Repository) -> Vec<Finding> {
    let text = repository.text(SEMANTICS).unwrap_or_default();
    let mut without_row = defined(repository);
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate().skip_while(|(_, line)| *line != STANDING) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", number, _, state, place, ""] = cells[..] else {
            continue;
        };
        if !is_number(number) {
            continue;
        }
        without_row.remove(number);
        let places: Vec<&str> = place.split('`').skip(1).step_by(2).collect();
        let stands = state == "in force" || state.starts_with("in part: ");
        let problem = if !stands && state != "later" {
            format!("`{state}` is not a state")
        } else if stands == places.is_empty() {
            format!("{number} is {state}, which does not agree with the places that it names")
        } else if let Some(missing) = places.iter().find(|place| !repository.has(place)) {
            format!("{number} names {missing}, which does not exist")
        } else {
            continue;
        };
        findings.push(Finding::new(SEMANTICS, index + 1, problem, "correct the row"));
    }
    let missing =
        |number| Finding::new(SEMANTICS, 0, format!("{number} has no row in the last table"), "add the row");
    findings.extend(without_row.into_iter().map(missing));
    findings
}

/// Rules are headings (`### S1 Name`), invariants rows of a table (`| I1 | text |`).
fn defined(repository: &Repository) -> BTreeSet<&str> {
    let text = repository.text(SEMANTICS).unwrap_or_default();
    let number = |line| -> Option<&str> {
        let line: &str = line;
        let rest = line.strip_prefix("### S").or_else(|| line.strip_prefix("| I"))?;
        let length = 1 + rest.find(|c: char| !c.is_ascii_digit())?;
        let start = line.len() - rest.len() - 1;
        Some(&line[start..start + length])
    };
    let before_last_table = text.split(STANDING).next().unwrap_or_default();
    before_last_table.lines().filter_map(number).filter(|number| is_number(number)).collect()
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix(['S', 'I']).unwrap_or_default();
    (1..=2).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
const SAMPLE: &str = "\
### S1 One
### S2 Two
| I1 | text |
## Where each rule stands
| S1 | one | in force | `hub/core` |
| S2 | two | soon | |
";

#[test]
fn a_number_that_is_not_defined_is_found() {
    // Escaped, so that this file does not cite them.
    let code =
        "// S1, S2 and I1 are known,\n// S\u{33}5 is not, S256 and IS2 are no numbers, nor is I\u{39}.\n";
    let repository = Repository::of(&[("a.rs", code), (SEMANTICS, SAMPLE)]);
    expect_at(&unknown_numbers(&repository), &[("a.rs", 2), ("a.rs", 2)]);
}

#[test]
fn a_row_that_cannot_be_true_is_found() {
    // S1 names a folder that is missing, S2 has no proper state, I1 has no row.
    let found = wrong_standing(&Repository::of(&[(SEMANTICS, SAMPLE)]));
    expect_at(&found, &[(SEMANTICS, 5), (SEMANTICS, 6), (SEMANTICS, 0)]);
}

#[test]
fn all_rules_and_invariants_are_defined() {
    let defined = defined(Repository::here());
    let expected = (1..=34).map(|n| format!("S{n}")).chain((1..=8).map(|n| format!("I{n}")));
    let missing: Vec<String> = expected.filter(|number| !defined.contains(number.as_str())).collect();
    assert!(missing.is_empty(), "{SEMANTICS} does not define {missing:?}");
}

#[test]
fn every_cited_number_is_defined() {
    expect_none(&unknown_numbers(Repository::here()));
}

#[test]
fn every_rule_says_where_it_stands() {
    expect_none(&wrong_standing(Repository::here()));
}
