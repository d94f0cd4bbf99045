//! The fence `gate`: what ends by itself, and when it is known to have (S9).

use std::time::Duration;

use godwit_common::link::Up;
use godwit_common::policy::{Fencing, Mode, Motion, Strategy};
use godwit_common::{Epoch, Fence, Generation};

use super::at_most::{confirm_dead, pass_below};
use super::drains::all;
use super::fixture::{Fixture, cluster, deployment_id, policy, shares, spec};
use super::shortage::{pass, scale};
use crate::{Command, Event, Policy, PolicyChoice, WorkloadSpec};

/// A lease of 60 s and 30 s to end, both by a clock that is slow by 1 %, and 5 s margin.
const WAIT: Duration = Duration::from_millis(95_900);

fn gated(weights: &[(&str, u32)]) -> Policy {
    let mut policy = policy("gated", weights);
    let mode = Mode::AtMost(Fencing::Gate);
    policy.placement.motion = Motion { mode, max_unavailable: 1, ..Motion::default() };
    policy
}

/// Clusters whose agents put supervisors into pods.
fn able(clusters: &[(&str, u32)]) -> Fixture {
    let mut fixture = Fixture::new(&[]);
    for (name, cores) in clusters {
        fixture.add_member(name, *cores);
        fixture.members.get_mut(&cluster(name)).expect("a member").supervises = true;
        fixture.connect(name);
    }
    fixture
}

/// Four copies, two in each of two clusters, with leases that were just renewed.
fn held() -> Fixture {
    let mut fixture = able(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 4, gated(&[]));
    pass(&mut fixture, 2);
    assert!(renew(&mut fixture, "alpha", 1) && renew(&mut fixture, "bravo", 1));
    fixture
}

/// A cluster's leading agent asks for a renewal; whether it got one.
fn renew(fixture: &mut Fixture, name: &str, number: u64) -> bool {
    fixture.say(name, Up::Renewal { number });
    fixture.members[&cluster(name)].granted.contains(&number)
}

fn pending(fixture: &Fixture) -> u32 {
    fixture.view("web").pending
}

/// Time passes until shortly before a moment, counted from now, and there is no start; then shortly beyond it.
fn replaced_after(fixture: &mut Fixture, wait: Duration) {
    let seconds = wait.as_secs();
    pass_below(fixture, seconds - 1, 4);
    assert_eq!((pending(fixture), fixture.noted("ClusterFenced")), (2, 0));
    pass(fixture, 3);
    assert_eq!((pending(fixture), fixture.noted("ClusterFenced")), (0, 1));
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 4)]));
}

#[test]
fn s9_what_is_supervised_is_replaced_when_its_lease_has_run_out() {
    let mut fixture = held();
    fixture.disconnect("alpha");
    pass_below(&mut fixture, 20, 4);
    let reason = fixture.view("web").pending_reasons[0].to_string();
    assert!(reason.starts_with("unfenced: up to 2 may still run in alpha;"), "{reason}");
    assert!(reason.contains("95.9 s after the lease of alpha was last renewed"), "{reason}");
    replaced_after(&mut fixture, WAIT - Duration::from_secs(20));
    let noted = fixture.journal.iter().find(|entry| &*entry.reason == "ClusterFenced").expect("it is told");
    assert_eq!(&*noted.rule, "S9");
    let words = "up to 2 copies of 1 workloads that may run only once have ended, and are replaced: their lease was not \
                 renewed for 95.9 s: 60.6 s of a lease by the slowest clock, 30.3 s to end, 5 s margin";
    assert_eq!(&*noted.message, words);
    assert_eq!(fixture.hub.cluster(&cluster("alpha")).expect("a member").unaccounted, 0);
}

#[test]
fn s9_the_wait_counts_from_the_last_renewal() {
    let mut fixture = held();
    pass(&mut fixture, 40);
    assert!(renew(&mut fixture, "alpha", 2));
    fixture.disconnect("alpha");
    replaced_after(&mut fixture, WAIT);
}

