//! The walk that `apply` and `diff` share: everything in the files goes to the hub, one thing after the other.

use godwit_proto::v1;

use super::action::Answer;
use super::moves::{Moved, Told};
use super::outcome::Outcome;
use super::sender::Sender;
use super::submission::Submission;
use crate::client::Client;
use crate::context::Places;
use crate::error::Error;
use crate::output::text;

/// What a command makes of the hub's answers. `moved` is what moves of others because of the thing at hand, as far as it
/// was not told yet.
pub(super) trait Reader {
    /// A quota or a policy; `name` is what other commands call it.
    fn thing(
        &mut self,
        outcome: &mut Outcome,
        name: &str,
        answer: &impl Answer,
        moved: Moved,
    ) -> Result<(), Error>;

    /// An application.
    fn application(
        &mut self,
        outcome: &mut Outcome,
        answer: &v1::DeployResponse,
        moved: Moved,
    ) -> Result<(), Error>;
}

/// Reads the files and hands over what they hold, or only asks about it in a dry run: quotas, which leave or take room,
/// then policies, by which applications are divided, then these. What the hub refuses is kept in `outcome`.
pub(super) async fn walk(
    submission: &Submission,
    places: &Places,
    dry_run: bool,
    outcome: &mut Outcome,
    reader: &mut impl Reader,
) -> Result<(), Error> {
    let documents = submission.read()?;
    let mut sender = Sender::new(Client::connect(places).await?)?;
    let mut told = Told::new(submission, &documents, dry_run);
    for quota in &documents.quotas {
        let name = format!("quota/{}", quota.namespace);
        let answer = sender.apply_quota(quota, dry_run).await;
        if let Some(answer) = outcome.taken(answer.map_err(|error| error.about(&*name))) {
            reader.thing(outcome, &name, &answer, told.fresh(&answer.changes, answer.changes_total))?;
        }
    }
    for policy in &documents.policies {
        let name = format!("policy/{}", policy.name);
        let answer = sender.apply_policy(policy, dry_run).await;
        if let Some(answer) = outcome.taken(answer.map_err(|error| error.about(&*name))) {
            reader.thing(outcome, &name, &answer, told.fresh(&answer.changes, answer.changes_total))?;
        }
    }
    for source in &documents.applications {
        let id = sender.request_id()?;
        let request = submission.deployment(source, &documents.policies, id, dry_run);
        let answer = sender.deploy(&request).await;
        if let Some(answer) = outcome.taken(answer.map_err(|error| error.about(&*source.label))) {
            for warning in &answer.warnings {
                eprintln!("warning: {}", text::plain(warning));
            }
            let moved = told.of_others(&answer);
            reader.application(outcome, &answer, moved)?;
        }
    }
    Ok(())
}
