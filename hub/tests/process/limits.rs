//! Bounds: what exceeds them is refused by name, and what is slow costs no more for it.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use godwit_common::link::{Down, Refusal, RefusalCode, Up};
use godwit_proto::v1;
use godwit_proto::v1::cluster_service_client::ClusterServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;

use crate::agent::{Agent, hello};
use crate::deploying::wait_for_clusters;
use crate::federation::{Federation, PATIENCE, WEB, deploy};

/// Between two looks at something.
const PAUSE: Duration = Duration::from_millis(10);

#[tokio::test]
async fn sessions_are_counted() {
    let federation = Federation::start_with(&["east", "west"], &[("LIMITS__SESSIONS", "1")]);
    let mut first = Agent::dial(&federation, "east").await.unwrap();
    first.say(Up::Hello(hello("east"))).await;
    assert!(matches!(first.hear().await, Some(Down::Welcome(_))));
    let refusal = turned_away(&federation, "west").await.expect("there is no room");
    assert!(refusal.message.contains("limits.sessions"), "{refusal:?}");
    assert!(refusal.retry_after >= Duration::from_secs(1), "{refusal:?}");
    drop(first);
    // Its place is free again as soon as the hub has seen it leave.
    let comes_in = async {
        while turned_away(&federation, "west").await.is_some() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, comes_in).await.expect("a place is free");
}

#[tokio::test]
async fn one_cluster_does_not_keep_the_others_out() {
    let federation = Federation::start_with(&["east", "west"], &[("LIMITS__SESSIONS", "100")]);
    let sessions = (0..100).map(|_| async {
        let mut agent = Agent::dial(&federation, "east").await.unwrap();
        (agent.hear().await, agent)
    });
    let (mut greedy, mut told) = (sessions.collect::<FuturesUnordered<_>>(), Vec::new());
    // Who has said nothing yet hears nothing, but that it has come in vain, or was silent for too long.
    let refusal = loop {
        let (heard, agent) = greedy.next().await.expect("some have come in vain");
        told.push(agent);
        match heard {
            Some(Down::Refusal(refusal)) if refusal.code == RefusalCode::Busy => break refusal,
            Some(Down::Refusal(_)) | None => {}
            Some(other) => panic!("neither silence nor a refusal: {other:?}"),
        }
    };
    assert!(refusal.message.contains("cluster east"), "{refusal:?}");
    assert!(turned_away(&federation, "west").await.is_none());
}

/// What the hub says to an agent that it has no room for, with when to come back.
async fn turned_away(federation: &Federation, cluster: &str) -> Option<Refusal> {
    let mut agent = Agent::dial(federation, cluster).await.expect("a session");
    agent.say(Up::Hello(hello(cluster))).await;
    match agent.hear().await {
        Some(Down::Refusal(refusal)) => Some(refusal).filter(|refusal| refusal.code == RefusalCode::Busy),
        Some(_) => None,
        None => panic!("neither welcome nor refusal"),
    }
}

#[tokio::test]
async fn calls_are_paced_and_one_caller_takes_nothing_from_others() {
    let federation = Federation::start_with(&["east"], &[("LIMITS__CALLS_PER_SECOND", "2")]);
    let client = ClusterServiceClient::new(federation.operator().await);
    let call = || {
        let mut client = client.clone();
        async move { client.list_clusters(v1::ListClustersRequest::default()).await }
    };
    let answers = join_all((0..100).map(|_| call())).await;
    let status = answers.into_iter().find_map(Result::err).expect("a call too many");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("limits.calls_per_second"), "{status}");
    let wait = status.metadata().get("grpc-retry-pushback-ms").expect("when to come back");
    assert!(wait.to_str().unwrap().parse::<u64>().unwrap() > 0, "{wait:?}");
    assert!(turned_away(&federation, "east").await.is_none());
    // It is over as soon as it was said to be.
    let served = async {
        while call().await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, served).await.expect("a call is answered");
}

