//! A folder with a lease in it, and gates that look at it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use godwit_gate::clock;
use godwit_gate::lease::Lease;
use tempfile::TempDir;

pub(crate) const GATE: &str = env!("CARGO_BIN_EXE_godwit-gate");
pub(crate) const LIFE: &str = "0a";
pub(crate) const GRACE: Duration = Duration::from_millis(700);
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Stage(TempDir);

pub(crate) struct Gate {
    child: Child,
    log: PathBuf,
    /// The folder goes when the last of both does.
    ended: Option<Option<i32>>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// One that lasts so long from now on.
    pub(crate) fn lease(&self, lasts: Duration) -> Lease {
        Lease { boot: clock::boot().unwrap(), life: LIFE.to_owned(), until: clock::now() + lasts }
    }

    pub(crate) fn write(&self, lease: &Lease) {
        self.put(lease.write().as_bytes());
    }

    /// When it ends, to the millisecond that is written down.
    pub(crate) fn grant(&self, lasts: Duration) -> Duration {
        let lease = self.lease(lasts);
        self.write(&lease);
        Duration::from_millis(u64::try_from(lease.until.as_millis()).unwrap())
    }

    pub(crate) fn put(&self, bytes: &[u8]) {
        self.put_at("lease", bytes);
    }

    /// At once, as an agent does it.
    pub(crate) fn put_at(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path("part"), bytes).unwrap();
        fs::rename(self.path("part"), self.path(name)).unwrap();
    }

    pub(crate) fn start(&self, script: &str) -> Gate {
        self.start_program(&["sh", "-c", script])
    }

    pub(crate) fn start_program(&self, program: &[&str]) -> Gate {
        self.spawn(Command::new(GATE), program)
    }

    /// The same as the last word of another command.
    pub(crate) fn start_by(&self, mut command: Command, script: &str) -> Gate {
        command.arg(GATE);
        self.spawn(command, &["sh", "-c", script])
    }

    fn spawn(&self, mut command: Command, program: &[&str]) -> Gate {
        let log = self.path("log");
        let out = File::create(&log).unwrap();
        let grace = format!("{}ms", GRACE.as_millis());
        command.arg("--lease").arg(self.path("lease")).args(["--life", LIFE, "--grace", &grace, "--"]);
        command.args(program).current_dir(self.0.path());
        command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        Gate { child: command.spawn().unwrap(), log, ended: None }
    }

    /// Whether a process has written down its number.
    pub(crate) fn is_written(&self, name: &str) -> bool {
        self.number(name).is_some()
    }

    /// The number that a process has written down.
    pub(crate) fn pid(&self, name: &str) -> u32 {
        until(&format!("{name} to be written"), || self.is_written(name));
        self.number(name).unwrap()
    }

    fn number(&self, name: &str) -> Option<u32> {
        fs::read_to_string(self.path(name)).ok()?.trim().parse().ok()
    }

    /// Whose parent a process is.
    pub(crate) fn children(&self, parent: u32) -> Vec<u32> {
        numbers().filter(|pid| fields(*pid).is_some_and(|(_, found)| found == parent)).collect()
    }

    /// Who has a file of this folder open.
    pub(crate) fn holders(&self, name: &str) -> Vec<u32> {
        let path = self.path(name);
        let holds = |pid: &u32| {
            let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            open.into_iter().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == path))
        };
        numbers().filter(|pid| is_alive(*pid) && holds(pid)).collect()
    }

    /// The gates that a process has started.
    pub(crate) fn gates(&self, parent: u32) -> Vec<u32> {
        let is_gate =
            |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == *Path::new(GATE));
        self.children(parent).into_iter().filter(is_gate).collect()
    }
}

impl Gate {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The exit status, if it has ended.
    pub(crate) fn ended_now(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().unwrap().map(|status| status.code())
    }

    /// Waits for the end; the exit status.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        until("the gate to end", || {
            self.ended = self.ended_now();
            self.ended.is_some()
        });
        self.ended.unwrap()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind: a gate that is told to stop while nothing holds it does.
        if self.ended.is_none() {
            send(self.id(), "CONT");
            let below: Vec<u32> = numbers().filter(|pid| descends(*pid, self.id())).collect();
            below.iter().chain([&self.id()]).for_each(|pid| send(*pid, "KILL"));
            let _ = self.child.wait();
        }
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

pub(crate) fn is_alive(pid: u32) -> bool {
    fields(pid).is_some_and(|(state, _)| state != "Z" && state != "X")
}

pub(crate) fn send(pid: u32, signal: &str) {
    let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &pid.to_string()]).status();
    // It may have ended meanwhile.
    let _ = sent.unwrap();
}

fn numbers() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn descends(pid: u32, from: u32) -> bool {
    match fields(pid) {
        Some((_, parent)) => parent == from || (parent > 1 && descends(parent, from)),
        None => false,
    }
}

/// A process's state and its parent.
fn fields(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
