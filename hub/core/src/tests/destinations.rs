//! A drain that says where what leaves may go: S20, S22.

use godwit_common::policy::{ClusterSelector, Rebalance};
use godwit_common::selector::LabelSelector;

use super::drains::{drain, order, state, try_to};
use super::fixture::{Fixture, cluster, policy, shares};
use super::shortage::{pass, scale};
use crate::{Changes, Command, DrainOrder, DrainState, DrainTerms, RefusedKind};

fn names(names: &[&str]) -> ClusterSelector {
    ClusterSelector::of_names(names.iter().map(|name| cluster(name)))
}

fn labelled(key: &str, value: &str) -> ClusterSelector {
    let labels = LabelSelector { labels: [(key.into(), value.into())].into(), ..LabelSelector::default() };
    ClusterSelector { labels, ..ClusterSelector::default() }
}

fn to(selector: ClusterSelector) -> DrainOrder {
    DrainOrder::Start(DrainTerms { to: Some(selector), ..DrainTerms::default() })
}

fn drain_to(fixture: &mut Fixture, name: &str, selector: ClusterSelector) -> Changes {
    order(fixture, name, to(selector))
}

fn member<'f>(fixture: &'f mut Fixture, name: &str) -> &'f mut super::fixture::Member {
    fixture.members.get_mut(&cluster(name)).expect("a member")
}

/// `web` runs evenly in these clusters, four replicas in each.
fn even(clusters: &[(&str, u32)]) -> Fixture {
    let mut fixture = Fixture::new(clusters);
    let replicas = 4 * u32::try_from(clusters.len()).unwrap();
    fixture.run("web", replicas, policy("even", &[]));
    pass(&mut fixture, 2);
    fixture
}

fn label(fixture: &mut Fixture, name: &str, key: &str, value: &str) {
    let set = [(key.into(), value.into())].into();
    let command = Command::Label { cluster: cluster(name), set, remove: Default::default() };
    fixture.command(command).expect("a good label");
}

#[test]
fn s20_what_leaves_goes_only_where_the_drain_says() {
    let mut fixture = even(&[("alpha", 40), ("bravo", 40), ("charlie", 40)]);
    let changes = drain_to(&mut fixture, "alpha", names(&["charlie"]));
    assert_eq!(changes.plans[0].counts, [(cluster("alpha"), 4, 0), (cluster("charlie"), 4, 8)]);
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("bravo", 4), ("charlie", 8)]));
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Done));
    // It is over: the next goes anywhere.
    scale(&mut fixture, "web", 16);
    assert_eq!(fixture.plan(), shares(&[("bravo", 8), ("charlie", 8)]));
}

#[test]
fn s20_what_does_not_fit_there_waits_with_that_reason_over_a_restart() {
    let mut fixture = even(&[("alpha", 40), ("bravo", 40), ("charlie", 6)]);
    drain_to(&mut fixture, "alpha", labelled("tier", "new"));
    assert_eq!(fixture.web().pending, 4, "no cluster has the label");
    label(&mut fixture, "charlie", "tier", "new");
    pass(&mut fixture, 40);
    assert_eq!(fixture.running(), shares(&[("alpha", 2), ("bravo", 4), ("charlie", 6)]));
    for name in ["alpha", "bravo", "charlie"] {
        fixture.disconnect(name);
    }
    fixture.restart();
    for name in ["alpha", "bravo", "charlie"] {
        fixture.connect(name);
    }
    pass(&mut fixture, 40);
    assert_eq!(fixture.running(), shares(&[("alpha", 2), ("bravo", 4), ("charlie", 6)]));
    let reasons = fixture.web().pending_reasons.join("; ");
    assert!(
        reasons.contains("bravo: gets nothing new: what leaves alpha goes to tier=new only"),
        "{reasons}"
    );
    assert_eq!(fixture.reason("web", "bravo"), "gets nothing new: what leaves alpha goes to tier=new only");
    member(&mut fixture, "charlie").cores = 40;
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("bravo", 4), ("charlie", 8)]));
}

