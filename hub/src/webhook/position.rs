//! How far events were sent, in a file of its own beside the store: it changes when somebody else takes something, which
//! is nothing that the federation's records should wait for.

use std::io;
use std::path::{Path, PathBuf};

use godwit_rt::atomic_file;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

/// The name of the file, in the folder of the store.
const FILE: &str = "webhook.json";

/// The last event that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Of which federation: with another store, numbers begin anew.
    pub(super) federation: String,
    /// Its number in the journal.
    pub(super) number: u64,
}

/// Where the position is kept.
#[derive(Debug, Clone)]
pub(super) struct Stored(PathBuf);

impl Stored {
    pub(super) fn beside(data: &Path) -> Self {
        Self(data.join(FILE))
    }

    /// What is kept; none if nothing is yet.
    pub(super) async fn read(&self) -> io::Result<Option<Position>> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.0.display()));
        match tokio::fs::read(&self.0).await {
            Ok(content) => {
                serde_json::from_slice(&content).map(Some).map_err(|error| named(io::Error::other(error)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(error)),
        }
    }

    pub(super) async fn write(&self, position: &Position) -> io::Result<()> {
        let content = serde_json::to_vec(position)?;
        let path = self.0.clone();
        let writing = spawn_blocking(move || atomic_file::write(&path, &content, atomic_file::PRIVATE));
        writing.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_written_is_read_and_what_is_damaged_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let stored = Stored::beside(folder.path());
        assert_eq!(stored.read().await.unwrap(), None);
        let position = Position { federation: "f".to_owned(), number: u64::MAX };
        stored.write(&position).await.unwrap();
        assert_eq!(stored.read().await.unwrap(), Some(position));
        std::fs::write(folder.path().join(FILE), "{\"federation\":").unwrap();
        let said = stored.read().await.unwrap_err().to_string();
        assert!(said.contains("webhook.json: EOF"), "{said}");
    }
}
