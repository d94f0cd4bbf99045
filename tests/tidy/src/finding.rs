//! What a check reports: where, what is wrong, and what to do about it.

use std::fmt;

/// One fault in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) file: String,
    /// Counted from 1; 0 stands for the whole file.
    pub(crate) line: usize,
    pub(crate) problem: String,
    pub(crate) remedy: &'static str,
}

impl Finding {
    pub(crate) fn new(file: &str, line: usize, problem: impl Into<String>, remedy: &'static str) -> Finding {
        Finding { file: file.to_owned(), line, problem: problem.into(), remedy }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}. Remedy: {}.", self.problem, self.remedy)
    }
}

/// Fails the calling test with every finding on a line of its own.
#[track_caller]
pub(crate) fn expect_none(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "{} findings:\n{}\n", findings.len(), lines.join("\n"));
}

/// Fails the calling test unless the findings are exactly these, each given as file and line.
#[track_caller]
pub(crate) fn expect_at(findings: &[Finding], places: &[(&str, usize)]) {
    let found: Vec<(&str, usize)> = findings.iter().map(|f| (f.file.as_str(), f.line)).collect();
    assert_eq!(found, places, "{findings:#?}");
}
