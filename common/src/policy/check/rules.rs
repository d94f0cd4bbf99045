//! Rules, and whether they go with the strategy: what a strategy does not heed, it refuses.

use super::{Check, selectors};
use crate::policy::mistake::Step;
use crate::policy::{Policy, Rule, Strategy, Tiers};

pub(super) fn check(check: &mut Check, policy: &Policy) {
    let Policy { strategy, default, clusters, rules, .. } = policy;
    check.field("clusters", |check| {
        for (cluster, own) in clusters {
            check.within(Step::Entry(cluster.as_str().into()), |check| {
                rule(check, strategy, *own);
                if strategy.tiers().is_some_and(|tiers: &Tiers| !tiers.may_hold(cluster)) {
                    let problem = "it is in no tier, so it never gets anything";
                    check.refuse(problem, "add it to one, or leave it out");
                }
            });
        }
    });
    check.items("rules", rules, |check, (selector, own)| {
        rule(check, strategy, *own);
        check.field("clusterSelector", |check| {
            selectors::clusters(check, selector);
            if selector.is_empty() {
                let remedy = "say which clusters it is for (a rule for all others is the policy's default)";
                check.refuse("it chooses all clusters", remedy);
            }
        });
    });
    if let Some(default) = default {
        check.field("default", |check| rule(check, strategy, *default));
    }
}

fn rule(check: &mut Check, strategy: &Strategy, rule: Rule) {
    let (weight, min, max) = (rule.weight(), rule.min(), rule.max());
    let (heeds_weights, heeds_bounds) = match strategy {
        Strategy::Weighted | Strategy::Ordered(_) => (true, true),
        Strategy::Capacity | Strategy::Spread(_) | Strategy::Pack => (false, true),
        Strategy::Duplicate => (false, false),
    };
    if !heeds_weights && weight > 1 {
        let problem = format!("{weight} is not valid here: only weighted and ordered heed weights above 1");
        check.field("weight", |check| check.refuse(problem, "leave it out, or give 0 for none"));
    }
    if !heeds_bounds && (min > 0 || max.is_some()) {
        check.refuse("min, max: with duplicate every cluster runs the full number", "leave them out");
    }
    if !strategy.constraints().is_empty() && min > 0 {
        let problem = format!("{min} is not valid here: a minimum breaks the constraints of spread");
        check.field("min", |check| check.refuse(problem, "leave one of them out"));
    }
}
