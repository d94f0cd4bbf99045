//! All processes of a development federation: the hub and the members.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use godwit_certs::mint_development;
use godwit_common::ClusterName;
use godwit_common::rng::Rng;
use godwit_rt::tls::TlsFiles;
use tokio::sync::mpsc;

use super::control::Part;
use super::layout::Layout;
use super::member::{Member, Surroundings, flags, running, served};
use super::options::{Clusters, Options};
use super::process::{Death, Process};
use crate::context::Context;
use crate::error::Error;

/// Deaths that nobody has looked at yet: each process dies once.
const DEATHS_MAX: usize = 64;
/// The usual ports, from which commands can be copied.
const HUB_PORT: u16 = 7443;
const METRICS_PORT: u16 = 9464;

/// The federation.
#[derive(Debug)]
pub(super) struct Federation {
    hub: Hub,
    members: Vec<Member>,
    layout: Layout,
    context: Context,
    deaths: mpsc::Sender<Death>,
}

#[derive(Debug)]
struct Hub {
    process: Option<Process>,
    listen: SocketAddr,
    metrics: SocketAddr,
    tls: TlsFiles,
    simulated: bool,
    lost_after: Option<String>,
}

impl Federation {
    /// Mints certificates and starts everything. Whatever fails, what was started before ends with this process.
    pub(super) async fn start(
        layout: &Layout,
        options: &Options,
    ) -> Result<(Self, mpsc::Receiver<Death>), Error> {
        let names = options.clusters.names()?;
        let listen = free_address(options.listen)?;
        let metrics = usual(metrics_port(options.listen))?;
        let dialled = dialled(listen);
        let mut hub_names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        if !hub_names.contains(&dialled.ip().to_string()) {
            hub_names.push(dialled.ip().to_string());
        }
        let (folder, members) = (layout.certificates(), names.clone());
        let minted =
            tokio::task::spawn_blocking(move || mint_development(&folder, &members, &hub_names)).await;
        let minted = minted.map_err(Error::failed)?.map_err(|error| {
            let cause = std::error::Error::source(&error).map(|source| format!(": {source}"));
            Error::failed(format!("certificates: {error}{}", cause.unwrap_or_default()))
        })?;
        let simulated = matches!(options.clusters, Clusters::Simulated { .. });
        if simulated {
            Layout::remove(&layout.store(true))?;
        }
        let (deaths, died) = mpsc::channel(DEATHS_MAX);
        let address = format!("https://{dialled}");
        let context = Context {
            path: layout.context(),
            endpoint: address.parse().map_err(Error::failed)?,
            tls: minted.admin,
            is_login: false,
        };
        let lost_after = options.lost_after.clone();
        let hub = Hub { process: None, listen, metrics, tls: minted.hub, simulated, lost_after };
        let mut federation =
            Self { hub, members: Vec::new(), layout: layout.clone(), context, deaths: deaths.clone() };
        federation.start_hub().await?;
        let around = Surroundings { layout, deaths: &deaths, hub: dialled };
        let agent_files = |name: &ClusterName| {
            minted
                .agents
                .get(name)
                .cloned()
                .ok_or_else(|| Error::failed(format!("no certificate for {name}")))
        };
        let mut rng = Rng::new(getrandom::u64().map_err(Error::failed)?);
        for (index, name) in names.into_iter().enumerate() {
            let tls = agent_files(&name)?;
            let member = match &options.clusters {
                Clusters::Simulated { nodes, .. } => {
                    Member::simulated(name, *nodes, tls, &mut rng, &around).await?
                }
                Clusters::Real(paths) => {
                    let path = paths.get(index).cloned().unwrap_or_default();
                    let path = path.canonicalize().map_err(Error::failed)?;
                    Member::real(name, path, tls, &around).await?
                }
            };
            federation.members.push(member);
        }
        let start = async |member: &mut Member| {
            member.start_cluster().await?;
            member.start_agent()
        };
        futures_util::future::try_join_all(federation.members.iter_mut().map(start)).await?;
        federation
            .context
            .write()
            .map_err(|error| Error::failed(format!("{}: {error}", federation.context.path.display())))?;
        Ok((federation, died))
    }

