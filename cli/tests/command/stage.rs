//! Runs `godwit`, and a federation for it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the command in a folder; no context of the user's is in its way.
pub(crate) fn godwit<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Said {
    said(command(folder, args).stdin(Stdio::null()).output().unwrap())
}

/// The same with text on its standard input.
pub(crate) fn godwit_with_input(folder: &Path, args: &[&str], input: &str) -> Said {
    let path = folder.join("input");
    std::fs::write(&path, input).unwrap();
    said(command(folder, args).stdin(std::fs::File::open(path).unwrap()).output().unwrap())
}

/// The command, to be run.
pub(crate) fn command<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_godwit"));
    command
        .args(args)
        .current_dir(folder)
        .env_remove("GODWIT_CONFIG")
        .env("XDG_CONFIG_HOME", folder.join("none"));
    command
}

fn said(output: Output) -> Said {
    Said {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A running `godwit dev`; it ends with the test.
pub(crate) struct Dev {
    pub(crate) folder: TempDir,
    pub(crate) process: Child,
}

impl Dev {
    /// Starts one, and waits until every cluster is ready.
    pub(crate) fn start(args: &[&str]) -> Self {
        let dev = Self::begin(args);
        dev.until_said("Try in another terminal");
        dev
    }

    /// Only starts one.
    pub(crate) fn begin(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("dev.log")).unwrap();
        let mut command = command(folder.path(), ["dev", "--listen", "127.0.0.1:0"]);
        let process = command.args(args).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { folder, process }
    }

    /// Waits until it has printed that.
    pub(crate) fn until_said(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            let alive = Path::new(&format!("/proc/{}/exe", self.process.id())).exists();
            assert!(alive && Instant::now() < deadline, "it never said {text:?}:\n{}", self.log());
            pause();
        }
    }

    /// Runs a command beside it.
    pub(crate) fn godwit(&self, args: &[&str]) -> Said {
        godwit(self.folder.path(), args)
    }

    /// The same for a command that must work; what it printed.
    pub(crate) fn works(&self, args: &[&str]) -> String {
        let said = self.godwit(args);
        assert_eq!(said.status, 0, "{args:?}: {said:?}\n{}", self.log());
        said.out
    }

    /// The same for a command that prints JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.works(args)).unwrap()
    }

    /// Repeats a command that prints JSON until it says what is wanted.
    pub(crate) fn until(&self, args: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.godwit(args);
            if let Ok(json) = serde_json::from_str(&said.out)
                && wanted(&json)
            {
                return json;
            }
            assert!(Instant::now() < deadline, "{args:?}: {said:?}\n{}", self.log());
            pause();
        }
    }

    /// Everything that it printed.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("dev.log")).unwrap()
    }

    /// Asks it to stop, as Ctrl-C does, and waits for its end.
    pub(crate) fn interrupt(&mut self) -> i32 {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.process.wait().unwrap().code().unwrap_or(-1)
    }

    /// The numbers of its children's processes, as its status names them.
    pub(crate) fn children(&self) -> Vec<u32> {
        let status = self.works(&["dev", "status"]);
        let words: Vec<&str> = status.split_whitespace().collect();
        let pids = words.windows(2).filter(|pair| pair[0] == "pid");
        pids.map(|pair| pair[1].parse().unwrap()).collect()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Its children end when their standard input does.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A simulated cluster that no federation has started.
pub(crate) struct Kubesim {
    process: Child,
    pub(crate) kubeconfig: PathBuf,
}

impl Kubesim {
    /// Starts one; `context` is what its kubeconfig's context is called.
    pub(crate) fn start(folder: &Path, context: &str) -> Self {
        let written = folder.join(format!("{context}.written"));
        let mut command =
            command(folder, ["__kubesim", "--name", "some", "--exit-with-stdin", "--kubeconfig-out"]);
        let process = command.arg(&written).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let kubeconfig = folder.join(format!("{context}.yaml"));
        let cluster = Self { process, kubeconfig };
        let deadline = Instant::now() + PATIENCE;
        while !written.exists() {
            assert!(Instant::now() < deadline, "no kubeconfig");
            pause();
        }
        let mut text: Value = serde_json::from_str(&std::fs::read_to_string(written).unwrap()).unwrap();
        text["contexts"][0]["name"] = context.into();
        text["current-context"] = context.into();
        std::fs::write(&cluster.kubeconfig, text.to_string()).unwrap();
        cluster
    }
}

impl Drop for Kubesim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until a process is gone.
pub(crate) fn until_gone(pid: u32) {
    let deadline = Instant::now() + PATIENCE;
    // One that has ended but was not waited for by its parent is a zombie, and gone too.
    while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "process {pid} lives on");
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own thread may wait between two looks")]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}
