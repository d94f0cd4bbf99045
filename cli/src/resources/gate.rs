//! What is under the fence `gate`: what a long absence of the hub ends, and when it counts as gone (S9).

use std::io;
use std::time::Duration;

use godwit_proto::v1::Gate;

use super::cluster::counted;
use crate::output::age;
use crate::output::colour::Colour;
use crate::output::sheet::Sheet;

/// Of a cluster, or of a workload.
pub(crate) fn describe(gate: Option<&Gate>, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let Some(gate) = gate else { return Ok(()) };
    if gate.pods > 0 {
        sheet.line("Ends by itself", said(gate))?;
    }
    let plain = gate.unsupervised.iter().map(|place| format!("{place}: the fence is as confirm there"));
    let plain: Vec<String> = plain.collect();
    if !plain.is_empty() {
        sheet.coloured("No supervisor", plain.join("; "), Some(Colour::Yellow))?;
    }
    Ok(())
}

fn said(gate: &Gate) -> String {
    let span = |ms: u32| age::short(Duration::from_millis(ms.into()));
    let when = match &gate.ends {
        Some(ends) => format!("they count as gone at {}", age::moment(Some(ends))),
        None => format!("lost, they are replaced {} after the last renewal", span(gate.wait_ms)),
    };
    let pods = counted(gate.pods, "pod");
    format!("{pods}, when no hub has renewed the lease for {}; {when}", span(gate.lease_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_ends_and_when_that_is_known() {
        let gate = Gate { pods: 3, lease_ms: 60_000, wait_ms: 95_600, ..Gate::default() };
        let expected = "3 pods, when no hub has renewed the lease for 60s; lost, they are replaced 95s after the last \
                        renewal";
        assert_eq!(said(&gate), expected);
        let ends = Some(prost_types::Timestamp { seconds: 1_764_000_000, nanos: 0 });
        let away = said(&Gate { pods: 1, ends, ..gate });
        assert!(
            away.starts_with("1 pod, ") && away.ends_with("; they count as gone at 2025-11-24T16:00:00Z"),
            "{away}"
        );
    }
}
