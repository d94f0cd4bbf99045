//! What workloads need of the cluster: each need is looked for, again and again, and what is found is told.

use std::time::Duration;

use godwit_agent_core::{Call, CallError, Effect, Log, PodPhase};
use godwit_common::link::{Report, Up, WorkloadTarget};
use godwit_common::{Need, NeedStatus, Time};

use crate::world::{World, change, config, fence, key, tombstone, web, whole, workload};

fn secret(name: &str) -> Need {
    Need::Object(key("Secret", "shop", name))
}

fn widgets() -> Need {
    Need::Kind { api_version: "example.com/v1".into(), kind: "Widget".into() }
}

fn needing(uid: u128, name: &str, needs: &[Need]) -> WorkloadTarget {
    WorkloadTarget { needs: needs.to_vec(), ..workload(uid, name, 1, 3) }
}

/// What the hub was told, in order.
fn told(world: &World) -> Vec<(Need, bool)> {
    let statuses = world.reports().flat_map(|report| report.needs.clone());
    statuses.map(|NeedStatus { need, met }| (need, met)).collect()
}

/// Holds `web`, which needs a secret and a kind; what is missing of them is said in `lacks`.
fn holding(lacks: &[Need]) -> World {
    let mut world = World::leading();
    world.member.lacks = lacks.iter().cloned().collect();
    world.send_targets(whole(fence(1, 1), vec![], vec![needing(1, "web", &[widgets(), secret("pull")])]));
    world.advance(Duration::from_secs(1));
    world
}

fn when_told(world: &World, wanted: &Need) -> Time {
    let tells = |report: &Report| report.needs.iter().any(|status| status.need == *wanted);
    let said = |(_, up): &&(Time, Up)| matches!(up, Up::Report(report) if tells(report));
    world.sent.iter().find(said).expect("it was told").0
}

#[test]
fn a_need_is_looked_for_and_told_as_soon_as_a_row_has_it() {
    let mut world = World::leading();
    world.advance(Duration::from_secs(1));
    let before = world.now;
    world.member.lacks = [widgets()].into();
    world.send_targets(whole(fence(1, 1), vec![], vec![needing(1, "web", &[widgets(), secret("pull")])]));
    world.advance(Duration::from_secs(1));
    assert_eq!(told(&world), [(widgets(), false), (secret("pull"), true)]);
    assert!(when_told(&world, &widgets()).since(before) <= 2 * config().report_soon);
    assert_eq!((world.member.checks(&widgets()), world.member.checks(&secret("pull"))), (1, 1));
}

#[test]
fn what_is_missing_is_looked_for_often_and_what_is_there_now_and_then() {
    let mut world = holding(&[widgets()]);
    world.sent.clear();
    world.advance(Duration::from_secs(120));
    assert!(
        (12..=15).contains(&(world.member.checks(&widgets()) - 1)),
        "{}",
        world.member.checks(&widgets())
    );
    assert!((2..=3).contains(&world.member.checks(&secret("pull"))));
    assert_eq!(told(&world), [], "the same again is no news");
    world.member.lacks = [secret("pull")].into();
    world.advance(Duration::from_secs(61));
    assert_eq!(told(&world), [(widgets(), true), (secret("pull"), false)]);
}

#[test]
fn a_change_does_not_wait_for_the_pace_of_reports() {
    let mut world = holding(&[widgets()]);
    for round in 0..5 {
        let (checks, statuses) = (world.member.checks(&widgets()), told(&world).len());
        world.member.lacks = if round % 2 == 0 { [].into() } else { [widgets()].into() };
        let mut pods = 0;
        // Reports follow each other without a pause.
        let mut churn = |world: &mut World| {
            pods += 1;
            world.member.pod(&web(), &format!("web-{}", pods % 50), |pod| {
                (pod.ready, pod.node, pod.phase) = (false, None, PodPhase::Pending);
                pod.terminating = pods % 100 >= 50;
            });
            world.advance(Duration::from_millis(5));
        };
        while world.member.checks(&widgets()) == checks {
            churn(&mut world);
        }
        let found = world.now;
        while told(&world).len() == statuses {
            churn(&mut world);
        }
        let waited = world.now.since(found);
        assert!(waited <= config().report_soon + Duration::from_millis(10), "{waited:?}");
    }
}

#[test]
fn needs_that_no_row_has_any_more_are_forgotten() {
    let mut world = holding(&[]);
    let (web, api) = (needing(1, "web", &[widgets(), secret("pull")]), needing(2, "api", &[widgets()]));
    world.send_targets(change(fence(1, 2), vec![api.clone()], &[web.clone(), api.clone()]));
    world.advance(Duration::from_secs(1));
    let mut ended = change(fence(1, 3), vec![], std::slice::from_ref(&api));
    ended.tombstones = vec![tombstone(1, "web")];
    world.send_targets(ended);
    let before = (world.member.checks(&widgets()), world.member.checks(&secret("pull")));
    world.advance(Duration::from_secs(200));
    assert!(world.member.checks(&widgets()) > before.0, "api has it still");
    assert_eq!(world.member.checks(&secret("pull")), before.1);
    world.sent.clear();
    let again = needing(3, "web", &[secret("pull")]);
    world.send_targets(change(fence(1, 4), vec![again.clone()], &[api, again]));
    world.advance(Duration::from_secs(1));
    assert_eq!(told(&world), [(secret("pull"), true)], "what was forgotten is looked for, and told anew");
}

