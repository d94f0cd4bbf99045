//! The traffic gate: what a planned shrink waits for, so that nobody is sent to a replica that stops (S20).

use std::time::Duration;

/// What has to pass before ready replicas stop for which others suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TrafficGate {
    /// Nothing.
    #[default]
    None,
    /// So much time, in which whoever routes traffic can see that they will stop.
    Delay(Duration),
    /// Whoever routes traffic says that none goes to them any more.
    Ack,
}

impl TrafficGate {
    /// All there are; `delay` with the time that it has unless a policy says another.
    pub const ALL: [Self; 3] = [Self::None, Self::Delay(Duration::from_secs(15)), Self::Ack];

    /// Its name, as policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Delay(_) => "delay",
            Self::Ack => "ack",
        }
    }

    /// The time of `delay`.
    pub fn delay(self) -> Option<Duration> {
        match self {
            Self::Delay(delay) => Some(delay),
            Self::None | Self::Ack => None,
        }
    }

    /// The same with another time; none if it has no time.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Option<Self> {
        self.delay().map(|_| Self::Delay(delay))
    }
}
