//! The real `kubectl` against the program itself.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The program, which ends when its input does.
struct Program {
    child: Child,
    kubeconfig: PathBuf,
    _folder: tempfile::TempDir,
}

impl Program {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let kubeconfig = folder.path().join("kubeconfig");
        let mut child = Command::new(env!("CARGO_BIN_EXE_kubesim"))
            .args([
                "--name",
                "test",
                "--exit-with-stdin",
                "--startup-delay-ms",
                "10..30",
                "--termination-delay-ms",
                "20",
            ])
            .arg("--kubeconfig-out")
            .arg(&kubeconfig)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let output = child.stdout.take().expect("its output");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert!(line.starts_with("kubesim test ready https://127.0.0.1:"), "{line}");
        Self { child, kubeconfig, _folder: folder }
    }

    fn stop(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("an end").success());
    }
}

struct Kubectl<'a> {
    program: &'a Path,
    kubeconfig: &'a Path,
}

impl Kubectl<'_> {
    fn output(&self, args: &[&str]) -> Output {
        Command::new(self.program)
            .arg("--kubeconfig")
            .arg(self.kubeconfig)
            // The discovery cache of the user must not meet that of another test.
            .env("HOME", self.kubeconfig.parent().expect("a folder"))
            .args(args)
            .output()
            .expect("kubectl")
    }

    fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {args:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Where kubectl is; nothing when it is absent and need not be there.
fn kubectl() -> Option<PathBuf> {
    let program =
        std::env::var_os("GODWIT_TEST_KUBECTL").map_or_else(|| PathBuf::from("kubectl"), PathBuf::from);
    let there = Command::new(&program)
        .args(["version", "--client"])
        .output()
        .is_ok_and(|output| output.status.success());
    if there {
        return Some(program);
    }
    let required = std::env::var_os("GODWIT_TEST_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(
        !required,
        "{} does not run: install kubectl, or name it in GODWIT_TEST_KUBECTL",
        program.display()
    );
    eprintln!("skipped: {} does not run", program.display());
    None
}

const MANIFEST: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: 'nginx:1', ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports: [{port: 80}]
";

#[test]
fn the_everyday_commands() {
    let Some(path) = kubectl() else {
        return;
    };
    let program = Program::start();
    let kubectl = Kubectl { program: &path, kubeconfig: &program.kubeconfig };
    let manifest = program.kubeconfig.with_file_name("web.yaml");
    std::fs::write(&manifest, MANIFEST).expect("a file");
    let manifest = manifest.to_str().expect("a path");

    let nodes = kubectl.run(&["get", "nodes"]);
    assert_eq!(nodes.matches(" Ready ").count(), 3, "{nodes}");
    let applied = kubectl.run(&["apply", "--validate=false", "-f", manifest]);
    assert!(applied.contains("deployment.apps/web created"), "{applied}");
    kubectl.run(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    let table = kubectl.run(&["get", "deployment", "web"]);
    assert!(table.contains("UP-TO-DATE") && table.contains("3/3"), "{table}");
    let wide = kubectl.run(&["get", "pods", "-o", "wide"]);
    assert_eq!(wide.matches("Running").count(), 3, "{wide}");
    let described = kubectl.run(&["describe", "deployment", "web"]);
    assert!(described.contains("3 desired | 3 updated | 3 total | 3 available"), "{described}");
    assert!(kubectl.run(&["describe", "pods"]).contains("Successfully assigned"));

    let again = kubectl.run(&["apply", "--validate=false", "-f", manifest]);
    assert!(again.contains("deployment.apps/web unchanged"), "{again}");
    let server =
        kubectl.run(&["apply", "--validate=false", "--server-side", "--force-conflicts", "-f", manifest]);
    assert!(server.contains("serverside-applied"), "{server}");
    kubectl.run(&["scale", "deployment", "web", "--replicas=5"]);
    kubectl.run(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    assert!(kubectl.run(&["get", "deploy"]).contains("5/5"));
    kubectl.run(&["set", "image", "deployment/web", "main=nginx:2"]);
    kubectl.run(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    kubectl.run(&["rollout", "undo", "deployment/web"]);
    kubectl.run(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    let image = kubectl.run(&["get", "deployment", "web", "-o", "jsonpath={..image}"]);
    assert_eq!(image, "nginx:1");
    kubectl.run(&["label", "deployment", "web", "tier=front"]);
    assert!(kubectl.run(&["get", "all", "-l", "tier=front"]).contains("deployment.apps/web"));

    kubectl.run(&["drain", "test-node-1", "--timeout=60s"]);
    assert!(kubectl.run(&["get", "node", "test-node-1"]).contains("Ready,SchedulingDisabled"));
    kubectl.run(&["uncordon", "test-node-1"]);
    kubectl.run(&["delete", "-f", manifest]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !kubectl.run(&["get", "pods", "-l", "app=web", "-o", "name"]).is_empty() {
        assert!(Instant::now() < deadline, "the pods never went");
    }
    let missing = kubectl.output(&["get", "deployment", "web"]);
    let error = String::from_utf8_lossy(&missing.stderr);
    assert!(!missing.status.success() && error.contains("deployments.apps \"web\" not found"), "{error}");
    program.stop();
}

#[test]
fn the_kubeconfig_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let program = Program::start();
    let mode = std::fs::metadata(&program.kubeconfig).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    program.stop();
}
