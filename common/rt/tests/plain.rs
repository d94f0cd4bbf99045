//! A plain page over real sockets, and peers that are silent, slow or too many.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use godwit_rt::limits::PlainLimits;
use godwit_rt::plain::{Page, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Far longer than anything here takes; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Short enough to wait for.
const SOON: Duration = Duration::from_millis(300);
/// Longer than a test's patience: whoever needs it has failed.
const NEVER: Duration = Duration::from_secs(600);
const GET: &[u8] = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn the_page_is_written_anew_for_each_request() {
    let served = Served::start(PlainLimits::default(), "").await;
    let answers = [served.ask(GET).await, served.ask(GET).await];
    for (number, answer) in answers.iter().enumerate() {
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-type: text/x\r\n"), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{number}\n")), "{answer}");
    }
    let answer = served.ask(b"HEAD /page HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("allow: GET\r\n"), "{answer}");
    let answer = served.ask(b"GET /pages HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.ends_with("only /page is here\n"), "{answer}");
}

#[tokio::test]
async fn whoever_closes_his_half_still_gets_the_page() {
    let served = Served::start(PlainLimits::default(), "").await;
    let mut stream = served.connect().await;
    stream.write_all(GET).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(rest(stream).await.ends_with("\r\n\r\n0\n"));
}

#[tokio::test]
async fn whoever_does_not_ask_in_time_is_cut() {
    let limits = PlainLimits { head_timeout: SOON, connection_timeout: NEVER, ..PlainLimits::default() };
    let served = Served::start(limits, "").await;
    assert_eq!(rest(served.connect().await).await, "");
    let mut half = served.connect().await;
    half.write_all(b"GET /page HT").await.unwrap();
    assert!(!rest(half).await.contains("200"));
}

#[tokio::test]
async fn whoever_does_not_read_is_cut() {
    // More than the buffers of both ends hold.
    let long = "x".repeat(32 << 20);
    let limits = PlainLimits { connections_max: 1, connection_timeout: SOON, ..PlainLimits::default() };
    let served = Served::start(limits, &long).await;
    let mut deaf = served.connect().await;
    deaf.write_all(GET).await.unwrap();
    // Its place is free again only once it was cut.
    while served.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_too_many_is_closed_and_a_place_comes_free() {
    let limits = PlainLimits { connections_max: 2, ..PlainLimits::default() };
    let served = Served::start(limits, "").await;
    let (first, second) = (served.connect().await, served.connect().await);
    assert_eq!(served.ask(GET).await, "");
    drop(first);
    while served.ask(GET).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(second);
}

#[tokio::test]
async fn bytes_that_are_no_http_are_nothing_to_it() {
    let served = Served::start(PlainLimits::default(), "").await;
    let huge = [b"GET /page HTTP/1.1\r\nX: ".as_slice(), &vec![b'x'; 1 << 20], b"\r\n\r\n"].concat();
    let mut random = godwit_common::rng::Rng::new(7);
    let noise: Vec<u8> = (0..10_000).map(|_| random.next_u64() as u8).collect();
    for bytes in [b"\r\n\r\n".as_slice(), b"\0\0\0\0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &noise, &huge] {
        let mut stream = served.connect().await;
        // It may be refused before all of it is written.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        assert!(!rest(stream).await.contains("200 OK"));
    }
    assert!(served.ask(GET).await.contains("200 OK"));
}

#[tokio::test]
async fn silent_peers_do_not_hold_up_the_stop() {
    let limits = PlainLimits {
        head_timeout: NEVER,
        connection_timeout: NEVER,
        drain_timeout: SOON,
        ..PlainLimits::default()
    };
    let served = Served::start(limits, "").await;
    let silent = served.connect().await;
    // The silent one was accepted before, since accepting keeps the order.
    assert!(served.ask(GET).await.contains("200 OK"));
    served.stop.cancel();
    within(served.task).await.unwrap();
    assert_eq!(rest(silent).await, "");
    assert!(TcpStream::connect(served.address).await.is_err(), "the port is still open");
}

/// A page that counts its requests, with `tail` behind the number.
struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    async fn start(limits: PlainLimits, tail: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (tail, count) = (tail.to_owned(), std::sync::atomic::AtomicU64::new(0));
        let render = move || {
            let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(format!("{number}{tail}\n"))
        };
        let page = Page { path: "/page", content_type: "text/x", render: Arc::new(render) };
        let task = tokio::spawn(serve(listener, [page], limits, stop.clone()));
        Self { address, stop, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn ask(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        // It may be closed before anything is written.
        let _ = stream.write_all(request).await;
        rest(stream).await
    }
}

/// Everything that still comes, until the other side closes or cuts.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}
