//! I/O: logs, metrics, and the HTTP server with /livez, /readyz and /metrics.

mod log_line;
mod objects;
mod passes;
mod process;
mod sparse;

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
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, RunFlags};
use crate::connection::{self, NotServed, WatchHealth};

pub use log_line::write_log_line;
pub use objects::ObjectMetrics;
pub use passes::{Measured, Metrics, Queue, Reconciled};
pub use process::ProcessMetrics;
pub use sparse::SparseWarnings;

/// How long /readyz waits for the API server.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

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
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(true);
    match run.log_format {
        LogFormat::Text => registry.with(lines.with_ansi(false)).init(),
        LogFormat::Json => registry
            .with(lines.json().flatten_event(true).with_current_span(false).with_span_list(false))
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
    /// The number of controllers whose cache is not synced yet.
    pub unsynced: Arc<AtomicUsize>,
    pub(crate) watches: WatchHealth,
    /// How long a watch may be without an answer.
    pub watch_patience: Duration,
    pub client: Client,
    /// A namespace whose objects may be listed. `None`: all namespaces.
    pub namespace: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("the watch of ElastiCacheUsers has not delivered its first list yet")]
    Unsynced,
    #[error("the watch of {0} does not work: the API server does not answer it, or refuses it")]
    Unwatched(String),
    #[error(transparent)]
    NotServed(#[from] NotServed),
}

impl ReadinessProbe {
    async fn check(&self) -> Result<(), NotReady> {
        if self.unsynced.load(Ordering::Relaxed) > 0 {
            return Err(NotReady::Unsynced);
        }
        if let Some(path) = self.watches.trouble(self.watch_patience) {
            return Err(NotReady::Unwatched(path));
        }
        Ok(connection::serves_users(&self.client, self.namespace.as_deref(), READY_TIMEOUT).await?)
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
    axum::serve(listener, router).await
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// With the most talkative filter, kube's own client reads a Secret whose answer cannot be decoded.
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
