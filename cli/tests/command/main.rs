//! The command as its users meet it: what it prints where, and the status it ends with.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod federation;
mod foresight;
mod offline;
mod retry;
mod stage;
