//! Certificates from the hub's own authority: enrolment by token, renewal under live streams, revocation (S23).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use godwit_certs::{JoinToken, KeyRequest, Leaf, Pin, TlsFiles};
use godwit_proto::v1;
use godwit_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use godwit_proto::v1::replace_cluster_request::By;
use godwit_proto::v1::revoke_request::What;
use godwit_rt::dial::{DialError, Endpoint, dial_with};
use godwit_rt::limits::DialTimeouts;
use godwit_rt::tls;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tonic::{Code, Status};

use crate::harness::{Admin, Builder, Deployment, Federation, program, wait_for, within};

/// So short that a test sees several, and long enough for a busy machine to renew each in time; renewals come half way.
const SHORT: &[(&str, &str)] = &[("authority.agent_validity", "30s"), ("authority.hub_validity", "30s")];

#[tokio::test]
async fn certificates_are_renewed_under_live_streams_which_nobody_notices() {
    are_renewed_under_live_streams(false).await;
}

#[tokio::test]
async fn certificates_are_renewed_under_live_streams_where_service_accounts_let_agents_in() {
    are_renewed_under_live_streams(true).await;
}

/// Over connections that outlast the certificate that they began with.
async fn are_renewed_under_live_streams(accounts: bool) {
    let builder = Builder::new(&["alpha", "bravo"]).enrolling().settings(SHORT);
    let federation = builder.each(move |spec| spec.accounts = accounts).start().await;
    if accounts {
        for name in ["alpha", "bravo"] {
            federation.event("IssuerPinned", name).await;
        }
    }
    federation.deploy(&Deployment::new("web", 4)).await;
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
    let first = certificate(&federation, "alpha");

    let renewals = |name: &str| {
        let output = federation.hub().output();
        let line = format!("cluster/{name}/agent");
        output.lines().filter(|one| one.contains("certificate is renewed") && one.contains(&line)).count()
    };
    for name in ["alpha", "bravo"] {
        wait_for(&format!("three renewals of {name}, and the end of the first certificate"), async || {
            let over = first.not_after < SystemTime::now();
            let so_far = renewals(name);
            Some(()).filter(|()| over && so_far >= 3).ok_or_else(|| format!("{so_far} so far"))
        })
        .await;
    }

    assert_ne!(certificate(&federation, "alpha").serial, first.serial);
    for name in ["alpha", "bravo"] {
        let output = federation.cluster(name).agent(0).output();
        assert_eq!(output.matches("connected to hub").count(), 1, "{output}");
        assert_eq!(federation.admin.cluster(name).await.unwrap().state, "Ready");
    }
    let events = federation.admin.events().await.unwrap();
    assert!(events.iter().all(|event| event.reason != "ClusterSuspect"), "{events:?}");
    // The hub's own certificate has ended and was renewed, too: whoever comes now is shown the new one.
    federation.admin.hang_up().await;
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
}

#[tokio::test]
async fn an_agent_whose_certificate_has_ended_may_renew_it_and_nothing_else() {
    let mut federation = Builder::new(&["alpha"]).enrolling().settings(SHORT).start().await;
    federation.cluster_mut("alpha").kill_agent(0);
    let ended = certificate(&federation, "alpha");
    wait_for("the certificate's end", async || {
        // It lasts through its last second.
        let left = (ended.not_after + Duration::from_secs(1)).duration_since(SystemTime::now());
        left.map_or(Ok(()), |left| Err(format!("{left:?} are left")))
    })
    .await;
    federation.cluster_is("alpha", "Suspect").await;

    let files = files(&federation, "alpha");
    let config = tls::client_of(&files).unwrap();
    let refused = dial_with(&endpoint(federation.hub().address()), config, DialTimeouts::default()).await;
    assert!(refused.unwrap_err().to_string().contains("expired"));

    // The token was used: the agent has nothing but what has ended.
    federation.cluster_mut("alpha").start_agent(0);
    federation.cluster_is("alpha", "Ready").await;
    assert!(federation.cluster("alpha").agent(0).output().contains("had ended, and is renewed"));
}

