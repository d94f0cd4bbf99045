//! A member cluster: a simulated Kubernetes API server and the agents in front of it.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use godwit_certs::{JoinToken, TlsFiles};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::accounts;
use super::netns::Network;
use super::process::{Process, Signal, program};

/// What a cluster is like.
#[derive(Debug, Clone)]
pub(crate) struct ClusterSpec {
    pub(crate) name: String,
    pub(crate) nodes: u32,
    pub(crate) node_cpu: u32,
    pub(crate) node_pods: u32,
    /// How long pods take to become ready, in milliseconds.
    pub(crate) startup: &'static str,
    pub(crate) agents: usize,
    /// What the agents log.
    pub(crate) log: &'static str,
    /// Its agents have tokens of a service account: the first of them uses a join token, the others come in by that.
    pub(crate) accounts: bool,
    /// Its agents put supervisors into pods, and take over from each other fast.
    pub(crate) gate: bool,
    /// The namespace of its agents' own objects.
    pub(crate) namespace: String,
    /// The kubeconfig of a cluster that runs already, in place of a simulated one.
    pub(crate) real: Option<PathBuf>,
}

impl ClusterSpec {
    /// Three nodes with room for more than any test needs, and one agent.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            nodes: 3,
            node_cpu: 16,
            node_pods: 110,
            startup: "50..300",
            agents: 1,
            log: "info",
            accounts: false,
            gate: false,
            namespace: "godwit-system".to_owned(),
            real: None,
        }
    }
}

/// What agents show to the hub.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    /// A certificate in files.
    Files(TlsFiles),
    /// A certificate that they get from the hub, and keep in a folder of their own: with what is in that file at first.
    Token(PathBuf),
}

/// Where a cluster is.
pub(crate) struct Place {
    /// The folder of its logs.
    pub(crate) dir: PathBuf,
    /// What its agents show.
    pub(crate) shown: Shown,
    /// The hub's `HOST:PORT`.
    pub(crate) hub: String,
    /// A network of its own, if it has one.
    pub(crate) network: Option<Arc<Network>>,
}

/// A running cluster.
pub(crate) struct Cluster {
    spec: ClusterSpec,
    place: Place,
    kubeconfig: PathBuf,
    client: kube::Client,
    // Agents first: they are the first to be dropped.
    agents: Vec<Option<Process>>,
    kubesim: Option<Process>,
}

impl Cluster {
    /// Starts the API server, if there is none yet, and the agents.
    pub(crate) async fn start(spec: ClusterSpec, place: Place) -> Self {
        let simulated = || place.dir.join(format!("{}.kubeconfig", spec.name));
        let kubeconfig = spec.real.clone().unwrap_or_else(simulated);
        let (kubesim, client) = match &spec.real {
            Some(_) => (None, client(&kubeconfig).await),
            None => {
                let (kubesim, client) = boot(&spec, &place, &kubeconfig).await;
                (Some(kubesim), client)
            }
        };
        let agents = (0..spec.agents).map(|_| None).collect();
        let mut cluster = Self { spec, place, kubeconfig, client, agents, kubesim };
        for number in 0..cluster.spec.agents {
            if cluster.spec.accounts {
                cluster.mount_token(number).await;
            }
            cluster.start_agent(number);
        }
        cluster
    }

    /// A fresh token of its service account for an agent.
    pub(crate) async fn mount_token(&self, number: usize) {
        accounts::mount(&self.client, &self.instance(number), &self.account_token(number)).await;
    }

    fn instance(&self, number: usize) -> String {
        format!("agent-{}-{number}", self.spec.name)
    }

    fn account_token(&self, number: usize) -> PathBuf {
        self.place.dir.join(format!("{}.account", self.instance(number)))
    }

    pub(crate) fn client(&self) -> &kube::Client {
        &self.client
    }

    /// What was killed is built anew under its name: it has another identity, holds nothing, and no agent runs yet.
    pub(crate) async fn rebuild(&mut self) {
        assert!(self.kubesim.is_none(), "the old one runs");
        let (kubesim, client) = boot(&self.spec, &self.place, &self.kubeconfig).await;
        (self.kubesim, self.client) = (Some(kubesim), client);
    }

    /// Its identity: the UID of its namespace kube-system.
    pub(crate) async fn uid(&self) -> String {
        let namespaces: Api<Namespace> = self.all();
        namespaces.get("kube-system").await.unwrap().metadata.uid.unwrap()
    }

