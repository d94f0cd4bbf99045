//! A store that was cut off or overwritten is recovered, or refused with a clear error: never half of it, never a panic.

use std::fs;
use std::path::Path;

use crate::harness::{Admin, Deployment, Federation, Process, Signal, program, wait_for};

#[tokio::test]
async fn damage_is_recovered_or_refused() {
    let mut federation = Federation::of(&["alpha", "bravo"]).await;
    federation.deploy(&Deployment::new("web", 10)).await;
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
    federation.kill_hub().await;
    let good = fs::read(federation.hub().store()).unwrap();

    let outcomes = [
        ("as the crash left it", start_with(&federation, "whole", good.clone()).await),
        ("empty", start_with(&federation, "empty", Vec::new()).await),
        ("cut to ten bytes", start_with(&federation, "ten", good[..10].to_vec()).await),
        ("cut in half", start_with(&federation, "half", good[..good.len() / 2].to_vec()).await),
        ("without its last byte", start_with(&federation, "last", good[..good.len() - 1].to_vec()).await),
        ("with a broken head", start_with(&federation, "head", garbled(&good, 0..512)).await),
        ("with random pages", start_with(&federation, "pages", garbled(&good, 4096..good.len() / 2)).await),
        ("random bytes", start_with(&federation, "noise", garbled(&good, 0..good.len())).await),
        ("a text", start_with(&federation, "text", b"this is not a store\n".repeat(1000)).await),
    ];
    let recovered: Vec<&str> = outcomes
        .iter()
        .filter(|(_, outcome)| *outcome == Outcome::Recovered)
        .map(|(what, _)| *what)
        .collect();
    assert!(recovered.contains(&"as the crash left it"), "{outcomes:?}");
    for not_a_store in ["empty", "cut to ten bytes", "cut in half", "random bytes", "a text"] {
        assert!(!recovered.contains(&not_a_store), "{not_a_store}: {outcomes:?}");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Recovered,
    Refused,
}

/// Starts a hub of its own on a copy of the store with this content.
async fn start_with(federation: &Federation, name: &str, content: Vec<u8>) -> Outcome {
    let folder = federation.dir().join(name);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("hub.redb"), content).unwrap();
    let address = format!("{}:0", own_loopback_of(federation));
    let mut hub =
        Process::start(&format!("hub-{name}"), federation.dir(), command(federation, &folder, &address));
    let ready = "godwit-hub ready ";
    let status = wait_for(&format!("the hub with the store {name} to serve or end"), async || {
        let output = hub.output();
        match (output.contains(ready), hub.try_ended()) {
            (_, Some(status)) => Ok(Some(status)),
            (true, None) => Ok(None),
            (false, None) => Err(output),
        }
    })
    .await;
    let output = hub.output();
    match status {
        Some(status) => {
            assert_eq!(status.code(), Some(1), "{name}: {status}: {output}");
            let error = output.lines().find(|line| line.starts_with("godwit-hub: "));
            let error = error.unwrap_or_else(|| panic!("{name}: no error is told: {output}"));
            assert!(error.contains("hub.redb"), "{name}: the file is not named: {error}");
            assert!(error.contains("backup"), "{name}: the remedy is not told: {error}");
            Outcome::Refused
        }
        None => {
            let address = hub.line_after(ready).await;
            let admin = Admin::new(&address, federation.certificates.admin.clone());
            let workload = admin.workload("web").await.unwrap();
            assert_eq!(workload.replicas, 10, "{name}: half of the truth is worse than none");
            hub.signal(Signal::Terminate);
            assert!(hub.ended().await.success());
            Outcome::Recovered
        }
    }
}

fn own_loopback_of(federation: &Federation) -> String {
    let address = federation.hub().address();
    address.rsplit_once(':').unwrap().0.to_owned()
}

fn command(federation: &Federation, folder: &Path, address: &str) -> std::process::Command {
    let args = [
        format!("--config={}", federation.hub().config().display()),
        format!("--data-dir={}", folder.display()),
        format!("--listen={address}"),
        "--exit-with-stdin".to_owned(),
    ];
    program("hub", args)
}

/// The same content with other bytes in `range`; always the same ones.
fn garbled(content: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
    let mut garbled = content.to_vec();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for byte in &mut garbled[range] {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state.to_le_bytes()[0];
    }
    garbled
}
