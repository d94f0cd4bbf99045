//! `PlacementService`.

use godwit_common::selector::LabelSelector;
use godwit_hub_core::{Answer, Command, WorkloadView};
use godwit_proto::policy::labels_from_wire;
use godwit_proto::v1;
use godwit_proto::v1::placement_service_server::PlacementService;
use tonic::{Request, Response, Status};

use super::watch::{Change, Watched};
use super::{Admin, convert, fields, refusal};
use crate::guard::Caller;

#[tonic::async_trait]
impl PlacementService for Admin {
    type WatchPlacementsStream = Watched<v1::WatchPlacementsResponse>;

    async fn watch_placements(
        &self,
        request: Request<v1::WatchPlacementsRequest>,
    ) -> Result<Response<Self::WatchPlacementsStream>, Status> {
        let caller = Caller::of(&request);
        let wanted = Wanted::read(request.into_inner(), caller.clone())?;
        self.watch(caller, |view| &view.workloads, move |change| wanted.message(&change))
    }

    async fn acknowledge_placements(
        &self,
        request: Request<v1::AcknowledgePlacementsRequest>,
    ) -> Result<Response<v1::AcknowledgePlacementsResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::AcknowledgePlacementsRequest { namespace, kind, name, cluster, revision } =
            request.into_inner();
        let workload = fields::workload(&namespace, &kind, &name)?;
        let cluster = fields::name("cluster", &cluster)?;
        let withdrawal = match revision.as_str() {
            "" => None,
            text => Some(fields::withdrawal(text)?),
        };
        tracing::info!(%operator, %workload, %cluster, revision, "traffic is routed away");
        let command = Command::Acknowledge { workload, cluster, withdrawal };
        match self.carry_out(operator, command).await? {
            Answer::Acknowledged { action, withdrawal } => {
                Ok(Response::new(v1::AcknowledgePlacementsResponse {
                    action: convert::action(action).to_owned(),
                    revision: withdrawal.to_string(),
                }))
            }
            other => Err(refusal::mismatched(&other)),
        }
    }
}

/// Which workloads a watcher asks for; an empty text stands for all.
struct Wanted {
    namespace: String,
    kind: String,
    name: String,
    labels: LabelSelector,
    /// Who asks, and sees no others.
    caller: Caller,
}

impl Wanted {
    /// A filter that could never match is a mistake.
    fn read(request: v1::WatchPlacementsRequest, caller: Caller) -> Result<Self, Status> {
        let v1::WatchPlacementsRequest { namespace, kind, name, match_labels, match_expressions } = request;
        if !namespace.is_empty() {
            caller.look_at(fields::namespace(&namespace)?)?;
        }
        fields::kind(&kind)?;
        if !name.is_empty() {
            caller.look_at(&fields::workload(&namespace, &kind, &name)?.namespace)?;
        }
        let labels = labels_from_wire(&match_labels, &match_expressions)
            .map_err(|error| fields::invalid(&error.field, error.problem))?;
        Ok(Self { namespace, kind, name, labels, caller })
    }

    /// What a watcher hears of a change. Most changes of workloads are none of where traffic may go.
    fn message(&self, change: &Change<'_, WorkloadView>) -> Option<v1::WatchPlacementsResponse> {
        let (known, now) = match change {
            Change::Initial(now) | Change::New(now) => (None, self.shown(now)),
            Change::Changed { was, now } => (self.shown(was), self.shown(now)),
            Change::Gone(was) => (self.shown(was), None),
            Change::Complete => {
                return Some(v1::WatchPlacementsResponse { workload: None, removed: false, complete: true });
            }
        };
        if known == now {
            return None;
        }
        let (removed, complete) = (now.is_none(), false);
        let (view, _) = change.thing()?;
        let workload = now.unwrap_or_else(|| convert::removed_placements(view));
        Some(v1::WatchPlacementsResponse { workload: Some(workload), removed, complete })
    }

    /// What a watcher is told of a workload; nothing if it asks for others, or if the workload's end is decided.
    fn shown(&self, view: &WorkloadView) -> Option<v1::WorkloadPlacements> {
        let is = |wanted: &str, value: &str| wanted.is_empty() || wanted == value;
        let label = |key: &str| view.labels.get(key).map(|value| &**value);
        let id = &view.id;
        let is_wanted = is(&self.namespace, &id.namespace)
            && is(&self.kind, &id.kind)
            && is(&self.name, &id.name)
            && self.labels.matches(label)
            && self.caller.sees(&id.namespace);
        (is_wanted && !view.deleting).then(|| convert::placements(view))
    }
}