    pub(crate) fn name(&self) -> &str {
        &self.spec.name
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub(crate) fn start_agent(&mut self, number: usize) {
        let name = self.instance(number);
        let mut identity = match &self.place.shown {
            Shown::Files(TlsFiles { ca, certificate, key }) => vec![
                format!("--tls-ca={}", ca.display()),
                format!("--tls-certificate={}", certificate.display()),
                format!("--tls-key={}", key.display()),
            ],
            Shown::Token(token) => vec![
                format!("--identity-directory={}", self.place.dir.join(format!("{name}.identity")).display()),
                format!("--join-token-file={}", token.display()),
                // One agent has all for itself.
                format!("--set=identity.secret={}", if self.spec.agents > 1 { "identity" } else { "" }),
            ],
        };
        if let (Shown::Token(token), true) = (&self.place.shown, self.spec.accounts) {
            // What the first one shares nobody needs, and the others know of the token what is no secret in it.
            let directory = identity.swap_remove(0);
            identity = match number {
                0 => vec![format!("--join-token-file={}", token.display())],
                _ => {
                    let token: JoinToken = fs::read_to_string(token).unwrap().parse().unwrap();
                    vec![
                        format!("--set=identity.cluster={}", token.cluster),
                        format!("--set=identity.authority_pin={}", token.authority),
                    ]
                }
            };
            let token = self.account_token(number);
            identity.push(format!("--service-account-token-file={}", token.display()));
            identity.extend(["--set=identity.issuer_check=1s".to_owned(), directory]);
        }
        let args = [
            format!("--hub={}", self.place.hub),
            format!("--instance={name}"),
            format!("--kubeconfig={}", self.kubeconfig.display()),
            format!("--namespace={}", self.spec.namespace),
            format!("--set=log.filter={}", self.spec.log),
            "--exit-with-stdin".to_owned(),
        ];
        let command = program("agent", args.into_iter().chain(identity).chain(self.gate_settings(number)));
        let old = self.agents[number].replace(self.place.start(&name, command));
        assert!(old.is_none(), "{name} runs already");
    }

    fn gate_settings(&self, number: usize) -> Vec<String> {
        if !self.spec.gate {
            return Vec::new();
        }
        let leases = self.leases(number);
        fs::create_dir_all(&leases).unwrap();
        [
            &format!("gate.directory={}", leases.display()),
            "gate.image=registry.example/godwit-agent:1",
            "gate.listen=127.0.0.1:0",
            "lease.duration=3s",
            "lease.renew=500ms",
        ]
        .map(|setting| format!("--set={setting}"))
        .into()
    }

    /// Where an agent keeps the leases of its node.
    pub(crate) fn leases(&self, agent: usize) -> PathBuf {
        self.place.dir.join(format!("leases-{}-{agent}", self.spec.name))
    }

    /// Which agent leads.
    pub(crate) async fn leader(&self) -> usize {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), &self.spec.namespace);
        let lease = leases.get("godwit-agent-leader").await.unwrap();
        let holder = lease.spec.unwrap().holder_identity.unwrap();
        holder.rsplit_once('-').unwrap().1.parse().unwrap()
    }

    /// The certificate of agents that are started from now on.
    pub(crate) fn show_certificate(&mut self, tls: TlsFiles) {
        self.place.shown = Shown::Files(tls);
    }

    /// `kill -9` of one agent; the cluster itself lives on.
    pub(crate) fn kill_agent(&mut self, number: usize) {
        self.agents[number].take().expect("the agent runs").kill();
    }

    /// Stops an agent the polite way, to its end: it says goodbye.
    pub(crate) async fn stop_agent(&mut self, number: usize) {
        let mut agent = self.agents[number].take().expect("the agent runs");
        agent.signal(Signal::Terminate);
        let status = agent.ended().await;
        assert!(status.success(), "{status}");
    }

    /// The whole cluster is gone at once: its API server and its agents. It never returns.
    pub(crate) fn kill(&mut self) {
        self.kubesim.take().expect("the API server runs").kill();
        for mut agent in self.agents.iter_mut().filter_map(Option::take) {
            // It may have noticed that its API server is gone.
            agent.may_log_errors();
        }
    }

    pub(crate) fn agent(&self, number: usize) -> &Process {
        self.agents[number].as_ref().expect("the agent runs")
    }

    pub(crate) fn agent_mut(&mut self, number: usize) -> &mut Process {
        self.agents[number].as_mut().expect("the agent runs")
    }

    /// An agent that is refused says so as an error, which otherwise fails a test.
    pub(crate) fn may_log_errors(&mut self, number: usize) {
        self.agents[number].as_mut().expect("the agent runs").may_log_errors();
    }

    /// Stops or continues everything in it, as a frozen host would.
    pub(crate) fn signal(&self, signal: Signal) {
        for process in self.agents.iter().chain([&self.kubesim]).flatten() {
            process.signal(signal);
        }
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), "default")
    }

    /// Stops or continues the API server alone: whoever calls it waits.
    pub(crate) fn signal_api_server(&self, signal: Signal) {
        self.kubesim.as_ref().expect("the API server runs").signal(signal);
    }

    /// Objects that are in no namespace.
    pub(crate) fn all<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>,
    {
        Api::all(self.client.clone())
    }

    /// A Deployment in the namespace `default`, as the cluster itself has it.
    pub(crate) async fn deployment(&self, name: &str) -> Option<Deployment> {
        self.api().get_opt(name).await.unwrap()
    }
}

impl Place {
    fn start(&self, name: &str, command: Command) -> Process {
        let command = match &self.network {
            Some(network) => network.inside_of(&command),
            None => command,
        };
        Process::start(name, &self.dir, command)
    }
}

/// Starts an API server, and gives a client for it.
async fn boot(spec: &ClusterSpec, place: &Place, kubeconfig: &Path) -> (Process, kube::Client) {
    let home = place.network.as_ref().map_or(Ipv4Addr::LOCALHOST, |network| network.home());
    let command = program(
        "kubesim",
        [
            format!("--name={}", spec.name),
            format!("--listen={home}:0"),
            format!("--nodes={}", spec.nodes),
            format!("--node-cpu={}", spec.node_cpu),
            format!("--node-pods={}", spec.node_pods),
            format!("--startup-delay-ms={}", spec.startup),
            "--termination-delay-ms=100".to_owned(),
            format!("--kubeconfig-out={}", kubeconfig.display()),
            "--exit-with-stdin".to_owned(),
        ],
    );
    let mut kubesim = place.start(&format!("kubesim-{}", spec.name), command);
    kubesim.line_after(" ready ").await;
    (kubesim, client(kubeconfig).await)
}

pub(crate) async fn client(kubeconfig: &Path) -> kube::Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.read_timeout = Some(Duration::from_secs(30));
    kube::Client::try_from(config).unwrap()
}
