//! I/O: logs, metrics, and the HTTP server with /livez, /readyz and /metrics.

mod certificate;
mod corrections;
mod escaped_lines;
mod log_line;
mod objects;
mod passes;
mod process;
mod readers;
mod server;
mod sparse;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kube::Client;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, RunFlags};
use crate::connection::{self, WatchHealth};
use crate::leader_election::ForeignHolder;

pub use certificate::{Certificate, CertificateError};
pub use corrections::Corrections;
pub use escaped_lines::EscapedLines;
pub use log_line::write_log_line;
pub use objects::ObjectMetrics;
pub use passes::{GroupMetrics, Measured, Metrics, OperatorName, QueueMetrics, Reconciled};
pub use process::ProcessMetrics;
pub use readers::MetricsReaders;
pub use sparse::SparseWarnings;

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

/// Blocks lines that repeat whole answers, which may contain a password: those of the SDK at level TRACE, and those of kube's
/// client about an answer that it cannot decode. Its ERROR of each request that failed only repeats what the operator says of it.
pub fn may_be_logged(line: &Metadata<'_>) -> bool {
    match line.target() {
        "kube_client::client" => false,
        "kube_client::client::builder" => *line.level() != Level::ERROR,
        target => *line.level() <= Level::DEBUG || !target.starts_with("aws_"),
    }
}

/// Decides whether the operator is ready: its caches are synced, and the API server serves ElastiCacheUsers.
pub struct ReadinessProbe {
    unsynced: Arc<AtomicUsize>,
    watches: WatchHealth,
    /// How long a watch may be without an answer.
    watch_patience: Duration,
    /// `None` without leader election.
    foreign_holder: Option<watch::Receiver<Option<ForeignHolder>>>,
    client: Client,
    namespace: Option<String>,
    /// The last answer of the API server, and when it was asked. Anybody may ask for /readyz as often as they like, and all of
    /// them together cost one request in [`READY_MAX_AGE`].
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error(transparent)]
    ForeignHolder(ForeignHolder),
    #[error("the watch of ElastiCacheUsers has not delivered its first list yet")]
    Unsynced,
    #[error("the watch of {0} does not work: the API server does not answer it, or refuses it")]
    Unwatched(String),
    #[error("{0}")]
    NotServed(String),
}

impl ReadinessProbe {
    /// `unsynced` is the number of controllers whose cache is not synced yet. Objects of `namespace` may be listed. `None`: of all
    /// namespaces.
    #[must_use]
    pub fn new(unsynced: Arc<AtomicUsize>, client: Client, namespace: Option<String>) -> Self {
        let (watches, watch_patience) = (WatchHealth::default(), Duration::MAX);
        let foreign_holder = None;
        Self { unsynced, watches, watch_patience, foreign_holder, client, namespace, last: Mutex::default() }
    }

    /// No watch may be without an answer for longer than `patience`.
    #[must_use]
    pub(crate) fn watching(mut self, watches: WatchHealth, patience: Duration) -> Self {
        (self.watches, self.watch_patience) = (watches, patience);
        self
    }

    /// A replica is not ready while a replica of another installation holds its Lease.
    #[must_use]
    pub(crate) fn sharing_lease(mut self, holder: Option<watch::Receiver<Option<ForeignHolder>>>) -> Self {
        self.foreign_holder = holder;
        self
    }

    async fn check(&self) -> Result<(), NotReady> {
        if let Some(holder) = self.foreign_holder.as_ref().and_then(|seen| seen.borrow().clone()) {
            return Err(NotReady::ForeignHolder(holder));
        }
        if self.unsynced.load(Ordering::Relaxed) > 0 {
            return Err(NotReady::Unsynced);
        }
        if let Some(path) = self.watches.trouble(self.watch_patience) {
            return Err(NotReady::Unwatched(path));
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

/// Where the pages are served, and to whom.
pub struct HttpServer {
    pub listener: TcpListener,
    /// If there is one, /livez and /readyz are served only here, and without TLS.
    pub health: Option<TcpListener>,
    /// If there is one, the first listener speaks TLS, and only these readers get /metrics.
    pub secure: Option<(Certificate, MetricsReaders)>,
}

struct MetricsPage {
    registry: Registry,
    readers: Option<MetricsReaders>,
}

/// Serves /livez, /readyz and /metrics until the process ends.
///
/// # Errors
/// If a listener fails.
pub async fn serve_http(
    server: HttpServer,
    registry: Registry,
    readiness: ReadinessProbe,
) -> std::io::Result<()> {
    let HttpServer { listener, health, secure } = server;
    let (certificate, readers) = secure.unzip();
    let page = Arc::new(MetricsPage { registry, readers });
    let metrics_page = axum::Router::new().route("/metrics", get(metrics)).with_state(page);
    let health_pages = axum::Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(Arc::new(readiness));
    let certificate = certificate.map(Arc::new);
    let Some(health) = health else {
        return server::accept_connections(listener, certificate, metrics_page.merge(health_pages)).await;
    };
    tokio::select! {
        ended = server::accept_connections(listener, certificate, metrics_page) => ended,
        ended = server::accept_connections(health, None, health_pages) => ended,
    }
}

async fn ready(State(readiness): State<Arc<ReadinessProbe>>) -> Response {
    match readiness.check().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

async fn metrics(State(pages): State<Arc<MetricsPage>>, headers: HeaderMap) -> Response {
    if let Some(readers) = &pages.readers
        && let Err(denied) = readers.admit(&headers).await
    {
        return denied.into_response();
    }
    let mut page = String::new();
    match text::encode(&mut page, &pages.registry) {
        Ok(()) => {
            let type_ = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, type_)], page).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The log filter is the most detailed one. kube's own client reads a Secret, and its answer cannot be decoded.
    #[tokio::test]
    async fn an_answer_of_the_api_server_that_cannot_be_decoded_is_not_logged() {
        const ANSWER: &str = r#"{"kind":"Secret","apiVersion":"v1","data":"a-password-of-somebody"}"#;
        let lines = Lines::default();
        let written = lines.clone();
        let writer = tracing_subscriber::fmt::layer().with_writer(move || written.clone());
        let log = tracing_subscriber::registry().with(EnvFilter::new("trace")).with(filter_fn(may_be_logged));
        let _log = log.with(writer).set_default();
        let service = tower::service_fn(async |_: axum::http::Request<kube::client::Body>| {
            Ok::<_, std::convert::Infallible>(axum::http::Response::new(axum::body::Body::from(ANSWER)))
        });
        let client = Client::new(service, "default");
        let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> = kube::Api::namespaced(client, "default");
        let error = secrets.get("app").await.unwrap_err();
        tracing::trace!("the end");
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(matches!(error, kube::Error::SerdeError(_)) && lines.contains("the end"), "{lines}");
        assert!(!lines.contains("a-password-of-somebody"), "the answer is in the log");
    }
}
