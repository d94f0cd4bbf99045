//! Copying the program to where containers of other images find it.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// It is there in whole or not at all.
pub(crate) fn install(path: &Path) -> Result<(), String> {
    copy(path).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

fn copy(path: &Path) -> io::Result<()> {
    let part = path.with_extension("part");
    let (mut from, mut to) = (File::open("/proc/self/exe")?, File::create(&part)?);
    io::copy(&mut from, &mut to)?;
    // Whoever the other containers run as.
    to.set_permissions(Permissions::from_mode(0o755))?;
    drop(to);
    fs::rename(&part, path)
}
