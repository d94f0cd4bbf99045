//! A total is divided over the clusters by weight, and runs (S14, S19, S30).

use godwit_proto::v1;

use crate::harness::{Deployment, Federation, policy, ready, targets, wait_for, wanted};

#[tokio::test]
async fn a_hundred_replicas_run_by_weight() {
    let federation = Federation::of(&["alpha", "bravo", "charlie"]).await;
    let weighted = policy("weighted", &[("alpha", 1), ("bravo", 2), ("charlie", 2)]);
    federation.admin.apply_policy(weighted).await.unwrap();
    let web = Deployment::new("web", 100).policy("weighted");

    let rehearsal = v1::DeployRequest { dry_run: true, ..web.request() };
    let rehearsed = federation.admin.deploy(rehearsal).await.unwrap();
    assert!(rehearsed.dry_run);
    assert_eq!(federation.admin.workloads().await.unwrap(), []);

    let deployed = federation.deploy(&web).await;
    assert_eq!(rehearsed.workloads, std::slice::from_ref(&deployed), "a dry run says what the real one does");
    let shares: Vec<(&str, u32)> =
        deployed.placements.iter().map(|share| (share.cluster.as_str(), share.replicas)).collect();
    let expected = [("alpha", 20), ("bravo", 40), ("charlie", 40)];
    assert_eq!(shares, expected);
    assert_eq!((deployed.action.as_str(), deployed.pending), ("created", 0));

    let workload = federation.settles("web", &expected).await;
    assert_eq!((workload.ready, workload.pending, workload.possible_over_run), (100, 0, 0));
    for (cluster, count) in expected {
        let count = i32::try_from(count).unwrap();
        // A Deployment's status follows its pods, which the hub counts.
        wait_for(&format!("{cluster} itself to agree"), async || {
            let deployment = federation.cluster(cluster).deployment("web").await.ok_or("there is none")?;
            let counts = (wanted(&deployment), ready(&deployment));
            if counts == (count, count) { Ok(()) } else { Err(format!("{counts:?}")) }
        })
        .await;
    }

    // S19: growing by one takes nothing away from any cluster.
    let mut before = workload;
    for total in 101..=105 {
        federation.admin.scale("web", total).await.unwrap();
        let after = federation.admin.workload("web").await.unwrap();
        for (old, new) in targets(&before).iter().zip(targets(&after)) {
            assert!(new.0 == old.0 && new.1 >= old.1, "{total}: {old:?} became {new:?}");
        }
        before = after;
    }
    federation.settles("web", &[("alpha", 21), ("bravo", 42), ("charlie", 42)]).await;
}
