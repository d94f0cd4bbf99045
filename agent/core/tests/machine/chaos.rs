//! Everything at once, from one seed: first safety while calls fail, answers are lost, watches lag, links break, agents
//! are replaced and people interfere; then all is healed, and the cluster must come to hold exactly what it shall.

use std::collections::BTreeMap;
use std::time::Duration;

use godwit_common::link::{Targets, Tombstone, WorkloadTarget, rows_digest};
use godwit_common::rng::Rng;
use godwit_common::{Fence, Generation, Need, Uid};

use crate::world::{World, fence, key, tombstone, whole, workload, workload_id};

const SEEDS: u64 = 150;
const STEPS: u64 = 120;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// What a hub would keep of this cluster.
#[derive(Default)]
struct Book {
    uids: u128,
    generation: u64,
    rows: BTreeMap<&'static str, WorkloadTarget>,
    graves: Vec<Tombstone>,
}

impl Book {
    /// Changes something, and says what to send: the change, or everything.
    fn turn(&mut self, rng: &mut Rng) -> Targets {
        let name = NAMES[rng.below(5) as usize];
        let base = self.generation;
        self.generation += 1;
        let (mut changed, mut ended) = (Vec::new(), Vec::new());
        match (self.rows.get_mut(name), rng.below(4)) {
            (Some(row), 0) => {
                ended.push(tombstone(row.uid.0, name));
                self.rows.remove(name);
            }
            (Some(row), 1) => {
                row.revision += 1;
                changed.push(row.clone());
            }
            (Some(row), _) => {
                row.replicas = rng.below(9) as u32;
                changed.push(row.clone());
            }
            (None, _) => {
                self.uids += 1;
                let row = workload(self.uids, name, 1, rng.below(9) as u32);
                let row = WorkloadTarget { needs: vec![need(name)], ..row };
                self.rows.insert(name, row.clone());
                changed.push(row);
            }
        }
        self.graves.extend(ended.iter().cloned());
        if base == 0 || rng.one_in(2) {
            return self.all();
        }
        Targets {
            fence: self.fence(),
            base: Generation(base),
            digest: rows_digest([], self.rows.values()),
            objects: Vec::new(),
            workloads: changed,
            tombstones: ended,
        }
    }

    fn all(&self) -> Targets {
        Targets {
            tombstones: self.graves.clone(),
            ..whole(self.fence(), vec![], self.rows.values().cloned().collect())
        }
    }

    fn fence(&self) -> Fence {
        fence(1, self.generation)
    }
}

fn interfere(world: &mut World, rng: &mut Rng) {
    let name = NAMES[rng.below(5) as usize];
    let object = key("Deployment", "shop", name);
    let exists = world.member.objects.contains_key(&object);
    match rng.below(8) {
        0 if exists => world.member.edit(&object, |object| object.replicas = Some(77)),
        1 if exists => world.member.vanish(&object),
        2 if exists => world.member.pod(&workload_id(name), &format!("{name}-1"), |_| {}),
        3 => world.member.pod_gone("shop", &format!("{name}-1")),
        4 => world.member.relist(),
        5 => world.member.blind = true,
        6 => match world.member.lacks.take(&need(name)) {
            Some(_) => {}
            None => _ = world.member.lacks.insert(need(name)),
        },
        _ => world.member.unblind(),
    }
}

fn run(seed: u64) {
    let mut rng = Rng::new(seed);
    let (mut world, mut book) = (World::leading(), Book::default());
    let mut highest = Fence::default();
    for _ in 0..STEPS {
        world.member.unreliable = Some(Rng::new(rng.next_u64()));
        match rng.below(10) {
            0..4 => {
                let targets = book.turn(&mut rng);
                if world.session.is_some() {
                    world.send_targets(targets);
                }
            }
            4..7 => interfere(&mut world, &mut rng),
            7 if world.session.is_some() => world.cut(),
            8 if rng.one_in(3) => {
                world.member.unreliable = None;
                world.member.unblind();
                world = world.restart();
            }
            _ => world.welcoming = true,
        }
        world.advance(Duration::from_millis(rng.below(4_000)));
        let held = world.member.fence.as_ref().expect("claimed").record.fence;
        assert!(held >= highest, "seed {seed}: the fence fell from {highest:?} to {held:?}");
        highest = held;
    }
    heal(&mut world, &book);
    let ended = |life: &Uid| book.graves.iter().any(|grave| grave.uid == *life);
    assert!(world.member.deleted.iter().all(ended), "seed {seed}: removed without a tombstone");
    let found: BTreeMap<&str, (Uid, u64, Option<u32>)> = world
        .member
        .objects
        .values()
        .map(|object| {
            let stamp = object.stamp.expect("ours");
            (&*object.key.name, (stamp.uid, stamp.revision, object.replicas))
        })
        .collect();
    let wanted =
        book.rows.iter().map(|(name, row)| (*name, (row.uid, row.revision, Some(row.replicas)))).collect();
    assert_eq!(found, wanted, "seed {seed}");
    let reported = |grave: &Tombstone| world.reports().any(|report| report.removed.contains(&grave.uid));
    let pending: Vec<_> = book.graves.iter().filter(|grave| !reported(grave)).collect();
    assert!(pending.is_empty(), "seed {seed}: never reported as removed: {pending:?}");
    assert_eq!(world.reports().last().expect("a report").reflects.0, book.generation, "seed {seed}");
    let told: BTreeMap<Need, bool> =
        world.reports().flat_map(|report| &report.needs).map(|said| (said.need.clone(), said.met)).collect();
    for name in book.rows.keys() {
        let met = !world.member.lacks.contains(&need(name));
        assert_eq!(told.get(&need(name)), Some(&met), "seed {seed}: what {name} needs");
    }
}

fn need(name: &str) -> Need {
    Need::Object(key("Secret", "shop", name))
}

fn heal(world: &mut World, book: &Book) {
    world.member.unreliable = None;
    world.member.unblind();
    world.member.relist();
    world.welcoming = true;
    for name in NAMES {
        world.member.pod_gone("shop", &format!("{name}-1"));
    }
    // A new agent sees everything anew; the old one may have believed a watch that was wrong about the pods.
    world.until(|world| world.session.is_some());
    world.advance(Duration::from_secs(30));
    world.sent.clear();
    world.cut();
    world.welcoming = true;
    world.until(|world| world.reports().any(|report| report.complete));
    world.send_targets(book.all());
    world.advance(Duration::from_secs(90));
}

#[test]
fn whatever_happens_the_fence_only_rises_and_the_cluster_converges() {
    for seed in 0..SEEDS {
        run(seed);
    }
}