#[tokio::test]
async fn a_token_is_refused_wherever_it_is_not_meant_and_says_why() {
    let federation = Builder::new(&["alpha"]).enrolling().start().await;
    let alpha = federation.cluster("alpha").uid().await;
    let other = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

    // Unknown, and made for another hub: then the secret is not even shown.
    let token = token(&federation, "bravo", false, None).await;
    let unknown = JoinToken::create("bravo".parse().unwrap(), token.authority).unwrap();
    refused(&federation, &unknown, other, Code::Unauthenticated, "not known here").await;
    let mut elsewhere = token.clone();
    elsewhere.authority = Pin([1; 32]);
    let error = connect(&federation, &elsewhere).await.unwrap_err();
    assert!(error.to_string().contains("not the one that the join token is for"), "{error}");

    // For another cluster; by a cluster that has a name; under a name that is taken.
    let mut renamed = token.clone();
    renamed.cluster = "charlie".parse().unwrap();
    refused(&federation, &renamed, other, Code::PermissionDenied, "for cluster bravo").await;
    refused(&federation, &token, &alpha, Code::AlreadyExists, "as alpha").await;
    let taken = self::token(&federation, "alpha", true, None).await;
    refused(&federation, &taken, other, Code::AlreadyExists, "taken").await;
    let again = federation.admin.create_token("alpha", false).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists, "{again:?}");

    // Used: the same key may ask again, another one may not.
    let key = KeyRequest::create().unwrap();
    enrol(&federation, &token, other, &key).await.unwrap();
    enrol(&federation, &token, other, &key).await.unwrap();
    refused(&federation, &token, other, Code::FailedPrecondition, "used already").await;

    // Too late.
    let ttl = prost_types::Duration { seconds: 1, nanos: 0 };
    let late = self::token(&federation, "delta", false, Some(ttl)).await;
    wait_for("the token's end", async || {
        let answer = enrol(&federation, &late, &alpha, &key).await.unwrap_err();
        Some(()).filter(|()| answer.message().contains("expired")).ok_or_else(|| answer.to_string())
    })
    .await;

    // A request that wishes for more than a key, or for something else than a certificate.
    let mut asked = request(&token, other, &key);
    asked.signing_request = "-----BEGIN NONSENSE-----".to_owned();
    let connection = connect(&federation, &token).await.unwrap();
    let answer = EnrolmentServiceClient::new(connection).enrol(asked).await.unwrap_err();
    assert_eq!(answer.code(), Code::InvalidArgument, "{answer:?}");
    assert!(answer.message().contains("signing_request"), "{answer:?}");
}

#[tokio::test]
async fn an_agent_waits_for_a_token_that_is_good() {
    let mut federation = Builder::new(&["alpha"]).enrolling().start().await;
    federation.add("bravo").await;
    federation.cluster_is("bravo", "Ready").await;

    // The same token in another cluster: its agent says what is wrong, and takes the next one without a restart.
    let stolen = federation.dir().join("charlie.token");
    let bravos = fs::read(federation.dir().join("bravo.token")).unwrap();
    federation.add("charlie").await;
    federation.cluster_is("charlie", "Ready").await;
    federation.cluster_mut("charlie").kill_agent(0);
    fs::remove_dir_all(federation.dir().join("agent-charlie-0.identity")).unwrap();
    fs::write(&stolen, bravos).unwrap();
    federation.cluster_mut("charlie").start_agent(0);
    wait_for("the refusal", async || {
        let output = federation.cluster("charlie").agent(0).output();
        Some(()).filter(|()| output.contains("used already")).ok_or(output)
    })
    .await;
    federation.token("charlie", true).await;
    federation.cluster_is("charlie", "Ready").await;
}

