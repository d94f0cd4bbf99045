//! One authority takes the place of another while everything runs (S23).

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use godwit_certs::{Authority, JoinToken, KeyRequest, Leaf, Pin, TlsFiles};
use godwit_proto::v1;
use godwit_proto::v1::agent_service_client::AgentServiceClient;
use godwit_proto::v1::authority_service_client::AuthorityServiceClient;
use godwit_proto::v1::cluster_service_client::ClusterServiceClient;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tonic::{Code, Status, Streaming};

use super::enrolment::{enrol, token};
use crate::harness::{Admin, Builder, ClusterSpec, Deployment, Federation, policy, wait_for, within};

/// So short that a test sees several of each, and long enough for a busy machine to renew each in time.
const SHORT: &[(&str, &str)] = &[
    ("authority.agent_validity", "30s"),
    ("authority.hub_validity", "30s"),
    ("authority.admin_validity", "40s"),
    ("federation.min_ready", "1s"),
];
/// An operator with less than this left gets a new certificate.
const ABOUT_TO_END: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_authority_is_replaced_under_load_and_no_stream_notices() {
    // Of two agents one stands by, and begins with what the first one got.
    let two_in_alpha = |spec: &mut ClusterSpec| spec.agents = if spec.name == "alpha" { 2 } else { 1 };
    let builder = Builder::new(&["alpha", "bravo", "north"]).enrolling().settings(SHORT);
    let mut federation = builder.each(two_in_alpha).start().await;
    federation.admin.apply_policy(policy("two", &[("alpha", 1), ("bravo", 1)])).await.unwrap();
    let mut rollouts = 0;
    rolls_out(&mut federation, &mut rollouts).await;
    let former = signing(&federation);
    // This one is away from before the first step until after the second, for longer than its certificate lasts.
    federation.cluster_mut("north").kill_agent(0);
    federation.cluster_is("north", "Suspect").await;

    assert_eq!(prepare(&federation).await.unwrap(), "configured");
    let early = switch(&federation, false).await.unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition, "{early:?}");
    assert!(early.message().contains("no agent of north is connected"), "{early:?}");
    assert_eq!(prepare(&federation).await.unwrap(), "unchanged");
    // Those that are there are asked to renew at once, and trust both.
    for (name, agent) in [("alpha", 0), ("alpha", 1), ("bravo", 0)] {
        trusts_at(&federation, name, agent, 2).await;
    }
    rolls_out(&mut federation, &mut rollouts).await;
    takes_the_step("the switch", async || {
        keep_operator(&mut federation).await;
        switch(&federation, false).await
    })
    .await;
    assert_eq!(switch(&federation, false).await.unwrap(), "unchanged");
    let next = signing(&federation);
    assert_ne!(next, former);

    renew_operator(&mut federation).await;
    rolls_out(&mut federation, &mut rollouts).await;
    let early = finish(&federation, false).await.unwrap_err();
    assert!(early.message().contains("certificates of operators"), "{early:?}");
    assert!(early.message().contains("no agent of north"), "{early:?}");
    federation.cluster_mut("north").start_agent(0);
    federation.cluster_is("north", "Ready").await;
    let output = federation.cluster("north").agent(0).output();
    assert!(output.contains("had ended, and is renewed"), "{output}");

    takes_the_step("the end of the former authority", async || {
        keep_operator(&mut federation).await;
        finish(&federation, false).await
    })
    .await;
    renew_operator(&mut federation).await;
    for (name, agent) in [("alpha", 0), ("alpha", 1), ("bravo", 0), ("north", 0)] {
        trusts_at(&federation, name, agent, 1).await;
        let output = federation.cluster(name).agent(agent).output();
        assert_eq!(output.matches("connected to hub").count(), 1, "{output}");
    }
    rolls_out(&mut federation, &mut rollouts).await;
    assert_eq!(signing(&federation), next);
    let events = federation.admin.events().await.unwrap();
    for reason in ["AuthorityPrepared", "AuthoritySwitched", "AuthorityFinished"] {
        assert_eq!(events.iter().filter(|event| event.reason == reason).count(), 1, "{reason}");
    }
    let suspects: Vec<_> = events.iter().filter(|event| event.reason == "ClusterSuspect").collect();
    assert!(suspects.iter().all(|event| event.subject.contains("north")), "{suspects:?}");
    assert_eq!(federation.admin.migrations().await.unwrap(), [], "nothing has moved");
    wait_for("many renewals", async || {
        let renewals = federation.hub().output().matches("certificate is renewed").count();
        Some(()).filter(|()| renewals >= 10).ok_or_else(|| format!("{renewals} so far"))
    })
    .await;
}

