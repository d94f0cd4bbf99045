//! Any message that the protocol allows, of a moderate size.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::bounds::Bounds;
use godwit_common::link::{
    Alarm, Capacity, Charter, Difference, Down, Edit, Hello, LeaderTerm, Leadership, ObjectTarget, Original,
    Recalled, RecalledObject, Refusal, RefusalCode, Region, Report, Status, Summons, Targets, Tombstone,
    Tombstoned, Unmanaged, Up, VersionRange, Welcome, WorkloadTarget,
};
use godwit_common::{
    Digest, Epoch, Fence, Generation, Need, NeedStatus, NodeClass, ObjectKey, Resources, Taint, TaintEffect,
    Term, Uid, WorkloadId,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

pub(super) fn up() -> impl Strategy<Value = Up> {
    prop_oneof![
        hello().prop_map(Up::Hello),
        Just(Up::Heartbeat),
        any::<u64>().prop_map(|number| Up::Renewal { number }),
        leadership().prop_map(Up::Leadership),
        report().prop_map(Up::Report),
        (fence(), digest()).prop_map(|(fence, digest)| Up::Accepted { fence, digest }),
        Just(Up::SyncWanted),
        alarm().prop_map(Up::Alarm),
        option::of(text("\\PC{1,80}")).prop_map(|unreachable| Up::ApiServer { unreachable }),
        recalled().prop_map(Up::Recalled),
        Just(Up::Goodbye),
    ]
}

pub(super) fn down() -> impl Strategy<Value = Down> {
    prop_oneof![
        welcome().prop_map(Down::Welcome),
        duration(0).prop_map(|retry_after| Down::Standby { retry_after }),
        targets().prop_map(|targets| Down::Targets(Arc::new(targets))),
        vec(text("[a-z]{1,9}(\\.[a-z]{1,9})?:[1-9][0-9]{0,3}|\\[::[0-9a-f]{1,4}\\]:7443"), 1..4)
            .prop_map(|addresses| Down::Redirect { addresses }),
        vec((uid(), any::<u64>()), 0..5).prop_map(|known| Down::Recall(known.into())),
        refusal().prop_map(Down::Refusal),
        (any::<u64>(), duration(1)).prop_map(|(number, lease)| Down::Grant { number, lease }),
        (any::<u64>(), any::<u64>(), vec(text("[a-z0-9-]{1,40}"), 1..4)).prop_map(
            |(epoch, number, agents)| { Down::Summons(Summons { epoch: Epoch(epoch), number, agents }) }
        ),
        duration(0).prop_map(|retry_after| Down::Goodbye { retry_after }),
    ]
}

fn hello() -> impl Strategy<Value = Hello> {
    let versions =
        (1..9u32, 0..9u32).prop_map(|(oldest, more)| VersionRange { oldest, newest: oldest + more });
    let place = (text("[ -~]{0,63}"), text("[ -~]{0,63}"), text("[ -~]{0,63}"));
    let federation = option::of(uid());
    let texts = (text("[ -~]{0,64}"), text("[a-z0-9-]{1,253}"));
    (versions, texts, place, uid(), federation, any::<u64>(), any::<[bool; 2]>()).prop_map(
        |(
            versions,
            (build, instance),
            (zone, provider, region),
            cluster_uid,
            federation,
            epoch,
            [supervises, knows_overrides],
        )| Hello {
            versions,
            build,
            instance,
            zone,
            cluster_uid,
            federation,
            highest_epoch: Epoch(epoch),
            region: Region { provider, region },
            supervises,
            knows_overrides,
        },
    )
}

fn leadership() -> impl Strategy<Value = Leadership> {
    let leading = (uid(), any::<u64>(), fence(), any::<u64>(), digest()).prop_map(
        |(lease, transitions, fence, base, digest)| Leadership::Leading {
            term: LeaderTerm { lease, transitions: Term(transitions) },
            fence,
            base: Generation(base),
            digest,
        },
    );
    prop_oneof![Just(Leadership::Following), leading]
}

fn report() -> impl Strategy<Value = Report> {
    let edit = (uid(), text("\\PC{0,80}")).prop_map(|(uid, fields)| Edit { uid, fields });
    let rows = (vec(status(), 0..8), vec(uid(), 0..8), vec(need_status(), 0..8), vec(edit, 0..8));
    (any::<bool>(), any::<u64>(), rows, option::of(capacity())).prop_map(
        |(complete, reflects, (statuses, removed, needs, edits), capacity)| Report {
            complete,
            reflects: Generation(reflects),
            statuses,
            removed,
            capacity,
            needs,
            edits,
        },
    )
}

const DIFFERENCES: [Option<Difference>; 4] =
    [None, Some(Difference::Scaled), Some(Difference::Autoscaled), Some(Difference::Deleted)];

fn status() -> impl Strategy<Value = Status> {
    let counts = [count(), count(), count(), count(), count(), count(), count(), count()];
    let (updated, problem) = ([count(), count()], text("\\PC{0,80}"));
    let (flags, age) = ([any::<bool>(), any::<bool>()], any::<u32>());
    (workload(), uid(), any::<u64>(), counts, updated, problem, flags, age).prop_map(
        |(workload, uid, revision, counts, [updated, updated_ready], problem, [stalled, exists], age)| {
            let [replicas, pods, bound, ready, unschedulable, failing, stranded, terminating] = counts;
            Status {
                workload,
                uid,
                revision,
                replicas,
                pods,
                bound,
                ready,
                unschedulable,
                failing,
                stranded,
                updated,
                updated_ready,
                stalled,
                finished: stalled.then_some(godwit_common::link::Finished::Failed),
                terminating,
                ready_for: std::time::Duration::from_millis(age.into()),
                supervised: pods / 2,
                difference: DIFFERENCES[age as usize % DIFFERENCES.len()],
                problem,
                exists,
            }
        },
    )
}

fn capacity() -> impl Strategy<Value = Capacity> {
    let zones = btree_set(text("[ -~]{1,63}"), 0..4);
    let mixed_labels = btree_set(text("[a-z./]{1,20}"), 0..4);
    let counts = [count(), count(), count()];
    (vec(class(), 0..4), resources(), counts, zones, mixed_labels, unmanaged()).prop_map(
        |(classes, allocatable, [running_pods, nodes, nodes_ready], zones, mixed_labels, unmanaged)| {
            Capacity {
                classes,
                allocatable,
                running_pods,
                nodes,
                nodes_ready,
                zones,
                mixed_labels,
                unmanaged,
            }
        },
    )
}

fn unmanaged() -> impl Strategy<Value = Unmanaged> {
    let some = (1..1_000_u32, count(), vec((workload(), count()), 0..4));
    let some = some.prop_map(|(pods, owners, first)| Unmanaged { pods, owners, first });
    prop_oneof![Just(Unmanaged::default()), some]
}

fn class() -> impl Strategy<Value = NodeClass> {
    let labels = btree_map(text("[a-z./]{1,20}"), text("[a-zA-Z0-9.]{0,20}"), 0..4);
    (labels, vec(taint(), 0..4), count(), resources()).prop_map(|(labels, taints, nodes, free)| NodeClass {
        labels,
        taints,
        nodes,
        free,
    })
}

fn taint() -> impl Strategy<Value = Taint> {
    let effects = [TaintEffect::NoSchedule, TaintEffect::PreferNoSchedule, TaintEffect::NoExecute];
    let effect = prop::sample::select(effects.to_vec());
    (text("[a-z./]{1,20}"), text("[a-z]{0,9}"), effect).prop_map(|(key, value, effect)| Taint {
        key,
        value,
        effect,
    })
}

fn resources() -> impl Strategy<Value = Resources> {
    let extended = btree_map(text("[a-z./]{1,20}"), 1..=u64::MAX, 0..4);
    (any::<[u64; 4]>(), extended).prop_map(
        |([cpu_millis, memory_bytes, ephemeral_bytes, pods], extended): (_, BTreeMap<_, _>)| Resources {
            cpu_millis,
            memory_bytes,
            ephemeral_bytes,
            pods,
            extended: extended.into_iter().collect(),
        },
    )
}

fn alarm() -> impl Strategy<Value = Alarm> {
    prop_oneof![
        (fence(), fence()).prop_map(|(held, sent)| Alarm::Stale { held, sent }),
        fence().prop_map(|fence| Alarm::Contradiction { fence }),
        (uid(), uid()).prop_map(|(held, sent)| Alarm::Foreign { held, sent }),
    ]
}

fn welcome() -> impl Strategy<Value = Welcome> {
    (any::<u32>(), uid(), any::<u64>(), duration(1)).prop_map(|(version, federation, epoch, heartbeat)| {
        Welcome { version, federation, epoch: Epoch(epoch), heartbeat }
    })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let codes = [
        RefusalCode::Version,
        RefusalCode::Federation,
        RefusalCode::ClusterUid,
        RefusalCode::Deleted,
        RefusalCode::Protocol,
        RefusalCode::Busy,
    ];
    let code = prop::sample::select(codes.to_vec());
    (code, text("\\PC{0,80}"), duration(0)).prop_map(|(code, message, retry_after)| Refusal {
        code,
        message,
        retry_after,
    })
}

fn targets() -> impl Strategy<Value = Targets> {
    let rows = (vec(object(), 0..5), vec(workload_target(), 0..5), vec(tombstone(), 0..5));
    (fence(), any::<u64>(), digest(), rows).prop_map(
        |(fence, base, digest, (objects, workloads, tombstones))| Targets {
            fence,
            base: Generation(base),
            digest,
            objects,
            workloads,
            tombstones,
        },
    )
}

fn object() -> impl Strategy<Value = ObjectTarget> {
    let bounds =
        (option::of(any::<u32>()), option::of(any::<u32>())).prop_map(|(min, max)| Bounds { min, max });
    (uid(), key(), any::<u64>(), manifest(), any::<bool>(), bounds, (option::of(original()), overrides()))
        .prop_map(|(uid, key, revision, manifest, tolerates_drift, bounds, (adopts, overrides))| {
            ObjectTarget { uid, key, revision, manifest, tolerates_drift, bounds, adopts, overrides }
        })
}

fn workload_target() -> impl Strategy<Value = WorkloadTarget> {
    let needs = btree_set(need(), 0..4);
    let counts = (count(), any::<u32>());
    let extras = (needs, any::<[bool; 4]>(), option::of(charter()), option::of(original()), overrides());
    (uid(), workload(), api_version(), any::<u64>(), counts, manifest(), extras).prop_map(
        |(uid, workload, api_version, revision, (replicas, ordinals), manifest, extras)| {
            let (needs, flags, charter, adopts, overrides) = extras;
            let [supervised, tolerates_drift, shown, scale_only] = flags;
            WorkloadTarget {
                uid,
                workload,
                api_version,
                revision,
                replicas,
                ordinals,
                overrides,
                needs: if manifest.is_some() { needs.into_iter().collect() } else { Vec::new() },
                manifest,
                supervised,
                scale_only,
                charter: charter.map(Arc::new),
                tolerates_drift,
                shown,
                adopts,
            }
        },
    )
}

fn original() -> impl Strategy<Value = Original> {
    (uid(), any::<u64>()).prop_map(|(uid, content)| Original { uid, content })
}

fn overrides() -> impl Strategy<Value = Arc<str>> {
    option::of("[a-z]{1,20}").prop_map(|text| text.unwrap_or_default().into())
}

fn charter() -> impl Strategy<Value = Charter> {
    let (policy, objects) = ("[a-z]{1,20}", vec((uid(), key()), 0..3));
    (count(), policy, any::<u64>(), option::of(workload()), objects, any::<(u64, u64, bool)>()).prop_map(
        |(replicas, policy, number, leader, objects, (epoch, entry, supervised))| Charter {
            replicas,
            policy: policy.parse().expect("a valid name"),
            number,
            leader,
            objects,
            supervised,
            written: (Epoch(epoch), entry),
        },
    )
}

fn recalled() -> impl Strategy<Value = Recalled> {
    let object = (key(), uid(), any::<(u64, u32)>(), manifest(), option::of(charter())).prop_map(
        |(key, uid, (revision, ordinals), manifest, charter)| {
            let charter = charter.map(Arc::new);
            Recalled::Object(RecalledObject { key, uid, revision, ordinals, manifest, charter })
        },
    );
    prop_oneof![1 => Just(Recalled::End), 4 => object]
}

fn need() -> impl Strategy<Value = Need> {
    let kind = (api_version(), text("[A-Z][A-Za-z]{0,20}"));
    let kind = (kind, any::<bool>()).prop_map(|((api_version, kind), scalable)| match scalable {
        true => Need::Scalable { api_version, kind },
        false => Need::Kind { api_version, kind },
    });
    prop_oneof![kind, key().prop_map(Need::Object), key().prop_map(Need::Given)]
}

fn need_status() -> impl Strategy<Value = NeedStatus> {
    (need(), any::<bool>()).prop_map(|(need, met)| NeedStatus { need, met })
}

fn tombstone() -> impl Strategy<Value = Tombstone> {
    let workload =
        (workload(), api_version(), any::<bool>()).prop_map(|(workload, api_version, scaled)| match scaled {
            true => Tombstoned::Scaled { workload, api_version },
            false => Tombstoned::Workload { workload, api_version },
        });
    let what = prop_oneof![workload, key().prop_map(Tombstoned::Object)];
    (uid(), what).prop_map(|(uid, what)| Tombstone { uid, what })
}

fn workload() -> impl Strategy<Value = WorkloadId> {
    ("[a-z0-9]{1,63}", "[A-Z][A-Za-z]{0,20}", "[a-z0-9]{1,30}(\\.[a-z0-9]{1,30})?")
        .prop_map(|(namespace, kind, name)| WorkloadId::new(&namespace, &kind, &name).expect("valid names"))
}

fn key() -> impl Strategy<Value = ObjectKey> {
    let names = ("[A-Z][A-Za-z]{0,20}", "[a-z0-9]{0,63}", "[a-zA-Z0-9:]{1,40}");
    (api_version(), names).prop_map(|(api_version, (kind, namespace, name))| {
        ObjectKey::new(&api_version, &kind, &namespace, &name).expect("valid names")
    })
}

fn api_version() -> impl Strategy<Value = Arc<str>> {
    text("([a-z]{1,9}(\\.[a-z]{1,9})?/)?v[1-9]")
}

/// Never empty: a manifest that is there has content.
fn manifest() -> impl Strategy<Value = Option<Arc<str>>> {
    option::of(text("\\{\\PC{0,40}\\}"))
}

fn fence() -> impl Strategy<Value = Fence> {
    (uid(), any::<u64>(), any::<u64>()).prop_map(|(federation, epoch, generation)| Fence {
        federation,
        epoch: Epoch(epoch),
        generation: Generation(generation),
    })
}

fn uid() -> impl Strategy<Value = Uid> {
    any::<u128>().prop_map(Uid)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<u64>().prop_map(Digest)
}

fn count() -> std::ops::RangeInclusive<u32> {
    0..=1_000_000
}

/// Up to a day, and at least so many milliseconds.
fn duration(least_millis: u64) -> impl Strategy<Value = Duration> {
    (least_millis..86_400_000).prop_map(Duration::from_millis)
}

fn text(pattern: &'static str) -> impl Strategy<Value = Arc<str>> {
    pattern.prop_map(Arc::from)
}
