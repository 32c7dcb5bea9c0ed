//! I/O: logs, metrics, and the HTTP server for /livez, /readyz and /metrics.

mod objects;
mod passes;
mod process;

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
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, Run};
use crate::connection;

pub use objects::Objects;
pub use passes::{Measured, Metrics, Queue, Reconciled};
pub use process::Process;

/// Begins to log, to standard error.
///
/// # Errors
/// A sentence, where the filter cannot be read.
pub fn start_logging(run: &Run) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&run.log).map_err(|error| {
        anyhow::anyhow!(
            "--log {:?} is no filter ({error}); write a level such as info, or info,kube=debug",
            run.log
        )
    })?;
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

/// At its finest level the SDK logs whole answers, and AWS may repeat a password in one: that level is not to be had.
fn may_be_logged(line: &Metadata<'_>) -> bool {
    *line.level() <= Level::DEBUG || !line.target().starts_with("aws_")
}

/// Whether the operator can work: its caches are synced, the API server answers, and the CRD is there.
pub struct Readiness {
    /// Controllers whose cache is not synced yet.
    pub unsynced: Arc<AtomicUsize>,
    /// For the question whether the CRD is there.
    pub client: Client,
    /// Where it may ask.
    pub namespace: Option<String>,
}

impl Readiness {
    /// What is missing; `None` where nothing is.
    pub async fn missing(&self) -> Option<String> {
        if self.unsynced.load(Ordering::Relaxed) > 0 {
            return Some("the watch of ElastiCacheUsers has not delivered its first list yet".to_owned());
        }
        let asked = tokio::time::timeout(
            Duration::from_secs(2),
            connection::serves_users(&self.client, self.namespace.as_deref()),
        );
        match asked.await {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(_) => Some("the API server does not answer".to_owned()),
        }
    }
}

struct Pages {
    registry: Registry,
    readiness: Readiness,
}

/// Serves /livez, /readyz and /metrics until the process ends.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(listener: TcpListener, registry: Registry, readiness: Readiness) -> std::io::Result<()> {
    let pages = Arc::new(Pages { registry, readiness });
    let router = axum::Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(pages);
    axum::serve(listener, router).await
}

async fn ready(State(pages): State<Arc<Pages>>) -> Response {
    match pages.readiness.missing().await {
        None => "ok\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
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
