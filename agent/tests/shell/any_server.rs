//! What the agent does with an API server, whoever made that: only what servers do by themselves, and no pods, so that a
//! server without controllers and nodes will do.

use godwit_agent_core::labels;
use godwit_common::bounds::Bounds;
use godwit_common::link::{
    Difference, Edit, ObjectTarget, Original, Targets, Tombstone, Tombstoned, Up, WorkloadTarget,
};
use godwit_common::{ObjectKey, Uid, WorkloadId};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::servers::{Place, Way, on_each_server, say};
use crate::stage::{self, Agent, Stage, fence, whole};

const IMAGE: &str = ".spec.template.spec.containers[name=\"web\"].image";

impl Place {
    pub(crate) fn id(&self, kind: &str) -> WorkloadId {
        WorkloadId::new(&self.namespace, kind, "web").unwrap()
    }

    fn workload(&self, kind: &str, revision: u64, replicas: u32) -> WorkloadTarget {
        let row = stage::deployment(1, revision, replicas);
        let mut manifest: Value = serde_json::from_str(row.manifest.as_deref().unwrap()).unwrap();
        manifest["kind"] = kind.into();
        manifest["metadata"]["namespace"] = self.namespace.as_str().into();
        if kind == "StatefulSet" {
            manifest["spec"]["serviceName"] = "web".into();
        }
        WorkloadTarget { workload: self.id(kind), manifest: Some(manifest.to_string().into()), ..row }
    }

    pub(crate) fn web(&self, revision: u64, replicas: u32) -> WorkloadTarget {
        self.workload("Deployment", revision, replicas)
    }

    fn object(&self, kind: (&str, &str), uid: u128, manifest: &Value) -> ObjectTarget {
        let key = ObjectKey::new(kind.0, kind.1, &self.namespace, "web").unwrap();
        ObjectTarget { key, manifest: Some(manifest.to_string().into()), ..stage::config_map(uid, "") }
    }

    pub(crate) fn map(&self, text: &str) -> ObjectTarget {
        self.object(("v1", "ConfigMap"), 9, &json!({"data": {"text": text}}))
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.stage.client.clone(), &self.namespace)
    }

    /// An agent that leads, and has applied these.
    pub(crate) async fn with(&self, objects: Vec<ObjectTarget>, workloads: Vec<WorkloadTarget>) -> Agent {
        let agent = self.stage.agent("agent-1");
        self.stage.hub.until_inventory().await;
        self.send(1, objects, workloads).await;
        agent
    }

    /// Sends all of it, and waits until the cluster shows it.
    pub(crate) async fn send(
        &self,
        generation: u64,
        objects: Vec<ObjectTarget>,
        workloads: Vec<WorkloadTarget>,
    ) {
        self.send_all(whole(fence(1, generation), objects, workloads)).await;
    }

    async fn send_all(&self, targets: Targets) {
        let generation = targets.fence.generation;
        self.stage.hub.send(targets).await;
        let shown = move |up: &Up| matches!(up, Up::Report(report) if report.reflects == generation);
        self.stage.hub.until_up("a report of it", shown).await;
    }

    pub(crate) async fn until_web(&self, what: &str, is: impl Fn(&Deployment) -> bool) -> Deployment {
        let look = || async { self.api::<Deployment>().get_opt("web").await.ok()?.filter(|web| is(web)) };
        self.stage.until(what, look).await
    }

    async fn patch(&self, manager: &str, patch: Value) {
        let params = PatchParams { field_manager: Some(manager.into()), ..PatchParams::default() };
        self.api::<Deployment>().patch("web", &params, &Patch::Strategic(patch)).await.unwrap();
    }
}

fn image(web: &Deployment) -> Option<&str> {
    web.spec.template.spec.as_ref()?.containers[0].image.as_deref()
}

