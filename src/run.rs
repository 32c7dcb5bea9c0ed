//! I/O: puts the operator together from its flags, and runs it until it is told to end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use aws::{Aws, Timeouts};
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::account::{Limiter, RateLimited};
use crate::config::Run;
use crate::connection;
use crate::controller::{self, Context, Watched};
use crate::leader_election::{self, Candidate, Election, Leadership, Leases, Timing, Token};
use crate::memory::Memory;
use crate::objects::Objects;
use crate::orphans::Orphans;
use crate::reconcile::Shell;
use crate::resolve::Policy;
use crate::telemetry::{self, Metrics, Readiness};

/// Who asks, in the API server's audit log.
const USER_AGENT: &str = concat!("elasticache-user-operator/", env!("CARGO_PKG_VERSION"));
/// Calls in flight may finish for this long after SIGTERM.
const GRACE: Duration = Duration::from_secs(8);
/// A pass may wait for the rate limiter, for long where AWS throttles; a pass that hangs is a defect.
const PASS_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Runs the controller until SIGTERM or SIGINT; with leader election, from when this replica leads.
///
/// # Errors
/// One sentence, where something is missing that it cannot begin without, or something broke that it cannot go on without.
pub async fn run(run: &Run) -> anyhow::Result<()> {
    let Clients { watches, requests, namespace } = clients(run.kubernetes_timeout).await?;
    let namespaces = run.namespaces();
    let scopes = namespaces.len().max(1);
    connection::serves_users(&requests, namespaces.first().map(String::as_str))
        .await
        .map_err(|why| anyhow!(why))?;
    let cluster_id = cluster_id(run, &requests).await?;
    let mut registry = Registry::default();
    let objects = telemetry::Objects::new(run.default_deletion_policy.as_str());
    let metrics = Metrics::register(&mut registry, objects);
    registry.register_collector(Box::new(telemetry::Process::default()));
    let (aws, region) = Aws::connect(Timeouts::within(run.aws_call_timeout)).await?;
    aws.meter().register(&mut registry);
    let token = if run.leader_elect { Token::none() } else { Token::unlimited() };
    let candidate =
        run.leader_elect.then(|| candidate(run, requests.clone(), &namespace, token.clone(), &mut registry));
    let listener = TcpListener::bind(run.http_addr)
        .await
        .with_context(|| format!("cannot listen on {}; choose another --http-addr", run.http_addr))?;
    let http = listener.local_addr()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), cluster_id, region, ?namespaces, %http, "starting");

    let (end, ending) = watch::channel(false);
    let context = Arc::new(Context {
        shell: Shell {
            objects: Objects::new(requests.clone(), token.clone()),
            users: RateLimited::new(aws.with_token(token), Limiter::new(run.aws_rate, run.aws_burst)),
            policy: Policy {
                cluster_id,
                default_deletion_policy: run.default_deletion_policy.into(),
                adoption_namespaces: run.adoption_namespaces(),
                required_prefix: run.required_user_id_prefix.clone(),
            },
            pace: run.pace(),
            region,
            memory: Memory::default(),
            namespaces: namespaces.clone(),
            orphans: Orphans::new(metrics.orphans_removed()),
            corrections: metrics.corrections(),
            account: Mutex::new(None),
            ending: ending.clone(),
        },
        metrics,
        pass_timeout: PASS_TIMEOUT,
    });
    // A standby has no cache that could be out of date.
    let unsynced = Arc::new(AtomicUsize::new(if run.leader_elect { 0 } else { scopes }));
    let readiness =
        Readiness { unsynced: unsynced.clone(), client: requests, namespace: namespaces.first().cloned() };
    let mut server = tokio::spawn(telemetry::serve(listener, registry, readiness));
    let mut told = Told::listen()?;
    let leadership = match candidate {
        None => None,
        Some(candidate) => match stand_by(candidate, &mut told, &mut server).await? {
            Some(leadership) => Some(leadership),
            None => return Ok(()),
        },
    };
    unsynced.store(scopes, Ordering::Relaxed);
    let synced = Arc::new(move |_| {
        unsynced.fetch_sub(1, Ordering::Relaxed);
    });
    let watched = Watched { namespaces, secrets: run.secret_namespaces() };
    let controllers =
        tokio::spawn(controller::run(watches, watched, run.concurrency, context, ending, synced));
    supervise(controllers, server, leadership, told, end).await
}

