//! What operators ask of member clusters through their agents: pods, and what they write. It goes from an operator's request to
//! an agent's session and back, beside the driver: no machine decides on it, nothing of it is stored, and nobody is held up by
//! it. Every buffer has a bound; who does not read in time loses his answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use godwit_common::ClusterName;
use godwit_hub_core::SessionId;
use godwit_proto::v1::inquiry::About;
use godwit_proto::v1::inquiry_answer::Part;
use godwit_proto::v1::{Inquiry, InquiryAnswer, InquiryEnd};
use tokio::sync::mpsc;
use tonic::Status;

/// Inquiries of one session at once; its agent answers no more.
const OPEN_MAX: usize = 16;
/// Inquiries that wait for one session's stream: each that is open, and that it ends.
const WAITING_MAX: usize = 2 * OPEN_MAX;
/// Parts of an answer that wait for whoever asked. Of a log it is half a MiB: some seconds of one that is written fast.
const PARTS_MAX: usize = 32;

/// The agents that may be asked. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Inquiries(Arc<Mutex<BTreeMap<ClusterName, BTreeMap<SessionId, Line>>>>);

/// The way to one agent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Line {
    outgoing: mpsc::Sender<Inquiry>,
    open: Arc<Mutex<Open>>,
}

/// Who waits for answers of one agent.
#[derive(Default)]
struct Open {
    last: u64,
    askers: BTreeMap<u64, Asker>,
    closed: bool,
}

struct Asker {
    parts: mpsc::Sender<Part>,
    too_slow: Arc<AtomicBool>,
}

/// A session's end of its line. Dropping it closes the line: whoever waits hears that the agent is gone.
pub(crate) struct Desk {
    inquiries: Inquiries,
    cluster: ClusterName,
    session: SessionId,
    line: Line,
    asked: mpsc::Receiver<Inquiry>,
}

/// An inquiry that is being answered. Dropping it ends it.
pub(crate) struct Asked {
    number: u64,
    line: Line,
    parts: mpsc::Receiver<Part>,
    too_slow: Arc<AtomicBool>,
    answered: bool,
}

impl Inquiries {
    /// Of a session that has just begun; nobody asks it before [`Desk::open`].
    pub(crate) fn desk(&self, cluster: &ClusterName, session: SessionId) -> Desk {
        let (outgoing, asked) = mpsc::channel(WAITING_MAX);
        let line = Line { outgoing, open: Arc::default() };
        Desk { inquiries: self.clone(), cluster: cluster.clone(), session, line, asked }
    }

    /// Asks one of the agents of `cluster`: the one that has the least to answer.
    pub(crate) fn ask(&self, cluster: &ClusterName, about: About) -> Result<Asked, Status> {
        let line = {
            let lines = lock(&self.0);
            let lines = lines.get(cluster).into_iter().flat_map(BTreeMap::values);
            lines.min_by_key(|line| lock(&line.open).askers.len()).cloned()
        };
        let line = line.ok_or_else(|| {
            Status::unavailable(format!(
                "no agent of {cluster} that answers is connected: see `godwit describe cluster {cluster}`"
            ))
        })?;
        line.ask(cluster, about)
    }
}

impl Line {
    fn ask(self, cluster: &ClusterName, about: About) -> Result<Asked, Status> {
        let busy = || {
            Status::resource_exhausted(format!(
                "the agent of {cluster} is asked as much as it may be: try again in a moment"
            ))
        };
        let (sender, parts) = mpsc::channel(PARTS_MAX);
        let too_slow = Arc::<AtomicBool>::default();
        let number = {
            let mut open = lock(&self.open);
            if open.closed {
                return Err(gone(cluster));
            }
            if open.askers.len() >= OPEN_MAX {
                return Err(busy());
            }
            open.last += 1;
            let number = open.last;
            open.askers.insert(number, Asker { parts: sender, too_slow: Arc::clone(&too_slow) });
            number
        };
        // From here on it ends itself when it is dropped.
        let asked = Asked { number, line: self, parts, too_slow, answered: false };
        let sent = asked.line.outgoing.try_send(Inquiry { number, about: Some(about) });
        sent.map_err(|_| busy()).map(|()| asked)
    }

