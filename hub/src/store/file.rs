//! The store as one crash-safe file.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use godwit_common::Epoch;
use godwit_hub_core::Record;
use redb::{
    Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, StorageError, TableDefinition,
    TableError,
};

use super::keys::{Key, KeyId};
use super::{Batch, Change, Keys, StoreError, codec};

/// Every record, under its key as text, so that a person can read it and another kind of store could keep it.
pub(super) const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("records");
/// Numbers about the store itself.
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
pub(super) const META_FORMAT: &str = "format";
pub(super) const META_EPOCH: &str = "epoch";
/// The name of the key under which the rows are kept; none where they are in the clear.
pub(super) const META_KEY: &str = "key";
/// The formats of the rows: in the clear, and sealed; they rise when an older hub could no longer read them.
pub(super) const FORMATS: [u64; 2] = [1, 2];

/// The format of a store.
pub(super) fn format_of(key: Option<KeyId>) -> u64 {
    let [clear, sealed] = FORMATS;
    if key.is_some() { sealed } else { clear }
}

pub(super) const FILE: &str = "hub.redb";
/// Held by the process that uses the folder.
const LOCK: &str = "hub.lock";
/// A store that is being made; it becomes [`FILE`] once it is whole.
const NEW_FILE: &str = "hub.redb.new";
/// Manifests may hold secrets: only the hub's user reads them.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// The machine holds everything in memory: pages are read again only to change them.
const CACHE_BYTES: usize = 64 << 20;

/// An open store. No other process can open it meanwhile.
#[derive(Debug)]
pub struct Store {
    database: Arc<Database>,
    path: PathBuf,
    /// Under which its rows are kept.
    key: Option<Key>,
    _lock: File,
}

impl Store {
    /// Opens the store in `folder`, or makes an empty one. Checks every page of the file: what was altered since it
    /// was written is refused; what a crash left half-written was never acknowledged, and is rolled back. A store that is
    /// not under the current key yet is written anew under it, whole or not at all.
    pub fn open(folder: &Path, keys: &Keys) -> Result<Self, StoreError> {
        let lock = lock(folder)?;
        let path = folder.join(FILE);
        let wanted = keys.current.as_ref();
        if !exists(&path)? {
            create(folder, &path, wanted)?;
        }
        let (mut database, found) = open(folder, &path)?;
        let under = match found {
            None => None,
            Some(id) => Some(keys.find(id).ok_or_else(|| no_key(&path, id))?),
        };
        if found != wanted.map(Key::id) {
            let new = new_file(folder)?;
            rewrite(&path, &database, under, &new, wanted)?;
            drop(database);
            put_in_place(folder, &new, &path)?;
            (database, _) = open(folder, &path)?;
        }
        Ok(Self { database: Arc::new(database), path, key: wanted.cloned(), _lock: lock })
    }

    /// Every record, in order of key.
    pub fn load(&self) -> Result<Vec<Record>, StoreError> {
        guarded(&self.path, || {
            let damaged = |error: redb::Error| self.damaged(&error);
            let read = self.database.begin_read().map_err(|error| damaged(error.into()))?;
            let table = read.open_table(RECORDS).map_err(|error| damaged(error.into()))?;
            let mut records = Vec::new();
            for row in table.iter().map_err(|error| damaged(error.into()))? {
                let (key, value) = row.map_err(|error| damaged(error.into()))?;
                let clear = match &self.key {
                    None => Cow::Borrowed(value.value()),
                    Some(under) => {
                        let clear = under.unseal(key.value(), value.value());
                        Cow::Owned(clear.map_err(|unsealed| unsealed.of_row(&self.path, key.value()))?)
                    }
                };
                let record = codec::decode(key.value(), &clear).map_err(|invalid| StoreError::Row {
                    path: self.path.clone(),
                    table: "records",
                    key: key.value().to_owned(),
                    problem: invalid.to_string(),
                })?;
                records.push(record);
            }
            Ok(records)
        })
    }

