//! A member whose key is in the wrong hands: with a certificate that is good it does to the hub what HTTP/2 allows and what it
//! does not. It is cut off or bounded, the hub's memory stays below a bound, and no other cluster is even suspect.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use godwit_rt::tls::ClientTls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::harness::{Deployment, Federation, within};

/// What the hub's process may have had in memory at most, in KiB: many times what it has in peace, and far below what any of
/// these would make of it if nothing were bounded.
const MEMORY_KIB_MAX: u64 = 256 * 1024;

/// A write that takes so long is taken to be stuck.
const STUCK: Duration = Duration::from_secs(2);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// The headers of a call that opens an agent's stream, without any compression.
fn attach() -> Vec<u8> {
    // `:method: POST` and `:scheme: https` stand in HPACK's static table.
    let mut block = vec![0x83, 0x87];
    for (name, value) in [
        (":path", "/godwit.v1.AgentService/Attach"),
        (":authority", "hub"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.extend(literal(name.as_bytes(), value.as_bytes()));
    }
    block
}

/// A header that is not indexed, with a new name; both shorter than 127 bytes.
fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let length = |text: &[u8]| u8::try_from(text.len()).ok().filter(|length| *length < 127).unwrap();
    [&[0, length(name)], name, &[length(value)], value].concat()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Two members; the certificate of alpha is in the wrong hands.
struct Siege {
    federation: Federation,
    tls: Arc<ClientTls>,
}

impl Siege {
    async fn begin() -> Self {
        let federation = Federation::of(&["alpha", "bravo"]).await;
        federation.deploy(&Deployment::new("web", 4)).await;
        let stolen = federation.certificates.agents[&"alpha".parse().unwrap()].clone();
        let tls = ClientTls::client(stolen).unwrap();
        Self { federation, tls }
    }

    /// A connection that has said the preface.
    async fn raw(&self) -> TlsStream<TcpStream> {
        connect(self.federation.hub().address(), &self.tls).await
    }

    /// Says all of it, as far as the hub listens, and reads until the hub ends the connection.
    async fn until_cut(&self, what: &str, bytes: impl Fn(u32) -> Vec<u8>) {
        let (mut from, mut to) = tokio::io::split(self.raw().await);
        let said = async {
            for number in 0.. {
                if to.write_all(&bytes(number)).await.is_err() {
                    return;
                }
            }
        };
        let heard = async { while matches!(from.read(&mut [0; 4096]).await, Ok(1..)) {} };
        within(what, async {
            tokio::select! { () = said => {}, () = heard => {} }
        })
        .await;
    }

    /// The others have not noticed anything.
    async fn assert_held(&self) {
        let federation = &self.federation;
        federation.deploy(&Deployment::new("web", 6)).await;
        federation.settles("web", &[("alpha", 3), ("bravo", 3)]).await;
        let events = federation.admin.events().await.unwrap();
        let suspect =
            events.iter().find(|event| event.reason == "ClusterSuspect" && event.subject == "bravo");
        assert!(suspect.is_none(), "{suspect:?}");
        let status = fs::read_to_string(format!("/proc/{}/status", federation.hub().id())).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let most: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(most < MEMORY_KIB_MAX, "the hub has had {most} KiB in memory");
    }
}

async fn connect(address: &str, tls: &ClientTls) -> TlsStream<TcpStream> {
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(address.rsplit_once(':').unwrap().0.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::clone(&tls.current()));
    let mut stream = within("the handshake", connector.connect(name, tcp)).await.unwrap();
    // Whether the hub is still there is for the caller to find out.
    let _ = stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
    stream
}

/// CVE-2023-44487.
#[tokio::test]
async fn streams_that_are_reset_at_once_end_the_connection() {
    let siege = Siege::begin().await;
    let both = |number: u32| {
        let stream = 2 * number + 1;
        let reset = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
        [frame(HEADERS, END_HEADERS, stream, &attach()), reset].concat()
    };
    siege.until_cut("the end of a connection that resets its streams", both).await;
    siege.assert_held().await;
}

/// CVE-2024-27316 and its like: headers that do not end.
#[tokio::test]
async fn headers_without_end_end_the_connection() {
    let siege = Siege::begin().await;
    let more = |number: u32| match number {
        0 => frame(HEADERS, 0, 1, &attach()),
        _ => frame(CONTINUATION, 0, 1, &literal(format!("x-{number}").as_bytes(), &[b'a'; 100])),
    };
    siege.until_cut("the end of a connection whose headers do not end", more).await;
    siege.assert_held().await;
}

#[tokio::test]
async fn frames_of_no_sense_end_the_connection() {
    let siege = Siege::begin().await;
    for (kind, flags, stream, payload) in [
        (CONTINUATION, END_HEADERS, 1, vec![0x83]),
        (HEADERS, END_HEADERS, 2, attach()),
        (HEADERS, END_HEADERS, 1, vec![0xff; 64]),
        (SETTINGS, 0, 1, vec![]),
        (SETTINGS, 0, 0, vec![0; 5]),
        (PING, 0, 0, vec![0; 9]),
        (HEADERS, END_HEADERS, 1, vec![0; 20_000]),
    ] {
        siege
            .until_cut("the end of a connection that says nonsense", |_| frame(kind, flags, stream, &payload))
            .await;
    }
    siege.assert_held().await;
}

/// A header a byte at a time, for as long as the hub bears it.
#[tokio::test]
async fn who_is_too_slow_to_ask_for_anything_is_cut() {
    let siege = Siege::begin().await;
    let mut slow = JoinSet::new();
    for _ in 0..40 {
        let stream = siege.raw().await;
        slow.spawn(async move {
            let (mut from, mut to) = tokio::io::split(stream);
            let said = async {
                for byte in frame(HEADERS, 0, 1, &[0; 16_000]) {
                    if to.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            let heard = async { while matches!(from.read(&mut [0; 4096]).await, Ok(1..)) {} };
            tokio::select! { () = said => {}, () = heard => {} }
        });
    }
    siege.assert_held().await;
    within("the end of those who are too slow", slow.join_all()).await;
}

/// PINGs whose answers nobody reads: the hub stops to listen before it keeps many of them.
#[tokio::test]
async fn who_reads_no_answers_is_not_listened_to() {
    let siege = Siege::begin().await;
    let mut deaf = siege.raw().await;
    let pings = frame(PING, 0, 0, &[7; 8]).repeat(4096);
    let mut said = 0;
    // Once the hub listens no more, what it does not read fills the buffers between them, and a write does not end.
    while let Ok(Ok(())) = timeout(STUCK, deaf.write_all(&pings)).await {
        said += pings.len();
        assert!(said < 1 << 30, "the hub still listens");
    }
    siege.assert_held().await;
    drop(deaf);
}

/// The same certificate again and again, each time with a whole handshake.
#[tokio::test]
async fn a_storm_of_reconnections_is_borne() {
    let siege = Siege::begin().await;
    let mut storm = JoinSet::new();
    for _ in 0..16 {
        let (address, tls) = (siege.federation.hub().address().to_owned(), Arc::clone(&siege.tls));
        storm.spawn(async move {
            for _ in 0..25 {
                let mut stream = connect(&address, &tls).await;
                let _ = stream.write_all(&frame(HEADERS, END_HEADERS, 1, &attach())).await;
            }
        });
    }
    storm.join_all().await;
    siege.assert_held().await;
}
