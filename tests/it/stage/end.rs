//! The end of a stage: whatever must hold throughout is held there.

use std::sync::atomic::Ordering;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;

use super::Stage;
use crate::iam::Guard;
use crate::secrecy::{self, redacted};
use crate::watching::events;
use crate::{argocd, audit, kstatus, rights};

impl Stage {
    /// Ends the stage: whatever must hold throughout has held.
    pub(crate) async fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        self.watching.abort();
        let faults = self.seen.faults.lock().unwrap().clone();
        assert!(faults.is_empty(), "seen on the way:\n{}", faults.join("\n"));
        for vanished in self.seen.vanished.lock().unwrap().iter() {
            assert!(
                self.leaves_users || !vanished.user_left,
                "{} vanished before its AWS user",
                vanished.name
            );
        }
        let logs = self.logs();
        assert!(!logs.contains("panicked"), "the operator panicked:\n{}", redacted(&logs));
        self.shows_no_password(&logs).await;
        self.writes();
        kstatus::agree(&self.all_versions());
        argocd::agree(&self.all_versions());
        let refused = self.guard.refused();
        assert!(self.refuses || refused.is_empty(), "deploy/iam does not allow: {refused:#?}");
        for call in self.aws.calls().await {
            assert_ne!(call["Code"], "InvalidParameterValue: Missing", "a malformed call");
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let _ = namespaces.delete(&self.ns, &DeleteParams::default()).await;
    }

    /// What the operators have asked of their IAM policy.
    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// What the operators have written to the API server: what they may, or this fails. `None` where nobody knows.
    pub(crate) fn writes(&self) -> Option<audit::Writes> {
        let refused = audit::refusals(self.audit.as_ref()?, &rights::user_of(&self.ns), self.rights);
        assert!(
            refused.is_empty(),
            "the chart's rights ({:?}) do not suffice:\n{}",
            self.rights,
            refused.join("\n")
        );
        let writes = audit::writes(self.audit.as_ref()?, &self.ns);
        assert!(
            writes.requests > 0 || self.logs().is_empty(),
            "no request of the operator's is in the audit log"
        );
        Some(writes)
    }

    /// No password that any test has used shows in anything that the operator made.
    async fn shows_no_password(&self, logs: &str) {
        for user in self.aws.get("users").await.as_array().into_iter().flatten() {
            secrecy::remember(&user["Passwords"]);
        }
        secrecy::assert_silent("the operator's output", logs);
        secrecy::assert_silent("the page of metrics", &self.metrics());
        for version in self.all_versions() {
            secrecy::assert_silent("a version of an object", &version.to_string());
        }
        let events: Api<k8s_openapi::api::events::v1::Event> = Api::namespaced(self.client.clone(), &self.ns);
        for event in events.list(&Default::default()).await.unwrap() {
            secrecy::assert_silent("an event", &serde_json::to_string(&event).unwrap());
            let about = event.regarding.as_ref().and_then(|about| about.kind.as_deref());
            let fault = events::fault(&event).filter(|_| about == Some("ElastiCacheUser"));
            assert!(fault.is_none(), "{}: {event:#?}", fault.unwrap_or_default());
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let held = self.ended.load(Ordering::Relaxed) || self.started.load(Ordering::Relaxed) == 0;
        assert!(held || std::thread::panicking(), "end the stage: what must hold throughout is held there");
    }
}
