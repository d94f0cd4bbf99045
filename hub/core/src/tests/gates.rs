//! The traffic gate: S20.

use std::time::Duration;

use godwit_common::link::{Leadership, Up};
use godwit_common::policy::TrafficGate;

use super::drains::{drain, order, state};
use super::fixture::{Fixture, cluster, policy, shares, web};
use super::shortage::{pass, scale};
use crate::{
    Action, Answer, Command, DrainOrder, DrainState, PlacementView, Policy, Refused, RefusedKind,
    WithdrawalId, WithdrawalView,
};

const DELAY: TrafficGate = TrafficGate::Delay(Duration::from_secs(15));

fn gated(gate: TrafficGate, weights: &[(&str, u32)]) -> Policy {
    let mut policy = policy("gated", weights);
    policy.placement.motion.traffic_gate = gate;
    policy
}

/// Eight copies, half of them in each of two clusters.
fn halves(gate: TrafficGate) -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 8, gated(gate, &[("alpha", 1), ("bravo", 1)]));
    pass(&mut fixture, 2);
    fixture
}

fn row(fixture: &Fixture, name: &str) -> PlacementView {
    let placements = fixture.web().placements;
    placements.into_iter().find(|row| row.cluster == cluster(name)).expect("a row for the cluster")
}

fn announced(fixture: &Fixture, name: &str) -> Option<WithdrawalView> {
    row(fixture, name).withdrawal.map(|withdrawal| *withdrawal)
}

/// Whom traffic may go to, over all clusters.
fn serving(fixture: &Fixture) -> u32 {
    fixture.web().placements.iter().map(|row| row.serving).sum()
}

fn waits_for(fixture: &Fixture, name: &str) -> String {
    let drain = fixture.hub.cluster(&cluster(name)).expect("a member").drain.expect("it is drained");
    drain.waiting.into_iter().next().map(|(_, reason)| reason).unwrap_or_default()
}

fn ack(fixture: &mut Fixture, name: &str, withdrawal: Option<WithdrawalId>) -> Result<Answer, Refused> {
    fixture.command(Command::Acknowledge { workload: web(), cluster: cluster(name), withdrawal })
}

/// Lets time pass until something is announced to stop in a cluster.
fn until_announced(fixture: &mut Fixture, name: &str) -> WithdrawalView {
    for _ in 0..120 {
        if let Some(withdrawal) = announced(fixture, name) {
            return withdrawal;
        }
        fixture.pass(Duration::from_millis(500));
    }
    panic!("nothing is announced in {name}: {:?}", fixture.web().placements)
}

#[test]
fn s20_what_will_stop_is_announced_for_the_delay() {
    let mut fixture = halves(DELAY);
    drain(&mut fixture, "alpha");
    assert_eq!(announced(&fixture, "alpha"), None, "not before replacements have been ready for a while");
    let first = until_announced(&mut fixture, "alpha");
    assert_eq!((first.stays, first.gate), (2, DELAY));
    let alpha = row(&fixture, "alpha");
    assert_eq!((alpha.sent, alpha.ready, alpha.serving), (4, 4, 2));
    assert_eq!(alpha.reason, "waits for traffic to be routed away (S20)");
    assert_eq!(waits_for(&fixture, "alpha"), "4 left; waits 15s for traffic to be routed away");
    fixture.pass(Duration::from_millis(14_500));
    assert_eq!(fixture.running(), shares(&[("alpha", 4), ("bravo", 6)]), "the delay is not over");
    assert_eq!(announced(&fixture, "alpha"), Some(first));
    let mut least = u32::MAX;
    pass(&mut fixture, 1);
    assert_eq!(row(&fixture, "alpha").sent, 2);
    for _ in 0..120 {
        fixture.pass(Duration::from_millis(500));
        least = least.min(serving(&fixture));
    }
    assert_eq!(least, 8, "there were always enough to send traffic to");
    assert_eq!(fixture.running(), shares(&[("bravo", 8)]));
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Done));
}

