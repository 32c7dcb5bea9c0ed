//! What a stage's watch has seen: every version of every object, and what is gone. It holds what must hold of each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use serde_json::Value;
use tokio::sync::Notify;

use super::Aws;
use crate::{kstatus, secrecy};

#[derive(Default)]
pub(super) struct Seen {
    pub(super) versions: Mutex<HashMap<String, Vec<Value>>>,
    pub(super) vanished: Mutex<Vec<Vanished>>,
    pub(super) faults: Mutex<Vec<String>>,
    pub(super) news: Notify,
}

/// An object that is gone.
#[derive(Clone, Debug)]
pub(crate) struct Vanished {
    pub(crate) name: String,
    pub(crate) at: Instant,
    /// The emulator had its user at that moment.
    pub(crate) user_left: bool,
}

pub(super) async fn record(users: Api<DynamicObject>, aws: Aws, seen: Arc<Seen>) {
    let mut events = watcher(users, watcher::Config::default()).boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => {
                let object = serde_json::to_value(&object).unwrap();
                if let Some(broken) = kstatus::fault(&object) {
                    let status = serde_json::to_string(&object["status"]).unwrap();
                    seen.faults.lock().unwrap().push(format!("{broken}: {status}"));
                }
                if secrecy::shows_in(&object.to_string()) {
                    seen.faults.lock().unwrap().push("a password shows in an object".to_owned());
                }
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                seen.versions.lock().unwrap().entry(name).or_default().push(object);
            }
            Ok(Event::Delete(object)) => {
                let at = Instant::now();
                if secrecy::shows_in(&serde_json::to_string(&object).unwrap()) {
                    seen.faults.lock().unwrap().push("a password shows in an object that went".to_owned());
                }
                let id =
                    object.data["status"]["userID"].as_str().map_or_else(|| object.name_any(), str::to_owned);
                let user_left = aws.user(&id).await.is_some();
                seen.vanished.lock().unwrap().push(Vanished { name: object.name_any(), at, user_left });
            }
            Ok(Event::Init | Event::InitDone) => {}
            // The API server is restarted in some tests; the watch goes on by itself.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        seen.news.notify_waiters();
    }
}
