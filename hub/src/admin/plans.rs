//! `PlanService`.

use godwit_proto::v1;
use godwit_proto::v1::plan_service_server::PlanService;
use tonic::{Request, Response, Status};

use super::{Admin, convert, fields, refusal, workloads};

#[tonic::async_trait]
impl PlanService for Admin {
    async fn get_plan(
        &self,
        request: Request<v1::GetPlanRequest>,
    ) -> Result<Response<v1::GetPlanResponse>, Status> {
        let v1::GetPlanRequest { namespace, kind, name } = request.get_ref();
        let id = fields::workload(namespace, kind, name)?;
        let plan = self.driver.plan(id.clone()).await.map_err(refusal::stopping)?;
        let plan = plan.ok_or_else(|| workloads::not_deployed(&id))?;
        Ok(Response::new(v1::GetPlanResponse { plan: Some(convert::plan(&plan)) }))
    }
}