#[tokio::test]
async fn one_token_alone_may_wait_for_an_operators_word() {
    let federation = Builder::new(&[]).enrolling().start().await;
    let created = federation.must(&["token", "create", "--cluster", "bravo", "--approval"]).await;
    let token: JoinToken = created.parse().unwrap();
    let (uid, key) = ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", KeyRequest::create().unwrap());
    let ask = async || {
        let mut client = EnrolmentServiceClient::new(connect(&federation, &token).await.unwrap());
        client.enrol(request(&token, uid, &key)).await.unwrap().into_inner()
    };
    let answer = ask().await;
    assert!(answer.certificate.is_none() && answer.waiting.is_some(), "{answer:?}");
    refused(&federation, &token, uid, Code::FailedPrecondition, "used already").await;
    federation.must(&["approve", "cluster", "bravo"]).await;
    assert!(ask().await.certificate.is_some());
}

#[tokio::test]
async fn one_token_lets_all_agents_of_a_cluster_in_and_those_that_come_later() {
    let mut federation = Builder::new(&["alpha"]).enrolling().each(|spec| spec.agents = 3).start().await;
    all_are_there(&federation).await;
    let agents = [0, 1, 2];
    let serials = async |what: &str| {
        // Each has a certificate and a key of its own soon.
        wait_for(what, async || {
            let folder = |number| federation.dir().join(format!("agent-alpha-{number}.identity"));
            let borrowed = agents.into_iter().any(|number| folder(number).join("borrowed").exists());
            let serials = agents.map(|number| leaf(&folder(number).join("agent.pem")).serial);
            let distinct = BTreeSet::from(serials);
            Some(()).filter(|()| distinct.len() == 3 && !borrowed).ok_or_else(|| format!("{distinct:?}"))
        })
        .await;
    };
    serials("three certificates").await;
    let began = |number| federation.cluster("alpha").agent(number).output().contains("of another agent");
    assert_eq!(agents.into_iter().filter(|number| began(*number)).count(), 2);

    // A pod that is made anew has an empty folder, and the token was used long ago.
    federation.cluster_mut("alpha").kill_agent(1);
    fs::remove_dir_all(federation.dir().join("agent-alpha-1.identity")).unwrap();
    federation.cluster_mut("alpha").start_agent(1);
    federation.cluster_mut("alpha").agent_mut(1).line_after("connected to hub").await;
    all_are_there(&federation).await;
}

async fn all_are_there(federation: &Federation) {
    wait_for("three agents", async || {
        let cluster = federation.admin.cluster("alpha").await.map_err(|error| error.to_string())?;
        Some(()).filter(|()| cluster.agents == 3).ok_or_else(|| format!("{} agents", cluster.agents))
    })
    .await;
}

#[tokio::test]
async fn a_revoked_cluster_is_cut_lost_and_let_in_again_with_a_new_token_alone() {
    let mut federation = Builder::new(&["alpha", "bravo"]).enrolling().start().await;
    federation.deploy(&Deployment::new("web", 4)).await;
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
    federation.cluster_mut("alpha").may_log_errors(0);

    let answer = federation.admin.revoke(What::Cluster("alpha".to_owned()), false).await.unwrap();
    assert_eq!(answer.action, "created");
    let alpha = federation.cluster_is("alpha", "Lost").await;
    assert_eq!((alpha.agents, alpha.reason.as_str()), (0, "its certificates are revoked"));
    federation.settles("web", &[("bravo", 4)]).await;
    wait_for("the agent to hear why", async || {
        let output = federation.cluster("alpha").agent(0).output();
        Some(()).filter(|()| output.contains("an operator has revoked it")).ok_or(output)
    })
    .await;
    // It renews nothing, at neither door.
    let files = files(&federation, "alpha");
    for address in [federation.hub().address().to_owned(), federation.hub().enrolment()] {
        let config = tls::client_of(&files).unwrap();
        let error = dial_with(&endpoint(&address), config, DialTimeouts::default()).await.unwrap_err();
        assert!(error.to_string().contains("revoked"), "{error}");
    }
    // Nor after a restart of the hub.
    federation.stop_hub().await;
    federation.restart_hub().await;
    let config = tls::client_of(&files).unwrap();
    dial_with(&endpoint(federation.hub().address()), config, DialTimeouts::default()).await.unwrap_err();

    let old = certificate(&federation, "alpha");
    federation.token("alpha", true).await;
    federation.cluster_mut("alpha").kill_agent(0);
    federation.cluster_mut("alpha").start_agent(0);
    federation.cluster_is("alpha", "Ready").await;
    assert_ne!(certificate(&federation, "alpha").serial, old.serial);
}

