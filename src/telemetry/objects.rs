//! No I/O: what there is to tell about each object, made from the watch's store whenever somebody asks: an idle object has
//! its series from the first list on, a deleted one has none, and nothing is kept twice.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::reflector::Store;
use plan::verdict::Reason;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::api::{
    AuthenticationType, DELETING, DeletionPolicy, ElastiCacheUser, Engine, READY, RECONCILING, STALLED,
    user_id,
};
use crate::clock;

/// Stands for a word that is in none of the closed lists: a newer CRD's, or somebody's who wrote the status.
const OTHER: &str = "other";

/// The stores of all watches. Clones share them.
#[derive(Clone, Default)]
pub struct Objects {
    stores: Arc<Mutex<Vec<Store<ElastiCacheUser>>>>,
    default_policy: &'static str,
}

impl Objects {
    /// No store yet. `default_policy` is the `deletionPolicy` of objects without one.
    #[must_use]
    pub fn new(default_policy: &'static str) -> Self {
        Self { stores: Arc::default(), default_policy }
    }

    /// Tells about the objects of this store as well.
    pub fn add(&self, store: Store<ElastiCacheUser>) {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner).push(store);
    }

    fn all(&self) -> Vec<Arc<ElastiCacheUser>> {
        let stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.iter().flat_map(Store::state).collect()
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("default_policy", &self.default_policy).finish_non_exhaustive()
    }
}

/// A label: its name and its value.
type Label<'a> = (&'static str, &'a str);

/// A condition, and since when it is as it is.
struct Told<'a> {
    labels: [Label<'a>; 5],
    since: Option<&'a Time>,
}

impl Told<'_> {
    fn type_(&self) -> &str {
        let [_, _, (_, type_), ..] = self.labels;
        type_
    }
}

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (objects, now) = (self.all(), clock::now());
        let conditions: Vec<Told<'_>> = objects.iter().flat_map(|object| conditions(object)).collect();
        let age = |since: &Time| now.duration_since(since.0).as_secs_f64().max(0.0);

        let help = "An ElastiCacheUser: always 1.";
        let mut metric = encoder.encode_descriptor("elasticache_user_info", help, None, MetricType::Gauge)?;
        for object in &objects {
            let id = user_id(object);
            ConstGauge::new(1_i64).encode(metric.encode_family(&about(
                object,
                &id,
                self.default_policy,
            ))?)?;
        }

        let help = "A condition of an ElastiCacheUser, with its status and reason: always 1.";
        let name = "operator_status_condition_count";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for told in &conditions {
            ConstGauge::new(1_i64).encode(metric.encode_family(&told.labels)?)?;
        }

        let help = "How long a condition of an ElastiCacheUser has had its status.";
        let name = "operator_status_condition_current_status";
        let seconds = Unit::Seconds;
        let mut metric = encoder.encode_descriptor(name, help, Some(&seconds), MetricType::Gauge)?;
        for told in &conditions {
            let Some(since) = told.since else { continue };
            ConstGauge::new(age(since)).encode(metric.encode_family(&told.labels)?)?;
        }

        let help = "How long an ElastiCacheUser has been on its way out.";
        let name = "operator_termination_current_time";
        let mut metric = encoder.encode_descriptor(name, help, Some(&seconds), MetricType::Gauge)?;
        for object in &objects {
            let Some(since) = &object.metadata.deletion_timestamp else { continue };
            ConstGauge::new(age(since)).encode(metric.encode_family(&named(object))?)?;
        }
        Ok(())
    }
}

fn named(object: &ElastiCacheUser) -> [Label<'_>; 2] {
    let metadata = &object.metadata;
    [
        ("namespace", metadata.namespace.as_deref().unwrap_or_default()),
        ("name", metadata.name.as_deref().unwrap_or_default()),
    ]
}

fn about<'a>(object: &'a ElastiCacheUser, id: &'a str, default_policy: &'static str) -> [Label<'a>; 6] {
    let [namespace, name] = named(object);
    let spec = &object.spec;
    let engine = spec.engine.as_ref().map_or("", |word| listed(word.as_str(), Engine::WORDS));
    let auth = spec.authentication.as_ref().and_then(|authentication| authentication.type_.as_ref());
    let auth = auth.map_or("", |word| listed(word.as_str(), AuthenticationType::WORDS));
    let policy = spec.deletion_policy.as_ref();
    let policy = policy.map_or(default_policy, |word| listed(word.as_str(), DeletionPolicy::WORDS));
    [namespace, name, ("user_id", id), ("engine", engine), ("auth", auth), ("policy", policy)]
}

