//! Tools that are not ours: other people's clients, network namespaces. Where they are missing, tests that need them say
//! so and pass; with `GODWIT_TEST_REQUIRE_TOOLS=1`, as in the gate, they fail.

use std::path::PathBuf;
use std::process::Command;

/// A program: the one that the variable names, else the one of this name in the search path, if it runs with `probe`.
pub(crate) fn tool(variable: &str, name: &str, probe: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map_or_else(|| PathBuf::from(name), PathBuf::from);
    let output = Command::new(&path).args(probe).output();
    match output {
        Ok(output) if output.status.success() => Some(path),
        Ok(output) => missing(&format!("{}: {}", path.display(), String::from_utf8_lossy(&output.stderr))),
        Err(error) => missing(&format!("{}: {error}; set {variable}", path.display())),
    }
}

/// Says that a test cannot run here; fails where it must.
fn missing<T>(what: &str) -> Option<T> {
    let required = std::env::var("GODWIT_TEST_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(!required, "needed by GODWIT_TEST_REQUIRE_TOOLS=1, and missing: {what}");
    eprintln!("skipped: {what}");
    None
}
