//! `godwit authority`.

use std::io::{self, Write};
use std::time::SystemTime;

use clap::{Args, Subcommand};
use godwit_proto::{json, v1};

use crate::client::{Client, answer, present};
use crate::context::Places;
use crate::error::Error;
use crate::output::document::{self, Syntax};
use crate::output::{Format, age, text};

/// Show the authority that signs this federation's certificates, or let another one take its place.
///
/// It takes three steps, while everything runs: after `prepare` everybody learns to trust the next authority too, after `switch`
/// it signs, and after `finish` nobody trusts the former one any more. `show` says what the next step waits for.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  godwit authority prepare
  godwit authority show
  godwit authority switch
  godwit authority finish
  godwit authority show --bundle > ca.pem")]
pub(crate) enum Authority {
    Show(Show),
    /// Make the next authority, or read the one that the hub's configuration names, and have everybody trust it
    Prepare,
    /// Take the preparation back: nobody trusts the next authority any more, and another one can be prepared
    Abandon,
    /// Let the next authority sign, the hub's own certificate first
    Switch(Forced),
    /// Trust the former authority no more; its key is removed if the hub has made it
    Finish(Forced),
}

/// Show which authority signs, which other one is trusted, and what the next step waits for
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
    /// Only the certificates that are to be trusted, in PEM: what clients without `godwit` need
    #[arg(long, conflicts_with = "output")]
    bundle: bool,
}

/// Whether to wait for everybody.
#[derive(Debug, Args)]
pub(crate) struct Forced {
    /// Go on although somebody is named who is not ready
    #[arg(long)]
    force: bool,
}

impl Authority {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let client = Client::connect(places).await?;
        let mut service = client.authority();
        let (action, said) = match self {
            Self::Show(show) => return show.run(&client).await,
            Self::Prepare => (
                answer(service.prepare_authority(v1::PrepareAuthorityRequest {})).await?.action,
                [
                    "the next authority is prepared: agents renew their certificates and learn to trust it",
                    "prepared",
                ],
            ),
            Self::Abandon => (
                answer(service.abandon_authority(v1::AbandonAuthorityRequest {})).await?.action,
                [
                    "the authority that was prepared is trusted no more: prepare another one at any time",
                    "abandoned",
                ],
            ),
            Self::Switch(Forced { force }) => (
                answer(service.switch_authority(v1::SwitchAuthorityRequest { force })).await?.action,
                [
                    "the next authority signs from now on; the former one stays trusted until it is finished",
                    "switched",
                ],
            ),
            Self::Finish(Forced { force }) => (
                answer(service.finish_authority(v1::FinishAuthorityRequest { force })).await?.action,
                ["the former authority is trusted no more", "finished"],
            ),
        };
        let [changed, done] = said;
        let line = match action.as_str() {
            "unchanged" => format!("it is {done} already"),
            _ => changed.to_owned(),
        };
        Ok(writeln!(io::stdout(), "{line}")?)
    }
}

impl Show {
    async fn run(self, client: &Client) -> Result<(), Error> {
        let found = answer(client.authority().get_authority(v1::GetAuthorityRequest {})).await?;
        let out = &mut io::stdout().lock();
        if self.bundle {
            return Ok(found.bundle.lines().try_for_each(|line| writeln!(out, "{}", text::plain(line)))?);
        }
        match self.output {
            Format::Json => document::print(&json::to_json(&found)?, Syntax::Json, out),
            Format::Yaml => document::print(&json::to_json(&found)?, Syntax::Yaml, out),
            Format::Name => Ok(writeln!(out, "{}", text::plain(&found.step))?),
            Format::Table | Format::Wide => {
                for line in lines(&found, SystemTime::now())? {
                    writeln!(out, "{}", text::plain(&line))?;
                }
                Ok(())
            }
        }
    }
}

fn lines(found: &v1::GetAuthorityResponse, now: SystemTime) -> Result<Vec<String>, Error> {
    let v1::GetAuthorityResponse { step, signing, beside, prepared, switched, missing, bundle: _ } = found;
    let signing = present(signing.as_ref(), "authority that signs")?;
    let (said, other, next) = match step.as_str() {
        "prepared" => ("the next authority is trusted, and does not sign yet", "Next", "switch"),
        "switched" => ("the next authority signs, and the former one is still trusted", "Former", "finish"),
        _ => ("there is one authority", "Other", "prepare"),
    };
    let mut rows = vec![("Step", format!("{step}: {said}"))];
    let mut about = |label, one: &v1::Authority| {
        rows.push((label, format!("pin {}", one.pin)));
        let left = |end| age::until(end, now).map(age::short).unwrap_or_else(|| "0s".to_owned());
        rows.push(("", format!("ends in {}", left(one.expires.as_ref()))));
        for (whose, until) in [("agents", &one.agents_until), ("operators", &one.operators_until)] {
            if until.is_some() {
                rows.push(("", format!("certificates of {whose} last for {} at most", left(until.as_ref()))));
            }
        }
    };
    about("Signs", signing);
    if let Some(beside) = beside {
        about(other, beside);
    }
    for (label, time) in [("Prepared", prepared), ("Switched", switched)] {
        if time.is_some() {
            rows.push((label, format!("{} ago", age::since(time.as_ref(), now))));
        }
    }
    match &missing[..] {
        [] => rows.push(("Next step", format!("`godwit authority {next}`"))),
        missing => {
            let label = std::iter::once("Waits for").chain(std::iter::repeat(""));
            rows.extend(label.zip(missing.iter().cloned()));
        }
    }
    let line = |(label, value): (&str, String)| match label {
        "" => format!("{:<13}{value}", ""),
        label => format!("{:<13}{value}", format!("{label}:")),
    };
    Ok(rows.into_iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_it_stands_and_what_the_next_step_waits_for() {
        let authority = |pin: &str| v1::Authority { pin: pin.to_owned(), ..v1::Authority::default() };
        let settled = v1::GetAuthorityResponse {
            step: "settled".to_owned(),
            signing: Some(authority("0a")),
            ..v1::GetAuthorityResponse::default()
        };
        let shown = lines(&settled, SystemTime::UNIX_EPOCH).unwrap().join("\n");
        assert!(shown.contains("pin 0a") && shown.contains("`godwit authority prepare`"), "{shown}");
        let prepared = v1::GetAuthorityResponse {
            step: "prepared".to_owned(),
            beside: Some(authority("0b")),
            missing: vec!["no agent of north is connected".to_owned(), "and more".to_owned()],
            ..settled
        };
        let shown = lines(&prepared, SystemTime::UNIX_EPOCH).unwrap().join("\n");
        for part in ["Next:        pin 0b", "Waits for:   no agent of north", "\n             and more"] {
            assert!(shown.contains(part), "{part:?} is not in {shown}");
        }
        assert!(lines(&v1::GetAuthorityResponse::default(), SystemTime::UNIX_EPOCH).is_err());
    }
}
