//! One authority takes the place of another, in three steps. Each is written down before it counts, and can be said again: what
//! a crash has left undone of it is done then, or at the next start.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use godwit_certs::{Authority, Beside, Ledger, OutOfTurn, Pin, Signed, Step, seconds};
use godwit_common::ClusterName;
use tokio::task::spawn_blocking;

use super::holders::Behind;
use super::own::Own;
use super::place::Found;
use super::standing::{Published, Standing};
use super::trial::try_out;

/// Which step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Prepare,
    /// Back to where it was before the next one was prepared.
    Abandon,
    Switch,
    Finish,
}

/// Who has to be thought of.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// The clusters of the federation.
    pub(crate) clusters: Vec<ClusterName>,
    /// Tokens that may still be shown.
    pub(crate) tokens: Vec<HeldToken>,
    /// When the certificate was made, in seconds since 1970, of the operator who asks.
    pub(crate) asking: Option<u64>,
}

/// A token that may still be shown, for the first time or because the answer was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldToken {
    /// When it was made, in seconds since 1970.
    pub(crate) made: u64,
    /// What it is called.
    pub(crate) id: String,
    /// The cluster that has used it, unless it waits for an operator's word: it has the answer once an agent of it is here.
    pub(crate) used: Option<ClusterName>,
}

/// What came of a step.
#[derive(Debug)]
pub(crate) struct Turned {
    /// It was taken now, and not before.
    pub(crate) has_changed: bool,
    /// What of all that follows from it did not work.
    pub(crate) unfinished: Option<anyhow::Error>,
}

/// Why a step is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It cannot follow, or its files are not there, or it comes too early.
    #[error("{0}")]
    NotYet(String),
    /// Something here does not work.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

/// How it stands.
pub(crate) struct Overview {
    pub(crate) step: Step,
    pub(crate) signing: Known,
    pub(crate) beside: Option<Known>,
    pub(crate) times: Option<Beside>,
    /// What the next step waits for.
    pub(crate) missing: Vec<String>,
    pub(crate) bundle: String,
}

/// One of the authorities.
pub(crate) struct Known {
    pub(crate) pin: Pin,
    pub(crate) ends: SystemTime,
    pub(crate) signed: Signed,
}

impl Own {
    /// How it stands.
    pub(crate) fn overview(&self, members: &Members) -> Overview {
        let published = self.published();
        let Published { ledger, ends, beside_ends, bundle } = &*published;
        let known = |signed: Signed, ends| Known { pin: signed.authority, ends, signed };
        let beside = ledger.beside.zip(*beside_ends);
        Overview {
            step: ledger.step(),
            signing: known(ledger.signing, *ends),
            beside: beside.map(|(beside, ends)| known(beside.other, ends)),
            times: ledger.beside,
            missing: self.missing(ledger, members),
            bundle: bundle.clone(),
        }
    }

    /// Takes a step, by force although something is missing.
    pub(crate) async fn turn(
        self: &Arc<Self>,
        turn: Turn,
        members: Members,
        force: bool,
    ) -> Result<Turned, Refusal> {
        let own = Arc::clone(self);
        // Nothing is signed meanwhile.
        let take = move || own.alone(|standing| own.take_turn(standing, turn, &members, force));
        spawn_blocking(take).await.context("the step panicked; this is a fault of godwit-hub")?
    }

    fn take_turn(
        &self,
        standing: &mut Standing,
        turn: Turn,
        members: &Members,
        force: bool,
    ) -> Result<Turned, Refusal> {
        let lock = self.place.lock()?;
        let found = self.place.look_again()?;
        let next = self.step(turn, &found, members, force)?;
        let has_changed = next.is_some();
        // What the hub is to be from then on is there before it is written down.
        let found = next.map_or(Ok(found), |next| self.place.find(next))?;
        let next = Standing::of(found).context("the authorities do not work")?;
        if has_changed {
            self.place.write(&next.found.ledger)?;
        }
        *standing = next;
        let tidied = self.place.tidy(&standing.found);
        drop(lock);
        let followed = self.follow(turn, standing);
        Ok(Turned { has_changed, unfinished: tidied.and(followed).err() })
    }

    /// What the ledger is to say after a step; none if it says so already.
    fn step(
        &self,
        turn: Turn,
        found: &Found,
        members: &Members,
        force: bool,
    ) -> Result<Option<Ledger>, Refusal> {
        let ledger = &found.ledger;
        let now = seconds(SystemTime::now());
        let next = match turn {
            Turn::Prepare if ledger.step() == Step::Settled => {
                let next = self.place.next(ledger.signing.authority);
                let next = next.map_err(|error| Refusal::NotYet(format!("{error:#}")))?;
                self.try_out(&found.signing, &next)?;
                ledger.prepare(next.pin(), now)
            }
            // Which one it would be does not matter: none is made.
            Turn::Prepare => ledger.prepare(ledger.signing.authority, now),
            Turn::Abandon => ledger.abandon(now),
            Turn::Switch => ledger.switch(now),
            Turn::Finish => ledger.finish(now),
        };
        let Some(next) = next.map_err(|out_of_turn| Refusal::NotYet(words(out_of_turn)))? else {
            return Ok(None);
        };
        let missing = match turn {
            // Whoever trusts the prepared one trusts the one that signs, too.
            Turn::Prepare | Turn::Abandon => Vec::new(),
            Turn::Switch | Turn::Finish => self.missing(ledger, members),
        };
        if !missing.is_empty() && !force {
            return Err(Refusal::NotYet(too_early(turn, &missing)));
        }
        if let (Turn::Switch, Some(beside)) = (turn, &found.beside) {
            self.try_out(&found.signing, beside).map_err(or_abandon)?;
        }
        Ok(Some(next))
    }