    /// Starts the hub on what it has stored, and waits until it serves.
    pub(super) async fn start_hub(&mut self) -> Result<(), Error> {
        let ready = self.layout.hub_ready();
        Layout::remove(&ready)?;
        let mut args = flags(
            super::HUB_CHILD,
            [
                ("--listen", self.hub.listen.to_string().into()),
                ("--data-dir", self.layout.store(self.hub.simulated).into()),
                ("--tls-ca", self.hub.tls.ca.clone().into()),
                ("--tls-certificate", self.hub.tls.certificate.clone().into()),
                ("--tls-key", self.hub.tls.key.clone().into()),
                ("--ready-file", ready.clone().into()),
                ("--set", format!("metrics.listen={}", self.hub.metrics).into()),
            ],
        );
        if let Some(lost_after) = &self.hub.lost_after {
            args.extend(["--set".into(), format!("federation.lost_after={lost_after}").into()]);
        }
        let log = self.layout.log(super::HUB);
        let process = Process::start(super::HUB, args, &log, self.deaths.clone())
            .map_err(|error| Error::failed(format!("the hub cannot be started: {error}")))?;
        let process = self.hub.process.insert(process);
        served(&ready, process, &log).await.map_err(|why| Error::failed(format!("the hub {why}")))
    }

    /// Whether the hub runs.
    pub(super) fn hub_runs(&self) -> bool {
        self.hub.process.as_ref().is_some_and(Process::is_running)
    }

    /// How operators reach it.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Where the hub's metrics are.
    pub(super) fn metrics(&self) -> String {
        format!("http://{}/metrics", self.hub.metrics)
    }

    /// The members.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.name().as_str()).collect()
    }

    /// The member of that name.
    pub(super) fn member(&mut self, name: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.name().as_str() == name)
    }

    /// What runs.
    pub(super) fn status(&self) -> Vec<Part> {
        let hub = Part {
            name: super::HUB.to_owned(),
            process: running(self.hub.process.as_ref()),
            agent: String::new(),
            link: String::new(),
        };
        std::iter::once(hub).chain(self.members.iter().map(Member::status)).collect()
    }

    /// Stops everything: the agents first, so that they say goodbye, then the hub, then the clusters.
    pub(super) async fn stop(mut self) {
        // It leads to nobody from now on.
        let _ = Layout::remove(&self.context.path);
        futures_util::future::join_all(self.members.iter_mut().map(Member::stop_agent)).await;
        if let Some(hub) = self.hub.process.take() {
            hub.stop().await;
        }
        futures_util::future::join_all(self.members.iter_mut().map(Member::stop_cluster)).await;
    }
}

/// The address that was asked for; the usual one; or, where that is taken, a free one.
fn free_address(asked: Option<SocketAddr>) -> Result<SocketAddr, Error> {
    match asked {
        Some(address) => free(address).map_err(|error| {
            Error::failed(format!("--listen {address}: {error}"))
                .with_hint("choose another port, or 0 for any")
        }),
        None => usual(HUB_PORT),
    }
}

/// The port for metrics. Whoever chooses the hub's port may run several federations: theirs get any free one.
fn metrics_port(asked: Option<SocketAddr>) -> u16 {
    match asked {
        Some(_) => 0,
        None => METRICS_PORT,
    }
}

/// That port of loopback, which other machines do not reach: metrics ask nobody who he is. Where it is taken, a free one.
fn usual(port: u16) -> Result<SocketAddr, Error> {
    let local = |port| free(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    local(port).or_else(|_| local(0)).map_err(Error::failed)
}

fn free(address: SocketAddr) -> io::Result<SocketAddr> {
    TcpListener::bind(address)?.local_addr()
}

/// How a process on this machine reaches a listener: one that listens everywhere is found on loopback.
fn dialled(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_only_if_it_was_asked_for() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert!(matches!(free_address(Some(address)), Err(Error::Failed { .. })));
        assert_ne!(free_address(Some("127.0.0.1:0".parse().unwrap())).unwrap().port(), 0);
        let other = usual(address.port()).unwrap();
        assert!(other.ip().is_loopback() && other.port() != address.port(), "{other}");
    }

    #[test]
    fn the_usual_port_is_used_where_it_is_free() {
        // Another process may take it in between, but hardly each time.
        let is_used = |_| {
            let port = free("127.0.0.1:0".parse().unwrap()).unwrap().port();
            usual(port).unwrap().port() == port
        };
        assert!((0..10).any(is_used));
        assert!(free_address(None).unwrap().ip().is_loopback());
    }

    #[test]
    fn whoever_chooses_the_hubs_port_gets_any_for_metrics() {
        assert_eq!(metrics_port(Some("127.0.0.1:7".parse().unwrap())), 0);
        assert_eq!(metrics_port(None), METRICS_PORT);
    }

    #[test]
    fn a_hub_that_listens_everywhere_is_dialled_on_loopback() {
        assert_eq!(dialled("0.0.0.0:7".parse().unwrap()), "127.0.0.1:7".parse().unwrap());
        assert_eq!(dialled("[::]:7".parse().unwrap()), "[::1]:7".parse().unwrap());
        assert_eq!(dialled("127.0.0.2:7".parse().unwrap()), "127.0.0.2:7".parse().unwrap());
    }
}
