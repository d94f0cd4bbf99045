//! The files of the audit log: one that grows, and older ones beside it, as many as are kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file that grows; older ones are called `audit.jsonl.1` and so on, the oldest has the highest number.
const NAME: &str = "audit.jsonl";
/// For the hub's user alone.
const MODE: u32 = 0o600;

pub(super) struct Files {
    folder: PathBuf,
    /// None after a failure: it is opened anew.
    file: Option<File>,
    bytes_max: u64,
    /// How many there are at most, the growing one included.
    most: u32,
}

impl Files {
    pub(super) fn open(folder: &Path, bytes_max: u64, most: u32) -> io::Result<Self> {
        let mut files = Self { folder: folder.to_owned(), file: None, bytes_max, most };
        files.current()?;
        Ok(files)
    }

    /// Adds whole lines, and returns when they are on the disk.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.write(lines);
        if written.is_err() {
            // Whatever is wrong with it is looked at afresh, a torn line among it.
            self.file = None;
        }
        written
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let (bytes_max, path) = (self.bytes_max, self.path(0));
        let file = self.current()?;
        // Somebody may have moved it away; what has no name any more nobody reads.
        let named = fs::metadata(&path).ok().map(|named| (named.dev(), named.ino()));
        let open = file.metadata()?;
        let is_full = open.len() > 0 && open.len() + lines.len() as u64 > bytes_max;
        if named != Some((open.dev(), open.ino())) {
            self.file = None;
        } else if is_full {
            self.rotate()?;
        }
        let file = self.current()?;
        file.write_all(lines)?;
        file.sync_data()
    }

    fn current(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            self.file = Some(open(&self.path(0))?);
            File::open(&self.folder)?.sync_all()?;
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("it was just opened"))
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        let oldest = self.most.saturating_sub(1);
        for number in (0..oldest).rev() {
            match fs::rename(self.path(number), self.path(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        if oldest == 0 {
            fs::remove_file(self.path(0))?;
        }
        Ok(())
    }

    fn path(&self, number: u32) -> PathBuf {
        match number {
            0 => self.folder.join(NAME),
            number => self.folder.join(format!("{NAME}.{number}")),
        }
    }
}

/// Opens it to append. After a crash its last line may be torn: the next one begins on a line of its own.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
    let length = file.metadata()?.len();
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != [b'\n'] {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn read(folder: &Path, name: &str) -> Option<String> {
        fs::read_to_string(folder.join(name)).ok()
    }

    #[test]
    fn files_are_bounded_in_size_and_number_and_the_newest_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::open(folder.path(), 20, 3).unwrap();
        for number in 0..10 {
            files.append(format!("line {number:04}\n").as_bytes()).unwrap();
        }
        assert_eq!(read(folder.path(), "audit.jsonl").unwrap(), "line 0008\nline 0009\n");
        assert_eq!(read(folder.path(), "audit.jsonl.1").unwrap(), "line 0006\nline 0007\n");
        assert_eq!(read(folder.path(), "audit.jsonl.2").unwrap(), "line 0004\nline 0005\n");
        assert_eq!(read(folder.path(), "audit.jsonl.3"), None);
        // A line that is too long for a file has one of its own.
        files.append(&[b'x'; 100]).unwrap();
        assert_eq!(read(folder.path(), "audit.jsonl").unwrap().len(), 100);
        let mode = fs::metadata(folder.path().join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
    }

    #[test]
    fn a_torn_line_and_a_file_that_was_moved_away_harm_nothing_that_follows() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), "{\"torn").unwrap();
        let mut files = Files::open(folder.path(), 1_000, 2).unwrap();
        files.append(b"whole\n").unwrap();
        assert_eq!(read(folder.path(), NAME).unwrap(), "{\"torn\nwhole\n");
        fs::rename(folder.path().join(NAME), folder.path().join("taken")).unwrap();
        files.append(b"next\n").unwrap();
        assert_eq!(read(folder.path(), NAME).unwrap(), "next\n");
    }
}
