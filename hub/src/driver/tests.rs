//! The driver on a real store: what is durable, what is shown, what is said, in this order.

use std::path::Path;

use godwit_common::{Epoch, WorkloadId};
use godwit_hub_core::{Action, Application, Deploy, PolicyChoice, RefusedKind, WorkloadSpec};

use super::totals::Totals;
use super::*;
use crate::store::Batch;

#[tokio::test]
async fn an_answer_comes_after_its_view_and_both_after_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = begin(folder.path()).await;
    let answer = handle.command("ann".into(), deploy(7)).await.unwrap().unwrap();
    let Answer::Deployed(deployed) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(deployed.workloads[0].action, Action::Created);
    let view = handle.view();
    assert_eq!(view.workload(&id()).unwrap().replicas, 7);
    let sums = view.totals.workloads;
    assert_eq!((sums.replicas, sums.wanted, sums.placed, sums.pending), (7, 7, 0, 7));
    assert_eq!(handle.plan(id()).await.unwrap().unwrap().replicas, 7);
    end(handle, running).await;

    let records = Store::open(folder.path()).unwrap().load().unwrap();
    let workloads = records.iter().filter(|record| matches!(record, Record::Workload(_)));
    assert_eq!(workloads.count(), 1);
}

#[tokio::test]
async fn a_view_holds_what_a_restart_finds_and_forgets_what_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = begin(folder.path()).await;
    handle.command("ann".into(), deploy(7)).await.unwrap().unwrap();
    let before = handle.view();
    end(handle, running).await;

    let (handle, running) = begin(folder.path()).await;
    let after = handle.view();
    assert_eq!(after.workloads, before.workloads);
    assert_eq!(after.policies, before.policies);
    assert_eq!(after.totals, before.totals);
    assert_eq!(after.federation.epoch, before.federation.epoch.next());
    let known = before.journal.iter().all(|(number, entry)| after.journal.get(number) == Some(entry));
    assert!(known && after.journal.len() > before.journal.len());
    handle.command("ann".into(), Command::DeleteWorkload { workload: id() }).await.unwrap().unwrap();
    let view = handle.view();
    assert_eq!((view.workloads.len(), &view.totals), (0, &Totals::default()));
    end(handle, running).await;
}

#[tokio::test]
async fn sums_kept_by_change_are_those_over_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = begin(folder.path()).await;
    for (name, replicas) in [("a", 3), ("b", 4), ("c", 5), ("b", 2)] {
        handle.command("ann".into(), deploy_as(name, replicas)).await.unwrap().unwrap();
        let view = handle.view();
        assert_eq!(view.totals, Totals::over(&view));
    }
    let workload = WorkloadId::new("default", "Deployment", "c").unwrap();
    handle.command("ann".into(), Command::DeleteWorkload { workload }).await.unwrap().unwrap();
    let view = handle.view();
    assert_eq!((view.totals.workloads.count, view.totals.workloads.wanted), (2, 5));
    assert_eq!(view.totals, Totals::over(&view));
    end(handle, running).await;
}

#[tokio::test]
async fn a_refusal_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = begin(folder.path()).await;
    let before = handle.view();
    let refused =
        handle.command("ann".into(), Command::DeleteWorkload { workload: id() }).await.unwrap().unwrap_err();
    assert_eq!(refused.kind, RefusedKind::NotFound);
    assert!(Arc::ptr_eq(&before, &handle.view()), "nothing new is shown");
    end(handle, running).await;
}

#[tokio::test]
async fn a_driver_that_may_not_write_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A later leadership has written.
    Store::open(folder.path()).unwrap().commit(Epoch(9), &Batch::default()).unwrap();
    let error = start(Config::default(), folder.path().to_owned(), 1).await.err().unwrap();
    assert!(matches!(error, DriverError::Store(StoreError::Fenced { stored: Epoch(9), .. })), "{error}");
}

#[tokio::test]
async fn after_a_stop_the_driver_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, mut running) = begin(folder.path()).await;
    handle.stop().await;
    running.ended().await.unwrap();
    assert!(handle.command("ann".into(), deploy(1)).await.is_err());
    assert!(handle.plan(id()).await.is_err());
    handle.stop().await;
}

async fn begin(folder: &Path) -> (Handle, Running) {
    start(Config::default(), folder.to_owned(), 1).await.unwrap()
}

/// Waits for the thread, which holds the store.
async fn end(handle: Handle, mut running: Running) {
    handle.stop().await;
    running.ended().await.unwrap();
}

fn deploy(replicas: u32) -> Command {
    deploy_as("web", replicas)
}

fn deploy_as(name: &str, replicas: u32) -> Command {
    let workload = WorkloadSpec {
        id: WorkloadId::new("default", "Deployment", name).unwrap(),
        api_version: "apps/v1".into(),
        replicas,
        policy: None,
        labels: Default::default(),
        needs: Vec::new(),
        pod: Default::default(),
        stateful: false,
        manifest: "{}".into(),
    };
    Command::Deploy(Deploy {
        request_id: "".into(),
        fingerprint: 0,
        application: Application { workloads: vec![workload], objects: Vec::new() },
        policy: PolicyChoice::Annotated,
    })
}

fn id() -> WorkloadId {
    WorkloadId::new("default", "Deployment", "web").unwrap()
}