fn listed(word: &str, words: &[&'static str]) -> &'static str {
    words.iter().find(|known| **known == word).copied().unwrap_or(OTHER)
}

/// The conditions; where nothing was said about the object yet, that Ready is Unknown, since it was made.
fn conditions(object: &ElastiCacheUser) -> Vec<Told<'_>> {
    let [namespace, name] = named(object);
    let state =
        |type_, status, reason| [namespace, name, ("type", type_), ("status", status), ("reason", reason)];
    let found = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut told: Vec<Told<'_>> = found
        .iter()
        .map(|condition| {
            let type_ = listed(&condition.type_, &[READY, RECONCILING, STALLED, DELETING]);
            let status = listed(&condition.status, &["True", "False", "Unknown"]);
            let reason = Reason::parse(&condition.reason).map_or(OTHER, Reason::as_str);
            Told { labels: state(type_, status, reason), since: Some(&condition.last_transition_time) }
        })
        // Two of somebody else's types would be the same series.
        .filter(|told| told.type_() != OTHER)
        .collect();
    if told.iter().all(|told| told.type_() != READY) {
        let since = object.metadata.creation_timestamp.as_ref();
        told.push(Told { labels: state(READY, "Unknown", ""), since });
    }
    told
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;
    use kube::runtime::watcher::Event;
    use prometheus_client::registry::Registry;
    use serde_json::{Value, json};

    use super::*;

    fn object(name: &str, change: impl FnOnce(&mut Value)) -> ElastiCacheUser {
        let mut object = json!({
            "apiVersion": "elasticache-users.dev/v1alpha1",
            "kind": "ElastiCacheUser",
            "metadata": { "namespace": "shop", "name": name, "creationTimestamp": "2026-01-01T09:00:00Z" },
            "spec": { "engine": "valkey", "accessString": "on ~* +@all", "authentication": { "type": "iam" } },
        });
        change(&mut object);
        serde_json::from_value(object).unwrap()
    }

    fn condition(type_: &str, status: &str, reason: &str) -> Value {
        json!({
            "type": type_, "status": status, "reason": reason, "message": "Why.",
            "lastTransitionTime": "2026-01-01T09:00:00Z",
        })
    }

    fn page(objects: &Objects) -> Vec<String> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(objects.clone()));
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
        let samples = page.lines().filter(|line| !line.starts_with('#'));
        // The ages grow.
        samples
            .map(|line| line.split_once("_seconds{").map_or(line, |_| line.rsplit_once(' ').unwrap().0))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn an_object_has_its_series_for_as_long_as_it_is_there() {
        let (store, mut writer) = reflector::store();
        let objects = Objects::new("Delete");
        objects.add(store);
        let ready = object("ready", |object| {
            object["spec"]["userID"] = json!("some-id");
            object["spec"]["deletionPolicy"] = json!("Retain");
            object["status"] = json!({ "conditions": [condition("Ready", "True", "Active")] });
        });
        let odd = object("odd", |object| {
            object["spec"]["engine"] = json!("memcached");
            object["metadata"]["deletionTimestamp"] = json!("2026-01-01T09:00:00Z");
            object["status"] = json!({ "conditions": [
                condition("Ready", "False", "OfTomorrow"), condition("Odd", "True", "A"), condition("Odder", "True", "A"),
            ] });
        });
        for object in [ready.clone(), odd, object("new", |_| {})] {
            writer.apply_watcher_event(&Event::Apply(object));
        }
        let mut found = page(&objects);
        found.sort();
        let at = |name: &str| format!("namespace=\"shop\",name=\"{name}\"");
        let mut wanted = vec![
            format!(
                "elasticache_user_info{{{},user_id=\"some-id\",engine=\"valkey\",auth=\"iam\",policy=\"Retain\"}} 1",
                at("ready")
            ),
            format!(
                "elasticache_user_info{{{},user_id=\"odd\",engine=\"other\",auth=\"iam\",policy=\"Delete\"}} 1",
                at("odd")
            ),
            format!(
                "elasticache_user_info{{{},user_id=\"new\",engine=\"valkey\",auth=\"iam\",policy=\"Delete\"}} 1",
                at("new")
            ),
            format!("operator_termination_current_time_seconds{{{}}}", at("odd")),
        ];
        for (name, rest) in [
            ("ready", "type=\"Ready\",status=\"True\",reason=\"Active\""),
            ("odd", "type=\"Ready\",status=\"False\",reason=\"other\""),
            ("new", "type=\"Ready\",status=\"Unknown\",reason=\"\""),
        ] {
            wanted.push(format!("operator_status_condition_count{{{},{rest}}} 1", at(name)));
            wanted.push(format!("operator_status_condition_current_status_seconds{{{},{rest}}}", at(name)));
        }
        wanted.sort();
        assert_eq!(found, wanted);
        writer.apply_watcher_event(&Event::Delete(ready));
        assert!(page(&objects).iter().all(|line| !line.contains("name=\"ready\"")));
    }
}
