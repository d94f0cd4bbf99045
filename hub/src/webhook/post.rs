//! Posting over HTTP/1.1, in the clear or over TLS, with a bearer token.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::body;
use crate::config::Webhook as Settings;

/// Where to post, and how.
pub(super) struct Post {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    token: Option<PathBuf>,
    timeout: Duration,
}

impl Post {
    pub(super) fn open(settings: &Settings) -> anyhow::Result<Self> {
        let Settings { url, ca, token_file, severity: _, timeout } = settings;
        let url: Uri = url.parse().context("webhook.url")?;
        let trusted = match url.scheme_str() {
            Some("https") => roots(ca)?,
            Some(_) | None => RootCertStore::empty(),
        };
        let tls = ClientConfig::builder().with_root_certificates(Arc::new(trusted)).with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build(connector.build());
        let token = Some(token_file.clone()).filter(|path| !path.as_os_str().is_empty());
        if let Some(path) = &token {
            bearer(path, std::fs::read(path))?;
        }
        Ok(Self { client, url, token, timeout: timeout.0 })
    }

    /// Posts once. Only a status of 2xx is success: a redirection is not followed, since the body would go where nobody
    /// said that it may.
    pub(super) async fn send(&self, body: Bytes) -> anyhow::Result<()> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(body::CONTENT_TYPE));
        headers
            .insert(USER_AGENT, HeaderValue::from_static(concat!("godwit-hub/", env!("CARGO_PKG_VERSION"))));
        if let Some(path) = &self.token {
            // Read anew each time: tokens are rotated.
            headers.insert(AUTHORIZATION, bearer(path, tokio::fs::read(path).await)?);
        }
        let asked = tokio::time::timeout(self.timeout, self.client.request(request)).await;
        let answer = asked.map_err(|_| anyhow!("no answer from {} within {:?}", self.url, self.timeout))?;
        let status = answer.with_context(|| format!("{} cannot be asked", self.url))?.status();
        if !status.is_success() {
            bail!("{} answered {status}", self.url);
        }
        Ok(())
    }
}

/// What is wrong with an address to post to.
pub(crate) fn check_url(url: &str) -> Result<(), &'static str> {
    let uri: Uri = url.parse().map_err(|_| "it must be a URL, such as https://alerts.example/godwit")?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
            Err("credentials do not belong here: give a token by webhook.token_file")
        }
        (Some("http" | "https"), Some(_)) => Ok(()),
        (Some(_) | None, _) => Err("it must begin with https:// or http:// and name a host"),
    }
}

/// Whose certificates are accepted: those of the file, else those that the system trusts.
fn roots(ca: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if ca.as_os_str().is_empty() {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            bail!("the system has no trusted authorities: name a PEM file by webhook.ca");
        }
        return Ok(roots);
    }
    let named = || format!("webhook.ca = {ca:?}");
    let certificates = CertificateDer::pem_file_iter(ca).with_context(named)?;
    for certificate in certificates {
        roots.add(certificate.with_context(named)?).with_context(named)?;
    }
    if roots.is_empty() {
        bail!("webhook.ca = {ca:?}: it holds no certificate");
    }
    Ok(roots)
}

/// A token as it is sent, out of its file.
fn bearer(path: &Path, read: std::io::Result<Vec<u8>>) -> anyhow::Result<HeaderValue> {
    let named = || format!("webhook.token_file = {path:?}");
    let token = read.with_context(named)?;
    let mut value = b"Bearer ".to_vec();
    value.extend(token.trim_ascii());
    let mut value = HeaderValue::from_bytes(&value).map_err(|_| anyhow!("{}: it holds no token", named()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_to_post_to_is_refused() {
        assert_eq!(check_url("https://alerts.example:8443/godwit?team=sre"), Ok(()));
        assert_eq!(check_url("http://127.0.0.1:9"), Ok(()));
        let wrong = [
            ("alerts.example", "https://"),
            ("/hook", "https://"),
            ("ftp://a/b", "https://"),
            ("https://", "a URL"),
            ("https://a b", "a URL"),
            ("https://me:secret@a/b", "webhook.token_file"),
        ];
        for (url, part) in wrong {
            let said = check_url(url).unwrap_err();
            assert!(said.contains(part), "{url}: {said}");
        }
    }

    #[test]
    fn a_token_is_sent_without_its_line_end_and_never_shown() {
        let value = bearer(Path::new("t"), Ok(b"abc\n".to_vec())).unwrap();
        assert_eq!(value.as_bytes(), b"Bearer abc");
        assert!(!format!("{value:?}").contains("abc"));
        let said = format!("{:#}", bearer(Path::new("t"), Ok(b"a\nb".to_vec())).unwrap_err());
        assert!(said.contains("webhook.token_file = \"t\": it holds no token"), "{said}");
    }
}
