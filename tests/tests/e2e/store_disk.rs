//! The disk below the store is full, or takes no writes: the hub says so and ends, and nothing that it acknowledged is lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Admin, Deployment, Federation, Process, Signal, program, wait_for};

/// Enough for the store at first, and for some more.
const DISK_BYTES: u64 = 8 << 20;

/// A small disk of its own, for as long as it is held.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    fn mount(folder: &Path) -> Self {
        fs::create_dir(folder).unwrap();
        let size = format!("size={DISK_BYTES}");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder));
        Self { folder: folder.to_owned() }
    }

    fn takes_writes(&self, takes: bool) {
        let how = if takes { "remount,rw" } else { "remount,ro" };
        run(Command::new("mount").args(["-o", how]).arg(&self.folder));
    }

    /// Takes all room that is left; it is free again when the file is removed.
    fn fill(&self) -> PathBuf {
        let filler = self.folder.join("filler");
        assert!(fs::write(&filler, vec![7; usize::try_from(DISK_BYTES).unwrap()]).is_err(), "it has no end");
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(&self.folder));
    }
}

/// A hub on that disk, with an operator.
struct Small {
    process: Process,
    admin: Admin,
}

impl Small {
    async fn start(federation: &Federation, disk: &Disk) -> Self {
        let mut process = start(federation, disk);
        let address = process.line_after("godwit-hub ready ").await;
        Self { process, admin: Admin::new(&address, federation.certificates.admin.clone()) }
    }
}

fn start(federation: &Federation, disk: &Disk) -> Process {
    let host = federation.hub().address().rsplit_once(':').unwrap().0;
    let args = [
        format!("--config={}", federation.hub().config().display()),
        format!("--data-dir={}", disk.folder.display()),
        format!("--listen={host}:0"),
        "--exit-with-stdin".to_owned(),
    ];
    Process::start("hub-small", federation.dir(), program("hub", args))
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Ends by itself, with a line that names the file and says what to do.
async fn ends_with(mut process: Process, words: &[&str]) {
    process.may_log_errors();
    let status = process.ended().await;
    let output = process.output();
    assert_eq!(status.code(), Some(1), "{output}");
    let error = output.lines().find(|line| line.starts_with("godwit-hub: "));
    let error = error.unwrap_or_else(|| panic!("no error is told: {output}"));
    for word in words {
        assert!(error.contains(word), "{word:?} is not in {error}");
    }
}

#[tokio::test]
async fn a_full_disk_ends_the_hub_and_loses_nothing() {
    let federation = Federation::of(&["alpha"]).await;
    let disk = Disk::mount(&federation.dir().join("disk"));
    let hub = Small::start(&federation, &disk).await;
    let filler = disk.fill();
    let mut kept = 0;
    wait_for("the disk to be full", async || {
        let name = format!("web-{kept}");
        match hub.admin.deploy(Deployment::new(&name, 1).request()).await {
            Ok(_) => {
                kept += 1;
                Err(format!("{kept} were taken"))
            }
            Err(refused) => Ok(refused),
        }
    })
    .await;
    ends_with(hub.process, &["hub.redb", "No space left on device"]).await;

    fs::remove_file(filler).unwrap();
    let hub = Small::start(&federation, &disk).await;
    // The last one had no answer: it is there or not.
    let there = hub.admin.workloads().await.unwrap().len();
    assert!((kept..=kept + 1).contains(&there), "{kept} were acknowledged, {there} are there");
    hub.admin.deploy(Deployment::new("after", 1).request()).await.unwrap();
    let Small { mut process, .. } = hub;
    process.signal(Signal::Terminate);
    assert!(process.ended().await.success());

    disk.takes_writes(false);
    ends_with(start(&federation, &disk), &["Read-only file system"]).await;
    disk.takes_writes(true);
    let hub = Small::start(&federation, &disk).await;
    assert_eq!(hub.admin.workloads().await.unwrap().len(), there + 1);
}
