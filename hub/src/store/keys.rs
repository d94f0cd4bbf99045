//! Keys of the operator's, under which the rows of a store are kept: who reads the disk, or a backup, reads nothing of what
//! applications bring along, Secrets among it. The rows' own keys, which are kinds and names, stay readable.
//!
//! Rows are sealed with AES-256-GCM-SIV (RFC 8452) under a random nonce each, so that no count of writes has to be kept; the
//! row's key is authenticated with it, so that a row is good in its own place alone.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use godwit_certs::hex;

use super::StoreError;

/// As hexadecimal digits.
const KEY_BYTES: usize = 32;
/// With the end of a line.
const FILE_BYTES_MAX: u64 = 1024;
/// Goes before a key where its name is made of it, which gives nothing of it away.
const NAMING: &[u8] = b"godwit store key\0";

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{} cannot be read", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// The file holds no key.
    #[error("{} must hold 64 hexadecimal digits and nothing else, as `openssl rand -hex 32` prints them", .0.display())]
    Form(PathBuf),
}

/// The name of a key: it tells keys apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyId(pub(crate) u64);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One key.
#[derive(Clone)]
pub(crate) struct Key {
    id: KeyId,
    sealing: Arc<LessSafeKey>,
}

/// Those that a store may be under.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// Under which it is kept from now on; none: in the clear.
    pub(super) current: Option<Key>,
    /// Under which it may have been kept until now.
    former: Vec<Key>,
}

impl Keys {
    /// None: the store is in the clear.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads the key for everything that is written, and those that were in use before.
    pub fn read(current: Option<&Path>, former: &[PathBuf]) -> Result<Self, KeyError> {
        let former = former.iter().map(|file| Key::read(file)).collect::<Result<_, _>>()?;
        Ok(Self { current: current.map(Key::read).transpose()?, former })
    }

    /// The one of this name.
    pub(super) fn find(&self, id: KeyId) -> Option<&Key> {
        self.current.iter().chain(&self.former).find(|key| key.id == id)
    }
}

impl Key {
    fn read(path: &Path) -> Result<Self, KeyError> {
        let mut text = String::new();
        let read = fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
        read.map_err(|error| KeyError::Read(path.to_owned(), error))?;
        let key = hex::read(text.trim()).and_then(|bytes| Self::new(&bytes));
        key.ok_or_else(|| KeyError::Form(path.to_owned()))
    }

    fn new(bytes: &[u8; KEY_BYTES]) -> Option<Self> {
        let name = digest(&SHA256, &[NAMING, bytes].concat());
        let id = KeyId(u64::from_be_bytes(*name.as_ref().first_chunk()?));
        let sealing = LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, bytes).ok()?);
        Some(Self { id, sealing: Arc::new(sealing) })
    }

    pub(super) fn id(&self) -> KeyId {
        self.id
    }

    /// The value of the row of this key, sealed: the nonce, then what it seals.
    pub(super) fn seal(&self, row: &str, value: &[u8]) -> Result<Vec<u8>, Unsealed> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Unsealed)?;
        let mut sealed = value.to_vec();
        let aad = Aad::from(row.as_bytes());
        let nonce_for = Nonce::assume_unique_for_key(nonce);
        self.sealing.seal_in_place_append_tag(nonce_for, aad, &mut sealed).map_err(|_| Unsealed)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// The value again.
    pub(super) fn unseal(&self, row: &str, sealed: &[u8]) -> Result<Vec<u8>, Unsealed> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Unsealed)?;
        let mut value = sealed.to_vec();
        let opened = self.sealing.open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(row.as_bytes()),
            &mut value,
        );
        let length = opened.map_err(|_| Unsealed)?.len();
        value.truncate(length);
        Ok(value)
    }
}

impl fmt::Debug for Key {
    /// The key itself stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A value is not what was sealed there, or the system gives no random bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unsealed;

impl Unsealed {
    /// What is wrong with the row.
    pub(super) fn of_row(self, path: &Path, row: &str) -> StoreError {
        StoreError::Row {
            path: path.to_owned(),
            table: "records",
            key: row.to_owned(),
            problem: "it is not what was encrypted there".to_owned(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Keys made of single bytes: the current one, and former ones.
    pub(crate) fn keys(current: Option<u8>, former: &[u8]) -> Keys {
        let key = |byte: u8| Key::new(&[byte; KEY_BYTES]).unwrap();
        Keys { current: current.map(key), former: former.iter().copied().map(key).collect() }
    }

    #[test]
    fn a_row_is_good_in_its_own_place_under_its_own_key_alone() {
        let all = keys(Some(1), &[2]);
        let (one, two) = (all.current.clone().unwrap(), all.former[0].clone());
        let sealed = one.seal("policy/web", b"a value").unwrap();
        assert_eq!(one.unseal("policy/web", &sealed).as_deref(), Ok(&b"a value"[..]));
        assert_eq!(two.unseal("policy/web", &sealed), Err(Unsealed));
        assert_eq!(one.unseal("policy/api", &sealed), Err(Unsealed));
        for index in 0..sealed.len() {
            let mut other = sealed.clone();
            other[index] ^= 1;
            assert_eq!(one.unseal("policy/web", &other), Err(Unsealed), "byte {index}");
            assert_eq!(one.unseal("policy/web", &sealed[..index]), Err(Unsealed), "cut to {index}");
        }
        assert_ne!(one.seal("policy/web", b"a value").unwrap(), sealed, "no two are alike");
        assert_eq!(one.unseal("x", &one.seal("x", b"").unwrap()).as_deref(), Ok(&b""[..]));
    }

    #[test]
    fn a_file_holds_a_key_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            Keys::read(Some(&path), std::slice::from_ref(&path))
        };
        let keys = read(&format!("{}\n", "0a".repeat(32))).unwrap();
        assert_eq!(keys.current.as_ref().unwrap().id(), keys.former[0].id());
        assert!(!format!("{keys:?}").contains("0a0a"));
        for bad in ["", "0a", &"0a".repeat(33), &"+a".repeat(32), &"0g".repeat(32), &"é".repeat(32)] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains("64 hexadecimal digits"), "{bad}: {error}");
        }
        let missing = Keys::read(Some(&folder.path().join("none")), &[]).unwrap_err().to_string();
        assert!(missing.contains("none cannot be read"), "{missing}");
    }
}
