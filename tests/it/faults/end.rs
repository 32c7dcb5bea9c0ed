//! The end state as facts, without times, versions and other parts that differ from run to run.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use similar::TextDiff;

use super::scenario::PASSWORDS;

/// What an end state consists of.
pub(super) struct Found {
    pub(super) object: Option<Value>,
    pub(super) secrets: Vec<Value>,
    pub(super) users: Vec<Value>,
}

/// Which passwords a user has, by label, in a fixed order.
fn labels(passwords: &Value) -> Value {
    let passwords = passwords.as_array().into_iter().flatten();
    let mut labels: Vec<&str> = passwords
        .map(|found| PASSWORDS.iter().find(|(_, text)| found == text).map_or("unknown", |(label, _)| label))
        .collect();
    labels.sort_unstable();
    json!(labels)
}

/// The facts about an end.
pub(super) fn facts(found: &Found, namespace: &str) -> Value {
    let users: BTreeMap<String, Value> = found
        .users
        .iter()
        .map(|user| (user["UserId"].as_str().unwrap_or_default().to_owned(), user_facts(user)))
        .collect();
    let object = found.object.as_ref().map(|object| object_facts(object, &found.secrets));
    let facts = json!({ "object": object, "users": users });
    let uid = found.object.as_ref().and_then(|object| object["metadata"]["uid"].as_str());
    let text = facts.to_string().replace(namespace, "NAMESPACE");
    serde_json::from_str(&uid.map_or(text.clone(), |uid| text.replace(uid, "UID"))).unwrap()
}

fn user_facts(user: &Value) -> Value {
    let mut facts = user.clone();
    facts["Passwords"] = labels(&user["Passwords"]);
    // The operator did not touch the users of others, not even to set a value that they had.
    if user["UserId"] == "app" {
        facts.as_object_mut().unwrap().remove("Version");
    }
    facts
}

fn object_facts(object: &Value, secrets: &[Value]) -> Value {
    let mut status = object["status"].clone();
    let generation = &object["metadata"]["generation"];
    if let Some(status) = status.as_object_mut() {
        let observed = status.insert("observedGeneration".to_owned(), Value::Null);
        status.insert("observedGeneration".to_owned(), json!(observed.as_ref() == Some(generation)));
        // This time is removed together with a later change.
        status.remove("createRequestedAt");
        // The time differs from case to case.
        if let Some(at) = status.get_mut("passwordsAppliedAt") {
            *at = json!(true);
        }
    }
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = Value::Null;
        condition["observedGeneration"] = json!(condition["observedGeneration"] == *generation);
    }
    for version in status["lastApplied"]["passwordVersions"].as_array_mut().into_iter().flatten() {
        *version = json!(which(version.as_str().unwrap_or_default(), secrets));
    }
    // In the order of the Secrets' uids.
    if let Some(versions) = status["lastApplied"]["passwordVersions"].as_array_mut() {
        versions.sort_by_key(|version| version.to_string());
    }
    // Indexing inserts a missing key.
    prune(&mut status);
    let metadata = &object["metadata"];
    json!({ "status": status, "spec": object["spec"], "finalizers": metadata["finalizers"], "leaving": !metadata["deletionTimestamp"].is_null() })
}

/// The Secret that has this version now.
fn which(version: &str, secrets: &[Value]) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let newest = secrets.iter().find(|secret| {
        let metadata = &secret["metadata"];
        let prefix = format!("{}/{}/", text(&metadata["uid"]), text(&metadata["resourceVersion"]));
        version.starts_with(&prefix)
    });
    newest.map_or("outdated".to_owned(), |secret| text(&secret["metadata"]["name"]))
}

fn prune(value: &mut Value) {
    if let Value::Object(members) = value {
        members.values_mut().for_each(prune);
        members.retain(|_, member| !member.is_null());
    }
}

/// Ready=True for the newest generation, with the newest Secrets sent.
fn is_settled(facts: &Value) -> bool {
    let status = &facts["object"]["status"];
    let ready = status["conditions"].as_array().into_iter().flatten().any(|condition| {
        condition["type"] == "Ready"
            && condition["status"] == "True"
            && condition["observedGeneration"] == true
    });
    let versions = status["lastApplied"]["passwordVersions"].as_array();
    ready
        && status["observedGeneration"] == true
        && versions.into_iter().flatten().all(|sent| sent != "outdated")
}

/// The scenario is fulfilled: AWS has what is wanted and the object shows it, or the object is gone and AWS has no user.
pub(super) fn fulfils(facts: &Value, wanted: &Value) -> bool {
    let user = &facts["users"]["app"];
    match wanted {
        Value::Null => user.is_null() && facts["object"].is_null(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            holds(user, wanted) && is_settled(facts)
        }
    }
}

/// `found` has every member of `wanted`, at any depth.
fn holds(found: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(members) => members.iter().all(|(name, wanted)| holds(&found[name], wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            found == wanted
        }
    }
}

/// The differences of two end states.
pub(super) fn difference(wanted: &Value, found: &Value) -> String {
    let (wanted, found) = (format!("{wanted:#}\n"), format!("{found:#}\n"));
    TextDiff::from_lines(&wanted, &found)
        .unified_diff()
        .context_radius(1)
        .header("wanted", "found")
        .to_string()
}
