//! A run whose watch breaks.

use std::time::Duration;

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use support::operator;
use support::wait::{until_notified, when};

use super::Case;
use crate::fixture::{condition, has_reason, iam, is_ready, manifest, with, with_password};

impl Case<'_> {
    /// The watch breaks, and the API server does not answer when the operator opens it again.
    pub(in crate::faults) async fn loses_its_watch(&self) -> Result<(), String> {
        self.set().await?;
        self.becomes_ready(true).await?;
        self.proxy.hang(true);
        self.becomes_ready(false).await?;
        self.proxy.hang(false);
        self.becomes_ready(true).await?;
        self.take(&self.scenario.step).await;
        self.end(None, Some("now")).await?;
        self.check_log()
    }

    /// While no watch works, the scenario's Secret changes, and an object with a password is removed whose user another object wants.
    /// Only the next list shows both.
    pub(in crate::faults) async fn misses_changes(&self) -> Result<(), String> {
        self.set().await?;
        let heir = with(iam(), json!({ "userID": "former", "adoptionPolicy": "Adopt" }));
        for (name, spec) in [("former", with_password("two")), ("heir", heir)] {
            let object = serde_json::from_value(manifest(name, spec)).unwrap();
            self.users.create(&PostParams::default(), &object).await.unwrap();
            let settled = |object: &Value| {
                is_ready(object)
                    || has_reason(object, "UserOwnedByAnother") && condition(object, "Stalled").is_some()
            };
            self.shows(name, settled).await?;
        }
        self.becomes_ready(true).await?;
        self.proxy.hang(true);
        self.becomes_ready(false).await?;
        self.take(&self.scenario.step).await;
        self.remove("former").await;
        self.proxy.answer_with_a_gap();
        self.end(None, None).await?;
        self.shows("heir", is_ready).await?;
        let forgotten = self.operator.said().contains("forgotten after a list: 1");
        self.operator.kill();
        self.remove("heir").await;
        if !forgotten {
            return Err(self.with_log("what is remembered of an object that went was not dropped\n"));
        }
        self.check_log()
    }

    /// Removes the object at once, without the operator.
    pub(super) async fn remove(&self, name: &str) {
        let free = json!({ "metadata": { "finalizers": null } });
        self.users.delete(name, &DeleteParams::default()).await.unwrap();
        self.users.patch(name, &PatchParams::default(), &Patch::Merge(free)).await.unwrap();
    }

    pub(super) async fn shows(&self, name: &str, fact: impl Fn(&Value) -> bool) -> Result<(), String> {
        let what = format!("the fact about {name}");
        let news = (&self.proxy.news, Duration::from_millis(250));
        let shown = until_notified(&what, self.speed.patience(), news, || async {
            let object = serde_json::to_value(self.users.get(name).await.unwrap()).unwrap();
            when(object, |object| fact(object))
        });
        shown.await.map(drop).map_err(|late| self.with_log(&format!("{late}\n")))
    }

    /// Waits for this answer of /readyz.
    async fn becomes_ready(&self, wanted: bool) -> Result<(), String> {
        let news = (&self.proxy.news, Duration::from_millis(100));
        let fact = format!("ready: {wanted}");
        let became = until_notified(&fact, self.speed.patience(), news, || async {
            let log = self.operator.said();
            // The request runs in another thread, because /readyz makes a request through the proxy of this thread.
            let asked = tokio::task::spawn_blocking(move || {
                operator::address(&log).map(|address| operator::get(address, "/readyz").is_ok())
            });
            when(asked.await.unwrap(), |ready| *ready == Some(wanted))
        });
        became.await.map(drop).map_err(|late| self.with_log(&format!("{late}\n")))
    }
}
