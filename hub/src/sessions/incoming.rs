//! What comes in from one agent, checked and put together.

use godwit_common::link::Up;
use godwit_proto::agent::UpInbox;
use godwit_proto::v1::AttachRequest;
use prost::Message;
use tonic::{Code, Streaming};

/// The reading side of a session.
pub(super) struct Incoming {
    stream: Streaming<AttachRequest>,
    inbox: UpInbox,
    /// The size of the parts that wait in the inbox for the rest of their report.
    held_bytes: usize,
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
        Self { stream, inbox: UpInbox::default(), held_bytes: 0 }
    }

    /// The next message and its size. A part of a report is a sign of life until the last part has come.
    pub(super) async fn next(&mut self) -> Result<(Up, usize), End> {
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
        let taken = self.inbox.take(wire).map_err(|error| End::Broken(error.to_string()))?;
        Ok(match taken {
            Some(report @ Up::Report(_)) => (report, bytes + std::mem::take(&mut self.held_bytes)),
            Some(message) => (message, bytes),
            None => {
                self.held_bytes += bytes;
                (Up::Heartbeat, bytes)
            }
        })
    }
}
