//! Certificates for a federation of any size. Nobody keeps them beyond the run, so they are written without waiting for the
//! disk, and by all cores.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, anyhow};
use godwit_certs::{Authority, Development, LEAF_VALIDITY, atomic_file, mint_development};
use godwit_common::ClusterName;
use godwit_rt::tls::TlsFiles;

/// An authority, and certificates of a hub that is dialled by these names, of an operator, and of agents of these clusters.
pub(super) fn mint(folder: &Path, clusters: &[ClusterName], names: &[String]) -> Result<Development> {
    let few = mint_development(folder, &[], names)?;
    let authority = Authority::load(&few.hub.ca, &folder.join("ca.key"))?;
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = clusters.len().div_ceil(cores).max(1);
    let minted: Vec<Result<Vec<_>>> = thread::scope(|scope| {
        let minters: Vec<_> = clusters
            .chunks(share)
            .map(|some| scope.spawn(|| some.iter().map(|name| agent(folder, name, &authority)).collect()))
            .collect();
        let end = |minter: thread::ScopedJoinHandle<'_, Result<Vec<_>>>| {
            minter.join().unwrap_or_else(|_| Err(anyhow!("minting certificates panicked")))
        };
        minters.into_iter().map(end).collect()
    });
    let mut agents = BTreeMap::new();
    for some in minted {
        agents.extend(some?);
    }
    Ok(Development { agents, ..few })
}

fn agent(folder: &Path, name: &ClusterName, authority: &Authority) -> Result<(ClusterName, TlsFiles)> {
    let own = folder.join("agents").join(name.as_str());
    fs::create_dir_all(&own)?;
    let files =
        TlsFiles { ca: folder.join("ca.pem"), certificate: own.join("tls.crt"), key: own.join("tls.key") };
    let issued = authority.issue_agent(name, LEAF_VALIDITY)?;
    write(&files.certificate, &issued.certificate_pem, atomic_file::PUBLIC)?;
    write(&files.key, &issued.key_pem.context("a key for an agent")?, atomic_file::PRIVATE)?;
    Ok((name.clone(), files))
}

fn write(path: &Path, content: &str, mode: u32) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    Ok(file.write_all(content.as_bytes())?)
}
