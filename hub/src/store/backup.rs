//! Backups: all rows as they were at one moment, written while the hub works, and read into an empty folder.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use aws_lc_rs::digest::{Context, SHA256};
use godwit_common::WallTime;
use godwit_proto::store::v1 as wire;
use prost::Message;
use prost::encoding::decode_varint;
use redb::{Database, ReadableDatabase, ReadableTable};
use wire::backup_part::Part;

use super::file::{self, FILE, FORMATS, META, META_EPOCH, RECORDS};
use super::keys::KeyId;
use super::{Keys, Store, StoreError, codec};

const MAGIC: &str = "godwit-backup";
/// Parts are handed on together when they are this large.
const CHUNK_BYTES: usize = 256 * 1024;
/// No row is larger: the largest message of an operator, and what the hub adds to it.
const PART_BYTES_MAX: u64 = 1 << 30;
/// The longest length of a part, as a varint.
const LENGTH_BYTES_MAX: usize = 10;

/// A way to what is durable, beside the driver. It does not keep the store open.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(super) database: Weak<Database>,
    pub(super) path: PathBuf,
    /// Under which the rows are kept, in the backup as in the store.
    pub(super) key: Option<KeyId>,
}

/// Why there is no backup, or no store made of one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// The store cannot be read or made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store is closed: the hub is stopping.
    #[error("the hub is stopping")]
    Closed,
    /// Whoever took it has left.
    #[error("nobody takes the backup any more")]
    Abandoned,
    /// A store is there.
    #[error(
        "{} exists: a backup is restored into an empty data_dir; move the folder away, or name another one",
        .0.display()
    )]
    Taken(PathBuf),
    /// The file cannot be read.
    #[error("the backup cannot be read")]
    Read(#[source] io::Error),
    /// The file is no backup, or not whole.
    #[error("the backup cannot be used, and nothing was restored: {0}")]
    Damaged(String),
    /// It is kept under a key that is not there.
    #[error(
        "the backup is encrypted under the key {0}, which is neither in store.key_file nor in store.former_key_files: name \
         the file that has it"
    )]
    Key(String),
    /// A newer version wrote it.
    #[error(
        "the backup was written by godwit-hub {version} with format {found}, but this version knows formats up to \
         {}: use that version, or a newer one", FORMATS[1]
    )]
    Format {
        /// Its format.
        found: u64,
        /// Who wrote it.
        version: String,
    },
}

/// What a backup was of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) rows: u64,
    pub(crate) epoch: u64,
    pub(crate) written: WallTime,
}

impl Source {
    /// Hands all rows to `out`, in chunks, as they are now: what is committed meanwhile is not among them.
    pub(crate) fn write(
        &self,
        written: WallTime,
        out: impl FnMut(Vec<u8>) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let database = self.database.upgrade().ok_or(BackupError::Closed)?;
        let damaged = |error: redb::Error| BackupError::Store(file::damaged(&self.path, &error));
        let read = database.begin_read().map_err(|error| damaged(error.into()))?;
        let meta = read.open_table(META).map_err(|error| damaged(error.into()))?;
        let epoch = meta.get(META_EPOCH).map_err(|error| damaged(error.into()))?;
        let epoch = epoch.map_or(0, |epoch| epoch.value());
        let mut writer = Writer { chunk: Vec::new(), context: Context::new(&SHA256), out };
        writer.part(Part::Header(wire::BackupHeader {
            magic: MAGIC.to_owned(),
            format: file::format_of(self.key),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch,
            written_ms: written.0,
            key: self.key.map_or(0, |KeyId(id)| id),
        }))?;
        let table = read.open_table(RECORDS).map_err(|error| damaged(error.into()))?;
        let mut rows = 0;
        for row in table.iter().map_err(|error| damaged(error.into()))? {
            let (key, value) = row.map_err(|error| damaged(error.into()))?;
            let (key, record) = (key.value().to_owned(), value.value().to_vec());
            writer.part(Part::Row(wire::BackupRow { key, record }))?;
            rows += 1;
        }
        writer.end(rows)
    }
}

