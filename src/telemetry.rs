//! I/O: logs, metrics, and the HTTP server with /livez, /readyz and /metrics.

mod escaped_lines;
mod log_line;
mod objects;
mod passes;
mod process;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kube::Client;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, RunFlags};
use crate::connection;

pub use escaped_lines::EscapedLines;
pub use log_line::write_log_line;
pub use objects::ObjectMetrics;
pub use passes::{Measured, Metrics, QueueMetrics, Reconciled};
pub use process::ProcessMetrics;

/// How long /readyz waits for the API server.
const READY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long /readyz repeats an answer of the API server.
const READY_MAX_AGE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
#[error("--log {filter:?} is not a valid filter; write a level such as info, or info,kube=debug")]
pub struct InvalidLogFilter {
    filter: String,
    source: ParseError,
}

/// Starts to log to standard error.
///
/// # Errors
/// If --log is not a valid filter.
pub fn start_logging(run: &RunFlags) -> Result<(), InvalidLogFilter> {
    let filter = EnvFilter::try_new(&run.log)
        .map_err(|source| InvalidLogFilter { filter: run.log.clone(), source })?;
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(may_be_logged));
    let lines = tracing_subscriber::fmt::layer().with_target(true).with_ansi(false);
    match run.log_format {
        LogFormat::Text => {
            registry.with(lines.with_writer(|| EscapedLines::new(std::io::stderr()))).init();
        }
        LogFormat::Json => registry
            .with(
                lines
                    .with_writer(std::io::stderr)
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_span_list(false),
            )
            .init(),
    }
    Ok(())
}

/// Blocks what logs whole answers, because an answer may contain a password: the SDK's TRACE level, and at every level the
/// module of kube that decodes answers. The caller logs why its request failed.
pub fn may_be_logged(line: &Metadata<'_>) -> bool {
    let sdk = *line.level() > Level::DEBUG && line.target().starts_with("aws_");
    !sdk && line.target() != "kube_client::client"
}

/// Decides whether the operator is ready: its caches are synced, and the API server serves ElastiCacheUsers.
pub struct ReadinessProbe {
    unsynced: Arc<AtomicUsize>,
    client: Client,
    namespace: Option<String>,
    /// The last answer of the API server, and when it was asked. Anybody may ask for /readyz as often as they like, and all of
    /// them together cost one request in [`READY_MAX_AGE`].
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("the watch of ElastiCacheUsers has not delivered its first list yet")]
    Unsynced,
    #[error("{0}")]
    NotServed(String),
}

impl ReadinessProbe {
    /// `unsynced` is the number of controllers whose cache is not synced yet. Objects of `namespace` may be listed. `None`: of all
    /// namespaces.
    #[must_use]
    pub fn new(unsynced: Arc<AtomicUsize>, client: Client, namespace: Option<String>) -> Self {
        Self { unsynced, client, namespace, last: Mutex::default() }
    }

    async fn check(&self) -> Result<(), NotReady> {
        if self.unsynced.load(Ordering::Relaxed) > 0 {
            return Err(NotReady::Unsynced);
        }
        self.serves_users().await.map_err(NotReady::NotServed)
    }

    async fn serves_users(&self) -> Result<(), String> {
        let mut last = self.last.lock().await;
        match &*last {
            Some((asked, answer)) if asked.elapsed() < READY_MAX_AGE => answer.clone(),
            _ => {
                let asked = Instant::now();
                let served = connection::serves_users(&self.client, self.namespace.as_deref(), READY_TIMEOUT);
                let answer = served.await.map_err(|refused| refused.to_string());
                *last = Some((asked, answer.clone()));
                answer
            }
        }
    }
}

struct Pages {
    registry: Registry,
    readiness: ReadinessProbe,
}

/// Serves /livez, /readyz and /metrics until the process ends.
///
/// # Errors
/// If the listener fails.
pub async fn serve_http(
    listener: TcpListener,
    registry: Registry,
    readiness: ReadinessProbe,
) -> std::io::Result<()> {
    let pages = Arc::new(Pages { registry, readiness });
    let router = axum::Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(pages);
    server::accept_connections(listener, router).await
}

async fn ready(State(pages): State<Arc<Pages>>) -> Response {
    match pages.readiness.check().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

async fn metrics(State(pages): State<Arc<Pages>>) -> Response {
    let mut page = String::new();
    match text::encode(&mut page, &pages.registry) {
        Ok(()) => {
            let type_ = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, type_)], page).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
