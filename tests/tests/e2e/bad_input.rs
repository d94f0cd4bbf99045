//! What operators get wrong: each mistake is told with its field, its value and the remedy; nothing of it is applied, and
//! the hub lives on.

use godwit_proto::v1;
use godwit_proto::v1::deploy_request::Policy as PolicyChoice;
use tonic::Code;

use crate::harness::{Deployment, Federation, policy};

struct Mistake {
    what: &'static str,
    request: v1::DeployRequest,
    code: Code,
    /// The field, or the words, that the answer must hold.
    named: &'static [&'static str],
}

#[tokio::test]
async fn every_mistake_is_named_and_the_hub_lives_on() {
    let federation = Federation::of(&["alpha"]).await;
    let mistakes: Vec<Mistake> = texts().into_iter().chain(numbers()).chain(choices()).collect();
    let mut problems = Vec::new();
    let mut good = 0_u32;
    for Mistake { what, request, code, named } in mistakes {
        match federation.admin.deploy(request).await {
            Ok(answer) => problems.push(format!("{what}: it was taken: {answer:?}")),
            Err(refused) if refused.code() != code => problems.push(format!("{what}: {refused:?}")),
            Err(refused) => {
                let missing = named.iter().filter(|word| !refused.message().contains(**word));
                problems
                    .extend(missing.map(|word| format!("{what}: no {word:?} in {:?}", refused.message())));
            }
        }
        // The hub is there, and nothing of the refused request is.
        good += 1;
        federation.deploy(&Deployment::new("good", good)).await;
        let workloads = federation.admin.workloads().await.unwrap();
        let names: Vec<&str> = workloads.iter().map(|workload| workload.name.as_str()).collect();
        assert_eq!(names, ["good"], "{what}");
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    federation.settles("good", &[("alpha", good)]).await;
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused() {
    let federation = Federation::of(&["alpha"]).await;
    for megabytes in [9, 20] {
        let huge = text(&format!("# {}\n", "x".repeat(megabytes << 20)));
        let refused = federation.admin.deploy(huge).await.unwrap_err();
        // The server stops reading in the middle: the client sees the answer, or that its stream was reset.
        let codes =
            [Code::OutOfRange, Code::ResourceExhausted, Code::Unknown, Code::Internal, Code::Unavailable];
        assert!(codes.contains(&refused.code()), "{refused:?}");
        federation.deploy(&Deployment::new("web", 3)).await;
    }
}

#[tokio::test]
async fn mistaken_policies_are_named() {
    let federation = Federation::of(&["alpha"]).await;
    let with = |change: fn(&mut v1::PolicySpec)| {
        let mut policy = policy("p", &[("alpha", 1)]);
        change(policy.spec.as_mut().unwrap());
        policy
    };
    let bounds = v1::ClusterRule { min: Some(5), max: Some(2), ..v1::ClusterRule::default() };
    let cases: [(&str, v1::Policy, &[&str]); 8] = [
        ("a name in capitals", policy("Not A Name", &[]), &["name", "Not A Name"]),
        ("no name", policy("", &[]), &["name"]),
        ("an unknown strategy", with(|spec| spec.strategy = "random".to_owned()), &["strategy", "random"]),
        ("an unknown rebalance", with(|spec| spec.rebalance = "often".to_owned()), &["rebalance", "often"]),
        ("an unknown mode", with(|spec| spec.mode = "perhaps".to_owned()), &["mode", "perhaps"]),
        (
            "a negative duration",
            with(|spec| spec.lost_after = Some(prost_types::Duration { seconds: -5, nanos: 0 })),
            &["lost_after", "-5"],
        ),
        (
            "an absurd duration",
            with(|spec| spec.lost_after = Some(prost_types::Duration { seconds: i64::MAX, nanos: i32::MAX })),
            &["lost_after"],
        ),
        (
            "a minimum above the maximum",
            v1::Policy {
                spec: Some(v1::PolicySpec {
                    clusters: [("alpha".to_owned(), bounds)].into(),
                    ..v1::PolicySpec::default()
                }),
                ..policy("p", &[])
            },
            &["min", "max", "alpha"],
        ),
    ];
    for (what, policy, named) in cases {
        let refused = federation.admin.apply_policy(policy).await.expect_err(what);
        assert_eq!(refused.code(), Code::InvalidArgument, "{what}: {refused:?}");
        for word in named {
            assert!(refused.message().contains(word), "{what}: {word:?} is not in {:?}", refused.message());
        }
    }
    federation.deploy(&Deployment::new("web", 3)).await;
}

/// Manifests that are none.
fn texts() -> Vec<Mistake> {
    let web = Deployment::new("web", 3).yaml();
    let with = |from: &str, to: &str| {
        assert!(web.contains(from), "{from:?} is not in the manifest");
        text(&web.replacen(from, to, 1))
    };
    let invalid = |what, request, named| Mistake { what, request, code: Code::InvalidArgument, named };
    vec![
        invalid("an empty text", text(""), &["manifests"]),
        invalid("only comments", text("# nothing\n---\n# here\n"), &["manifests"]),
        invalid("YAML that does not end", text("{apiVersion: apps/v1, kind: ["), &["manifests", "line 1"]),
        invalid("tabs for indentation", with("  name: web", "\tname: web"), &["line 4"]),
        invalid("a scalar", text("web"), &["manifests"]),
        invalid("binary bytes", text("\u{0}\u{1}\u{2}"), &["manifests"]),
        invalid("an alias bomb", text(&bomb()), &["manifests"]),
        invalid("endless nesting", text(&"[".repeat(100_000)), &["manifests"]),
        invalid(
            "no workload",
            text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: b}\n"),
            &["workload"],
        ),
        invalid("the same workload twice", text(&format!("{web}---\n{web}")), &["default/web", "document 2"]),
        invalid("no name", with("  name: web\n", ""), &["name"]),
        invalid("a name that Kubernetes refuses", with("name: web", "name: Web_1"), &["name", "Web_1"]),
        invalid("an unknown field", with("replicas: 3", "replicsa: 3"), &["replicsa", "replicas"]),
        invalid("a kind that is not handled", with("kind: Deployment", "kind: CronJob"), &["CronJob"]),
        invalid("another API version", with("apps/v1", "apps/v1beta1"), &["apps/v1 only"]),
    ]
}

/// Numbers that make no sense.
fn numbers() -> Vec<Mistake> {
    let web = Deployment::new("web", 3).yaml();
    let with = |from: &str, to: &str| text(&web.replacen(from, to, 1));
    let total = |replicas| v1::DeployRequest { replicas: Some(replicas), ..text(&web) };
    let invalid = |what, request, named| Mistake { what, request, code: Code::InvalidArgument, named };
    vec![
        invalid("negative replicas", with("replicas: 3", "replicas: -3"), &["replicas", "-3"]),
        invalid(
            "absurd replicas",
            with("replicas: 3", "replicas: 99999999999"),
            &["replicas", "99999999999"],
        ),
        invalid("broken replicas", with("replicas: 3", "replicas: 2.5"), &["replicas", "2.5"]),
        invalid("replicas as a word", with("replicas: 3", "replicas: many"), &["replicas", "many"]),
        invalid("a negative total", total(-1), &["replicas", "-1"]),
        invalid("an absurd total", total(i64::MAX), &["replicas", "9223372036854775807"]),
        invalid("a negative request", with("cpu: 50m", "cpu: -1"), &["cpu", "-1"]),
        invalid(
            "a request in an unknown unit",
            with("memory: 16Mi", "memory: 16Quux"),
            &["memory", "16Quux"],
        ),
    ]
}

/// Choices that do not exist or contradict each other.
fn choices() -> Vec<Mistake> {
    let web = Deployment::new("web", 3);
    let two = format!("{}---\n{}", web.yaml(), Deployment::new("api", 2).yaml());
    let named = |name: &str| v1::DeployRequest {
        policy: Some(PolicyChoice::PolicyName(name.to_owned())),
        ..web.request()
    };
    vec![
        Mistake {
            what: "a policy that does not exist",
            request: named("absent"),
            code: Code::NotFound,
            named: &["absent", "default"],
        },
        Mistake {
            what: "an annotated policy that does not exist",
            request: web.clone().policy("absent").request(),
            code: Code::NotFound,
            named: &["absent"],
        },
        Mistake {
            what: "a policy's name that is none",
            request: named("Not A Name"),
            code: Code::InvalidArgument,
            named: &["policy_name", "Not A Name"],
        },
        Mistake {
            what: "one total for two workloads",
            request: v1::DeployRequest { replicas: Some(5), ..text(&two) },
            code: Code::InvalidArgument,
            named: &["replicas", "2 workloads"],
        },
        Mistake {
            what: "a namespace that is none",
            request: v1::DeployRequest { namespace: "Not A Namespace".to_owned(), ..web.request() },
            code: Code::InvalidArgument,
            named: &["namespace", "Not A Namespace"],
        },
        Mistake {
            what: "a long mark",
            request: v1::DeployRequest { request_id: "x".repeat(1000), ..web.request() },
            code: Code::InvalidArgument,
            named: &["request_id", "1000"],
        },
    ]
}

fn text(manifests: &str) -> v1::DeployRequest {
    v1::DeployRequest { manifests: manifests.to_owned(), ..v1::DeployRequest::default() }
}

/// Nine levels of nine aliases each: half a billion nodes, if anybody expands them.
fn bomb() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let row = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{row}]\n"));
    }
    text
}
