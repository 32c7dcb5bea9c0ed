//! No I/O: the metrics of each object, computed from the watched objects at each scrape. So an idle object has its series from the
//! first list on, and a deleted one has none.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::verdict::Reason;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use serde::Deserialize;

use super::corrections::Corrections;
use crate::api::{
    AuthenticationType, DELETING, DeletionPolicy, Engine, PackedUser, READY, RECONCILING, STALLED,
    first_user_id,
};
use crate::clock;
use crate::objects::Objects;

/// Replaces a word that this version does not know. It came from a newer CRD, or from somebody who wrote the status.
const OTHER: &str = "other";

/// Reads the objects of all watches. Clones share them.
#[derive(Clone, Default)]
pub struct ObjectMetrics {
    watched: Arc<Mutex<Vec<Objects>>>,
    corrections: Corrections,
    default_policy: &'static str,
}

impl ObjectMetrics {
    /// `default_policy` is the `deletionPolicy` of objects without one.
    #[must_use]
    pub fn new(default_policy: &'static str) -> Self {
        Self { watched: Arc::default(), corrections: Corrections::default(), default_policy }
    }

    #[must_use]
    pub fn corrections(&self) -> Corrections {
        self.corrections.clone()
    }

    pub(crate) fn add(&self, objects: Objects) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).push(objects);
    }

    fn all(&self) -> Vec<PackedUser> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.iter().flat_map(Objects::all).collect()
    }
}

/// The parts of an object that the metrics show, borrowed from its text, because a scrape reads all objects at once.
#[derive(Deserialize)]
struct MeasuredUser<'a> {
    #[serde(borrow)]
    metadata: MeasuredMetadata<'a>,
    spec: MeasuredSpec,
    #[serde(borrow, default)]
    status: MeasuredStatus<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MeasuredMetadata<'a> {
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    uid: Option<&'a str>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MeasuredSpec {
    #[serde(rename = "userID")]
    user_id: Option<String>,
    engine: Option<Engine>,
    deletion_policy: Option<DeletionPolicy>,
    #[serde(default)]
    authentication: MeasuredAuthentication,
}

#[derive(Default, Deserialize)]
struct MeasuredAuthentication {
    #[serde(rename = "type")]
    type_: Option<AuthenticationType>,
}

#[derive(Default, Deserialize)]
struct MeasuredStatus<'a> {
    #[serde(rename = "userID")]
    user_id: Option<String>,
    #[serde(borrow, default)]
    conditions: Vec<MeasuredCondition<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MeasuredCondition<'a> {
    #[serde(rename = "type", borrow)]
    type_: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    last_transition_time: Time,
}

impl MeasuredUser<'_> {
    fn user_id(&self) -> &str {
        let Self { metadata, spec, status } = self;
        first_user_id(status.user_id.as_deref(), spec.user_id.as_deref(), metadata.name)
    }
}

impl fmt::Debug for ObjectMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectMetrics").field("default_policy", &self.default_policy).finish_non_exhaustive()
    }
}

/// Name and value.
type MetricLabel<'a> = (&'static str, &'a str);

struct ConditionSeries<'a> {
    labels: [MetricLabel<'a>; 5],
    since: Option<&'a Time>,
}

impl ConditionSeries<'_> {
    fn type_(&self) -> &str {
        let [_, _, (_, type_), ..] = self.labels;
        type_
    }
}

impl Collector for ObjectMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (packed, now) = (self.all(), clock::now());
        let objects: Vec<MeasuredUser<'_>> = packed.iter().filter_map(PackedUser::read).collect();
        let age = |since: &Time| now.duration_since(since.0).as_secs_f64().max(0.0);
        self.encode_info(&mut encoder, &objects)?;
        self.encode_corrections(&mut encoder, &objects)?;
        encode_conditions(&mut encoder, &objects, age)?;
        encode_deletions(&mut encoder, &objects, age)
    }
}

