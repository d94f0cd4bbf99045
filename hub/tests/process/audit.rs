//! The audit log: who did what, from where, before and after, and who was refused.

use std::path::Path;

use godwit_proto::v1;
use godwit_proto::v1::access_service_client::AccessServiceClient;
use godwit_proto::v1::cluster_service_client::ClusterServiceClient;
use godwit_proto::v1::policy_service_client::PolicyServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use serde_json::{Value, json};
use tonic::Code;

use crate::agent::Agent;
use crate::deploying::wait_for_clusters;
use crate::federation::{Federation, WEB, deploy};
use crate::roles::{bind, certificate, operator};

const STRICT: &[(&str, &str)] = &[("ACCESS__UNBOUND", "none"), ("ACCESS__ADMINS", "dev")];
const PASSWORD: &str = "open-sesame-1001";

fn lines(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("audit.jsonl")).expect("an audit log");
    assert!(!text.contains(PASSWORD), "what is in a Secret is not in it: {text}");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// What the last line says of a call, and of whom.
fn last(folder: &Path, who: &str, call: &str) -> Value {
    let lines = lines(folder);
    let last = lines.last().expect("a line").clone();
    let found = (last["who"].as_str(), last["call"].as_str());
    assert_eq!(found, (Some(who), Some(&*format!("godwit.v1.{call}"))), "{lines:#?}");
    last
}

#[tokio::test]
async fn what_is_done_is_written_down_before_it_is_answered_and_survives() {
    let mut federation = Federation::start_with(&["east"], STRICT);
    let data = federation.data();
    drop(Agent::attach(&federation, "east").await.keep_running());
    wait_for_clusters(&federation, 1).await;
    bind(&federation, "bob", "deployer", &["default"]).await;
    let bound = last(&data, "dev", "AccessService/BindRole");
    assert_eq!(bound["before"], json!({"role/bob": null}));
    assert_eq!(bound["after"]["role/bob"]["namespaces"], json!(["default"]));
    assert_eq!((&bound["outcome"], &bound["role"]), (&json!("OK"), &json!("admin")));

    let bob = operator(&federation, "bob").await;
    let mut workloads = WorkloadServiceClient::new(bob.clone());
    let secret = format!(
        "{WEB}---\n{{apiVersion: v1, kind: Secret, metadata: {{name: s}}, stringData: {{p: {PASSWORD}}}}}"
    );
    workloads.deploy(deploy(&secret)).await.expect("its own");
    let deployed = last(&data, "bob", "WorkloadService/Deploy");
    assert_eq!(deployed["role"], "deployer");
    assert!(deployed["from"].as_str().is_some_and(|from| from.starts_with("127.0.0.1:")), "{deployed}");
    assert!(deployed["serial"].as_str().is_some_and(|serial| !serial.is_empty()), "{deployed}");
    assert_eq!(deployed["before"], json!({"Deployment default/web": null}));
    assert_eq!(deployed["after"]["Deployment default/web"]["replicas"], 10);
    assert!(deployed["what"]["objects"].to_string().contains("Secret"), "{deployed}");

    let scale = v1::ScaleWorkloadRequest { name: "web".to_owned(), replicas: 12, ..Default::default() };
    workloads.scale_workload(scale.clone()).await.expect("its own");
    let scaled = last(&data, "bob", "WorkloadService/ScaleWorkload");
    let replicas = |when: &str| scaled[when]["Deployment default/web"]["replicas"].clone();
    assert_eq!((replicas("before"), replicas("after")), (json!(10), json!(12)));

    // What changes nothing is not in it.
    let count = lines(&data).len();
    workloads.scale_workload(v1::ScaleWorkloadRequest { dry_run: true, ..scale }).await.expect("a rehearsal");
    workloads.list_workloads(v1::ListWorkloadsRequest::default()).await.expect("a look");
    assert_eq!(lines(&data).len(), count);

    // A hub that is killed has written what it has answered.
    federation.kill_hub();
    assert_eq!(lines(&data).len(), count);
    federation.start_hub();
    let mut clusters = ClusterServiceClient::new(federation.operator().await);
    clusters
        .cordon_cluster(v1::CordonClusterRequest { name: "east".to_owned(), dry_run: false })
        .await
        .expect("an admin may");
    let cordoned = last(&data, "dev", "ClusterService/CordonCluster");
    let flag = |when: &str| cordoned[when]["cluster/east"]["cordoned"].clone();
    assert_eq!((flag("before"), flag("after")), (json!(false), json!(true)));
    assert_eq!(lines(&data).len(), count + 1);
}

