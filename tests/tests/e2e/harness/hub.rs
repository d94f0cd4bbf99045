//! The hub's process.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use godwit_certs::TlsFiles;

use super::netns::Network;
use super::process::{Process, Signal, program};

/// The default: no two of these hubs have one address.
const ENROLMENT_PORT: u16 = 8444;

/// Where the hub's certificates come from.
pub(crate) enum Authority<'a> {
    /// From files.
    Files(&'a TlsFiles),
    /// It has an authority of its own. The hub is dialled by its address.
    Own,
}

/// A hub whose folder and address outlive its process.
pub(crate) struct Hub {
    dir: PathBuf,
    config: PathBuf,
    settings: Vec<(String, String)>,
    listen: String,
    /// A network of its own, if it has one.
    network: Option<Arc<Network>>,
    process: Option<Process>,
}

impl Hub {
    /// Starts a hub with its state below `dir`. `settings` are keys of its configuration.
    pub(crate) async fn start(
        dir: &Path,
        ip: Ipv4Addr,
        authority: Authority<'_>,
        settings: Vec<(String, String)>,
        network: Option<Arc<Network>>,
    ) -> Self {
        let config = dir.join("hub.toml");
        let path = |path: &Path| format!("{:?}", path.to_str().unwrap());
        let identity = match authority {
            Authority::Files(TlsFiles { ca, certificate, key }) => format!(
                "[tls]\nca = {}\ncertificate = {}\nkey = {}\n",
                path(ca),
                path(certificate),
                path(key)
            ),
            Authority::Own => {
                format!("[authority]\nnames = \"{ip}\"\n\n[enrolment]\nlisten = \"{ip}:{ENROLMENT_PORT}\"\n")
            }
        };
        let text = format!("data_dir = {}\n\n{identity}", path(&dir.join("store")));
        fs::write(&config, text).unwrap();
        let mut hub =
            Self { dir: dir.to_owned(), config, settings, listen: format!("{ip}:0"), network, process: None };
        hub.restart().await;
        hub
    }

    /// The process, which runs.
    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().expect("the hub runs").id()
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.listen
    }

    pub(crate) fn port(&self) -> u16 {
        let port = self.listen.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        port.expect("the hub has said where it listens")
    }

    /// The file of the store.
    pub(crate) fn store(&self) -> PathBuf {
        self.dir.join("store/hub.redb")
    }

    /// `HOST:PORT` of the port that this hub came to listen on, and the configuration that it was started with.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    /// What has the hub's own authority sign a certificate for an operator.
    pub(crate) fn issuing_admin(&self, name: &str, out: &Path) -> Command {
        let args = [
            format!("--config={}", self.config.display()),
            format!("--listen={}", self.listen),
            format!("--issue-admin={name}"),
            format!("--out={}", out.display()),
        ];
        program("hub", args.into_iter().chain(self.set()))
    }

    /// Does it; the files are named after the operator.
    pub(crate) async fn issue_admin(&self, name: &str) -> TlsFiles {
        let folder = self.dir.join(name);
        let mut process = Process::start("issue-admin", &self.dir, self.issuing_admin(name, &folder));
        assert!(process.ended().await.success(), "{}", process.output());
        TlsFiles {
            ca: folder.join("ca.pem"),
            certificate: folder.join("admin.pem"),
            key: folder.join("admin.key"),
        }
    }

    /// Where it takes those without a certificate, if it has an authority.
    pub(crate) fn enrolment(&self) -> String {
        let host = self.listen.rsplit_once(':').map(|(host, _)| host);
        format!("{}:{ENROLMENT_PORT}", host.expect("HOST:PORT"))
    }

    /// What it printed in this run.
    pub(crate) fn output(&self) -> String {
        self.process.as_ref().expect("the hub runs").output()
    }

    /// Starts it again, at the same address and with the same store.
    pub(crate) async fn restart(&mut self) {
        self.restart_with(&[]).await;
    }

    /// The same, with flags of the moment.
    pub(crate) async fn restart_with(&mut self, flags: &[&str]) {
        let process = self.spawn(flags);
        self.listen = process.line_after("godwit-hub ready ").await;
    }

    /// A test takes something away from it, and it is right to complain.
    pub(crate) fn may_log_errors(&mut self) {
        self.process.as_mut().expect("the hub runs").may_log_errors();
    }

    /// Starts it again without waiting for more than the process.
    fn spawn(&mut self, flags: &[&str]) -> &mut Process {
        assert!(self.process.is_none(), "the hub runs already");
        let args = [
            format!("--config={}", self.config.display()),
            format!("--listen={}", self.listen),
            "--exit-with-stdin".to_owned(),
        ];
        let flags = flags.iter().map(|flag| (*flag).to_owned());
        let command = program("hub", args.into_iter().chain(self.set()).chain(flags));
        let command = match &self.network {
            Some(network) => network.inside_of(&command),
            None => command,
        };
        self.process.insert(Process::start("hub", &self.dir, command))
    }

    /// The settings that a test has chosen.
    fn set(&self) -> impl Iterator<Item = String> {
        self.settings.iter().map(|(key, value)| format!("--set={key}={value}"))
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("the hub runs").kill();
    }

    /// The polite way, to its end.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the hub runs");
        process.signal(Signal::Terminate);
        process.ended().await
    }
}

/// An address that no other federation of this machine's tests uses, so that a hub can come back to its port.
pub(crate) fn own_loopback() -> Ipv4Addr {
    static TAKEN: AtomicU8 = AtomicU8::new(0);
    let number = TAKEN.fetch_add(1, Ordering::Relaxed);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | (high & 63), low, 1 + number % 250)
}
