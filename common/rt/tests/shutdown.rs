//! How processes end. Each test starts itself again as a child process, since signals and standard input belong to
//! whole processes.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use godwit_rt::shutdown;

/// Set for the child, to what it should do.
const ROLE: &str = "GODWIT_SHUTDOWN_TEST_ROLE";
/// What the child prints once it listens for signals.
const READY: &str = "ready";
/// What the child prints once its token is cancelled.
const STOPPING: &str = "stopping";

#[test]
fn a_signal_cancels_the_token_and_a_second_one_ends_the_process() {
    const NAME: &str = "a_signal_cancels_the_token_and_a_second_one_ends_the_process";
    if is_child() {
        return child(true);
    }
    for first in ["TERM", "INT"] {
        let mut child = spawn(NAME);
        let mut lines = lines_of(&mut child);
        wait_for(&mut lines, READY);
        kill(&child, first);
        wait_for(&mut lines, STOPPING);
        kill(&child, "TERM");
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}

#[test]
fn the_end_of_standard_input_cancels_the_token() {
    const NAME: &str = "the_end_of_standard_input_cancels_the_token";
    if is_child() {
        return child(false);
    }
    let mut child = spawn(NAME);
    let mut lines = lines_of(&mut child);
    wait_for(&mut lines, READY);
    drop(child.stdin.take());
    wait_for(&mut lines, STOPPING);
    assert!(child.wait().unwrap().success());
}

#[tokio::main(flavor = "current_thread")]
async fn child(stays: bool) {
    let stop = shutdown::on_signals().unwrap();
    shutdown::exit_with_stdin(&stop);
    println!("{READY}");
    stop.cancelled().await;
    println!("{STOPPING}");
    if stays {
        std::future::pending::<()>().await;
    }
}

fn is_child() -> bool {
    std::env::var_os(ROLE).is_some()
}

fn spawn(test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ROLE, "child")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn lines_of(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap)
}

fn wait_for(lines: &mut impl Iterator<Item = String>, wanted: &str) {
    assert!(lines.any(|line| line.ends_with(wanted)), "the child ended without saying {wanted:?}");
}

fn kill(child: &Child, signal: &str) {
    let status =
        Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}
