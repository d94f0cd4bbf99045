//! What a workload is in each cluster, rendered as its agent renders it.

use godwit_common::ClusterName;
use godwit_hub_core::{ClusterParts, Part};
use godwit_manifest::told::{self, Told};
use godwit_proto::v1;
use tonic::Status;

use super::{Admin, fields, refusal, workloads};
use crate::guard::Caller;

/// How many clusters one answer has, unless it is said, and at most.
const CLUSTERS: u32 = 20;
const CLUSTERS_MAX: u32 = 100;
/// An answer ends with the cluster that takes it beyond this; then there are others to ask for.
const BYTES_MAX: usize = 4 * 1024 * 1024;

impl Admin {
    pub(super) async fn rendered(
        &self,
        caller: &Caller,
        request: &v1::GetRenderedWorkloadRequest,
    ) -> Result<v1::GetRenderedWorkloadResponse, Status> {
        let v1::GetRenderedWorkloadRequest { namespace, kind, name, clusters, page_size, page_token } =
            request;
        let id = fields::workload(namespace, kind, name)?;
        caller.look_at(&id.namespace)?;
        if clusters.len() > CLUSTERS_MAX as usize {
            let problem = format!("{} clusters are too many: at most {CLUSTERS_MAX}", clusters.len());
            return Err(fields::invalid("clusters", problem));
        }
        let only = clusters.iter().map(|name| fields::name("clusters", name));
        let only = only.collect::<Result<Vec<ClusterName>, Status>>()?;
        let after = Some(page_token).filter(|token| !token.is_empty());
        let after = after.map(|token| fields::name("page_token", token)).transpose()?;
        let most = match *page_size {
            0 => CLUSTERS,
            some => some.min(CLUSTERS_MAX),
        };
        let parts = self.driver.parts(id.clone(), only, after, most as usize).await;
        let parts = parts.map_err(refusal::stopping)?.ok_or_else(|| workloads::not_deployed(&id))?;
        if let Some(absent) = parts.absent {
            let message =
                format!("{id} is not in cluster {absent}: its policy does not choose it, or it is no member");
            return Err(Status::not_found(message));
        }
        let (more, caller) = (parts.more, caller.clone());
        let rendered = tokio::task::spawn_blocking(move || page(&parts.clusters, more, &caller)).await;
        rendered.map_err(|_| Status::internal("rendering panicked; this is a fault of godwit-hub"))
    }
}

/// What a workload leans on may be in other namespaces than the workload: of that a caller sees as much as of anything else.
fn page(clusters: &[ClusterParts], more: bool, caller: &Caller) -> v1::GetRenderedWorkloadResponse {
    let mut items = Vec::new();
    let mut bytes = 0;
    for ClusterParts { cluster, revision, parts } in clusters {
        let seen = parts.iter().filter(|part| caller.sees(&part.key.namespace));
        let objects: Vec<v1::RenderedObject> = seen.map(object).collect();
        bytes += objects.iter().map(|object| object.manifest.len() + object.overrides.len()).sum::<usize>();
        let left_out = u32::try_from(parts.len() - objects.len()).unwrap_or(u32::MAX);
        items.push(v1::RenderedCluster {
            cluster: cluster.to_string(),
            revision: *revision,
            objects,
            left_out,
        });
        if bytes > BYTES_MAX {
            break;
        }
    }
    let last = items.last().map(|last| last.cluster.clone()).unwrap_or_default();
    let more = more || items.len() < clusters.len();
    v1::GetRenderedWorkloadResponse { items, next_page_token: if more { last } else { String::new() } }
}

fn object(part: &Part) -> v1::RenderedObject {
    let Part { key, manifest, overrides, replicas, ordinals, bounds } = part;
    let told = Told { replicas: *replicas, ordinals: *ordinals, bounds: *bounds };
    let (manifest, problem) = match told::shown(key, manifest, overrides, told) {
        Ok(object) => (godwit_manifest::canonical_json(object), String::new()),
        Err(problem) => (String::new(), problem),
    };
    v1::RenderedObject {
        api_version: key.api_version.to_string(),
        kind: key.kind.to_string(),
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
        manifest,
        overrides: overrides.to_string(),
        problem,
    }
}