#[test]
fn s9_the_longest_grace_of_any_revision_counts() {
    let mut fixture = held();
    let slow = spec(deployment_id("web"), 4);
    let slow = WorkloadSpec { grace: Duration::from_secs(300), manifest: "{\"v\":2}".into(), ..slow };
    let quick = WorkloadSpec { grace: Duration::ZERO, manifest: "{\"v\":3}".into(), ..slow.clone() };
    for spec in [slow, quick] {
        fixture.deploy(spec, PolicyChoice::Annotated).expect("a good deployment");
        pass(&mut fixture, 60);
    }
    assert!(renew(&mut fixture, "alpha", 2));
    fixture.disconnect("alpha");
    replaced_after(&mut fixture, WAIT + Duration::from_millis(272_700));
}

#[test]
fn s9_a_hub_that_starts_takes_every_lease_for_just_granted() {
    let mut fixture = held();
    fixture.disconnect("alpha");
    pass_below(&mut fixture, 80, 4);
    fixture.restart();
    fixture.connect("bravo");
    replaced_after(&mut fixture, WAIT);
}

#[test]
fn s9_a_shorter_lease_does_not_shorten_those_that_were_granted() {
    let mut fixture = held();
    fixture.config.gate_lease = Duration::from_secs(10);
    fixture.restart();
    fixture.connect("bravo");
    replaced_after(&mut fixture, WAIT);
    // Nor what a cluster may have been granted before by this hub.
    let mut fixture = held();
    fixture.config.gate_lease = Duration::from_secs(10);
    fixture.restart();
    fixture.connect("bravo");
    fixture.connect("alpha");
    pass(&mut fixture, 2);
    assert!(renew(&mut fixture, "alpha", 2));
    fixture.disconnect("alpha");
    replaced_after(&mut fixture, WAIT - Duration::from_secs(2));
}

#[test]
fn s9_what_has_no_supervisor_waits_for_an_operator() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 4, gated(&[]));
    pass(&mut fixture, 2);
    fixture.disconnect("alpha");
    pass_below(&mut fixture, 600, 4);
    let reason = fixture.view("web").pending_reasons[0].to_string();
    assert!(
        reason.contains("`godwit confirm-dead cluster alpha`: the pods of it there have no supervisor"),
        "{reason}"
    );
    assert_eq!((pending(&fixture), fixture.noted("ClusterFenced")), (2, 0));
    confirm_dead(&mut fixture, "alpha").expect("it is away");
    pass(&mut fixture, 2);
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 4)]));
}

#[test]
fn s9_pods_that_were_there_before_the_fence_have_no_supervisor() {
    let mut fixture = able(&[("alpha", 20), ("bravo", 20)]);
    let mut confirmed = gated(&[]);
    confirmed.placement.motion.mode = Mode::AtMost(Fencing::Confirm);
    fixture.run("web", 4, confirmed);
    pass(&mut fixture, 2);
    fixture.command(Command::ApplyPolicy(gated(&[]))).expect("a good policy");
    pass(&mut fixture, 2);
    fixture.disconnect("alpha");
    pass_below(&mut fixture, 300, 4);
    assert_eq!(fixture.noted("ClusterFenced"), 0);
    // Deployed once more, it is another revision, and its pods have one.
    fixture.connect("alpha");
    pass(&mut fixture, 2);
    fixture.deploy(spec(deployment_id("web"), 4), PolicyChoice::Annotated).expect("a good deployment");
    pass(&mut fixture, 90);
    assert!(renew(&mut fixture, "alpha", 1));
    fixture.disconnect("alpha");
    replaced_after(&mut fixture, WAIT);
}

#[test]
fn s9_what_cannot_have_a_supervisor_is_refused_under_this_fence() {
    let mut fixture = able(&[("alpha", 20)]);
    let hidden = "spec.template.spec.containers[web].command: it is missing";
    let hidden = WorkloadSpec { obstacle: Some(hidden.into()), ..spec(deployment_id("web"), 2) };
    let refused =
        fixture.deploy(hidden.clone(), PolicyChoice::Inline(gated(&[]))).expect_err("nothing to start");
    let words = "Deployment default/web: spec.template.spec.containers[web].command: it is missing; or choose the fence \
                 confirm: under policy gated (fence gate) a supervisor starts and ends its processes";
    assert_eq!(&*refused.message, words);
    assert!(fixture.hub.policy(&"gated".parse().expect("a name")).is_none(), "nothing of it was done");
    // Under another fence it is nobody's business, and then that fence cannot become this one.
    let mut confirmed = gated(&[]);
    confirmed.placement.motion.mode = Mode::AtMost(Fencing::Confirm);
    fixture.deploy(hidden, PolicyChoice::Inline(confirmed)).expect("an operator confirms");
    let refused = fixture.command(Command::ApplyPolicy(gated(&[]))).expect_err("it is in use");
    assert!(refused.message.contains("containers[web].command"), "{}", refused.message);
}