struct Writer<O> {
    chunk: Vec<u8>,
    context: Context,
    out: O,
}

impl<O: FnMut(Vec<u8>) -> Result<(), BackupError>> Writer<O> {
    fn part(&mut self, part: Part) -> Result<(), BackupError> {
        let bytes = wire::BackupPart { part: Some(part) }.encode_length_delimited_to_vec();
        self.context.update(&bytes);
        self.chunk.extend_from_slice(&bytes);
        match self.chunk.len() >= CHUNK_BYTES {
            true => (self.out)(std::mem::take(&mut self.chunk)),
            false => Ok(()),
        }
    }

    fn end(mut self, rows: u64) -> Result<(), BackupError> {
        let sha256 = self.context.clone().finish().as_ref().to_vec();
        self.part(Part::End(wire::BackupEnd { rows, sha256 }))?;
        (self.out)(self.chunk)
    }
}

/// Makes a store in `folder` of a backup, whole or not at all.
pub(crate) fn restore(
    folder: &Path,
    keys: &Keys,
    backup: impl Read,
) -> Result<(Store, Restored), BackupError> {
    let path = folder.join(FILE);
    // Whoever holds the lock may be about to make one.
    let lock = file::lock(folder)?;
    if file::exists(&path)? {
        return Err(BackupError::Taken(path));
    }
    let new = file::new_file(folder)?;
    let filled = fill(&new, keys, backup);
    if filled.is_err() {
        // Best effort: the first error is the one worth reporting, and the next start makes the file anew.
        let _ = fs::remove_file(&new);
    }
    let restored = filled?;
    file::put_in_place(folder, &new, &path)?;
    drop(lock);
    Ok((Store::open(folder, keys)?, restored))
}

fn fill(new: &Path, keys: &Keys, backup: impl Read) -> Result<Restored, BackupError> {
    let mut reader = Reader { from: backup, context: Context::new(&SHA256) };
    let no_backup = || BackupError::Damaged("it is no backup of a godwit-hub".to_owned());
    let header = match reader.part() {
        Ok(Part::Header(header)) if header.magic == MAGIC => header,
        Ok(Part::Header(_) | Part::Row(_) | Part::End(_)) => return Err(no_backup()),
        Err(BackupError::Damaged(_)) => return Err(no_backup()),
        Err(error) => return Err(error),
    };
    let [clear, sealed] = FORMATS;
    let key = match header.format {
        format if format == clear => None,
        format if format == sealed => Some(KeyId(header.key)),
        found => return Err(BackupError::Format { found, version: header.version }),
    };
    let under = match key {
        None => None,
        Some(id) => Some(keys.find(id).ok_or_else(|| BackupError::Key(id.to_string()))?),
    };
    let failed = |error: redb::Error| {
        BackupError::Store(StoreError::Write { path: new.to_owned(), source: Box::new(error) })
    };
    let database = Database::create(new).map_err(|error| failed(error.into()))?;
    let mut write = database.begin_write().map_err(|error| failed(error.into()))?;
    write.set_quick_repair(true);
    let mut rows = 0;
    {
        let mut meta = write.open_table(META).map_err(|error| failed(error.into()))?;
        file::note_key(&mut meta, key).map_err(failed)?;
        meta.insert(META_EPOCH, header.epoch).map_err(|error| failed(error.into()))?;
        let mut records = write.open_table(RECORDS).map_err(|error| failed(error.into()))?;
        loop {
            let so_far = reader.context.clone();
            match reader.part()? {
                Part::Row(row) => {
                    let wrong = |problem: &str| BackupError::Damaged(format!("key {:?}: {problem}", row.key));
                    let clear = match under {
                        None => None,
                        Some(key) => Some(
                            key.unseal(&row.key, &row.record)
                                .map_err(|_| wrong("it is not what was encrypted there"))?,
                        ),
                    };
                    codec::decode(&row.key, clear.as_ref().unwrap_or(&row.record))
                        .map_err(|invalid| wrong(&invalid.to_string()))?;
                    let put = records.insert(row.key.as_str(), row.record.as_slice());
                    put.map_err(|error| failed(error.into()))?;
                    rows += 1;
                }
                Part::End(end) if end.rows == rows && end.sha256 == so_far.finish().as_ref() => break,
                Part::End(_) => return Err(BackupError::Damaged("its digest does not fit".to_owned())),
                Part::Header(_) => return Err(BackupError::Damaged("it has two headers".to_owned())),
            }
        }
    }
    write.commit().map_err(|error| failed(error.into()))?;
    Ok(Restored { rows, epoch: header.epoch, written: WallTime(header.written_ms) })
}

