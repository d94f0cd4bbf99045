//! Later agents of a cluster come in by their service account, with nobody's help (S23).

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, SystemTime};

use godwit_certs::{JoinToken, KeyRequest, Leaf, TlsFiles};
use godwit_proto::v1;
use godwit_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use godwit_proto::v1::revoke_request::What;
use godwit_rt::dial::{Connection, Endpoint, dial_with};
use godwit_rt::limits::DialTimeouts;
use godwit_rt::tls;
use kubesim::issuer::{ISSUER, Signer};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tonic::{Code, Status};

use crate::harness::accounts::{self, AUDIENCE, Wanted};
use crate::harness::{Builder, Deployment, Federation, wait_for, within};

/// So short that a test sees the end of one, and long enough for a busy machine to renew it in time.
const SHORT: &[(&str, &str)] = &[("authority.agent_validity", "30s"), ("authority.hub_validity", "30s")];

fn with_accounts(clusters: &[&str], agents: usize) -> Builder {
    Builder::new(clusters).enrolling().each(move |spec| {
        spec.accounts = true;
        spec.agents = agents;
    })
}

#[tokio::test]
async fn one_join_token_is_enough_for_all_agents_of_a_cluster_and_those_that_come_later() {
    let mut federation = with_accounts(&["alpha"], 3).start().await;
    all_are_there(&federation, "alpha", 3).await;
    let serials: BTreeSet<_> = (0..3).map(|number| leaf(&federation, "alpha", number).serial).collect();
    assert_eq!(serials.len(), 3, "each has a certificate of its own");
    let by_account = |number| {
        let output = federation.cluster("alpha").agent(number).output();
        output.contains("enrolled by the service account")
    };
    assert!(!by_account(0) && by_account(1) && by_account(2));
    federation.event("IssuerPinned", "alpha").await;

    // A node that is added next month: the token is gone by then, and the hub was restarted.
    let id = federation.must(&["token", "list"]).await;
    let id = id.lines().nth(1).and_then(|line| line.split_whitespace().next()).unwrap();
    federation.must(&["token", "delete", id]).await;
    federation.stop_hub().await;
    federation.restart_hub().await;
    federation.cluster_mut("alpha").kill_agent(1);
    fs::remove_dir_all(federation.dir().join("agent-alpha-1.identity")).unwrap();
    federation.cluster_mut("alpha").start_agent(1);
    federation.cluster_mut("alpha").agent_mut(1).line_after("enrolled by the service account").await;
    all_are_there(&federation, "alpha", 3).await;

    // The audit log says which pod has which certificate.
    let serial = leaf(&federation, "alpha", 1).serial.to_string();
    let enrolled = |line: &Value| line["what"]["serviceAccount"]["serial"] == serial;
    let line = audited(&federation).into_iter().find(enrolled).unwrap();
    assert_eq!(line["what"]["serviceAccount"]["pod"], "agent-alpha-1", "{line}");
    assert_eq!(line["what"]["serviceAccount"]["node"], "node-1", "{line}");
}

#[tokio::test]
async fn the_keys_of_a_cluster_change_and_its_agents_tell_the_hub() {
    let mut federation = with_accounts(&["alpha"], 2).start().await;
    all_are_there(&federation, "alpha", 2).await;
    for (path, keys) in [("rotate", "2 keys"), ("forget", "1 keys")] {
        let request = http::Request::post(format!("/kubesim/issuer/{path}")).body(Vec::new()).unwrap();
        federation.cluster("alpha").client().request_text(request).await.unwrap();
        wait_for(&format!("the hub to know {keys}"), async || {
            let events = federation.admin.events().await.map_err(|error| error.to_string())?;
            let mut told = events.iter().filter(|event| event.reason == "IssuerChanged");
            let last = told.next_back().map(|event| event.message.clone()).unwrap_or_default();
            Some(()).filter(|()| last.contains(keys)).ok_or(last)
        })
        .await;
        // As the kubelet does long before the old one ends: it is signed with the new key.
        federation.cluster("alpha").mount_token(0).await;
    }
    // A token of before proves nothing any more; the kubelet has another.
    federation.cluster_mut("alpha").kill_agent(1);
    fs::remove_dir_all(federation.dir().join("agent-alpha-1.identity")).unwrap();
    federation.cluster_mut("alpha").start_agent(1);
    wait_for("the refusal", async || {
        let output = federation.cluster("alpha").agent(1).output();
        Some(()).filter(|()| output.contains("its keys were replaced")).ok_or(output)
    })
    .await;
    federation.cluster("alpha").mount_token(1).await;
    all_are_there(&federation, "alpha", 2).await;
}

