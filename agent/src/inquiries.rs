//! What the hub asks of the cluster on behalf of operators: pods, what they write, and what may be imported. Each inquiry is a task of its own that
//! reads from the API server; the machine hears nothing of it, and it ends with its session.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::WorkloadId;
use godwit_proto::v1;
use godwit_proto::v1::inquiry::About;
use godwit_proto::v1::inquiry_answer::Part;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;

use crate::cluster::{Cluster, LogWanted, Untold};

/// Inquiries at once, of one session; the hub asks no more either.
const TASKS_MAX: usize = 16;
/// Parts of answers that wait for the stream: what is read ahead of them.
pub(crate) const PARTS_MAX: usize = 4;
/// Pods of one part.
const PODS_PER_PART: usize = 20;
/// The longest problem that is told.
const PROBLEM_MAX: usize = 1024;

/// The inquiries of one session. Dropping it ends them.
pub(crate) struct Inquiries {
    cluster: Cluster,
    answers: mpsc::Sender<v1::InquiryAnswer>,
    tasks: BTreeMap<u64, AbortHandle>,
    slots: Arc<Semaphore>,
}

impl Inquiries {
    /// Answers go to `answers`.
    pub(crate) fn new(cluster: Cluster, answers: mpsc::Sender<v1::InquiryAnswer>) -> Self {
        Self { cluster, answers, tasks: BTreeMap::new(), slots: Arc::new(Semaphore::new(TASKS_MAX)) }
    }

    /// Begins to answer, or ends it.
    pub(crate) fn take(&mut self, inquiry: v1::Inquiry) {
        self.tasks.retain(|_, task| !task.is_finished());
        let v1::Inquiry { number, about } = inquiry;
        if let Some(About::End(v1::InquiryEnd {})) = about {
            if let Some(task) = self.tasks.remove(&number) {
                task.abort();
            }
            return;
        }
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            // Without room even for this word, whoever asked stops waiting by himself.
            let problem = "this agent answers as many inquiries as it may: try again in a moment".to_owned();
            let answered = v1::InquiryAnswered { problem, not_found: false };
            let answer = v1::InquiryAnswer { number, part: Some(Part::Answered(answered)) };
            let _ = self.answers.try_send(answer);
            return;
        };
        let teller = Teller { number, answers: self.answers.clone() };
        let cluster = self.cluster.clone();
        let task = tokio::spawn(async move {
            let result = match about {
                Some(About::Pods(wanted)) => pods(&cluster, wanted, &teller).await,
                Some(About::Log(wanted)) => log(&cluster, wanted, &teller).await,
                Some(About::Objects(wanted)) => objects(&cluster, &wanted, &teller).await,
                Some(About::Adoption(wanted)) => adoption(&cluster, wanted, &teller).await,
                Some(About::End(v1::InquiryEnd {})) | None => Err(Untold::Failed(
                    "this agent does not know what is asked: it is older than the hub".into(),
                )),
            };
            teller.end(result).await;
            drop(slot);
        });
        self.tasks.insert(number, task.abort_handle());
    }
}

impl Drop for Inquiries {
    fn drop(&mut self) {
        self.tasks.values().for_each(AbortHandle::abort);
    }
}

/// Tells the parts of one answer, as fast as the stream takes them.
struct Teller {
    number: u64,
    answers: mpsc::Sender<v1::InquiryAnswer>,
}

impl Teller {
    /// `None` when nobody listens any more.
    async fn tell(&self, part: Part) -> Option<()> {
        let answer = v1::InquiryAnswer { number: self.number, part: Some(part) };
        self.answers.send(answer).await.ok()
    }

    async fn end(&self, result: Result<(), Untold>) {
        let (problem, not_found) = match result {
            Ok(()) => (String::new(), false),
            Err(Untold::NoSuch(problem)) => (problem, true),
            Err(Untold::Failed(problem)) => (problem, false),
        };
        let end = (0..=PROBLEM_MAX.min(problem.len())).rev().find(|end| problem.is_char_boundary(*end));
        let problem = problem[..end.unwrap_or(0)].to_owned();
        self.tell(Part::Answered(v1::InquiryAnswered { problem, not_found })).await;
    }
}

async fn pods(cluster: &Cluster, wanted: v1::PodsInquiry, teller: &Teller) -> Result<(), Untold> {
    let v1::PodsInquiry { namespace, kind, name, events } = wanted;
    let pods = cluster.pods_of(&workload(&namespace, &kind, &name)?, events).await?;
    for items in pods.chunks(PODS_PER_PART) {
        let part = Part::Pods(v1::InquiryPods { items: items.to_vec() });
        if teller.tell(part).await.is_none() {
            break;
        }
    }
    Ok(())
}

async fn log(cluster: &Cluster, wanted: v1::LogInquiry, teller: &Teller) -> Result<(), Untold> {
    let v1::LogInquiry { namespace, kind, name, pod, container, tail_lines, follow } = wanted;
    let workload = workload(&namespace, &kind, &name)?;
    let wanted = LogWanted { pod, container, tail_lines, follow };
    let mut log = cluster.log_of(&workload, wanted).await?;
    while let Some(chunk) = log.next().await? {
        if teller.tell(Part::Log(chunk)).await.is_none() {
            break;
        }
    }
    Ok(())
}

async fn objects(cluster: &Cluster, wanted: &v1::ObjectsInquiry, teller: &Teller) -> Result<(), Untold> {
    for object in cluster.objects_to_import(wanted).await? {
        if teller.tell(Part::Object(object)).await.is_none() {
            break;
        }
    }
    Ok(())
}

async fn adoption(cluster: &Cluster, wanted: v1::AdoptionInquiry, teller: &Teller) -> Result<(), Untold> {
    let adoption = cluster.try_adoption(wanted).await?;
    teller.tell(Part::Adoption(adoption)).await;
    Ok(())
}

fn workload(namespace: &str, kind: &str, name: &str) -> Result<WorkloadId, Untold> {
    WorkloadId::new(namespace, kind, name).map_err(|error| Untold::NoSuch(error.to_string()))
}
