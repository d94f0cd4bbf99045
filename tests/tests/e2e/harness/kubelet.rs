//! What a kubelet does with a pod that has a supervisor: it makes the folder of the lease, starts the command of the
//! container, starts it again when it has ended, and ends it with the pod. While it cannot reach the API server, all goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::cluster::Cluster;
use super::process::program;
use super::wait::wait_for;

/// Between two looks at a cluster's pods.
const POLL: Duration = Duration::from_millis(50);
/// How long such a look may take.
const LOOK_MAX: Duration = Duration::from_secs(1);
/// Between two counts of what runs.
const SAMPLE: Duration = Duration::from_millis(5);
/// Where the supervisor and its lease are in a container.
const IN_POD: [&str; 2] = ["/.godwit/gate/godwit-gate", "/.godwit/lease/lease"];

/// One node in each cluster. What runs there ends with it.
pub(crate) struct Kubelet {
    dir: PathBuf,
    most: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

/// A process that a supervisor has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running(u32);

impl Kubelet {
    /// Runs the pods of each cluster on the node of one of its agents.
    pub(crate) fn start<'a>(clusters: impl Iterator<Item = (&'a Cluster, usize)>, dir: &Path) -> Self {
        let dir = dir.join("kubelet");
        let mut tasks = Vec::new();
        for (cluster, agent) in clusters {
            let runs = dir.join(cluster.name());
            fs::create_dir_all(&runs).unwrap();
            let node =
                Node { pods: cluster.api(), leases: cluster.leases(agent), runs, started: BTreeMap::new() };
            tasks.push(tokio::spawn(node.run()));
        }
        let most = Arc::new(AtomicUsize::new(0));
        tasks.push(tokio::spawn(count(dir.clone(), Arc::clone(&most))));
        Self { dir, most, tasks }
    }

    /// The process of the one pod in a cluster, once it runs.
    pub(crate) async fn process_in(&self, cluster: &str) -> Running {
        let dir = self.dir.join(cluster);
        wait_for(&format!("a process in {cluster}"), async || {
            running(&dir).first().copied().ok_or_else(|| "there is none".to_owned())
        })
        .await
    }

    /// The most processes that ever ran at once, in all clusters together.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Running {
    pub(crate) fn is_alive(self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }

    fn kill(self) {
        let _ = Command::new("sh").args(["-c", "kill -KILL \"$0\" 2>&-", &self.0.to_string()]).status();
    }
}

struct Node {
    pods: Api<Pod>,
    /// The folder of the leases on this node.
    leases: PathBuf,
    /// Each process leaves its number there, under the name of its pod.
    runs: PathBuf,
    started: BTreeMap<String, Supervised>,
}

/// A supervisor; it ends with this value, and so does what it has started.
struct Supervised {
    gate: Child,
    number: PathBuf,
}

impl Node {
    async fn run(mut self) {
        loop {
            if let Ok(Ok(pods)) = timeout(LOOK_MAX, self.pods.list(&ListParams::default())).await {
                self.look(pods.items);
            }
            sleep(POLL).await;
        }
    }

    fn look(&mut self, pods: Vec<Pod>) {
        let lives = |pod: &Pod| pod.metadata.deletion_timestamp.is_none();
        let pods = pods.into_iter().filter(lives).map(|pod| (pod.metadata.name.clone().unwrap(), pod));
        let pods: BTreeMap<String, Pod> = pods.collect();
        self.started.retain(|name, _| pods.contains_key(name));
        for (name, pod) in pods {
            let ended = |supervised: &mut Supervised| supervised.gate.try_wait().unwrap().is_some();
            if self.started.get_mut(&name).is_none_or(ended) {
                let supervised = self.start(&name, &pod);
                self.started.insert(name, supervised);
            }
        }
    }

    fn start(&self, name: &str, pod: &Pod) -> Supervised {
        let spec = pod.spec.as_ref().unwrap();
        let volumes = spec.volumes.iter().flatten();
        let path = volumes.filter_map(|volume| Some(volume.host_path.as_ref()?.path.clone())).next().unwrap();
        // Every node of a real cluster has the same path.
        let folder = self.leases.join(Path::new(&path).file_name().unwrap());
        fs::create_dir_all(&folder).unwrap();
        let container = &spec.containers[0];
        let words = container.command.iter().flatten().chain(container.args.iter().flatten());
        let lease = folder.join("lease").display().to_string();
        let words: Vec<String> =
            words.map(|word| if word == IN_POD[1] { lease.clone() } else { word.clone() }).collect();
        assert_eq!(words[0], IN_POD[0], "the container is started by a supervisor");
        let number = self.runs.join(name);
        let mut gate = program("gate", &words[1..]);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.runs.join("log")).unwrap();
        let gate = gate.env("RUNS", &number).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Supervised { gate: gate.spawn().unwrap(), number }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if let Some(process) = read(&self.number).filter(|process| process.is_alive()) {
            process.kill();
        }
        let _ = self.gate.kill();
        let _ = self.gate.wait();
    }
}

async fn count(dir: PathBuf, most: Arc<AtomicUsize>) {
    loop {
        let folders = fs::read_dir(&dir).into_iter().flatten().flatten();
        let running: usize = folders.map(|folder| running(&folder.path()).len()).sum();
        most.fetch_max(running, Ordering::Relaxed);
        sleep(SAMPLE).await;
    }
}

fn running(dir: &Path) -> Vec<Running> {
    let numbers = fs::read_dir(dir).into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| read(&entry.path()));
    numbers.filter(|process| process.is_alive()).collect()
}

fn read(number: &Path) -> Option<Running> {
    fs::read_to_string(number).ok()?.trim().parse().ok().map(Running)
}
