//! What a finished change does not leave behind: unfinished code, debugging aids, tests that do not run.

use crate::finding::{Finding, expect_at, expect_none};
use crate::repository::Repository;
use crate::words::places_of;

/// Written in two halves, so that this file does not contain them.
const LEFTOVERS: [(&str, &str); 7] = [
    (concat!("to", "do!("), "write the code, or leave the branch out"),
    (concat!("unimple", "mented!("), "write the code, or leave the branch out"),
    (concat!("db", "g!("), "remove it, or use tracing"),
    (concat!("#[ig", "nore"), "make the test run, or remove it"),
    (concat!("TO", "DO"), "do it, or describe the limit where users read of it"),
    (concat!("FIX", "ME"), "fix it"),
    (concat!("XX", "X"), "say plainly what is the matter, or resolve it"),
];

fn leftovers(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repository.files().filter(|(path, _)| !["Cargo.lock", "LICENSE"].contains(path)) {
        for (index, line) in text.lines().enumerate() {
            for (leftover, remedy) in LEFTOVERS {
                // A marker made of letters must stand alone: a name may contain it.
                let marker = leftover.chars().all(char::is_alphabetic);
                let found =
                    if marker { !places_of(line, leftover).is_empty() } else { line.contains(leftover) };
                if found {
                    findings.push(Finding::new(
                        path,
                        index + 1,
                        format!("`{leftover}` was left behind"),
                        remedy,
                    ));
                }
            }
        }
    }
    findings
}

#[test]
fn each_leftover_is_found() {
    for (leftover, _) in LEFTOVERS {
        let text = format!("fine\n  {leftover} x\n");
        expect_at(&leftovers(&Repository::of(&[("a.rs", &text), ("LICENSE", &text)])), &[("a.rs", 2)]);
    }
    let name = concat!("mktemp /tmp/a.XX", "XXXX");
    expect_none(&leftovers(&Repository::of(&[("a.sh", name)])));
}

#[test]
fn nothing_is_left_behind() {
    expect_none(&leftovers(Repository::here()));
}
