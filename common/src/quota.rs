//! How much one namespace may hold, over all clusters together (S16).

use std::sync::Arc;

use crate::Resources;

/// The bounds of one namespace. What would exceed one of them waits, with that reason; what runs is not cut.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quota {
    /// The most replicas.
    pub replicas: Option<u64>,
    /// The most CPU requested, in thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// The most memory requested, in bytes.
    pub memory_bytes: Option<u64>,
    /// The most ephemeral storage requested, in bytes.
    pub ephemeral_bytes: Option<u64>,
    /// The most of each extended resource, sorted by name; others are not bounded.
    pub extended: Vec<(Arc<str>, u64)>,
}

/// What of a quota is used up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exhausted {
    /// The replicas.
    Replicas,
    /// The CPU.
    Cpu,
    /// The memory.
    Memory,
    /// The ephemeral storage.
    EphemeralStorage,
    /// An extended resource.
    Extended(Arc<str>),
}

/// What a namespace's replicas amount to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// How many there are.
    pub replicas: u64,
    /// What they ask for.
    pub requests: Resources,
}

impl Quota {
    /// How many more replicas of a request fit beside what is used, and what ends them; none: any number.
    pub fn fits(&self, used: &Usage, request: &Resources) -> Option<(u64, Exhausted)> {
        let times = |bound: Option<u64>, used: u64, asked: u64| {
            bound.and_then(|bound| bound.saturating_sub(used).checked_div(asked))
        };
        let requests = &used.requests;
        let standard = [
            (times(self.replicas, used.replicas, 1), Exhausted::Replicas),
            (times(self.cpu_millis, requests.cpu_millis, request.cpu_millis), Exhausted::Cpu),
            (times(self.memory_bytes, requests.memory_bytes, request.memory_bytes), Exhausted::Memory),
            (
                times(self.ephemeral_bytes, requests.ephemeral_bytes, request.ephemeral_bytes),
                Exhausted::EphemeralStorage,
            ),
        ];
        let extended = self.extended.iter().map(|(name, bound)| {
            let fits = times(Some(*bound), requests.extended(name), request.extended(name));
            (fits, Exhausted::Extended(name.clone()))
        });
        let all = standard.into_iter().chain(extended);
        all.filter_map(|(fits, what)| Some((fits?, what))).min_by_key(|(fits, _)| *fits)
    }
}

impl Usage {
    /// So many replicas of a request more.
    pub fn add(&mut self, request: &Resources, replicas: u64) {
        self.replicas = self.replicas.saturating_add(replicas);
        self.requests.add(request, replicas);
    }

    /// So many replicas of a request less.
    pub fn subtract(&mut self, request: &Resources, replicas: u64) {
        self.replicas = self.replicas.saturating_sub(replicas);
        self.requests.subtract(request, replicas);
    }
}

impl std::fmt::Display for Exhausted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Replicas => "replicas",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::EphemeralStorage => "ephemeral-storage",
            Self::Extended(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_bound_decides() {
        let request =
            Resources { cpu_millis: 500, pods: 1, extended: vec![("gpu".into(), 1)], ..Resources::default() };
        let mut used = Usage::default();
        used.add(&request, 4);
        let mut quota = Quota::default();
        assert_eq!(quota.fits(&used, &request), None);
        quota.cpu_millis = Some(4000);
        assert_eq!(quota.fits(&used, &request), Some((4, Exhausted::Cpu)));
        quota.replicas = Some(3);
        assert_eq!(quota.fits(&used, &request), Some((0, Exhausted::Replicas)));
        quota.replicas = Some(30);
        quota.extended = vec![("gpu".into(), 5)];
        assert_eq!(quota.fits(&used, &request), Some((1, Exhausted::Extended("gpu".into()))));
        used.subtract(&request, 4);
        assert_eq!(used, Usage::default());
    }
}