/// At each step: what a hub that is killed right after it finds, and what was given out before.
#[tokio::test]
async fn a_hub_that_is_killed_between_the_steps_goes_on_where_it_was() {
    let mut federation = Builder::new(&["alpha"]).enrolling().start().await;
    let made_before = token(&federation, "bravo", false, None).await;
    let former = signing(&federation);
    // What a crash has left of a step that was never taken: a key that nobody knows.
    let folder = federation.dir().join("store/authority");
    Authority::create(godwit_certs::CA_VALIDITY)
        .unwrap()
        .save(&federation.dir().join("unused.pem"), &folder.join("next.key"))
        .unwrap();

    prepare(&federation).await.unwrap();
    comes_back(&mut federation, "prepared").await;
    trusts(&federation, "alpha", 2).await;
    takes_the_step("the switch", async || switch(&federation, false).await).await;
    let next = signing(&federation);
    assert_ne!(next, former);
    comes_back(&mut federation, "switched").await;

    // Tokens from before and after, each of which knows another authority.
    let made_after = token(&federation, "charlie", false, None).await;
    assert_eq!((made_before.authority, made_after.authority), (former, next));
    let tokens: [(&JoinToken, &str); 2] = [
        (&made_before, "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        (&made_after, "6ba7b811-9dad-11d1-80b4-00c04fd430c8"),
    ];
    for (token, uid) in tokens {
        let certificate = enrol(&federation, token, uid, &KeyRequest::create().unwrap()).await.unwrap();
        assert_eq!(certificate.authorities.matches("BEGIN CERTIFICATE").count(), 2);
    }
    let unused = token(&federation, "delta", false, None).await;

    let [ca, certificate, key] = federation.admin.files().map(|file| {
        let kept = federation.dir().join("before").with_extension(file.file_name().unwrap());
        fs::copy(file, &kept).unwrap();
        kept
    });
    let old = TlsFiles { ca, certificate, key };
    renew_operator(&mut federation).await;
    finishes_by_force(&federation).await;
    comes_back(&mut federation, "settled").await;
    assert_eq!(signing(&federation), next);
    // The hub that was killed may not have got to asking anybody to renew: the next one does.
    trusts(&federation, "alpha", 1).await;
    let files: Vec<_> = ["ca.key", "next.key"].map(|name| folder.join(name).exists()).into();
    assert_eq!(files, [true, false], "the new one takes the place of the old one");

    // Who had nothing but the former authority's is told what to do.
    let refused = federation.client(&old).clusters().await.unwrap_err();
    assert!(refused.message().contains("replaced meanwhile"), "{refused:?}");
    assert_eq!(finish(&federation, false).await.unwrap(), "unchanged");
    enrol(&federation, &unused, "6ba7b812-9dad-11d1-80b4-00c04fd430c8", &KeyRequest::create().unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn connections_that_live_by_the_former_authority_end_with_it() {
    let mut federation = Builder::new(&["alpha"]).enrolling().start().await;
    // Whoever has stolen the key can be anybody, from before the first step or after.
    let folder = federation.dir().join("store/authority");
    let stolen = Authority::load(&folder.join("ca.pem"), &folder.join("ca.key")).unwrap();
    let lasts = godwit_certs::LEAF_VALIDITY;
    let as_operator = forged(&federation, &stolen.issue_admin(&"ops".parse().unwrap(), lasts).unwrap());
    let as_agent = forged(&federation, &stolen.issue_agent(&"alpha".parse().unwrap(), lasts).unwrap());
    prepare(&federation).await.unwrap();
    trusts(&federation, "alpha", 2).await;
    takes_the_step("the switch", async || switch(&federation, false).await).await;

    let ours = Admin::new(federation.hub().address(), federation.hub().issue_admin("second").await);
    let (mut kept, mut cut) = (watches(&ours).await, watches(&as_operator).await);
    let thief = as_agent.dial().await.unwrap();
    let attached = AgentServiceClient::new(thief.clone()).attach(futures_util::stream::pending()).await;
    let _says_nothing = attached.unwrap();
    // By an operator of the former one's, too, who gets this answer and no other.
    finishes_by_force(&federation).await;
    within("the end of a stream", async { while let Ok(Some(_)) = cut.message().await {} }).await;
    within("the end of a connection", thief.closed()).await;
    for client in [&as_operator, &as_agent, &federation.admin] {
        let refused = client.dial().await.map(drop).unwrap_err();
        assert!(refused.message().contains("replaced meanwhile"), "{refused:?}");
    }

    // Whoever has something of the next one's notices nothing, and trusts that one alone within moments.
    trusts(&federation, "alpha", 1).await;
    federation.admin = ours;
    federation.must(&["cordon", "cluster", "alpha"]).await;
    within("news of a cluster", kept.message()).await.unwrap().unwrap();
    let output = federation.cluster("alpha").agent(0).output();
    assert_eq!(output.matches("connected to hub").count(), 1, "{output}");
}

#[tokio::test]
async fn a_preparation_is_taken_back_and_another_one_takes_its_place() {
    let mut federation = Builder::new(&["alpha"]).enrolling().start().await;
    let former = signing(&federation);
    assert_eq!(abandon(&federation).await.unwrap(), "unchanged");
    prepare(&federation).await.unwrap();
    let abandoned = overview(&federation).await.beside.unwrap().pin;
    trusts(&federation, "alpha", 2).await;
    let said = federation.must(&["authority", "abandon"]).await;
    assert!(said.contains("trusted no more"), "{said}");
    assert_eq!(abandon(&federation).await.unwrap(), "unchanged");
    trusts(&federation, "alpha", 1).await;
    assert!(!federation.dir().join("store/authority/next.key").exists());
    federation.event("AuthorityAbandoned", "authority").await;
    comes_back(&mut federation, "settled").await;
    let unprepared = switch(&federation, true).await.unwrap_err();
    assert!(unprepared.message().contains("prepare first"), "{unprepared:?}");

    prepare(&federation).await.unwrap();
    assert_ne!(overview(&federation).await.beside.unwrap().pin, abandoned);
    trusts(&federation, "alpha", 2).await;
    takes_the_step("the switch", async || switch(&federation, false).await).await;
    assert_ne!(signing(&federation), former);
    let late = abandon(&federation).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition, "{late:?}");
    assert!(late.message().contains("`godwit authority finish`"), "{late:?}");
}

/// The next one is the operator's too, and the files stay where they are.
#[tokio::test]
async fn an_authority_that_is_given_is_followed_by_one_that_is_given() {
    let pki = tempfile::tempdir().unwrap();
    let path = |name: &str| pki.path().join(name).to_str().unwrap().to_owned();
    let [first, second] = ["first", "second"].map(|name| {
        let authority = Authority::create(godwit_certs::CA_VALIDITY).unwrap();
        let (certificate, key) = (path(&format!("{name}.pem")), path(&format!("{name}.key")));
        authority.save(Path::new(&certificate), Path::new(&key)).unwrap();
        (authority.pin(), certificate, key)
    });
    let settings = [
        ("authority.certificate", &*first.1),
        ("authority.key", &*first.2),
        ("authority.next_certificate", &*second.1),
        ("authority.next_key", &*second.2),
    ];
    let mut federation = Builder::new(&["alpha"]).enrolling().settings(&settings).start().await;
    prepare(&federation).await.unwrap();
    assert_eq!(abandon(&federation).await.unwrap(), "configured");
    assert!(Path::new(&second.2).exists(), "what is given is not the hub's to remove");
    assert_eq!(prepare(&federation).await.unwrap(), "configured");
    trusts(&federation, "alpha", 2).await;
    takes_the_step("the switch", async || switch(&federation, false).await).await;
    renew_operator(&mut federation).await;
    let shown = federation.must(&["authority", "show"]).await;
    for part in ["switched:", "Former:", "Waits for:", &first.0.to_string(), &second.0.to_string()] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    finishes_by_force(&federation).await;
    federation.kill_hub().await;
    federation.restart_hub().await;
    federation.cluster_is("alpha", "Ready").await;
    assert_eq!(overview(&federation).await.signing.unwrap().pin, second.0.to_string());
    assert!(Path::new(&first.2).exists());
}

#[tokio::test]
async fn a_next_authority_that_has_ended_meanwhile_gives_way_to_another_one() {
    let pki = tempfile::tempdir().unwrap();
    let path = |name: &str| pki.path().join(name).to_str().unwrap().to_owned();
    let given = |name: &str, lasts: Duration| {
        let authority = Authority::create(lasts).unwrap();
        let (certificate, key) = (path(&format!("{name}.pem")), path(&format!("{name}.key")));
        authority.save(Path::new(&certificate), Path::new(&key)).unwrap();
        (authority.pin(), authority.ends())
    };
    given("first", godwit_certs::CA_VALIDITY);
    let settings = ["first.pem", "first.key", "next.pem", "next.key"].map(path);
    let names = ["certificate", "key", "next_certificate", "next_key"].map(|key| format!("authority.{key}"));
    let settings: Vec<(&str, &str)> =
        names.iter().zip(&settings).map(|(name, path)| (&**name, &**path)).collect();
    let federation = Builder::new(&["alpha"]).enrolling().settings(&settings).start().await;
    let (_, ends) = given("next", Duration::from_secs(20));
    prepare(&federation).await.unwrap();
    wait_for("the end of the next authority", async || {
        let left = (ends + Duration::from_secs(1)).duration_since(SystemTime::now());
        left.map_or(Ok(()), |left| Err(format!("{left:?} are left")))
    })
    .await;
    let refused = switch(&federation, true).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    for part in ["has to be in force", "`godwit authority abandon`"] {
        assert!(refused.message().contains(part), "{part:?} is not in {refused:?}");
    }
    assert_eq!(abandon(&federation).await.unwrap(), "configured");
    let (next, _) = given("next", godwit_certs::CA_VALIDITY);
    prepare(&federation).await.unwrap();
    takes_the_step("the switch", async || switch(&federation, false).await).await;
    assert_eq!(signing(&federation), next);
}

/// Files under `tls` are somebody else's, who may change all of them at once: they are read again, and nobody is cut.
#[tokio::test]
async fn files_are_read_again_with_another_authority_and_standing_streams_stay() {
    let federation = Federation::of(&["alpha"]).await;
    let no_authority = prepare(&federation).await.unwrap_err();
    assert_eq!(no_authority.code(), Code::FailedPrecondition, "{no_authority:?}");
    assert!(no_authority.message().contains("tls.ca"), "{no_authority:?}");

    let next = Authority::create(godwit_certs::CA_VALIDITY).unwrap();
    let host = federation.hub().address().rsplit_once(':').unwrap().0.to_owned();
    let agent = &federation.certificates.agents[&"alpha".parse().unwrap()];
    let both = fs::read_to_string(&agent.ca).unwrap() + next.certificate_pem();
    for files in [&federation.certificates.hub, agent, &federation.certificates.admin] {
        fs::write(&files.ca, &both).unwrap();
    }
    let reloaded = async |what: &str, output: &dyn Fn() -> String, times: usize| {
        wait_for(what, async || {
            let seen = output().matches("certificate reloaded").count();
            Some(()).filter(|()| seen >= times).ok_or_else(|| format!("{seen} times"))
        })
        .await;
    };
    let hub = || federation.hub().output();
    let alpha = || federation.cluster("alpha").agent(0).output();
    reloaded("the hub to trust both", &hub, 1).await;
    reloaded("the agent to trust both", &alpha, 1).await;

    // The hub's own from the next one: whoever comes now sees it.
    let lasts = godwit_certs::LEAF_VALIDITY;
    let issued = next.issue_hub(&[host], lasts).unwrap();
    replace(&federation.certificates.hub, &issued);
    reloaded("the hub to show another certificate", &hub, 2).await;
    replace(agent, &next.issue_agent(&"alpha".parse().unwrap(), lasts).unwrap());
    reloaded("the agent to show another certificate", &alpha, 2).await;
    federation.admin.hang_up().await;
    federation.deploy(&Deployment::new("web", 2)).await;
    federation.settles("web", &[("alpha", 2)]).await;
    assert_eq!(alpha().matches("connected to hub").count(), 1, "{}", alpha());
}

#[tokio::test]
async fn a_step_that_is_written_down_counts_whatever_fails_after_that() {
    let mut federation = Builder::new(&["alpha"]).enrolling().start().await;
    federation.hub_mut().may_log_errors();
    prepare(&federation).await.unwrap();
    trusts(&federation, "alpha", 2).await;
    // What the hub shows cannot be replaced.
    let bundle = federation.dir().join("store/authority/bundle.pem");
    fs::remove_file(&bundle).unwrap();
    fs::create_dir(&bundle).unwrap();
    let refused = abandon(&federation).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal, "{refused:?}");
    assert!(refused.message().contains("the step is taken"), "{refused:?}");
    federation.event("AuthorityAbandoned", "authority").await;
    let after = overview(&federation).await;
    assert_eq!((&*after.step, after.bundle.matches("BEGIN CERTIFICATE").count()), ("settled", 1));
    trusts(&federation, "alpha", 1).await;

    fs::remove_dir(&bundle).unwrap();
    assert_eq!(abandon(&federation).await.unwrap(), "unchanged");
    assert_eq!(fs::read_to_string(&bundle).unwrap(), after.bundle);
    comes_back(&mut federation, "settled").await;
}

/// As one who writes one file after the other; in between they do not belong together.
fn replace(files: &TlsFiles, issued: &godwit_certs::Issued) {
    fs::write(&files.certificate, &issued.certificate_pem).unwrap();
    fs::write(&files.key, issued.key_pem.as_ref().unwrap()).unwrap();
}

/// A client with what somebody else has issued.
fn forged(federation: &Federation, issued: &godwit_certs::Issued) -> Admin {
    let [ca, ..] = federation.admin.files();
    let name = issued.leaf().serial;
    let [certificate, key] = ["pem", "key"].map(|end| federation.dir().join(format!("{name}.{end}")));
    let files = TlsFiles { ca: ca.to_owned(), certificate, key };
    replace(&files, issued);
    Admin::new(federation.hub().address(), files)
}

/// All clusters, and what becomes of them.
async fn watches(client: &Admin) -> Streaming<v1::WatchClustersResponse> {
    let mut clusters = ClusterServiceClient::new(client.dial().await.unwrap());
    let answer = within("an answer", clusters.watch_clusters(v1::WatchClustersRequest::default())).await;
    let mut stream = answer.unwrap().into_inner();
    within("what is there", stream.message()).await.unwrap().unwrap();
    stream
}

/// A new revision, to its end.
async fn rolls_out(federation: &mut Federation, rollouts: &mut u32) {
    renew_operator(federation).await;
    *rollouts += 1;
    let image = format!("main:{rollouts}");
    let deployed = federation.deploy(&Deployment::new("web", 4).policy("two").image(&image)).await;
    // The first one takes nothing's place, and goes everywhere at once.
    let over = if *rollouts == 1 { "" } else { "Completed" };
    wait_for("the revision to be everywhere", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let rollout = workload.rollout.unwrap_or_default();
        let whole = (workload.revision, rollout.state.as_str()) == (deployed.revision, over);
        Some(()).filter(|()| whole).ok_or_else(|| format!("{rollout:?}"))
    })
    .await;
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
}