#[tokio::test]
async fn who_says_too_much_is_late_and_nobody_else_is() {
    let federation = Federation::start_with(&["east", "west"], &[("LIMITS__MESSAGES_PER_SECOND", "1")]);
    let mut loud = Agent::dial(&federation, "east").await.unwrap();
    loud.say(Up::Hello(hello("east"))).await;
    assert!(matches!(loud.hear().await, Some(Down::Welcome(_))));
    // More than fits into what is between them.
    let flood = tokio::spawn(async move {
        for _ in 0..1_000_000 {
            loud.say(Up::Heartbeat).await;
        }
    });
    let mut quiet = Agent::dial(&federation, "west").await.unwrap();
    quiet.say(Up::Hello(hello("west"))).await;
    assert!(matches!(quiet.hear().await, Some(Down::Welcome(_))));
    assert!(!flood.is_finished(), "the hub has read all of it");
    flood.abort();
}

#[tokio::test]
async fn connections_from_one_address_are_paced_before_anything_is_done_for_them() {
    let federation = Federation::start_with(&["east"], &[("LIMITS__CONNECTIONS_PER_SECOND", "1")]);
    // The burst is let in, and says nothing; of those that come right after it, the hub closes one.
    let mut open = FuturesUnordered::new();
    let closed = loop {
        let mut stream = TcpStream::connect(federation.address()).await.unwrap();
        open.push(async move {
            let read = stream.read(&mut [0]).await;
            (read, stream)
        });
        let pause = tokio::time::sleep(PAUSE);
        tokio::select! {
            Some((read, _)) = open.next() => break read,
            () = pause => assert!(open.len() < 200, "all of them are let in"),
        }
    };
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    assert!(open.len() > 1);
}

#[tokio::test]
async fn watches_are_counted() {
    let federation = Federation::start_with(&[], &[("LIMITS__WATCHES", "1")]);
    let mut client = ClusterServiceClient::new(federation.operator().await);
    let request = v1::WatchClustersRequest::default();
    let first = client.watch_clusters(request.clone()).await.unwrap();
    let status = client.watch_clusters(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("limits.watches"), "{status}");
    drop(first);
    let watches = async {
        while client.watch_clusters(request.clone()).await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, watches).await.expect("a place is free");
}

#[tokio::test]
async fn messages_are_measured() {
    let federation = Federation::start_with(&[], &[("LIMITS__ADMIN_MESSAGE_BYTES", "65536")]);
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    let status = client.deploy(deploy(&"x".repeat(70_000))).await.unwrap_err();
    assert!(status.message().contains("65536"), "{status}");
    assert!(client.deploy(deploy(WEB)).await.is_ok());
}

#[tokio::test]
async fn a_slow_agent_gets_the_newest_state_and_not_all_that_lay_between() {
    const REVISIONS: usize = 40;
    // It reads one message in the time that so many revisions take.
    const READS: usize = 8;
    // More than all buffers on the way hold together.
    const BYTES: usize = 500_000;
    let federation = Federation::start(&["east"]);
    let mut agent = Agent::attach(&federation, "east").await;
    wait_for_clusters(&federation, 1).await;
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    let mut messages = 0;
    for revision in 0..REVISIONS {
        let data = format!("data: {{a: {revision}-{}}}", "x".repeat(BYTES));
        client.deploy(deploy(&WEB.replace("data: {a: b}", &data))).await.unwrap();
        // Who reads nothing at all is given up.
        if revision % READS == READS - 1 {
            agent.run_once().await;
            messages += 1;
        }
    }
    let newest = format!("{}-x", REVISIONS - 1);
    while !agent.objects.values().any(|row| row.manifest.as_ref().is_some_and(|text| text.contains(&newest)))
    {
        agent.run_once().await;
        messages += 1;
    }
    assert!(messages < REVISIONS / 2, "{messages} messages for {REVISIONS} revisions");
    agent.run_until(|agent| agent.replicas("web") == Some(10)).await;
}
