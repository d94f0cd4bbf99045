//! The command as its users meet it: what it prints where, and the status it ends with.

mod federation;
mod offline;
mod stage;
