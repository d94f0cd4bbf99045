//! The leases of a node: a folder for each workload, made by the kubelet when it mounts it into the first pod, and a file in
//! it, which is replaced as a whole.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use godwit_common::Uid;
use godwit_gate::lease::Lease;
use godwit_manifest::supervisor::LEASE_FILE;
use godwit_proto::agent::lease::LIVES_MAX;

/// Written first, and given its name when it is whole.
const PART: &str = ".part";

/// Where leases are kept.
#[derive(Debug, Clone)]
pub(super) struct Leases {
    directory: PathBuf,
    boot: String,
}

/// Whether leases can be written there.
pub(super) fn check(directory: &Path) -> anyhow::Result<()> {
    let part = directory.join(PART);
    let tried = fs::write(&part, "").and_then(|()| fs::remove_file(&part));
    tried.with_context(|| {
        format!(
            "gate.directory = {:?} cannot be written: mount that folder of the node there, and let the agent run as root",
            directory.display()
        )
    })
}

impl Leases {
    pub(super) fn new(directory: PathBuf, boot: String) -> Self {
        Self { directory, boot }
    }

    /// The lives of which this node has pods, or had some since it was started.
    pub(super) fn lives(&self) -> io::Result<BTreeSet<Uid>> {
        let mut lives = BTreeSet::new();
        for entry in fs::read_dir(&self.directory)? {
            let life: Option<Uid> = entry?.file_name().to_str().and_then(|name| name.parse().ok());
            lives.extend(life);
            if lives.len() >= LIVES_MAX {
                break;
            }
        }
        Ok(lives)
    }

    /// Lets a workload's processes run until then.
    pub(super) fn grant(&self, life: Uid, until: Duration) -> io::Result<()> {
        let folder = self.directory.join(life.to_string());
        let lease = Lease { boot: self.boot.clone(), life: life.to_string(), until };
        let part = folder.join(PART);
        fs::write(&part, lease.write())?;
        // Whoever the containers run as.
        fs::set_permissions(&part, Permissions::from_mode(0o644))?;
        fs::rename(&part, folder.join(LEASE_FILE))
    }

    /// Nothing of a workload is to start here any more. What runs knows until when it may.
    pub(super) fn withdraw(&self, life: Uid) -> io::Result<()> {
        match fs::remove_file(self.directory.join(life.to_string()).join(LEASE_FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s9_a_lease_is_replaced_as_a_whole_and_withdrawn() {
        let dir = tempfile::tempdir().unwrap();
        let leases = Leases::new(dir.path().to_owned(), "b0".to_owned());
        let folder = dir.path().join(Uid(7).to_string());
        fs::create_dir(&folder).unwrap();
        fs::write(dir.path().join("other"), "").unwrap();
        assert_eq!(leases.lives().unwrap(), BTreeSet::from([Uid(7)]));
        for seconds in [60, 90] {
            let until = Duration::from_secs(seconds);
            leases.grant(Uid(7), until).unwrap();
            let read = Lease::read(&fs::read(folder.join("lease")).unwrap()).unwrap();
            assert_eq!(read, Lease { boot: "b0".to_owned(), life: Uid(7).to_string(), until });
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no part is left behind");
        leases.withdraw(Uid(7)).unwrap();
        leases.withdraw(Uid(7)).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        assert!(leases.grant(Uid(8), Duration::ZERO).is_err(), "nobody has mounted that one");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let error = check(Path::new("/nonexistent/leases")).unwrap_err();
        assert!(
            error.to_string().contains("gate.directory = \"/nonexistent/leases\" cannot be written"),
            "{error}"
        );
    }
}
