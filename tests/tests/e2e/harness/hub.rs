//! The hub's process.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use godwit_certs::TlsFiles;

use super::netns::Network;
use super::process::{Process, Signal, program};

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
        tls: &TlsFiles,
        settings: Vec<(String, String)>,
        network: Option<Arc<Network>>,
    ) -> Self {
        let config = dir.join("hub.toml");
        let path = |path: &Path| format!("{:?}", path.to_str().unwrap());
        let text = format!(
            "data_dir = {}\n\n[tls]\nca = {}\ncertificate = {}\nkey = {}\n",
            path(&dir.join("store")),
            path(&tls.ca),
            path(&tls.certificate),
            path(&tls.key),
        );
        fs::write(&config, text).unwrap();
        let mut hub =
            Self { dir: dir.to_owned(), config, settings, listen: format!("{ip}:0"), network, process: None };
        hub.restart().await;
        hub
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

    /// Starts it again, at the same address and with the same store.
    pub(crate) async fn restart(&mut self) {
        self.restart_with(&[]).await;
    }

    /// The same, with flags of the moment.
    pub(crate) async fn restart_with(&mut self, flags: &[&str]) {
        let process = self.spawn(flags);
        self.listen = process.line_after("godwit-hub ready ").await;
    }

    /// Starts it again without waiting for more than the process.
    fn spawn(&mut self, flags: &[&str]) -> &mut Process {
        assert!(self.process.is_none(), "the hub runs already");
        let settings = self.settings.iter().map(|(key, value)| format!("--set={key}={value}"));
        let args = [
            format!("--config={}", self.config.display()),
            format!("--listen={}", self.listen),
            "--exit-with-stdin".to_owned(),
        ];
        let flags = flags.iter().map(|flag| (*flag).to_owned());
        let command = program("hub", args.into_iter().chain(settings).chain(flags));
        let command = match &self.network {
            Some(network) => network.inside_of(&command),
            None => command,
        };
        self.process.insert(Process::start("hub", &self.dir, command))
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