#[tokio::test]
async fn after_an_outage_that_outlasts_all_certificates_the_fleet_comes_back_by_itself_and_nothing_moves() {
    let mut federation = with_accounts(&["alpha", "bravo"], 2).settings(SHORT).start().await;
    for name in ["alpha", "bravo"] {
        all_are_there(&federation, name, 2).await;
        federation.event("IssuerPinned", name).await;
    }
    federation.deploy(&Deployment::new("web", 4)).await;
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
    federation.kill_hub().await;
    let ends = [0, 1]
        .into_iter()
        .flat_map(|number| ["alpha", "bravo"].map(|name| leaf(&federation, name, number).not_after));
    let over = ends.max().unwrap() + Duration::from_secs(1);
    wait_for("the end of all certificates", async || {
        over.duration_since(SystemTime::now()).map_or(Ok(()), |left| Err(format!("{left:?} are left")))
    })
    .await;
    federation.restart_hub().await;
    for name in ["alpha", "bravo"] {
        federation.cluster_is(name, "Ready").await;
        all_are_there(&federation, name, 2).await;
        for number in [0, 1] {
            let output = federation.cluster(name).agent(number).output();
            assert!(output.contains("enrolled by the service account"), "{output}");
        }
    }
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
    assert_eq!(federation.admin.migrations().await.unwrap(), []);
}

#[tokio::test]
async fn with_a_pinned_issuer_a_certificate_that_has_ended_does_not_do_alone() {
    let mut federation = with_accounts(&["alpha"], 1).settings(SHORT).start().await;
    federation.event("IssuerPinned", "alpha").await;
    federation.cluster_mut("alpha").kill_agent(0);
    let ended = leaf(&federation, "alpha", 0);
    wait_for("the certificate's end", async || {
        let left = (ended.not_after + Duration::from_secs(1)).duration_since(SystemTime::now());
        left.map_or(Ok(()), |left| Err(format!("{left:?} are left")))
    })
    .await;
    let config = tls::client_of(&files(&federation, "alpha", 0)).unwrap();
    let connection = dial(&federation.hub().enrolment(), config).await;
    let mut client = EnrolmentServiceClient::new(connection);
    let signing_request = KeyRequest::create().unwrap().csr_pem;
    let refused = client.renew(v1::RenewRequest { signing_request }).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    assert!(refused.message().contains("has pinned an issuer"), "{refused:?}");
    // Nor does it pin anything.
    let (issuer, token) = (said(&[&Signer::ecdsa("x").unwrap()]), "a.b.c".to_owned());
    let cluster_uid = federation.cluster("alpha").uid().await;
    let report = v1::ReportIssuerRequest { issuer: Some(issuer), service_account_token: token, cluster_uid };
    let refused = client.report_issuer(report).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    federation.cluster_mut("alpha").start_agent(0);
    federation.cluster_is("alpha", "Ready").await;
}

/// A cluster that is nothing but a key and a UID.
struct Fake<'a> {
    federation: &'a Federation,
    token: JoinToken,
    uid: String,
    signer: Signer,
}

impl<'a> Fake<'a> {
    async fn new(federation: &'a Federation, name: &str, uid: &str) -> Self {
        let created = federation.admin.create_token(name, false).await.unwrap();
        let signer = Signer::rsa("a").unwrap();
        Self { federation, token: created.token.parse().unwrap(), uid: uid.to_owned(), signer }
    }

