//! I/O: assembles the operator from its flags, and runs it until a signal or a failure ends it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws::{Aws, ConnectError, Timeouts};
use kube::Client;
use plan::pass::Settings;
use prometheus_client::registry::Registry;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use crate::account::{Limiter, RateLimited};
use crate::clock::PassClock;
use crate::config::{RunFlags, credentials_provider};
use crate::connection::{self, ConfigurationError, NotServed, WatchHealth};
use crate::controller::{self, Context, Watched};
use crate::groups::UserGroups;
use crate::kubernetes::{EventWriters, Events, Kubernetes};
use crate::leader_election::{
    self, Candidate, Contender, Election, Installation, Leadership, LeadershipLost, LeaseForbidden, Leases,
    Timing, Token,
};
use crate::memories::Memories;
use crate::orphans::Orphans;
use crate::places::Places;
use crate::queue::Queue;
use crate::reconcile::Reconciler;
use crate::telemetry::{
    self, Certificate, CertificateError, HttpServer, Metrics, MetricsReaders, ObjectMetrics, OperatorName,
    ProcessMetrics, ReadinessProbe,
};

/// The operator's name in the API server's audit log.
const USER_AGENT: &str = concat!("elasticache-user-operator/", env!("CARGO_PKG_VERSION"));
/// How long calls in flight may continue after SIGTERM.
const GRACE: Duration = Duration::from_secs(8);
/// How long the API server may still take events when the last call has ended, within [`GRACE`].
const EVENTS_GRACE: Duration = Duration::from_secs(2);
/// Each request of a pass has a time-out of its own. One that takes longer than this hangs, which is a defect.
const PASS_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Why the operator could not start, or could not continue. The program prints it as its last line.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}: set KUBECONFIG, or run in a pod with a ServiceAccount")]
    Configuration(ConfigurationError),
    #[error("the Kubernetes configuration cannot be used: {}", connection::kube_error_message(.0))]
    Client(kube::Error),
    #[error(transparent)]
    NotServed(#[from] NotServed),
    #[error(
        "cannot read the namespace kube-system, whose UID names the cluster in owner tags: allow `get` on it, or set \
         --cluster-id ({})",
        connection::kube_error_message(.0)
    )]
    ClusterUid(kube::Error),
    #[error(transparent)]
    Aws(#[from] ConnectError),
    #[error("cannot listen on {address}; choose another {flag}")]
    Listen { address: SocketAddr, flag: &'static str, source: std::io::Error },
    #[error("/metrics cannot be served with TLS")]
    Certificate(#[from] CertificateError),
    #[error("cannot handle signals")]
    Signals(#[source] std::io::Error),
    #[error(transparent)]
    LeaseForbidden(#[from] LeaseForbidden),
    #[error("this replica does not lead any more and ends, so that it can stand by after a restart")]
    LeadershipLost(#[from] LeadershipLost),
    #[error("the controller stopped by itself")]
    ControllerStopped,
    #[error("the controller failed")]
    ControllerFailed(#[source] JoinError),
    #[error("the HTTP server stopped by itself")]
    ServerStopped,
    #[error("the HTTP server failed")]
    ServerFailed(#[source] std::io::Error),
    #[error("the HTTP server failed")]
    ServerPanicked(#[source] JoinError),
}

type ServerTask = JoinHandle<std::io::Result<()>>;

/// Runs the controller until SIGTERM or SIGINT. With leader election, the controller starts when this replica leads.
///
/// # Errors
/// If something is missing that the operator cannot start without, or fails that it cannot continue without.
pub async fn run(run: &RunFlags) -> Result<(), RunError> {
    raise_descriptor_limit();
    let Clients { watches, watch_health, requests, namespace } = clients(run.kubernetes_timeout).await?;
    let namespaces = run.namespaces();
    let scopes = namespaces.len().max(1);
    let asked_in = namespaces.first().cloned();
    connection::serves_users(&requests, asked_in.as_deref(), run.kubernetes_timeout).await?;
    let cluster_id = cluster_id(run, &requests).await?;
    let (mut registry, metrics) = registered_metrics(run, operator_name(run, &namespace));
    let (aws, region) = Aws::connect(Timeouts::within(run.aws_call_timeout)).await?;
    let aws = aws.with_provider(&credentials_provider());
    aws.meter().register(&mut registry);
    let token = if run.leader_elect { Token::none() } else { Token::unlimited() };
    let installation = run.installation(&region, &cluster_id);
    let candidate = candidate(run, &requests, &namespace, installation, token.clone(), &mut registry);
    let limiter = Limiter::new(run.aws_rate, run.aws_burst);
    registry.register_collector(Box::new(limiter.clone()));
    let server = http_server(run, requests.clone()).await?;
    log_start(&cluster_id, &region, &namespaces, &server)?;

    let (end, ending) = watch::channel(false);
    let kubernetes = Kubernetes::new(requests.clone(), token.clone()).counting(metrics.kubernetes_failures());
    let (events, event_writers) = Events::start(&kubernetes, metrics.events_dropped());
    let context = Arc::new(Context {
        queue: Queue::new(run.concurrency, run.pace().spacing, metrics.queue.clone()),
        reconciler: Reconciler {
            kubernetes,
            events,
            users: RateLimited::new(aws.with_token(token), limiter),
            places: Places::new(run.max_users_per_namespace),
            policy: run.policy(cluster_id),
            settings: Arc::new(settings(run, region, &namespaces)),
            memories: Memories::default(),
            orphans: Orphans::default(),
            groups: UserGroups::new(run.pace(), metrics.groups.clone()),
            corrections: metrics.corrections(),
            orphans_removed: metrics.orphans_removed(),
            pass_timeout: PASS_TIMEOUT,
            clock: PassClock::start(),
            ending: ending.clone(),
        },
        metrics,
    });
    // A standby has no cache that could be out of date.
    let unsynced = Arc::new(AtomicUsize::new(if run.leader_elect { 0 } else { scopes }));
    let readiness = ReadinessProbe::new(unsynced.clone(), requests, asked_in);
    let readiness = readiness.watching(watch_health.clone(), run.kubernetes_timeout);
    let readiness = readiness.sharing_lease(candidate.as_ref().map(Candidate::foreign_holder));
    let mut server = tokio::spawn(telemetry::serve_http(server, registry, readiness));
    let mut signals = StopSignals::listen().map_err(RunError::Signals)?;
    let Turn::Work(leadership) = stand_by(candidate, &mut signals, &mut server).await? else { return Ok(()) };
    unsynced.store(scopes, Ordering::Relaxed);
    let synced = Arc::new(move |_| {
        unsynced.fetch_sub(1, Ordering::Relaxed);
    });
    let watched = Watched { namespaces, secrets: run.secret_watch(), health: watch_health };
    let controllers = tokio::spawn(controller::run(watches, watched, context, ending, synced));
    Running { controllers, event_writers, server, leadership, signals }.until_end(&end).await
}

fn registered_metrics(run: &RunFlags, operator: OperatorName<'_>) -> (Registry, Metrics) {
    let mut registry = Registry::default();
    let objects = ObjectMetrics::new(run.default_deletion_policy.as_str());
    let metrics = Metrics::register(&mut registry, objects, operator);
    registry.register_collector(Box::new(ProcessMetrics::default()));
    (registry, metrics)
}

fn operator_name<'a>(run: &'a RunFlags, namespace: &'a str) -> OperatorName<'a> {
    let namespace = run.lease_namespace().unwrap_or(namespace);
    OperatorName { namespace, release: run.release.as_deref().unwrap_or_default() }
}

fn settings(run: &RunFlags, region: String, namespaces: &[String]) -> Settings {
    let identity = leader_election::identity(run.replica());
    Settings { pace: run.pace(), region, identity, namespaces: namespaces.to_vec() }
}

/// Raises the soft limit of open files to the hard one, so that connections to /metrics and those to the API server and AWS do
/// not compete for descriptors. A limit that stays as it is does no harm.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

fn log_start(
    cluster_id: &str,
    region: &str,
    namespaces: &[String],
    server: &HttpServer,
) -> Result<(), RunError> {
    let http = server.listener.local_addr().map_err(RunError::ServerFailed)?;
    let health = server.health.as_ref().and_then(|listener| listener.local_addr().ok());
    let health = health.map(tracing::field::display);
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(version, cluster_id, region, ?namespaces, %http, health, "starting");
    Ok(())
}

async fn http_server(run: &RunFlags, client: Client) -> Result<HttpServer, RunError> {
    let secure = if run.metrics_secure {
        let folder = run.metrics_cert_dir.as_ref().ok_or(CertificateError::NoFolder)?;
        Some((Certificate::load(folder)?, MetricsReaders::new(client)))
    } else {
        None
    };
    let health = match run.health_addr {
        Some(address) => Some(listen(address, "--health-addr").await?),
        None => None,
    };
    Ok(HttpServer { listener: listen(run.http_addr, "--http-addr").await?, health, secure })
}

async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Listen { address, flag, source })
}

/// `None` without leader election.
fn candidate(
    run: &RunFlags,
    client: &Client,
    namespace: &str,
    installation: Installation,
    token: Token,
    registry: &mut Registry,
) -> Option<Candidate<Leases>> {
    if !run.leader_elect {
        return None;
    }
    let lease = run.lease_name();
    let leases = Leases::new(client.clone(), run.lease_namespace().unwrap_or(namespace), &lease);
    let identity = leader_election::identity(run.replica());
    let contender = Contender { lease: lease.clone(), identity, installation };
    let election = Election::new(contender, Timing::default(), Instant::now());
    Some(Candidate::new(leases, election, token, leader_election::register_gauge(registry, &lease)))
}

enum Turn {
    /// `None` without leader election.
    Work(Option<Leadership>),
    /// A signal came before this replica led.
    Stop,
}

/// Waits until this replica may work.
async fn stand_by(
    candidate: Option<Candidate<Leases>>,
    signals: &mut StopSignals,
    server: &mut ServerTask,
) -> Result<Turn, RunError> {
    let Some(mut candidate) = candidate else { return Ok(Turn::Work(None)) };
    tokio::select! {
        elected = candidate.campaign() => elected?,
        () = signals.received() => {
            candidate.resign().await;
            tracing::info!("ended");
            return Ok(Turn::Stop);
        }
        ended = server => return Err(server_error(ended)),
    }
    Ok(Turn::Work(Some(candidate.lead())))
}

/// The tasks of a replica that works.
struct Running {
    controllers: JoinHandle<Result<(), JoinError>>,
    event_writers: EventWriters,
    server: ServerTask,
    /// `None` without leader election.
    leadership: Option<Leadership>,
    signals: StopSignals,
}

impl Running {
    async fn until_end(mut self, end: &watch::Sender<bool>) -> Result<(), RunError> {
        tokio::select! {
            () = self.signals.received() => {}
            lost = leadership_lost(&mut self.leadership) => return Err(lost.into()),
            ended = &mut self.controllers => {
                return Err(controllers_ended(ended).err().unwrap_or(RunError::ControllerStopped));
            }
            ended = &mut self.server => return Err(server_error(ended)),
        }
        end.send_replace(true);
        self.finish().await
    }

    async fn finish(mut self) -> Result<(), RunError> {
        let deadline = Instant::now() + GRACE;
        tokio::select! {
            ended = tokio::time::timeout_at(deadline, &mut self.controllers) => match ended {
                Ok(ended) => controllers_ended(ended)?,
                Err(_) => {
                    tracing::warn!("cutting what did not finish within {} s", GRACE.as_secs());
                    self.controllers.abort();
                }
            },
            lost = leadership_lost(&mut self.leadership) => return Err(lost.into()),
        }
        self.event_writers.finish(deadline.min(Instant::now() + EVENTS_GRACE)).await;
        if let Some(leadership) = self.leadership {
            leadership.resign().await;
        }
        self.server.abort();
        tracing::info!("ended");
        Ok(())
    }
}

/// Never returns without leader election. A replica that lost leadership must not continue, because it may have begun work that
/// it has no right to any more.
async fn leadership_lost(leadership: &mut Option<Leadership>) -> LeadershipLost {
    match leadership {
        Some(leadership) => leadership.lost().await,
        None => std::future::pending().await,
    }
}

fn controllers_ended(ended: Result<Result<(), JoinError>, JoinError>) -> Result<(), RunError> {
    ended.flatten().map_err(RunError::ControllerFailed)
}

fn server_error(ended: Result<std::io::Result<()>, JoinError>) -> RunError {
    match ended {
        Ok(Ok(())) => RunError::ServerStopped,
        Ok(Err(error)) => RunError::ServerFailed(error),
        Err(error) => RunError::ServerPanicked(error),
    }
}

struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("SIGTERM: finishing what is under way"),
            _ = self.interrupt.recv() => tracing::info!("SIGINT: finishing what is under way"),
        }
    }
}

struct Clients {
    watches: Client,
    watch_health: WatchHealth,
    requests: Client,
    /// The namespace of the kubeconfig's context, or the pod's own.
    namespace: String,
}

async fn clients(timeout: Duration) -> Result<Clients, RunError> {
    let config = connection::configuration(USER_AGENT).await.map_err(RunError::Configuration)?;
    let namespace = config.default_namespace.clone();
    let client = |config| Client::try_from(config).map_err(RunError::Client);
    let requests = client(connection::with_timeout(&config, timeout))?;
    let watch_health = WatchHealth::default();
    let watches = connection::watching(client(config)?, watch_health.clone(), timeout);
    Ok(Clients { watches, watch_health, requests, namespace })
}

/// The cluster's name in owner tags.
async fn cluster_id(run: &RunFlags, client: &Client) -> Result<String, RunError> {
    match &run.cluster_id {
        Some(id) => Ok(id.clone()),
        None => connection::cluster_uid(client).await.map_err(RunError::ClusterUid),
    }
}
