//! The audit log: the requests to the API server, their users and their results.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::Value;

/// How much of each request the audit log contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditLevel {
    /// User, request, time and status code.
    Metadata,
    /// The request's body too.
    Request,
    /// The response's body too. Then the log contains Secrets.
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

    /// The policy file. It leaves out the requests of kube-apiserver to itself and health checks, and the bodies of the controller
    /// manager's requests. Each request has one event, at its end. A watch also has one at its start.
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

/// The log of a control plane. It is removed with the control plane.
#[derive(Debug, Clone)]
pub struct AuditLog {
    file: PathBuf,
    /// Readers skip the log before this byte.
    from: u64,
}

impl AuditLog {
    pub(crate) fn at(file: &Path) -> AuditLog {
        AuditLog { file: file.to_owned(), from: 0 }
    }

    /// The log without the events so far, so that a reader of an old cluster's log need not read all of it.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn from_now(&self) -> Result<AuditLog> {
        let from = self.from + complete(&self.text()?).len() as u64;
        Ok(AuditLog { file: self.file.clone(), from })
    }

    /// All complete events of the log, in the order in which they were written.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn events(&self) -> Result<Vec<Value>> {
        self.events_where(|_| true)
    }

    /// The events whose line is `wanted`. The log of an old cluster is large, and a check of the text is much faster than parsing each
    /// event.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn events_where(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<Value>> {
        let text = self.text()?;
        let lines = std::str::from_utf8(complete(&text)).context("the audit log is not UTF-8")?.lines();
        lines
            .filter(|line| !line.is_empty() && wanted(line))
            .map(|line| serde_json::from_str(line).context("failed to read a line of the audit log"))
            .collect()
    }

    fn text(&self) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        let read = fs::File::open(&self.file).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.from))?;
            file.read_to_end(&mut text)
        });
        match read {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("failed to read {}", self.file.display()))
            }
            Ok(_) | Err(_) => Ok(text),
        }
    }
}

/// The text up to its last line end, because a line without an end is not completely written.
fn complete(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_event_that_is_not_completely_written_is_read_later() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("audit.log");
        let log = AuditLog::at(&file);
        assert!(log.events().unwrap().is_empty(), "no log yet");
        fs::write(&file, "{\"verb\":\"get\"}\n{\"verb\":\"li").unwrap();
        assert_eq!(log.events().unwrap(), [serde_json::json!({ "verb": "get" })]);
    }

    #[test]
    fn an_audit_log_that_is_read_from_now_on_leaves_out_only_earlier_events() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("audit.log");
        assert!(AuditLog::at(&file).from_now().unwrap().events().unwrap().is_empty(), "no log yet");
        let begun = "{\"verb\":\"get\"}\n{\"verb\":\"li";
        fs::write(&file, begun).unwrap();
        let log = AuditLog::at(&file).from_now().unwrap();
        assert!(log.events().unwrap().is_empty());
        fs::write(&file, format!("{begun}st\"}}\n")).unwrap();
        assert_eq!(log.events().unwrap(), [serde_json::json!({ "verb": "list" })]);
        assert!(log.from_now().unwrap().events().unwrap().is_empty());
    }

    #[test]
    fn audit_events_are_selected_by_their_lines() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("audit.log");
        fs::write(&file, "{\"verb\":\"get\"}\n{\"verb\":\"list\"}\nunreadable\n").unwrap();
        let found = AuditLog::at(&file).events_where(|line| line.contains("list")).unwrap();
        assert_eq!(found, [serde_json::json!({ "verb": "list" })]);
    }
}
