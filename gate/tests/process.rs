//! The program over real processes: what it starts, and that nothing of it outlives its lease.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod stage;

use std::fs;
use std::process::Command;
use std::time::Duration;

use godwit_gate::clock;
use godwit_gate::lease::Lease;

use stage::{GRACE, LIFE, Stage, is_alive, send, until};

/// Far longer than a gate takes to look at its lease again.
const LEASE: Duration = Duration::from_secs(4);
/// It leaves word that it runs, and ends on SIGTERM, well.
const POLITE: &str = "trap 'exit 0' TERM; echo $$ > main; while :; do sleep 0.05; done";
/// It has a child in a session of its own, whose parent has gone, and none of them cares.
const STUBBORN: &str = "trap '' TERM; (setsid sh -c 'echo $$ > orphan; while :; do sleep 0.05; done' &); \
                        while [ ! -s orphan ]; do sleep 0.05; done; echo $$ > main; while :; do sleep 0.05; done";

#[test]
fn s9_nothing_starts_without_a_lease() {
    let stage = Stage::new();
    let mut gate = stage.start("echo $$ > main; exit 7");
    until("it to wait", || gate.output().contains("waiting for the lease"));
    // What another life was given, and what ended before, is no lease.
    stage.write(&Lease { life: "0b".to_owned(), ..stage.lease(Duration::from_secs(60)) });
    until("that to be refused", || gate.output().contains("it is for 0b"));
    stage.write(&Lease { until: clock::now(), ..stage.lease(Duration::ZERO) });
    assert!(!stage.path("main").exists() && gate.ended_now().is_none());
    stage.grant(Duration::from_secs(60));
    assert_eq!(gate.ended(), Some(7));
    assert!(stage.path("main").exists());
}

#[test]
fn s9_a_process_ends_with_its_lease() {
    let stage = Stage::new();
    let mut gate = stage.start(POLITE);
    let ([main], end) = runs(&stage, ["main"]);
    assert_eq!(gate.ended(), Some(75), "that it has ended well is not to be believed: {}", gate.output());
    assert!(clock::now() >= end && !is_alive(main));
}

#[test]
fn s9_whoever_ignores_the_end_is_killed_with_all_that_it_has_started() {
    let stage = Stage::new();
    let mut gate = stage.start(STUBBORN);
    let (all, end) = runs(&stage, ["main", "orphan"]);
    assert_eq!(gate.ended(), Some(75), "{}", gate.output());
    assert!(clock::now() >= end + GRACE);
    assert_eq!(all.map(is_alive), [false; 2]);
}

#[test]
fn s9_a_renewed_lease_lasts_until_whoever_renews_it_stops() {
    let stage = Stage::new();
    let mut gate = stage.start(POLITE);
    let ([main], first) = runs(&stage, ["main"]);
    let mut last = first;
    until("the first lease to be over", || {
        last = stage.grant(LEASE);
        clock::now() > first + GRACE + GRACE
    });
    assert!(is_alive(main), "{}", gate.output());
    assert_eq!(gate.ended(), Some(75));
    assert!(clock::now() >= last && !is_alive(main));
}

#[test]
fn s9_what_is_no_lease_neither_lengthens_nor_shortens_one() {
    let stage = Stage::new();
    let mut gate = stage.start(POLITE);
    let text = stage.lease(Duration::from_secs(3600)).write();
    let (whole, sum) = text.split_at(text.len() - 21);
    let others = [
        (whole.to_owned(), "its lines are not"),
        (format!("{whole}{}", sum.replace("sum ", "sum 0")), "its sum is not"),
        (String::new(), "does not begin with"),
        ("\0".repeat(4_096), "bytes"),
        (stage.lease(Duration::from_secs(200_000)).write(), "later than any lease does"),
        (
            Lease { boot: "b0".to_owned(), ..stage.lease(Duration::from_secs(3600)) }.write(),
            "another machine",
        ),
    ];
    for (other, why) in &others {
        stage.put(other.as_bytes());
        until(why, || gate.output().contains(why));
    }
    assert!(!stage.path("main").exists());
    // It is not renewed, so that the end that the gate goes by is known; what it starts has that long to begin.
    let end = stage.grant(Duration::from_secs(10));
    let main = stage.pid("main");
    for (other, _) in &others {
        stage.put(other.as_bytes());
    }
    stage.grant(Duration::from_millis(1));
    fs::remove_file(stage.path("lease")).unwrap();
    assert_eq!(gate.ended(), Some(75));
    assert!(clock::now() >= end && !is_alive(main));
}

#[test]
fn s9_whoever_wakes_up_after_the_end_stops_at_once() {
    let stage = Stage::new();
    let mut gate = stage.start(STUBBORN);
    let (all, end) = runs(&stage, ["main", "orphan"]);
    // As on a machine that is suspended, nothing of it runs meanwhile.
    all.iter().chain([&gate.id()]).for_each(|pid| send(*pid, "STOP"));
    until("lease and grace to be over", || clock::now() > end + GRACE);
    send(gate.id(), "CONT");
    assert_eq!(gate.ended(), Some(75));
    assert!(!gate.output().contains("stopping"), "there is no grace left: {}", gate.output());
    assert_eq!(all.map(is_alive), [false; 2]);
}

