//! Child processes: started with their output in a file, and gone when the test is.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::wait::wait_for;

/// How much of each log a failed test shows.
const LINES_SHOWN: usize = 60;
/// Longer lines of a log are cut when shown.
const LINE_CHARS_SHOWN: usize = 400;

/// What the tests send to processes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
    Stop,
    Continue,
}

/// A running process. Dropping it kills it. If the test has failed by then, the end of its log is shown; if not, errors
/// in it fail the test.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// Where this run's lines begin: a restart appends.
    begin: usize,
    may_log_errors: bool,
}

impl Process {
    /// Starts `command` under `name`; both its outputs go to `DIR/NAME.log`. Its input stays open as long as this
    /// value lives, which is what `--exit-with-stdin` looks at.
    pub(crate) fn start(name: &str, dir: &Path, mut command: Command) -> Self {
        let log = dir.join(format!("{name}.log"));
        let begin = fs::metadata(&log).map_or(0, |meta| usize::try_from(meta.len()).unwrap());
        let out = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = command
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        Self { name: name.to_owned(), child, log, begin, may_log_errors: false }
    }

    /// What it printed in this run.
    pub(crate) fn output(&self) -> String {
        let bytes = fs::read(&self.log).unwrap();
        String::from_utf8_lossy(&bytes[self.begin.min(bytes.len())..]).into_owned()
    }

    /// Waits for a line that contains `mark`, and gives what follows the mark in it.
    pub(crate) async fn line_after(&mut self, mark: &str) -> String {
        let what = format!("{} to print {mark:?}", self.name);
        wait_for(&what, async || {
            let output = self.output();
            // The last line may be half-written.
            let complete = output.rsplit_once('\n').map_or("", |(complete, _)| complete);
            if let Some(rest) = complete.lines().find_map(|line| line.split_once(mark)) {
                return Ok(rest.1.trim().to_owned());
            }
            match self.try_ended() {
                Some(status) => panic!("{} ended with {status} instead of printing {mark:?}", self.name),
                None => Err(output.lines().last().unwrap_or("no output").to_owned()),
            }
        })
        .await
    }

    /// Errors in its log are part of the test.
    pub(crate) fn may_log_errors(&mut self) {
        self.may_log_errors = true;
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`: no goodbye, nothing flushed.
    pub(crate) fn kill(&mut self) {
        // It fails only if the process has ended already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Interrupt => "INT",
            Signal::Terminate => "TERM",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
        };
        let kill =
            Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &self.id().to_string()]).status();
        assert!(kill.unwrap().success(), "{} took no {name}", self.name);
    }

    /// How it ended, if it has.
    pub(crate) fn try_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let what = format!("{} to end", self.name);
        wait_for(&what, async || self.try_ended().ok_or_else(|| "it runs".to_owned())).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let output = self.output();
        if std::thread::panicking() {
            eprintln!("--- the end of {} ---", self.log.display());
            let lines: Vec<&str> = output.lines().collect();
            for line in &lines[lines.len().saturating_sub(LINES_SHOWN)..] {
                eprintln!("{}", line.chars().take(LINE_CHARS_SHOWN).collect::<String>());
            }
        } else {
            let bad = |line: &&str| {
                line.contains("panicked at") || (line.contains(" ERROR ") && !self.may_log_errors)
            };
            let found = output.lines().find(bad);
            assert_eq!(found, None, "{} is not well", self.name);
        }
    }
}

/// The command for one of our own programs.
pub(crate) fn program(part: &str, args: impl IntoIterator<Item = impl Into<OsString>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_godwit-e2e"));
    command.arg(part).args(args.into_iter().map(Into::into));
    command
}
