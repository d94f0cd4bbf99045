//! The command line.

use std::path::PathBuf;

use clap::Parser;
use godwit_certs::AdminName;

use crate::config::Sources;

/// The hub of a Godwit federation.
///
/// Settings come from defaults, the file given with --config, the environment (GODWIT_HUB_LISTEN, GODWIT_HUB_TLS__CA),
/// and flags, each over the one before.
#[derive(Debug, Parser)]
#[command(name = "godwit-hub", version)]
pub(crate) struct Args {
    /// The configuration file, TOML.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// The address and port on which agents and operators connect.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<String>,
    /// The folder of the store.
    #[arg(long, value_name = "PATH")]
    data_dir: Option<String>,
    /// The PEM file of the trusted authorities.
    #[arg(long, value_name = "PATH")]
    tls_ca: Option<String>,
    /// The PEM file of the hub's certificate.
    #[arg(long, value_name = "PATH")]
    tls_certificate: Option<String>,
    /// The PEM file of the certificate's key.
    #[arg(long, value_name = "PATH")]
    tls_key: Option<String>,
    /// The form of log lines: text or json.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// What is logged: a level, or a list such as info,godwit_hub=debug.
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
    /// Any setting, such as federation.heartbeat=1s; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    settings: Vec<(String, String)>,
    /// Only check the configuration and the certificates.
    #[arg(long)]
    pub(crate) check_config: bool,
    /// Only print the configuration in force, each key with its source.
    #[arg(long, conflicts_with = "check_config")]
    pub(crate) print_config: bool,
    /// The store was lost, or restored from a backup: rebuild the view from what the members hold, and stand still until an
    /// operator accepts it. Leave it out again afterwards.
    #[arg(long)]
    pub(crate) recover: bool,
    /// Only make the store, in an empty data_dir, of this backup, which `godwit backup` took. The hub that is started on it
    /// rebuilds what it does not know from what the members hold, and stands still until an operator accepts it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check_config", "print_config", "recover"])]
    pub(crate) restore: Option<PathBuf>,
    /// Only write a certificate for the operator of this name, signed by the hub's own authority, and what `godwit` needs with
    /// it, into the folder of --out. The hub may run meanwhile, and must have run once.
    #[arg(
        long,
        value_name = "NAME",
        requires = "out",
        conflicts_with_all = ["check_config", "print_config", "recover", "restore"]
    )]
    pub(crate) issue_admin: Option<AdminName>,
    /// The folder for --issue-admin; - for a tar archive on standard output.
    #[arg(long, value_name = "PATH", requires = "issue_admin")]
    pub(crate) out: Option<PathBuf>,
    /// A file that is written once the hub serves: one line, its address and port.
    #[arg(long, value_name = "PATH")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Stop when standard input closes: for a parent that may die.
    #[arg(long, hide = true)]
    pub(crate) exit_with_stdin: bool,
}

impl Args {
    /// Where the configuration comes from.
    pub(crate) fn sources(&self, environment: Vec<(String, String)>) -> Sources {
        let flags = [
            ("listen", &self.listen, "--listen"),
            ("data_dir", &self.data_dir, "--data-dir"),
            ("tls.ca", &self.tls_ca, "--tls-ca"),
            ("tls.certificate", &self.tls_certificate, "--tls-certificate"),
            ("tls.key", &self.tls_key, "--tls-key"),
            ("log.format", &self.log_format, "--log-format"),
            ("log.filter", &self.log_filter, "--log-filter"),
        ];
        let own = |key: &str, value: &str, flag: &str| (key.to_owned(), value.to_owned(), flag.to_owned());
        let set = self.settings.iter().map(|(key, value)| own(key, value, "--set"));
        let named =
            flags.into_iter().filter_map(|(key, value, flag)| Some(own(key, value.as_deref()?, flag)));
        Sources { file: self.config.clone(), environment, flags: set.chain(named).collect() }
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| "it must be KEY=VALUE, such as federation.heartbeat=1s".to_owned())?;
    Ok((key.to_owned(), value.to_owned()))
}