    /// What a token says that is good, with one claim in the place of another.
    fn token(&self, claim: &str, value: &Value) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({
            "aud": [AUDIENCE], "exp": now + 3600, "iat": now, "iss": ISSUER, "nbf": now,
            "kubernetes.io": {"pod": {"name": "agent-x"}},
            "sub": "system:serviceaccount:godwit-system:godwit-agent",
        });
        if !claim.is_empty() {
            claims[claim] = value.clone();
        }
        self.signer.sign(&claims).unwrap()
    }

    fn good_token(&self) -> String {
        self.token("", &Value::Null)
    }

    /// Uses the join token, and says that these sign.
    async fn enrols(&self, signers: &[&Signer], token: String) -> Result<(), Status> {
        let asked = v1::EnrolRequest {
            secret: self.token.secret().to_vec(),
            issuer: Some(said(signers)),
            ..self.asked(&self.uid, token)
        };
        self.asks(asked).await
    }

    /// Comes with nothing but a token of a service account.
    async fn comes(&self, token: String) -> Result<(), Status> {
        self.asks(self.asked(&self.uid, token)).await
    }

    fn asked(&self, uid: &str, service_account_token: String) -> v1::EnrolRequest {
        v1::EnrolRequest {
            cluster: self.token.cluster.to_string(),
            cluster_uid: uid.to_owned(),
            signing_request: KeyRequest::create().unwrap().csr_pem,
            service_account_token,
            ..v1::EnrolRequest::default()
        }
    }

    async fn asks(&self, asked: v1::EnrolRequest) -> Result<(), Status> {
        let connection = dial(&self.federation.hub().enrolment(), tls::pinned(self.token.authority)).await;
        let mut client = EnrolmentServiceClient::new(connection);
        within("the answer to Enrol", client.enrol(asked)).await.map(drop)
    }
}

#[tokio::test]
async fn whoever_is_no_agent_of_the_cluster_is_refused_and_told_why_if_they_are_of_it_at_all() {
    let federation = with_accounts(&["alpha"], 1).start().await;
    federation.event("IssuerPinned", "alpha").await;
    let uid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    let bravo = Fake::new(&federation, "bravo", uid).await;

    // Nobody has pinned anything under that name; and what does not fit together is not pinned, with the token still good.
    refused(bravo.comes(bravo.good_token()).await, Code::Unauthenticated, "no cluster bravo is known");
    let other = Signer::rsa("b").unwrap();
    let unsigned = bravo.enrols(&[&other], bravo.good_token()).await;
    refused(unsigned, Code::InvalidArgument, "service_account_token: none of the issuer's keys");
    let astray = bravo.enrols(&[&bravo.signer], bravo.token("aud", &json!(["elsewhere"]))).await;
    refused(astray, Code::InvalidArgument, "enrolment.audience");
    bravo.enrols(&[&bravo.signer], bravo.good_token()).await.unwrap();
    bravo.comes(bravo.good_token()).await.unwrap();
    bravo.comes(bravo.good_token()).await.unwrap();

    // Whoever has not got the key learns no more than who asks for a cluster that is not there.
    let mut forged = bravo.good_token();
    forged.truncate(forged.len() - 4);
    let stranger = bravo.comes(forged).await.unwrap_err();
    assert_eq!(stranger.code(), Code::Unauthenticated, "{stranger:?}");
    let nobody = Fake::new(&federation, "nobody", uid).await;
    let nothing = nobody.comes(nobody.good_token()).await.unwrap_err();
    assert_eq!(stranger.message().replace("bravo", "nobody"), nothing.message());

    // A pod of the cluster hears what is wrong with its token.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    for (claim, value, says) in [
        ("iss", json!("https://issuer.example.com"), "from the issuer"),
        ("aud", json!(["https://kubernetes.default.svc"]), "enrolment.audience"),
        ("sub", json!("system:serviceaccount:shop:default"), "no agent"),
        ("exp", json!(now - 300), "compare the clocks"),
        ("nbf", json!(now + 300), "compare the clocks"),
        ("exp", json!(now + 30 * 24 * 3600), "expirationSeconds"),
        ("kubernetes.io", json!({"namespace": "shop"}), "for no pod"),
    ] {
        refused(bravo.comes(bravo.token(claim, &value)).await, Code::PermissionDenied, says);
    }
    // Another cluster that signs with the same keys.
    let alpha = federation.cluster("alpha").uid().await;
    let twin = bravo.asks(bravo.asked(&alpha, bravo.good_token())).await;
    refused(twin, Code::AlreadyExists, "as alpha");
    let twin = bravo.asks(bravo.asked("7ba7b810-9dad-11d1-80b4-00c04fd430c8", bravo.good_token())).await;
    refused(twin, Code::FailedPrecondition, "another cluster signs with the same keys");
    let charlie = Fake::new(&federation, "charlie", "8ba7b810-9dad-11d1-80b4-00c04fd430c8").await;
    charlie.enrols(&[&bravo.signer, &charlie.signer], charlie.good_token()).await.unwrap();
    federation.event("IssuerNotPinned", "charlie").await;
    refused(charlie.comes(charlie.good_token()).await, Code::Unauthenticated, "no cluster charlie is known");

    // All of it stands in the audit log, with what strangers are not told.
    let lines = audited(&federation);
    let problem =
        |line: &Value| line["what"]["serviceAccount"]["problem"].as_str().unwrap_or_default().to_owned();
    for problem_says in ["has pinned no issuer", "none of the issuer's keys", "enrolment.audience"] {
        assert!(lines.iter().any(|line| problem(line).contains(problem_says)), "{problem_says}: {lines:#?}");
    }
}