fn candidate(
    run: &Run,
    client: Client,
    namespace: &str,
    token: Token,
    registry: &mut Registry,
) -> Candidate<Leases> {
    let leases = Leases::new(client, run.lease_namespace().unwrap_or(namespace));
    let election = Election::new(leader_election::identity(run.replica()), Timing::default(), Instant::now());
    Candidate::new(leases, election, token, leader_election::register(registry))
}

/// Whether this replica leads now; `None` where it was told to end before its turn came.
async fn stand_by(
    mut candidate: Candidate<Leases>,
    told: &mut Told,
    server: &mut JoinHandle<std::io::Result<()>>,
) -> anyhow::Result<Option<Leadership>> {
    tokio::select! {
        won = candidate.win() => won?,
        () = told.end() => {
            candidate.leave().await;
            tracing::info!("ended");
            return Ok(None);
        }
        ended = server => return Err(broken(ended)),
    }
    Ok(Some(candidate.lead()))
}

/// Ends when told to, or when a part ends that should not.
async fn supervise(
    mut controllers: JoinHandle<()>,
    mut server: JoinHandle<std::io::Result<()>>,
    mut leadership: Option<Leadership>,
    mut told: Told,
    end: watch::Sender<bool>,
) -> anyhow::Result<()> {
    tokio::select! {
        () = told.end() => {}
        why = lost(&mut leadership) => return Err(deposed(&why)),
        ended = &mut controllers => {
            ended.context("the controller broke")?;
            bail!("the controller ended by itself");
        }
        ended = &mut server => return Err(broken(ended)),
    }
    end.send_replace(true);
    tokio::select! {
        ended = tokio::time::timeout(GRACE, &mut controllers) => match ended {
            Ok(ended) => ended.context("the controller broke")?,
            Err(_) => {
                tracing::warn!("cutting what did not finish within {} s", GRACE.as_secs());
                controllers.abort();
            }
        },
        why = lost(&mut leadership) => return Err(deposed(&why)),
    }
    if let Some(leadership) = leadership {
        leadership.leave().await;
    }
    server.abort();
    tracing::info!("ended");
    Ok(())
}

/// Waits until the lead is lost; without leader election it never is.
async fn lost(leadership: &mut Option<Leadership>) -> String {
    match leadership {
        Some(leadership) => leadership.lost().await,
        None => std::future::pending().await,
    }
}

/// A process that led may have work under way that it has no right to any more: it ends, and stands by as a new one.
fn deposed(why: &str) -> anyhow::Error {
    anyhow!("this replica does not lead any more, as {why}; it ends, to stand by once it is started again")
}

fn broken(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow!("the HTTP server ended by itself"),
        Ok(Err(error)) => anyhow::Error::new(error).context("the HTTP server broke"),
        Err(error) => anyhow::Error::new(error).context("the HTTP server broke"),
    }
}

/// The signals that tell it to end.
struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    fn listen() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("SIGTERM: finishing what is under way"),
            _ = self.interrupt.recv() => tracing::info!("interrupted: finishing what is under way"),
        }
    }
}

/// Connections to the cluster.
struct Clients {
    /// For watches, which may be silent for long.
    watches: Client,
    /// For requests, which may not.
    requests: Client,
    /// The namespace of the kubeconfig's context, or the pod's own.
    namespace: String,
}

async fn clients(timeout: Duration) -> anyhow::Result<Clients> {
    let config = connection::configuration(USER_AGENT).await.map_err(|error| {
        tracing::debug!(%error, "no cluster");
        let why = connection::no_configuration(&error);
        anyhow!("{why}: set KUBECONFIG, or run in a pod with a ServiceAccount")
    })?;
    let namespace = config.default_namespace.clone();
    let client = |config| Client::try_from(config).context("cannot use the Kubernetes configuration");
    let requests = client(connection::within(&config, timeout))?;
    Ok(Clients { watches: client(config)?, requests, namespace })
}

/// What owner tags call the cluster.
async fn cluster_id(run: &Run, client: &Client) -> anyhow::Result<String> {
    if let Some(id) = &run.cluster_id {
        return Ok(id.clone());
    }
    connection::cluster_uid(client).await.map_err(|error| {
        tracing::debug!(%error, "no UID");
        anyhow!("cannot read the namespace kube-system, whose UID names the cluster in owner tags: allow `get` on it, or set --cluster-id")
    })
}
