//! A network namespace at the end of a pair of virtual interfaces, rules that lose packets, and agents inside.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::federation::Federation;

const TABLE: &str = "inet godwit";

/// The namespace. It goes with this value.
pub(super) struct Network(String);

/// Agents in a process of their own. They end with this value.
pub(super) struct Agents(Child);

impl Network {
    pub(super) fn new() -> Result<Self> {
        let network = Self(format!("gwb{}", std::process::id()));
        let name = network.0.as_str();
        let (here, inside) = (network.here().to_string(), "10.223.0.2/30");
        ip(&["netns", "add", name])?;
        ip(&["link", "add", name, "type", "veth", "peer", "name", "cable", "netns", name])?;
        ip(&["addr", "add", &format!("{here}/30"), "dev", name])?;
        ip(&["link", "set", name, "up"])?;
        ip(&["-n", name, "addr", "add", inside, "dev", "cable"])?;
        ip(&["-n", name, "link", "set", "cable", "up"])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        Ok(network)
    }

    /// This machine's address on the cable.
    pub(super) fn here(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 223, 0, 1)
    }

    /// From now on so many percent of the packets to and from a port are lost.
    pub(super) fn lose(&self, percent: u8, port: u16) -> Result<()> {
        let mut rules = format!("add table {TABLE};");
        for (chain, interface) in [("input", "iifname"), ("output", "oifname")] {
            rules += &format!("add chain {TABLE} {chain} {{ type filter hook {chain} priority 0 ; }};");
            for side in ["sport", "dport"] {
                rules += &format!(
                    "add rule {TABLE} {chain} {interface} cable tcp {side} {port} numgen random mod 100 < {percent} counter drop;"
                );
            }
        }
        self.nft(&rules).map(drop)
    }

    /// How many packets were lost.
    pub(super) fn lost(&self) -> Result<u64> {
        let rules = self.nft(&format!("list table {TABLE}"))?;
        let after = rules.split("packets ").skip(1);
        Ok(after.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum())
    }

    /// Agents of these clusters, inside; they dial the address given.
    pub(super) fn agents(
        &self,
        federation: &Federation,
        clusters: Range<usize>,
        hub: SocketAddr,
    ) -> Result<Agents> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]).arg(std::env::current_exe()?).arg(crate::AGENTS);
        let mut child = command.stdin(Stdio::piped()).spawn().context("starting the agents inside")?;
        let mut orders = federation.orders(clusters);
        orders.insert_str(0, &format!("https://{hub} {}\n", federation.heartbeat.as_millis()));
        let stdin = child.stdin.as_mut().context("the agents' input")?;
        stdin.write_all(orders.as_bytes())?;
        stdin.write_all(b"\n")?;
        Ok(Agents(child))
    }

    fn nft(&self, rules: &str) -> Result<String> {
        let output = Command::new("ip").args(["netns", "exec", &self.0, "nft", rules]).output()?;
        if !output.status.success() {
            bail!("nft: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // What cannot be removed is for the operator of this machine to see.
        if let Err(error) = ip(&["netns", "del", &self.0]) {
            eprintln!("{error:#}");
        }
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        // They may be gone already; then there is nothing to stop.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ip(args: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(args).output().context("ip")?;
    if !output.status.success() {
        bail!("ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
