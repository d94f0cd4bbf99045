//! The file: kept, locked, fenced, and refused when it is damaged.

use godwit_common::{Generation, Traits, Uid, WallTime};
use godwit_hub_core::{ClusterRecord, JournalEntry, Key, Severity};
use redb::ReadableTableMetadata;

use super::super::keys::tests::keys;
use super::*;

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), &Keys::none()).unwrap();
    assert_eq!(store.load().unwrap(), []);
    let mut batch = Batch::default();
    batch.put(&cluster("east", 1));
    batch.put(&cluster("west", 1));
    batch.put(&cluster("east", 2));
    store.commit(Epoch(1), &batch).unwrap();
    let mut batch = Batch::default();
    batch.delete(&Key::Cluster("west".parse().unwrap()));
    store.commit(Epoch(1), &batch).unwrap();
    drop(store);

    let store = Store::open(folder.path(), &Keys::none()).unwrap();
    assert_eq!(store.load().unwrap(), [cluster("east", 2)]);
}

#[test]
fn an_older_leadership_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), &Keys::none()).unwrap();
    let mut batch = Batch::default();
    batch.put(&cluster("east", 1));
    store.commit(Epoch(7), &batch).unwrap();
    let mut batch = Batch::default();
    batch.put(&cluster("east", 2));
    let error = store.commit(Epoch(6), &batch).unwrap_err();
    assert!(matches!(error, StoreError::Fenced { stored: Epoch(7), own: Epoch(6) }), "{error}");
    assert_eq!(store.load().unwrap(), [cluster("east", 1)]);
}

#[test]
fn a_second_hub_on_the_same_folder_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Store::open(folder.path(), &Keys::none()).unwrap();
    let error = Store::open(folder.path(), &Keys::none()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("stop the other hub"), "{error}");
}

#[test]
fn only_the_hubs_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    drop(Store::open(&data, &Keys::none()).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&data.join(FILE))), (0o700, 0o600));
}

#[test]
fn a_store_that_was_half_made_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(NEW_FILE), b"half of a hea").unwrap();
    assert_eq!(Store::open(folder.path(), &Keys::none()).unwrap().load().unwrap(), []);
    assert!(!folder.path().join(NEW_FILE).exists());
}

#[test]
fn files_that_are_no_store_are_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    for content in [&b""[..], b"x", b"not a store at all", &[0; 100_000], b"redb\x1a\x0a\xa9\x0d\x0a"] {
        fs::write(&path, content).unwrap();
        let error = Store::open(folder.path(), &Keys::none()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains("hub.redb") && message.contains("restore a backup"), "{message}");
    }
    fs::remove_file(&path).unwrap();
    Database::create(&path).unwrap().begin_write().unwrap().commit().unwrap();
    let message = Store::open(folder.path(), &Keys::none()).unwrap_err().to_string();
    assert!(message.contains("a redb file, but no hub's"), "{message}");
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Keys::none()).unwrap();
    let write = store.database.begin_write().unwrap();
    write.open_table(META).unwrap().insert(META_FORMAT, FORMATS[1] + 1).unwrap();
    write.commit().unwrap();
    drop(store);
    let error = Store::open(folder.path(), &Keys::none()).unwrap_err();
    assert!(matches!(error, StoreError::Format { found: 3, known: 2, .. }), "{error}");
}

#[test]
fn an_encrypted_store_shows_nothing_to_who_reads_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let words = b"a sentence of some length";
    let shows = || {
        let file = fs::read(folder.path().join(FILE)).unwrap();
        file.windows(words.len()).any(|bytes| bytes == words)
    };
    let mut batch = Batch::default();
    batch.put(&entry(7));
    // In the clear at first; then under a key, another one, and in the clear again.
    Store::open(folder.path(), &Keys::none()).unwrap().commit(Epoch(3), &batch).unwrap();
    assert!(shows());
    for (under, is_shown) in
        [(keys(Some(1), &[]), false), (keys(Some(2), &[1]), false), (keys(None, &[2]), true)]
    {
        let mut store = Store::open(folder.path(), &under).unwrap();
        assert_eq!(store.load().unwrap(), [entry(7)]);
        assert!(
            matches!(store.commit(Epoch(2), &batch), Err(StoreError::Fenced { .. })),
            "the epoch is kept"
        );
        store.commit(Epoch(3), &batch).unwrap();
        drop(store);
        assert_eq!(shows(), is_shown);
    }
}

