//! The hub as a process: everything checked, then opened, then served, and ended in order.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use godwit_hub_core::Config;
use godwit_proto::v1::agent_service_server::AgentServiceServer;
use godwit_proto::v1::enrolment_service_server::EnrolmentServiceServer;
use godwit_rt::health;
use godwit_rt::limits::{PlainLimits, ServerLimits};
use godwit_rt::plain::Page;
use godwit_rt::rates::Rates;
use godwit_rt::serve::serve;
use godwit_rt::shutdown;
use godwit_rt::{atomic_file, plain};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::{Routes, RoutesBuilder};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::admin::{self, Admin};
use crate::args::Args;
use crate::audit::Audit;
use crate::authority::{self, Credentials, Enrolments, Entry, follow_revocations};
use crate::config::Settings;
use crate::driver::{self, Handle};
use crate::guard::{CallPace, Guard};
use crate::inquiries::Inquiries;
use crate::metrics;
use crate::sessions::Agents;
use crate::store::{Place, Restored};
use crate::webhook::{Delivery, Webhook};

/// How long the driver may take for one turn before the hub counts as dead. A turn ends with a commit, and a disk may be
/// slow without being broken; the largest failover takes a few seconds.
const TURN_MAX: Duration = Duration::from_secs(60);
/// The whole of the server, as health calls it.
const SERVER: &str = "";

/// A signing request has at most 16 KiB, an issuer's keys 32 KiB, the token of a service account 8 KiB, and what goes with
/// them a few hundred bytes.
const ENROLMENT_BYTES_MAX: usize = 64 * 1024;
/// Connections at once at the port for enrolment, where anybody may knock.
const STRANGERS_MAX: usize = 256;

/// Serves until a signal, or until the driver fails.
pub(crate) async fn run(settings: Settings, args: &Args) -> anyhow::Result<()> {
    let stop = shutdown::on_signals().context("signals cannot be received")?;
    if args.exit_with_stdin {
        shutdown::exit_with_stdin(&stop);
    }
    if let Some(path) = &args.ready_file {
        forget(path)?;
    }
    authority::check(&settings)?;
    let (listener, address) = bind("listen", &settings.listen).await?;
    let scraped = match settings.metrics.listen.as_str() {
        "" => None,
        listen => Some(bind("metrics.listen", listen).await?),
    };
    let delivery = Arc::<Delivery>::default();
    let webhook = Webhook::open(&settings.webhook, &settings.data_dir, Arc::clone(&delivery))?;
    let core = core(&settings, args.recover);
    let (driver, mut running) = driver::start(core, place(&settings)?, seed()?).await?;
    // The store is ours alone by now, and so is what is made beside it.
    let credentials = Credentials::open(&settings, &follow_revocations(&driver))?;
    let enrolments = enrolments(&settings, &driver, &credentials);
    let (mut reporter, routes) = routes(&settings, &driver, &credentials, enrolments.clone(), &stop).await?;
    let Entry { tls, door } = credentials.members.clone();
    let limits = settings.limits.server();
    let audit = Audit::open(&settings).context("the audit log in data_dir cannot be written")?;
    let behind = |routes, pace| Guard::new(routes, driver.clone(), audit.clone(), pace);
    let pace = CallPace::Identity(Rates::of(settings.limits.calls_per_second));
    let server = tokio::spawn(serve(listener, tls, door, behind(routes, pace), limits, stop.clone()));
    let strangers = credentials.strangers.clone();
    let strangers = enrol_strangers(&settings, behind, strangers, enrolments, &stop).await?;
    credentials.keep(&stop);
    let ready = Arc::new(AtomicBool::new(true));
    let scraped = scraped.map(|(listener, address)| {
        tracing::info!(%address, path = metrics::PATH, "serving metrics and health");
        let pages = plain_pages(&driver, delivery, Arc::clone(&ready));
        tokio::spawn(plain::serve(listener, pages, PlainLimits::default(), stop.clone()))
    });
    let told = webhook.map(|webhook| tokio::spawn(webhook.run(driver.clone(), stop.clone())));
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "serving agents and operators");
    announce(address, args.ready_file.as_deref())?;
    let failed = tokio::select! {
        () = stop.cancelled() => None,
        result = running.ended() => Some(result),
    };
    ready.store(false, Ordering::Relaxed);
    reporter.set_service_status(SERVER, ServingStatus::NotServing).await;
    let result = match failed {
        Some(result) => result,
        None => {
            driver.stop().await;
            running.ended().await
        }
    };
    // Watches of health have heard it by now: they end with what they watch, and hold up nobody.
    reporter.clear_service_status(SERVER).await;
    stop.cancel();
    // It cuts what does not end within limits.drain_timeout.
    let served = server.await;
    result?;
    served.context("serving panicked; this is a fault of godwit-hub")?;
    if let Some(strangers) = strangers {
        strangers.await.context("serving enrolments panicked; this is a fault of godwit-hub")?;
    }
    if let Some(scraped) = scraped {
        scraped.await.context("serving metrics panicked; this is a fault of godwit-hub")?;
    }
    if let Some(told) = told {
        told.await.context("posting events panicked; this is a fault of godwit-hub")?;
    }
    tracing::info!("stopped");
    Ok(())
}

/// Makes the store of a backup, and says what was in it.
pub(crate) fn restore(settings: &Settings, backup: &Path) -> anyhow::Result<()> {
    let named = || format!("--restore {} cannot be restored", backup.display());
    let file = std::fs::File::open(backup).with_context(named)?;
    let file = std::io::BufReader::new(file);
    let restored =
        driver::restore(core(settings, true), &place(settings)?, seed()?, file).with_context(named)?;
    let Restored { rows, epoch, written } = restored;
    let age = driver::wall_time().0.saturating_sub(written.0) / 1_000;
    Ok(writeln!(
        std::io::stdout(),
        "{rows} records of epoch {epoch}, written {age} s ago, are in {}.\nStart the hub; it stands still until \
         `godwit freeze release` accepts what it has found",
        settings.data_dir.display()
    )?)
}

