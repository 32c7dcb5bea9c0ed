//! No I/O: how failures of requests to the API server are told.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;

use crate::connection::root_cause;
use crate::telemetry::SparseWarnings;

/// The API server's trouble is not an object's fault, so only the log and a metric tell it. Clones share their values.
#[derive(Clone, Debug)]
pub(super) struct Failures {
    counted: Counter,
    warnings: Arc<SparseWarnings>,
}

impl Failures {
    pub(super) fn new(counted: Counter) -> Self {
        Self { counted, warnings: Arc::default() }
    }

    /// `object` is empty if the request was about none.
    pub(super) fn note(&self, what: &str, object: &str, error: &kube::Error) {
        self.counted.inc();
        let why = cause(error);
        match self.warnings.due() {
            Some(left_out) => {
                tracing::warn!(object, left_out, "the API server failed to {what}: {why}; trying again");
            }
            None => tracing::debug!(object, "the API server failed to {what}: {why}; trying again"),
        }
    }
}

/// Why a request failed, without any part of an answer that cannot be decoded: it may contain a password.
pub(super) fn cause(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.message.is_empty() => format!("HTTP status {}", status.code),
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
            "the API server's answer cannot be decoded".to_owned()
        }
        other => root_cause(other),
    }
}

/// The API server will refuse the request again, because it cannot be made or is not allowed. Any other failure may pass by
/// itself.
pub(super) fn is_refusal(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 400 | 403 | 404 | 405 | 422),
        kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => true,
        _ => false,
    }
}
