//! Taints of clusters, and what a policy tolerates of them.

use godwit_common::policy::{ClusterToleration, Tolerated};
use godwit_common::{Taint, TaintEffect};

use crate::candidate::Growth;
use crate::report::Barrier;

/// How a policy stands towards the taints of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stance {
    /// Whether the taints let it grow there, or stay.
    pub growth: Growth,
    /// Whether it goes there only when no other cluster will do.
    pub avoided: bool,
    /// After so many seconds more it may no longer stay.
    pub leaves_in: Option<u32>,
}

/// How a policy that tolerates these stands towards the taints of a cluster. Each taint comes with the seconds since it
/// was added.
///
/// A taint with the effect `NoExecute` that is tolerated for a time lets what runs stay until then; nothing new is placed
/// beside it, which would have to leave soon.
pub fn stance<'a>(
    tolerations: &[ClusterToleration],
    taints: impl IntoIterator<Item = (&'a Taint, u32)>,
) -> Stance {
    let mut stance = Stance { growth: Growth::Allowed, avoided: false, leaves_in: None };
    for (taint, age) in taints {
        let tolerated = ClusterToleration::tolerated(tolerations, taint);
        let barrier = || Barrier::Tainted(taint_text(taint).into());
        match (taint.effect, tolerated) {
            (_, Some(Tolerated::Forever)) => {}
            (TaintEffect::PreferNoSchedule, Some(Tolerated::Seconds(_)) | None) => stance.avoided = true,
            (TaintEffect::NoSchedule, Some(Tolerated::Seconds(_))) => {}
            (TaintEffect::NoSchedule, None) => stance.close(barrier()),
            (TaintEffect::NoExecute, Some(Tolerated::Seconds(seconds))) if age < seconds => {
                stance.close(barrier());
                let left = seconds - age;
                stance.leaves_in = Some(stance.leaves_in.map_or(left, |other| other.min(left)));
            }
            (TaintEffect::NoExecute, Some(Tolerated::Seconds(_)) | None) => {
                stance.growth = Growth::Excluded(barrier());
            }
        }
    }
    stance
}

impl Stance {
    fn close(&mut self, barrier: Barrier) {
        if self.growth == Growth::Allowed {
            self.growth = Growth::Closed(barrier);
        }
    }
}

/// A taint as `kubectl` writes it.
pub fn taint_text(taint: &Taint) -> String {
    let effect = taint.effect.name();
    match &*taint.value {
        "" => format!("{}:{effect}", taint.key),
        value => format!("{}={value}:{effect}", taint.key),
    }
}

#[cfg(test)]
mod tests {
    use godwit_common::Toleration;

    use super::*;

    fn taint(key: &str, effect: TaintEffect) -> Taint {
        Taint { key: key.into(), value: "".into(), effect }
    }

    fn toleration(key: &str, seconds: Option<u32>) -> ClusterToleration {
        ClusterToleration { taints: Toleration { key: Some(key.into()), ..Toleration::default() }, seconds }
    }

    #[test]
    fn each_effect_has_its_own_consequence() {
        use TaintEffect::{NoExecute, NoSchedule, PreferNoSchedule};
        let tolerations = [toleration("a", None), toleration("b", Some(60))];
        let of =
            |taints: &[(Taint, u32)]| stance(&tolerations, taints.iter().map(|(taint, age)| (taint, *age)));
        let tainted = |taint: &str| Barrier::Tainted(taint.into());
        assert_eq!(of(&[]).growth, Growth::Allowed);
        assert_eq!(of(&[(taint("a", NoSchedule), 0), (taint("a", NoExecute), 0)]).growth, Growth::Allowed);
        assert_eq!(of(&[(taint("c", NoSchedule), 0)]).growth, Growth::Closed(tainted("c:NoSchedule")));
        assert!(of(&[(taint("c", PreferNoSchedule), 0)]).avoided);
        assert!(!of(&[(taint("a", PreferNoSchedule), 0)]).avoided);
        assert_eq!(of(&[(taint("c", NoExecute), 0)]).growth, Growth::Excluded(tainted("c:NoExecute")));
        let timed = of(&[(taint("b", NoExecute), 20)]);
        assert_eq!(timed.growth, Growth::Closed(tainted("b:NoExecute")));
        assert_eq!(timed.leaves_in, Some(40));
        assert_eq!(of(&[(taint("b", NoExecute), 60)]).growth, Growth::Excluded(tainted("b:NoExecute")));
    }

    #[test]
    fn the_gravest_taint_decides() {
        let gone = taint("x", TaintEffect::NoExecute);
        let closed = taint("y", TaintEffect::NoSchedule);
        let out = Growth::Excluded(Barrier::Tainted("x:NoExecute".into()));
        assert_eq!(stance(&[], [(&gone, 0), (&closed, 0)]).growth, out);
        assert_eq!(stance(&[], [(&closed, 0), (&gone, 0)]).growth, out);
    }
}