/// The hub remembers whose a name was. What that cluster was issued is renewed for no other one, and revoked once another one
/// comes in under the name.
#[tokio::test]
async fn what_a_cluster_was_issued_is_worth_nothing_after_it_has_lost_its_name() {
    const ANEW: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    let mut federation = Builder::new(&["alpha", "bravo"]).hasty().enrolling().start().await;
    let files = files(&federation, "bravo");
    federation.cluster_mut("bravo").kill();
    federation.cluster_is("bravo", "Lost").await;
    let by = Some(By::Uid(ANEW.to_owned()));
    let replace = v1::ReplaceClusterRequest { name: "bravo".to_owned(), by, ..Default::default() };
    federation.admin.replace(replace).await.unwrap();
    let tokens = federation.must(&["token", "list"]).await;
    assert!(tokens.contains("alpha") && !tokens.contains("bravo"), "its used tokens are gone: {tokens}");

    renews_and_pins_nothing(&federation, &files).await;
    federation.kill_hub().await;
    federation.restart_hub().await;
    renews_and_pins_nothing(&federation, &files).await;

    let token = token(&federation, "bravo", true, None).await;
    let key = KeyRequest::create().unwrap();
    let certificate = enrol(&federation, &token, ANEW, &key).await.unwrap();
    for address in [federation.hub().address().to_owned(), federation.hub().enrolment()] {
        let config = tls::client_of(&files).unwrap();
        let error = dial_with(&endpoint(&address), config, DialTimeouts::default()).await.unwrap_err();
        assert!(error.to_string().contains("revoked"), "{error}");
    }
    fs::write(&files.certificate, certificate.chain + &key.key_pem).unwrap();
    let config = tls::client_of(&files).unwrap();
    dial_with(&endpoint(federation.hub().address()), config, DialTimeouts::default()).await.unwrap();
    assert!(federation.must(&["revoke", "list"]).await.contains("bravo"), "what was issued before is");
}

async fn renews_and_pins_nothing(federation: &Federation, files: &TlsFiles) {
    let config = tls::client_of(files).unwrap();
    let enrolment = endpoint(&federation.hub().enrolment());
    let connection = dial_with(&enrolment, config, DialTimeouts::default()).await.unwrap();
    let mut client = EnrolmentServiceClient::new(connection);
    let signing_request = KeyRequest::create().unwrap().csr_pem;
    let renewed = within("an answer", client.renew(v1::RenewRequest { signing_request })).await.map(drop);
    let report = v1::ReportIssuerRequest::default();
    let pinned = within("an answer", client.report_issuer(report)).await.map(drop);
    for refused in [renewed.unwrap_err(), pinned.unwrap_err()] {
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
        for part in ["a cluster that was called bravo before", "godwit token create --cluster bravo --again"]
        {
            assert!(refused.message().contains(part), "{part:?} is not in {refused:?}");
        }
    }
}

/// As from a hub in a pod, of which one has nothing but what it prints.
#[tokio::test]
async fn an_operators_files_come_as_an_archive_too() {
    let federation = Builder::new(&["alpha"]).enrolling().start().await;
    let output = federation.hub().issuing_admin("ann", Path::new("-")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = federation.dir().join("unpacked");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("ann.tar"), output.stdout).unwrap();
    let unpacked = Command::new("tar").arg("-xf").arg("ann.tar").current_dir(&folder).status().unwrap();
    assert!(unpacked.success());
    let shown = program("cli", ["get", "clusters"]).env("GODWIT_CONFIG", folder.join("config.yaml")).output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    assert!(shown.contains("alpha"), "{shown}");
}

