//! The driver on a real store: what is durable, what is shown, what is said, in this order.

use std::path::Path;
use std::time::Duration;

use godwit_common::link::{Capacity, LeaderTerm, Leadership, Region, Report, VERSIONS};
use godwit_common::policy::Rule;
use godwit_common::{Digest, Epoch, Fence, Generation, NodeClass, Resources, Term, Uid, WorkloadId};
use godwit_hub_core::{
    Action, Application, DEFAULT_POLICY, Deploy, Policy, PolicyChoice, RefusedKind, WorkloadSpec,
};

use super::totals::Totals;
use super::*;
use crate::store::{Batch, Keys};

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

    let records = Store::open(folder.path(), &Keys::none()).unwrap().load().unwrap();
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

/// What the webhook counts as missed is what is older than the oldest that is shown.
#[tokio::test]
async fn a_journal_that_is_to_be_shorter_is_so_in_the_store_and_in_the_first_view() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = begin(folder.path()).await;
    for replicas in 1..20 {
        handle.command("ann".into(), deploy(replicas)).await.unwrap().unwrap();
    }
    let before = handle.view();
    end(handle, running).await;

    let short = Config { journal_entries: 5, ..Config::default() };
    let (handle, running) = start(short, place(folder.path()), 1).await.unwrap();
    let shown: Vec<u64> = handle.view().journal.keys().copied().collect();
    end(handle, running).await;
    let newest = shown.last().copied().unwrap();
    assert!(before.journal.len() > 15 && before.journal.get_max().unwrap().0 < newest);
    assert_eq!(shown, (newest - 4..=newest).collect::<Vec<u64>>());
    let records = Store::open(folder.path(), &Keys::none()).unwrap().load().unwrap();
    let number =
        |record: &Record| if let Record::Journal(entry) = record { Some(entry.number) } else { None };
    let stored = records.iter().filter_map(number);
    assert!(stored.clone().count() <= 6 && stored.min() >= Some(newest - 4));
}

/// Two clusters come, one of them is lost, what it held moves, and the other could not be survived then.
#[tokio::test]
async fn sums_kept_by_change_are_those_over_everything() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody is lost for silence here: no agent gives signs of life.
    let patient = Config { heartbeat: Duration::from_secs(3600), ..Config::default() };
    let (handle, running) = start(patient, place(folder.path()), 1).await.unwrap();
    let sums = |handle: &Handle| {
        let view = handle.view();
        assert_eq!(view.totals, Totals::over(&view));
        view.totals.clone()
    };
    handle.command("ann".into(), Command::ApplyPolicy(impatient())).await.unwrap().unwrap();
    let east = join(&handle, "east", Uid(1)).await;
    join(&handle, "west", Uid(2)).await;
    for (name, replicas) in [("a", 3), ("b", 4), ("c", 5), ("b", 2)] {
        handle.command("ann".into(), deploy_as(name, replicas)).await.unwrap().unwrap();
        sums(&handle);
    }
    let workload = WorkloadId::new("default", "Deployment", "c").unwrap();
    handle.command("ann".into(), Command::DeleteWorkload { workload }).await.unwrap().unwrap();
    let before = sums(&handle);
    assert_eq!((before.clusters.connected, before.clusters.agents, before.clusters.unchecked), (2, 2, 2));
    assert_eq!((before.workloads.count, before.workloads.wanted, before.workloads.placed), (2, 5, 5));
    assert_eq!(before.migrations, Default::default());

    handle.closed(east, false).await.unwrap();
    until(&handle, |totals| totals.migrations.running == 1).await;
    let lost = sums(&handle);
    let in_state =
        |wanted| lost.clusters.by_state().find(|(state, _)| *state == wanted).map(|(_, count)| count);
    assert_eq!((in_state(Shown::Ready), in_state(Shown::Lost), lost.clusters.agents), (Some(1), Some(1), 1));
    assert_eq!((lost.workloads.placed, lost.workloads.pending), (5, 0));
    until(&handle, |totals| totals.clusters.short == 1).await;
    assert_eq!(sums(&handle).shortages.largest(), 5);
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
    Store::open(folder.path(), &Keys::none()).unwrap().commit(Epoch(9), &Batch::default()).unwrap();
    let error = start(Config::default(), place(folder.path()), 1).await.err().unwrap();
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
    start(Config::default(), place(folder), 1).await.unwrap()
}

async fn until(handle: &Handle, holds: impl Fn(&Totals) -> bool) {
    let mut views = handle.views();
    let shown = views.wait_for(|view| holds(&view.totals));
    tokio::time::timeout(Duration::from_secs(30), shown).await.expect("it takes a second or two").unwrap();
}

/// An agent of a new cluster connects, leads, and reports an empty node.
async fn join(handle: &Handle, name: &str, cluster_uid: Uid) -> SessionId {
    let hello = Hello {
        versions: VERSIONS,
        build: "test".into(),
        instance: format!("{name}-agent").into(),
        zone: "".into(),
        cluster_uid,
        federation: None,
        highest_epoch: Epoch(0),
        region: Region::default(),
        supervises: false,
        knows_overrides: true,
    };
    let session = handle.opened(name.parse().unwrap(), hello, Outbox::default()).await.unwrap();
    let (term, fence) = (LeaderTerm { lease: Uid(1), transitions: Term(1) }, Fence::default());
    let leading = Leadership::Leading { term, fence, base: Generation(0), digest: Digest::default() };
    handle.message(session, Box::new(Up::Leadership(leading)), 0).await.unwrap();
    let free = Resources { cpu_millis: 9_000, memory_bytes: 1 << 30, pods: 100, ..Resources::default() };
    let class = NodeClass { nodes: 1, free, ..NodeClass::default() };
    let capacity = Capacity { classes: vec![class], nodes: 1, nodes_ready: 1, ..Capacity::default() };
    let report = Report { complete: true, capacity: Some(capacity), ..Report::default() };
    handle.message(session, Box::new(Up::Report(report)), 0).await.unwrap();
    session
}

/// Waits for the thread, which holds the store.
async fn end(handle: Handle, mut running: Running) {
    handle.stop().await;
    running.ended().await.unwrap();
}

/// The policy that is used when none is named; a cluster is lost to it the moment its stream ends.
fn impatient() -> Policy {
    let placement = godwit_common::policy::Policy { default: Some(Rule::default()), ..Default::default() };
    let name = DEFAULT_POLICY.parse().unwrap();
    Policy { name, placement, lost_after: Duration::ZERO }
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
        claims: false,
        surges: false,
        obstacle: None,
        grace: Duration::from_secs(30),
        supervised: false,
        scale_only: false,
        manifest: "{}".into(),
        overrides: Default::default(),
    };
    Command::Deploy(Deploy {
        request_id: "".into(),
        fingerprint: 0,
        application: Application { workloads: vec![workload], objects: Vec::new() },
        policy: PolicyChoice::Annotated,
        import: None,
    })
}

fn id() -> WorkloadId {
    WorkloadId::new("default", "Deployment", "web").unwrap()
}

fn place(folder: &std::path::Path) -> Place {
    Place { folder: folder.to_owned(), keys: Keys::none() }
}
