//! The operator's command, and the federation that `godwit dev` starts: what the README promises, as a user types it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Process, Signal, program, wait_for, within};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

/// A folder with `godwit dev` in it.
struct Dev {
    process: Process,
    folder: TempDir,
}

/// What a command came to.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Dev {
    /// A cluster that is away is lost after so long.
    async fn start(clusters: u32, lost_after: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("godwit-dev-").tempdir().unwrap();
        let clusters = clusters.to_string();
        let args = ["dev", "--clusters", &clusters, "--listen", "127.0.0.1:0", "--lost-after", lost_after];
        let mut process = Process::start("dev", folder.path(), command(folder.path(), &args));
        process.line_after("Try in another terminal").await;
        Self { process, folder }
    }

    async fn godwit(&self, args: &[&str]) -> Ran {
        godwit(self.folder.path(), args).await
    }

    /// The same for what must succeed; gives what it prints.
    async fn must(&self, args: &[&str]) -> String {
        let ran = self.godwit(args).await;
        assert_eq!(ran.code, Some(0), "godwit {args:?}: {ran:?}");
        ran.out
    }

    /// The items that `godwit get THINGS -o json` prints.
    async fn items(&self, things: &str) -> Result<Vec<Value>, String> {
        let ran = self.godwit(&["get", things, "-o", "json"]).await;
        let parsed: Value = serde_json::from_str(&ran.out).map_err(|error| format!("{error}: {ran:?}"))?;
        parsed["items"].as_array().cloned().ok_or_else(|| format!("no items: {ran:?}"))
    }

    async fn cluster_is(&self, name: &str, state: &str) {
        wait_for(&format!("{name} to be {state}"), async || {
            let clusters = self.items("clusters").await?;
            let cluster = clusters.iter().find(|cluster| cluster["name"] == name);
            let cluster = cluster.ok_or_else(|| format!("no {name} in {clusters:?}"))?;
            if cluster["state"] == state { Ok(()) } else { Err(cluster.to_string()) }
        })
        .await;
    }

    /// Waits until a workload's targets are `shares` and as many replicas are ready.
    async fn settles(&self, name: &str, shares: &[(&str, u64)]) {
        wait_for(&format!("{name} to run as {shares:?}"), async || {
            let workloads = self.items("workloads").await?;
            let found = workloads.iter().find(|workload| workload["name"] == name);
            let found = found.ok_or_else(|| format!("no {name} in {workloads:?}"))?;
            let placements = found["placements"].as_array().ok_or("no placements")?;
            let mut rows = Vec::new();
            for row in placements.iter().filter(|row| row["target"] != 0) {
                let (target, ready) = (row["target"].as_u64(), row["ready"].as_u64());
                rows.push((row["cluster"].as_str().unwrap_or_default(), target, ready));
            }
            let wanted: Vec<_> =
                shares.iter().map(|(cluster, count)| (*cluster, Some(*count), Some(*count))).collect();
            if rows == wanted && found["pending"] == 0 { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_development_federation_from_start_to_end() {
    let mut dev = Dev::start(3, "5s").await;
    dev.must(&["apply", "-f", &example("policies"), "-f", &example("web.yaml")]).await;
    dev.settles("web", &[("alpha", 4), ("bravo", 8), ("charlie", 8)]).await;

    let said = dev.must(&["dev", "kill-cluster", "bravo"]).await;
    assert!(said.contains("killed the cluster bravo"), "{said}");
    dev.settles("web", &[("alpha", 7), ("charlie", 13)]).await;
    dev.cluster_is("bravo", "Lost").await;
    let refused = dev.godwit(&["dev", "kill-cluster", "bravo"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("heal bravo"), "the remedy is told: {refused:?}");
    dev.must(&["dev", "heal", "bravo"]).await;
    dev.cluster_is("bravo", "Ready").await;

    dev.must(&["dev", "kill-agent", "charlie"]).await;
    dev.cluster_is("charlie", "Lost").await;
    dev.must(&["dev", "heal", "charlie"]).await;
    dev.cluster_is("charlie", "Ready").await;
    dev.must(&["dev", "cut-link", "alpha"]).await;
    dev.cluster_is("alpha", "Lost").await;
    dev.must(&["dev", "heal", "alpha"]).await;
    dev.cluster_is("alpha", "Ready").await;

    dev.process.signal(Signal::Interrupt);
    let status = within("the end of godwit dev", dev.process.ended()).await;
    assert!(status.success(), "{status}");
    assert_eq!(processes_of(dev.folder.path()), Vec::<String>::new(), "something outlived godwit dev");
}

#[tokio::test]
async fn commands_and_their_exit_status() {
    let dev = Dev::start(3, "10m").await;
    dev.must(&["apply", "-f", EXAMPLES, "-f", &example("policies")]).await;
    let kinds: Vec<Value> =
        dev.items("workloads").await.unwrap().iter().map(|row| row["kind"].clone()).collect();
    assert!(
        kinds.contains(&Value::from("StatefulSet")) && kinds.contains(&Value::from("Deployment")),
        "{kinds:?}"
    );

    let policies = dev.items("policies").await.unwrap();
    assert!(policies.iter().any(|policy| policy["name"] == "weighted"), "{policies:?}");
    dev.must(&["scale", "workload", "web", "--namespace", "shop", "--replicas", "10"]).await;
    dev.settles("web", &[("alpha", 2), ("bravo", 4), ("charlie", 4)]).await;
    for things in ["clusters", "workloads", "policies", "migrations", "events"] {
        for form in ["table", "wide", "json", "yaml"] {
            dev.must(&["get", things, "-o", form]).await;
        }
    }
    let described = dev.must(&["describe", "workload", "web", "--namespace", "shop"]).await;
    assert!(described.contains("bravo"), "{described}");
    dev.must(&["delete", "workload", "web", "--namespace", "shop"]).await;
    wait_for("web to be gone", async || {
        let gone = dev.godwit(&["get", "workload", "web", "--namespace", "shop"]).await;
        if gone.code == Some(1) { Ok(()) } else { Err(format!("{gone:?}")) }
    })
    .await;

    fs::write(dev.folder.path().join("broken.yaml"), "kind: [").unwrap();
    for (args, code, told) in [
        (&["get", "cluster", "absent"][..], 1, "absent"),
        (&["get", "workload", "absent"], 1, "absent"),
        (&["apply", "-f", "absent.yaml"], 1, "absent.yaml"),
        (&["apply", "-f", "broken.yaml"], 1, "broken.yaml"),
        (&["scale", "workload", "absent", "--replicas", "3"], 1, "absent"),
        (&["get", "nonsense"], 2, "nonsense"),
        (&["get", "clusters", "-o", "xml"], 2, "xml"),
        (&["scale", "workload", "web", "--replicas=-4"], 2, "-4"),
        (&["scale", "workload", "--replicas", "3"], 2, "which workload"),
        (&["frobnicate"], 2, "frobnicate"),
        (&["get", "clusters", "--config", "absent.yaml"], 1, "absent.yaml"),
    ] {
        let ran = dev.godwit(args).await;
        assert_eq!(ran.code, Some(code), "godwit {args:?}: {ran:?}");
        assert!(ran.err.contains(told) && !ran.err.contains("panicked"), "godwit {args:?}: {ran:?}");
        assert_eq!(ran.out, "", "mistakes go to standard error: godwit {args:?}");
    }
}

#[tokio::test]
async fn killing_godwit_dev_leaves_nothing_behind() {
    let mut dev = Dev::start(1, "10m").await;
    assert_eq!(processes_of(dev.folder.path()).len(), 3, "a hub, an API server, an agent");
    dev.process.kill();
    wait_for("the children to end", async || {
        let left = processes_of(dev.folder.path());
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}

fn example(name: &str) -> String {
    format!("{EXAMPLES}/{name}")
}

/// A command as its user types it in `folder`, who has no configuration of another federation.
fn command(folder: &Path, args: &[&str]) -> std::process::Command {
    let mut command = program("cli", args);
    command.current_dir(folder).env_remove("GODWIT_CONFIG").env_remove("XDG_CONFIG_HOME").env("HOME", folder);
    command
}

async fn godwit(folder: &Path, args: &[&str]) -> Ran {
    let mut command = tokio::process::Command::from(command(folder, args));
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = within(&format!("godwit {args:?}"), command.output()).await.unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The command lines of running processes that name something in `folder`: each child's does.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.canonicalize().unwrap();
    let line = |process: PathBuf| {
        let bytes = fs::read(process.join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
    };
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| line(entry.unwrap().path()));
    processes.filter(|line| line.contains(folder.to_str().unwrap())).collect()
}

#[tokio::test]
async fn a_drain_is_watched_until_nothing_is_left() {
    let dev = Dev::start(2, "10m").await;
    dev.must(&["apply", "-f", &example("policies"), "-f", &example("web.yaml")]).await;
    dev.settles("web", &[("alpha", 7), ("bravo", 13)]).await;
    let rehearsed = dev.must(&["drain", "cluster", "alpha", "--dry-run"]).await;
    assert!(rehearsed.starts_with("cluster/alpha draining (dry run)\n"), "{rehearsed}");
    assert!(rehearsed.contains("alpha 7 -> 0, bravo 13 -> 20"), "{rehearsed}");
    dev.cluster_is("alpha", "Ready").await;
    let drained = dev.must(&["drain", "cluster", "alpha", "--wait", "--max-surge", "100"]).await;
    assert!(drained.contains("pods of 1 workload left\n"), "{drained}");
    assert!(drained.ends_with("cluster/alpha drained\n"), "{drained}");
    dev.settles("web", &[("bravo", 20)]).await;
    let nothing = dev.godwit(&["drain", "cluster", "alpha", "--pause"]).await;
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert!(nothing.err.contains("the drain of cluster alpha is done"), "{nothing:?}");
    let both = dev.godwit(&["drain", "cluster", "alpha", "--pause", "--force"]).await;
    assert_eq!(both.code, Some(2), "{both:?}");
    dev.must(&["uncordon", "cluster", "alpha"]).await;
    dev.cluster_is("alpha", "Ready").await;
    let foreseen = dev.must(&["rebalance", "workload", "shop/web", "--dry-run"]).await;
    assert!(foreseen.contains("alpha 0 -> 7, bravo 20 -> 13"), "{foreseen}");
    let said = dev.must(&["rebalance", "workload", "shop/web"]).await;
    assert!(said.starts_with("workload/shop/deployment/web rebalanced\n"), "{said}");
    dev.settles("web", &[("alpha", 7), ("bravo", 13)]).await;
    assert_eq!(dev.must(&["rebalance", "--all"]).await, "all workloads unchanged\n");
    assert_eq!(dev.godwit(&["rebalance"]).await.code, Some(2));
}

#[tokio::test]
async fn a_rollout_that_fails_is_seen_and_taken_back() {
    let dev = Dev::start(2, "10m").await;
    let web = fs::read_to_string(example("web.yaml")).unwrap();
    assert!(web.contains("image: "), "{web}");
    let bad: Vec<String> = web
        .lines()
        .map(|line| match line.split_once("image: ") {
            Some((indent, _)) => format!("{indent}image: registry.example/badimage:1"),
            None if line == "  minReadySeconds: 5" => "  progressDeadlineSeconds: 2".to_owned(),
            None => line.to_owned(),
        })
        .collect();
    fs::write(dev.folder.path().join("bad.yaml"), bad.join("\n")).unwrap();
    dev.must(&["apply", "-f", &example("policies"), "-f", &example("web.yaml")]).await;
    dev.settles("web", &[("alpha", 7), ("bravo", 13)]).await;
    let first = dev.must(&["rollout", "status", "workload", "shop/web", "--watch"]).await;
    assert!(first.ends_with("workload/shop/deployment/web: 1, rolled out\n"), "{first}");
    let refused = dev.godwit(&["rollout", "pause", "deployment/web", "-n", "shop"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("there is nothing to pause"), "{refused:?}");
    let foreseen = dev.must(&["apply", "-f", "bad.yaml", "--dry-run"]).await;
    assert!(foreseen.contains("; revision 2 goes to alpha, then bravo"), "{foreseen}");
    dev.must(&["apply", "-f", "bad.yaml"]).await;
    let failed = dev.godwit(&["rollout", "status", "deployment/web", "-n", "shop", "--watch"]).await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.err.contains("revision 2 failed in cluster alpha"), "{failed:?}");
    let described = dev.must(&["describe", "workload", "shop/web"]).await;
    assert!(described.contains("2, Failed; 0 of 2 clusters have it"), "{described}");
    let history = dev.must(&["rollout", "history", "workload", "shop/web"]).await;
    let states: Vec<Vec<&str>> =
        history.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(states, [["REVISION", "STATE"], ["1", "Proven"], ["2", "Failed"]], "{history}");
    let undone = dev.must(&["rollout", "undo", "workload", "shop/web"]).await;
    assert!(
        undone.starts_with("workload/shop/deployment/web rolled back, as revision 3: alpha\n"),
        "{undone}"
    );
    let done = dev.must(&["rollout", "status", "workload", "shop/web", "--watch"]).await;
    assert!(done.ends_with("workload/shop/deployment/web: 3, rolled out\n"), "{done}");
    dev.settles("web", &[("alpha", 7), ("bravo", 13)]).await;
    let whole = dev.must(&["rollout", "history", "workload", "shop/web", "--revision", "2"]).await;
    assert!(whole.contains("badimage:1"), "{whole}");
}
