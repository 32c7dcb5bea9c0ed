//! I/O: puts the operator together from its flags, and runs it until it is told to end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Config};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::config::Run;
use crate::controller::{self, Context, Watched};
use crate::memory::Memory;
use crate::objects::Objects;
use crate::reconcile::Shell;
use crate::resolve::Policy;
use crate::telemetry::{self, Metrics, Readiness};
use crate::users::{Aws, Limiter, Paced, Timeouts};

/// Who asks, in the API server's audit log.
const USER_AGENT: &str = concat!("elasticache-user-operator/", env!("CARGO_PKG_VERSION"));
/// Calls in flight may finish for this long after SIGTERM.
const GRACE: Duration = Duration::from_secs(8);
/// A pass may wait for the rate limiter, for long where AWS throttles; a pass that hangs is a defect.
const PASS_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Runs the controller until SIGTERM or SIGINT.
///
/// # Errors
/// One sentence, where something is missing that it cannot begin without, or something broke that it cannot go on without.
pub async fn run(run: &Run) -> anyhow::Result<()> {
    let (watches, requests) = clients(run.kubernetes_timeout).await?;
    let namespaces = run.namespaces();
    telemetry::resource(&requests, namespaces.first().map(String::as_str))
        .await
        .map_err(|why| anyhow!(why))?;
    let cluster_id = match &run.cluster_id {
        Some(id) => id.clone(),
        None => cluster_uid(&requests).await?,
    };
    let mut registry = Registry::default();
    let objects = telemetry::Objects::new(run.default_deletion_policy.as_str());
    let metrics = Metrics::register(&mut registry, objects);
    registry.register_collector(Box::new(telemetry::Process::default()));
    let (aws, region) = Aws::connect(Timeouts::within(run.aws_call_timeout)).await?;
    aws.meter().register(&mut registry);
    let listener = TcpListener::bind(run.http_addr)
        .await
        .with_context(|| format!("cannot listen on {}; choose another --http-addr", run.http_addr))?;
    let http = listener.local_addr()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), cluster_id, region, ?namespaces, %http, "starting");

    let (end, ending) = watch::channel(false);
    let context = Arc::new(Context {
        shell: Shell {
            objects: Objects::new(requests.clone()),
            users: Paced::new(aws, Limiter::new(run.aws_rate, run.aws_burst)),
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
            corrections: metrics.corrections(),
            account: Mutex::new(None),
            ending: ending.clone(),
        },
        metrics,
        pass_timeout: PASS_TIMEOUT,
    });
    let unsynced = Arc::new(AtomicUsize::new(namespaces.len().max(1)));
    let readiness =
        Readiness { unsynced: unsynced.clone(), client: requests, namespace: namespaces.first().cloned() };
    let synced = Arc::new(move |_| {
        unsynced.fetch_sub(1, Ordering::Relaxed);
    });
    let watched = Watched { namespaces, secrets: run.secret_namespaces() };
    let controllers =
        tokio::spawn(controller::run(watches, watched, run.concurrency, context, ending, synced));
    let server = tokio::spawn(telemetry::serve(listener, registry, readiness));
    supervise(controllers, server, end).await
}

/// Ends when told to, or when a part ends that should not.
async fn supervise(
    mut controllers: tokio::task::JoinHandle<()>,
    mut server: tokio::task::JoinHandle<std::io::Result<()>>,
    end: watch::Sender<bool>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: finishing what is under way"),
        _ = interrupt.recv() => tracing::info!("interrupted: finishing what is under way"),
        ended = &mut controllers => {
            ended.context("the controller broke")?;
            bail!("the controller ended by itself");
        }
        ended = &mut server => {
            ended.context("the HTTP server broke")?.context("the HTTP server broke")?;
            bail!("the HTTP server ended by itself");
        }
    }
    end.send_replace(true);
    match tokio::time::timeout(GRACE, &mut controllers).await {
        Ok(ended) => ended.context("the controller broke")?,
        Err(_) => {
            tracing::warn!("cutting what did not finish within {} s", GRACE.as_secs());
            controllers.abort();
        }
    }
    server.abort();
    tracing::info!("ended");
    Ok(())
}

/// One client for watches, which may be silent for long, and one for requests, which may not.
async fn clients(timeout: Duration) -> anyhow::Result<(Client, Client)> {
    let mut config = Config::infer().await.map_err(|error| {
        tracing::debug!(%error, "no cluster");
        anyhow!("no Kubernetes cluster is configured: set KUBECONFIG, or run in a pod with a ServiceAccount")
    })?;
    config.headers.push(("user-agent".parse()?, USER_AGENT.parse()?));
    let mut watches = config.clone();
    watches.default_retry = false;
    let mut requests = config;
    requests.default_retry = false;
    requests.connect_timeout = Some(timeout.min(Duration::from_secs(5)));
    requests.read_timeout = Some(timeout);
    requests.write_timeout = Some(timeout);
    requests.reset_reader_on_write = true;
    let client = |config| Client::try_from(config).context("cannot use the Kubernetes configuration");
    Ok((client(watches)?, client(requests)?))
}

/// The UID of the namespace kube-system: the same for as long as the cluster lives.
async fn cluster_uid(client: &Client) -> anyhow::Result<String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let found = namespaces.get_metadata("kube-system").await;
    let uid = found.ok().and_then(|namespace| namespace.metadata.uid);
    uid.ok_or_else(|| {
        anyhow!("cannot read the namespace kube-system, whose UID names the cluster in owner tags: allow `get` on it, or set --cluster-id")
    })
}
