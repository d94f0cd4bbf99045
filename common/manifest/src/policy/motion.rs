//! How a policy moves its workloads.

use std::time::Duration;

use godwit_common::policy::limits::{UNAVAILABLE_MAX, UNREADY_AFTER_MAX, UNREADY_AFTER_MIN};
use godwit_common::policy::{Drift, FailBack, Fencing, Mode, Motion, SURGE_PERCENT, Survivor, UNREADY_AFTER};

use super::gate;
use super::spec::text_of;
use crate::duration;
use crate::field::{Field, Object};

pub(super) fn read(spec: &Object<'_>) -> Motion {
    let mode = mode(spec);
    let max_unavailable = spec.get("maxUnavailable").and_then(|field| field.count(UNAVAILABLE_MAX));
    let max_unavailable = max_unavailable.unwrap_or(mode.default_unavailable());
    let survivors = Survivor::ALL.map(|choice| (choice.name(), choice));
    let ways_back = FailBack::ALL.map(|choice| (choice.name(), choice));
    let drifts = Drift::ALL.map(|choice| (choice.name(), choice));
    let unready_after = spec.get("unreadyAfter").and_then(|field| unready_after(&field));
    Motion {
        mode,
        max_surge: max_surge(spec, mode).unwrap_or(SURGE_PERCENT),
        max_unavailable,
        traffic_gate: gate::read(spec),
        survivor: spec.get("survivor").and_then(|field| field.choice(&survivors)).unwrap_or_default(),
        fail_back: spec.get("failBack").and_then(|field| field.choice(&ways_back)).unwrap_or_default(),
        unready_after: unready_after.unwrap_or(UNREADY_AFTER),
        drift: spec.get("drift").and_then(|field| field.choice(&drifts)).unwrap_or_default(),
    }
}

fn mode(spec: &Object<'_>) -> Mode {
    let at_most = Mode::AtMost(fencing(spec));
    let mode = spec
        .get("mode")
        .and_then(|field| field.choice(&[("available", Mode::Available), ("atMost", at_most)]));
    let mode = mode.unwrap_or_default();
    if let (Mode::Available, Some(fence)) = (mode, spec.get("fence")) {
        fence.refuse("only the mode atMost has a fence", "remove it, or write mode: atMost");
    }
    mode
}

fn fencing(spec: &Object<'_>) -> Fencing {
    let fences = Fencing::ALL.map(|choice| (choice.name(), choice));
    spec.get("fence").and_then(|field| field.choice(&fences)).unwrap_or_default()
}

fn max_surge(spec: &Object<'_>, mode: Mode) -> Option<u32> {
    let field = spec.get("maxSurge")?;
    match mode {
        Mode::Available => percent(&field),
        Mode::AtMost(_) => {
            field.refuse("in the mode atMost nothing starts before another has ended", "remove it");
            None
        }
    }
}

fn percent(field: &Field<'_>) -> Option<u32> {
    let text = field.node.as_text().and_then(|text| text.strip_suffix('%'));
    let percent = text.and_then(|text| text.parse().ok()).filter(|percent| (1..=100).contains(percent));
    if percent.is_none() {
        field.refuse_value("a percentage from 1% to 100%");
    }
    percent
}

fn unready_after(field: &Field<'_>) -> Option<Duration> {
    let given = duration::parse(&text_of(field))
        .filter(|given| (UNREADY_AFTER_MIN..=UNREADY_AFTER_MAX).contains(given));
    if given.is_none() {
        field.refuse_value("a duration from 10s to 24h, such as 5m or 1m30s");
    }
    given
}
