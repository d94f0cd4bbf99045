//! A network of its own for a cluster, joined to this machine by one cable that can be cut.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

/// A network namespace with a pair of virtual interfaces: one end here, the other inside.
pub(crate) struct Network {
    name: String,
    number: u8,
    process: u8,
}

impl Network {
    /// Why no namespace can be made here, if none can.
    pub(crate) fn missing() -> Option<String> {
        let probe = format!("gwprobe{}", std::process::id());
        let made = ip(&["netns", "add", &probe]);
        match &made {
            Ok(()) => ip(&["netns", "del", &probe]).err(),
            Err(problem) => Some(problem.clone()),
        }
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