    /// What follows from a step that is written down: each part whether the others work or not, and again if the step is said
    /// again.
    fn follow(&self, turn: Turn, standing: &Standing) -> anyhow::Result<()> {
        let shown = self.show(standing);
        // Handshakes see the new ones by now; whoever is connected already is looked at again.
        let vouched = standing.vouching().map(|vouching| drop(self.vouching.send_replace(Some(vouching))));
        // So that agents, too, trust whom they are to trust, and nobody else.
        self.holders.renew_up_to(standing.found.ledger.outdated());
        // Nobody trusts it by now, whether its files go or not.
        let discarded = match turn {
            Turn::Abandon => self.place.discard(&standing.found),
            Turn::Prepare | Turn::Switch | Turn::Finish => Ok(()),
        };
        shown.and(vouched).and(discarded)
    }

    /// Nothing is written down that the hub could not start with.
    fn try_out(&self, former: &Authority, next: &Authority) -> Result<(), Refusal> {
        let tried = try_out(former, next, &self.names, self.hub_validity);
        tried.map_err(|error| Refusal::NotYet(format!("{error:#}")))
    }

    /// What the next step has to wait for, in words.
    fn missing(&self, ledger: &Ledger, members: &Members) -> Vec<String> {
        let now = seconds(SystemTime::now());
        let Some(beside) = &ledger.beside else { return Vec::new() };
        match beside.switched {
            None => missing_to_switch(beside, &self.holders.behind(&members.clusters, beside.prepared), now),
            Some(switched) => {
                let behind = self.holders.behind(&members.clusters, switched);
                missing_to_finish(&beside.other, (switched, &behind), members, now)
            }
        }
    }
}

/// Whoever knows only the former authority is led to the next one by its word for it; but others than our own agents may not
/// follow, so it is the exception.
fn missing_to_switch(beside: &Beside, behind: &Behind, now: u64) -> Vec<String> {
    // All that was signed before has ended: who has that comes back over the port for enrolment.
    if now >= beside.outlived {
        return Vec::new();
    }
    let mut missing = Vec::new();
    let Behind { away, outdated } = behind;
    let left = about(beside.outlived - now);
    if !outdated.is_empty() {
        missing.push(format!(
            "agents of {} have not renewed their certificates since the next authority was prepared; they are asked to",
            names(outdated)
        ));
    }
    if !away.is_empty() {
        missing.push(format!(
            "no agent of {} is connected, so these may not trust the next authority yet; what they have ends within {left}",
            names(away)
        ));
    }
    missing
}

fn missing_to_finish(
    former: &Signed,
    (switched, behind): (u64, &Behind),
    members: &Members,
    now: u64,
) -> Vec<String> {
    let mut missing = Vec::new();
    let Behind { away, outdated } = behind;
    if !outdated.is_empty() {
        missing.push(format!(
            "agents of {} have certificates of the former authority; they are asked to renew them",
            names(outdated)
        ));
    }
    if !away.is_empty() {
        missing.push(format!(
            "no agent of {} is connected: with a certificate of the former authority, ended or not, these come back only as \
             long as that is trusted, and with a join token after that",
            names(away)
        ));
    }
    let Signed { authority: _, agents_until, operators_until } = former;
    for (whose, until) in [("agents", agents_until), ("operators", operators_until)] {
        if *until > now {
            let left = about(until - now);
            missing.push(format!(
                "certificates of {whose} that the former authority has signed may last for another {left}"
            ));
        }
    }
    if members.asking.is_some_and(|issued| issued <= switched) {
        missing.push("your own certificate is among these: it opens nothing any more after that".to_owned());
    }
    let is_here = |cluster: &ClusterName| members.clusters.contains(cluster) && !away.contains(cluster);
    let counts = |token: &&HeldToken| token.made <= switched && !token.used.as_ref().is_some_and(is_here);
    let tokens: Vec<&str> = members.tokens.iter().filter(counts).map(|token| &*token.id).collect();
    if !tokens.is_empty() {
        missing.push(format!(
            "tokens know the hub by the former authority, and may still be shown, by those who wait or ask again too: {}",
            listed(&tokens)
        ));
    }
    missing
}

