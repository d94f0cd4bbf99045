//! A network of its own for a cluster, joined to this machine by one cable that can be cut.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use super::tools::tool;

/// Which way packets go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// To who is inside.
    In,
    /// From there.
    Out,
}

/// The table of our own rules.
const TABLE: &str = "inet godwit";
/// The variable that names the program, and the program otherwise.
const NFT: (&str, &str) = ("GODWIT_TEST_NFT", "nft");

/// A network namespace with a pair of virtual interfaces: one end here, the other inside.
pub(crate) struct Network {
    name: String,
    number: u8,
    process: u8,
}

impl Network {
    /// Why no namespace can be made here, if none can.
    pub(crate) fn missing() -> Option<String> {
        static PROBED: AtomicU8 = AtomicU8::new(0);
        // Tests that look at the same time must not find each other's.
        let number = PROBED.fetch_add(1, Ordering::Relaxed);
        let probe = format!("gwprobe{}-{number}", std::process::id());
        let made = ip(&["netns", "add", &probe]);
        match &made {
            Ok(()) => ip(&["netns", "del", &probe]).err(),
            Err(problem) => Some(problem.clone()),
        }
    }

    /// The same, or why no rules can be set in one: those of nftables that lose some packets and not others. Rights are
    /// nothing that can be installed; nftables is.
    pub(crate) fn missing_rules() -> Option<String> {
        if let Some(problem) = Self::missing() {
            return Some(problem);
        }
        if tool(NFT.0, NFT.1, &["--version"]).is_none() {
            return Some("nftables".to_owned());
        }
        Self::new().nft(&format!("add table {TABLE}")).err()
    }

    pub(crate) fn new() -> Self {
        static TAKEN: AtomicU8 = AtomicU8::new(0);
        let number = TAKEN.fetch_add(1, Ordering::Relaxed);
        let [.., process] = std::process::id().to_be_bytes();
        let network = Self { name: format!("gw{}-{number}", std::process::id()), number, process };
        let (name, inside) = (network.name.as_str(), network.inside().to_string());
        must(&["netns", "add", name]);
        must(&["link", "add", name, "type", "veth", "peer", "name", "cable", "netns", name]);
        must(&["addr", "add", &format!("{}/30", network.here()), "dev", name]);
        must(&["link", "set", name, "up"]);
        must(&["-n", name, "addr", "add", &format!("{inside}/30"), "dev", "cable"]);
        must(&["-n", name, "link", "set", "cable", "up"]);
        // An address that stays when the cable is cut, so that what is inside goes on working.
        must(&["-n", name, "link", "set", "lo", "up"]);
        must(&["-n", name, "addr", "add", &format!("{}/32", network.home()), "dev", "lo"]);
        must(&["route", "add", &format!("{}/32", network.home()), "via", &inside]);
        network
    }

    /// This machine's address on the cable.
    pub(crate) fn here(&self) -> Ipv4Addr {
        self.address(1)
    }

    fn inside(&self) -> Ipv4Addr {
        self.address(2)
    }

    /// The address inside that does not depend on the cable.
    pub(crate) fn home(&self) -> Ipv4Addr {
        self.address(9)
    }

    fn address(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 224 + self.number % 32, self.process, last)
    }

    /// From now on every packet is lost, and nobody is told.
    pub(crate) fn cut(&self) {
        must(&["-n", &self.name, "link", "set", "cable", "down"]);
    }

    pub(crate) fn heal(&self) {
        must(&["-n", &self.name, "link", "set", "cable", "up"]);
    }

    /// From now on so many percent of the packets to or from a port are lost that go this way, and nobody is told. What
    /// else uses the cable, such as the test itself, loses nothing.
    pub(crate) fn lose(&self, way: Way, percent: u8, port: u16) {
        let (chain, interface) = match way {
            Way::In => ("input", "iifname"),
            Way::Out => ("output", "oifname"),
        };
        let mut rules = format!(
            "add table {TABLE}
             add chain {TABLE} {chain} {{ type filter hook {chain} priority 0 ; }}
"
        );
        // Of a hundred numbers none is above the last.
        let some = if percent < 100 { format!("numgen random mod 100 < {percent} ") } else { String::new() };
        for side in ["sport", "dport"] {
            let packets = format!("{interface} cable tcp {side} {port} {some}");
            rules += &format!("add rule {TABLE} {chain} {packets}counter drop\n");
        }
        self.nft(&rules).unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// Every packet arrives again.
    pub(crate) fn lose_nothing(&self) {
        self.nft(&format!("delete table {TABLE}")).unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// How many packets the rules have lost.
    pub(crate) fn lost(&self) -> u64 {
        let rules = self.nft(&format!("list table {TABLE}")).unwrap_or_else(|problem| panic!("{problem}"));
        let mut words = rules.split_whitespace();
        let mut lost = 0;
        while let Some(word) = words.next() {
            if word == "packets" {
                lost += words.next().and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
            }
        }
        lost
    }

    fn nft(&self, rules: &str) -> Result<String, String> {
        let lines: Vec<&str> = rules.lines().map(str::trim).collect();
        let program = std::env::var_os(NFT.0).unwrap_or_else(|| NFT.1.into());
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program).arg(lines.join("\n"));
        let output = command.output();
        let output = output.map_err(|error| format!("nft: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(format!("nft: {}", said.trim())),
        }
    }

    /// The same command, inside.
    pub(crate) fn inside_of(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name]).arg(command.get_program()).args(command.get_args());
        inside
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The interfaces and routes go with it. What cannot be removed is for the operator of this machine to see.
        if let Err(problem) = ip(&["netns", "del", &self.name]) {
            eprintln!("{problem}");
        }
    }
}

fn must(args: &[&str]) {
    ip(args).unwrap_or_else(|problem| panic!("{problem}"));
}

fn ip(args: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(args).output();
    let output = output.map_err(|error| format!("ip {}: {error}", args.join(" ")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    output.status.success().then_some(()).ok_or_else(|| format!("ip {}: {}", args.join(" "), said.trim()))
}
