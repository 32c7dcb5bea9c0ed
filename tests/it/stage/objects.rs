//! Objects as JSON: those that tests make, and what is read of them.

use serde_json::{Value, json};

/// An ElastiCacheUser.
pub(crate) fn manifest(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "elasticache-users.dev/v1alpha1",
        "kind": "ElastiCacheUser",
        "metadata": { "name": name },
        "spec": spec,
    })
}

/// A patch that asks for a pass.
pub(crate) fn asks(value: &str) -> Value {
    json!({ "metadata": { "annotations": { "elasticache-users.dev/reconcile-requested-at": value } } })
}

/// A spec without passwords.
pub(crate) fn iam() -> Value {
    json!({ "engine": "valkey", "accessString": "on ~* +@all", "authentication": { "type": "iam" } })
}

/// A spec whose password is in this Secret, under the key `password`.
pub(crate) fn with_password(secret: &str) -> Value {
    json!({
        "engine": "redis",
        "accessString": "on ~app:* -@all +@read",
        "authentication": {
            "type": "password",
            "passwords": [{ "secretKeyRef": { "name": secret, "key": "password" } }],
        },
    })
}

/// The condition of this type.
pub(crate) fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}

/// Ready=True for the newest generation.
pub(crate) fn is_ready(object: &Value) -> bool {
    let generation = &object["metadata"]["generation"];
    condition(object, "Ready").is_some_and(|ready| ready["status"] == "True")
        && object["status"]["observedGeneration"] == *generation
}