#[test]
fn s20_an_acknowledged_step_goes_on_and_no_other_does() {
    let mut fixture = halves(TrafficGate::Ack);
    drain(&mut fixture, "alpha");
    assert_eq!(ack(&mut fixture, "alpha", None).unwrap_err().kind, RefusedKind::FailedPrecondition);
    let first = until_announced(&mut fixture, "alpha");
    assert_eq!((first.stays, first.until), (2, None));
    pass(&mut fixture, 600);
    assert_eq!(fixture.running(), shares(&[("alpha", 4), ("bravo", 6)]), "nobody has said anything");
    assert_eq!(
        waits_for(&fixture, "alpha"),
        "4 left; waits for traffic to be routed away: `godwit ack default/deployment/web --cluster alpha`"
    );
    let mut wrong = first.id;
    wrong.number += 1;
    let refusal = ack(&mut fixture, "alpha", Some(wrong)).expect_err("nothing has that name");
    assert_eq!(refusal.kind, RefusedKind::FailedPrecondition);
    assert!(refusal.message.contains(&format!("{} is in force", first.id)), "{}", refusal.message);
    let done = |action| Ok(Answer::Acknowledged { action, withdrawal: first.id });
    assert_eq!(ack(&mut fixture, "alpha", Some(first.id)), done(Action::Configured));
    pass(&mut fixture, 1);
    assert_eq!(row(&fixture, "alpha").sent, 2);
    // An answer may be lost: who asks again is answered the same.
    assert_eq!(ack(&mut fixture, "alpha", Some(first.id)), done(Action::Unchanged));
    let second = until_announced(&mut fixture, "alpha");
    assert_ne!(second.id, first.id);
    assert_eq!(
        ack(&mut fixture, "alpha", Some(first.id)),
        done(Action::Unchanged),
        "that is about the first"
    );
    pass(&mut fixture, 60);
    assert_eq!(row(&fixture, "alpha").sent, 2);
    ack(&mut fixture, "alpha", None).expect("whatever is announced");
    pass(&mut fixture, 1);
    assert_eq!(fixture.running(), shares(&[("bravo", 8)]));
    assert_eq!(fixture.noted("TrafficRoutedAway"), 2);
}

#[test]
fn s20_what_is_asked_for_must_be_there() {
    let mut fixture = halves(TrafficGate::Ack);
    for (workload, name) in [(super::fixture::deployment_id("api"), "alpha"), (web(), "delta")] {
        let refused =
            fixture.command(Command::Acknowledge { workload, cluster: cluster(name), withdrawal: None });
        assert_eq!(refused.expect_err("it is not there").kind, RefusedKind::NotFound);
    }
}

#[test]
fn s20_what_is_needed_again_is_taken_back() {
    let mut fixture = halves(TrafficGate::Ack);
    drain(&mut fixture, "alpha");
    let first = until_announced(&mut fixture, "alpha");
    // One of the replacements fails: one more stays, and the announcement is the same.
    fixture.members.get_mut(&cluster("bravo")).expect("a member").unready = 1;
    pass(&mut fixture, 1);
    assert_eq!(announced(&fixture, "alpha"), Some(WithdrawalView { stays: 3, ..first.clone() }));
    // All of them do.
    fixture.members.get_mut(&cluster("bravo")).expect("a member").unready = 6;
    pass(&mut fixture, 1);
    assert_eq!(announced(&fixture, "alpha"), None);
    assert_eq!(ack(&mut fixture, "alpha", Some(first.id)).unwrap_err().kind, RefusedKind::FailedPrecondition);
    // Replacements must be ready for a while again, before anything is announced under another name.
    fixture.members.get_mut(&cluster("bravo")).expect("a member").unready = 0;
    pass(&mut fixture, 8);
    assert_eq!(announced(&fixture, "alpha"), None);
    let second = until_announced(&mut fixture, "alpha");
    assert_ne!(second.id, first.id);
    order(&mut fixture, "alpha", DrainOrder::Cancel);
    assert_eq!(announced(&fixture, "alpha").filter(|one| one.id == second.id && one.stays < 2), None);
}

#[test]
fn s20_what_nobody_vouches_for_is_no_reason_to_stop_anything() {
    let mut fixture = halves(TrafficGate::Ack);
    drain(&mut fixture, "alpha");
    let first = until_announced(&mut fixture, "alpha");
    // No agent leads in bravo any more: what is ready there is not known.
    fixture.say("bravo", Up::Leadership(Leadership::Following));
    assert_eq!(announced(&fixture, "alpha"), None);
    fixture.lead("bravo");
    let second = until_announced(&mut fixture, "alpha");
    assert_ne!(second.id, first.id);
}