    /// Hands a part to whoever asked. It never waits: where there is no room any more, the answer is cut. What nobody asked
    /// for, or nobody waits for any more, is dropped.
    pub(crate) fn deliver(&self, answer: InquiryAnswer) {
        let InquiryAnswer { number, part } = answer;
        let Some(part) = part else { return };
        let last = matches!(part, Part::Answered(_));
        let mut open = lock(&self.open);
        let Some(asker) = open.askers.get(&number) else { return };
        let taken = asker.parts.try_send(part).is_ok();
        if !taken {
            asker.too_slow.store(true, Ordering::Relaxed);
        }
        if last || !taken {
            open.askers.remove(&number);
        }
        if !taken && !last {
            self.end(number);
        }
    }

    /// Tells the agent that nobody waits. An agent whose stream is full of inquiries is told nothing; it ends with the session.
    fn end(&self, number: u64) {
        let _ = self.outgoing.try_send(Inquiry { number, about: Some(About::End(InquiryEnd {})) });
    }
}

impl Desk {
    /// The agent is welcomed: it may be asked.
    pub(crate) fn open(&mut self) {
        let mut lines = lock(&self.inquiries.0);
        lines.entry(self.cluster.clone()).or_default().insert(self.session, self.line.clone());
    }

    /// For the reading side of the session.
    pub(crate) fn line(&self) -> Line {
        self.line.clone()
    }

    /// The next inquiry for the agent.
    pub(crate) async fn asked(&mut self) -> Inquiry {
        match self.asked.recv().await {
            Some(inquiry) => inquiry,
            // It holds the other end itself.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let mut lines = lock(&self.inquiries.0);
        if let Some(own) = lines.get_mut(&self.cluster) {
            own.remove(&self.session);
            if own.is_empty() {
                lines.remove(&self.cluster);
            }
        }
        drop(lines);
        let mut open = lock(&self.line.open);
        open.closed = true;
        open.askers.clear();
    }
}

impl Asked {
    /// The next part of the answer; none after its last one. An error if there is none, or if it broke off.
    pub(crate) async fn next(&mut self, cluster: &ClusterName) -> Result<Option<Part>, Status> {
        if self.answered {
            return Ok(None);
        }
        match self.parts.recv().await {
            Some(Part::Answered(end)) => {
                self.answered = true;
                match (end.problem.as_str(), end.not_found) {
                    ("", _) => Ok(None),
                    (problem, true) => Err(Status::not_found(format!("{cluster}: {problem}"))),
                    (problem, false) => Err(Status::unavailable(format!("{cluster}: {problem}"))),
                }
            }
            Some(part) => Ok(Some(part)),
            None if self.too_slow.load(Ordering::Relaxed) => Err(Status::resource_exhausted(
                "the answer is cut, because it was not read as fast as it came: ask for less, such as fewer lines",
            )),
            None => Err(gone(cluster)),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if lock(&self.line.open).askers.remove(&self.number).is_some() {
            self.line.end(self.number);
        }
    }
}

fn gone(cluster: &ClusterName) -> Status {
    Status::unavailable(format!("the agent of {cluster} that was asked is gone: ask again in a moment"))
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that can panic runs under the lock.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use godwit_proto::v1::{InquiryAnswered, PodsInquiry};
    use tonic::Code;

    use super::*;

    fn alpha() -> ClusterName {
        "alpha".parse().unwrap()
    }

    fn about() -> About {
        About::Pods(PodsInquiry::default())
    }

    fn answer(number: u64, part: Part) -> InquiryAnswer {
        InquiryAnswer { number, part: Some(part) }
    }

    fn end(problem: &str, not_found: bool) -> Part {
        Part::Answered(InquiryAnswered { problem: problem.to_owned(), not_found })
    }

    fn opened(inquiries: &Inquiries, session: u64) -> Desk {
        let mut desk = inquiries.desk(&alpha(), SessionId(session));
        desk.open();
        desk
    }

    #[tokio::test]
    async fn an_answer_reaches_who_asked_and_ends() {
        let inquiries = Inquiries::default();
        assert_eq!(inquiries.ask(&alpha(), about()).err().unwrap().code(), Code::Unavailable);
        let mut desk = inquiries.desk(&alpha(), SessionId(1));
        assert!(inquiries.ask(&alpha(), about()).is_err(), "it is not welcomed yet");
        desk.open();
        let [mut one, mut other] = [(); 2].map(|()| inquiries.ask(&alpha(), about()).unwrap());
        assert_eq!([desk.asked().await.number, desk.asked().await.number], [1, 2]);
        let line = desk.line();
        line.deliver(answer(2, Part::Log(b"b".to_vec())));
        line.deliver(answer(1, Part::Log(b"a".to_vec())));
        line.deliver(answer(1, end("", false)));
        line.deliver(answer(2, end("no such pod", true)));
        line.deliver(answer(7, end("nobody asked", false)));
        assert_eq!(one.next(&alpha()).await.unwrap(), Some(Part::Log(b"a".to_vec())));
        assert_eq!(one.next(&alpha()).await.unwrap(), None);
        assert_eq!(one.next(&alpha()).await.unwrap(), None);
        assert_eq!(other.next(&alpha()).await.unwrap(), Some(Part::Log(b"b".to_vec())));
        let refused = other.next(&alpha()).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::NotFound, "alpha: no such pod"));
        drop((one, other));
        assert!(desk.asked.try_recv().is_err(), "what is answered needs no end");
    }

