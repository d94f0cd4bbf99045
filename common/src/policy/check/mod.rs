//! What no policy may say, wherever it was read from. Limits are for those who read: see [`limits`](super::limits).

mod overrides;
mod parts;
mod reach;
mod rules;
mod selectors;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::limits::PRIORITY_MAX;
use super::mistake::{Mistake, Step};
use super::{Affinity, Policy};

/// The most mistakes that are named: enough to mend a policy in one go, few enough to read.
const MISTAKES_MAX: usize = 32;

/// Looks through a policy, and knows where it is.
#[derive(Debug, Default)]
struct Check {
    at: Vec<Step>,
    mistakes: Vec<Mistake>,
}

impl Policy {
    /// What is wrong with it; nothing if replicas can be divided by it.
    #[must_use]
    pub fn check(&self) -> Vec<Mistake> {
        let mistakes = self.check_parts();
        // What is wrong in a part may be why the whole does not work.
        if !mistakes.is_empty() {
            return mistakes;
        }
        reach::check(self).into_iter().collect()
    }

    /// The same, but that there may be no cluster that ever gets a replica: a preview may ask what comes of that.
    #[must_use]
    pub fn check_parts(&self) -> Vec<Mistake> {
        let Self {
            strategy,
            selector,
            fallback,
            tolerations,
            affinity: Affinity { with, without, colocate: _ },
            default: _,
            clusters: _,
            rules: _,
            rebalance: _,
            priority,
            preemptible: _,
            // Every value that it can have goes with every policy.
            motion,
            rollout,
            data: _,
            divide: _,
            prestage: _,
            export_services: _,
            overrides,
        } = self;
        let mut check = Check::default();
        check.field("spread", |check| parts::constraints(check, strategy.constraints()));
        let tiers = strategy.tiers().map_or(&[][..], |tiers| tiers.selectors());
        check.items("tiers", tiers, selectors::clusters);
        check.field("clusterSelector", |check| selectors::clusters(check, selector));
        check.field("fallback", |check| parts::fallback(check, strategy, fallback));
        check.items("fallback", fallback, selectors::clusters);
        check.items("tolerations", tolerations, parts::toleration);
        check.items("affinity", with, selectors::workloads);
        check.items("antiAffinity", without, parts::away_from);
        check.field("rollout", |check| parts::rollout(check, rollout));
        check.field("overrides", |check| overrides::overrides(check, overrides));
        rules::check(&mut check, self);
        if !(-PRIORITY_MAX..=PRIORITY_MAX).contains(priority) {
            let remedy = format!("give a number from -{PRIORITY_MAX} to {PRIORITY_MAX}");
            check.field("priority", |check| check.refuse(format!("{priority} is out of range"), remedy));
        }
        if motion.is_at_most() && motion.max_unavailable == 0 {
            let remedy = "give 1 or more, or leave it out";
            let problem =
                "0 leaves no way to move anything in the mode atMost, where the old copy stops first";
            check.field("maxUnavailable", |check| check.refuse(problem, remedy));
        }
        check.mistakes
    }
}

impl Check {
    /// Looks into something that stands one step inwards.
    fn within(&mut self, step: Step, look: impl FnOnce(&mut Self)) {
        self.at.push(step);
        look(self);
        self.at.pop();
    }

    fn field(&mut self, name: &'static str, look: impl FnOnce(&mut Self)) {
        self.within(Step::Field(name), look);
    }

    fn items<T>(&mut self, name: &'static str, items: &[T], look: impl Fn(&mut Self, &T)) {
        self.field(name, |check| {
            for (index, item) in items.iter().enumerate() {
                check.within(Step::Item(index), |check| look(check, item));
            }
        });
    }

    /// Something is wrong here.
    fn refuse(&mut self, problem: impl Into<String>, remedy: impl Into<Cow<'static, str>>) {
        if self.mistakes.len() < MISTAKES_MAX {
            self.mistakes.push(Mistake::new(&self.at, problem, remedy));
        }
    }
}
