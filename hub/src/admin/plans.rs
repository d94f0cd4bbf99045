//! `PlanService`.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::ClusterName;
use godwit_hub_core::WhatIf;
use godwit_proto::v1;
use godwit_proto::v1::plan_service_server::PlanService;
use tonic::{Request, Response, Status};

use super::{Admin, convert, fields, refusal, workloads};
use crate::guard::Caller;

/// As many as a federation has clusters.
const CLUSTERS_MAX: usize = 10_000;

#[tonic::async_trait]
impl PlanService for Admin {
    async fn get_plan(
        &self,
        request: Request<v1::GetPlanRequest>,
    ) -> Result<Response<v1::GetPlanResponse>, Status> {
        let v1::GetPlanRequest { namespace, kind, name } = request.get_ref();
        let id = fields::workload(namespace, kind, name)?;
        Caller::of(&request).look_at(&id.namespace)?;
        let plan = self.driver.plan(id.clone()).await.map_err(refusal::stopping)?;
        let plan = plan.ok_or_else(|| workloads::not_deployed(&id))?;
        Ok(Response::new(v1::GetPlanResponse { plan: Some(convert::plan(&plan)) }))
    }

    async fn what_if(
        &self,
        request: Request<v1::WhatIfRequest>,
    ) -> Result<Response<v1::WhatIfResponse>, Status> {
        let what = supposed(request.get_ref())?;
        let view = self.driver.what_if(what).await.map_err(refusal::stopping)?;
        Ok(Response::new(convert::what_if(&view.map_err(refusal::refused)?)))
    }
}

fn supposed(request: &v1::WhatIfRequest) -> Result<WhatIf, Status> {
    let v1::WhatIfRequest { lose, drain, add } = request;
    for (field, count) in [("lose", lose.len()), ("drain", drain.len()), ("add", add.len())] {
        if count > CLUSTERS_MAX {
            let problem = format!("{count} clusters are too many: at most {CLUSTERS_MAX}");
            return Err(fields::invalid(field, problem));
        }
    }
    let names = |field: &str, names: &[String]| {
        names.iter().map(|name| fields::name(field, name)).collect::<Result<BTreeSet<ClusterName>, Status>>()
    };
    let like = |(new, like): (&String, &String)| {
        let new: ClusterName = fields::name("add", new)?;
        let like = fields::name(&format!("add[{new}]"), like)?;
        Ok((new, like))
    };
    Ok(WhatIf {
        lose: names("lose", lose)?,
        drain: names("drain", drain)?,
        add: add.iter().map(like).collect::<Result<BTreeMap<_, _>, Status>>()?,
    })
}