    /// Makes a batch durable before it returns. `epoch` is the leadership that writes; an older one than the store's
    /// changes nothing.
    pub fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        let sealed = self.sealed(batch)?;
        let fenced = self
            .try_commit(epoch, &sealed)
            .map_err(|error| StoreError::Write { path: self.path.clone(), source: Box::new(error) })?;
        match fenced {
            None => Ok(()),
            Some(stored) => Err(StoreError::Fenced { stored, own: epoch }),
        }
    }

    /// The batch as it is kept.
    fn sealed<'a>(&self, batch: &'a Batch) -> Result<Cow<'a, Batch>, StoreError> {
        let Some(under) = &self.key else { return Ok(Cow::Borrowed(batch)) };
        let seal = |change: &Change| match change {
            Change::Put(key, value) => {
                let sealed = under.seal(key, value).map_err(|unsealed| unsealed.of_row(&self.path, key))?;
                Ok(Change::Put(key.clone(), sealed))
            }
            Change::Delete(key) => Ok(Change::Delete(key.clone())),
        };
        let changes = batch.changes.iter().map(seal).collect::<Result<_, _>>()?;
        Ok(Cow::Owned(Batch { changes }))
    }

    /// `Some` is the newer epoch for which nothing was changed.
    fn try_commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<Option<Epoch>, redb::Error> {
        let mut write = self.database.begin_write()?;
        write.set_durability(Durability::Immediate)?;
        // Two-phase commits: a torn one is told from a damaged one, and a crash costs no repair.
        write.set_quick_repair(true);
        {
            let mut meta = write.open_table(META)?;
            let stored = meta.get(META_EPOCH)?.map_or(0, |stored| stored.value());
            if stored > epoch.0 {
                return Ok(Some(Epoch(stored)));
            }
            if stored < epoch.0 {
                meta.insert(META_EPOCH, epoch.0)?;
            }
            let mut records = write.open_table(RECORDS)?;
            for change in &batch.changes {
                match change {
                    Change::Put(key, value) => records.insert(key.as_str(), value.as_slice())?,
                    Change::Delete(key) => records.remove(key.as_str())?,
                };
            }
        }
        write.commit()?;
        Ok(None)
    }

    pub(super) fn database(&self) -> &Arc<Database> {
        &self.database
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn key_id(&self) -> Option<KeyId> {
        self.key.as_ref().map(Key::id)
    }

    fn damaged(&self, error: &redb::Error) -> StoreError {
        damaged(&self.path, error)
    }
}

pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let io = |path: &Path, what| {
        let path = path.to_owned();
        move |source| StoreError::Io { path, what, source }
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(FOLDER_MODE);
    builder.create(folder).map_err(io(folder, "created"))?;
    let path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(FILE_MODE);
    let file = options.open(&path).map_err(io(&path, "opened"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io(&path, "locked")(source)),
    }
}

pub(super) fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(|source| StoreError::Io { path: path.to_owned(), what: "looked up", source })
}

/// A crash while a store is made leaves no file under its name: the next start makes it anew.
fn create(folder: &Path, path: &Path, key: Option<&Key>) -> Result<(), StoreError> {
    let new = new_file(folder)?;
    let write = |new: &Path| -> Result<(), redb::Error> {
        let database = Database::create(new)?;
        let mut write = database.begin_write()?;
        write.set_quick_repair(true);
        note_key(&mut write.open_table(META)?, key.map(Key::id))?;
        write.open_table(RECORDS)?;
        write.commit()?;
        Ok(())
    };
    write(&new).map_err(|error| StoreError::Write { path: new.clone(), source: Box::new(error) })?;
    put_in_place(folder, &new, path)
}

/// An empty file for a store that is being made.
pub(super) fn new_file(folder: &Path) -> Result<PathBuf, StoreError> {
    let new = folder.join(NEW_FILE);
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(FILE_MODE);
    match options.open(&new) {
        Ok(_) => Ok(new),
        Err(source) => Err(StoreError::Io { path: new, what: "created", source }),
    }
}

/// A store that is whole gets its name.
pub(super) fn put_in_place(folder: &Path, new: &Path, path: &Path) -> Result<(), StoreError> {
    let io = |what| {
        let path = new.to_owned();
        move |source| StoreError::Io { path, what, source }
    };
    fs::rename(new, path).map_err(io("renamed"))?;
    let opened = File::open(folder).and_then(|folder| folder.sync_all());
    opened.map_err(io("made durable"))
}

/// Opens the file of a store; with it, the name of the key that its rows are under.
fn open(folder: &Path, path: &Path) -> Result<(Database, Option<KeyId>), StoreError> {
    // The check makes redb refuse damage; a panic in it would be redb's mistake, but must not be the hub's end.
    guarded(path, || {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        let database = builder.open(path).map_err(|error| not_opened(folder, path, error))?;
        let key = check_format(path, &database)?;
        Ok((database, key))
    })
}

