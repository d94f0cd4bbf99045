//! Events that are posted: to receivers that are there, away, slow to take them, or not who they should be.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use godwit_certs::TlsFiles;
use godwit_proto::v1;
use godwit_proto::v1::event_service_client::EventServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::federation::{Federation, PATIENCE, WEB, deploy, foreign};

#[tokio::test]
async fn every_event_arrives_in_order_whoever_is_away_meanwhile() {
    let receiver = Receiver::listen(None).await;
    let mut federation = Federation::stopped(&[]);
    let token = federation.folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let (url, token) = (format!("http://{}/hook?team=sre", receiver.address), token.display().to_string());
    let settings =
        [("WEBHOOK__URL", &*url), ("WEBHOOK__TOKEN_FILE", &*token), ("WEBHOOK__SEVERITY", "Normal")];
    federation.start_hub_logged(&settings);
    change(&federation, "a").await;
    let (first, _) = receiver.newest_when(|sequence| sequence > 0).await;
    assert_eq!((first.line, first.authorization), ("POST /hook?team=sre".into(), "Bearer s3cret".into()));
    assert_eq!(first.content_type, "application/cloudevents-batch+json; charset=utf-8");

    // The receiver refuses what comes next, and the hub ends before it changes its mind.
    receiver.status.store(503, Ordering::Relaxed);
    let refused = receiver.refused().await;
    change(&federation, "b").await;
    receiver.refused_more_than(refused).await;
    logs(&federation, "answered 503").await;
    assert!(federation.stop_hub().await.success());
    federation.start_hub_logged(&settings);
    change(&federation, "c").await;
    receiver.status.store(200, Ordering::Relaxed);

    let known = events(&federation).await;
    let newest = known.last().expect("events").sequence;
    receiver.newest_when(|sequence| sequence >= newest).await;
    let taken = receiver.sequences();
    let expected: Vec<u64> = (taken[0]..=newest).collect();
    assert_eq!(taken, expected, "each once, in order, none left out");
    let wanted = known.iter().find(|event| event.sequence == newest).unwrap();
    let last = receiver.events().pop().unwrap();
    assert_eq!(
        (&last["type"], &last["data"]["message"]),
        (&Value::from(format!("dev.godwit.{}", wanted.reason)), &Value::from(wanted.message.clone()),)
    );
}

