//! What comes in from one agent, checked and put together.

use godwit_common::link::Up;
use godwit_proto::agent::UpInbox;
use godwit_proto::v1::attach_request::Message;
use godwit_proto::v1::{AttachRequest, InquiryAnswer};
use prost::Message as _;
use tonic::{Code, Streaming};

/// The largest part of an answer that is taken: it waits in memory for whoever asked.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The reading side of a session.
pub(super) struct Incoming {
    stream: Streaming<AttachRequest>,
    inbox: UpInbox,
    /// The size of the parts that wait in the inbox for the rest of their report.
    held_bytes: usize,
    /// The agent said in its hello that it answers inquiries.
    answers_inquiries: bool,
    /// And that it renews its certificate when it is told to.
    renews_certificate: bool,
}

/// What an agent sends.
pub(super) enum Received {
    /// For the machine, with its size.
    Up(Box<Up>, usize),
    /// For whoever asked.
    Answer(InquiryAnswer),
}

/// Why no more is read from a stream.
pub(super) enum End {
    /// The agent closed it, or it broke.
    Over,
    /// The hub is stopping.
    Stopping,
    /// The agent broke the protocol.
    Broken(String),
}

impl Incoming {
    pub(super) fn new(stream: Streaming<AttachRequest>) -> Self {
        Self {
            stream,
            inbox: UpInbox::default(),
            held_bytes: 0,
            answers_inquiries: false,
            renews_certificate: false,
        }
    }

    /// Whether the agent answers inquiries, once its hello has come.
    pub(super) fn answers_inquiries(&self) -> bool {
        self.answers_inquiries
    }

    /// Whether the agent renews its certificate when it is told to, once its hello has come.
    pub(super) fn renews_certificate(&self) -> bool {
        self.renews_certificate
    }

    /// The next message. A part of a report is a sign of life until the last part has come.
    pub(super) async fn next(&mut self) -> Result<Received, End> {
        let wire = match self.stream.message().await {
            Ok(Some(wire)) => wire,
            Ok(None) => return Err(End::Over),
            Err(status) => {
                return Err(match status.code() {
                    // What the codec says of bytes that are no message, or of too many of them.
                    Code::Internal | Code::OutOfRange | Code::ResourceExhausted => {
                        End::Broken(status.message().to_owned())
                    }
                    _ => End::Over,
                });
            }
        };
        let bytes = wire.encoded_len();
        match wire.message {
            Some(Message::InquiryAnswer(answer)) => {
                return match bytes <= ANSWER_BYTES_MAX {
                    true => Ok(Received::Answer(answer)),
                    false => Err(End::Broken(format!("inquiry_answer: a part of it has {bytes} bytes"))),
                };
            }
            Some(Message::Hello(ref hello)) => {
                self.answers_inquiries = hello.answers_inquiries;
                self.renews_certificate = hello.renews_certificate;
            }
            Some(_) | None => {}
        }
        let taken = self.inbox.take(wire).map_err(|error| End::Broken(error.to_string()))?;
        Ok(match taken {
            Some(report @ Up::Report(_)) => {
                Received::Up(Box::new(report), bytes + std::mem::take(&mut self.held_bytes))
            }
            Some(message) => Received::Up(Box::new(message), bytes),
            None => {
                self.held_bytes += bytes;
                Received::Up(Box::new(Up::Heartbeat), bytes)
            }
        })
    }
}
