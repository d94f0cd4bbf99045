//! What a supervisor knows of its lease: the latest moment that any of its files has ever named. A right that was given is
//! not taken back: the hub counts on its end, and on nothing earlier.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock;
use crate::lease::{BYTES_MAX, Lease};

/// No hub grants more than a day; what says more was not written by an agent.
const AHEAD_MAX: Duration = Duration::from_secs(25 * 60 * 60);

/// Whose lease is read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) life: String,
}

#[derive(Debug)]
pub(crate) struct Holder {
    terms: Terms,
    boot: String,
    until: Duration,
    /// Why a file is passed over, said once.
    told: Option<String>,
}

impl Holder {
    pub(crate) fn new(terms: Terms, boot: String) -> Self {
        Self { terms, boot, until: Duration::ZERO, told: None }
    }

    /// Reads the files again; what is wrong with one, if that is news.
    pub(crate) fn look(&mut self, now: Duration) -> Option<String> {
        let mut problem = None;
        for file in &self.terms.files {
            let read = read(file).and_then(|found| match found {
                Some(bytes) => judge(&bytes, &self.terms.life, &self.boot, now).map(Some),
                None => Ok(None),
            });
            match read {
                Ok(found) => self.until = self.until.max(found.unwrap_or_default()),
                Err(why) => problem = Some(format!("{} is no lease: {why}", file.display())),
            }
        }
        let news = problem.clone().filter(|_| problem != self.told);
        self.told = problem;
        news
    }

    /// When what runs has to begin to stop.
    pub(crate) fn until(&self) -> Duration {
        self.until
    }
}

/// Whether the lease stands right now.
pub(crate) fn check(terms: Terms) -> Result<bool, String> {
    clock::is_the_machines()?;
    let mut holder = Holder::new(terms, clock::boot()?);
    let now = clock::now();
    if let Some(problem) = holder.look(now) {
        crate::say(&problem);
    }
    Ok(holder.until() > now)
}

/// Until when, if these bytes are a lease of this life on this machine.
fn judge(bytes: &[u8], life: &str, boot: &str, now: Duration) -> Result<Duration, String> {
    let lease = Lease::read(bytes).map_err(|flaw| flaw.to_string())?;
    if lease.boot != boot {
        return Err("it is from another machine, or from before this one was started".to_owned());
    }
    if lease.life != life {
        return Err(format!("it is for {}", lease.life));
    }
    if lease.until > now + AHEAD_MAX {
        return Err("it ends later than any lease does".to_owned());
    }
    Ok(lease.until)
}

/// What a file holds; `None` if there is none yet. It is opened anew each time, since it is replaced and not written over.
fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        // Opening a pipe would wait.
        Ok(_) => return Err("it is not a file".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    }
    let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);

    fn lease(until: u64) -> Lease {
        Lease { boot: "b0".to_owned(), life: "2a".to_owned(), until: Duration::from_secs(until) }
    }

    fn holder(files: &[&Path]) -> Holder {
        let files = files.iter().map(|path| path.to_path_buf()).collect();
        Holder::new(Terms { files, life: "2a".to_owned() }, "b0".to_owned())
    }

    #[test]
    fn s9_the_latest_end_ever_seen_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lease");
        let mut holder = holder(&[&path]);
        assert_eq!((holder.look(NOW), holder.until()), (None, Duration::ZERO), "there is none yet");
        for (until, holds) in [(1_060, 1_060), (1_030, 1_060), (1_090, 1_090)] {
            fs::write(&path, lease(until).write()).unwrap();
            assert_eq!((holder.look(NOW), holder.until()), (None, Duration::from_secs(holds)));
        }
        fs::write(&path, &lease(1_200).write()[..30]).unwrap();
        assert!(holder.look(NOW).unwrap().contains("is no lease"));
        assert_eq!((holder.look(NOW), holder.until()), (None, Duration::from_secs(1_090)), "it is said once");
        fs::remove_file(&path).unwrap();
        assert_eq!((holder.look(NOW), holder.until()), (None, Duration::from_secs(1_090)));
    }

    #[test]
    fn s9_what_another_life_or_boot_was_given_gives_nothing() {
        let cases = [
            (Lease { boot: "b1".to_owned(), ..lease(1_060) }, "before this one was started"),
            (Lease { life: "2b".to_owned(), ..lease(1_060) }, "it is for 2b"),
            (lease(1_000 + 26 * 3_600), "later than any lease"),
        ];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lease");
        for (other, why) in cases {
            fs::write(&path, other.write()).unwrap();
            let mut holder = holder(&[&path]);
            let problem = holder.look(NOW).unwrap();
            assert!(problem.contains(why) && holder.until() == Duration::ZERO, "{problem}");
        }
    }

    #[test]
    fn of_several_files_the_one_that_lasts_longest_counts() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        fs::write(&one, lease(1_060).write()).unwrap();
        fs::create_dir(&other).unwrap();
        let mut holder = holder(&[&one, &other]);
        let problem = holder.look(NOW).unwrap();
        assert!(
            problem.contains("it is not a file") && holder.until() == Duration::from_secs(1_060),
            "{problem}"
        );
        fs::remove_dir(&other).unwrap();
        fs::write(&other, lease(1_070).write()).unwrap();
        assert_eq!((holder.look(NOW), holder.until()), (None, Duration::from_secs(1_070)));
    }
}
