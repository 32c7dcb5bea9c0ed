//! I/O: publishes events about objects. Events wait in a bounded queue, so that no pass waits for the API server to take them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Resource, ResourceExt};
use plan::pass::EventContent;
use plan::text::{escaped, shortened};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::Kubernetes;
use super::failures::cause;
use crate::api::{ElastiCacheUser, FIELD_MANAGER};
use crate::clock;
use crate::telemetry::SparseWarnings;

/// So many events are written at the same time, each about another object.
const LANES: usize = 4;
/// So many events wait in each lane at most.
const LANE_LENGTH: usize = 256;
/// How long the API server may take for one event.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The API server accepts no longer name.
const LONGEST_NAME: usize = 253;

/// Takes the events of all passes. All events about one object wait in the same lane, so they keep their order. Clones share the
/// lanes.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    lanes: Arc<[mpsc::Sender<Event>]>,
    waiting: Arc<AtomicUsize>,
    dropped: DroppedEvents,
}

/// Writes what waits in the lanes. A writer ends when its lane is empty and all clones of [`Events`] are gone.
#[derive(Debug)]
pub(crate) struct EventWriters {
    tasks: JoinSet<()>,
    waiting: Arc<AtomicUsize>,
}

impl Events {
    /// `dropped` counts the events that are not written.
    pub(crate) fn start(kubernetes: &Kubernetes, dropped: Counter) -> (Self, EventWriters) {
        let dropped = DroppedEvents { counted: dropped, warnings: Arc::default() };
        let waiting = Arc::<AtomicUsize>::default();
        let (mut lanes, mut tasks) = (Vec::new(), JoinSet::new());
        for _ in 0..LANES {
            let (lane, mut events) = mpsc::channel(LANE_LENGTH);
            lanes.push(lane);
            let (kubernetes, dropped, waiting) = (kubernetes.clone(), dropped.clone(), waiting.clone());
            tasks.spawn(async move {
                while let Some(event) = events.recv().await {
                    kubernetes.write_event(&event, &dropped).await;
                    waiting.fetch_sub(1, Ordering::Relaxed);
                }
            });
        }
        let events = Self { lanes: lanes.into(), waiting: waiting.clone(), dropped };
        (events, EventWriters { tasks, waiting })
    }

    /// Returns at once. If the lane is full, the event is dropped.
    pub(crate) fn publish(&self, object: &ElastiCacheUser, content: &EventContent) {
        let mut hasher = DefaultHasher::new();
        object.metadata.uid.hash(&mut hasher);
        let number = usize::try_from(hasher.finish() % (LANES as u64)).unwrap_or_default();
        let Some(lane) = self.lanes.get(number) else { return };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = lane.try_send(event(object, content, clock::now())) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.note(&error.into_inner(), "too many events wait for the API server");
        }
    }
}

impl EventWriters {
    /// To be called when no pass is left. What the API server has not taken until `deadline` is lost.
    pub(crate) async fn finish(mut self, deadline: Instant) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // An elapsed deadline is no failure: events are only for people.
        let _ = timeout_at(deadline, all).await;
        match self.waiting.load(Ordering::Relaxed) {
            0 => {}
            lost => tracing::warn!("{lost} events are lost: the API server did not take them before the end"),
        }
    }
}

/// Tells of events that were not written. Clones share their values.
#[derive(Clone, Debug)]
struct DroppedEvents {
    counted: Counter,
    warnings: Arc<SparseWarnings>,
}

impl DroppedEvents {
    fn note(&self, event: &Event, why: &str) {
        self.counted.inc();
        let about = event.regarding.as_ref();
        let name = about.and_then(|about| about.name.as_deref()).unwrap_or_default();
        let object = format!("{}/{name}", event.namespace().unwrap_or_default());
        let reason = event.reason.as_deref();
        match self.warnings.due() {
            Some(left_out) => tracing::warn!(object, reason, left_out, "an event was dropped: {why}"),
            None => tracing::debug!(object, reason, "an event was dropped: {why}"),
        }
    }
}

impl Kubernetes {
    async fn write_event(&self, event: &Event, dropped: &DroppedEvents) {
        if self.may_write().is_err() {
            return;
        }
        let events: Api<Event> = Api::namespaced(self.client.clone(), &event.namespace().unwrap_or_default());
        match timeout(TIMEOUT, events.create(&PostParams::default(), event)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if is_of_leaving_namespace(&error) => {
                tracing::debug!(%error, reason = event.reason, "the event's namespace is being deleted");
            }
            Ok(Err(error)) => dropped.note(event, &cause(&error)),
            Err(_) => {
                let why = format!("the API server did not answer within {} s", TIMEOUT.as_secs());
                dropped.note(event, &why);
            }
        }
    }
}

/// A namespace that is being deleted takes no new object.
fn is_of_leaving_namespace(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 404 || causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}

fn event(object: &ElastiCacheUser, content: &EventContent, now: jiff::Timestamp) -> Event {
    Event {
        metadata: ObjectMeta {
            name: Some(event_name(&object.name_any(), now)),
            namespace: object.namespace(),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        type_: Some(if content.warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(content.reason.to_owned()),
        action: Some(content.action.to_owned()),
        note: Some(event_note(&content.note)),
        regarding: Some(ObjectReference {
            // The event is about the object, not about one of its versions.
            resource_version: None,
            ..object.object_ref(&())
        }),
        reporting_controller: Some(FIELD_MANAGER.to_owned()),
        reporting_instance: Some(FIELD_MANAGER.to_owned()),
        ..Event::default()
    }
}

/// The object's name and the time. A long name is cut, because together they must be a DNS subdomain.
fn event_name(object: &str, now: jiff::Timestamp) -> String {
    let time = format!(".{:x}", now.as_nanosecond());
    let most = LONGEST_NAME.saturating_sub(time.len());
    // Names of objects are ASCII.
    let begin = object.get(..most).unwrap_or(object).trim_end_matches(['.', '-']);
    format!("{begin}{time}")
}

/// A note as an event may have it: the API server refuses more than 1,024 bytes.
fn event_note(text: &str) -> String {
    shortened(&escaped(text), 1000).into_owned()
}

#[cfg(test)]
mod tests;