#[tokio::test]
async fn an_operator_or_one_certificate_can_be_revoked() {
    let federation = Builder::new(&["alpha"]).enrolling().start().await;
    let own = federation.admin.revoke(What::Admin("ops".to_owned()), false).await.unwrap_err();
    assert_eq!(own.code(), Code::FailedPrecondition, "{own:?}");
    for what in [What::Admin("a b".to_owned()), What::Serial("xyz".to_owned()), What::Cluster(String::new())]
    {
        let refused = federation.admin.revoke(what, false).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    }
    let files = federation.hub().issue_admin("eve").await;
    let (eve, serial) = (federation.client(&files), leaf(&files.certificate).serial.to_string());
    eve.clusters().await.unwrap();
    let own = eve.revoke(What::Serial(serial.clone()), false).await.unwrap_err();
    assert_eq!(own.code(), Code::FailedPrecondition, "{own:?}");
    federation.admin.revoke(What::Serial(serial.clone()), false).await.unwrap();
    kept_out(&eve).await;
    // Another certificate of hers is another one; and then all of them are.
    let eve = federation.client(&federation.hub().issue_admin("eve").await);
    eve.clusters().await.unwrap();
    federation.admin.revoke(What::Admin("eve".to_owned()), false).await.unwrap();
    kept_out(&eve).await;
    let answer = federation.admin.revoke(What::Admin("eve".to_owned()), true).await.unwrap();
    assert_eq!(answer.action, "deleted");
    wait_for("the operator to be let in again", async || {
        eve.hang_up().await;
        eve.clusters().await.map(drop).map_err(|status| status.to_string())
    })
    .await;
}

/// The standing connection is cut, and no other is taken.
async fn kept_out(operator: &Admin) {
    wait_for("the operator to be kept out", async || match operator.clusters().await {
        Ok(_) => Err("still served".to_owned()),
        Err(status) if status.message().contains("revoked") => Ok(()),
        Err(status) => Err(status.to_string()),
    })
    .await;
}

fn endpoint(address: &str) -> Endpoint {
    format!("https://{address}").parse().unwrap()
}

pub(crate) async fn token(
    federation: &Federation,
    cluster: &str,
    again: bool,
    ttl: Option<prost_types::Duration>,
) -> JoinToken {
    let request = v1::CreateTokenRequest { cluster: cluster.to_owned(), ttl, again, ..Default::default() };
    federation.admin.create_token_of(request).await.unwrap().token.parse().unwrap()
}

async fn connect(
    federation: &Federation,
    token: &JoinToken,
) -> Result<godwit_rt::dial::Connection, DialError> {
    let enrolment = endpoint(&federation.hub().enrolment());
    dial_with(&enrolment, tls::pinned(token.authority), DialTimeouts::default()).await
}

fn request(token: &JoinToken, uid: &str, key: &KeyRequest) -> v1::EnrolRequest {
    v1::EnrolRequest {
        cluster: token.cluster.to_string(),
        secret: token.secret().to_vec(),
        cluster_uid: uid.to_owned(),
        signing_request: key.csr_pem.clone(),
        ..v1::EnrolRequest::default()
    }
}

pub(crate) async fn enrol(
    federation: &Federation,
    token: &JoinToken,
    uid: &str,
    key: &KeyRequest,
) -> Result<v1::Certificate, Status> {
    let connection = connect(federation, token).await.unwrap();
    let mut client = EnrolmentServiceClient::new(connection);
    let answer = within("the answer to Enrol", client.enrol(request(token, uid, key))).await?;
    Ok(answer.into_inner().certificate.unwrap())
}

/// A token, shown with a key of its own.
async fn refused(federation: &Federation, token: &JoinToken, uid: &str, code: Code, says: &str) {
    let key = KeyRequest::create().unwrap();
    let status = enrol(federation, token, uid, &key).await.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.message().contains(says), "{status:?}");
}

/// What a cluster's agent keeps.
fn files(federation: &Federation, cluster: &str) -> TlsFiles {
    let folder = federation.dir().join(format!("agent-{cluster}-0.identity"));
    let agent = folder.join("agent.pem");
    TlsFiles { ca: folder.join("ca.pem"), certificate: agent.clone(), key: agent }
}

fn certificate(federation: &Federation, cluster: &str) -> Leaf {
    leaf(&files(federation, cluster).certificate)
}

fn leaf(path: &Path) -> Leaf {
    Leaf::from_certificate(&CertificateDer::from_pem_file(path).unwrap()).unwrap()
}