/// It was fit when it was prepared, or nobody looked.
fn or_abandon(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::NotYet(why) => Refusal::NotYet(format!(
            "{why}; take the preparation back with `godwit authority abandon`, and prepare another one"
        )),
        Refusal::Failed(error) => Refusal::Failed(error),
    }
}

fn words(out_of_turn: OutOfTurn) -> String {
    let remedy = match out_of_turn {
        OutOfTurn::Unfinished | OutOfTurn::Signing => "`godwit authority finish`",
        OutOfTurn::Unprepared => "`godwit authority prepare`",
        OutOfTurn::Unswitched => "`godwit authority switch`",
    };
    format!("{out_of_turn}, with {remedy}")
}

fn too_early(turn: Turn, missing: &[String]) -> String {
    let consequence = match turn {
        Turn::Prepare | Turn::Abandon | Turn::Switch => "our own agents find the hub even so, and renew then",
        Turn::Finish => {
            "whoever is named needs a new token (`godwit token create --again`) or a new operator's certificate then"
        }
    };
    format!("it is too early: {}. Wait, or go on with --force: {consequence}", missing.join("; "))
}

/// Names in one line, and how many more.
const NAMED_MAX: usize = 20;

fn names(clusters: &[ClusterName]) -> String {
    listed(&clusters.iter().map(ClusterName::as_str).collect::<Vec<_>>())
}

fn listed(words: &[&str]) -> String {
    let shown = words.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    match words.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A span as one says it, never too short.
fn about(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds >= 2 * size).unwrap_or((1, "s"));
    let whole = seconds.div_ceil(size);
    format!("{whole} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMER: Signed =
        Signed { authority: Pin([1; 32]), agents_until: 1_000, operators_until: 5 * 86_400 };

    #[test]
    fn a_switch_waits_for_who_may_not_trust_the_next_one_until_what_they_have_has_ended() {
        let beside = Beside { other: FORMER, prepared: 100, outlived: 1_000, switched: None };
        let nobody = Behind::default();
        assert_eq!(missing_to_switch(&beside, &nobody, 101), Vec::<String>::new());
        let behind = Behind { away: clusters(&["north"]), outdated: clusters(&["east", "west"]) };
        let missing = missing_to_switch(&beside, &behind, 400);
        assert_eq!(missing.len(), 2);
        assert!(missing[0].contains("east, west have not renewed"), "{missing:?}");
        assert!(missing[1].contains("north") && missing[1].contains("within 10 min"), "{missing:?}");
        assert_eq!(missing_to_switch(&beside, &behind, 1_000), Vec::<String>::new());
        let told = too_early(Turn::Switch, &missing);
        assert!(told.contains("--force") && told.contains("north"), "{told}");
    }

    #[test]
    fn a_finish_waits_for_everything_that_lives_by_the_former_one() {
        let nobody = Behind::default();
        let none = Members::default();
        let missing = missing_to_finish(&FORMER, (200, &nobody), &none, 999);
        assert_eq!(missing.len(), 2);
        assert!(missing[0].contains("agents") && missing[0].ends_with("another 1 s"), "{missing:?}");
        assert!(missing[1].contains("operators") && missing[1].ends_with("another 5 d"), "{missing:?}");

        let token = |made, id: &str, used: Option<&str>| HeldToken {
            made,
            id: id.to_owned(),
            used: used.map(|name| name.parse().unwrap()),
        };
        let tokens = vec![
            token(200, "from-before", None),
            token(201, "from-after", None),
            token(199, "answered", Some("east")),
            token(199, "lost-by-north", Some("north")),
            token(199, "lost-by-a-stranger", Some("south")),
        ];
        let members = Members { clusters: clusters(&["east", "north"]), tokens, asking: Some(200) };
        let behind = Behind { away: clusters(&["north"]), outdated: clusters(&["east"]) };
        let late = 6 * 86_400;
        let missing = missing_to_finish(&FORMER, (200, &behind), &members, late).join("; ");
        let lost = ["lost-by-north", "lost-by-a-stranger"];
        for part in [&lost[..], &["of east have", "no agent of north", "from-before", "your own certificate"]]
            .concat()
        {
            assert!(missing.contains(part), "{part:?} is not in {missing}");
        }
        assert!(!missing.contains("from-after") && !missing.contains("answered"), "{missing}");
        let renewed = Members { asking: Some(201), ..Members::default() };
        assert_eq!(missing_to_finish(&FORMER, (200, &nobody), &renewed, late), Vec::<String>::new());
        assert_eq!(missing_to_finish(&FORMER, (200, &nobody), &none, late), Vec::<String>::new());
    }

    #[test]
    fn long_lists_are_cut_and_spans_are_never_too_short() {
        let many: Vec<String> = (0..25).map(|number| format!("c{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(listed(&many).ends_with("c19 and 5 more"));
        for (seconds, text) in [(1, "1 s"), (119, "119 s"), (121, "3 min"), (7_201, "3 h"), (200_000, "3 d")]
        {
            assert_eq!(about(seconds), text);
        }
    }

    fn clusters(names: &[&str]) -> Vec<ClusterName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }
}