#[tokio::test]
async fn over_tls_only_who_is_trusted_is_told() {
    let federation = Federation::stopped(&[]);
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign = foreign(elsewhere.path());
    let impostor = Receiver::listen(Some(&foreign.hub)).await;
    let receiver = Receiver::listen(Some(&federation.certificates.hub)).await;
    let ca = federation.certificates.hub.ca.display().to_string();
    let mut federation = federation;
    let told = |receiver: &Receiver| format!("https://127.0.0.1:{}/", receiver.address.port());
    let (right, wrong) = (told(&receiver), told(&impostor));
    let settings = |url| [("WEBHOOK__URL", url), ("WEBHOOK__CA", &*ca), ("WEBHOOK__SEVERITY", "Normal")];
    federation.start_hub_logged(&settings(&wrong));
    change(&federation, "a").await;
    logs(&federation, "events were not taken").await;
    assert!(federation.stop_hub().await.success());
    assert_eq!(impostor.events(), Vec::<Value>::new());
    federation.start_hub_logged(&settings(&right));
    receiver.newest_when(|sequence| sequence > 0).await;
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    let federation = Federation::stopped(&[]);
    let empty = federation.folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let empty = empty.display().to_string();
    let run = |settings: &[&str]| {
        let set = settings.iter().flat_map(|setting| ["--set", setting]);
        let output = federation.command().args(set).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let url = "webhook.url=https://127.0.0.1:9/";
    let (ca, missing) = (format!("webhook.ca={empty}"), "webhook.token_file=/nowhere/token");
    for (settings, status, part) in [
        (
            vec!["webhook.url=alerts.example"],
            2,
            "webhook.url = \"alerts.example\" (from --set): it must begin",
        ),
        (vec!["webhook.url=https://me:pw@a/"], 2, "give a token by webhook.token_file"),
        (vec![url, "webhook.severity=Error"], 2, "it must be Normal or Warning"),
        (vec![url, "webhook.timeout=0s"], 2, "webhook.timeout = \"0s\" (from --set): it must be from 100ms"),
        (vec![url, &*ca], 1, "it holds no certificate"),
        (vec!["webhook.url=http://127.0.0.1:9/", missing], 1, "webhook.token_file = \"/nowhere/token\""),
    ] {
        let (code, said) = run(&settings);
        assert!(code == Some(status) && said.contains(part), "{settings:?}: {code:?} {said}");
    }
    assert!(!federation.data().exists(), "the settings are looked at before anything is opened");
}

/// Waits until the hub's log has these words.
async fn logs(federation: &Federation, words: &str) {
    let waiting = async {
        while !federation.log().contains(words) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let logged = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(logged.is_ok(), "{words:?} is not in {}", federation.log());
}

/// Makes events.
async fn change(federation: &Federation, name: &str) {
    let manifests = WEB.replace("name: web", &format!("name: {name}"));
    WorkloadServiceClient::new(federation.operator().await)
        .deploy(deploy(&manifests))
        .await
        .expect("deployed");
}

async fn events(federation: &Federation) -> Vec<v1::Event> {
    let mut client = EventServiceClient::new(federation.operator().await);
    client.list_events(v1::ListEventsRequest::default()).await.expect("events").into_inner().items
}

/// Something that takes what is posted to it.
struct Receiver {
    address: SocketAddr,
    /// What it answers.
    status: Arc<AtomicU16>,
    posted: Arc<Mutex<Vec<Posted>>>,
}

#[derive(Debug, Clone)]
struct Posted {
    line: String,
    authorization: String,
    content_type: String,
    events: Vec<Value>,
    status: u16,
}

impl Receiver {
    async fn listen(tls: Option<&TlsFiles>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (status, posted) = (Arc::new(AtomicU16::new(200)), Arc::default());
        let receiver = Self { address, status, posted };
        let (status, posted) = (Arc::clone(&receiver.status), Arc::clone(&receiver.posted));
        let tls = tls.map(acceptor);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, status, posted) = (tls.clone(), Arc::clone(&status), Arc::clone(&posted));
                tokio::spawn(async move {
                    match tls {
                        None => take(stream, &status, &posted).await,
                        Some(tls) => {
                            // Whoever does not trust it leaves.
                            if let Ok(stream) = tls.accept(stream).await {
                                take(stream, &status, &posted).await;
                            }
                        }
                    }
                });
            }
        });
        receiver
    }

    /// All events that were taken.
    fn events(&self) -> Vec<Value> {
        let posted = self.posted.lock().expect("no panic");
        posted.iter().filter(|posted| posted.status == 200).flat_map(|posted| posted.events.clone()).collect()
    }

    fn sequences(&self) -> Vec<u64> {
        self.events()
            .iter()
            .map(|event| event["id"].as_str().expect("a text").parse().expect("a number"))
            .collect()
    }

    /// Waits until an event as wanted was taken; the first request, and the event's number.
    async fn newest_when(&self, wanted: impl Fn(u64) -> bool) -> (Posted, u64) {
        let waiting = async {
            loop {
                if let Some(newest) = self.sequences().last().filter(|newest| wanted(**newest)) {
                    return (self.posted.lock().expect("no panic")[0].clone(), *newest);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the events come in time")
    }

    async fn refused(&self) -> usize {
        self.posted.lock().expect("no panic").iter().filter(|posted| posted.status != 200).count()
    }

    async fn refused_more_than(&self, refused: usize) {
        let waiting = async {
            while self.refused().await <= refused {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("an attempt comes in time");
    }
}

/// Takes requests from one connection until it ends.
async fn take(stream: impl AsyncRead + AsyncWrite + Unpin, status: &AtomicU16, posted: &Mutex<Vec<Posted>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) if line.trim().is_empty() => break,
                Ok(_) => head.push(line.trim().to_owned()),
            }
        }
        let header = |name: &str| {
            let found = head.iter().filter_map(|line| line.split_once(": "));
            let mut found = found.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let mut body = vec![0; header("content-length").parse().expect("a length")];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let status = status.load(Ordering::Relaxed);
        posted.lock().expect("no panic").push(Posted {
            line: head[0].trim_end_matches(" HTTP/1.1").to_owned(),
            authorization: header("authorization"),
            content_type: header("content-type"),
            events: serde_json::from_slice(&body).expect("a list of events"),
            status,
        });
        let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn acceptor(files: &TlsFiles) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .expect("a file")
        .map(|one| one.expect("a certificate"))
        .collect();
    let key = PrivateKeyDer::from_pem_file(&files.key).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config =
        config.expect("versions").with_no_client_auth().with_single_cert(chain, key).expect("a pair");
    TlsAcceptor::from(Arc::new(config))
}
