//! Lists have the same bounds.

use serde_json::{Value, json};

use crate::{below, by_manifest, by_message, mistake};

/// So many entries of something.
type Make = fn(usize) -> Value;

#[test]
fn lists_have_the_same_bounds() {
    let limits: [(usize, &str, &str, Make); 12] = [
        (
            10_000,
            "clusters",
            "clusters",
            |count| json!({"clusters": names(count).into_iter().map(|name| (name, json!({}))).collect::<serde_json::Map<_, _>>()}),
        ),
        (
            1_000,
            "rules",
            "rules",
            |count| json!({"rules": vec![json!({"clusterSelector": {"names": ["a"]}}); count]}),
        ),
        (64, "tiers", "tiers", |count| json!({"strategy": "ordered", "tiers": groups_of_one(count)})),
        (64, "fallback", "fallback", |count| json!({"fallback": groups_of_one(count)})),
        (4, "spread", "spread", |count| {
            let constraints: Vec<Value> = names(count).into_iter().map(|by| json!({"by": by})).collect();
            json!({"strategy": "spread", "spread": constraints})
        }),
        (
            64,
            "tolerations",
            "tolerations",
            |count| json!({"tolerations": vec![json!({"operator": "Exists"}); count]}),
        ),
        (16, "affinity", "affinity", |count| json!({"affinity": vec![json!({"names": ["a"]}); count]})),
        (
            16,
            "antiAffinity",
            "anti_affinity",
            |count| json!({"antiAffinity": vec![json!({"names": ["a"]}); count]}),
        ),
        (
            10_000,
            "clusterSelector.names",
            "cluster_selector.names",
            |count| json!({"clusterSelector": {"names": names(count)}}),
        ),
        (
            1_000,
            "clusterSelector.regions",
            "cluster_selector.regions",
            |count| json!({"clusterSelector": {"regions": names(count)}}),
        ),
        (1_000, "clusterSelector.matchLabels", "cluster_selector.match_labels", |count| {
            let labels: serde_json::Map<_, _> =
                names(count).into_iter().map(|key| (key, json!(""))).collect();
            json!({"clusterSelector": {"matchLabels": labels}})
        }),
        (
            1_000,
            "affinity[0].matchExpressions[0].values",
            "affinity[0].match_expressions[0].values",
            |count| json!({"affinity": [{"matchExpressions": [{"key": "a", "operator": "In", "values": names(count)}]}]}),
        ),
    ];
    for (max, written_at, sent_at, make) in limits {
        assert!(by_manifest(&make(max)).is_ok() && by_message(&make(max)).is_ok(), "{max} {written_at}");
        let over = make(max + 1);
        let (written, sent) = (mistake(&over), by_message(&over).expect_err(sent_at));
        assert_eq!((written.field, sent.field), (below("spec", written_at), below("policy", sent_at)));
        let said = format!("{}; {}", written.problem, written.remedy);
        assert_eq!(
            (&*said, &*sent.problem),
            (&*format!("{} are too many; give at most {max}", max + 1), &*said)
        );
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("c{number}")).collect()
}

fn groups_of_one(count: usize) -> Vec<Value> {
    names(count).into_iter().map(|name| json!({"names": [name]})).collect()
}
