//! What is kept of an authority beside its key: which one signs, which other one is trusted beside it while the one takes the
//! place of the other, and until when certificates of each last. It decides what step may follow which; whether a step comes
//! too early for those who live by the certificates, its user has to know.

use std::fmt;
use std::iter::Peekable;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use crate::pin::Pin;

/// What is kept, as one small file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// The authority that signs.
    pub signing: Signed,
    /// The other one, as long as there are two.
    pub beside: Option<Beside>,
    /// When the last change was over, finished or given up, in seconds since 1970: who has a certificate from before may still
    /// trust an authority that nobody is to trust any more. Absent during a change, and before the first.
    pub settled: Option<u64>,
}

/// An authority, and what it has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// Which one.
    pub authority: Pin,
    /// Nothing that it has signed for an agent lasts longer, in seconds since 1970.
    pub agents_until: u64,
    /// Nor for an operator.
    pub operators_until: u64,
}

/// An authority that is trusted, and does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beside {
    /// Which one, and what it has signed.
    pub other: Signed,
    /// Since when both are handed out, in seconds since 1970: who has a certificate from later trusts both.
    pub prepared: u64,
    /// No agent's certificate from before lasts longer.
    pub outlived: u64,
    /// Since when the other one signs; absent: this one is yet to sign.
    pub switched: Option<u64>,
}

/// For whom a certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// An agent.
    Agent,
    /// An operator.
    Operator,
}

/// Where a change of authorities stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is one authority.
    Settled,
    /// The next one is trusted, and does not sign yet.
    Prepared,
    /// It signs, and the former one is still trusted.
    Switched,
}

/// A step that cannot follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfTurn {
    /// To prepare, before the last change is over.
    #[error("the last change is not finished: the former authority is still trusted, so finish first")]
    Unfinished,
    /// To switch to what was not prepared.
    #[error("no other authority is prepared: prepare first")]
    Unprepared,
    /// To finish what was not switched.
    #[error("the next authority is prepared and does not sign yet: switch first")]
    Unswitched,
    /// To take back what was prepared, after it has begun to sign.
    #[error("the next authority signs already, and what it has signed counts: finish")]
    Signing,
}

/// A text that is no ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is {problem}; restore the file from a copy of its folder")]
pub struct LedgerError {
    line: usize,
    problem: &'static str,
}

impl Ledger {
    /// That of an authority that has signed nothing that lasts longer than these.
    pub fn begin(authority: Pin, agents_until: u64, operators_until: u64) -> Self {
        Self { signing: Signed { authority, agents_until, operators_until }, beside: None, settled: None }
    }

    /// Where it stands.
    pub fn step(&self) -> Step {
        match self.beside {
            None => Step::Settled,
            Some(Beside { switched: None, .. }) => Step::Prepared,
            Some(Beside { switched: Some(_), .. }) => Step::Switched,
        }
    }

    /// Trusts `next` too. `None`: one is prepared already.
    pub fn prepare(&self, next: Pin, now: u64) -> Result<Option<Self>, OutOfTurn> {
        match self.step() {
            Step::Settled => {
                let other = Signed { authority: next, agents_until: 0, operators_until: 0 };
                let outlived = self.signing.agents_until;
                let beside = Beside { other, prepared: now, outlived, switched: None };
                Ok(Some(Self { beside: Some(beside), settled: None, ..self.clone() }))
            }
            Step::Prepared => Ok(None),
            Step::Switched => Err(OutOfTurn::Unfinished),
        }
    }

    /// Trusts the prepared one no more, which has signed nothing yet. `None`: none is prepared.
    pub fn abandon(&self, now: u64) -> Result<Option<Self>, OutOfTurn> {
        match self.step() {
            Step::Settled => Ok(None),
            Step::Prepared => Ok(Some(self.settle(now))),
            Step::Switched => Err(OutOfTurn::Signing),
        }
    }

    /// Lets the prepared one sign. `None`: it signs already.
    pub fn switch(&self, now: u64) -> Result<Option<Self>, OutOfTurn> {
        match self.beside {
            None => Err(OutOfTurn::Unprepared),
            Some(Beside { switched: Some(_), .. }) => Ok(None),
            Some(beside @ Beside { switched: None, .. }) => Ok(Some(Self {
                signing: beside.other,
                beside: Some(Beside { other: self.signing, switched: Some(now), ..beside }),
                settled: None,
            })),
        }
    }

    /// Trusts the former one no more. `None`: there is none.
    pub fn finish(&self, now: u64) -> Result<Option<Self>, OutOfTurn> {
        match self.step() {
            Step::Settled => Ok(None),
            Step::Prepared => Err(OutOfTurn::Unswitched),
            Step::Switched => Ok(Some(self.settle(now))),
        }
    }

    fn settle(&self, now: u64) -> Self {
        Self { beside: None, settled: Some(now), ..self.clone() }
    }

