//! A run in which the API server is slow to take events.

use std::time::{Duration, Instant};

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::Case;
use crate::fixture::{iam, is_ready, manifest};

/// Each is told by an event.
const EDITS: u32 = 12;

impl Case<'_> {
    /// Events get no answer, and the object follows each edit as quickly as ever. At the end, an event that is under way is still
    /// written, unless the API server does not take it at all.
    pub(in crate::faults) async fn publishes_to_nobody(&self) -> Result<(), String> {
        self.proxy.delay_events(Duration::from_secs(120));
        self.operator.start();
        self.make("busy").await?;
        let (began, awaited) = (Instant::now(), self.speed.kubernetes_timeout() * EDITS);
        for edit in 0..EDITS {
            let access_string = format!("on ~{edit}:* -@all +@read");
            let patch = json!({ "spec": { "accessString": access_string } });
            self.users.patch("busy", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
            let follows =
                |object: &Value| is_ready(object) && object["status"]["accessString"] == *access_string;
            self.shows("busy", follows).await?;
        }
        if began.elapsed() > awaited * 4 / 5 {
            return Err(self.with_log("the passes wait for the API server to take their events\n"));
        }
        self.ends_in_time().await?;
        self.proxy.delay_events(Duration::from_millis(700));
        self.operator.start();
        self.make("last").await?;
        self.ends_in_time().await?;
        let events: Api<Event> = Api::namespaced(self.users.clone().into_client(), &self.namespace);
        let told = events.list(&Default::default()).await.unwrap().items.into_iter().any(|event| {
            event.regarding.and_then(|about| about.name).as_deref() == Some("last")
                && event.reason.as_deref() == Some("UserCreated")
        });
        for name in ["busy", "last"] {
            self.remove(name).await;
        }
        if !told {
            return Err(self.with_log("what was published before the end got no chance\n"));
        }
        self.check_log()
    }

    async fn make(&self, name: &str) -> Result<(), String> {
        let object = serde_json::from_value(manifest(name, iam())).unwrap();
        self.users.create(&PostParams::default(), &object).await.unwrap();
        self.shows(name, is_ready).await
    }

    async fn ends_in_time(&self) -> Result<(), String> {
        let began = Instant::now();
        let code = self.operator.terminate().await;
        if code != Some(0) || began.elapsed() > Duration::from_secs(10) {
            return Err(self.with_log(&format!("exit code {code:?} after {:?}\n", began.elapsed())));
        }
        Ok(())
    }
}
