//! Mutual TLS: files to configurations, and configurations that follow their files.

mod config;
mod error;
mod files;
mod reload;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ServerConfig};

pub use error::TlsError;
pub use godwit_certs::TlsFiles;
pub use reload::Reloader;

/// The hub's side: its certificate, and the authorities whose clients it takes.
pub type ServerTls = Reloader<ServerConfig>;
/// A client's side: its certificate, and the authorities whose hubs it takes.
pub type ClientTls = Reloader<ClientConfig>;

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