struct Reader<R> {
    from: R,
    context: Context,
}

impl<R: Read> Reader<R> {
    /// The next part. After the last one nothing is read any more.
    fn part(&mut self) -> Result<Part, BackupError> {
        let mut length = Vec::with_capacity(LENGTH_BYTES_MAX);
        while length.last().is_none_or(|byte| byte & 0x80 != 0) && length.len() < LENGTH_BYTES_MAX {
            let mut byte = [0];
            self.exact(&mut byte)?;
            length.extend(byte);
        }
        let damaged = |problem: String| BackupError::Damaged(problem);
        let size = decode_varint(&mut &length[..]).map_err(|error| damaged(error.to_string()))?;
        if size > PART_BYTES_MAX {
            return Err(damaged(format!("a part of it would have {size} bytes")));
        }
        // What is not there is not made room for.
        let mut bytes = Vec::new();
        let read = self.from.by_ref().take(size).read_to_end(&mut bytes).map_err(BackupError::Read)?;
        if (read as u64) < size {
            return Err(cut_off());
        }
        self.context.update(&bytes);
        let part = wire::BackupPart::decode(&bytes[..]).map_err(|error| damaged(error.to_string()))?;
        part.part.ok_or_else(|| damaged("a part of a kind that this version does not know".to_owned()))
    }

    fn exact(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.from.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => cut_off(),
            _ => BackupError::Read(error),
        })?;
        self.context.update(bytes);
        Ok(())
    }
}

fn cut_off() -> BackupError {
    BackupError::Damaged("its end is missing".to_owned())
}

impl Store {
    /// A way to what is durable, for backups.
    pub(crate) fn source(&self) -> Source {
        Source { database: Arc::downgrade(self.database()), path: self.path().to_owned(), key: self.key_id() }
    }
}

#[cfg(test)]
mod tests {
    use godwit_common::Epoch;
    use godwit_hub_core::{JournalEntry, Record, Severity};

    use super::super::keys::tests::keys;
    use super::*;
    use crate::store::Batch;

