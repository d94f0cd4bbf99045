//! `godwit logs`.

use std::io::{self, Write};

use clap::Args;
use futures_util::stream::{self, StreamExt};
use godwit_proto::v1;

use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::resources::pod;
use crate::target::{self, WorkloadName};

/// Logs that are followed at the same time.
const FOLLOWED_MAX: usize = 16;
/// A line that does not end is printed in pieces of this size.
const LINE_MAX: usize = 64 * 1024;

/// Print what the pods of a workload write, wherever they run.
#[derive(Debug, Args)]
#[command(after_help = "\
With several pods, each line begins with its cluster and pod. It comes through the hub from the agents,
at up to 512 KiB a second, and is cut when it is not read as fast as it comes.

Examples:
  godwit logs shop/web --tail 20
  godwit logs shop/web --cluster alpha -f
  godwit logs shop/web --cluster alpha --pod web-7d9f-x2x9p -c proxy")]
pub(crate) struct Logs {
    /// The workload: NAME, NAMESPACE/NAME, KIND/NAME or NAMESPACE/KIND/NAME
    workload: String,
    /// Only pods of this cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Only this pod
    #[arg(long, value_name = "NAME")]
    pod: Option<String>,
    /// The container, of pods that have several
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Only so many of the last lines of each pod
    #[arg(long, value_name = "LINES")]
    tail: Option<u32>,
    /// Go on with what is written from now on
    #[arg(short, long)]
    follow: bool,
    /// The workload's namespace, if it is not `default`
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
}

impl Logs {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let name = WorkloadName::parse(&self.workload, None, self.namespace.as_deref())?;
        let client = Client::connect(places).await?;
        let workload = name.find(&client).await?;
        let found = pod::list(&client, &workload, false).await?;
        found.silent.iter().for_each(pod::tell_silent);
        let mut pods = found.items;
        pods.retain(|pod| {
            let is =
                |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
            is(&self.cluster, &pod.cluster) && is(&self.pod, &pod.name)
        });
        if pods.is_empty() {
            let named = target::full_name(&workload.namespace, &workload.kind, &workload.name);
            let hint = format!("`godwit get pods {named}` lists its pods");
            return Err(Error::failed(format!("{named} has no such pod")).with_hint(hint));
        }
        if self.follow && pods.len() > FOLLOWED_MAX {
            let message =
                format!("{} pods are too many to follow at once: say --cluster or --pod", pods.len());
            return Err(Error::Usage(message));
        }
        let labelled = pods.len() > 1;
        let logs = pods.iter().map(|pod| self.print(&client, &workload, pod, labelled));
        // Followed together; otherwise one after the other, so that their lines stay together.
        let at_once = if self.follow { FOLLOWED_MAX } else { 1 };
        let results: Vec<Result<(), Error>> = stream::iter(logs).buffer_unordered(at_once).collect().await;
        finish(results)
    }

    async fn print(
        &self,
        client: &Client,
        workload: &v1::Workload,
        pod: &v1::Pod,
        labelled: bool,
    ) -> Result<(), Error> {
        let request = v1::StreamLogRequest {
            namespace: workload.namespace.clone(),
            kind: workload.kind.clone(),
            name: workload.name.clone(),
            cluster: pod.cluster.clone(),
            pod: pod.name.clone(),
            container: self.container.clone().unwrap_or_default(),
            tail_lines: self.tail,
            follow: self.follow,
        };
        let about = |error: Error| error.about(format!("{}/{}", pod.cluster, pod.name));
        let mut log = answer(client.pods().stream_log(request)).await.map_err(about)?;
        let label = if labelled { format!("{}/{} ", pod.cluster, pod.name) } else { String::new() };
        let mut lines = Lines { label, rest: Vec::new() };
        let ended = loop {
            match log.message().await {
                Ok(Some(part)) => lines.print(&part.chunk)?,
                Ok(None) => break Ok(()),
                Err(status) => break Err(about(Error::refused(status))),
            }
        };
        lines.flush()?;
        ended
    }
}

/// Whole lines, so that those of several pods do not mix.
struct Lines {
    label: String,
    rest: Vec<u8>,
}

impl Lines {
    fn print(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.rest.extend_from_slice(chunk);
        let out = &mut io::stdout().lock();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            out.write_all(self.label.as_bytes())?;
            out.write_all(&line)?;
        }
        if self.rest.len() > LINE_MAX {
            self.end(out)?;
        }
        out.flush()
    }

    /// What is left without an end.
    fn flush(&mut self) -> io::Result<()> {
        let out = &mut io::stdout().lock();
        self.end(out)?;
        out.flush()
    }

    fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        out.write_all(self.label.as_bytes())?;
        out.write_all(&self.rest)?;
        self.rest.clear();
        out.write_all(b"\n")
    }
}

/// All logs were tried; what failed is told one by one.
fn finish(results: Vec<Result<(), Error>>) -> Result<(), Error> {
    let mut failed: Vec<Error> = results.into_iter().filter_map(Result::err).collect();
    match failed.pop() {
        None => Ok(()),
        Some(only) if failed.is_empty() => Err(only),
        Some(last) => {
            failed.iter().chain([&last]).for_each(Error::report);
            Err(Error::Reported)
        }
    }
}
