//! One command at a time changes the files of a login.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use godwit_certs::atomic_file::PRIVATE;

/// The right to change the files of a login, as long as it lives. Its file is there for no longer either.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    /// The system lets go of it when its process ends, however it ends.
    _held: File,
}

impl Lock {
    /// Waits for those who have it.
    pub(super) fn wait(path: &Path) -> io::Result<Self> {
        loop {
            let file = open(path)?;
            file.lock().or_else(unless_there_are_no_locks)?;
            if is_there(path, &file)? {
                return Ok(Self { path: path.to_owned(), _held: file });
            }
        }
    }

    /// None if another command has it.
    pub(super) fn if_free(path: &Path) -> io::Result<Option<Self>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => unless_there_are_no_locks(error)?,
        }
        // Whoever had it may have ended just now.
        Ok(is_there(path, &file)?.then(|| Self { path: path.to_owned(), _held: file }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is held: what others have opened meanwhile is not there any more when they get it.
        let _ = fs::remove_file(&self.path);
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).mode(PRIVATE).open(path)
}

/// Where the file system knows no locks, as some that are shared over a network, commands are as they were without.
fn unless_there_are_no_locks(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Unsupported { Ok(()) } else { Err(error) }
}

/// Whether it is this very file that others find.
fn is_there(path: &Path, file: &File) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn one_has_it_at_a_time_although_each_removes_its_file() {
        const EACH: u32 = 100;
        let folder = tempfile::tempdir().unwrap();
        let (path, counter) = (folder.path().join("lock"), folder.path().join("counter"));
        fs::write(&counter, "0").unwrap();
        let count = |_held: &Lock| {
            let read: u32 = fs::read_to_string(&counter).unwrap().parse().unwrap();
            fs::write(&counter, (read + 1).to_string()).unwrap();
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..EACH).for_each(|_| count(&Lock::wait(&path).unwrap())));
                scope.spawn(|| {
                    let mut left = EACH;
                    while left > 0 {
                        if let Some(held) = Lock::if_free(&path).unwrap() {
                            count(&held);
                            left -= 1;
                        }
                    }
                });
            }
        });
        assert_eq!(fs::read_to_string(&counter).unwrap(), (8 * EACH).to_string());
        assert!(!path.exists());
    }

    #[test]
    fn who_does_not_wait_is_told_that_another_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::wait(&path).unwrap();
        assert!(Lock::if_free(&path).unwrap().is_none());
        drop(held);
        // What a process that was killed leaves behind is held by nobody.
        fs::write(&path, "").unwrap();
        assert!(Lock::if_free(&path).unwrap().is_some());
        assert!(Lock::wait(&folder.path().join("missing/lock")).is_err());
    }
}