#[test]
fn s20_more_replicas_than_leave_are_not_bound() {
    let mut fixture = even(&[("alpha", 40), ("bravo", 40), ("charlie", 4)]);
    drain_to(&mut fixture, "alpha", names(&["charlie"]));
    pass(&mut fixture, 10);
    assert_eq!((fixture.plan(), fixture.web().pending), (shares(&[("bravo", 4), ("charlie", 4)]), 4));
    scale(&mut fixture, "web", 15);
    assert_eq!((fixture.plan(), fixture.web().pending), (shares(&[("bravo", 7), ("charlie", 4)]), 4));
    // Once they have come, the rest still waits.
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("alpha", 4), ("bravo", 7), ("charlie", 4)]));
    // What waits no longer where it was said may go anywhere.
    drain(&mut fixture, "alpha");
    assert_eq!((fixture.plan(), fixture.web().pending), (shares(&[("bravo", 11), ("charlie", 4)]), 0));
}

#[test]
fn s22_a_loss_is_not_bound_by_where_a_drain_goes() {
    let mut fixture = even(&[("alpha", 40), ("bravo", 40), ("charlie", 4), ("delta", 40)]);
    drain_to(&mut fixture, "alpha", names(&["charlie"]));
    pass(&mut fixture, 10);
    assert_eq!(fixture.web().pending, 4);
    fixture.disconnect("delta");
    pass(&mut fixture, 12);
    assert_eq!((fixture.plan(), fixture.web().pending), (shares(&[("bravo", 8), ("charlie", 4)]), 4));
    // And if the drained one is lost, it is a drain no longer.
    fixture.disconnect("alpha");
    pass(&mut fixture, 120);
    assert_eq!((fixture.plan(), fixture.web().pending), (shares(&[("bravo", 12), ("charlie", 4)]), 0));
}

#[test]
fn s20_of_several_drains_any_destination_will_do() {
    let mut fixture = even(&[("alpha", 40), ("bravo", 40), ("charlie", 6), ("delta", 6), ("echo", 40)]);
    drain_to(&mut fixture, "alpha", names(&["charlie"]));
    drain_to(&mut fixture, "bravo", names(&["delta"]));
    for _ in 0..240 {
        fixture.pass(std::time::Duration::from_millis(500));
        assert!(fixture.web().ready >= 20, "{:?}", fixture.running());
    }
    let running = fixture.running();
    assert_eq!(running, shares(&[("alpha", 2), ("bravo", 2), ("charlie", 6), ("delta", 6), ("echo", 4)]));
    member(&mut fixture, "delta").cores = 40;
    pass(&mut fixture, 120);
    assert_eq!(fixture.running(), shares(&[("charlie", 6), ("delta", 10), ("echo", 4)]));
}

#[test]
fn s20_balance_does_not_lead_elsewhere() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40), ("charlie", 40)]);
    let mut always = policy("even", &[]);
    always.placement.rebalance = Rebalance::Always;
    fixture.run("web", 12, always);
    pass(&mut fixture, 2);
    drain_to(&mut fixture, "alpha", names(&["charlie"]));
    pass(&mut fixture, 4);
    assert_eq!(fixture.plan(), shares(&[("bravo", 4), ("charlie", 8)]), "not six and six, while it runs");
}

#[test]
fn s20_an_odd_destination_is_refused() {
    let mut fixture = even(&[("alpha", 40), ("bravo", 40)]);
    for (selector, kind, says) in [
        (names(&["zulu"]), RefusedKind::NotFound, "cluster zulu is not a member"),
        (names(&["alpha"]), RefusedKind::InvalidArgument, "to: cluster alpha is the one that is drained"),
    ] {
        let refused = try_to(&mut fixture, "alpha", to(selector)).expect_err("odd");
        assert_eq!(refused.kind, kind);
        assert!(refused.message.starts_with(says), "{}", refused.message);
    }
    assert_eq!(state(&fixture, "alpha"), None, "nothing was begun");
}