    #[tokio::test]
    async fn who_does_not_read_is_cut_and_the_agent_hears_it() {
        let inquiries = Inquiries::default();
        let mut desk = opened(&inquiries, 1);
        let mut slow = inquiries.ask(&alpha(), about()).unwrap();
        let number = desk.asked().await.number;
        for _ in 0..=PARTS_MAX {
            desk.line().deliver(answer(number, Part::Log(vec![0; 10])));
        }
        assert_eq!(desk.asked().await.about, Some(About::End(InquiryEnd {})));
        for _ in 0..PARTS_MAX {
            assert!(slow.next(&alpha()).await.unwrap().is_some(), "what had come is there");
        }
        assert_eq!(slow.next(&alpha()).await.unwrap_err().code(), Code::ResourceExhausted);
    }

    #[tokio::test]
    async fn who_leaves_ends_what_he_asked() {
        let inquiries = Inquiries::default();
        let mut desk = opened(&inquiries, 1);
        drop(inquiries.ask(&alpha(), about()).unwrap());
        assert_eq!(desk.asked().await.about, Some(about()));
        assert_eq!(desk.asked().await, Inquiry { number: 1, about: Some(About::End(InquiryEnd {})) });
        desk.line().deliver(answer(1, Part::Log(vec![1])));
    }

    #[tokio::test]
    async fn a_session_that_ends_says_so_to_those_who_wait() {
        let inquiries = Inquiries::default();
        let desk = opened(&inquiries, 1);
        let mut waiting = inquiries.ask(&alpha(), about()).unwrap();
        drop(desk);
        assert_eq!(waiting.next(&alpha()).await.unwrap_err().code(), Code::Unavailable);
        assert!(inquiries.ask(&alpha(), about()).is_err());
        assert!(lock(&inquiries.0).is_empty());
    }

    #[tokio::test]
    async fn inquiries_are_spread_and_bounded() {
        let inquiries = Inquiries::default();
        let mut desks = [opened(&inquiries, 1), opened(&inquiries, 2)];
        let all: Vec<_> = (0..2 * OPEN_MAX).map(|_| inquiries.ask(&alpha(), about()).unwrap()).collect();
        for desk in &desks {
            assert_eq!(lock(&desk.line.open).askers.len(), OPEN_MAX);
        }
        assert_eq!(inquiries.ask(&alpha(), about()).err().unwrap().code(), Code::ResourceExhausted);
        drop(all);
        // An agent that reads nothing of it is asked nothing more.
        assert!(inquiries.ask(&alpha(), about()).is_err());
        for desk in &mut desks {
            while desk.asked.try_recv().is_ok() {}
        }
        assert!(inquiries.ask(&alpha(), about()).is_ok());
    }
}