    /// Certificates from up to this second are best renewed at once: whoever has one does not trust whom it is to trust, or
    /// still lives by the former authority. 0: none are.
    pub fn outdated(&self) -> u64 {
        let step = self.beside.map(|beside| beside.switched.unwrap_or(beside.prepared));
        step.or(self.settled).unwrap_or(0)
    }

    /// The authority that signs is about to sign something that lasts until `end`. `None`: that is known.
    ///
    /// What is kept is later by a sixteenth of what it lasts, so that not every certificate changes the file.
    pub fn sign(&self, holder: Holder, end: SystemTime, lasts: Duration) -> Option<Self> {
        let until = match holder {
            Holder::Agent => self.signing.agents_until,
            Holder::Operator => self.signing.operators_until,
        };
        let end = seconds(end).saturating_add(1);
        if end <= until {
            return None;
        }
        let until = end.saturating_add(lasts.as_secs() / 16);
        let signing = match holder {
            Holder::Agent => Signed { agents_until: until, ..self.signing },
            Holder::Operator => Signed { operators_until: until, ..self.signing },
        };
        Some(Self { signing, ..self.clone() })
    }
}

/// Seconds since 1970, the last one that is over.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Settled => "settled",
            Self::Prepared => "prepared",
            Self::Switched => "switched",
        })
    }
}

const TITLE: &str = "godwit-authority 1";

impl fmt::Display for Ledger {
    /// As it is read again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = |f: &mut fmt::Formatter<'_>, word, one: &Signed| {
            let Signed { authority, agents_until, operators_until } = one;
            writeln!(f, "{word} {authority} {agents_until} {operators_until}")
        };
        writeln!(f, "{TITLE}")?;
        signed(f, "signing", &self.signing)?;
        if let Some(settled) = self.settled {
            writeln!(f, "settled {settled}")?;
        }
        if let Some(Beside { other, prepared, outlived, switched }) = &self.beside {
            signed(f, "beside", other)?;
            writeln!(f, "prepared {prepared} {outlived}")?;
            if let Some(switched) = switched {
                writeln!(f, "switched {switched}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Ledger {
    type Err = LedgerError;

    fn from_str(text: &str) -> Result<Self, LedgerError> {
        let mut lines = Lines { lines: text.lines().peekable(), line: 0 };
        if lines.lines.next() != Some(TITLE) {
            return Err(LedgerError { line: 1, problem: "not the first line of this version's ledger" });
        }
        lines.line = 1;
        let signing = signed(&lines.next("signing")?.ok_or_else(|| lines.wrong("missing"))?, &lines)?;
        if lines.lines.peek().is_some_and(|line| line.starts_with("settled")) {
            let settled = lines.next("settled")?.map(|line| times(&line, &lines)).transpose()?;
            let settled = settled.map(|[settled]| settled);
            return lines.end(Self { signing, beside: None, settled });
        }
        let Some(beside) = lines.next("beside")? else {
            return Ok(Self { signing, beside: None, settled: None });
        };
        let other = signed(&beside, &lines)?;
        if other.authority == signing.authority {
            return Err(lines.wrong("the same authority again"));
        }
        let prepared = lines.next("prepared")?.ok_or_else(|| lines.wrong("missing"))?;
        let [prepared, outlived] = times(&prepared, &lines)?;
        let switched = lines.next("switched")?.map(|line| times(&line, &lines)).transpose()?;
        let switched = switched.map(|[switched]| switched);
        let beside = Some(Beside { other, prepared, outlived, switched });
        lines.end(Self { signing, beside, settled: None })
    }
}

/// What is read from.
struct Lines<'a> {
    lines: Peekable<std::str::Lines<'a>>,
    line: usize,
}

impl<'a> Lines<'a> {
    /// The words after the one that the next line must begin with, if there is a next line.
    fn next(&mut self, word: &str) -> Result<Option<Vec<&'a str>>, LedgerError> {
        self.line += 1;
        let Some(line) = self.lines.next() else { return Ok(None) };
        let mut words = line.split(' ');
        if words.next() != Some(word) {
            return Err(self.wrong("another one than belongs there"));
        }
        Ok(Some(words.collect()))
    }

    /// What was read, if that was all.
    fn end(&mut self, ledger: Ledger) -> Result<Ledger, LedgerError> {
        match self.lines.next() {
            None => Ok(ledger),
            Some(_) => Err(LedgerError { line: self.line + 1, problem: "one too many" }),
        }
    }

    fn wrong(&self, problem: &'static str) -> LedgerError {
        LedgerError { line: self.line, problem }
    }
}

fn signed(words: &[&str], lines: &Lines<'_>) -> Result<Signed, LedgerError> {
    let Some((authority, until)) = words.split_first() else {
        return Err(lines.wrong("without an authority"));
    };
    let authority = authority.parse().map_err(|()| lines.wrong("without the pin of an authority"))?;
    let [agents_until, operators_until] = times(until, lines)?;
    Ok(Signed { authority, agents_until, operators_until })
}

