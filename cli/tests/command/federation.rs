//! Commands against a real federation, as `godwit dev` starts it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::stage::{Dev, Kubesim, command, godwit, until_gone};

const WEB: &str = "\
apiVersion: godwit.dev/v1
kind: Policy
metadata: {name: weighted}
spec: {clusters: {alpha: {weight: 1}, bravo: {weight: 2}, charlie: {weight: 2}}, lostAfter: 2s}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {key: value}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {godwit.dev/policy: weighted}}
spec:
  replicas: 50
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, resources: {requests: {cpu: 100m}}}]}
";

fn start() -> Dev {
    let dev = Dev::start(&["--lost-after", "2s"]);
    std::fs::write(dev.folder.path().join("web.yaml"), WEB).unwrap();
    dev
}

fn targets(workload: &Value) -> Value {
    let placements = workload["placements"].as_array().cloned().unwrap_or_default();
    let held = placements.iter().filter(|one| one["target"] != 0);
    held.map(|one| json!([one["cluster"], one["target"]])).collect()
}

/// The metrics, from where it says that they are.
fn scrape(dev: &Dev) -> String {
    let log = dev.log();
    let (_, rest) = log.split_once("metrics for Prometheus are on http://").unwrap();
    let (address, _) = rest.split_once("/metrics.").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

#[test]
fn an_application_is_applied_shown_scaled_and_deleted() {
    let dev = start();
    // A dry run knows the policy that comes along.
    let dry = dev.works(&["apply", "-f", "web.yaml", "--dry-run"]);
    assert!(dry.contains("deployment/web created (dry run): 10 alpha, 20 bravo, 20 charlie"), "{dry}");
    assert_eq!(dev.json(&["get", "workloads", "-o", "json"]), json!({"items": []}));

    let applied = dev.works(&["apply", "-f", "web.yaml"]);
    assert_eq!(
        applied,
        "policy/weighted created\ndeployment/web created: 10 alpha, 20 bravo, 20 charlie\n\
         goes ahead of them: ConfigMap default/web\n"
    );
    let workload = dev.until(&["get", "workload", "web", "-o", "json"], |workload| workload["ready"] == 50);
    assert_eq!(targets(&workload), json!([["alpha", 10], ["bravo", 20], ["charlie", 20]]));
    assert_eq!((&workload["replicas"], &workload["pending"]), (&json!(50), &json!(0)));
    assert_eq!(workload["deletionPendingOn"], json!([]), "default values are there");

    let same = dev.works(&["apply", "-f", "web.yaml"]);
    assert!(same.contains("policy/weighted unchanged\ndeployment/web unchanged:"), "{same}");
    let scaled = dev.works(&["scale", "deployment/web", "--replicas", "100"]);
    assert_eq!(scaled, "deployment/web configured: 20 alpha, 40 bravo, 40 charlie\n");
    dev.until(&["get", "workload", "web", "-o", "json"], |workload| workload["ready"] == 100);
    let metrics = scrape(&dev);
    assert!(metrics.contains("\ngodwit_replicas_ready 100\n"), "{metrics}");

    let table = dev.works(&["get", "workloads"]);
    let words: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(words[..4], ["default", "deployment/web", "100/100", "0"]);
    assert!(table.contains("alpha 20, bravo 40, charlie 40"), "{table}");
    assert_eq!(dev.works(&["get", "wl", "-o", "name"]), "workload/default/deployment/web\n");
    let clusters = dev.json(&["get", "clusters", "-o", "json"]);
    for cluster in clusters["items"].as_array().unwrap() {
        assert_eq!((&cluster["state"], &cluster["agents"]), (&json!("Ready"), &json!(1)));
    }
    for args in [
        &["describe", "workload", "default/web"][..],
        &["describe", "cluster", "alpha"],
        &["describe", "policy", "weighted"],
        &["describe", "federation"],
        &["explain", "workload", "web"],
        &["get", "policies", "-o", "yaml"],
        &["get", "federation", "-o", "wide"],
        &["get", "events", "deployment/web"],
        &["get", "migrations"],
        &["freeze", "status"],
        &["version"],
    ] {
        dev.works(args);
    }
    let said = dev.godwit(&["delete", "policy", "weighted"]);
    assert!(
        said.status == 1 && said.err.starts_with("error: policy/weighted: not possible now:"),
        "{said:?}"
    );
    let deleted = dev.works(&["delete", "-f", "web.yaml", "-n", "default"]);
    assert!(deleted.starts_with("deployment/web deleted"), "{deleted}");
    dev.until(&["get", "workloads", "-o", "json"], |list| *list == json!({"items": []}));
}

#[test]
fn what_is_not_there_is_said_with_a_remedy() {
    let dev = start();
    for (args, word) in [
        (&["get", "workload", "nope"][..], "godwit get workloads"),
        (&["describe", "cluster", "nope"], "godwit get clusters"),
        (&["get", "policy", "nope"], "godwit get policies"),
        (&["get", "migration", "m-999"], "godwit get migrations"),
        (&["scale", "workload", "nope", "--replicas", "1"], "godwit get workloads"),
        (&["dev", "kill-agent", "nope"], "there are alpha, bravo, charlie"),
        (&["dev", "heal", "alpha"], "nothing is wrong with alpha"),
        (&["apply", "-f", "web.yaml", "--policy", "nope"], "nope"),
        (&["delete", "cluster", "alpha", "--force"], "not possible now"),
    ] {
        let said = dev.godwit(args);
        assert!(said.status == 1 && said.err.contains(word), "{args:?}: {said:?}");
    }
    // An agent's certificate opens no admin service.
    let config = std::fs::read_to_string(dev.folder.path().join(".godwit/dev/config.yaml")).unwrap();
    let config = config.replace("certs/admin.pem", "certs/agents/alpha/tls.crt");
    let config = config.replace("certs/admin.key", "certs/agents/alpha/tls.key");
    std::fs::write(dev.folder.path().join(".godwit/dev/agent.yaml"), config).unwrap();
    let said = dev.godwit(&["--config", ".godwit/dev/agent.yaml", "get", "clusters"]);
    assert!(said.status == 1 && said.err.starts_with("error: permission denied:"), "{said:?}");
}

#[test]
fn a_killed_cluster_is_replaced_and_comes_back_empty_under_its_name() {
    let dev = start();
    dev.works(&["apply", "-f", "web.yaml"]);
    dev.until(&["get", "workload", "web", "-o", "json"], |workload| workload["ready"] == 50);
    let before = dev.json(&["get", "cluster", "bravo", "-o", "json"]);
    let said = dev.works(&["dev", "kill-cluster", "bravo"]);
    assert!(said.starts_with("killed the cluster bravo"), "{said}");
    dev.until(&["get", "cluster", "bravo", "-o", "json"], |cluster| cluster["state"] == "Lost");
    let workload = dev.until(&["get", "workload", "web", "-o", "json"], |workload| workload["ready"] == 50);
    let held = targets(&workload);
    assert!(!held.to_string().contains("bravo"), "{held}");
    let migrations =
        dev.until(&["get", "migrations", "-o", "json"], |list| list["items"][0]["state"] == "Completed");
    assert_eq!(
        (&migrations["items"][0]["cause"], &migrations["items"][0]["cluster"]),
        (&json!("ClusterLost"), &json!("bravo"))
    );

    let said = dev.works(&["dev", "heal", "bravo"]);
    assert!(said.starts_with("healed bravo"), "{said}");
    let after = dev.until(&["get", "cluster", "bravo", "-o", "json"], |cluster| cluster["state"] == "Ready");
    assert_eq!(after["uid"], before["uid"]);
    assert!(dev.log().contains("==> killed the cluster bravo"), "{}", dev.log());
}

#[test]
fn a_cut_link_leaves_copies_that_are_stopped_when_it_is_mended() {
    let dev = start();
    dev.works(&["apply", "-f", "web.yaml"]);
    dev.until(&["get", "workload", "web", "-o", "json"], |workload| workload["ready"] == 50);
    dev.works(&["dev", "cut-link", "charlie"]);
    assert!(dev.works(&["dev", "status"]).contains("cut"));
    let workload = dev.until(&["get", "workload", "web", "-o", "json"], |workload| {
        workload["ready"] == 50 && workload["possibleOverRun"] == 20
    });
    assert!(!targets(&workload).to_string().contains("charlie"));
    dev.works(&["dev", "heal", "charlie"]);
    dev.until(&["get", "workload", "web", "-o", "json"], |workload| {
        let placements = workload["placements"].as_array().cloned().unwrap_or_default();
        let observed: u64 = placements.iter().filter_map(|one| one["observed"].as_u64()).sum();
        workload["possibleOverRun"] == 0 && workload["ready"] == 50 && observed == 50
    });
}

#[test]
fn a_watch_shows_changes_and_outlives_the_hub() {
    let dev = start();
    let mut watch = command(dev.folder.path(), ["get", "workloads", "--watch", "-o", "json"]);
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut until = |wanted: &dyn Fn(&Value) -> bool| loop {
        let line = lines.next().expect("the watch goes on").unwrap();
        let workload: Value = serde_json::from_str(&line).expect("one object a line");
        if wanted(&workload) {
            break;
        }
    };
    dev.works(&["apply", "-f", "web.yaml"]);
    until(&|workload| workload["name"] == "web" && workload["ready"] == 50);
    let hub = dev.children()[0];
    assert!(std::process::Command::new("kill").args(["-KILL", &hub.to_string()]).status().unwrap().success());
    // Its end is known only when its parent has waited for it.
    dev.until_said("==> hub died (signal: 9");
    let said = dev.works(&["dev", "heal", "hub"]);
    assert!(said.contains("started again"), "{said}");
    dev.until(&["get", "workload", "web", "-o", "json"], |workload| workload["ready"] == 50);
    dev.works(&["scale", "workload", "web", "--replicas", "51"]);
    until(&|workload| workload["replicas"] == 51);
    dev.works(&["delete", "workload", "web"]);
    until(&|workload| workload["removed"] == true);
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn one_at_a_time_and_nothing_is_left_behind() {
    let mut dev = start();
    let second = dev.godwit(&["dev"]);
    assert!(second.status == 1 && second.err.contains("runs on"), "{second:?}");
    let children = dev.children();
    assert_eq!(children.len(), 7);
    assert_eq!(dev.interrupt(), 0);
    children.into_iter().for_each(until_gone);
    let said = dev.godwit(&["get", "clusters"]);
    assert!(said.status == 1 && said.err.contains("no context"), "{said:?}");
    let said = godwit(dev.folder.path(), ["dev", "status"]);
    assert!(said.status == 1 && said.err.contains("no `godwit dev` answers"), "{said:?}");
}

#[test]
fn children_end_even_if_nobody_stops_them() {
    let mut dev = Dev::start(&["--clusters", "1", "--nodes", "1"]);
    let children = dev.children();
    assert_eq!(children.len(), 3);
    dev.process.kill().unwrap();
    dev.process.wait().unwrap();
    children.into_iter().for_each(until_gone);
}

#[test]
fn real_clusters_are_named_by_their_contexts() {
    // To an agent, a simulated cluster that somebody else started is as real as any.
    let folder = tempfile::tempdir().unwrap();
    let clusters = ["Kind_East", "west"].map(|name| Kubesim::start(folder.path(), name));
    let both = clusters.each_ref().map(|cluster| cluster.kubeconfig.display().to_string()).join(",");
    let dev = Dev::start(&["--kubeconfig", &both]);
    let manifest = WEB.replace("alpha", "kind-east").replace("bravo", "west");
    std::fs::write(dev.folder.path().join("web.yaml"), manifest).unwrap();
    let status = dev.works(&["dev", "status"]);
    assert!(status.lines().filter(|line| line.contains("real")).count() == 2, "{status}");
    let said = dev.godwit(&["dev", "kill-cluster", "west"]);
    assert!(said.status == 1 && said.err.contains("is a real cluster"), "{said:?}");
    let applied = dev.works(&["apply", "-f", "web.yaml", "--replicas", "6"]);
    assert!(applied.contains("2 kind-east, 4 west"), "{applied}");
    dev.until(&["get", "workload", "web", "-o", "json"], |workload| workload["ready"] == 6);
    drop(dev);

    // Another federation does not take what belongs to the first one, and says so instead of waiting in silence.
    let other = Dev::begin(&["--kubeconfig", &both]);
    other.until_said("belongs to federation");
}
