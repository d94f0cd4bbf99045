//! What the hub measures, as a page for Prometheus. It is written from the immutable view when somebody asks, out of
//! sums that the view keeps: a scrape holds nobody up and costs the same in every federation.
//!
//! One function for each group of metrics. What has a series for each cluster may be here; what has one for each
//! workload, agent or migration may not, because their number is not bounded by what a scraper can take.

mod text;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use godwit_rt::plain;

use crate::driver::{Handle, View};
use crate::webhook::Delivery;
use text::{CONTENT_TYPE, Text};

/// Where the page is.
pub(crate) const PATH: &str = "/metrics";

/// The page, as it is served.
pub(crate) fn page(driver: Handle, delivery: Arc<Delivery>) -> plain::Page {
    let render = Arc::new(move || Ok(render(&driver.view(), &delivery)));
    plain::Page { path: PATH, content_type: CONTENT_TYPE, render }
}

fn render(view: &View, delivery: &Delivery) -> String {
    let mut text = Text::default();
    hub(&mut text, view);
    clusters(&mut text, view);
    survivability(&mut text, view);
    workloads(&mut text, view);
    migrations(&mut text, view);
    losses(&mut text, view);
    webhook(&mut text, delivery);
    text.into_string()
}

/// The hub itself.
fn hub(text: &mut Text, view: &View) {
    let version = [(env!("CARGO_PKG_VERSION"), 1)];
    text.gauges("godwit_build_info", "Always 1; the label says which version runs.", "version", version);
    let federation = &view.federation;
    text.gauge(
        "godwit_hub_epoch",
        "The epoch in which the hub leads: it rises with each start.",
        federation.epoch.0,
    );
    text.gauge(
        "godwit_failover_frozen",
        "1 while failover is frozen, else 0.",
        u64::from(federation.freeze.is_some()),
    );
}

/// Member clusters and their agents.
fn clusters(text: &mut Text, view: &View) {
    let totals = &view.totals.clusters;
    let states = totals.by_state().map(|(state, clusters)| (state.as_str(), clusters));
    text.gauges("godwit_clusters", "Member clusters in each state.", "state", states);
    text.gauge("godwit_clusters_cordoned", "Member clusters that get nothing new.", totals.cordoned);
    text.gauge(
        "godwit_clusters_flapping",
        "Member clusters that lost their connection too often, and must be stable before they get anything new.",
        totals.flapping,
    );
    text.gauge("godwit_agents_connected", "Agents that hold a stream to the hub.", totals.agents);
    text.gauge(
        "godwit_removals_held",
        "Placements whose removal the guard holds back until an operator confirms it.",
        totals.removals_held,
    );
    text.gauge("godwit_orphans", "Managed objects that no workload explains.", totals.orphans);
}

/// Whether the others could take over what a cluster holds, for each of them alone.
fn survivability(text: &mut Text, view: &View) {
    text.gauges(
        "godwit_clusters_survivable",
        "Member clusters by what their loss would mean: everything finds a place elsewhere, or not, or not known yet.",
        "verdict",
        view.totals.clusters.by_verdict(),
    );
    text.gauge(
        "godwit_survivability_unplaced_replicas",
        "Replicas that would find no place if the one cluster were lost whose loss is the worst.",
        view.totals.shortages.largest(),
    );
}

/// Workloads and their replicas.
fn workloads(text: &mut Text, view: &View) {
    let totals = &view.totals.workloads;
    for (name, help, value) in [
        ("godwit_workloads", "Workloads that are not being deleted.", totals.count),
        ("godwit_replicas_wanted", "Replicas that run if all is well.", totals.wanted),
        ("godwit_replicas_placed", "Replicas that the plans give to clusters.", totals.placed),
        ("godwit_replicas_ready", "Replicas that are ready, in connected clusters.", totals.ready),
        ("godwit_replicas_pending", "Replicas that are wanted and have no place.", totals.pending),
        (
            "godwit_possible_over_run_replicas",
            "Copies beyond the total that may run in clusters which cannot be heard.",
            totals.possible_over_run,
        ),
        (
            "godwit_drifted_placements",
            "Workloads that a cluster runs otherwise than it was told, and that are left so; each cluster counts.",
            totals.drifted,
        ),
    ] {
        text.gauge(name, help, value);
    }
}

/// Migrations that the hub remembers.
fn migrations(text: &mut Text, view: &View) {
    let states = view.totals.migrations.by_state().map(|(state, migrations)| (state.as_str(), migrations));
    text.gauges("godwit_migrations", "Migrations that are kept, in each state.", "state", states);
}

/// How long losses took.
fn losses(text: &mut Text, view: &View) {
    let times = &view.times;
    text.histogram(
        "godwit_loss_detection_seconds",
        "From the last sign of life of a cluster to the decision that it is lost.",
        &times.detection,
    );
    text.histogram(
        "godwit_loss_wave_seconds",
        "From that decision until the last start was sent to a cluster.",
        &times.wave,
    );
    text.histogram(
        "godwit_loss_recovery_seconds",
        "From that decision until everything was ready elsewhere.",
        &times.recovery,
    );
}

/// Events that are posted.
fn webhook(text: &mut Text, delivery: &Delivery) {
    let Delivery { delivered, failed_attempts, missed } = delivery;
    for (name, help, value) in [
        ("godwit_webhook_delivered_total", "Events that the webhook took.", delivered),
        ("godwit_webhook_failed_attempts_total", "Attempts to post events that failed.", failed_attempts),
        ("godwit_webhook_missed_total", "Events that were forgotten before they could be posted.", missed),
    ] {
        text.counter(name, help, value.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests;
