//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// The Godwit agent: holds a stream to the hub, applies what the hub wants in this cluster, and reports what is there.
#[derive(Debug, Parser)]
#[command(name = "godwit-agent", version)]
pub(crate) struct Args {
    /// A TOML file with settings.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A hub's address, HOST:PORT. Repeat it, or separate several by commas.
    #[arg(long = "hub", value_name = "HOST:PORT")]
    pub(crate) hubs: Vec<String>,
    /// The credentials of the cluster; without it, those of the pod that the agent runs in.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The namespace of the agent's own objects.
    #[arg(long)]
    pub(crate) namespace: Option<String>,
    /// The agent's name within its cluster.
    #[arg(long, value_name = "NAME")]
    pub(crate) instance: Option<String>,
    /// The authorities whose hubs are trusted, as PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// The agent's certificate, as PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The certificate's key, as PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Where the agent keeps a certificate that it gets from the hub, and its key, in the place of the three above.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) identity_directory: Option<PathBuf>,
    /// The file with the join token of `godwit token create`, by which it gets the first one.
    #[arg(long, value_name = "FILE")]
    pub(crate) join_token_file: Option<PathBuf>,
    /// The file with the token of the agent's service account, by which later agents of its cluster come in.
    #[arg(long, value_name = "FILE")]
    pub(crate) service_account_token_file: Option<PathBuf>,
    /// What is logged: a level, or a list such as info,godwit_agent=debug.
    #[arg(long, value_name = "FILTER")]
    pub(crate) log_filter: Option<String>,
    /// The form of log lines: text or json.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Any setting by its key.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Check the settings, print them with their sources, and end.
    #[arg(long)]
    pub(crate) check_config: bool,
    /// End when standard input closes.
    #[arg(long, hide = true)]
    pub(crate) exit_with_stdin: bool,
}

impl Args {
    /// What the flags set: key, value, and the flag.
    pub(crate) fn settings(&self) -> Vec<(String, String, String)> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let hubs = (!self.hubs.is_empty()).then(|| self.hubs.join(","));
        let named = [
            ("hubs", "--hub", hubs),
            ("kubeconfig", "--kubeconfig", path(&self.kubeconfig)),
            ("namespace", "--namespace", self.namespace.clone()),
            ("instance", "--instance", self.instance.clone()),
            ("tls.ca", "--tls-ca", path(&self.tls_ca)),
            ("tls.certificate", "--tls-certificate", path(&self.tls_certificate)),
            ("tls.key", "--tls-key", path(&self.tls_key)),
            ("identity.directory", "--identity-directory", path(&self.identity_directory)),
            ("identity.join_token_file", "--join-token-file", path(&self.join_token_file)),
            (
                "identity.service_account_token_file",
                "--service-account-token-file",
                path(&self.service_account_token_file),
            ),
            ("log.filter", "--log-filter", self.log_filter.clone()),
            ("log.format", "--log-format", self.log_format.clone()),
        ];
        let named = named
            .into_iter()
            .filter_map(|(key, flag, value)| value.map(|value| (key.to_owned(), value, flag.to_owned())));
        let free = self.set.iter().map(|text| {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            (key.to_owned(), value.to_owned(), "--set".to_owned())
        });
        named.chain(free).collect()
    }
}
