//! Operators log in with a token, and stay logged in (S23).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join_all;
use godwit_certs::{KeyRequest, Leaf};
use godwit_proto::v1::revoke_request::What;
use tokio::io::AsyncWriteExt;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::harness::{Builder, Federation, program, wait_for, within};

#[tokio::test]
async fn an_operator_logs_in_with_a_token_once_and_the_next_command_just_works() {
    let federation = Builder::new(&["alpha"]).enrolling().start().await;
    let bob = User::new(&federation, "bob");
    let token = federation
        .must(&["token", "create", "--operator", "bob", "--role", "deployer", "--namespace", "shop"])
        .await;
    let listed = federation.must(&["token", "list"]).await;
    assert!(listed.contains("operator/bob") && listed.contains("good for"), "{listed}");

    // By standard input; nothing of the token is kept, and the key is for its user alone.
    let said = succeeded(bob.login(&["--replace"], &token).await);
    assert!(said.contains("logged in: bob, as deployer"), "{said}");
    let (folder, mode) =
        (bob.folder(), |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777);
    assert_eq!((mode(&folder), mode(&bob.certificate())), (0o700, 0o600));
    for file in fs::read_dir(&folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains(token.split('.').nth(2).unwrap()), "{text}");
    }
    let shown = succeeded(bob.godwit(&["whoami"]).await);
    for part in ["bob", "deployer (bound)", "shop", "renewed by itself"] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    let refused = failed(bob.godwit(&["token", "create", "--operator", "eve"]).await);
    assert!(refused.contains("takes the role admin"), "{refused}");

    // The same token in other hands, of which one has stolen it; and for somebody else.
    let eve = User::new(&federation, "eve");
    let refused = failed(eve.login(&[], &token).await);
    assert!(refused.contains("used already") && refused.contains("godwit revoke admin bob"), "{refused}");
    let join = federation.must(&["token", "create", "--cluster", "bravo"]).await;
    let refused = failed(eve.login(&[], &join).await);
    assert!(refused.contains("a cluster's join token"), "{refused}");
    assert!(!refused.contains(join.split('.').nth(2).unwrap()), "{refused}");
    assert!(eve.files().is_empty(), "nothing half done is found by later commands");

    // A file; and a context that is something else stays.
    let file = federation.dir().join("eve.token");
    fs::write(&file, federation.must(&["token", "create", "--operator", "eve"]).await).unwrap();
    fs::write(
        eve.folder().join("config.yaml"),
        "address: https://elsewhere:1\nca: a\ncertificate: b\nkey: c\n",
    )
    .unwrap();
    let with_file = ["--token-file", file.to_str().unwrap()];
    let refused = failed(eve.login(&with_file, "").await);
    assert!(refused.contains("--replace"), "{refused}");
    let said = succeeded(eve.login(&[&with_file[..], &["--replace"]].concat(), "").await);
    assert!(said.contains("eve, as admin"), "{said}");

    let said = succeeded(bob.godwit(&["logout"]).await);
    assert!(said.contains("godwit revoke serial"), "{said}");
    assert!(bob.files().is_empty());
    assert!(failed(bob.godwit(&["whoami"]).await).contains("godwit login"));
}

#[tokio::test]
async fn tokens_that_have_ended_and_names_that_are_revoked_are_refused_with_a_remedy() {
    let federation = Builder::new(&["alpha"]).enrolling().start().await;
    let bob = User::new(&federation, "bob");
    let short = federation.must(&["token", "create", "--operator", "bob", "--ttl", "1s"]).await;
    let token = federation.must(&["token", "create", "--operator", "bob"]).await;
    wait_for("the token's end", async || {
        let shown = federation.must(&["token", "list"]).await;
        Some(()).filter(|()| shown.contains("expired")).ok_or(shown)
    })
    .await;
    let refused = failed(bob.login(&[], &short).await);
    assert!(refused.contains("expired") && refused.contains("token create --operator bob"), "{refused}");
    let elsewhere = format!("{}{}", &token.trim()[..token.trim().len() - 64], "0".repeat(64));
    let refused = failed(bob.login(&[], &elsewhere).await);
    assert!(refused.contains("somebody stands in between"), "{refused}");
    assert!(bob.files().is_empty(), "keys that opened nothing");
    // One that was there may have been shown with another token, whose answer was lost.
    let waiting = bob.folder().join("config.yaml.login.key");
    let key = KeyRequest::create().unwrap().key_pem;
    fs::write(&waiting, &key).unwrap();
    failed(bob.login(&[], &short).await);
    assert_eq!(fs::read_to_string(&waiting).unwrap(), key);

    federation.admin.revoke(What::Admin("bob".to_owned()), false).await.unwrap();
    // The tokens went with the name; one that is meant lets it in again.
    let refused = failed(bob.login(&[], &token).await);
    assert!(refused.contains("deleted"), "{refused}");
    let refused = failed(federation.godwit(&["token", "create", "--operator", "bob"]).await);
    assert!(refused.contains("revoked") && refused.contains("--again"), "{refused}");
    let token = federation.must(&["token", "create", "--operator", "bob", "--again"]).await;
    succeeded(bob.login(&[], &token).await);
    assert!(!waiting.exists() && fs::read_to_string(bob.certificate()).unwrap().ends_with(&key));
    succeeded(bob.godwit(&["whoami"]).await);
    federation.admin.revoke(What::Admin("bob".to_owned()), false).await.unwrap();
    assert!(failed(bob.godwit(&["whoami"]).await).contains("revoked"));
}