#[test]
fn s9_a_gate_that_is_killed_takes_its_container_with_it() {
    let stage = Stage::new();
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
        unshare
    };
    match unshare().arg("true").output() {
        Ok(done) if done.status.success() => {}
        other => {
            println!("skipped: namespaces of processes: {other:?}");
            return;
        }
    }
    stage.grant(Duration::from_secs(60));
    // What it writes down are the numbers inside; so it is found by what it holds open.
    let mut gate = stage.start_by(unshare(), &format!("exec 9> held; {STUBBORN}"));
    until("all to run", || stage.path("main").exists() && stage.holders("held").len() > 1);
    assert!(!gate.output().contains("not the first process"), "{}", gate.output());
    let [first] = stage.gates(gate.id())[..] else { panic!("one gate runs below unshare") };
    send(first, "KILL");
    until("everything in there to be gone", || stage.holders("held").is_empty());
    assert!(gate.ended().is_some());
}

#[test]
fn signals_are_passed_on() {
    let stage = Stage::new();
    stage.grant(Duration::from_secs(60));
    let script = "trap 'echo > usr1' USR1; trap 'exit 3' TERM; echo $$ > main; while :; do sleep 0.05; done";
    let mut gate = stage.start(script);
    stage.pid("main");
    send(gate.id(), "USR1");
    until("USR1 to arrive", || stage.path("usr1").exists());
    send(gate.id(), "TERM");
    assert_eq!(gate.ended(), Some(3), "ended by somebody else, it says itself how");
}

#[test]
fn whoever_is_stopped_while_it_waits_starts_nothing() {
    let stage = Stage::new();
    let mut gate = stage.start("echo > main");
    until("it to wait", || gate.output().contains("waiting for the lease"));
    send(gate.id(), "TERM");
    assert_eq!(gate.ended(), Some(143));
    assert!(!stage.path("main").exists());
}

#[test]
fn the_exit_status_is_the_commands() {
    for (script, status) in [("exit 0", 0), ("exit 41", 41), ("kill -KILL $$", 137), ("kill -TERM $$", 143)] {
        let stage = Stage::new();
        stage.grant(Duration::from_secs(60));
        assert_eq!(stage.start(script).ended(), Some(status), "{script}");
    }
    let stage = Stage::new();
    stage.grant(Duration::from_secs(60));
    fs::write(stage.path("plain"), "no program").unwrap();
    let plain = stage.path("plain").display().to_string();
    for (program, status) in [("/nonexistent/program", 127), (plain.as_str(), 126)] {
        let mut gate = stage.start_program(&[program]);
        assert_eq!(gate.ended(), Some(status));
        assert!(gate.output().contains(&format!("{program} cannot be started")), "{}", gate.output());
    }
}

#[test]
fn orphans_are_reaped_and_end_with_the_command() {
    let stage = Stage::new();
    stage.grant(Duration::from_secs(60));
    let script = "for n in 1 2 3 4 5 6 7 8; do (sh -c 'exit 0' &); done; \
                  (setsid sh -c 'echo $$ > orphan; while :; do sleep 0.05; done' &); \
                  while [ ! -s orphan ]; do sleep 0.05; done; echo $$ > main; while [ ! -s go ]; do sleep 0.05; done";
    let mut gate = stage.start(script);
    stage.pid("main");
    let orphan = stage.pid("orphan");
    // The main process and the last orphan.
    until("the others to be reaped", || stage.children(gate.id()).len() == 2);
    stage.put_at("go", b"now");
    assert_eq!(gate.ended(), Some(0));
    assert!(!is_alive(orphan));
}

#[test]
fn a_lease_can_be_asked_for_and_the_program_copies_itself() {
    let stage = Stage::new();
    let copy = stage.path("copy");
    let ran = Command::new(stage::GATE).arg("--install").arg(&copy).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let check = || {
        let lease = stage.path("lease");
        let ran =
            Command::new(&copy).args(["--check", "--life", LIFE, "--lease"]).arg(lease).output().unwrap();
        ran.status.code()
    };
    assert_eq!(check(), Some(1));
    stage.grant(Duration::from_secs(60));
    assert_eq!(check(), Some(0));
    stage.write(&Lease { until: clock::now(), ..stage.lease(Duration::ZERO) });
    assert_eq!(check(), Some(1));
    let ran = Command::new(&copy).arg("--lease").output().unwrap();
    assert_eq!(ran.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("--lease needs a value"), "{ran:?}");
}

/// Renews the lease until these have said that they run, and no longer: their numbers, and when the last lease ends.
fn runs<const N: usize>(stage: &Stage, names: [&str; N]) -> ([u32; N], Duration) {
    let mut end = Duration::ZERO;
    until("all to run", || {
        end = stage.grant(LEASE);
        names.iter().all(|name| stage.is_written(name))
    });
    (names.map(|name| stage.pid(name)), end)
}
