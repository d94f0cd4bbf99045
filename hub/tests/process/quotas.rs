//! Quotas of namespaces: applied, shown, watched, kept, and ended.

use godwit_proto::v1;
use godwit_proto::v1::quota_service_client::QuotaServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use tonic::Code;

use crate::agent::Agent;
use crate::deploying::wait_for_clusters;
use crate::federation::{Federation, PATIENCE, WEB, deploy};
use crate::marks::shares;

#[tokio::test]
async fn what_would_exceed_a_quota_waits_until_it_may() {
    let mut federation = Federation::start(&["east"]);
    let _east = Agent::attach(&federation, "east").await.keep_running();
    wait_for_clusters(&federation, 1).await;
    let connection = federation.operator().await;
    let mut client = QuotaServiceClient::new(connection.clone());
    let mut watch = client
        .watch_quotas(v1::WatchQuotasRequest { namespace: "default".to_owned() })
        .await
        .unwrap()
        .into_inner();
    let applied = client.apply_quota(replicas("default", 4)).await.unwrap().into_inner();
    assert_eq!((applied.action.as_str(), applied.changes.len()), ("created", 0));
    let again = client.apply_quota(replicas("default", 4)).await.unwrap().into_inner();
    assert_eq!((again.action.as_str(), &again.quota), ("unchanged", &applied.quota));

    let deployed = WorkloadServiceClient::new(connection).deploy(deploy(WEB)).await.unwrap().into_inner();
    assert_eq!(deployed.workloads[0].pending, 6, "{deployed:?}");
    let used = get(&mut client).await.unwrap().used.unwrap();
    assert_eq!((used.replicas, used.cpu_millis, used.memory_bytes), (Some(4), Some(400), Some(0)));

    federation.kill_hub();
    assert!(watch.message().await.unwrap().is_some(), "it was heard of before the end");
    federation.start_hub();
    let mut client = QuotaServiceClient::new(federation.operator().await);
    let kept = get(&mut client).await.unwrap();
    assert_eq!((kept.spec.unwrap().replicas, kept.used.unwrap().replicas), (Some(4), Some(4)));

    let _east = Agent::attach(&federation, "east").await.keep_running();
    wait_for_clusters(&federation, 1).await;
    let mut watch = client.watch_quotas(v1::WatchQuotasRequest::default()).await.unwrap().into_inner();
    let rehearsal = v1::ApplyQuotaRequest { dry_run: true, ..replicas("default", 7) };
    let foreseen = client.apply_quota(rehearsal).await.unwrap().into_inner();
    assert_eq!(get(&mut client).await.unwrap().spec.unwrap().replicas, Some(4), "nothing has changed");
    let wider = client.apply_quota(replicas("default", 7)).await.unwrap().into_inner();
    assert_eq!(wider.action, "configured");
    assert_eq!(shares(&wider.changes), [("web", "east", 4, 7)]);
    assert_eq!((foreseen.action, foreseen.changes), (wider.action, wider.changes));
    assert_eq!((foreseen.changes_total, wider.changes_total), (1, 1));
    let delete = v1::DeleteQuotaRequest { namespace: "default".to_owned() };
    client.delete_quota(delete.clone()).await.unwrap();
    federation.workload_when("web", |workload| workload.pending == 0).await;
    let gone = async {
        loop {
            let change = watch.message().await.expect("the watch goes on").expect("the watch goes on");
            if change.removed {
                return change.quota.expect("whose");
            }
        }
    };
    let gone = tokio::time::timeout(PATIENCE, gone).await.unwrap();
    assert_eq!((gone.namespace.as_str(), gone.spec), ("default", None));
    assert_eq!(client.delete_quota(delete).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(get(&mut client).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn quotas_are_listed_in_pages_and_mistakes_are_named() {
    let federation = Federation::start_with(&[], &[("FEDERATION__QUOTAS", "3")]);
    let mut client = QuotaServiceClient::new(federation.operator().await);
    for namespace in ["c", "a-1", "a"] {
        client.apply_quota(replicas(namespace, 1)).await.unwrap();
    }
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = client.list_quotas(v1::ListQuotasRequest { page_size: 2, page_token }).await.unwrap();
        let page = page.into_inner();
        found.extend(page.items.into_iter().map(|quota| quota.namespace));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, ["a", "a-1", "c"]);
    let full = client.apply_quota(replicas("d", 1)).await.unwrap_err();
    assert_eq!(full.code(), Code::ResourceExhausted, "{full}");

    let quota = |quota| v1::ApplyQuotaRequest { quota: Some(quota), dry_run: false };
    let named = |namespace: &str| v1::Quota { namespace: namespace.to_owned(), ..v1::Quota::default() };
    for (request, says) in [
        (v1::ApplyQuotaRequest { quota: None, dry_run: false }, "quota: it is missing"),
        (quota(named("")), "quota.namespace: it is empty"),
        (quota(named("A")), "quota.namespace: namespace \"A\" is not valid"),
        (quota(named("a")), "quota.spec: it bounds nothing"),
    ] {
        let status = client.apply_quota(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(says), "{says:?} does not begin {status}");
    }
}

fn replicas(namespace: &str, replicas: u64) -> v1::ApplyQuotaRequest {
    let spec = Some(v1::QuotaSpec { replicas: Some(replicas), ..v1::QuotaSpec::default() });
    let quota = v1::Quota { namespace: namespace.to_owned(), spec, used: None };
    v1::ApplyQuotaRequest { quota: Some(quota), dry_run: false }
}

async fn get(
    client: &mut QuotaServiceClient<godwit_rt::dial::Connection>,
) -> Result<v1::Quota, tonic::Status> {
    let request = v1::GetQuotaRequest { namespace: "default".to_owned() };
    Ok(client.get_quota(request).await?.into_inner().quota.expect("a quota"))
}
