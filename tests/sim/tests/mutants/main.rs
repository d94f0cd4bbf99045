//! Does the simulator see what it is there to see? Rules are broken on purpose, one at a time, and its seeds have to
//! fail with the words of the invariant that is broken.
//!
//! All mutants are built at once: at each place a copy of the code chooses between the text and its replacement by the
//! name of the mutant that the environment turns on. With none it is the code as it is, and has to pass.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test is its own shell: it copies files and runs programs"
)]

mod list;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, available_parallelism};

use list::{BROWNFIELD, FORKS, MANY_AGENTS, MANY_VOICES, MUTANTS, Mutant, OLD_AGENTS, ONE_HISTORY};

/// What the simulator is made of.
const PACKAGES: [&str; 5] = ["agent/core", "common", "hub/core", "hub/planner", "tests/sim"];
/// Within so many seeds each mutant has to be caught.
const SEEDS: u64 = 6_000;
/// So many have to pass without one.
const SOUND: u64 = 50;
/// Turns a mutant on, in the copy.
const VARIABLE: &str = "GODWIT_MUTANT";

#[test]
fn every_broken_rule_is_seen() {
    let copy = copy();
    let sim = build(&copy);
    for options in [ONE_HISTORY, FORKS, MANY_AGENTS, MANY_VOICES, OLD_AGENTS, BROWNFIELD] {
        let sound = run(&sim, "", SOUND, options);
        assert!(sound.status.success(), "the code as it is fails, {options:?}:\n{}", words_of(&sound));
    }
    let missed = missed(&sim);
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// Who moves code learns of it without waiting for the runs.
#[test]
fn every_mutant_has_its_place() {
    for mutant in MUTANTS {
        mutated(&read(&root().join(mutant.file)), mutant);
    }
}

/// Runs all mutants, as many at once as there are processors; says which are not caught.
fn missed(sim: &Path) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let some = || {
        let following = || MUTANTS.get(next.fetch_add(1, Ordering::Relaxed));
        std::iter::from_fn(following).filter_map(|mutant| miss(sim, mutant)).collect::<Vec<_>>()
    };
    let processors = available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..processors).map(|_| scope.spawn(some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it ends")).collect()
    })
}

/// Runs a mutant until it is caught; says so if it is not, or not for what it does.
fn miss(sim: &Path, mutant: &Mutant) -> Option<String> {
    let output = run(sim, mutant.name, SEEDS, mutant.runs);
    let words = words_of(&output);
    let first = words.lines().skip_while(|line| !line.contains("panicked at")).nth(1).unwrap_or_default();
    if output.status.success() {
        return Some(format!("{}: {SEEDS} seeds pass", mutant.name));
    }
    println!("{}: {first}", mutant.name);
    let is_seen = mutant.caught_by.iter().any(|by| first.contains(by));
    (!is_seen).then(|| format!("{}: not caught by {:?}, but: {first}", mutant.name, mutant.caught_by))
}

fn run(sim: &Path, mutant: &str, seeds: u64, options: &[&str]) -> Output {
    let seeds = format!("1..{}", seeds + 1);
    let mut command = Command::new(sim);
    command
        .args(["--quiet", "--seeds", &seeds])
        .args(options)
        .env(VARIABLE, mutant)
        .env("RUST_BACKTRACE", "0");
    command.output().unwrap_or_else(|error| panic!("{}: {error}", sim.display()))
}

fn words_of(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stderr), text(&output.stdout))
}

/// Builds the copy; what the last test has built there is used again.
fn build(copy: &Path) -> PathBuf {
    let target = copy.join("target");
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(copy).args(["build", "--offline", "--quiet", "--release", "-p", "sim"]);
    command.env("CARGO_TARGET_DIR", &target).env_remove("RUSTFLAGS");
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "the mutants do not compile:\n{}", words_of(&output));
    target.join("release").join(format!("sim{}", std::env::consts::EXE_SUFFIX))
}