#[test]
fn s20_a_paused_drain_announces_nothing() {
    let mut fixture = halves(DELAY);
    drain(&mut fixture, "alpha");
    until_announced(&mut fixture, "alpha");
    order(&mut fixture, "alpha", DrainOrder::Pause);
    pass(&mut fixture, 1);
    assert_eq!((announced(&fixture, "alpha"), serving(&fixture)), (None, 10));
    pass(&mut fixture, 60);
    assert_eq!(row(&fixture, "alpha").sent, 4);
    order(&mut fixture, "alpha", DrainOrder::Resume);
    until_announced(&mut fixture, "alpha");
}

#[test]
fn s20_two_clusters_that_shrink_leave_enough_to_send_traffic_to() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20), ("delta", 20)]);
    let weights = [("alpha", 1), ("bravo", 1), ("delta", 0)];
    fixture.run("web", 8, gated(TrafficGate::Ack, &weights));
    let weights = [("alpha", 1), ("bravo", 1), ("delta", 1)];
    fixture.command(Command::ApplyPolicy(gated(TrafficGate::Ack, &weights))).expect("a good policy");
    pass(&mut fixture, 2);
    drain(&mut fixture, "alpha");
    drain(&mut fixture, "bravo");
    for _ in 0..240 {
        fixture.pass(Duration::from_millis(500));
        assert!(serving(&fixture) >= 8, "{:?}", fixture.web().placements);
    }
    for _ in 0..20 {
        for name in ["alpha", "bravo"] {
            if announced(&fixture, name).is_some() {
                ack(&mut fixture, name, None).expect("it is announced");
            }
        }
        pass(&mut fixture, 12);
        assert!(serving(&fixture) >= 8, "{:?}", fixture.web().placements);
    }
    assert_eq!(fixture.running(), shares(&[("delta", 8)]));
}

#[test]
fn s20_a_smaller_total_passes_the_gate_and_unready_copies_do_not() {
    let mut fixture = halves(TrafficGate::Ack);
    // Three of the four in bravo serve nobody: they may always go.
    fixture.members.get_mut(&cluster("bravo")).expect("a member").unready = 3;
    pass(&mut fixture, 1);
    scale(&mut fixture, "web", 2);
    fixture.members.get_mut(&cluster("bravo")).expect("a member").unready = 0;
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("alpha", 4), ("bravo", 1)]));
    assert_eq!(serving(&fixture), 2);
    ack(&mut fixture, "alpha", None).expect("it is announced");
    pass(&mut fixture, 1);
    assert_eq!(fixture.running(), shares(&[("alpha", 1), ("bravo", 1)]));
}

#[test]
fn s20_a_loss_waits_for_nobody() {
    let mut fixture = halves(TrafficGate::Ack);
    fixture.disconnect("alpha");
    pass(&mut fixture, 12);
    assert_eq!(row(&fixture, "bravo").sent, 8, "what is lost is replaced");
    let alpha = row(&fixture, "alpha");
    assert_eq!((alpha.ready, alpha.serving, alpha.live), (0, 0, false));
    // What it runs beyond the plan when it returns is left over from the loss.
    fixture.connect("alpha");
    pass(&mut fixture, 20);
    assert_eq!(fixture.running(), shares(&[("bravo", 8)]));
}

#[test]
fn s20_a_restart_announces_anew_under_another_name() {
    let mut fixture = halves(TrafficGate::Ack);
    drain(&mut fixture, "alpha");
    let before = until_announced(&mut fixture, "alpha");
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    let after = until_announced(&mut fixture, "alpha");
    assert_ne!(before.id, after.id);
    assert_eq!(
        ack(&mut fixture, "alpha", Some(before.id)).unwrap_err().kind,
        RefusedKind::FailedPrecondition
    );
    pass(&mut fixture, 60);
    assert_eq!(row(&fixture, "alpha").sent, 4);
    ack(&mut fixture, "alpha", Some(after.id)).expect("it is announced");
    pass(&mut fixture, 1);
    assert_eq!(row(&fixture, "alpha").sent, 2);
}

#[test]
fn s20_a_policy_without_a_gate_lets_everything_pass() {
    let mut fixture = halves(TrafficGate::Ack);
    drain(&mut fixture, "alpha");
    until_announced(&mut fixture, "alpha");
    let weights = [("alpha", 1), ("bravo", 1)];
    fixture.command(Command::ApplyPolicy(gated(TrafficGate::None, &weights))).expect("a good policy");
    pass(&mut fixture, 40);
    assert_eq!(fixture.running(), shares(&[("bravo", 8)]));
}
