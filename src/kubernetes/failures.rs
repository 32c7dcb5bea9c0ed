//! No I/O: how failures of requests to the API server are told.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;

use crate::connection::kube_error_message;
use crate::telemetry::SparseWarnings;

/// The API server's trouble is not an object's fault, so only the log and a metric tell it. Clones share their values.
#[derive(Clone, Debug)]
pub(super) struct RequestFailures {
    counted: Counter,
    warnings: Arc<SparseWarnings>,
}

impl RequestFailures {
    pub(super) fn new(counted: Counter) -> Self {
        Self { counted, warnings: Arc::default() }
    }

    /// `object` is empty if the request was about none.
    pub(super) fn note(&self, what: &str, object: &str, error: &kube::Error) {
        self.note_cause(what, object, &cause(error));
    }

    pub(super) fn note_cause(&self, what: &str, object: &str, why: &str) {
        self.counted.inc();
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
    // kube makes a message of an answer that is no Status.
    if matches!(error, kube::Error::Api(status) if status.reason == "Failed to parse error data") {
        return secret_cause(error);
    }
    if matches!(error, kube::Error::SerdeError(_) | kube::Error::FromUtf8(_)) {
        return "the API server's answer cannot be decoded".to_owned();
    }
    match kube_error_message(error) {
        nothing if nothing.is_empty() => error.to_string(),
        cause => cause,
    }
}

/// Why a Secret cannot be read, without any word of the API server's.
pub(super) fn secret_cause(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return format!("HTTP status {}", status.code);
    }
    cause(error)
}

/// The request cannot be made, whenever it is sent: owner tags may contain anything. Any other failure may pass by itself.
pub(super) fn is_refusal(error: &kube::Error) -> bool {
    let refused = matches!(error, kube::Error::Api(status) if matches!(status.code, 400 | 404 | 405 | 422));
    refused || matches!(error, kube::Error::BuildRequest(_) | kube::Error::HttpError(_))
}