/// Exactly `N` times.
fn times<const N: usize>(words: &[&str], lines: &Lines<'_>) -> Result<[u64; N], LedgerError> {
    let times: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let fitting = times.try_into().ok().filter(|_| words.len() == N);
    fitting.ok_or_else(|| lines.wrong("without the times in seconds that belong there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Pin = Pin([1; 32]);
    const NEW: Pin = Pin([2; 32]);

    #[test]
    fn the_steps_follow_each_other_and_each_is_good_twice() {
        let settled = Ledger::begin(OLD, 10, 20);
        assert_eq!(settled.switch(1), Err(OutOfTurn::Unprepared));
        assert_eq!((settled.finish(5), settled.outdated()), (Ok(None), 0));

        let prepared = settled.prepare(NEW, 100).unwrap().unwrap();
        assert_eq!((prepared.step(), prepared.signing), (Step::Prepared, settled.signing));
        assert_eq!(prepared.prepare(NEW, 101), Ok(None));
        assert_eq!(prepared.finish(101), Err(OutOfTurn::Unswitched));
        let abandoned = prepared.abandon(102).unwrap().unwrap();
        assert_eq!(abandoned, Ledger { settled: Some(102), ..settled.clone() });
        assert_eq!((abandoned.abandon(103), abandoned.outdated()), (Ok(None), 102));
        assert_eq!(abandoned.prepare(NEW, 104).unwrap().unwrap().settled, None);

        let prepared_until = prepared.outdated();
        let switched = prepared.switch(200).unwrap().unwrap();
        assert_eq!((switched.step(), switched.signing.authority), (Step::Switched, NEW));
        let Beside { other, prepared, outlived, switched: at } = switched.beside.unwrap();
        assert_eq!((other, prepared, outlived, at), (settled.signing, 100, 10, Some(200)));
        assert_eq!((prepared_until, switched.outdated()), (100, 200));
        assert_eq!(switched.switch(201), Ok(None));
        assert_eq!(switched.prepare(OLD, 201), Err(OutOfTurn::Unfinished));
        assert_eq!(switched.abandon(201), Err(OutOfTurn::Signing));

        let finished = switched.finish(300).unwrap().unwrap();
        assert_eq!(finished, Ledger { settled: Some(300), ..Ledger::begin(NEW, 0, 0) });
        // What is still to follow from it follows, whenever the hub gets to it.
        assert_eq!((finished.finish(301), finished.outdated()), (Ok(None), 300));
    }

    #[test]
    fn what_was_signed_is_known_and_rarely_written() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let lasts = Duration::from_secs(160);
        let ledger = Ledger::begin(OLD, 0, 0);
        let ledger = ledger.sign(Holder::Agent, at(1_000), lasts).unwrap();
        assert_eq!((ledger.signing.agents_until, ledger.signing.operators_until), (1_011, 0));
        assert_eq!(ledger.sign(Holder::Agent, at(1_010), lasts), None);
        let ledger = ledger.sign(Holder::Agent, at(1_011), lasts).unwrap();
        assert_eq!(ledger.signing.agents_until, 1_022);
        let ledger = ledger.sign(Holder::Operator, at(5), lasts).unwrap();
        assert_eq!((ledger.signing.agents_until, ledger.signing.operators_until), (1_022, 16));
        assert_eq!(seconds(at(7) + Duration::from_millis(999)), 7);
    }

    #[test]
    fn it_is_read_as_it_was_written_and_nothing_else_is_read() {
        let settled = Ledger::begin(OLD, 10, 20);
        let prepared = settled.prepare(NEW, 100).unwrap().unwrap();
        let switched = prepared.switch(200).unwrap().unwrap();
        let finished = switched.finish(300).unwrap().unwrap();
        for ledger in [settled, prepared, switched.clone(), finished.clone()] {
            assert_eq!(ledger.to_string().parse(), Ok(ledger));
        }
        let good = switched.to_string();
        let cut: String = good.lines().take(3).map(|line| format!("{line}\n")).collect();
        for (text, line) in [
            (String::new(), 1),
            (good.replace("authority 1", "authority 2"), 1),
            ("godwit-authority 1\n".to_owned(), 2),
            (good.replace("signing", "signed"), 2),
            (good.replacen("01", "0x", 1), 3),
            (good.replace(" 10 20", " 10"), 3),
            (good.replace("100 10", "100 10 x"), 4),
            (good.replace(&NEW.to_string(), &OLD.to_string()), 3),
            (cut, 4),
            (good.replace("switched 200", "switched soon"), 5),
            (format!("{good}switched 300\n"), 6),
            (finished.to_string().replace("settled 300", "settled"), 3),
            (format!("{finished}settled 300\n"), 4),
        ] {
            assert_eq!(text.parse::<Ledger>().unwrap_err().line, line, "{text}");
        }
    }
}
