//! The folder of one development federation: what is where, and who may use it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::context::{DEV_FOLDER, FILE_NAME, Places};
use crate::error::Error;

/// Only its owner looks into it: it holds private keys.
const FOLDER_MODE: u32 = 0o700;

/// A folder, by whose layout everybody finds things.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    folder: PathBuf,
}

/// Held while `godwit dev` runs on the folder; it ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Layout {
    /// The folder that a new federation uses: `dir`, or the usual place below the current folder. It is made.
    pub(super) fn create(dir: Option<&Path>) -> Result<Self, Error> {
        let folder = dir.unwrap_or(Path::new(DEV_FOLDER));
        let wrong = |error: io::Error| Error::failed(format!("--dir {}: {error}", folder.display()));
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(wrong)?;
        let layout = Self { folder: folder.canonicalize().map_err(wrong)? };
        for part in ["logs", "clusters", "certs"] {
            let path = layout.folder.join(part);
            DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(wrong)?;
        }
        Ok(layout)
    }

    /// The folder of the federation that a command is about: `dir`, or the nearest one.
    pub(super) fn find(dir: Option<&Path>, places: &Places) -> Result<Self, Error> {
        let folder = dir.map(Path::to_owned).or_else(|| places.dev_folder());
        let folder = folder.ok_or_else(|| {
            let here = places.working_folder.display();
            Error::failed(format!("there is no {DEV_FOLDER} in {here} or above"))
                .with_hint("start one with `godwit dev`, or name its folder with --dir")
        })?;
        Ok(Self { folder })
    }

    /// Takes the folder for this process.
    pub(super) fn lock(&self) -> Result<Lock, Error> {
        let path = self.folder.join("lock");
        let wrong = |error: io::Error| Error::failed(format!("{}: {error}", path.display()));
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Only a courtesy: the holder may be about to write it.
                let _ = (&file).take(20).read_to_string(&mut pid);
                let message = format!(
                    "`godwit dev` runs on {} already (process {})",
                    self.folder.display(),
                    pid.trim()
                );
                return Err(Error::failed(message).with_hint("stop it, or use another folder with --dir"));
            }
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(wrong)?;
        Ok(Lock { _file: file })
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The certificates.
    pub(super) fn certificates(&self) -> PathBuf {
        self.folder.join("certs")
    }

    /// The context file that other commands find.
    pub(super) fn context(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    /// The hub's store. Simulated clusters end with their run, and so does what the hub knows of them; real ones stay.
    pub(super) fn store(&self, simulated: bool) -> PathBuf {
        self.folder.join(if simulated { "hub-simulated" } else { "hub" })
    }

    /// Where the hub says that it serves.
    pub(super) fn hub_ready(&self) -> PathBuf {
        self.folder.join("hub.ready")
    }

    /// The kubeconfig of a simulated cluster.
    pub(super) fn kubeconfig(&self, cluster: &str) -> PathBuf {
        self.folder.join("clusters").join(format!("{cluster}.kubeconfig"))
    }

    /// What a child says.
    pub(super) fn log(&self, child: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{child}.log"))
    }

    /// The control socket's path, short enough for any folder: a socket's name has 108 bytes at most, so it is reached
    /// through the folder's descriptor, which must be kept until it is bound or connected.
    pub(super) fn control(&self) -> io::Result<(File, PathBuf)> {
        let folder = File::open(&self.folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/control.sock", folder.as_raw_fd()));
        Ok((folder, path))
    }

    /// Removes a file or folder of an earlier run.
    pub(super) fn remove(path: &Path) -> Result<(), Error> {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::failed(format!("{}: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_uses_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(Some(&folder.path().join("a/b"))).unwrap();
        let lock = layout.lock().unwrap();
        let Err(Error::Failed { message, .. }) = layout.lock() else {
            panic!("it is taken");
        };
        assert!(message.contains(&format!("(process {})", std::process::id())), "{message}");
        drop(lock);
        layout.lock().unwrap();
    }
}
