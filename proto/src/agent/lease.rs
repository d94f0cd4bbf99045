//! What an agent asks another of its cluster, and the answer (S9).

use std::time::Duration;

use godwit_common::Uid;

use super::check::{bounded_len, duration, duration_to_wire, uid, uid_to_wire};
use super::error::WireError;
use crate::agents::v1::{AskRequest, AskResponse};

/// The most lives that are asked about at once: more than a node has pods.
pub const LIVES_MAX: usize = 10_000;

/// What the agent that leads says of the lives that another has asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// How long they may run, from when it was asked; `None` if it cannot say.
    pub lasts: Option<Duration>,
    /// Those that are to run.
    pub lives: Vec<Uid>,
}

/// A question.
pub fn ask_to_wire(lives: &[Uid]) -> AskRequest {
    AskRequest { lives: lives.iter().copied().map(uid_to_wire).collect() }
}

/// The lives that are asked about.
pub fn ask_from_wire(wire: &AskRequest) -> Result<Vec<Uid>, WireError> {
    lives(&wire.lives)
}

/// An answer.
pub fn admitted_to_wire(admitted: &Admitted) -> AskResponse {
    let Admitted { lasts, lives } = admitted;
    AskResponse {
        lasts: lasts.map(duration_to_wire),
        lives: lives.iter().copied().map(uid_to_wire).collect(),
    }
}

/// What was answered.
pub fn admitted_from_wire(wire: AskResponse) -> Result<Admitted, WireError> {
    let lasts = wire.lasts.map(|lasts| duration("lasts", Some(lasts))).transpose()?;
    Ok(Admitted { lasts, lives: lives(&wire.lives)? })
}

fn lives(wire: &[Vec<u8>]) -> Result<Vec<Uid>, WireError> {
    bounded_len("lives", wire.len(), LIVES_MAX)?;
    wire.iter().map(|life| uid("lives", life)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_and_answered_arrives() {
        let lives = vec![Uid(7), Uid(u128::MAX)];
        assert_eq!(ask_from_wire(&ask_to_wire(&lives)).as_ref(), Ok(&lives));
        for lasts in [None, Some(Duration::from_millis(59_900))] {
            let admitted = Admitted { lasts, lives: lives.clone() };
            assert_eq!(admitted_from_wire(admitted_to_wire(&admitted)), Ok(admitted));
        }
    }

    #[test]
    fn what_is_no_answer_is_refused_by_the_field() {
        let short = AskRequest { lives: vec![vec![1; 15]] };
        assert!(ask_from_wire(&short).unwrap_err().to_string().contains("lives: it has 15 bytes"));
        let many = AskRequest { lives: vec![vec![1; 16]; LIVES_MAX + 1] };
        assert!(ask_from_wire(&many).unwrap_err().to_string().contains("at most 10000"));
        let back = prost_types::Duration { seconds: -1, nanos: 0 };
        let wrong = AskResponse { lasts: Some(back), lives: Vec::new() };
        assert!(admitted_from_wire(wrong).unwrap_err().to_string().contains("lasts"));
    }
}
