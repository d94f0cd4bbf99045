//! Where the records live. The contract is small: [`Store::load`] gives every record once, at the start;
//! [`Store::commit`] makes a batch durable, whole or not at all, unless a newer leadership has written (S10).
//!
//! All of it blocks, on the disk among others. The driver calls it on its own thread; no task of the runtime does.

mod backup;
pub mod codec;
mod error;
mod file;
mod keys;

use std::path::PathBuf;

use godwit_hub_core::{Key, Record};

pub(crate) use backup::{BackupError, Restored, Source, restore};
pub use error::StoreError;
pub use file::Store;
pub use keys::{KeyError, Keys};

/// Where a store is, and under which keys.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) keys: Keys,
}

/// Changes that become durable together, in the order given: a later one wins over an earlier one of the same key.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Put(String, Vec<u8>),
    Delete(String),
}

impl Batch {
    /// The record shall be there, in the place of the one under the same key.
    pub fn put(&mut self, record: &Record) {
        self.changes.push(Change::Put(codec::key(&record.key()), codec::encode(record)));
    }

    /// The record shall not be there.
    pub fn delete(&mut self, key: &Key) {
        self.changes.push(Change::Delete(codec::key(key)));
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
