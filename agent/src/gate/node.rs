//! The leases of this node: for which workloads they are wanted, when they are asked for, and what becomes of the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use godwit_common::Uid;
use godwit_gate::clock;
use godwit_proto::agent::lease::Admitted;
use tokio::time::{MissedTickBehavior, interval};

use super::files::Leases;
use super::leader::Leader;

/// How often it is looked for pods that are new.
const LOOKS: Duration = Duration::from_millis(250);
/// How often leases are asked for at the latest, and sooner if they are short.
const ASKS: Duration = Duration::from_secs(5);
/// And while there is something new, or no answer.
const ASKS_AGAIN: Duration = Duration::from_secs(1);
/// For how long a workload that may not run here counts as new.
const NEW: Duration = Duration::from_secs(30);

pub(super) struct Node {
    leases: Leases,
    leader: Leader,
    schedule: Schedule,
    /// Why there was no answer, said once.
    told: Option<String>,
}

/// When to ask.
#[derive(Debug, Default)]
struct Schedule {
    /// Since when each workload has been here.
    known: BTreeMap<Uid, Duration>,
    /// Those that the last answer let run.
    admitted: BTreeSet<Uid>,
    asked: Option<Duration>,
    /// How long after the last question the next one comes, if nothing is new.
    pause: Duration,
}

impl Node {
    pub(super) fn new(leases: Leases, leader: Leader) -> Self {
        Self { leases, leader, schedule: Schedule::default(), told: None }
    }

    pub(super) async fn run(mut self) {
        let mut ticks = interval(LOOKS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(problem) = self.turn().await {
                self.schedule.missed();
                if self.told.as_ref() != Some(&problem) {
                    tracing::warn!(
                        problem,
                        "no leases for this node's pods: what runs stops when the last ones end"
                    );
                    self.told = Some(problem);
                }
            }
        }
    }

    async fn turn(&mut self) -> Result<(), String> {
        let leases = self.leases.clone();
        let lives = blocking(move || leases.lives()).await?;
        if !self.schedule.is_due(clock::now(), &lives) {
            return Ok(());
        }
        // From here on counts what is answered.
        let asked = clock::now();
        self.schedule.asks(asked);
        let lives: Vec<Uid> = lives.into_iter().collect();
        let admitted = self.leader.ask(&lives).await?;
        self.schedule.answered(&admitted);
        let leases = self.leases.clone();
        blocking(move || keep(&leases, &lives, asked, &admitted)).await?;
        if self.told.take().is_some() {
            tracing::info!("leases for this node's pods are renewed again");
        }
        Ok(())
    }
}

/// Writes down what was answered.
fn keep(leases: &Leases, lives: &[Uid], asked: Duration, admitted: &Admitted) -> std::io::Result<()> {
    let Some(lasts) = admitted.lasts else { return Ok(()) };
    let mut failed = None;
    for life in lives {
        let done = match admitted.lives.contains(life) {
            true => leases.grant(*life, asked + lasts),
            false => leases.withdraw(*life),
        };
        failed = failed.or(done.err());
    }
    failed.map_or(Ok(()), Err)
}

impl Schedule {
    fn is_due(&mut self, now: Duration, lives: &BTreeSet<Uid>) -> bool {
        self.known.retain(|life, _| lives.contains(life));
        for life in lives {
            self.known.entry(*life).or_insert(now);
        }
        let Some(asked) = self.asked else { return !lives.is_empty() };
        let is_new = |(life, since): (&Uid, &Duration)| !self.admitted.contains(life) && now < *since + NEW;
        let pause = if self.known.iter().any(is_new) { self.pause.min(ASKS_AGAIN) } else { self.pause };
        !lives.is_empty() && now >= asked + pause
    }

    fn asks(&mut self, now: Duration) {
        self.asked = Some(now);
    }

    fn answered(&mut self, admitted: &Admitted) {
        self.admitted = admitted.lives.iter().copied().collect();
        self.pause = admitted.lasts.map_or(ASKS_AGAIN, |lasts| (lasts / 4).min(ASKS));
    }

    fn missed(&mut self) {
        self.pause = ASKS_AGAIN;
    }
}

/// Files may be slow.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| error.to_string())?.map_err(|error| format!("the folder of the leases: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn lets(lives: &[u128], lasts: u64) -> Admitted {
        Admitted { lasts: Some(at(lasts)), lives: lives.iter().copied().map(Uid).collect() }
    }

    #[test]
    fn s9_leases_are_asked_for_well_before_they_end_and_soon_for_what_is_new() {
        let mut schedule = Schedule::default();
        let (none, one, two) = (BTreeSet::new(), BTreeSet::from([Uid(1)]), BTreeSet::from([Uid(1), Uid(2)]));
        assert!(!schedule.is_due(at(0), &none), "nobody needs one");
        assert!(schedule.is_due(at(1), &one));
        schedule.asks(at(1));
        schedule.answered(&lets(&[1], 60));
        assert!(!schedule.is_due(at(5), &one) && schedule.is_due(at(6), &one));
        // Short leases more often.
        schedule.asks(at(6));
        schedule.answered(&lets(&[1], 8));
        assert!(!schedule.is_due(at(7), &one) && schedule.is_due(at(8), &one));
        schedule.asks(at(8));
        schedule.answered(&lets(&[1], 60));
        // A new one at once, and then every second, but not for ever.
        assert!(schedule.is_due(at(9), &two));
        schedule.asks(at(9));
        schedule.answered(&lets(&[1], 60));
        assert!(
            !schedule.is_due(at(9), &two) && schedule.is_due(at(10), &two) && schedule.is_due(at(38), &two)
        );
        schedule.asks(at(38));
        assert!(!schedule.is_due(at(42), &two) && schedule.is_due(at(43), &two), "it may not run here");
        // Without an answer, too.
        schedule.asks(at(43));
        schedule.missed();
        assert!(schedule.is_due(at(44), &two));
        assert!(!schedule.is_due(at(99), &none));
    }
}
