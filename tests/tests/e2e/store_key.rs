//! The store under a key of the operator's: who reads the disk reads no Secrets, and without the key there is no hub.

use std::fs;

use crate::harness::{Builder, Deployment, Federation, Process, program};

/// What nobody is to read.
const SECRET: &str = "c3dvcmRmaXNo";

#[tokio::test]
async fn a_store_under_a_key_shows_nothing_and_opens_with_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("store.key");
    fs::write(&key, "5e".repeat(32)).unwrap();
    let setting = ("store.key_file", key.to_str().unwrap());
    let mut federation = Builder::new(&["alpha"]).settings(&[setting]).start().await;
    let mut request = Deployment::new("web", 3).request();
    let secret =
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: web}}\ndata: {{password: {SECRET}}}\n---\n");
    request.manifests = secret + &request.manifests;
    federation.admin.deploy(request).await.unwrap();
    federation.settles("web", &[("alpha", 3)]).await;
    federation.kill_hub().await;
    let file = fs::read(federation.hub().store()).unwrap();
    assert!(!file.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()));

    refused(&federation, "", "is encrypted under the key").await;
    let other = folder.path().join("other.key");
    fs::write(&other, "0b".repeat(32)).unwrap();
    refused(&federation, other.to_str().unwrap(), "is encrypted under the key").await;
    fs::write(&other, "0b").unwrap();
    refused(&federation, other.to_str().unwrap(), "64 hexadecimal digits").await;
    federation.restart_hub().await;
    federation.settles("web", &[("alpha", 3)]).await;
}

/// A hub with this key on the store of the federation's own.
async fn refused(federation: &Federation, key: &str, words: &str) {
    let args = [
        format!("--config={}", federation.hub().config().display()),
        format!("--listen={}:0", federation.hub().address().rsplit_once(':').unwrap().0),
        format!("--set=store.key_file={key}"),
        "--exit-with-stdin".to_owned(),
    ];
    let mut process = Process::start("hub-without", federation.dir(), program("hub", args));
    process.may_log_errors();
    let status = process.ended().await;
    let output = process.output();
    assert!(status.code() == Some(1) && output.contains(words), "{status}: {output}");
}
