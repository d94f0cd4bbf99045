//! Policies.

mod words;

use std::io;
use std::time::SystemTime;

use godwit_common::policy::SURGE_PERCENT;
use godwit_proto::v1::{
    ClusterRule, GetPolicyRequest, ListPoliciesRequest, Policy, PolicySpec, SelectedRule,
    WatchPoliciesRequest,
};

use super::{Change, Changes, Column, Fetched, Filter, Shown, changes, column};
use crate::client::{Client, all_pages, answer, present};
use crate::error::Error;
use crate::output::age;
use crate::output::sheet::Sheet;
use crate::output::table::Cell;

impl Shown for Policy {
    const COLUMNS: &'static [Column] = &[
        column("NAME"),
        column("STRATEGY"),
        column("REBALANCE"),
        column("LOST-AFTER"),
        column("PRIORITY"),
        column("WORKLOADS"),
        column("MODE").wide(),
        column("CLUSTERS").wide(),
    ];
    const NAMED_BY: usize = 1;

    fn cells(&self, _: SystemTime) -> Vec<Cell> {
        let spec = self.spec.clone().unwrap_or_default();
        vec![
            Cell::from(&*self.name),
            Cell::from(&*spec.strategy),
            Cell::from(&*spec.rebalance),
            lost_after(&spec).into(),
            spec.priority.to_string().into(),
            self.workloads.to_string().into(),
            Cell::from(&*spec.mode),
            weights(&spec).into(),
        ]
    }

    fn reference(&self) -> String {
        format!("policy/{}", self.name)
    }

    async fn fetch(client: &Client, filter: &Filter) -> Result<Fetched<Self>, Error> {
        if let Some(name) = &filter.name {
            return find(client, name).await.map(Fetched::One);
        }
        let all = all_pages(async |page_token| {
            let request = ListPoliciesRequest { page_token, ..ListPoliciesRequest::default() };
            let page = answer(client.policies().list_policies(request)).await?;
            Ok((page.items, page.next_page_token))
        })
        .await?;
        Ok(Fetched::Many(all))
    }

    async fn watch(client: &Client, filter: &Filter) -> Result<Changes<Self>, Error> {
        let name = filter.name.clone().unwrap_or_default();
        let stream = answer(client.policies().watch_policies(WatchPoliciesRequest { name })).await?;
        Ok(changes(stream, |answer| {
            let item = answer.policy?;
            Some(Change { item, removed: answer.removed })
        }))
    }
}

/// The policy of that name.
pub(crate) async fn find(client: &Client, name: &str) -> Result<Policy, Error> {
    let request = GetPolicyRequest { name: name.to_owned() };
    let found = answer(client.policies().get_policy(request)).await;
    let found = found.map_err(|error| match error.is_not_found() {
        true => error.with_hint("`godwit get policies` lists all policies"),
        false => error,
    })?;
    present(found.policy, "policy")
}

/// Everything about it.
pub(crate) fn describe(policy: &Policy, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let spec = policy.spec.clone().unwrap_or_default();
    sheet.line("Name", &policy.name)?;
    sheet.line("Strategy", &spec.strategy)?;
    sheet.line("Rebalance", &spec.rebalance)?;
    sheet.line("Lost after", lost_after(&spec))?;
    sheet.line("Unready after", span(spec.unready_after))?;
    sheet.line("Mode", &spec.mode)?;
    sheet.line("Priority", spec.priority.to_string())?;
    match spec.fence.is_empty() {
        true => sheet.line("Max surge", format!("{}%", spec.max_surge_percent.unwrap_or(SURGE_PERCENT)))?,
        false => sheet.line("Fence", &spec.fence)?,
    }
    sheet.line("Max unavailable", spec.max_unavailable.to_string())?;
    sheet.line("Traffic gate", words::gate(spec.traffic_gate.as_ref()))?;
    sheet.line("Survivor", &spec.survivor)?;
    sheet.line("Fail back", &spec.fail_back)?;
    sheet.line("Drift", &spec.drift)?;
    sheet.line("Preemptible", yes_or_no(spec.preemptible))?;
    sheet.line("Colocate", yes_or_no(spec.colocate))?;
    sheet.line("Data", &spec.data)?;
    sheet.line("Divide", yes_or_no(spec.divide))?;
    sheet.line("Prestage", &spec.prestage)?;
    sheet.line("Export services", yes_or_no(spec.export_services))?;
    sheet.line("Workloads", policy.workloads.to_string())?;
    describe_choice(&spec, sheet)?;
    sheet.line("Rollout", words::rollout(&spec.rollout.clone().unwrap_or_default()))?;
    sheet.lines("Overrides", &words::numbered(&spec.overrides, words::different))?;
    let others = match (&spec.default, spec.clusters.is_empty() && spec.rules.is_empty()) {
        (Some(rule), _) => words::rule(rule),
        (None, true) => "weight 1".to_owned(),
        (None, false) => "not eligible".to_owned(),
    };
    sheet.line("Other clusters", others)?;
    if !spec.rules.is_empty() {
        let rows: Vec<Vec<Cell>> = spec.rules.iter().map(selected_row).collect();
        sheet.table("Rules", vec!["CLUSTERS", "WEIGHT", "MIN", "MAX"], &rows, "none")?;
    }
    let rows: Vec<Vec<Cell>> = spec.clusters.iter().map(|(name, rule)| rule_row(name, rule)).collect();
    sheet.table("Clusters", vec!["NAME", "WEIGHT", "MIN", "MAX"], &rows, "none by name")
}

/// What decides about clusters before their weights do; what is not used is not there.
fn describe_choice(spec: &PolicySpec, sheet: &mut Sheet<'_>) -> io::Result<()> {
    if let Some(selector) = &spec.cluster_selector {
        sheet.line("Chosen", words::clusters(selector))?;
    }
    sheet.lines("Tiers", &words::numbered(&spec.tiers, words::clusters))?;
    sheet.lines("Spread", &words::numbered(&spec.spread, words::spread))?;
    sheet.lines("Fallback", &words::numbered(&spec.fallback, words::clusters))?;
    sheet.lines("Tolerates", &spec.tolerations.iter().map(words::toleration).collect::<Vec<_>>())?;
    sheet.lines("Only with", &spec.affinity.iter().map(words::workloads).collect::<Vec<_>>())?;
    sheet.lines("Never with", &spec.anti_affinity.iter().map(words::workloads).collect::<Vec<_>>())
}

fn selected_row(selected: &SelectedRule) -> Vec<Cell> {
    let clusters = words::clusters(&selected.cluster_selector.clone().unwrap_or_default());
    rule_row(&clusters, &selected.rule.unwrap_or_default())
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn rule_row(name: &str, rule: &ClusterRule) -> Vec<Cell> {
    let max = rule.max.map(|max| max.to_string()).unwrap_or_default();
    vec![
        Cell::from(name),
        rule.weight.unwrap_or(1).to_string().into(),
        rule.min.unwrap_or(0).to_string().into(),
        max.into(),
    ]
}

fn lost_after(spec: &PolicySpec) -> String {
    span(spec.lost_after)
}

fn span(span: Option<prost_types::Duration>) -> String {
    let span = span.and_then(|span| std::time::Duration::try_from(span).ok());
    span.map(|span| format!("{span:?}")).unwrap_or_else(|| age::NONE.to_owned())
}

fn weights(spec: &PolicySpec) -> String {
    let one = |(name, rule): (&String, &ClusterRule)| format!("{name} {}", rule.weight.unwrap_or(1));
    spec.clusters.iter().map(one).collect::<Vec<_>>().join(", ")
}
