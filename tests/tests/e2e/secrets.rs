//! What is in a Secret gets to its cluster, and is nowhere else to be read: not in what is printed, not in any log however
//! talkative, not in annotations.

use std::fs;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;

use crate::harness::{Builder, Deployment, Federation, wait_for};

/// As it is written, and as it is encoded.
const FORMS: [&str; 4] =
    ["open-sesame-1001", "b3Blbi1zZXNhbWUtMTAwMQ==", "tres-secret-2002", "dHJlcy1zZWNyZXQtMjAwMg=="];
const PASSWORD: &str = FORMS[0];
const TOKEN: &str = FORMS[2];

fn manifests(data: &str) -> String {
    let secret =
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: login, namespace: default}}\n{data}\n");
    format!("{}---\n{secret}", Deployment::new("web", 2).yaml())
}

fn good() -> String {
    manifests(&format!("stringData: {{password: {PASSWORD}}}\ndata: {{token: {}}}", FORMS[3]))
}

/// Nothing of it is in a text.
fn assert_silent(what: &str, text: &str) {
    for form in FORMS {
        assert!(!text.contains(form), "{what} tells {form}: {text}");
    }
}

/// The Secret as the cluster has it.
async fn live(federation: &Federation) -> Secret {
    let secrets: Api<Secret> = federation.cluster("alpha").api();
    wait_for("the Secret to be there", async || match secrets.get_opt("login").await {
        Ok(Some(secret)) => Ok(secret),
        other => Err(format!("{other:?}")),
    })
    .await
}

#[tokio::test]
async fn a_secret_is_in_its_cluster_and_nowhere_to_be_read() {
    let builder = Builder::new(&["alpha"]).settings(&[("log.filter", "debug")]);
    let federation = builder.each(|spec| spec.log = "debug").start().await;
    let path = federation.dir().join("web.yaml");
    fs::write(&path, good()).unwrap();
    let path = path.to_str().unwrap();
    let said = federation.must(&["apply", "-f", path, "--dry-run"]).await;
    assert_silent("apply --dry-run", &said);
    federation.must(&["apply", "-f", path]).await;
    federation.settles("web", &[("alpha", 2)]).await;
    let secret = live(&federation).await;
    let data = secret.data.clone().expect("its contents");
    assert_eq!(data["password"], ByteString(PASSWORD.into()));
    assert_eq!(data["token"], ByteString(TOKEN.into()));
    let notes = secret.metadata.annotations.expect("notes");
    assert!(notes.values().any(|note| note.contains("login")), "its manifest is kept: {notes:?}");
    assert_silent("an annotation", &format!("{notes:?}"));

    let every = [
        &["diff", "-f", path] as &[&str],
        &["get", "workloads", "-o", "yaml"],
        &["get", "workloads", "-o", "wide"],
        &["get", "events", "-o", "yaml"],
        &["get", "migrations", "-o", "yaml"],
        &["get", "clusters", "-o", "yaml"],
        &["get", "pods", "web", "-o", "yaml"],
        &["describe", "workload", "web"],
        &["describe", "federation"],
        &["explain", "workload", "web"],
        &["rollout", "history", "deployment/web", "--revision", "1", "-o", "yaml"],
        &["rollout", "status", "deployment/web"],
    ];
    for args in every {
        let ran = federation.godwit(args).await;
        let printed =
            String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{args:?}: {printed}");
        assert_silent(&args.join(" "), &printed);
    }

    // What is wrong with one is said without it.
    let wrong = federation.dir().join("wrong.yaml");
    fs::write(&wrong, manifests(&format!("stringData: {{password: [{PASSWORD}]}}"))).unwrap();
    let ran = federation.godwit(&["apply", "-f", wrong.to_str().unwrap()]).await;
    let printed = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(!ran.status.success() && printed.contains("stringData.password: it is not a text"), "{printed}");
    assert_silent("a refusal", &printed);

    let (hub, agent) = (federation.hub().output(), federation.cluster("alpha").agent(0).output());
    assert!(hub.contains(" DEBUG ") && agent.contains("calling"), "they are talkative");
    assert_silent("the hub's log", &hub);
    assert_silent("the agent's log", &agent);
}