#[test]
fn s9_an_agent_that_knows_no_supervisors_ends_the_trust_in_them() {
    let mut fixture = held();
    fixture.disconnect("alpha");
    fixture.members.get_mut(&cluster("alpha")).expect("a member").supervises = false;
    fixture.open("alpha");
    fixture.begin_to_lead("alpha");
    fixture.disconnect("alpha");
    pass_below(&mut fixture, 300, 4);
    assert_eq!((pending(&fixture), fixture.noted("ClusterFenced")), (2, 0));
    fixture.restart();
    fixture.connect("bravo");
    pass_below(&mut fixture, 300, 4);
    assert_eq!((pending(&fixture), fixture.noted("ClusterFenced")), (2, 0));
}

#[test]
fn s9_who_returns_in_time_goes_on() {
    let mut fixture = held();
    fixture.disconnect("alpha");
    pass_below(&mut fixture, 60, 4);
    fixture.connect("alpha");
    pass_below(&mut fixture, 2, 4);
    assert!(renew(&mut fixture, "alpha", 2));
    pass_below(&mut fixture, 200, 4);
    assert_eq!((pending(&fixture), all(&fixture), fixture.noted("ClusterFenced")), (0, 4, 0));
}

#[test]
fn s9_who_was_given_up_is_granted_nothing_before_he_knows() {
    let mut fixture = held();
    fixture.disconnect("alpha");
    pass(&mut fixture, 120);
    assert_eq!(
        fixture.running(),
        shares(&[("alpha", 2), ("bravo", 4)]),
        "its pods are there, without processes"
    );
    fixture.open("alpha");
    assert!(!renew(&mut fixture, "alpha", 2), "it does not lead");
    fixture.begin_to_lead("alpha");
    assert!(!renew(&mut fixture, "alpha", 3), "its inventory has not come");
    // What it says it has accepted is what it had before.
    let fence = fixture.members[&cluster("alpha")].fence;
    let statuses = Vec::new();
    let report = godwit_common::link::Report { complete: true, statuses, ..Default::default() };
    fixture.say("alpha", Up::Report(report));
    assert!(!renew(&mut fixture, "alpha", 4), "it has not accepted that its copies are not to run");
    let now = fixture.members[&cluster("alpha")].fence;
    assert!(now.generation > fence.generation, "it was told");
    fixture.say("alpha", Up::Accepted { fence: now, digest: Default::default() });
    assert!(renew(&mut fixture, "alpha", 5));
    assert_eq!(fixture.running(), shares(&[("bravo", 4)]));
}

#[test]
fn s9_a_hub_that_may_not_lead_any_more_grants_nothing() {
    let mut fixture = held();
    fixture.step(Event::Stopping);
    assert!(!renew(&mut fixture, "bravo", 2), "it has said goodbye");
    let mut fixture = held();
    let federation = fixture.hub.federation().uid;
    let fence = Fence { federation, epoch: Epoch(9), generation: Generation(999) };
    fixture.say("alpha", Up::Accepted { fence, digest: Default::default() });
    assert!(!renew(&mut fixture, "bravo", 2), "it has heard of a higher epoch");
    pass(&mut fixture, 80);
    fixture.command(Command::ReleaseFreeze).expect("it is frozen");
    fixture.disconnect("alpha");
    pass(&mut fixture, 2);
    assert!(renew(&mut fixture, "bravo", 3));
    // The other one may have renewed leases as long as it was in charge.
    replaced_after(&mut fixture, WAIT - Duration::from_secs(2));
}

