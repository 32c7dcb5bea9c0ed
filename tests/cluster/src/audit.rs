//! The audit log: what was asked of the API, by whom, and with which end.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde_json::Value;

/// How much of each request the audit log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditLevel {
    /// Who, what, when, with which status code.
    Metadata,
    /// And the request's body.
    Request,
    /// And the response's body. Secrets are then in the log.
    RequestResponse,
}

impl AuditLevel {
    fn name(self) -> &'static str {
        match self {
            AuditLevel::Metadata => "Metadata",
            AuditLevel::Request => "Request",
            AuditLevel::RequestResponse => "RequestResponse",
        }
    }

    /// The policy file. What kube-apiserver asks of itself and the questions after its health are left out;
    /// the controller manager is there without bodies. Of each request one event, at its end (a watch has one
    /// at its start as well).
    pub(crate) fn policy(self) -> String {
        format!(
            "apiVersion: audit.k8s.io/v1\n\
             kind: Policy\n\
             omitStages: [RequestReceived]\n\
             omitManagedFields: true\n\
             rules:\n\
             - level: None\n  users: [\"system:apiserver\"]\n\
             - level: None\n  nonResourceURLs: [\"/readyz*\", \"/livez*\", \"/healthz*\"]\n\
             - level: Metadata\n  users: [\"{}\"]\n\
             - level: {}\n",
            crate::programs::CONTROLLER_MANAGER_USER,
            self.name(),
        )
    }
}

/// All complete events of the log, in the order in which they were written.
pub(crate) fn events(log: &Path) -> Result<Vec<Value>> {
    let text = match fs::read(log) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("failed to read {}", log.display())),
    };
    // A line without an end is being written.
    let complete = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let complete = text.get(..complete).unwrap_or_default();
    complete
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).context("failed to read a line of the audit log"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_is_still_being_written_is_left_for_later() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("audit.log");
        assert!(events(&log).unwrap().is_empty(), "no log yet");
        fs::write(&log, "{\"verb\":\"get\"}\n{\"verb\":\"li").unwrap();
        assert_eq!(events(&log).unwrap(), [serde_json::json!({ "verb": "get" })]);
    }
}