fn with_image(image: &str) -> Value {
    json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_applied_and_a_tombstone_removes_its_own_object_alone() {
    on_each_server("apply", async |place| {
        let _agent = place.with(vec![place.map("hello")], vec![place.web(1, 3)]).await;
        let web = place.until_web("web", |web| web.spec.replicas == Some(3)).await;
        assert_eq!(web.metadata.labels.as_ref().unwrap()[labels::UID], Uid(1).to_string());
        let manager = &web.metadata.managed_fields.unwrap()[0];
        assert_eq!(
            (manager.manager.as_deref(), manager.operation.as_deref()),
            (Some("godwit"), Some("Apply"))
        );
        place.send(2, vec![place.map("hello")], vec![place.web(2, 1)]).await;
        place
            .until_web("the next one", |web| image(web) == Some("web:2") && web.spec.replicas == Some(1))
            .await;

        // What a whole state does not name is kept, whatever the hub has forgotten.
        place.send(3, vec![], vec![]).await;
        place.until_web("web to be kept", |web| web.metadata.deletion_timestamp.is_none()).await;
        let what = Tombstoned::Workload { workload: place.id("Deployment"), api_version: "apps/v1".into() };
        let tombstones = vec![Tombstone { uid: Uid(1), what }];
        let targets = Targets { tombstones, ..whole(fence(1, 4), vec![place.map("hello")], vec![]) };
        place.stage.hub.send(targets).await;
        let gone =
            || async { place.api::<Deployment>().get_opt("web").await.unwrap().is_none().then_some(()) };
        place.stage.until("web to be gone", gone).await;
        assert_eq!(place.api::<ConfigMap>().get("web").await.unwrap().data.unwrap()["text"], "hello");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_what_others_change_apply_or_take_away_is_set_right() {
    on_each_server("drift", async |place| {
        let _agent = place.with(vec![place.map("hello")], vec![place.web(1, 0)]).await;
        place.patch("kubectl-set", with_image("mine:1")).await;
        place.until_web("its image", |web| image(web) == Some("web:1")).await;
        // Another manager that applies, as GitOps tools do, and what is taken away at the same time.
        let mut theirs = with_image("mine:2");
        theirs["apiVersion"] = "apps/v1".into();
        theirs["kind"] = "Deployment".into();
        let params = PatchParams::apply("other").force();
        place.api::<Deployment>().patch("web", &params, &Patch::Apply(&theirs)).await.unwrap();
        place.patch("kubectl-edit", json!({"metadata": {"labels": {"app": null}}})).await;
        let is_right = |web: &Deployment| {
            image(web) == Some("web:1")
                && web.metadata.labels.as_ref().is_some_and(|all| all.contains_key("app"))
        };
        place.until_web("image and label", is_right).await;
        let data = Patch::Merge(json!({"data": {"text": "bye"}}));
        place.api::<ConfigMap>().patch("web", &PatchParams::default(), &data).await.unwrap();
        let look = || async {
            let map = place.api::<ConfigMap>().get("web").await.ok()?;
            (map.data?["text"] == "hello").then_some(())
        };
        place.stage.until("the text", look).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_what_is_let_be_is_told_in_the_same_words_by_every_server() {
    on_each_server("let-be", async |place| {
        let lets = |row: WorkloadTarget| WorkloadTarget { tolerates_drift: true, ..row };
        let _agent = place.with(vec![], vec![lets(place.web(1, 0))]).await;
        place.patch("kubectl-set", with_image("mine:1")).await;
        let told = |fields: String| {
            move |up: &Up| {
                let edit = Edit { uid: Uid(1), fields: fields.as_str().into() };
                matches!(up, Up::Report(report) if report.edits.contains(&edit))
            }
        };
        place.stage.hub.until_up("the image", told(format!("{IMAGE} (by kubectl-set)"))).await;
        place.patch("kubectl-edit", json!({"metadata": {"labels": {"app": null}}})).await;
        let both = format!(".metadata.labels.app (taken away), {IMAGE} (by kubectl-set)");
        place.stage.hub.until_up("both", told(both)).await;
        place.until_web("it to stay", |web| image(web) == Some("mine:1")).await;
        place.send(2, vec![], vec![lets(place.web(2, 0))]).await;
        place.stage.hub.until_up("no edits", told(String::new())).await;
        place.until_web("the next revision", |web| image(web) == Some("web:2")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_an_autoscaler_has_its_share_of_the_bounds_and_keeps_its_count() {
    on_each_server("autoscaler", async |place| {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
        let spec = json!({"scaleTargetRef": target, "minReplicas": 5, "maxReplicas": 30});
        let scaler = |max| ObjectTarget {
            bounds: Bounds { min: Some(2), max: Some(max) },
            ..place.object(("autoscaling/v2", "HorizontalPodAutoscaler"), 8, &json!({"spec": spec}))
        };
        let bounds = || async {
            let spec = place.api::<HorizontalPodAutoscaler>().get("web").await.unwrap().spec;
            (spec.min_replicas, spec.max_replicas)
        };
        let _agent = place.with(vec![scaler(12)], vec![place.web(1, 2)]).await;
        assert_eq!(bounds().await, (Some(2), 12));
        // As the controller of autoscalers does it.
        let params =
            PatchParams { field_manager: Some("kube-controller-manager".into()), ..PatchParams::default() };
        let seven = Patch::Merge(json!({"spec": {"replicas": 7}}));
        place.api::<Deployment>().patch_scale("web", &params, &seven).await.unwrap();
        let autoscaled = Some(Difference::Autoscaled);
        place.stage.hub.until_status(&place.id("Deployment"), |seen| seen.difference == autoscaled).await;
        place.send(2, vec![scaler(9)], vec![place.web(2, 2)]).await;
        assert_eq!(bounds().await, (Some(2), 9));
        let web = place.until_web("the next revision", |web| image(web) == Some("web:2")).await;
        assert_eq!(web.spec.replicas, Some(7), "another revision keeps the autoscaler's count");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_admission_refuses_is_told_and_holds_nobody_up() {
    on_each_server("refused", async |place| {
        let mut bad = place.workload("StatefulSet", 1, 1);
        bad.uid = Uid(2);
        bad.manifest = bad.manifest.map(|manifest| {
            manifest
                .replace("\"matchLabels\":{\"app\":\"web\"}", "\"matchLabels\":{\"app\":\"other\"}")
                .into()
        });
        let _agent = place.with(vec![], vec![place.web(1, 0), bad]).await;
        let refused = |status: &godwit_common::link::Status| status.problem.contains("selector");
        place.stage.hub.until_status(&place.id("StatefulSet"), refused).await;
        place.until_web("web", |web| web.spec.replicas == Some(0)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s34_what_was_imported_is_taken_over_without_its_template_being_touched() {
    on_each_server("import", async |place| {
        // As somebody has made it, with defaults that the server fills in.
        let mut theirs: Value = serde_json::from_str(place.web(1, 3).manifest.as_deref().unwrap()).unwrap();
        (theirs["spec"]["replicas"], theirs["spec"]["minReadySeconds"]) = (3.into(), 7.into());
        let namespaces: Api<Namespace> = Api::all(place.stage.client.clone());
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(place.namespace.clone());
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        let by = PostParams { field_manager: Some("kubectl-create".into()), ..PostParams::default() };
        let theirs: Deployment = serde_json::from_value(theirs).unwrap();
        let before = place.api::<Deployment>().create(&by, &theirs).await.unwrap();
        let uid: Uid = before.metadata.uid.as_deref().unwrap().parse().unwrap();

        let mut manifest = serde_json::to_value(&before).unwrap();
        (manifest["status"], manifest["spec"]["replicas"]) = (Value::Null, Value::Null);
        manifest["spec"].as_object_mut().unwrap().remove("replicas");
        let row = |content| WorkloadTarget {
            manifest: Some(manifest.to_string().into()),
            adopts: Some(Original { uid, content }),
            ..place.web(1, 3)
        };
        // It says something else than what was imported.
        let _agent = place.with(vec![], vec![row(1)]).await;
        let changed =
            |status: &godwit_common::link::Status| status.problem.contains("changed since it was imported");
        place.stage.hub.until_status(&place.id("Deployment"), changed).await;
        let left = place.api::<Deployment>().get("web").await.unwrap();
        assert_eq!((left.spec, left.metadata.labels), (before.spec.clone(), before.metadata.labels.clone()));

        place.send(2, vec![], vec![row(0)]).await;
        let managed = |web: &Deployment| {
            web.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(labels::MANAGED))
        };
        let after = place.until_web("it to be taken over", managed).await;
        assert_eq!(after.metadata.uid, before.metadata.uid);
        // Its generation counts annotations, too.
        assert_eq!(after.spec, before.spec, "so that no other ReplicaSet comes of it");
        let managers = after.metadata.managed_fields.unwrap_or_default();
        let managers: Vec<&str> = managers.iter().filter_map(|entry| entry.manager.as_deref()).collect();
        assert_eq!(managers, ["godwit"], "what kubectl has written is nobody else's any more");

        // So what the next revision drops is gone.
        let next = place.web(2, 3);
        assert!(!next.manifest.as_deref().unwrap().contains("minReadySeconds"));
        place.send(3, vec![], vec![next]).await;
        place.until_web("it without the field", |web| web.spec.min_ready_seconds.is_none()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s32_the_ordinals_of_a_stateful_set_begin_where_the_hub_says() {
    on_each_server("ordinals", async |place| {
        let row = WorkloadTarget { ordinals: 10_000, ..place.workload("StatefulSet", 1, 2) };
        let _agent = place.with(vec![], vec![row]).await;
        let set = place.api::<StatefulSet>().get("web").await.unwrap().spec;
        assert_eq!((set.replicas, set.ordinals.and_then(|ordinals| ordinals.start)), (Some(2), Some(10_000)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s24_another_agent_takes_over_when_the_leader_is_gone() {
    on_each_server("lease", async |place| {
        let first = place.with(vec![], vec![place.web(1, 0)]).await;
        let _second = place.stage.agent("agent-2");
        let hello = |up: &Up| matches!(up, Up::Hello(hello) if &*hello.instance == "agent-2");
        place.stage.hub.until_up("the second one", hello).await;
        first.kill();
        place.stage.hub.clear();
        assert_eq!(place.stage.hub.until_inventory().await.0, "agent-2");
        place.send(2, vec![], vec![place.web(2, 0)]).await;
        place.until_web("its work", |web| image(web) == Some("web:2")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_was_away_is_watched_again() {
    on_each_server("restart", async |place| {
        let kubeconfig = match &place.kubeconfig {
            Some(kubeconfig) => kubeconfig.clone(),
            None => std::fs::read_to_string(place.stage.kubeconfig()).unwrap(),
        };
        let way = Way::to(&kubeconfig).await;
        let own = format!("{}-own", place.namespace);
        let over = Place { stage: Stage::beside(&way.kubeconfig, &own).await, ..place };
        // What the test itself does goes straight.
        let direct = Stage::beside(&kubeconfig, &own).await;
        let straight: Api<Deployment> = Api::namespaced(direct.client.clone(), &over.namespace);
        let _agent = over.with(vec![], vec![over.web(1, 0)]).await;
        way.set_open(false);
        // It is heard that the server is away, and what is done meanwhile is seen when it is back.
        let away = |up: &Up| matches!(up, Up::ApiServer { unreachable: Some(_) });
        over.stage.hub.until_up("the server to be away", away).await;
        let by = PatchParams { field_manager: Some("kubectl-set".into()), ..PatchParams::default() };
        straight.patch("web", &by, &Patch::Strategic(with_image("mine:1"))).await.unwrap();
        way.set_open(true);
        over.stage.hub.until_inventory().await;
        over.until_web("its image", |web| image(web) == Some("web:1")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_too_narrow_are_told_and_hold_nobody_up() {
    on_each_server("rights", async |mut place| {
        let Some(kubeconfig) = place.kubeconfig.take() else {
            say("rights: kubesim lets everybody do everything; tried on real API servers alone");
            return;
        };
        let narrow = narrow_rights(&place, &kubeconfig).await;
        let own = format!("{}-own", place.namespace);
        let place = Place { stage: Stage::beside(&narrow, &own).await, ..place };
        let _agent = place.stage.agent("agent-1");
        place.stage.hub.until_inventory().await;
        place.stage.hub.send(whole(fence(1, 1), vec![place.map("x")], vec![place.web(1, 0)])).await;
        let forbidden = |seen: &godwit_common::link::Status| seen.problem.contains("forbidden");
        let status = place.stage.hub.until_status(&place.id("Deployment"), forbidden).await;
        assert!(status.problem.contains("ConfigMap") && status.exists, "{status:?}");
        place.forget_rights(&kubeconfig).await;
    })
    .await;
}

impl Place {
    /// Nothing of the whole cluster's is left behind.
    async fn forget_rights(&self, kubeconfig: &str) {
        use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
        let all = Stage::beside(kubeconfig, &self.namespace).await.client;
        let params = kube::api::DeleteParams::default();
        Api::<ClusterRoleBinding>::all(all.clone()).delete(&self.namespace, &params).await.unwrap();
        Api::<ClusterRole>::all(all).delete(&self.namespace, &params).await.unwrap();
    }
}

/// A user who may do everything but write ConfigMaps of the applications; a kubeconfig for it.
async fn narrow_rights(place: &Place, kubeconfig: &str) -> String {
    use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
    let client = &place.stage.client;
    let own = format!("{}-own", place.namespace);
    let user = place.namespace.clone();
    let applied = PatchParams::apply("godwit-tests").force();
    let kinds = |rules: Value, kind: &str| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": user}, "rules": rules});
    let binding = |kind: &str, role: &str| {
        let api = "rbac.authorization.k8s.io";
        json!({"apiVersion": format!("{api}/v1"), "kind": kind, "metadata": {"name": user},
            "subjects": [{"kind": "User", "name": user, "apiGroup": api}],
            "roleRef": {"kind": role, "name": user, "apiGroup": api}})
    };
    for name in [&own, &place.namespace] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        Api::<Namespace>::all(client.clone()).patch(name, &applied, &Patch::Apply(&namespace)).await.unwrap();
    }
    let reads = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"]}]);
    let all = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
    let roles = Api::<ClusterRole>::all(client.clone());
    roles.patch(&user, &applied, &Patch::Apply(&kinds(reads, "ClusterRole"))).await.unwrap();
    let bindings = Api::<ClusterRoleBinding>::all(client.clone());
    let bound = binding("ClusterRoleBinding", "ClusterRole");
    bindings.patch(&user, &applied, &Patch::Apply(&bound)).await.unwrap();
    let roles = Api::<Role>::namespaced(client.clone(), &own);
    roles.patch(&user, &applied, &Patch::Apply(&kinds(all, "Role"))).await.unwrap();
    let bindings = Api::<RoleBinding>::namespaced(client.clone(), &own);
    bindings.patch(&user, &applied, &Patch::Apply(&binding("RoleBinding", "Role"))).await.unwrap();
    let mut config = kube::config::Kubeconfig::from_yaml(kubeconfig).unwrap();
    config.auth_infos[0].auth_info.as_mut().unwrap().impersonate = Some(user);
    serde_json::to_string(&config).unwrap()
}
