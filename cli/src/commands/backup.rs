//! `godwit backup`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use godwit_proto::v1::BackupRequest;

use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;

/// It holds what was deployed, Secrets among it.
const MODE: u32 = 0o600;

/// Take a backup of everything that the hub keeps, while it works on.
///
/// `godwit-hub --restore FILE` makes a store of it. Keep it as safe as the applications' Secrets, which are in it.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to write, whole or not at all; - is standard output
    #[arg(value_name = "FILE")]
    to: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

impl Backup {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        if self.to == Path::new("-") {
            if io::stdout().is_terminal() {
                return Err(Error::failed("a backup is nothing to look at: name a file, or redirect it"));
            }
            let client = Client::connect(places).await?;
            return take(&client, &mut io::stdout().lock()).await.map(drop);
        }
        let named = |error: io::Error| Error::failed(format!("{}: {error}", self.to.display()));
        if !self.force && self.to.try_exists().map_err(named)? {
            let exists = format!("{} exists: name another file, or add --force", self.to.display());
            return Err(Error::failed(exists));
        }
        let client = Client::connect(places).await?;
        let partial = self.partial();
        let (mut file, guard) = (create(&partial).map_err(named)?, Partial(&partial));
        let bytes = take(&client, &mut file).await?;
        file.sync_all().and_then(|()| fs::rename(&partial, &self.to)).map_err(named)?;
        drop(guard);
        Ok(writeln!(io::stdout(), "{}: {bytes} bytes", self.to.display())?)
    }

    /// Beside the file, so that it can be renamed to it.
    fn partial(&self) -> PathBuf {
        let mut name = self.to.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        self.to.with_file_name(name)
    }
}

/// What is removed unless it was renamed.
struct Partial<'a>(&'a Path);

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        // It is gone if all went well.
        let _ = fs::remove_file(self.0);
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)
}

/// The hub's last word says that nothing is missing.
async fn take(client: &Client, out: &mut impl Write) -> Result<u64, Error> {
    let mut stream = answer(client.federation().backup(BackupRequest {})).await?;
    let mut bytes = 0;
    while let Some(part) = stream.message().await.map_err(Error::refused)? {
        out.write_all(&part.chunk)?;
        bytes += part.chunk.len() as u64;
    }
    out.flush()?;
    Ok(bytes)
}