#[test]
fn a_change_of_the_count_keeps_the_needs_and_a_new_revision_has_its_own() {
    let mut world = holding(&[]);
    world.sent.clear();
    let scaled = WorkloadTarget { replicas: 5, manifest: None, ..needing(1, "web", &[]) };
    world.send_targets(change(fence(1, 2), vec![scaled.clone()], &[scaled]));
    world.advance(Duration::from_secs(70));
    assert_eq!((told(&world).len(), world.member.checks(&secret("pull"))), (0, 2));
    let revised = WorkloadTarget { revision: 2, ..needing(1, "web", &[secret("other")]) };
    world.send_targets(change(fence(1, 3), vec![revised.clone()], &[revised]));
    world.advance(Duration::from_secs(70));
    assert_eq!(told(&world), [(secret("other"), true)]);
    assert_eq!(world.member.checks(&secret("pull")), 2);
}

#[test]
fn each_need_that_is_sent_is_answered_even_if_it_was_told_before() {
    let mut world = holding(&[widgets()]);
    world.sent.clear();
    let (web, api) = (needing(1, "web", &[widgets(), secret("pull")]), needing(2, "api", &[widgets()]));
    world.send_targets(change(fence(1, 2), vec![api.clone()], &[web, api]));
    world.advance(Duration::from_secs(1));
    assert_eq!(told(&world), [(widgets(), false)]);
    assert_eq!(world.member.checks(&widgets()), 1, "from memory");
}

#[test]
fn the_same_row_with_other_needs_is_not_written_but_its_needs_are_looked_for() {
    let mut world = holding(&[]);
    let applies = world.member.applies().len();
    world.sent.clear();
    world.send_targets(whole(fence(1, 2), vec![], vec![needing(1, "web", &[secret("more")])]));
    world.advance(Duration::from_secs(1));
    assert_eq!(told(&world), [(secret("more"), true)]);
    assert_eq!(world.member.applies().len(), applies);
    world.advance(Duration::from_secs(200));
    assert_eq!(world.member.checks(&secret("pull")), 1, "it has no need of it any more");
}

#[test]
fn an_inventory_lists_all_that_is_known_and_waits_for_nothing() {
    let mut world = holding(&[widgets()]);
    world.sent.clear();
    world.cut();
    world.welcoming = true;
    world.until(|world| world.reports().any(|report| report.complete));
    assert_eq!(told(&world), [(widgets(), false), (secret("pull"), true)]);
    let mut world = world.restart();
    let inventory = world.reports().next().unwrap();
    assert_eq!(inventory.needs, [], "a new process has no rows, and knows of no needs");
    world.send_targets(whole(fence(1, 1), vec![], vec![needing(1, "web", &[widgets(), secret("pull")])]));
    world.advance(Duration::from_secs(1));
    assert_eq!(told(&world), [(widgets(), false), (secret("pull"), true)]);
}

#[test]
fn checks_that_hang_hold_up_neither_inventory_nor_rows() {
    let mut world = World::leading();
    let names: Vec<Need> = (0..30).map(|number| secret(&format!("s-{number}"))).collect();
    world.member.mute = true;
    world.send_targets(whole(fence(1, 1), vec![], vec![needing(1, "web", &names)]));
    // The fence, then the row.
    world.member.answer_one();
    world.settle();
    let checks = |world: &World| {
        let check = |(_, call): &&(_, Call)| matches!(call, Call::CheckNeed { .. });
        world.member.muted.iter().filter(check).count()
    };
    assert_eq!(checks(&world), config().needs_in_flight);
    world.member.unmute();
    world.advance(Duration::from_secs(1));
    assert_eq!(told(&world).len(), 30);
}

#[test]
fn what_may_not_be_looked_at_counts_as_there_and_is_logged_once() {
    let mut world = World::leading();
    let needs = [secret("a"), secret("b")];
    world.member.hidden = needs.clone().into();
    world.send_targets(whole(fence(1, 1), vec![], vec![needing(1, "web", &needs)]));
    world.advance(Duration::from_secs(200));
    assert_eq!(told(&world), [(secret("a"), true), (secret("b"), true)]);
    let lines: Vec<_> = world.logs.iter().filter(|line| matches!(line, Log::Unreadable { .. })).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].to_string().contains("forbidden"), "{}", lines[0]);
}

#[test]
fn a_check_without_an_answer_changes_nothing_and_is_tried_again_ever_more_rarely() {
    let mut world = holding(&[widgets()]);
    world.sent.clear();
    let lost = |call: &Call| {
        matches!(call, Call::CheckNeed { .. }).then(|| CallError::Unavailable("timeout".into()))
    };
    world.member.fail = Some(lost);
    world.member.lacks.clear();
    let before = world.member.checks(&widgets());
    world.advance(Duration::from_secs(120));
    assert_eq!(told(&world), [], "what is known is kept");
    let tries = world.member.checks(&widgets()) - before;
    assert!((8..=15).contains(&tries), "{tries}");
    let trouble = |line: &&Log| matches!(line, Log::Trouble { .. });
    assert_eq!(world.logs.iter().filter(trouble).count(), 1, "{:?}", world.logs);
    world.member.fail = None;
    world.advance(Duration::from_secs(31));
    assert_eq!(told(&world), [(widgets(), true)]);
}

#[test]
fn who_does_not_lead_looks_for_nothing_and_knows_nothing() {
    let mut world = holding(&[]);
    world.cut();
    world.until(|world| world.logs.iter().any(|line| matches!(line, Log::Following(_))));
    world.effects.clear();
    world.advance(Duration::from_secs(100));
    let check = |effect: &Effect| matches!(effect, Effect::Call { call: Call::CheckNeed { .. }, .. });
    assert!(!world.effects.iter().any(check));
    world.sent.clear();
    world.welcoming = true;
    world.until(|world| world.reports().any(|report| report.complete));
    world.advance(Duration::from_secs(1));
    // It holds its rows in memory still, and looks for what they need anew.
    assert_eq!(told(&world), [(widgets(), true), (secret("pull"), true)]);
    assert!(world.effects.iter().any(check));
}
