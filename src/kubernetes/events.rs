//! I/O: publishes events about objects.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Resource, ResourceExt};
use plan::pass::EventContent;
use plan::text::{escaped, shortened};

use super::Kubernetes;
use crate::api::{ElastiCacheUser, FIELD_MANAGER};
use crate::clock;

impl Kubernetes {
    /// A failure is only logged, because a namespace that is being deleted refuses events.
    pub async fn publish(&self, object: &ElastiCacheUser, content: &EventContent) {
        if self.may_write().is_err() {
            return;
        }
        let namespace = object.namespace().unwrap_or_default();
        let now = clock::now();
        let event = Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:x}", object.name_any(), now.as_nanosecond())),
                namespace: Some(namespace.clone()),
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
        };
        let events: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        if let Err(error) = events.create(&PostParams::default(), &event).await {
            tracing::debug!(%error, reason = content.reason, "failed to publish an event");
        }
    }
}

/// A note as an event may have it: the API server refuses more than 1,024 bytes.
fn event_note(text: &str) -> String {
    shortened(&escaped(text), 1000).into_owned()
}
