//! What can be wrong with a store, and what to do about it.

use std::path::PathBuf;

use godwit_common::Epoch;

const REMEDY: &str = "move it away, then restore a backup with --restore, or start with --recover to learn from the \
                      members what they hold; what runs in them runs on";

/// Why the store cannot be used. Every message names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error(
        "the store in {} is in use by another process: stop the other hub, or give this one a data_dir of its own",
        .folder.display()
    )]
    Locked {
        /// The data folder.
        folder: PathBuf,
    },
    /// The operating system refuses.
    #[error("{} cannot be {what}: check that the folder exists and that the hub's user may write there", .path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What could not be done.
        what: &'static str,
        /// The system's own words.
        source: std::io::Error,
    },
    /// What is on the disk is not what was written.
    #[error("the store {} is damaged ({problem}): {REMEDY}", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// A newer version wrote it.
    #[error(
        "the store {} has format {found}, but this version of godwit-hub knows formats up to {known}: use the \
         version that wrote it, or a newer one",
        .path.display()
    )]
    Format {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
    /// It is kept under a key that is not there.
    #[error(
        "the store {} is encrypted under the key {found}, which is neither in store.key_file nor in store.former_key_files: \
         name the file that has it",
        .path.display()
    )]
    Key {
        /// Which file.
        path: PathBuf,
        /// The name of its key.
        found: String,
    },
    /// A row is not what a hub writes.
    #[error("the store {} is damaged (table {table:?}, key {key:?}: {problem}): {REMEDY}", .path.display())]
    Row {
        /// Which file.
        path: PathBuf,
        /// Which table in it.
        table: &'static str,
        /// Which row.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A newer leadership has written: this hub must not any more (S10).
    #[error(
        "the store holds epoch {stored}, and this hub leads only epoch {own}: another hub has taken over"
    )]
    Fenced {
        /// Of the newest leadership.
        stored: Epoch,
        /// Of this process.
        own: Epoch,
    },
    /// The changes may or may not be there: only a restart tells.
    #[error("the store {} cannot be written: check the disk and its free space, then start the hub again", .path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// The store's own words.
        source: Box<redb::Error>,
    },
}
