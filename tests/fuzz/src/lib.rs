//! What reads from outside, fed with anything: each target takes bytes, and has no answer but an error or a value. It
//! panics where the code under it does, or where a value does not survive a way there and back.
//!
//! libFuzzer looks for bytes that a target does not stand; what it found is in `corpus`, and fed again by an ordinary test.

mod hub;
mod pieces;
mod texts;
mod wire;

pub use hub::{hub_hears, records};
pub use texts::{applications, overrides, policies, scenarios, tokens};
pub use wire::{agent_messages, hub_messages};

/// A target by name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 9] = [
    ("agent_messages", agent_messages),
    ("hub_messages", hub_messages),
    ("applications", applications),
    ("policies", policies),
    ("overrides", overrides),
    ("scenarios", scenarios),
    ("tokens", tokens),
    ("records", records),
    ("hub_hears", hub_hears),
];