/// Refuses the formats that this version does not know; the key of the others.
fn check_format(path: &Path, database: &Database) -> Result<Option<KeyId>, StoreError> {
    let read = || -> Result<Option<(u64, Option<KeyId>)>, redb::Error> {
        let read = database.begin_read()?;
        let meta = match read.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(format) = meta.get(META_FORMAT)? else { return Ok(None) };
        Ok(Some((format.value(), meta.get(META_KEY)?.map(|id| KeyId(id.value())))))
    };
    let damaged_for =
        |problem: &str| StoreError::Damaged { path: path.to_owned(), problem: problem.to_owned() };
    match read().map_err(|error| damaged(path, &error))? {
        Some((format, key)) if format == format_of(key) => Ok(key),
        Some((format, _)) if FORMATS.contains(&format) => {
            Err(damaged_for("it does not say which key it is under"))
        }
        Some((found, _)) => {
            let [_, known] = FORMATS;
            Err(StoreError::Format { path: path.to_owned(), found, known })
        }
        None => Err(damaged_for("it is a redb file, but no hub's")),
    }
}

/// Notes in a new store which key it is under.
pub(super) fn note_key(meta: &mut redb::Table<'_, &str, u64>, key: Option<KeyId>) -> Result<(), redb::Error> {
    meta.insert(META_FORMAT, format_of(key))?;
    if let Some(KeyId(id)) = key {
        meta.insert(META_KEY, id)?;
    }
    Ok(())
}

pub(super) fn no_key(path: &Path, found: KeyId) -> StoreError {
    StoreError::Key { path: path.to_owned(), found: found.to_string() }
}

/// Copies a store to an empty file, from one key to another. The old file keeps nothing back: it is replaced as a whole.
fn rewrite(
    path: &Path,
    old: &Database,
    under: Option<&Key>,
    new: &Path,
    wanted: Option<&Key>,
) -> Result<(), StoreError> {
    let failed = |error: redb::Error| StoreError::Write { path: new.to_owned(), source: Box::new(error) };
    let unread = |error: redb::Error| damaged(path, &error);
    let read = old.begin_read().map_err(|error| unread(error.into()))?;
    let rows = read.open_table(RECORDS).map_err(|error| unread(error.into()))?;
    let epoch = read.open_table(META).map_err(|error| unread(error.into()))?;
    let epoch = epoch.get(META_EPOCH).map_err(|error| unread(error.into()))?.map(|epoch| epoch.value());
    let database = Database::create(new).map_err(|error| failed(error.into()))?;
    let mut write = database.begin_write().map_err(|error| failed(error.into()))?;
    write.set_quick_repair(true);
    {
        let mut meta = write.open_table(META).map_err(|error| failed(error.into()))?;
        note_key(&mut meta, wanted.map(Key::id)).map_err(failed)?;
        if let Some(epoch) = epoch {
            meta.insert(META_EPOCH, epoch).map_err(|error| failed(error.into()))?;
        }
        let mut records = write.open_table(RECORDS).map_err(|error| failed(error.into()))?;
        for row in rows.iter().map_err(|error| unread(error.into()))? {
            let (row, value) = row.map_err(|error| unread(error.into()))?;
            let row = row.value();
            let wrong = |unsealed: super::keys::Unsealed| unsealed.of_row(path, row);
            let clear = under.map(|key| key.unseal(row, value.value())).transpose().map_err(wrong)?;
            let clear = clear.as_deref().unwrap_or(value.value());
            let kept = wanted.map(|key| key.seal(row, clear)).transpose().map_err(wrong)?;
            let put = records.insert(row, kept.as_deref().unwrap_or(clear));
            put.map_err(|error| failed(error.into()))?;
        }
    }
    write.commit().map_err(|error| failed(error.into()))
}

fn not_opened(folder: &Path, path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::Locked { folder: folder.to_owned() },
        // redb says of a file without its mark that its data is invalid.
        DatabaseError::Storage(StorageError::Io(source))
            if !matches!(
                source.kind(),
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
            ) =>
        {
            StoreError::Io { path: path.to_owned(), what: "opened", source }
        }
        error => damaged(path, &error.into()),
    }
}

pub(super) fn damaged(path: &Path, error: &redb::Error) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), problem: error.to_string() }
}

fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Err(StoreError::Damaged {
            path: path.to_owned(),
            problem: said.unwrap_or("reading it panicked").to_owned(),
        })
    })
}

#[cfg(test)]
mod tests;
