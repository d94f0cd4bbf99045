//! Operators who wait for an answer.

use std::collections::HashMap;

use godwit_hub_core::{Answer, Refused, Ticket};
use tokio::sync::oneshot;

type Reply = oneshot::Sender<Result<Answer, Refused>>;

#[derive(Default)]
pub(super) struct Waiting {
    next: u64,
    replies: HashMap<Ticket, Reply>,
}

impl Waiting {
    pub(super) fn add(&mut self, reply: Reply) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.replies.insert(ticket, reply);
        ticket
    }

    pub(super) fn answer(&mut self, ticket: Ticket, answer: Result<Answer, Refused>) {
        if let Some(reply) = self.replies.remove(&ticket) {
            // Whoever asked may have left; the answer stands all the same.
            let _ = reply.send(answer);
        }
    }
}