#[tokio::test]
async fn a_login_is_renewed_by_commands_and_follows_another_authority() {
    let settings = [("authority.login_validity", "20s")];
    let federation = Builder::new(&["alpha"]).enrolling().settings(&settings).start().await;
    let bob = User::new(&federation, "bob");
    let token = federation.must(&["token", "create", "--operator", "bob"]).await;
    succeeded(bob.login(&[], &token).await);
    let first = bob.leaf();
    let renewed = async |authorities: usize| {
        let before = bob.leaf();
        wait_for("a renewal", async || {
            succeeded(bob.godwit(&["get", "clusters"]).await);
            let trusted = fs::read_to_string(bob.folder().join("config.yaml.ca.pem")).unwrap();
            let trusted = trusted.matches("BEGIN CERTIFICATE").count();
            let is_new = bob.leaf().serial != before.serial;
            Some(()).filter(|()| is_new && trusted == authorities).ok_or_else(|| format!("trusts {trusted}"))
        })
        .await;
    };
    renewed(1).await;
    assert_ne!(bob.leaf().serial, first.serial);
    federation.must(&["authority", "prepare"]).await;
    renewed(2).await;
    federation.must(&["authority", "switch", "--force"]).await;
    renewed(2).await;
    federation.must(&["authority", "finish", "--force"]).await;
    renewed(1).await;

    // Whoever runs nothing for so long logs in again.
    let last = bob.leaf();
    wait_for("the end of the login", async || {
        let left = (last.not_after + Duration::from_secs(1)).duration_since(SystemTime::now());
        left.map_or(Ok(()), |left| Err(format!("{left:?} are left")))
    })
    .await;
    let refused = failed(bob.godwit(&["whoami"]).await);
    assert!(refused.contains("log in again"), "{refused}");
}

#[tokio::test]
async fn commands_at_one_moment_renew_a_login_once_and_all_of_them_work() {
    const HALF: Duration = Duration::from_secs(20);
    let settings = [("authority.login_validity", "40s")];
    let federation = Builder::new(&["alpha"]).enrolling().settings(&settings).start().await;
    let bob = User::new(&federation, "bob");
    let token = federation.must(&["token", "create", "--operator", "bob"]).await;
    succeeded(bob.login(&[], &token).await);
    let first = bob.leaf();
    wait_for("half of its life", async || {
        let left = first.not_after.duration_since(SystemTime::now()).unwrap_or_default();
        Some(()).filter(|()| left + Duration::from_secs(1) < HALF).ok_or_else(|| format!("{left:?} are left"))
    })
    .await;
    let begun = Instant::now();
    let commands = (0..8).map(|_| async { succeeded(bob.godwit(&["get", "clusters"]).await) });
    let shown = join_all(commands).await;
    assert!(shown.iter().all(|shown| shown.contains("alpha")), "{shown:?}");
    // Where they took so long that half of the next one's life was gone, that was renewed, too.
    let most = 1 + begun.elapsed().as_secs() / (HALF.as_secs() - 1);
    let log = federation.hub().output();
    let renewed =
        log.lines().filter(|line| line.contains("a certificate is renewed") && line.contains("bob"));
    let renewed = renewed.count() as u64;
    assert!((1..=most).contains(&renewed), "{renewed} renewals, at most {most} were needed");
    assert_ne!(bob.leaf().serial, first.serial);
    assert!(!bob.files().iter().any(|file| file.ends_with(".lock")), "{:?}", bob.files());

    // Two with one token: one logs in, and the other finds that done.
    let carol = User::new(&federation, "carol");
    let token = federation.must(&["token", "create", "--operator", "carol"]).await;
    let both = join_all([(), ()].map(|()| carol.login(&[], &token))).await;
    assert!(both.iter().any(|one| one.status.success()), "{both:?}");
    succeeded(carol.godwit(&["whoami"]).await);
    assert_eq!(carol.files().len(), 3, "{:?}", carol.files());
}

/// Somebody with a home of their own.
struct User {
    home: PathBuf,
    hub: String,
    enrolment: String,
}

impl User {
    fn new(federation: &Federation, name: &str) -> Self {
        let home = federation.dir().join(format!("home-{name}"));
        fs::create_dir(&home).unwrap();
        let hub = federation.hub();
        Self { home, hub: hub.address().to_owned(), enrolment: hub.enrolment() }
    }

    fn folder(&self) -> PathBuf {
        self.home.join("godwit")
    }

    /// What is in it.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn certificate(&self) -> PathBuf {
        self.folder().join("config.yaml.operator.pem")
    }

    fn leaf(&self) -> Leaf {
        Leaf::from_certificate(&CertificateDer::from_pem_file(self.certificate()).unwrap()).unwrap()
    }

    async fn login(&self, more: &[&str], token: &str) -> Output {
        let args = [&["login", &self.hub, "--enrolment", &self.enrolment], more].concat();
        self.run(&args, token).await
    }

    async fn godwit(&self, args: &[&str]) -> Output {
        self.run(args, "").await
    }

    async fn run(&self, args: &[&str], input: &str) -> Output {
        let mut command = tokio::process::Command::from(program("cli", args.iter().copied()));
        command.env_remove("GODWIT_CONFIG").env("XDG_CONFIG_HOME", &self.home).current_dir(&self.home);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        // It may have ended without reading anything.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
        within(&format!("godwit {args:?}"), child.wait_with_output()).await.unwrap()
    }
}

fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn failed(output: Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