/// What is refused as too early until it is not.
async fn takes_the_step(what: &str, mut step: impl AsyncFnMut() -> Result<String, Status>) {
    wait_for(what, async || match step().await {
        Ok(action) if action == "configured" => Ok(()),
        Ok(action) => panic!("{what}: {action}"),
        Err(early) => Err(early.to_string()),
    })
    .await;
}

/// Before everything that the former authority has signed has ended, which takes a day; once no agent shows such a thing.
async fn finishes_by_force(federation: &Federation) {
    wait_for("the agents to renew", async || {
        let early = finish(federation, false).await.unwrap_err().message().to_owned();
        assert!(early.contains("certificates of agents that the former authority has signed"), "{early}");
        Some(()).filter(|()| !early.contains("agents of alpha have")).ok_or(early)
    })
    .await;
    assert_eq!(finish(federation, true).await.unwrap(), "configured");
}

/// `kill -9`, and back: with the step that was taken, and all its agents.
async fn comes_back(federation: &mut Federation, step: &str) {
    let before = overview(federation).await;
    assert_eq!(before.step, step);
    federation.kill_hub().await;
    federation.restart_hub().await;
    let after = overview(federation).await;
    assert_eq!((&after.step, &after.bundle), (&before.step, &before.bundle));
    let pin = |found: &v1::GetAuthorityResponse| found.signing.clone().unwrap().pin;
    assert_eq!((pin(&after), after.prepared), (pin(&before), before.prepared));
    federation.cluster_is("alpha", "Ready").await;
}