#[test]
fn a_key_that_is_missing_or_another_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path(), &keys(Some(1), &[])).unwrap());
    for wrong in [Keys::none(), keys(Some(2), &[]), keys(Some(2), &[3])] {
        let error = Store::open(folder.path(), &wrong).unwrap_err().to_string();
        assert!(error.contains("encrypted under the key") && error.contains("store.key_file"), "{error}");
    }
    Store::open(folder.path(), &keys(Some(1), &[2])).unwrap();
}

#[test]
fn a_row_that_is_no_record_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Keys::none()).unwrap();
    let write = store.database.begin_write().unwrap();
    write.open_table(RECORDS).unwrap().insert("cluster/east", &b"\x0a\x03ab"[..]).unwrap();
    write.commit().unwrap();
    let message = store.load().unwrap_err().to_string();
    assert!(message.contains("table \"records\", key \"cluster/east\""), "{message}");
}

/// Every bit of the file that matters is covered by a checksum, so damage is found and not believed. A flip in
/// unused space changes nothing.
#[test]
fn flipped_bits_are_refused_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let expected = fill(folder.path());
    let good = fs::read(&path).unwrap();
    let mut random = godwit_common::rng::Rng::new(7);
    let mut refused = 0;
    for round in 0..200 {
        let mut bad = good.clone();
        // The header's first page by turns with everything else.
        let reach = if round % 2 == 0 { 512 } else { good.len() as u64 };
        let (byte, bit) = (random.below(reach) as usize, random.below(8));
        bad[byte] ^= 1 << bit;
        fs::write(&path, &bad).unwrap();
        match Store::open(folder.path(), &Keys::none()).and_then(|store| store.load()) {
            Ok(records) => assert!(records == expected, "byte {byte}, bit {bit}: believed"),
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        StoreError::Damaged { .. } | StoreError::Row { .. } | StoreError::Format { .. }
                    ),
                    "byte {byte}, bit {bit}: {error}"
                );
                refused += 1;
            }
        }
    }
    assert!(refused > 20, "only {refused} of 200 flips were noticed");
}

#[test]
fn a_cut_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let expected = fill(folder.path());
    let good = fs::read(&path).unwrap();
    for part in 1..64 {
        fs::write(&path, &good[..good.len() * part / 64]).unwrap();
        match Store::open(folder.path(), &Keys::none()).and_then(|store| store.load()) {
            Ok(records) => assert!(records == expected, "{part}/64: believed"),
            Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{part}/64: {error}"),
        }
    }
}

/// Several commits over the same rows, so that the file has old pages as well as new ones.
fn fill(folder: &Path) -> Vec<Record> {
    let mut store = Store::open(folder, &Keys::none()).unwrap();
    for round in 0..20 {
        let mut batch = Batch::default();
        batch.put(&cluster("east", round));
        for number in 0..50 {
            batch.put(&entry(round * 50 + number));
        }
        store.commit(Epoch(1), &batch).unwrap();
    }
    let read = store.database.begin_read().unwrap();
    assert_eq!(read.open_table(RECORDS).unwrap().len().unwrap(), 1_001);
    store.load().unwrap()
}

fn cluster(name: &str, generation: u64) -> Record {
    Record::Cluster(ClusterRecord {
        name: name.parse().unwrap(),
        uid: Uid(1),
        generation: Generation(generation),
        joined: WallTime(0),
        inventoried: true,
        traits: Traits::default(),
        taints: Vec::new(),
        cordoned: false,
        drain: None,
        maintenance: None,
        awaited: None,
        dead: None,
        knows_overrides: true,
    })
}

fn entry(number: u64) -> Record {
    Record::Journal(JournalEntry {
        number,
        at: WallTime(0),
        severity: Severity::Normal,
        reason: "Test".into(),
        rule: "".into(),
        subject: "".into(),
        message: "a sentence of some length, so that the pages fill up".into(),
        inputs: Default::default(),
    })
}
