//! The accidents: what they break, how they are undone, and what is said about them.

use super::control::{Answer, Request};
use super::federation::Federation;
use super::member::Member;
use crate::error::Error;

/// Makes the accident, or undoes it, and says which one it was.
pub(super) async fn make(federation: &mut Federation, request: &Request) -> Answer {
    let done = match request {
        Request::Status {} => return Answer::Status(federation.status()),
        Request::Heal { name } if name == super::HUB => heal_hub(federation).await,
        Request::KillAgent { name } => match member(federation, name) {
            Ok(member) => kill_agent(member).await,
            Err(refused) => return refused,
        },
        Request::KillCluster { name } => match member(federation, name) {
            Ok(member) => kill_cluster(member).await,
            Err(refused) => return refused,
        },
        Request::CutLink { name } => match member(federation, name) {
            Ok(member) => cut_link(member),
            Err(refused) => return refused,
        },
        Request::Heal { name } => match member(federation, name) {
            Ok(member) => heal(member).await,
            Err(refused) => return refused,
        },
    };
    match done {
        Ok(said) => Answer::Done(said),
        Err(said) => Answer::Refused(said),
    }
}

fn member<'a>(federation: &'a mut Federation, name: &str) -> Result<&'a mut Member, Answer> {
    let names = federation.names().join(", ");
    let found = federation.member(name);
    found.ok_or_else(|| Answer::Refused(format!("there is no cluster {name:?}; there are {names}")))
}

async fn kill_agent(member: &mut Member) -> Result<String, String> {
    let name = member.name().clone();
    match member.kill_agent().await {
        Some(pid) => Ok(format!(
            "killed the agent of {name} (process {pid}): what runs there runs on, and nobody reports it"
        )),
        None => Err(format!("the agent of {name} is dead already; `godwit dev heal {name}` starts it")),
    }
}

async fn kill_cluster(member: &mut Member) -> Result<String, String> {
    let name = member.name().clone();
    if !member.is_simulated() {
        return Err(format!("{name} is a real cluster, which is not killed; kill-agent and cut-link work"));
    }
    if !member.cluster_runs() {
        return Err(format!("{name} is dead already; `godwit dev heal {name}` starts it, empty"));
    }
    let agent = match member.kill_agent().await {
        Some(pid) => format!("agent: process {pid}"),
        None => "its agent was dead already".to_owned(),
    };
    let server = member.kill_cluster().await.unwrap_or_default();
    Ok(format!(
        "killed the cluster {name} (API server: process {server}; {agent}): everything that ran there is gone"
    ))
}

fn cut_link(member: &mut Member) -> Result<String, String> {
    let name = member.name();
    if member.link().is_cut() {
        return Err(format!("the link of {name} is cut already; `godwit dev heal {name}` mends it"));
    }
    member.link().set_cut(true);
    Ok(format!(
        "cut the link between {name} and the hub: agent and cluster run on, and no packet passes in either direction"
    ))
}

async fn heal(member: &mut Member) -> Result<String, String> {
    let name = member.name().clone();
    let mut done = Vec::new();
    if member.link().is_cut() {
        member.link().set_cut(false);
        done.push("the link passes packets again");
    }
    if !member.cluster_runs() {
        // An agent that is left from before speaks to a server that is gone.
        member.stop_agent().await;
        member.start_cluster().await.map_err(said)?;
        done.push("the cluster is started again, under the same identity and with nothing in it");
    }
    if !member.agent_runs() {
        member.start_agent().map_err(said)?;
        done.push("the agent is started again");
    }
    match done.as_slice() {
        [] => Err(format!("nothing is wrong with {name}")),
        done => Ok(format!("healed {name}: {}", done.join("; "))),
    }
}

async fn heal_hub(federation: &mut Federation) -> Result<String, String> {
    if federation.hub_runs() {
        return Err("nothing is wrong with the hub".to_owned());
    }
    federation.start_hub().await.map_err(said)?;
    Ok("the hub is started again, with what it had stored".to_owned())
}

fn said(error: Error) -> String {
    match error {
        Error::Failed { message, .. } => message,
        other => format!("{other:?}"),
    }
}