#[test]
fn s6_while_frozen_nothing_counts_as_gone() {
    let mut fixture = held();
    fixture.disconnect("alpha");
    pass(&mut fixture, 12);
    fixture.disconnect("bravo");
    pass(&mut fixture, 300);
    assert!(fixture.hub.federation().freeze.is_some());
    assert_eq!(fixture.noted("ClusterFenced"), 0);
    fixture.connect("bravo");
    fixture.command(Command::ConfirmFreeze).expect("it is frozen");
    pass(&mut fixture, 2);
    assert_eq!((pending(&fixture), fixture.noted("ClusterFenced")), (0, 1));
}

#[test]
fn s8_what_runs_in_every_cluster_waits_for_no_lease() {
    let mut fixture = able(&[("alpha", 20), ("bravo", 20)]);
    let mut everywhere = gated(&[]);
    everywhere.placement.strategy = Strategy::Duplicate;
    fixture.run("web", 2, everywhere);
    pass(&mut fixture, 2);
    fixture.disconnect("alpha");
    pass(&mut fixture, 200);
    assert_eq!(fixture.noted("ClusterFenced"), 0);
    assert_eq!(fixture.running(), shares(&[("alpha", 2), ("bravo", 2)]));
}

#[test]
fn s9_what_is_given_up_makes_room_for_more() {
    let mut fixture = held();
    scale(&mut fixture, "web", 6);
    pass(&mut fixture, 2);
    fixture.disconnect("alpha");
    pass_below(&mut fixture, 90, 6);
    assert_eq!(pending(&fixture), 3);
    pass(&mut fixture, 20);
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 6)]));
    fixture.connect("alpha");
    pass(&mut fixture, 4);
    assert_eq!(fixture.running(), shares(&[("bravo", 6)]));
}

#[test]
fn s9_what_ends_by_itself_is_shown_with_when_and_where_not() {
    let mut fixture = held();
    fixture.add_member("charlie", 0);
    fixture.connect("charlie");
    let seen = |fixture: &Fixture| fixture.hub.cluster(&cluster("alpha")).expect("a member").gate;
    let gate = seen(&fixture).expect("it runs what is gated");
    assert_eq!((gate.pods, gate.lease, gate.wait, gate.ends), (2, Duration::from_secs(60), WAIT, None));
    let gate = fixture.view("web").gate.expect("its fence is gate");
    assert_eq!((gate.pods, gate.wait, gate.unsupervised.len()), (4, WAIT, 0));
    assert!(fixture.hub.cluster(&cluster("charlie")).expect("a member").gate.is_none());
    let renewed = fixture.now;
    fixture.disconnect("alpha");
    pass(&mut fixture, 20);
    let ends = seen(&fixture).and_then(|gate| gate.ends).expect("it cannot be seen");
    assert_eq!(ends.0, (renewed + WAIT).0, "by the wall clock, which is the other one here");
    // Where nobody supervises, that is said.
    fixture.connect("alpha");
    fixture.members.get_mut(&cluster("bravo")).expect("a member").supervises = false;
    fixture.disconnect("bravo");
    fixture.connect("bravo");
    pass(&mut fixture, 2);
    let gate = fixture.view("web").gate.expect("its fence is gate");
    assert_eq!((gate.pods, gate.unsupervised), (2, vec!["bravo".to_owned()]));
}

#[test]
fn s8_what_returns_just_as_it_was_seen_last_is_counted_all_the_same() {
    let mut fixture = able(&[("alpha", 20), ("bravo", 0)]);
    fixture.members.get_mut(&cluster("alpha")).expect("a member").ready = false;
    fixture.run("web", 2, gated(&[]));
    pass(&mut fixture, 2);
    assert!(renew(&mut fixture, "alpha", 1));
    fixture.disconnect("alpha");
    pass(&mut fixture, 2);
    scale(&mut fixture, "web", 1);
    pass(&mut fixture, 120);
    assert_eq!((fixture.noted("ClusterFenced"), pending(&fixture)), (1, 1));
    fixture.sent.clear();
    fixture.connect("alpha");
    let (_, _, first) = fixture.sent[0];
    assert_eq!(first, 0, "two are there, and one is wanted: it starts when they are gone");
    pass(&mut fixture, 2);
    assert_eq!(fixture.running(), shares(&[("alpha", 1)]));
}
