//! Mutual TLS: files to configurations, and configurations that follow their files.

mod config;
mod door;
mod error;
mod files;
mod neighbour;
mod pinned;
mod reload;
mod vouching;

use std::sync::Arc;

use godwit_certs::{Identity, Pin};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ServerConfig};

pub use door::Door;
pub use error::TlsError;
pub use godwit_certs::TlsFiles;
pub use reload::Reloader;
pub use vouching::Vouching;

/// The hub's side: its certificate, and the authorities whose clients it takes.
pub type ServerTls = Reloader<ServerConfig>;
/// A client's side: its certificate, and the authorities whose hubs it takes.
pub type ClientTls = Reloader<ClientConfig>;

/// A client that has no certificate yet, and takes a hub for the right one if it comes from the authority of this pin.
pub fn pinned(authority: Pin) -> Arc<ClientConfig> {
    Arc::new(config::pinned(authority))
}

/// A client's configuration as its files are now, even if the certificate has ended: a door for strangers takes it.
pub fn client_of(files: &TlsFiles) -> Result<Arc<ClientConfig>, TlsError> {
    let material = files::Contents::read(files)?.parse(files)?;
    config::client(files, material).map(Arc::new)
}

/// Who the certificate in these files is for.
pub fn identity_of(files: &TlsFiles) -> Result<Identity, TlsError> {
    Ok(files::Contents::read(files)?.parse(files)?.leaf.identity)
}

/// Makes aws-lc-rs the process's cryptography, for libraries that ask rustls for the default one.
/// The first line of every `main`; calling it again changes nothing.
pub fn install_provider() {
    // An error says only that one is installed already, and no other one is in the dependency graph.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The same cryptography for our own configurations, which do not depend on what a process installed.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