impl ObjectMetrics {
    fn encode_info(&self, encoder: &mut DescriptorEncoder<'_>, objects: &[MeasuredUser<'_>]) -> fmt::Result {
        let help = "Always 1, for each ElastiCacheUser, with its settings as labels.";
        let mut metric = encoder.encode_descriptor("elasticache_user_info", help, None, MetricType::Gauge)?;
        for object in objects {
            let labels = info_labels(object, self.default_policy);
            ConstGauge::new(1_i64).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// Only of objects that had one, because most never do.
    fn encode_corrections(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        objects: &[MeasuredUser<'_>],
    ) -> fmt::Result {
        let help = "Number of changes of this ElastiCacheUser's AWS user by others that the operator reverted. No series before the first.";
        let name = "elasticache_user_object_drift_corrections";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for object in objects {
            let Some(corrections) = self.corrections.of(object.metadata.uid.unwrap_or_default()) else {
                continue;
            };
            ConstCounter::new(corrections).encode(metric.encode_family(&object_labels(object))?)?;
        }
        Ok(())
    }
}

fn encode_conditions(
    encoder: &mut DescriptorEncoder<'_>,
    objects: &[MeasuredUser<'_>],
    age: impl Fn(&Time) -> f64,
) -> fmt::Result {
    let conditions: Vec<ConditionSeries<'_>> = objects.iter().flat_map(conditions).collect();
    let help = "Always 1, for each condition of an ElastiCacheUser, with its status and reason as labels.";
    let name = "operator_status_condition_count";
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for series in &conditions {
        ConstGauge::new(1_i64).encode(metric.encode_family(&series.labels)?)?;
    }
    let help = "Time since a condition of an ElastiCacheUser got its current status.";
    let name = "operator_status_condition_current_status";
    let mut metric = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
    for series in &conditions {
        let Some(since) = series.since else { continue };
        ConstGauge::new(age(since)).encode(metric.encode_family(&series.labels)?)?;
    }
    Ok(())
}

fn encode_deletions(
    encoder: &mut DescriptorEncoder<'_>,
    objects: &[MeasuredUser<'_>],
    age: impl Fn(&Time) -> f64,
) -> fmt::Result {
    let help = "Time since the deletion of an ElastiCacheUser was requested.";
    let name = "operator_termination_current_time";
    let mut metric = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
    for object in objects {
        let Some(since) = &object.metadata.deletion_timestamp else { continue };
        ConstGauge::new(age(since)).encode(metric.encode_family(&object_labels(object))?)?;
    }
    Ok(())
}

fn object_labels<'a>(object: &MeasuredUser<'a>) -> [MetricLabel<'a>; 2] {
    let metadata = &object.metadata;
    [("namespace", metadata.namespace.unwrap_or_default()), ("name", metadata.name.unwrap_or_default())]
}

fn info_labels<'a>(object: &'a MeasuredUser<'a>, default_policy: &'static str) -> [MetricLabel<'a>; 6] {
    let [namespace, name] = object_labels(object);
    let spec = &object.spec;
    let engine = spec.engine.as_ref().map_or("", |word| known_word(word.as_str(), Engine::WORDS));
    let auth = spec.authentication.type_.as_ref();
    let auth = auth.map_or("", |word| known_word(word.as_str(), AuthenticationType::WORDS));
    let policy = spec.deletion_policy.as_ref();
    let policy = policy.map_or(default_policy, |word| known_word(word.as_str(), DeletionPolicy::WORDS));
    let id = object.user_id();
    [namespace, name, ("user_id", id), ("engine", engine), ("auth", auth), ("policy", policy)]
}

fn known_word(word: &str, words: &[&'static str]) -> &'static str {
    words.iter().find(|known| **known == word).copied().unwrap_or(OTHER)
}

/// One entry for each condition. Before the first pass, Ready is Unknown since the object's creation.
fn conditions<'a>(object: &'a MeasuredUser<'a>) -> Vec<ConditionSeries<'a>> {
    let [namespace, name] = object_labels(object);
    let state =
        |type_, status, reason| [namespace, name, ("type", type_), ("status", status), ("reason", reason)];
    let found = object.status.conditions.iter();
    let mut series: Vec<ConditionSeries<'_>> = found
        .map(|condition| {
            let type_ = known_word(&condition.type_, &[READY, RECONCILING, STALLED, DELETING]);
            let status = known_word(&condition.status, &["True", "False", "Unknown"]);
            let reason = Reason::parse(&condition.reason).map_or(OTHER, Reason::as_str);
            ConditionSeries {
                labels: state(type_, status, reason),
                since: Some(&condition.last_transition_time),
            }
        })
        // Two unknown types would become the same series.
        .filter(|series| series.type_() != OTHER)
        .collect();
    if series.iter().all(|series| series.type_() != READY) {
        let since = object.metadata.creation_timestamp.as_ref();
        series.push(ConditionSeries { labels: state(READY, "Unknown", ""), since });
    }
    series
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use prometheus_client::registry::Registry;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::ElastiCacheUser;

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

    fn page(objects: &ObjectMetrics) -> Vec<String> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(objects.clone()));
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
        let samples = page.lines().filter(|line| !line.starts_with('#'));
        // Ages change from scrape to scrape.
        samples
            .map(|line| line.split_once("_seconds{").map_or(line, |_| line.rsplit_once(' ').unwrap().0))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_metrics_of_an_object_are_removed_with_the_object() {
        let watched = Objects::default();
        let objects = ObjectMetrics::new("Delete");
        objects.add(watched.clone());
        let ready = object("ready", |object| {
            object["metadata"]["uid"] = json!("uid of ready");
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
            watched.follow(&Event::Apply(object));
        }
        for uid in ["uid of ready", "uid of ready", "uid of one that is gone"] {
            objects.corrections().count(uid);
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
            format!("elasticache_user_object_drift_corrections_total{{{}}} 2", at("ready")),
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
        watched.follow(&Event::Delete(ready.clone()));
        assert!(page(&objects).iter().all(|line| !line.contains("name=\"ready\"")));
        // Another object of the same name begins anew.
        let mut again = ready;
        again.metadata.uid = Some("another".to_owned());
        watched.follow(&Event::Apply(again));
        assert!(page(&objects).iter().all(|line| !line.contains("drift")));
    }
}
