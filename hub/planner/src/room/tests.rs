//! Room as the ledger counts it: node by node, in classes, never invented.

use proptest::prelude::*;

use super::*;

fn resources(cpu_millis: u64, memory_bytes: u64, pods: u64, gpus: u64) -> Resources {
    let extended = [("nvidia.com/gpu".into(), gpus)].into_iter().filter(|(_, gpus)| *gpus > 0).collect();
    Resources { cpu_millis, memory_bytes, ephemeral_bytes: 0, pods, extended }
}

fn class(nodes: u32, free: Resources) -> NodeClass {
    NodeClass { nodes, free, ..NodeClass::default() }
}

fn pod(requests: Resources) -> PodShape {
    PodShape { requests, ..PodShape::default() }
}

#[test]
fn room_is_counted_node_by_node() {
    // 4 nodes with 1.5 cores each have 6 cores together, but none has room for 2.
    let room = ClusterRoom::new([class(4, resources(1500, 100, 10, 0))], Default::default());
    assert_eq!(room.fits(&pod(resources(2000, 1, 1, 0)), 9), Fit { replicas: 0, scarce: Scarce::Cpu });
    assert_eq!(room.fits(&pod(resources(1000, 1, 1, 0)), 9), Fit { replicas: 4, scarce: Scarce::Cpu });
    assert_eq!(room.fits(&pod(resources(500, 1, 1, 0)), 9).replicas, 9);
}

#[test]
fn what_is_scarce_on_most_nodes_is_named() {
    let room = ClusterRoom::new(
        [
            class(1, resources(9000, 9, 1, 0)),
            class(3, resources(9000, 2, 90, 0)),
            class(2, resources(0, 9, 90, 0)),
        ],
        Default::default(),
    );
    assert_eq!(room.fits(&pod(resources(1000, 1, 1, 0)), 99), Fit { replicas: 7, scarce: Scarce::Memory });
    let gpu = Scarce::Extended("nvidia.com/gpu".into());
    assert_eq!(room.fits(&pod(resources(1000, 1, 1, 1)), 99), Fit { replicas: 0, scarce: gpu });
    let picky = PodShape { node_selector: [("disk".into(), "ssd".into())].into(), ..PodShape::default() };
    assert_eq!(room.fits(&picky, 1), Fit { replicas: 0, scarce: Scarce::Nodes });
}

#[test]
fn classes_beyond_the_limit_are_not_counted() {
    let room = ClusterRoom::new((0..100).map(|_| class(1, resources(1000, 1, 1, 0))), Default::default());
    assert_eq!(room.fits(&pod(resources(1000, 1, 1, 0)), 1000).replicas as usize, CLASSES_MAX);
}

/// Every node by itself, in order.
fn nodes(room: &ClusterRoom) -> Vec<Resources> {
    let nodes = |class: &NodeClass| vec![class.free.clone(); class.nodes as usize];
    room.classes.iter().flat_map(nodes).collect()
}

/// Classes with cores and memory free, and now and then a GPU.
fn classes() -> impl Strategy<Value = Vec<NodeClass>> {
    let free = (0..5000_u64, 0..20_u64, 0..12_u64, 0..3_u64);
    let class = (1..5_u32, free)
        .prop_map(|(nodes, (cpu, mem, pods, gpus))| class(nodes, resources(cpu, mem, pods, gpus)));
    prop::collection::vec(class, 0..6)
}

fn pods() -> impl Strategy<Value = PodShape> {
    let requests = (0..2000_u64, 0..6_u64, prop_oneof![4 => Just(0), 1 => Just(1_u64)]);
    requests.prop_map(|(cpu, mem, gpus)| pod(resources(cpu, mem, 1, gpus)))
}

proptest! {
    #[test]
    fn taking_fills_node_after_node(classes in classes(), batch in prop::collection::vec((pods(), 0..40_u32), 1..8)) {
        let mut room = ClusterRoom::new(classes, Default::default());
        for (pod, wanted) in batch {
            let mut expected = nodes(&room);
            let mut left = wanted;
            for node in &mut expected {
                while left > 0 && node.fits(&pod.requests) > 0 {
                    node.subtract(&pod.requests, 1);
                    left -= 1;
                }
            }
            let fits = room.fits(&pod, u32::MAX).replicas;
            prop_assert_eq!(room.take(&pod, wanted), wanted - left);
            prop_assert_eq!(room.fits(&pod, u32::MAX).replicas, fits - (wanted - left));
            let mut now = nodes(&room);
            now.sort();
            expected.sort();
            prop_assert_eq!(now, expected);
        }
    }

    #[test]
    fn joining_loses_room_but_never_invents_any(classes in classes(), pod in pods()) {
        let mut room = ClusterRoom::new(classes, Default::default());
        let (before, fits) = (room.classes.len(), room.fits(&pod, u32::MAX).replicas);
        room.join();
        prop_assert!(room.fits(&pod, u32::MAX).replicas <= fits);
        prop_assert!(room.classes.len() <= before.div_ceil(2));
    }
}

#[test]
fn a_long_batch_keeps_its_classes_few() {
    let mut room = ClusterRoom::new([class(5000, resources(64_000, 1 << 38, 110, 0))], Default::default());
    for step in 0..2000 {
        let taken = room.take(&pod(resources(100 + step, 1 << 20, 1, 0)), 3);
        assert_eq!(taken, 3);
        assert!(room.classes.len() <= SPLIT_MAX);
    }
}

#[test]
fn nodes_that_are_alike_again_are_one_class() {
    let mut room = ClusterRoom::new([class(100, resources(1000, 100, 10, 0))], Default::default());
    for _ in 0..150 {
        assert_eq!(room.take(&pod(resources(100, 1, 1, 0)), 1), 1);
    }
    let mut nodes: Vec<(u64, u32)> = room
        .classes
        .iter()
        .map(|class| (class.free.pods, class.nodes))
        .filter(|(_, nodes)| *nodes > 0)
        .collect();
    nodes.sort_unstable();
    assert_eq!(nodes, [(8, 50), (9, 50)]);
}
