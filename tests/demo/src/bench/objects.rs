//! The objects of a measurement: every other one has a password.

use serde_json::{Value, json};

/// How many of `all` have a password.
pub(crate) fn with_password(all: u32) -> u32 {
    all.div_ceil(2)
}

fn has_password(number: u32) -> bool {
    number.is_multiple_of(2)
}

/// A Secret for each object with a password; `word` is what all passwords begin with.
pub(crate) fn secrets(all: u32, word: &str) -> Value {
    let secret = |number| {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": format!("user-{number}") },
            "stringData": { "password": format!("{word}-passphrase-{number}") },
        })
    };
    list((0..all).filter(|number| has_password(*number)).map(secret).collect())
}

/// The objects.
pub(crate) fn users(all: u32, access_string: &str) -> Value {
    let user = |number| {
        let name = format!("user-{number}");
        let authentication = if has_password(number) {
            json!({ "type": "password", "passwords": [{ "secretKeyRef": { "name": name, "key": "password" } }] })
        } else {
            json!({ "type": "iam" })
        };
        json!({
            "apiVersion": "elasticache-users.dev/v1alpha1",
            "kind": "ElastiCacheUser",
            "metadata": { "name": name },
            "spec": {
                "engine": "valkey", "accessString": access_string, "authentication": authentication,
                "tags": { "team": "orders" },
            },
        })
    };
    list((0..all).map(user).collect())
}

fn list(items: Vec<Value>) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}
