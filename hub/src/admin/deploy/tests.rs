//! What a request becomes, and what is said of a mistaken one.

use super::*;

const WEB: &str = "
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 3, selector: {matchLabels: {a: b}},
 template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}}
";

#[tokio::test]
async fn the_requests_total_wins_and_its_namespace_is_for_those_without() {
    let mut deploy = request(WEB);
    deploy.replicas = Some(100);
    deploy.namespace = "shop".to_owned();
    let deploy = read(deploy).await.unwrap();
    let [workload] = &deploy.application.workloads[..] else {
        panic!("one workload, not {:?}", deploy.application);
    };
    assert_eq!((workload.id.to_string().as_str(), workload.replicas), ("Deployment shop/web", 100));
    assert!(!workload.claims && matches!(deploy.policy, PolicyChoice::Annotated));
}

#[tokio::test]
async fn labels_needs_and_the_pods_shape_are_the_manifests() {
    let manifests =
        WEB.replace("metadata: {name: web}", "metadata: {name: web, labels: {tier: front}}").replace(
            "spec: {containers:",
            "spec: {priorityClassName: high, nodeSelector: {disk: ssd}, containers:",
        );
    let deploy = read(request(&manifests)).await.unwrap();
    let workload = &deploy.application.workloads[0];
    assert_eq!(workload.labels, [("tier".into(), "front".into())].into());
    assert_eq!(workload.pod.node_selector, [("disk".into(), "ssd".into())].into());
    let needs: Vec<String> = workload.needs.iter().map(ToString::to_string).collect();
    assert!(needs.contains(&"PriorityClass high".to_owned()), "{needs:?}");
}

#[tokio::test]
async fn large_texts_are_read_just_the_same() {
    let padding = format!("# {}\n", "x".repeat(INLINE_BYTES_MAX));
    let deploy = read(request(&format!("{padding}{WEB}"))).await.unwrap();
    assert_eq!(deploy.application.workloads.len(), 1);
}

#[tokio::test]
async fn an_inline_policy_without_a_name_takes_the_workloads() {
    let mut deploy = request(WEB);
    deploy.policy = Some(PolicyWire::InlinePolicy(v1::Policy::default()));
    let policy = match read(deploy).await.unwrap().policy {
        PolicyChoice::Inline(policy) => policy.name.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(policy, "web");
}

#[tokio::test]
async fn the_fingerprint_covers_the_content_alone() {
    let mark = |change: fn(&mut v1::DeployRequest)| {
        let mut changed = request(WEB);
        change(&mut changed);
        fingerprint(&changed)
    };
    let plain = mark(|_| {});
    assert_eq!(plain, mark(|request| request.request_id = "other".to_owned()));
    assert_eq!(plain, mark(|request| request.dry_run = true));
    let others = [
        mark(|request| request.manifests.push('\n')),
        mark(|request| request.replicas = Some(0)),
        mark(|request| request.namespace = "shop".to_owned()),
        mark(|request| request.policy = Some(PolicyWire::PolicyName("p".to_owned()))),
        mark(|request| request.policy = Some(PolicyWire::InlinePolicy(v1::Policy::default()))),
    ];
    assert!(others.iter().all(|other| *other != plain), "{plain} {others:?}");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let two = format!("{WEB}---{}", WEB.replace("web", "api"));
    let with = |change: fn(&mut v1::DeployRequest)| {
        let mut request = request(WEB);
        change(&mut request);
        request
    };
    let mut total_of_two = request(&two);
    total_of_two.replicas = Some(1);
    let mut policy_of_two = request(&two);
    policy_of_two.policy = Some(PolicyWire::InlinePolicy(v1::Policy::default()));
    for (request, says) in [
        (with(|r| r.request_id = "x".repeat(129)), "request_id: it has 129 characters: at most 128"),
        (with(|r| r.request_id = "a\nb".to_owned()), "request_id: it holds control characters"),
        (with(|r| r.replicas = Some(-1)), "replicas: -1 is out of range: it must be from 0 to 1000000"),
        (with(|r| r.replicas = Some(i64::MAX)), "replicas: 9223372036854775807 is out of range"),
        (with(|r| r.namespace = "Shop".to_owned()), "namespace: namespace \"Shop\" is not valid"),
        (with(|r| r.manifests.clear()), "manifests: "),
        (with(|r| r.manifests = "{".to_owned()), "manifests: "),
        (with(|r| r.policy = Some(PolicyWire::PolicyName(String::new()))), "policy_name: it is empty"),
        (
            with(|r| r.policy = Some(PolicyWire::PolicyName("P".to_owned()))),
            "policy_name: policy name \"P\" is not valid",
        ),
        (total_of_two, "replicas: the manifests hold 2 workloads"),
        (policy_of_two, "inline_policy.name: it is empty, and there are 2 workloads"),
    ] {
        let status = read(request).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert!(status.message().starts_with(says), "{says:?} does not begin {:?}", status.message());
    }
}

async fn read(request: v1::DeployRequest) -> Result<Deploy, Status> {
    super::read(request, Duration::from_secs(10)).await
}

fn request(manifests: &str) -> v1::DeployRequest {
    v1::DeployRequest { manifests: manifests.to_owned(), ..v1::DeployRequest::default() }
}

#[test]
fn what_members_have_kept_is_read_with_what_it_brought_along() {
    let json = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},
        "spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{
        "containers":[{"name":"c","image":"i","envFrom":[{"configMapRef":{"name":"own"}},{"secretRef":{"name":"other"}}]}]}}}}"#;
    let own = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"own","namespace":"shop"}}"#;
    let key = ObjectKey::new("apps/v1", "Deployment", "shop", "web").unwrap();
    let needs = |objects: &[Arc<str>]| {
        let spec = read_kept(&key, &json.into(), objects).unwrap();
        spec.needs.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(needs(&[]), ["ConfigMap shop/own", "Secret shop/other"]);
    assert_eq!(needs(&[own.into()]), ["Secret shop/other"]);
}
