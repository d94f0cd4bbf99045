//! Who may say what is told by certificates alone: none, a foreign one, or another cluster's is refused (S23).

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use godwit_certs::{Authority, Development, TlsFiles, mint_development};
use godwit_proto::v1;
use godwit_proto::v1::agent_service_client::AgentServiceClient;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::{Code, Status};

use crate::harness::{Builder, Deployment, Federation, targets, wait_for, within};

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let federation = Federation::of(&["alpha"]).await;
    let mut trusted = RootCertStore::empty();
    trusted.add(CertificateDer::from_pem_file(&federation.certificates.admin.ca).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();

    let address = federation.hub().address();
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(address.rsplit_once(':').unwrap().0.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let refused = within("the refusal", async {
        // In TLS 1.3 a client is done before the server has seen its certificate: the refusal comes with the first read.
        connector.connect(name, tcp).await?.read_u8().await
    });
    let refused = refused.await.unwrap_err().to_string();
    assert!(refused.contains("CertificateRequired"), "{refused}");
    federation.deploy(&Deployment::new("web", 3)).await;
}

#[tokio::test]
async fn a_foreign_certificate_is_refused() {
    let federation = Federation::of(&["alpha"]).await;
    // The same names, signed by somebody else's authority.
    let foreign = foreign(&federation);
    for files in [&foreign.admin, &foreign.agents[&"alpha".parse().unwrap()]] {
        let files = TlsFiles { ca: federation.certificates.admin.ca.clone(), ..files.clone() };
        let refused = federation.client(&files).workloads().await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "no call gets through: {refused:?}");
        assert!(refused.message().contains("not signed by an authority"), "the cause is told: {refused:?}");
    }
    federation.deploy(&Deployment::new("web", 3)).await;
}

#[tokio::test]
async fn an_agent_may_not_command_and_an_operator_may_not_attach() {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    let agent = federation.client(&federation.certificates.agents[&"alpha".parse().unwrap()]);
    let refusals = [
        agent.deploy(Deployment::new("web", 3).request()).await.unwrap_err(),
        agent.scale("web", 3).await.unwrap_err(),
        agent.delete("web").await.unwrap_err(),
        agent.workloads().await.unwrap_err(),
        agent.clusters().await.unwrap_err(),
        agent.events().await.unwrap_err(),
        agent.migrations().await.unwrap_err(),
        agent.federation().await.unwrap_err(),
        agent.apply_policy(v1::Policy::default()).await.unwrap_err(),
    ];
    for refused in refusals {
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
        assert!(refused.message().contains("alpha"), "the identity is named: {refused:?}");
    }

    let refused = attach(&federation).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    federation.deploy(&Deployment::new("web", 3)).await;
}

/// An agent in alpha that shows bravo's certificate speaks for a bravo with another identity: it is refused, and the
/// true bravo is not disturbed.
#[tokio::test]
async fn another_clusters_certificate_is_refused() {
    let mut federation = Federation::hasty(&["alpha", "bravo"]).await;
    let before = federation.admin.cluster("bravo").await.unwrap();
    let bravos = federation.certificates.agents[&"bravo".parse().unwrap()].clone();

    let alpha = federation.cluster_mut("alpha");
    alpha.kill_agent(0);
    alpha.show_certificate(bravos);
    alpha.start_agent(0);
    alpha.may_log_errors(0);
    let refused = federation.event("SessionRefused", "bravo").await;
    assert!(refused.message.contains("another name"), "the remedy is told: {refused:?}");
    federation.cluster_is("alpha", "Lost").await;

    let after = federation.admin.cluster("bravo").await.unwrap();
    assert_eq!((&after.uid, after.state.as_str(), after.agents), (&before.uid, "Ready", 1));
    federation.deploy(&Deployment::new("web", 4)).await;
    federation.settles("web", &[("bravo", 4)]).await;
    wait_for("nothing of it to be in alpha", async || {
        let found = federation.cluster("alpha").deployment("web").await;
        found.map_or(Ok(()), |found| Err(format!("{found:?}")))
    })
    .await;
}

fn foreign(federation: &Federation) -> Development {
    let folder = federation.dir().join("foreign");
    mint_development(&folder, &["alpha".parse().unwrap()], &["127.0.0.1".to_owned()]).unwrap()
}

async fn attach(federation: &Federation) -> Result<(), Status> {
    let connection = federation.admin.dial().await?;
    let hello = futures_util::stream::pending::<v1::AttachRequest>();
    let call = async { AgentServiceClient::new(connection).attach(hello).await };
    within("the answer to Attach", call).await.map(|_| ())
}

/// Nobody has renewed it: the cluster is suspect, with the cause, and nothing moves however long it takes.
#[tokio::test]
async fn a_certificate_that_ends_is_no_loss() {
    // The agent that makes way says goodbye, and the next one has all the time it needs to come.
    let grace = [("federation.goodbye_grace", "90s")];
    let mut federation = Builder::new(&["alpha", "bravo"]).hasty().settings(&grace).start().await;
    federation.deploy(&Deployment::new("web", 4)).await;
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
    federation.cluster_mut("alpha").stop_agent(0).await;
    let pki = federation.dir().join("pki");
    let authority = Authority::load(&pki.join("ca.pem"), &pki.join("ca.key")).unwrap();
    let issued = authority.issue_agent(&"alpha".parse().unwrap(), Duration::from_secs(30)).unwrap();
    let [certificate, key] = ["short.pem", "short.key"].map(|name| federation.dir().join(name));
    fs::write(&certificate, &issued.certificate_pem).unwrap();
    fs::write(&key, issued.key_pem.as_ref().unwrap()).unwrap();
    let good = federation.certificates.agents[&"alpha".parse().unwrap()].clone();
    let short = TlsFiles { ca: good.ca.clone(), certificate, key };
    let alpha = federation.cluster_mut("alpha");
    alpha.show_certificate(short);
    alpha.start_agent(0);

    let away = wait_for("a silence of several times lost_after", async || {
        let alpha = federation.admin.cluster("alpha").await.map_err(|error| error.to_string())?;
        let seen = alpha.last_seen.map(|seen| SystemTime::try_from(seen).unwrap());
        let silent = seen.and_then(|seen| seen.elapsed().ok()).unwrap_or_default();
        let ended = alpha.reason.contains("its certificate has ended");
        if ended && silent > Duration::from_secs(12) { Ok(alpha) } else { Err(format!("{alpha:?}")) }
    });
    assert_eq!(away.await.state, "Suspect");
    let migrations = federation.admin.migrations().await.unwrap();
    assert!(migrations.is_empty(), "{migrations:?}");
    let web = federation.admin.workload("web").await.unwrap();
    assert_eq!(targets(&web), [("alpha", 2), ("bravo", 2)]);

    let alpha = federation.cluster_mut("alpha");
    alpha.kill_agent(0);
    alpha.show_certificate(good);
    alpha.start_agent(0);
    federation.cluster_is("alpha", "Ready").await;
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
}