/// Copies the packages, with every mutant in its place.
fn copy() -> PathBuf {
    let root = root();
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
    let mut unused: Vec<&str> = MUTANTS.iter().map(|mutant| mutant.name).collect();
    for package in PACKAGES {
        put(&copy.join(package).join("Cargo.toml"), &read(&root.join(package).join("Cargo.toml")));
        let _ = fs::remove_dir_all(copy.join(package).join("tests"));
        copy_folder(&root, &copy, &Path::new(package).join("src"), &mut unused);
    }
    assert!(unused.is_empty(), "no file is copied for {unused:?}");
    put(&copy.join("Cargo.lock"), &read(&root.join("Cargo.lock")));
    put(&copy.join("Cargo.toml"), &workspace(&read(&root.join("Cargo.toml"))));
    copy
}

/// The workspace's manifest for these packages alone. What is checked is not how fast they are.
fn workspace(manifest: &str) -> String {
    let (before, rest) = manifest.split_once("members = [").expect("the workspace has members");
    let (_, after) = rest.split_once(']').expect("the list ends");
    let release = "\n[profile.release]\n";
    let (before_profile, profile) = after.split_once(release).expect("it has a profile");
    let (_, others) = profile.split_once("\n\n").expect("the profile ends");
    let profile = format!("{release}opt-level = 1\nincremental = true\n\n");
    format!("{before}members = {PACKAGES:?}{before_profile}{profile}{others}")
}

/// What an earlier test has copied and is no longer there goes: a module may have become a folder.
fn sweep(root: &Path, copy: &Path, folder: &Path) {
    for entry in fs::read_dir(copy.join(folder)).into_iter().flatten() {
        let path = folder.join(entry.expect("an entry").file_name());
        let copied = copy.join(&path);
        let gone = match root.join(&path).exists() {
            true => Ok(()),
            false if copied.is_dir() => fs::remove_dir_all(&copied),
            false => fs::remove_file(&copied),
        };
        gone.unwrap_or_else(|error| panic!("{copied:?}: {error}"));
    }
}

fn copy_folder(root: &Path, copy: &Path, folder: &Path, unused: &mut Vec<&str>) {
    sweep(root, copy, folder);
    let entries = fs::read_dir(root.join(folder)).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    for entry in entries {
        let path = folder.join(entry.expect("an entry").file_name());
        if root.join(&path).is_dir() {
            copy_folder(root, copy, &path, unused);
            continue;
        }
        let mut text = read(&root.join(&path));
        for mutant in MUTANTS.iter().filter(|mutant| Path::new(mutant.file) == path) {
            text = mutated(&text, mutant);
            unused.retain(|name| *name != mutant.name);
        }
        if path == Path::new("common/src/lib.rs") {
            text.push_str(SWITCH);
        }
        put(&copy.join(&path), &text);
    }
}

/// The text with a choice at the mutant's place.
fn mutated(text: &str, mutant: &Mutant) -> String {
    let Mutant { name, file, text: old, replacement: new, .. } = mutant;
    let found = text.matches(old).count();
    assert!(
        found == 1,
        "{name}: its text occurs {found} times in {file}, and has to occur once: give it another place"
    );
    let choice = format!("godwit_common::mutant::is({name:?})");
    let choice = match old.ends_with([';', '}']) {
        true => format!("if {choice} {{ {new} }} else {{ {old} }}"),
        // An arm of a match.
        false if old.ends_with(',') => {
            let arm = |text: &str| text.trim_end_matches(',').split_once("=>").map(|(_, arm)| arm.to_owned());
            let pattern = old.split_once("=>").map_or("", |(pattern, _)| pattern);
            let (old, new) = (arm(old).unwrap_or_default(), arm(new).unwrap_or_default());
            format!("{pattern}=> if {choice} {{ {new} }} else {{ {old} }},")
        }
        false => format!("(if {choice} {{ {new} }} else {{ {old} }})"),
    };
    text.replace(old, &choice)
}

/// Which mutant is on.
const SWITCH: &str = r#"
#[allow(missing_docs)]
pub mod mutant {
    pub fn is(name: &str) -> bool {
        static ON: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        ON.get_or_init(|| std::env::var("GODWIT_MUTANT").unwrap_or_default()) == name
    }
}
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes a file, unless it says so already: what has not changed is not built again.
fn put(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|before| before == text) {
        return;
    }
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
