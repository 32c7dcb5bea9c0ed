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
pub(crate) fn secrets(all: u32, word: &str) -> Vec<Value> {
    let secret = |number| secret(&format!("user-{number}"), &format!("{word}-passphrase-{number}"));
    (0..all).filter(|number| has_password(*number)).map(secret).collect()
}

pub(crate) fn secret(name: &str, password: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": { "password": password },
    })
}

/// The objects.
pub(crate) fn users(all: u32, access_string: &str) -> Vec<Value> {
    let user = |number| {
        let name = format!("user-{number}");
        let mut user = if has_password(number) { with_secret(&name, &name) } else { iam(&name) };
        user["spec"]["accessString"] = json!(access_string);
        user
    };
    (0..all).map(user).collect()
}

pub(crate) fn iam(name: &str) -> Value {
    object(name, &json!({ "type": "iam" }))
}

/// An object whose password is under the key `password` of this Secret.
pub(crate) fn with_secret(name: &str, secret: &str) -> Value {
    let reference = json!({ "secretKeyRef": { "name": secret, "key": "password" } });
    object(name, &json!({ "type": "password", "passwords": [reference] }))
}

fn object(name: &str, authentication: &Value) -> Value {
    json!({
        "apiVersion": "elasticache-users.dev/v1alpha1",
        "kind": "ElastiCacheUser",
        "metadata": { "name": name },
        "spec": {
            "engine": "valkey", "accessString": "on ~orders:* -@all +@read", "authentication": authentication,
            "tags": { "team": "orders" },
        },
    })
}
