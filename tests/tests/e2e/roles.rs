//! Operators with roles, as they type: what each may do is said by an admin, and needs no new certificate.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use godwit_certs::TlsFiles;
use k8s_openapi::api::apps::v1::Deployment as Object;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use crate::harness::{Builder, Deployment, Federation, policy, wait_for};

/// Nobody is anything unbound, but the first operator.
const STRICT: &[(&str, &str)] = &[("access.unbound", "none"), ("access.admins", "ops")];

/// An operator at a terminal.
struct Person<'a> {
    federation: &'a Federation,
    files: TlsFiles,
}

impl<'a> Person<'a> {
    async fn new(federation: &'a Federation, name: &str) -> Self {
        Self { federation, files: federation.hub().issue_admin(name).await }
    }

    async fn godwit(&self, args: &[&str]) -> Output {
        let TlsFiles { ca, certificate, key } = &self.files;
        self.federation.godwit_as([ca, certificate, key], args).await
    }

    async fn must(&self, args: &[&str]) -> String {
        let ran = self.godwit(args).await;
        assert!(ran.status.success(), "godwit {args:?}: {ran:?}");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    /// What it is refused for.
    async fn refused(&self, args: &[&str], says: &[&str]) {
        let ran = self.godwit(args).await;
        let complaint = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!ran.status.success(), "godwit {args:?}: {ran:?}");
        for words in says {
            assert!(complaint.contains(words), "{words:?} is not in {complaint}");
        }
    }
}

