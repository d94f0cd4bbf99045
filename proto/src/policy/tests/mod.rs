//! Policies there and back, and whatever else may come in.

mod refusals;
mod samples;

use godwit_common::policy::{Fencing, Mode, Motion, Rule, Strategy, Tiers, TrafficGate};
use godwit_common::{TaintEffect, Toleration};

use samples::{constraints, everything, named, terms};

use super::*;

#[test]
fn a_policy_with_everything_comes_back_as_it_was() {
    let tiers = Tiers::new(vec![everything("east"), named(&["west", "far"])]).unwrap();
    for strategy in [
        Strategy::Weighted,
        Strategy::Capacity,
        Strategy::Spread(Vec::new()),
        Strategy::Spread(constraints()),
        Strategy::Pack,
        Strategy::Ordered(tiers),
        Strategy::Duplicate,
    ] {
        let terms = terms(strategy);
        let wire = to_wire(&terms.placement, terms.lost_after);
        assert_eq!(from_wire("", &wire), Ok(terms));
    }
}

#[test]
fn what_may_run_only_once_comes_back_as_it_was() {
    let motion = Motion { mode: Mode::AtMost(Fencing::Confirm), max_unavailable: 2, ..Motion::default() };
    let wire = to_wire(&Policy { motion, ..Policy::default() }, None);
    assert_eq!((&*wire.mode, &*wire.fence, wire.max_surge_percent), ("at_most", "confirm", None));
    assert_eq!(from_wire("", &wire).map(|terms| terms.placement.motion), Ok(motion));
    let gated = Motion { mode: Mode::AtMost(Fencing::Gate), ..motion };
    let wire = to_wire(&Policy { motion: gated, ..Policy::default() }, None);
    assert_eq!(&*wire.fence, "gate");
    assert_eq!(from_wire("", &wire).map(|terms| terms.placement.motion), Ok(gated));
    // One replica at a time is the least, and the default.
    let least = v1::PolicySpec { mode: "at_most".into(), ..v1::PolicySpec::default() };
    let motion = Motion { max_unavailable: 1, ..motion };
    assert_eq!(from_wire("", &least).map(|terms| terms.placement.motion), Ok(motion));
}

#[test]
fn bounds_of_rules_come_back_as_they_were() {
    let rule = |weight, min, max| Rule::new(weight, min, max).unwrap();
    let most = i32::MAX as u32;
    let placement = Policy {
        default: Some(rule(most, 0, None)),
        clusters: [("east".parse().unwrap(), rule(7, 2, Some(most)))].into(),
        rules: vec![(named(&["west"]), rule(1, most, Some(most)))],
        ..Policy::default()
    };
    let wire = to_wire(&placement, None);
    assert_eq!(from_wire("", &wire), Ok(Terms { placement, ..Terms::default() }));
}

#[test]
fn an_empty_message_is_the_default_policy() {
    assert_eq!(from_wire("", &v1::PolicySpec::default()), Ok(Terms::default()));
    let written = to_wire(&Policy::default(), None);
    assert_eq!((&*written.strategy, &*written.mode, &*written.rebalance), ("weighted", "available", "never"));
    assert_eq!(written.cluster_selector, None);
}

#[test]
fn a_gate_without_a_delay_has_the_usual_one() {
    let gate = |mode: &str| {
        let wire = v1::TrafficGate { mode: mode.to_owned(), delay: None };
        let spec = v1::PolicySpec { traffic_gate: Some(wire), ..Default::default() };
        from_wire("", &spec).unwrap().placement.motion.traffic_gate
    };
    let gates = ["", "none", "delay", "ack"].map(gate);
    let usual = TrafficGate::Delay(Duration::from_secs(15));
    assert_eq!(gates, [TrafficGate::None, TrafficGate::None, usual, TrafficGate::Ack]);
    assert_eq!(to_wire(&Policy::default(), None).traffic_gate, None);
}

#[test]
fn what_a_toleration_leaves_out_tolerates_all_of_it() {
    let wire = |key: &str, operator: &str, value: &str, effect: &str| v1::ClusterToleration {
        key: key.to_owned(),
        operator: operator.to_owned(),
        value: value.to_owned(),
        effect: effect.to_owned(),
        toleration_seconds: None,
    };
    let read = |wire: v1::ClusterToleration| {
        let spec = v1::PolicySpec { tolerations: vec![wire], ..Default::default() };
        let [toleration] = &from_wire("", &spec).unwrap().placement.tolerations[..] else { panic!("one") };
        let Toleration { key, value, effect } = &toleration.taints;
        (key.as_deref().map(str::to_owned), value.as_deref().map(str::to_owned), *effect)
    };
    let own = |text: &str| Some(text.to_owned());
    assert_eq!(read(wire("", "Exists", "", "")), (None, None, None));
    assert_eq!(read(wire("gpu", "Exists", "", "")), (own("gpu"), None, None));
    assert_eq!(read(wire("gpu", "", "", "")), (own("gpu"), own(""), None));
    let equal = read(wire("gpu", "Equal", "a", "NoSchedule"));
    assert_eq!(equal, (own("gpu"), own("a"), Some(TaintEffect::NoSchedule)));
}