    #[test]
    fn a_backup_is_what_was_there_when_it_began_and_restores_to_the_same() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut store = filled(folder.path(), 3_000);
        let before = store.load().unwrap();
        let source = store.source();
        let (mut backup, mut chunks) = (Vec::new(), 0);
        let written = source.write(WallTime(7), |chunk| {
            // The hub goes on meanwhile.
            let mut batch = Batch::default();
            batch.put(&entry(10_000 + chunks));
            store.commit(Epoch(4), &batch).unwrap();
            backup.extend(chunk);
            chunks += 1;
            Ok(())
        });
        written.unwrap();
        assert!(chunks > 1, "{chunks}");
        let data = other.path().join("data");
        let (restored, of) = restore(&data, &Keys::none(), &backup[..]).unwrap();
        assert_eq!(restored.load().unwrap(), before);
        assert_eq!(of, Restored { rows: 3_000, epoch: 3, written: WallTime(7) });
        drop(restored);
        let error = restore(&data, &Keys::none(), &backup[..]).unwrap_err();
        assert!(matches!(error, BackupError::Taken(_)), "{error}");
        drop(store);
        assert!(matches!(source.write(WallTime(7), |_| Ok(())), Err(BackupError::Closed)));
    }

    /// Whatever byte is missing or other than it was: it is refused, and the folder is as it was.
    #[test]
    fn what_is_damaged_restores_to_nothing() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let backup = backup(&filled(folder.path(), 5));
        let refused = |bytes: &[u8]| {
            let error = restore(other.path(), &Keys::none(), bytes).map(|_| ()).unwrap_err();
            assert!(matches!(error, BackupError::Damaged(_)), "{error}");
            assert!(!other.path().join(FILE).exists());
        };
        (0..backup.len()).for_each(|length| refused(&backup[..length]));
        for index in 0..backup.len() {
            let mut other = backup.clone();
            other[index] ^= 1;
            // The header's own words are not checked one by one, but the digest is over them as well.
            match restore(tempfile::tempdir().unwrap().path(), &Keys::none(), &other[..]) {
                Err(BackupError::Damaged(_) | BackupError::Format { .. }) => {}
                other => panic!("byte {index}: {other:?}"),
            }
        }
        refused(b"");
        refused(b"\x02\x08\x01 something else");
        restore(other.path(), &Keys::none(), &backup[..]).unwrap();
    }

    /// The rows stay as they are kept: whoever has the backup and no key has nothing.
    #[test]
    fn a_backup_of_an_encrypted_store_takes_its_key() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut store = Store::open(folder.path(), &keys(Some(1), &[])).unwrap();
        let mut batch = Batch::default();
        batch.put(&entry(1));
        store.commit(Epoch(3), &batch).unwrap();
        let backup = backup(&store);
        assert!(!backup.windows(9).any(|bytes| bytes == b"a message"));
        for wrong in [Keys::none(), keys(Some(2), &[])] {
            let error = restore(other.path(), &wrong, &backup[..]).unwrap_err();
            assert!(matches!(error, BackupError::Key(_)), "{error}");
        }
        // It is kept under the new key from then on.
        let data = other.path().join("data");
        let (restored, _) = restore(&data, &keys(Some(2), &[1]), &backup[..]).unwrap();
        assert_eq!(restored.load().unwrap(), [entry(1)]);
        drop(restored);
        assert_eq!(Store::open(&data, &keys(Some(2), &[])).unwrap().load().unwrap(), [entry(1)]);
    }

    #[test]
    fn a_backup_of_a_newer_version_is_refused_by_name() {
        let header = wire::BackupHeader {
            magic: MAGIC.to_owned(),
            format: FORMATS[1] + 1,
            version: "9.9.9".to_owned(),
            ..wire::BackupHeader::default()
        };
        let part = wire::BackupPart { part: Some(Part::Header(header)) };
        let folder = tempfile::tempdir().unwrap();
        let error =
            restore(folder.path(), &Keys::none(), &part.encode_length_delimited_to_vec()[..]).unwrap_err();
        assert!(error.to_string().contains("godwit-hub 9.9.9 with format 3"), "{error}");
    }

    fn filled(folder: &Path, rows: u64) -> Store {
        let mut store = Store::open(folder, &Keys::none()).unwrap();
        let mut batch = Batch::default();
        (0..rows).for_each(|number| batch.put(&entry(number)));
        store.commit(Epoch(3), &batch).unwrap();
        store
    }

    fn backup(store: &Store) -> Vec<u8> {
        let mut backup = Vec::new();
        let written = store.source().write(WallTime(7), |chunk| {
            backup.extend(chunk);
            Ok(())
        });
        written.unwrap();
        backup
    }

    fn entry(number: u64) -> Record {
        Record::Journal(JournalEntry {
            number,
            at: WallTime(number),
            severity: Severity::Normal,
            reason: "Reason".into(),
            rule: "S1".into(),
            subject: "east".into(),
            message: "a message of some length, so that there is more than one chunk of them".into(),
            inputs: Default::default(),
        })
    }
}
