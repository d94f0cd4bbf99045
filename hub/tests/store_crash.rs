//! `kill -9` in the middle of writing: what was acknowledged is there, and what is there is whole.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use godwit_common::{Epoch, Generation, Traits, Uid, WallTime};
use godwit_hub::store::{Batch, Keys, Store};
use godwit_hub_core::{ClusterRecord, Record};

/// Set for the process that writes and is killed: this same test, started again.
const CHILD: &str = "GODWIT_TEST_STORE";
/// How often it is killed, where nobody says otherwise.
const KILLS: u64 = 20;
/// Says otherwise.
const KILLS_VARIABLE: &str = "GODWIT_TEST_KILLS";
/// Two records of each batch must never be seen apart.
const TWINS: [&str; 2] = ["east", "west"];

#[test]
fn acknowledged_commits_survive_a_kill() {
    if let Some(folder) = std::env::var_os(CHILD) {
        write_until_killed(Path::new(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let kills = std::env::var(KILLS_VARIABLE).map_or(KILLS, |kills| kills.parse().expect("a number"));
    for round in 1..=kills {
        // Each round is killed at another moment of a commit, and builds on what the one before left.
        let acknowledged =
            run_and_kill(folder.path(), 1 + round % 7, Duration::from_micros(round * 389 % 4_000));
        let store = Store::open(folder.path(), &Keys::none()).expect("the store opens after a kill");
        let records = store.load().expect("its rows are whole");
        let generations: Vec<u64> = records.iter().map(generation).collect();
        assert!(
            matches!(generations[..], [east, west] if east == west && east >= acknowledged),
            "acknowledged {acknowledged}, found {records:?}"
        );
    }
}

/// Kills the child so long after so many commits; how many it had acknowledged when it died.
fn run_and_kill(folder: &Path, after: u64, later: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["acknowledged_commits_survive_a_kill", "--exact", "--nocapture"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test starts itself");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut acknowledged = 0;
    let mut seen = 0;
    let mut take = |line: String| {
        if let Some(number) = line.strip_prefix("acknowledged ").and_then(|number| number.parse().ok()) {
            acknowledged = number;
            seen += 1;
        }
        seen
    };
    for line in lines.by_ref() {
        if take(line) == after {
            break;
        }
    }
    let seen_at = Instant::now();
    while seen_at.elapsed() < later {
        std::hint::spin_loop();
    }
    child.kill().expect("SIGKILL");
    // What it had said before it died counts, too.
    lines.for_each(|line| {
        take(line);
    });
    child.wait().expect("it ends");
    assert!(seen >= after, "the child ended by itself after {seen} commits");
    acknowledged
}

fn write_until_killed(folder: &Path) -> ! {
    let mut store = Store::open(folder, &Keys::none()).expect("the store opens");
    let start = store.load().expect("its rows are whole").first().map_or(0, generation);
    for next in start + 1.. {
        let mut batch = Batch::default();
        for name in TWINS {
            batch.put(&Record::Cluster(ClusterRecord {
                name: name.parse().expect("a valid name"),
                uid: Uid(1),
                generation: Generation(next),
                joined: WallTime(0),
                inventoried: true,
                traits: Traits { provider: "x".repeat(5_000).into(), ..Traits::default() },
                taints: Vec::new(),
                cordoned: false,
                drain: None,
                maintenance: None,
                awaited: None,
                dead: None,
                knows_overrides: true,
            }));
        }
        store.commit(Epoch(1), &batch).expect("the disk takes it");
        println!("acknowledged {next}");
        std::io::stdout().flush().expect("the parent reads");
    }
    unreachable!("the parent kills it long before")
}

fn generation(record: &Record) -> u64 {
    match record {
        Record::Cluster(cluster) => cluster.generation.0,
        other => panic!("nobody wrote {other:?}"),
    }
}
