//! `godwit logout`.

use std::io::{self, Write};
use std::time::SystemTime;

use clap::Args;

use crate::context::{Context, Places};
use crate::error::Error;
use crate::login::Kept;
use crate::output::age;

/// Remove a login: its key, its certificate and its context.
///
/// The hub is not told: whoever has copied the key can use it until the certificate ends, or is revoked.
#[derive(Debug, Args)]
pub(crate) struct Logout {}

impl Logout {
    pub(crate) fn run(self, places: &Places) -> Result<(), Error> {
        let path = places.find()?;
        let context = Context::read(&path)?;
        if !context.is_login {
            return Err(Error::failed(format!("{} is not from `godwit login`", path.display()))
                .with_hint("name the context of a login by --config, or remove this one by hand"));
        }
        let kept = Kept::beside(&path);
        let _lock = kept.lock()?;
        let leaf = kept.leaf();
        kept.remove()?;
        let hub = &context.endpoint;
        let line = match leaf {
            None => format!("logged out of {hub}"),
            Some(leaf) => {
                let left = leaf.not_after.duration_since(SystemTime::now()).unwrap_or_default();
                format!(
                    "logged out of {hub}; if anybody else may have had the key, `godwit revoke serial {}` (it lasts for {})",
                    leaf.serial,
                    age::short(left)
                )
            }
        };
        Ok(writeln!(io::stdout(), "{line}")?)
    }
}
