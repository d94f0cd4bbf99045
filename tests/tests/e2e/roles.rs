//! Operators with roles, as they type: what each may do is said by an admin, and needs no new certificate.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use godwit_certs::TlsFiles;

use crate::harness::{Builder, Deployment, Federation};

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
