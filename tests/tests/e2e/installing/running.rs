//! The programs run as the manifests run them: with those settings, on those ports, answering those probes.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::applied::Member;
use super::manifests::{KUSTOMIZATIONS, documents, key, kustomized, one, sorted, template};
use super::typed;
use crate::harness::accounts::{self, Wanted};
use crate::harness::{Builder, Federation, Process, program, wait_for};

/// Where the manifests mount certificates.
const MOUNTED: &str = "/etc/godwit/tls";
/// Where they mount a join token, and what the agent makes of it.
const TOKEN_MOUNTED: &str = "/etc/godwit/join";
const KEPT: &str = "/var/lib/godwit-agent";
/// Where the kubelet puts the token of the service account.
const ACCOUNT_MOUNTED: &str = "/var/run/secrets/godwit";

#[test]
fn the_programs_know_every_setting() {
    for path in KUSTOMIZATIONS {
        let objects = kustomized(path);
        let (mut command, source) = match path {
            "hub" => (program("hub", ["--print-config"]), "GODWIT_HUB_TLS__KEY"),
            _ => (program("agent", ["--check-config"]), "GODWIT_AGENT_TLS__KEY"),
        };
        let output = command.env_clear().envs(settings(&objects)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(source), "{said}");
    }
}

#[test]
fn ports_are_those_of_the_settings() {
    for (path, kind, ports) in [
        (
            "hub",
            "StatefulSet",
            &[
                ("grpc", "GODWIT_HUB_LISTEN"),
                ("enrolment", "GODWIT_HUB_ENROLMENT__LISTEN"),
                ("metrics", "GODWIT_HUB_METRICS__LISTEN"),
            ][..],
        ),
        ("agent", "DaemonSet", &[("health", "GODWIT_AGENT_HEALTH__LISTEN")]),
    ] {
        let objects = kustomized(path);
        let container = &template(one(&objects, kind)).unwrap()["spec"]["containers"][0];
        let named: Vec<(&str, u64)> = container["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|port| (port["name"].as_str().unwrap(), port["containerPort"].as_u64().unwrap()))
            .collect();
        let settings = settings(&objects);
        let set = |variable: &str| {
            let (_, value) = settings.iter().find(|(name, _)| name == variable).unwrap();
            value.rsplit_once(':').unwrap().1.parse::<u64>().unwrap()
        };
        let expected: Vec<(&str, u64)> =
            ports.iter().map(|(name, variable)| (*name, set(variable))).collect();
        assert_eq!(named, expected, "{path}");
    }
}

#[test]
fn images_are_those_of_this_version() {
    for path in KUSTOMIZATIONS {
        for template in kustomized(path).iter().filter_map(template) {
            let container = &template["spec"]["containers"][0];
            let expected =
                format!("godwit-{}:{}", container["name"].as_str().unwrap(), env!("CARGO_PKG_VERSION"));
            assert_eq!(container["image"], expected, "{path}");
        }
    }
}

/// `godwit agent manifest` for one of a cluster's two ways, applied to a cluster; then an agent is run as its kubelet would
/// run it.
#[tokio::test]
async fn what_is_printed_for_a_cluster_joins_it() {
    let mut federation = Federation::of(&[]).await;
    let pki = federation.dir().join("pki");
    let hub = federation.hub().address().to_owned();
    let printed = manifest(&pki, &["--cluster=echo", &format!("--hub={hub}"), "--ca-key=ca.key"]);
    let objects = documents(&printed);
    for object in &objects {
        assert_eq!(typed::check(object), Ok(()), "{}", key(object));
    }
    assert!(printed.contains("# A goodbye and the Lease take a second"), "comments stay");

    let member = Member::start().await;
    member.apply(&objects).await;
    let mut agent = run(&objects, &member, "godwit-agent-x7k2p").await;
    let address = agent.line_after("\"serving health\",\"address\":\"").await;
    let address = address.split('"').next().unwrap();
    federation.cluster_is("echo", "Ready").await;
    let container = &template(one(&objects, "DaemonSet")).unwrap()["spec"]["containers"][0];
    let path = |probe: &str| container[probe]["httpGet"]["path"].as_str().unwrap().to_owned();
    let (live, ready) = (path("livenessProbe"), path("readinessProbe"));
    answers(address, &ready, "200 OK").await;
    answers(address, &live, "200 OK").await;

    federation.stop_hub().await;
    answers(address, &ready, "503 Service Unavailable").await;
    answers(address, &live, "200 OK").await;
    federation.restart_hub().await;
    answers(address, &ready, "200 OK").await;
}

/// The same with a join token: the hub has an authority of its own, and nobody has made a certificate. It lets all nodes in.
#[tokio::test]
async fn what_is_printed_with_a_join_token_joins_it() {
    let federation = Builder::new(&[]).enrolling().start().await;
    let token = federation.token("echo", false).await;
    let join = format!("--join-token-file={}", token.display());
    let hub = format!("--hub={}", federation.hub().address());
    let printed = manifest(federation.dir(), &["--cluster=echo", &hub, &join]);
    let objects = documents(&printed);
    let member = Member::start().await;
    member.apply(&objects).await;
    let _first = run(&objects, &member, "godwit-agent-x7k2p").await;
    federation.cluster_is("echo", "Ready").await;
    // The Secret with the token is deleted, and a node is added.
    let mut without = objects.clone();
    one_mut(&mut without, "Secret")["stringData"] = json!({});
    let _second = run(&without, &member, "godwit-agent-2m4qz").await;
    wait_for("two agents", async || {
        let echo = federation.admin.cluster("echo").await.map_err(|error| error.to_string())?;
        Some(()).filter(|()| echo.agents == 2).ok_or_else(|| format!("{} agents", echo.agents))
    })
    .await;
    let enrolled = federation.event("AgentEnrolled", "echo").await;
    assert!(enrolled.message.contains("godwit-agent-2m4qz"), "{enrolled:?}");

    let output = godwit(federation.dir(), &["--cluster=other", &hub, &join]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("the token is for cluster echo"), "{said}");
}

#[tokio::test]
async fn what_is_printed_is_the_kustomization_with_the_answers_filled_in() {
    let federation = Federation::of(&[]).await;
    let pki = federation.dir().join("pki");
    for (kind, path) in [("daemonset", "agent"), ("deployment", "agent/deployment")] {
        let kind = format!("--kind={kind}");
        let hub = "--hub=godwit-hub.godwit-system.svc:8443";
        let printed = manifest(&pki, &["--cluster=echo", hub, "--ca-key=ca.key", &kind]);
        let mut objects = sorted(documents(&printed));
        objects.retain(|object| object["kind"] != "Secret");
        assert_eq!(objects, sorted(kustomized(path)));
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_the_clusters_is_refused() {
    let federation = Federation::of(&["alpha"]).await;
    let pki = federation.dir().join("pki");
    let [cert, key] = ["--cert=agents/alpha/tls.crt", "--key=agents/alpha/tls.key"];
    let taken = manifest(&pki, &["--cluster=alpha", "--hub=hub:1", cert, key]);
    let secret = one(&documents(&taken), "Secret")["stringData"].clone();
    let written = fs::read_to_string(pki.join("agents/alpha/tls.key")).unwrap();
    assert_eq!(secret["tls.key"], written.trim_end().to_owned() + "\n");
    for (args, status, words) in [
        (
            &["--cluster=echo", "--hub=hub:1", cert, key][..],
            1,
            "it is for spiffe://godwit/cluster/alpha/agent",
        ),
        (&["--cluster=alpha", "--hub=hub:1", cert, "--key=admin.key"], 1, "it does not belong to"),
        (&["--cluster=alpha", "--hub=hub:1", "--ca-key=hub.key"], 1, "it does not belong to the certificate"),
        (&["--cluster=alpha", "--hub=hub:1"], 2, "--cert <FILE>"),
        (&["--cluster=alpha", "--hub=hub:1", cert, key, "--ca-key=ca.key"], 2, "cannot be used with"),
        (&["--cluster=Not_A_Name", "--hub=hub:1", "--ca-key=ca.key"], 2, "Not_A_Name"),
        (&["--cluster=alpha", "--hub=https://hub:1/", "--ca-key=ca.key"], 2, "HOST:PORT"),
        (&["--cluster=alpha", "--ca-key=ca.key"], 1, "say --hub HOST:PORT"),
    ] {
        let output = godwit(&pki, args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {said}");
        assert!(said.contains(words) && output.stdout.is_empty(), "{args:?}: {said}");
    }
}

fn one_mut<'a>(objects: &'a mut [Value], kind: &str) -> &'a mut Value {
    objects.iter_mut().find(|object| object["kind"] == kind).unwrap()
}

/// Runs the agent's container of `objects` as a pod of that name beside `member`, as far as that is possible without one.
async fn run(objects: &[Value], member: &Member, pod: &str) -> Process {
    let own = member.folder().join(pod);
    let tls = own.join("mounted");
    fs::create_dir_all(&tls).unwrap();
    let account = mount_account(objects, member, pod, &own).await;
    for (name, pem) in one(objects, "Secret")["stringData"].as_object().unwrap() {
        fs::write(tls.join(name), pem.as_str().unwrap()).unwrap();
    }
    let (mounted, kept) = (tls.to_str().unwrap(), own.to_str().unwrap());
    let variables = settings(objects).into_iter().map(|(name, value)| {
        let value = match name.as_str() {
            "GODWIT_AGENT_HEALTH__LISTEN" => "127.0.0.1:0".to_owned(),
            "POD_NAME" => pod.to_owned(),
            _ => value
                .replace(MOUNTED, mounted)
                .replace(TOKEN_MOUNTED, mounted)
                .replace(ACCOUNT_MOUNTED, &account)
                .replace(KEPT, kept),
        };
        (name, value)
    });
    let mut command = program("agent", ["--exit-with-stdin"]);
    command.envs(variables).env("GODWIT_AGENT_KUBECONFIG", member.kubeconfig());
    Process::start(pod, member.folder(), command)
}

/// The token of the pods' service account, as the volume wants it: in a folder, whose name this is.
async fn mount_account(objects: &[Value], member: &Member, pod: &str, own: &Path) -> String {
    let spec = &objects.iter().find_map(template).unwrap()["spec"];
    let volumes = spec["volumes"].as_array().unwrap();
    let volume = volumes.iter().find(|volume| volume["name"] == "account").unwrap();
    let source = &volume["projected"]["sources"][0]["serviceAccountToken"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (account, audience) = (text(&spec["serviceAccountName"]), text(&source["audience"]));
    let wanted = Wanted { account: &account, audience: &audience, pod: Some(pod) };
    let folder = own.join("account");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(text(&source["path"])), accounts::token(member.client(), wanted).await).unwrap();
    folder.to_str().unwrap().to_owned()
}

/// What the pods of these manifests have as their variables.
fn settings(objects: &[Value]) -> Vec<(String, String)> {
    let map = one(objects, "ConfigMap");
    let pod = &objects.iter().find_map(template).unwrap()["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["envFrom"][0]["configMapRef"]["name"], map["metadata"]["name"]);
    let text = |value: &Value| value.as_str().expect("what a ConfigMap holds is text").to_owned();
    let mut variables: Vec<(String, String)> =
        map["data"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect();
    for variable in container["env"].as_array().into_iter().flatten() {
        let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str().unwrap() {
            "metadata.namespace" => text(&map["metadata"]["namespace"]),
            "metadata.name" => "godwit-agent-x7k2p".to_owned(),
            "spec.nodeName" => "node-0".to_owned(),
            other => panic!("{other} is not known here"),
        };
        variables.push((text(&variable["name"]), value));
    }
    variables
}

fn godwit(folder: &Path, args: &[&str]) -> Command {
    let mut command = program("cli", ["agent", "manifest"]);
    let joins = args.iter().any(|arg| arg.starts_with("--join-token-file"));
    command
        .args((!joins).then_some("--ca=ca.pem"))
        .args(args)
        .current_dir(folder)
        .env("HOME", folder)
        .env_remove("GODWIT_CONFIG");
    command.env_remove("XDG_CONFIG_HOME");
    command
}

fn manifest(folder: &Path, args: &[&str]) -> String {
    let output = godwit(folder, args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits for that answer.
async fn answers(address: &str, path: &str, status: &str) {
    wait_for(&format!("{path} to answer {status}"), async || {
        let answer = ask(address, path).await.map_err(|error| error.to_string())?;
        let is_it = answer.starts_with(&format!("HTTP/1.1 {status}"));
        if is_it { Ok(()) } else { Err(answer) }
    })
    .await;
}

async fn ask(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: pod\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
