//! A backup that is taken while the hub works, and what becomes of it: today's truth where members know it, and nothing
//! moves before an operator has looked (S10).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::harness::{Deployment, Federation, Witness, program, wait_for, within};

#[tokio::test]
async fn a_backup_restores_to_what_members_have_seen_since() {
    let mut federation = Federation::of(&["alpha", "bravo"]).await;
    federation.deploy(&Deployment::new("web", 10)).await;
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
    let backup = federation.dir().join("hub.backup");
    let said = federation.godwit(&["backup", text(&backup)]).await;
    assert!(said.status.success(), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stdout).contains("hub.backup: "), "{said:?}");
    // It does not overwrite by accident, and leaves nothing half-written.
    let again = federation.godwit(&["backup", text(&backup)]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("add --force"), "{again:?}");
    let partial = fs::read_dir(federation.dir()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(partial.filter(|name| name.to_string_lossy().contains(".partial")).count(), 0);

    federation.admin.scale("web", 20).await.unwrap();
    federation.settles("web", &[("alpha", 10), ("bravo", 10)]).await;
    let witness = Witness::start(federation.clusters(), "web").await;
    federation.kill_hub().await;

    let taken = restore(&federation, &backup).await;
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("restored into an empty data_dir"), "{taken:?}");
    fs::remove_file(federation.hub().store()).unwrap();
    let cut = federation.dir().join("cut.backup");
    let whole = fs::read(&backup).unwrap();
    fs::write(&cut, &whole[..whole.len() - 1]).unwrap();
    let refused = restore(&federation, &cut).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("its end is missing"), "{refused:?}");
    assert!(!federation.hub().store().exists(), "nothing is half-restored");
    let restored = restore(&federation, &backup).await;
    assert!(restored.status.success(), "{restored:?}");
    assert!(String::from_utf8_lossy(&restored.stdout).contains("godwit freeze release"), "{restored:?}");

    federation.restart_hub().await;
    let freeze = federation.admin.federation().await.unwrap().freeze.expect("it starts frozen");
    assert_eq!(freeze.cause, "Recovery", "{freeze:?}");
    wait_for("the view to be accepted", async || {
        federation.admin.release_freeze().await.map_err(|error| error.to_string())
    })
    .await;
    let workload = federation.settles("web", &[("alpha", 10), ("bravo", 10)]).await;
    assert_eq!((workload.replicas, workload.ready), (20, 20));
    for name in ["alpha", "bravo"] {
        let seen = witness.in_cluster(name);
        assert!(!seen.deleted && seen.replicas == [10], "{name}: {seen:?}");
    }
}

async fn restore(federation: &Federation, backup: &Path) -> Output {
    let config: PathBuf = federation.hub().config().to_owned();
    run(program("hub", ["--config", text(&config), "--restore", text(backup)])).await
}

async fn run(command: std::process::Command) -> Output {
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    within("the program", command.output()).await.unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
