//! One question to the hub, and its answer.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use godwit_proto::v1;
use godwit_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use godwit_rt::dial::{Connection, Endpoint, dial_with};
use godwit_rt::limits::DialTimeouts;
use rustls::ClientConfig;
use tokio::time::timeout;
use tonic::{Code, Status};

/// A hub writes one record, and signs once.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Whatever a hub says.
const AGAIN_MIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(300);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// A hub has said no; others would say the same.
    #[error("the hub refuses: {0}")]
    Refused(String),
    /// An operator has to decide first.
    #[error(
        "an operator has to let this cluster join: `godwit get enrolments` shows it, `godwit approve cluster` lets it in"
    )]
    Waiting {
        /// When to ask again.
        again: Duration,
    },
    /// No hub was reached, or something here does not work.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

/// Dials one hub after the other until one is reached.
pub(super) async fn dial_any(endpoints: &[Endpoint], tls: &Arc<ClientConfig>) -> anyhow::Result<Connection> {
    let mut failed = Vec::new();
    for endpoint in endpoints {
        match dial_with(endpoint, Arc::clone(tls), DialTimeouts::default()).await {
            Ok(connection) => return Ok(connection),
            Err(error) => failed.push(error.to_string()),
        }
    }
    Err(anyhow!("{}", failed.join("; ")))
}

pub(super) async fn enrol(
    connection: Connection,
    request: v1::EnrolRequest,
) -> Result<v1::Certificate, Refusal> {
    let mut client = EnrolmentServiceClient::new(connection);
    let answer = timeout(ANSWER_WITHIN, client.enrol(request)).await;
    let answer = answer.context("the hub did not answer in time")?.map_err(refusal)?;
    let v1::EnrolResponse { certificate, waiting } = answer.into_inner();
    if let (None, Some(waiting)) = (&certificate, waiting) {
        let again = waiting.ask_again.and_then(|again| Duration::try_from(again).ok());
        return Err(Refusal::Waiting { again: again.unwrap_or_default().clamp(AGAIN_MIN, AGAIN_MAX) });
    }
    whole(certificate)
}

pub(super) async fn renew(
    connection: Connection,
    signing_request: String,
) -> Result<v1::Certificate, Refusal> {
    let mut client = EnrolmentServiceClient::new(connection);
    let answer = timeout(ANSWER_WITHIN, client.renew(v1::RenewRequest { signing_request })).await;
    let answer = answer.context("the hub did not answer in time")?.map_err(refusal)?;
    whole(answer.into_inner().certificate)
}

pub(super) async fn report_issuer(
    connection: Connection,
    request: v1::ReportIssuerRequest,
) -> Result<(), Refusal> {
    let mut client = EnrolmentServiceClient::new(connection);
    let answer = timeout(ANSWER_WITHIN, client.report_issuer(request)).await;
    answer.context("the hub did not answer in time")?.map_err(refusal).map(drop)
}

fn whole(certificate: Option<v1::Certificate>) -> Result<v1::Certificate, Refusal> {
    Ok(certificate.context("the hub answered without a certificate: it is not this version's hub")?)
}

fn refusal(status: Status) -> Refusal {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Internal | Code::Unknown => {
            Refusal::Failed(anyhow!("{}", status.message()))
        }
        Code::Unimplemented => Refusal::Refused(
            "it has no authority of its own (authority.names), so it gives no certificates".to_owned(),
        ),
        _ => Refusal::Refused(status.message().to_owned()),
    }
}