#[tokio::test]
async fn a_revoked_or_retired_cluster_does_not_come_back_by_its_service_accounts() {
    let mut federation = with_accounts(&["alpha"], 2).start().await;
    all_are_there(&federation, "alpha", 2).await;
    federation.event("IssuerPinned", "alpha").await;
    for number in [0, 1] {
        federation.cluster_mut("alpha").may_log_errors(number);
    }
    federation.admin.revoke(What::Cluster("alpha".to_owned()), false).await.unwrap();
    federation.cluster_is("alpha", "Lost").await;
    federation.cluster_mut("alpha").kill_agent(1);
    fs::remove_dir_all(federation.dir().join("agent-alpha-1.identity")).unwrap();
    federation.cluster_mut("alpha").start_agent(1);
    wait_for("the refusal", async || {
        let output = federation.cluster("alpha").agent(1).output();
        Some(()).filter(|()| output.contains("cluster alpha is revoked")).ok_or(output)
    })
    .await;
    // With a new token for one of them, all are let in again.
    federation.cluster_mut("alpha").kill_agent(0);
    federation.token("alpha", true).await;
    federation.cluster_mut("alpha").start_agent(0);
    federation.cluster_is("alpha", "Ready").await;
    all_are_there(&federation, "alpha", 2).await;

    // Pods of other service accounts of the very cluster are no agents.
    let uid = federation.cluster("alpha").uid().await;
    let created = federation.admin.create_token("alpha", true).await.unwrap();
    let token: JoinToken = created.token.parse().unwrap();
    let wanted = Wanted { account: "other", ..Wanted::of_pod("web-1") };
    let service_account_token = accounts::token(federation.cluster("alpha").client(), wanted).await;
    let asked = v1::EnrolRequest {
        cluster: "alpha".to_owned(),
        cluster_uid: uid,
        signing_request: KeyRequest::create().unwrap().csr_pem,
        service_account_token,
        ..v1::EnrolRequest::default()
    };
    let connection = dial(&federation.hub().enrolment(), tls::pinned(token.authority)).await;
    let answer = EnrolmentServiceClient::new(connection).enrol(asked).await;
    refused(answer.map(drop), Code::PermissionDenied, "godwit-system:other");
}

fn refused(answer: Result<(), Status>, code: Code, says: &str) {
    let status = answer.expect_err(says);
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.message().contains(says), "{status:?}");
}

fn said(signers: &[&Signer]) -> v1::Issuer {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.key()).collect();
    v1::Issuer { url: ISSUER.to_owned(), keys: json!({ "keys": keys }).to_string() }
}

async fn dial(address: &str, config: std::sync::Arc<tokio_rustls::rustls::ClientConfig>) -> Connection {
    let endpoint: Endpoint = format!("https://{address}").parse().unwrap();
    dial_with(&endpoint, config, DialTimeouts::default()).await.unwrap()
}

async fn all_are_there(federation: &Federation, cluster: &str, agents: u32) {
    wait_for(&format!("{agents} agents of {cluster}"), async || {
        let cluster = federation.admin.cluster(cluster).await.map_err(|error| error.to_string())?;
        Some(()).filter(|()| cluster.agents == agents).ok_or_else(|| format!("{} agents", cluster.agents))
    })
    .await;
}

fn audited(federation: &Federation) -> Vec<Value> {
    let text = fs::read_to_string(federation.dir().join("store/audit.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn files(federation: &Federation, cluster: &str, agent: usize) -> TlsFiles {
    let folder = federation.dir().join(format!("agent-{cluster}-{agent}.identity"));
    let agent = folder.join("agent.pem");
    TlsFiles { ca: folder.join("ca.pem"), certificate: agent.clone(), key: agent }
}

fn leaf(federation: &Federation, cluster: &str, agent: usize) -> Leaf {
    let path = files(federation, cluster, agent).certificate;
    Leaf::from_certificate(&CertificateDer::from_pem_file(path).unwrap()).unwrap()
}
