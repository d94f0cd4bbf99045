//! The first operator's certificate, which nobody can ask the hub for over the network.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};
use godwit_certs::AdminName;
use godwit_rt::atomic_file;

use super::place::Place;
use super::standing::{Granted, Standing};
use crate::config::Settings;

/// For `--out`: a tar archive to standard output, for who has nothing but that, as of a hub in a pod.
const STANDARD_OUTPUT: &str = "-";

/// A file of what is made: name, content, mode.
type Made<'a> = (&'static str, &'a str, u32);

/// Writes a certificate for an operator into `folder`, with its key, the authority's certificate, and the file by which
/// `godwit` finds all of them and the hub. Whoever may read the authority's key may do this, whether the hub runs or not.
pub(crate) fn issue_admin(settings: &Settings, name: &AdminName, folder: &Path) -> anyhow::Result<()> {
    if !settings.authority.is_set() {
        bail!(
            "--issue-admin: this hub has no authority of its own: set authority.names, or have the certificate made where \
             the files under tls come from"
        );
    }
    let place = Place::of(settings);
    let found = place.look().context("--issue-admin: the authority cannot be used")?;
    let found = found.context(
        "--issue-admin: there is no authority yet: one of the hub's own is made when the hub starts first",
    )?;
    let mut standing = Standing::of(found)?;
    let granted = standing.issue_admin(&place, name, settings.authority.admin_validity.0)?;
    let Granted { issued, chain, authorities } = granted;
    let leaf = issued.leaf();
    let key = issued.key_pem.unwrap_or_default();
    let context = context(settings);
    let files: [Made<'_>; 4] = [
        ("ca.pem", &authorities, atomic_file::PUBLIC),
        ("admin.key", &key, atomic_file::PRIVATE),
        ("admin.pem", &chain, atomic_file::PUBLIC),
        ("config.yaml", &context, atomic_file::PRIVATE),
    ];
    if folder.as_os_str() == STANDARD_OUTPUT {
        return archive(&files).context("the archive cannot be written");
    }
    write(folder, &files)?;
    Ok(writeln!(
        io::stdout(),
        "a certificate for the operator {name}, serial number {}, good for {}, is in {}:\n  godwit --config {}/config.yaml \
         get clusters",
        leaf.serial,
        settings.authority.admin_validity,
        folder.display(),
        folder.display()
    )?)
}

fn write(folder: &Path, files: &[Made<'_>]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for (file, content, mode) in files {
        let path = folder.join(file);
        atomic_file::write(&path, content.as_bytes(), *mode)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

fn archive(files: &[Made<'_>]) -> io::Result<()> {
    let mut archive = tar::Builder::new(io::stdout().lock());
    for (file, content, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        archive.append_data(&mut header, file, content.as_bytes())?;
    }
    archive.into_inner()?.flush()
}

/// The context file of `godwit`.
fn context(settings: &Settings) -> String {
    let names = settings.authority.names();
    let host = match names.first() {
        Some(address) if address.contains(':') => format!("[{address}]"),
        Some(name) => name.clone(),
        None => String::new(),
    };
    let port = settings.listen.rsplit_once(':').map_or("8443", |(_, port)| port);
    format!("address: https://{host}:{port}\nca: ca.pem\ncertificate: admin.pem\nkey: admin.key\n")
}