#[tokio::test]
async fn what_is_refused_is_written_down_whoever_it_is() {
    let federation = Federation::start_with(&["east"], STRICT);
    let data = federation.data();
    bind(&federation, "vera", "viewer", &["shop"]).await;
    let vera = operator(&federation, "vera").await;
    // By the role, by what it reaches, by the machine, and by what is wrong with it.
    let policy = Some(v1::Policy { name: "p".to_owned(), ..Default::default() });
    let apply = v1::ApplyPolicyRequest { policy, dry_run: false };
    PolicyServiceClient::new(vera.clone()).apply_policy(apply.clone()).await.unwrap_err();
    let refused = last(&data, "vera", "PolicyService/ApplyPolicy");
    assert_eq!(refused["outcome"], "PermissionDenied");
    assert!(refused["message"].as_str().unwrap().contains("vera is viewer in shop"), "{refused}");
    let get =
        v1::GetWorkloadRequest { namespace: "prod".to_owned(), name: "web".to_owned(), ..Default::default() };
    WorkloadServiceClient::new(vera).get_workload(get).await.unwrap_err();
    assert_eq!(last(&data, "vera", "WorkloadService/GetWorkload")["outcome"], "PermissionDenied");

    let mut admin = AccessServiceClient::new(federation.operator().await);
    let unbind = v1::UnbindRoleRequest { name: "nobody".to_owned() };
    assert_eq!(admin.unbind_role(unbind).await.unwrap_err().code(), Code::NotFound);
    let refused = last(&data, "dev", "AccessService/UnbindRole");
    assert_eq!((&refused["outcome"], &refused["what"]), (&json!("NotFound"), &json!({"name": "nobody"})));
    let wrong = v1::DeployRequest { manifests: "{".to_owned(), ..Default::default() };
    WorkloadServiceClient::new(federation.operator().await).deploy(wrong).await.unwrap_err();
    assert_eq!(last(&data, "dev", "WorkloadService/Deploy")["outcome"], "InvalidArgument");

    // An agent that would command.
    let agent = federation.connect(&federation.agent_files("east")).await;
    PolicyServiceClient::new(agent).apply_policy(apply).await.unwrap_err();
    let refused = last(&data, "spiffe://godwit/cluster/east/agent", "PolicyService/ApplyPolicy");
    assert_eq!(refused["outcome"], "PermissionDenied");
    assert!(refused.get("role").is_none(), "{refused}");
}

/// Without a place to write it down nothing is changed; what is only looked at goes on.
#[tokio::test]
async fn a_hub_that_cannot_write_it_down_changes_nothing() {
    let mut federation = Federation::stopped(&["east"]);
    federation.start_hub_logged(&[]);
    let (data, files) = (federation.data(), certificate(&federation, "ann"));
    let mut policies = PolicyServiceClient::new(federation.connect(&files).await);
    let apply = |name: &str| v1::ApplyPolicyRequest {
        policy: Some(v1::Policy { name: name.to_owned(), ..Default::default() }),
        dry_run: false,
    };
    policies.apply_policy(apply("first")).await.expect("a good policy");
    let path = data.join("audit.jsonl");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    // It was carried out before anybody could know; it is written down later.
    policies.apply_policy(apply("second")).await.expect("a good policy");
    let refused = policies.apply_policy(apply("third")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.message().contains("the audit log cannot be written"), "{refused}");
    policies.list_policies(v1::ListPoliciesRequest::default()).await.expect("a look");
    assert!(federation.log().contains("the audit log cannot be written"), "{}", federation.log());

    std::fs::remove_dir(&path).unwrap();
    policies.apply_policy(apply("fourth")).await.expect("a good policy");
    let names: Vec<Value> = lines(&data).iter().map(|line| line["what"]["policy"].clone()).collect();
    assert_eq!(names, [json!("second"), json!("fourth")]);
    let known = policies.list_policies(v1::ListPoliciesRequest::default()).await.unwrap().into_inner().items;
    assert!(known.iter().all(|policy| policy.name != "third"), "it was not begun");
}
