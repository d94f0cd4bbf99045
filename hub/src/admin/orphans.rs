//! What carries our label in members, and no workload explains (S27).

use std::ops::Bound;

use godwit_common::{ClusterName, Uid, WorkloadId};
use godwit_hub_core::OrphanView;
use godwit_proto::v1;
use tonic::Status;

use super::clusters::not_a_member;
use super::page::Page;
use super::{Admin, convert, fields, workloads};
use crate::guard::Caller;

/// Where one stands in the list.
type Key = (ClusterName, WorkloadId, Uid);

impl Admin {
    /// In order of cluster, workload and life.
    pub(super) fn orphans(
        &self,
        caller: &Caller,
        request: &v1::ListOrphansRequest,
    ) -> Result<v1::ListOrphansResponse, Status> {
        let page = Page::new("orphans", request.page_size, &request.page_token)?;
        let namespace = workloads::wanted_namespace(&request.namespace)?;
        namespace.map_or(Ok(()), |namespace| caller.look_at(namespace))?;
        let after = match &page.after {
            Some(text) => Some(from_text(text).ok_or_else(Page::bad_token)?),
            None => None,
        };
        let view = self.driver.view();
        let only = match &*request.cluster {
            "" => None,
            name => Some(fields::name::<ClusterName>("cluster", name)?),
        };
        if let Some(name) = &only {
            view.clusters.get(name).ok_or_else(|| not_a_member(name))?;
        }
        let begin = after.as_ref().map(|(cluster, ..)| cluster).max(only.as_ref());
        let begin = begin.cloned().map_or(Bound::Unbounded, Bound::Included);
        let clusters = view.clusters.range((begin, Bound::Unbounded));
        let clusters = clusters.take_while(|(name, _)| only.as_ref().is_none_or(|only| only == *name));
        let orphans = clusters.flat_map(|(name, cluster)| cluster.orphans.iter().map(move |one| (name, one)));
        let orphans = orphans.filter(|(_, one)| {
            let of = &*one.workload.namespace;
            namespace.is_none_or(|namespace| namespace == of) && caller.sees(of)
        });
        let orphans = orphans.filter(|(name, one)| {
            after
                .as_ref()
                .is_none_or(|(cluster, id, uid)| (cluster, id, uid) < (*name, &one.workload, &one.uid))
        });
        let orphans = orphans.map(|(name, one)| (to_text(name, one), convert::orphan(name, one)));
        let (items, next_page_token) = page.fill(orphans);
        Ok(v1::ListOrphansResponse { items, next_page_token })
    }
}

fn to_text(cluster: &ClusterName, orphan: &OrphanView) -> String {
    let key = (orphan.workload.clone(), orphan.uid);
    format!("{cluster}/{}", workloads::to_text(&key))
}

fn from_text(text: &str) -> Option<Key> {
    let (cluster, rest) = text.split_once('/')?;
    let (id, uid) = workloads::from_text(rest)?;
    Some((cluster.parse().ok()?, id, uid))
}
