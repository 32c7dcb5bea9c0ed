//! Facts about a stage, and waiting for them: nothing waits for a time.

use std::time::{Duration, Instant};

use kube::Api;
use serde_json::Value;

use super::{Seen, Stage, Vanished, condition, is_ready};
use crate::secrecy::redacted;

/// Longest time that a fact may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

impl Stage {
    /// Waits until the newest version of the object fulfils `fact`, and answers it.
    pub(crate) async fn shows(&self, name: &str, what: &str, fact: impl Fn(&Value) -> bool) -> Value {
        self.observe(&format!("{name}: {what}"), |seen| {
            let versions = seen.versions.lock().unwrap();
            versions.get(name).and_then(|versions| versions.last()).filter(|last| fact(last)).cloned()
        })
        .await
    }

    /// Waits until Ready, or Deleting on the way out, has this reason.
    pub(crate) async fn reason(&self, name: &str, reason: &str) -> Value {
        self.shows(name, &format!("reason {reason}"), |object| {
            condition(object, "Ready").is_some_and(|ready| ready["reason"] == reason)
        })
        .await
    }

    /// Waits until the object is Ready at its newest generation.
    pub(crate) async fn is_ready(&self, name: &str) -> Value {
        self.shows(name, "Ready", is_ready).await
    }

    /// Waits until the object is gone.
    pub(crate) async fn gone(&self, name: &str) -> Vanished {
        self.observe(&format!("{name}: gone"), |seen| {
            let vanished = seen.vanished.lock().unwrap();
            vanished.iter().find(|vanished| vanished.name == name).cloned()
        })
        .await
    }

    /// Every version of the object that the watch has shown.
    pub(crate) fn versions(&self, name: &str) -> Vec<Value> {
        self.seen.versions.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    /// Every version of every object.
    pub(super) fn all_versions(&self) -> Vec<Value> {
        self.seen.versions.lock().unwrap().values().flatten().cloned().collect()
    }

    pub(super) async fn observe<T>(&self, what: &str, fact: impl Fn(&Seen) -> Option<T>) -> T {
        let deadline = tokio::time::sleep(PATIENCE);
        tokio::pin!(deadline);
        loop {
            let news = self.seen.news.notified();
            if let Some(found) = fact(&self.seen) {
                return found;
            }
            tokio::select! {
                () = news => {}
                () = &mut deadline => self.fail(&format!("not seen within {} s: {what}", PATIENCE.as_secs())),
            }
        }
    }

    /// Fails with what a person needs to find out why.
    pub(crate) fn fail(&self, why: &str) -> ! {
        let newest: Vec<Value> = {
            let versions = self.seen.versions.lock().unwrap();
            versions.values().filter_map(|versions| versions.last().cloned()).collect()
        };
        let (why, logs) = (redacted(why), redacted(&self.logs()));
        let objects = redacted(&serde_json::to_string_pretty(&newest).unwrap());
        let lines: Vec<&str> = logs.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(60)..).unwrap_or_default().join("\n");
        panic!("{why}\n--- objects\n{objects}\n--- end of the operator's log\n{tail}");
    }

    /// Notes of the events about an object, with their type and reason, oldest first.
    pub(crate) async fn events(&self, name: &str) -> Vec<(String, String, String)> {
        let events: Api<k8s_openapi::api::events::v1::Event> = Api::namespaced(self.client.clone(), &self.ns);
        let mut found = events.list(&Default::default()).await.unwrap().items;
        found.sort_by_key(|event| event.event_time.clone().map(|time| time.0));
        let about = found.into_iter().filter(|event| {
            event.regarding.as_ref().is_some_and(|object| object.name.as_deref() == Some(name))
        });
        about
            .map(|event| {
                let or = Option::unwrap_or_default;
                (or(event.type_), or(event.reason), or(event.note))
            })
            .collect()
    }

    /// Waits for an event.
    pub(crate) async fn event(&self, name: &str, reason: &str) -> (String, String, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let events = self.events(name).await;
            if let Some(found) = events.iter().find(|(_, found, _)| found == reason) {
                return found.clone();
            }
            if Instant::now() >= deadline {
                self.fail(&format!("{name}: no event {reason}, but {events:#?}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Waits until `fact` answers something.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut fact: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = fact().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not seen within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