/// A new certificate for the tests' operator, whose old one may be about to end.
async fn renew_operator(federation: &mut Federation) {
    let files = federation.hub().issue_admin("ops").await;
    federation.admin = Admin::new(federation.hub().address(), files);
}

/// The same once it is about to end, for those who wait.
async fn keep_operator(federation: &mut Federation) {
    let [_, certificate, _] = federation.admin.files();
    let leaf = Leaf::from_certificate(&CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    if leaf.not_after.duration_since(SystemTime::now()).unwrap_or_default() < ABOUT_TO_END {
        renew_operator(federation).await;
    }
}

/// Waits until an agent trusts so many authorities.
async fn trusts(federation: &Federation, cluster: &str, authorities: usize) {
    trusts_at(federation, cluster, 0, authorities).await;
}

async fn trusts_at(federation: &Federation, cluster: &str, agent: usize, authorities: usize) {
    let path = federation.dir().join(format!("agent-{cluster}-{agent}.identity/ca.pem"));
    wait_for(&format!("{cluster} to trust {authorities}"), async || {
        let found = fs::read_to_string(&path).unwrap().matches("BEGIN CERTIFICATE").count();
        Some(()).filter(|()| found == authorities).ok_or_else(|| format!("it trusts {found}"))
    })
    .await;
}

/// The authority that the hub shows: the second certificate of its chain, but for one that vouches.
fn signing(federation: &Federation) -> Pin {
    let text = fs::read(federation.dir().join("store/authority/bundle.pem")).unwrap();
    Pin::of(&CertificateDer::from_pem_slice(&text).unwrap()).unwrap()
}

async fn authority(federation: &Federation) -> AuthorityServiceClient<godwit_rt::dial::Connection> {
    AuthorityServiceClient::new(federation.admin.dial().await.unwrap())
}

async fn overview(federation: &Federation) -> v1::GetAuthorityResponse {
    let mut client = authority(federation).await;
    within("the overview", client.get_authority(v1::GetAuthorityRequest {})).await.unwrap().into_inner()
}

async fn prepare(federation: &Federation) -> Result<String, Status> {
    let mut client = authority(federation).await;
    let answer = within("prepare", client.prepare_authority(v1::PrepareAuthorityRequest {})).await;
    answer.map(|answer| answer.into_inner().action)
}

async fn abandon(federation: &Federation) -> Result<String, Status> {
    let mut client = authority(federation).await;
    let answer = within("abandon", client.abandon_authority(v1::AbandonAuthorityRequest {})).await;
    answer.map(|answer| answer.into_inner().action)
}

async fn switch(federation: &Federation, force: bool) -> Result<String, Status> {
    let mut client = authority(federation).await;
    let answer = within("switch", client.switch_authority(v1::SwitchAuthorityRequest { force })).await;
    answer.map(|answer| answer.into_inner().action)
}

async fn finish(federation: &Federation, force: bool) -> Result<String, Status> {
    let mut client = authority(federation).await;
    let answer = within("finish", client.finish_authority(v1::FinishAuthorityRequest { force })).await;
    answer.map(|answer| answer.into_inner().action)
}