/// Where the store is; its keys are read.
pub(crate) fn place(settings: &Settings) -> anyhow::Result<Place> {
    let keys = settings.store.keys().context("store.key_file and store.former_key_files")?;
    Ok(Place { folder: settings.data_dir.clone(), keys })
}

fn core(settings: &Settings, recover: bool) -> Config {
    Config { recover, reader: admin::reader(), roles: settings.access.roles(), ..settings.federation.core() }
}

fn seed() -> anyhow::Result<u64> {
    getrandom::u64().map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))
}

/// The service for certificates, if there is an authority.
fn enrolments(settings: &Settings, driver: &Handle, credentials: &Credentials) -> Option<Enrolments> {
    let own = Arc::clone(credentials.own.as_ref()?);
    Some(Enrolments::new(driver.clone(), own, settings))
}

/// The port for callers without a certificate: enrolment, and nothing else, not even reflection.
async fn enrol_strangers(
    settings: &Settings,
    behind: impl FnOnce(Routes, CallPace) -> Guard,
    entry: Option<Entry>,
    enrolments: Option<Enrolments>,
    stop: &CancellationToken,
) -> anyhow::Result<Option<JoinHandle<()>>> {
    let listen = settings.enrolment.listen.as_str();
    let (Some(entry), Some(enrolments), false) = (entry, enrolments, listen.is_empty()) else {
        return Ok(None);
    };
    let (listener, address) = bind("enrolment.listen", listen).await?;
    tracing::info!(%address, "serving enrolment");
    let Entry { tls, door } = entry;
    let mut routes = RoutesBuilder::default();
    routes.add_service(enrolment_server(enrolments));
    let limits = ServerLimits { connections_max: STRANGERS_MAX, ..settings.limits.server() };
    let guarded = behind(routes.routes(), CallPace::Address(Rates::of(settings.limits.calls_per_second)));
    Ok(Some(tokio::spawn(serve(listener, tls, door, guarded, limits, stop.clone()))))
}

fn enrolment_server(enrolments: Enrolments) -> EnrolmentServiceServer<Enrolments> {
    EnrolmentServiceServer::new(enrolments).max_decoding_message_size(ENROLMENT_BYTES_MAX)
}

/// What anybody who reaches the port may know: metrics, and health as a kubelet asks it, which has no certificate.
fn plain_pages(driver: &Handle, delivery: Arc<Delivery>, ready: Arc<AtomicBool>) -> Vec<Page> {
    let serves = move || match ready.load(Ordering::Relaxed) {
        true => Ok(()),
        false => Err("the hub is stopping".to_owned()),
    };
    let mut pages = vec![metrics::page(driver.clone(), delivery)];
    pages.extend(health::pages(driver.pulse(), TURN_MAX, serves));
    pages
}

async fn bind(key: &str, listen: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("{key} = {listen:?} cannot be bound: choose a free port, or stop what holds it")
    })?;
    let address = listener.local_addr().context("the bound address is unknown")?;
    Ok((listener, address))
}

/// Everything on the one port: agents, operators, health and reflection. The last two are open to every certificate
/// that the authorities have signed.
async fn routes(
    settings: &Settings,
    driver: &Handle,
    credentials: &Credentials,
    enrolments: Option<Enrolments>,
    stop: &CancellationToken,
) -> anyhow::Result<(HealthReporter, Routes)> {
    let limits = &settings.limits;
    let mut routes = RoutesBuilder::default();
    let inquiries = Inquiries::default();
    let agents =
        Agents::new(driver.clone(), limits, inquiries.clone(), credentials.holders.clone(), stop.clone());
    let agents = AgentServiceServer::new(agents)
        .max_decoding_message_size(limits.agent_message_bytes as usize)
        // The messages' own bounds are tighter.
        .max_encoding_message_size(usize::MAX);
    routes.add_service(agents);
    if let Some(enrolments) = enrolments {
        routes.add_service(enrolment_server(enrolments));
    }
    let lost_after = settings.federation.lost_after.0;
    let own = credentials.own.clone();
    let watches = limits.watches as usize;
    let admin = Admin::new(driver.clone(), inquiries, watches, lost_after, own, stop.clone());
    admin.add_to(&mut routes, limits.admin_message_bytes as usize);
    let (reporter, health) = tonic_health::server::health_reporter();
    // The driver has loaded the store, or we would not be here.
    reporter.set_service_status(SERVER, ServingStatus::Serving).await;
    routes.add_service(health);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(godwit_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    routes.add_service(reflection().build_v1().context("the protocol's description is broken")?);
    routes.add_service(reflection().build_v1alpha().context("the protocol's description is broken")?);
    Ok((reporter, routes.routes()))
}

/// The file of an earlier run would tell of a hub that is not there yet.
fn forget(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("--ready-file {} cannot be removed", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Says where the hub listens, for whoever started it: the port may have been 0.
fn announce(address: SocketAddr, file: Option<&Path>) -> anyhow::Result<()> {
    if let Some(path) = file {
        atomic_file::write(path, format!("{address}\n").as_bytes(), atomic_file::PUBLIC)
            .with_context(|| format!("--ready-file {} cannot be written", path.display()))?;
    }
    // A closed standard output is nobody's loss.
    let _ = writeln!(std::io::stdout(), "godwit-hub ready {address}");
    Ok(())
}

/// How long the runtime's own tasks may take to end after everything else has.
pub(crate) const RUNTIME_END: Duration = Duration::from_secs(2);
