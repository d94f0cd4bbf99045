//! Peers that do not keep to any protocol: the hub closes, bounds or refuses them, and serves the others.

use std::time::Duration;

use godwit_proto::v1;
use godwit_proto::v1::RefusalCode;
use godwit_proto::v1::agent_service_client::AgentServiceClient;
use godwit_proto::v1::attach_response::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Builder, Deployment, Federation, wait_for, within};

/// The beginning of a TLS record that announces a long ClientHello.
const HALF_HELLO: [u8; 9] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc];

#[tokio::test]
async fn bytes_that_are_no_tls_are_closed() {
    let federation = Federation::of(&["alpha"]).await;
    let noise: Vec<u8> = (0..65_536_u32).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let hello = b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n".to_vec();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    for (number, bytes) in [noise, hello, preface].into_iter().enumerate() {
        let mut peer = TcpStream::connect(federation.hub().address()).await.unwrap();
        // The hub may close in the middle of it.
        let _ = peer.write_all(&bytes).await;
        let mut rest = Vec::new();
        let _ = within("the hub to close", peer.read_to_end(&mut rest)).await;
        assert!(rest.len() < 64, "an alert at most, not {} bytes", rest.len());
        federation.deploy(&Deployment::new("web", 3 + u32::try_from(number).unwrap())).await;
    }
}

#[tokio::test]
async fn half_open_handshakes_are_ended_and_others_are_served() {
    let federation = Federation::of(&["alpha"]).await;
    let mut peers = Vec::new();
    for _ in 0..100 {
        let mut peer = TcpStream::connect(federation.hub().address()).await.unwrap();
        peer.write_all(&HALF_HELLO).await.unwrap();
        peers.push(peer);
    }
    federation.deploy(&Deployment::new("web", 3)).await;
    federation.settles("web", &[("alpha", 3)]).await;
    for peer in &mut peers {
        let mut rest = Vec::new();
        let _ = within("the hub to give up on the handshake", peer.read_to_end(&mut rest)).await;
    }
    federation.deploy(&Deployment::new("web", 4)).await;
}

#[tokio::test]
async fn a_thousand_connections_leave_room_for_an_operator() {
    let federation = Federation::of(&["alpha"]).await;
    let mut peers = Vec::new();
    for _ in 0..1000 {
        peers.push(TcpStream::connect(federation.hub().address()).await.unwrap());
    }
    federation.deploy(&Deployment::new("web", 3)).await;
    federation.settles("web", &[("alpha", 3)]).await;
    drop(peers);
    federation.deploy(&Deployment::new("web", 4)).await;
}

#[tokio::test]
async fn beyond_the_limit_connections_are_closed_and_room_returns() {
    let federation = Builder::new(&["alpha"]).settings(&[("limits.connections", "20")]).start().await;
    federation.deploy(&Deployment::new("web", 3)).await;
    let mut peers = Vec::new();
    for _ in 0..40 {
        peers.push(TcpStream::connect(federation.hub().address()).await.unwrap());
    }
    wait_for("the surplus to be closed", async || {
        let mut closed = 0;
        for peer in &mut peers {
            let mut byte = [0];
            let ended = timeout(Duration::from_millis(5), peer.read(&mut byte)).await;
            closed += usize::from(ended.is_ok());
        }
        if closed >= 20 { Ok(()) } else { Err(format!("{closed} of 40 are closed")) }
    })
    .await;
    drop(peers);
    federation.admin.hang_up().await;
    wait_for("an operator to be served again", async || {
        let answer = federation.admin.deploy(Deployment::new("web", 4).request()).await;
        answer.map(|_| ()).map_err(|error| error.to_string())
    })
    .await;
    federation.cluster_is("alpha", "Ready").await;
}

/// A stream that does not begin as an agent's does is refused by itself; the cluster's own agent is not disturbed.
#[tokio::test]
async fn a_senseless_first_message_is_refused() {
    let federation = Federation::of(&["alpha"]).await;
    let agent = federation.client(&federation.certificates.agents[&"alpha".parse().unwrap()]);
    let connection = agent.dial().await.unwrap();
    let stream = futures_util::stream::iter([v1::AttachRequest::default()]);
    let call = async {
        let mut answers = AgentServiceClient::new(connection).attach(stream).await?.into_inner();
        answers.message().await
    };
    let answer = within("the refusal", call).await.unwrap();
    let Some(Message::Refusal(refusal)) = answer.and_then(|answer| answer.message) else {
        panic!("it was not refused");
    };
    assert_eq!(refusal.code(), RefusalCode::Protocol, "{refusal:?}");
    assert_eq!(federation.admin.cluster("alpha").await.unwrap().state, "Ready");
    federation.deploy(&Deployment::new("web", 3)).await;
}

/// More documents than may be sent at once: the hub says when to go on, and all of them arrive.
#[tokio::test]
async fn who_applies_much_keeps_to_the_pace_of_the_hub() {
    let federation = Builder::new(&[]).settings(&[("limits.calls_per_second", "2")]).start().await;
    let policy = |number: u32| {
        format!(
            "---\napiVersion: godwit.dev/v1\nkind: Policy\nmetadata: {{name: p{number}}}\nspec: {{strategy: weighted}}\n"
        )
    };
    let path = federation.dir().join("policies.yaml");
    std::fs::write(&path, (0..50).map(policy).collect::<String>()).unwrap();
    let applied = federation.must(&["apply", "-f", path.to_str().unwrap()]).await;
    assert_eq!(applied.lines().filter(|line| line.ends_with("created")).count(), 50, "{applied}");
}