fn manifest(federation: &Federation, namespace: &str) -> PathBuf {
    let path = federation.dir().join(format!("{namespace}.yaml"));
    let text = Deployment::new("web", 3).yaml().replacen(
        "metadata:\n",
        &format!("metadata:\n  namespace: {namespace}\n"),
        1,
    );
    fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn a_deployer_gets_a_namespace_and_loses_it_again() {
    let federation = Builder::new(&["alpha"]).enrolling().settings(STRICT).start().await;
    let (shop, prod) = (manifest(&federation, "shop"), manifest(&federation, "prod"));
    let (shop, prod) = (shop.to_str().unwrap(), prod.to_str().unwrap());
    federation.must(&["apply", "-f", prod]).await;
    let bob = Person::new(&federation, "bob").await;
    let told = bob.must(&["whoami"]).await;
    assert!(told.contains("bob") && told.contains("none: ask an admin"), "{told}");
    bob.refused(&["get", "clusters"], &["bob has no role", "godwit role bind bob"]).await;

    let bound = federation.must(&["role", "bind", "bob", "--role", "deployer", "-n", "shop"]).await;
    assert_eq!(bound, "role/bob created\n");
    let told = bob.must(&["whoami"]).await;
    assert!(told.contains("deployer (bound)") && told.contains("shop"), "{told}");
    bob.must(&["apply", "-f", shop]).await;
    let seen = bob.must(&["get", "workloads", "--all-namespaces"]).await;
    assert!(seen.contains("shop") && !seen.contains("prod"), "{seen}");
    bob.must(&["scale", "deployment/web", "-n", "shop", "--replicas", "2"]).await;

    bob.refused(&["apply", "-f", prod], &["bob is deployer in shop", "namespace prod"]).await;
    bob.refused(&["diff", "-f", prod], &["namespace prod"]).await;
    bob.refused(&["delete", "workload", "prod/web"], &["namespace prod"]).await;
    bob.refused(&["drain", "cluster", "alpha"], &["DrainCluster takes the role operator"]).await;
    bob.refused(&["role", "bind", "bob", "--role", "admin"], &["BindRole takes the role admin"]).await;
    bob.refused(&["token", "create", "--cluster", "x"], &["CreateToken takes the role admin"]).await;
    bob.refused(&["backup", "/dev/null"], &[]).await;

    let listed = federation.must(&["role", "list"]).await;
    assert!(
        listed.contains("ops") && listed.contains("bob") && listed.contains("everybody else has no role"),
        "{listed}"
    );
    federation.must(&["role", "unbind", "bob"]).await;
    bob.refused(&["scale", "deployment/web", "-n", "shop", "--replicas", "9"], &["bob has no role"]).await;
    let events = federation.admin.events().await.unwrap();
    let roles: Vec<&str> = events.iter().filter(|one| one.subject == "bob").map(|one| &*one.reason).collect();
    assert_eq!(roles, ["RoleBound", "RoleUnbound"]);
}

/// What somebody has run by hand in a namespace.
async fn run_by_hand(federation: &Federation, namespace: &str) -> Api<Object> {
    let yaml = Deployment::new("web", 2).yaml();
    let parsed = godwit_manifest::parse_application_in(&yaml, namespace).unwrap();
    let mut object: Value = serde_json::from_str(&parsed.workloads[0].manifest).unwrap();
    object["spec"]["replicas"] = json!(2);
    let client = federation.cluster("alpha").client();
    let named = Namespace {
        metadata: ObjectMeta { name: Some(namespace.into()), ..Default::default() },
        ..Default::default()
    };
    Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &named).await.unwrap();
    let api = Api::namespaced(client.clone(), namespace);
    let object: Object = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
    wait_for("it to run", async || {
        let status = api.get("web").await.unwrap().status.unwrap_or_default();
        if status.ready_replicas == Some(2) { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await;
    api
}

#[tokio::test]
async fn a_deployer_imports_what_is_in_its_own_namespace_and_the_audit_log_has_it() {
    let federation = Builder::new(&["alpha"]).enrolling().settings(STRICT).start().await;
    let prod = run_by_hand(&federation, "prod").await;
    run_by_hand(&federation, "shop").await;
    let (bob, vera) = (Person::new(&federation, "bob").await, Person::new(&federation, "vera").await);
    federation
        .must(&["role", "bind", "bob", "--role", "deployer", "-n", "shop", "--policy", "default"])
        .await;
    federation.must(&["role", "bind", "vera", "--role", "viewer", "-n", "shop"]).await;
    federation.admin.apply_policy(policy("other", &[("alpha", 1)])).await.unwrap();
    let import = |namespace| ["import", "--cluster", "alpha", "web", "-n", namespace];
    let with = |namespace, more: [&'static str; 2]| [&import(namespace)[..], &more[..]].concat();

    // A rehearsal tells no more than the import would do.
    for more in [&[][..], &["--dry-run"]] {
        bob.refused(&[&import("prod")[..], more].concat(), &["bob is deployer in shop", "namespace prod"])
            .await;
    }
    vera.refused(&import("shop"), &["vera is viewer in shop", "takes the role deployer"]).await;
    bob.refused(&with("shop", ["--policy", "other"]), &["under policy other"]).await;
    assert!(federation.admin.workloads().await.unwrap().is_empty(), "nothing of it is done");
    let foreseen = bob
        .must(
            &with("shop", ["--policy", "default"]).iter().chain(&["--dry-run"]).copied().collect::<Vec<_>>(),
        )
        .await;
    assert!(foreseen.contains("imported in shop (dry run): 2 alpha"), "{foreseen}");
    let said = bob.must(&import("shop")).await;
    assert!(said.contains("deployment/web imported in shop: 2 alpha"), "{said}");
    let left = prod.get("web").await.unwrap().metadata.labels.unwrap_or_default();
    assert!(!left.contains_key("godwit.dev/managed"), "{left:?}");

    let audited = fs::read_to_string(federation.dir().join("store/audit.jsonl")).unwrap();
    let lines = audited.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let imports: Vec<Value> =
        lines.filter(|line| line["call"] == "godwit.v1.WorkloadService/Import").collect();
    let said: Vec<[&str; 3]> = imports
        .iter()
        .map(|line| ["who", "role", "outcome"].map(|key| line[key].as_str().unwrap()))
        .collect();
    let refused = ["bob", "deployer", "PermissionDenied"];
    let expected =
        [refused, refused, ["vera", "viewer", "PermissionDenied"], refused, ["bob", "deployer", "OK"]];
    assert_eq!(said, expected, "rehearsals that are answered well are not in it: {imports:#?}");
    assert_eq!(imports[0]["what"], json!({"import": "prod", "clusters": ["alpha"]}));
    let done = &imports[4];
    assert_eq!(done["what"]["importedFrom"], json!(["alpha"]), "{done:#}");
    assert_eq!(done["before"], json!({"Deployment shop/web": null}));
    assert_eq!(done["after"]["Deployment shop/web"]["replicas"], 2, "{done:#}");
}
