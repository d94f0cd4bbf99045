//! Rust files: their length, the sentence that says what each is for, and that each is part of a package.

use crate::finding::{Finding, expect_at, expect_none};
use crate::repository::Repository;
use crate::words::places_of;

/// Tests included. A file that grows beyond it holds more than one concern.
const LINES_MAX: usize = 800;

fn too_long(repository: &Repository) -> Vec<Finding> {
    let over = |(path, text): (&str, &str)| {
        let lines = text.lines().count();
        let problem = format!("{lines} lines, the limit is {LINES_MAX}");
        (lines > LINES_MAX)
            .then(|| Finding::new(path, 0, problem, "move one concern into a module of its own"))
    };
    repository.with_extension("rs").filter_map(over).collect()
}

fn undocumented(repository: &Repository) -> Vec<Finding> {
    let silent = |(_, text): &(&str, &str)| !text.trim_start().starts_with("//!");
    let finding = |(path, _): (&str, &str)| {
        Finding::new(path, 1, "the file does not say what it is for", "begin it with a sentence after //!")
    };
    repository.with_extension("rs").filter(silent).map(finding).collect()
}

/// Files below src/ that no `mod` names. The compiler never sees them, so neither does any other check.
fn unreachable(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _) in repository.with_extension("rs") {
        let Some((package, module)) = path.rsplit_once("src/") else {
            continue;
        };
        let module = module.trim_end_matches(".rs").trim_end_matches("/mod");
        if ["lib", "main"].contains(&module) || module.starts_with("bin/") {
            continue;
        }
        let (parents, name) = match module.rsplit_once('/') {
            Some((parent, name)) => ([format!("{parent}.rs"), format!("{parent}/mod.rs")], name),
            None => (["lib.rs".to_owned(), "main.rs".to_owned()], module),
        };
        let declaration = format!("mod {name}");
        let declared = parents.iter().any(|parent| {
            let text = repository.text(&format!("{package}src/{parent}"));
            text.is_some_and(|text| !places_of(text, &declaration).is_empty())
        });
        if !declared {
            let problem = format!("`{declaration};` is in neither {} nor {}", parents[0], parents[1]);
            findings.push(Finding::new(path, 0, problem, "declare the module, or remove the file"));
        }
    }
    findings
}

#[test]
fn a_long_file_is_found() {
    let long = "//! A\n".repeat(LINES_MAX + 1);
    let full = "//! A\n".repeat(LINES_MAX);
    let repository = Repository::of(&[("a/src/lib.rs", &long), ("b/src/lib.rs", &full), ("c.txt", &long)]);
    expect_at(&too_long(&repository), &[("a/src/lib.rs", 0)]);
}

#[test]
fn a_file_without_a_first_sentence_is_found() {
    let repository = Repository::of(&[("a.rs", "//! A"), ("b.rs", "use x;\n//! B"), ("c.rs", "/// C")]);
    expect_at(&undocumented(&repository), &[("b.rs", 1), ("c.rs", 1)]);
}

#[test]
fn a_file_that_no_module_names_is_found() {
    let repository = Repository::of(&[
        ("p/src/lib.rs", "pub mod one;\nmod two;\n"),
        ("p/src/one.rs", "mod inner;"),
        ("p/src/one/inner.rs", ""),
        ("p/src/one/lost.rs", ""),
        ("p/src/two/mod.rs", ""),
        ("p/src/twofold.rs", ""),
        ("p/src/bin/tool.rs", ""),
        ("p/tests/story.rs", ""),
    ]);
    expect_at(&unreachable(&repository), &[("p/src/one/lost.rs", 0), ("p/src/twofold.rs", 0)]);
}

#[test]
fn files_are_short() {
    expect_none(&too_long(Repository::here()));
}

#[test]
fn files_say_what_they_are_for() {
    expect_none(&undocumented(Repository::here()));
}

#[test]
fn files_are_part_of_their_package() {
    expect_none(&unreachable(Repository::here()));
}
