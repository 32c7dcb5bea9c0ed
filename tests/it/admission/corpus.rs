//! The rows of the corpus and how they become objects.

use std::collections::BTreeMap;

use elasticache_user_operator::api::{FINALIZER, GROUP, VERSION};
use kube::api::{DynamicObject, ObjectMeta, TypeMeta};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

/// One claim. `invalid.yaml` describes the fields.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Row {
    pub(super) claim: String,
    #[serde(default)]
    base: Base,
    name: Option<String>,
    generate_name: Option<String>,
    spec: Option<Value>,
    #[serde(default, deserialize_with = "even_null")]
    whole: Option<Value>,
    without: Option<String>,
    pub(super) after: Option<Value>,
    pub(super) stored: Option<Value>,
    pub(super) path: Option<String>,
    pub(super) message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Base {
    #[default]
    Password,
    Iam,
    None,
}

pub(super) fn rows(yaml: &str) -> Vec<Row> {
    let rows: Vec<BTreeMap<String, Value>> = serde_saphyr::from_str(yaml).expect("a list of rows");
    let row =
        |row| serde_json::from_value(expand(json!(row))).unwrap_or_else(|error| panic!("{row:?}: {error}"));
    rows.iter().map(row).collect()
}

impl Row {
    pub(super) fn object(&self) -> DynamicObject {
        let mut spec = self.whole.clone().unwrap_or_else(|| self.base.spec());
        if let Some(changes) = &self.spec {
            merge(&mut spec, changes);
        }
        let mut data = json!({ "spec": spec });
        if let (Some(member), Some(members)) = (&self.without, data.as_object_mut()) {
            members.remove(member);
        }
        let name = match (&self.name, &self.generate_name) {
            (Some(name), _) => Some(name.clone()),
            (None, Some(_)) => None,
            (None, None) => Some("orders-api".to_owned()),
        };
        DynamicObject {
            types: Some(TypeMeta {
                api_version: format!("{GROUP}/{VERSION}"),
                kind: "ElastiCacheUser".into(),
            }),
            metadata: ObjectMeta {
                name,
                generate_name: self.generate_name.clone(),
                finalizers: Some(vec![FINALIZER.to_owned()]),
                ..ObjectMeta::default()
            },
            data,
        }
    }
}

impl Base {
    fn spec(&self) -> Value {
        match self {
            Self::Password => json!({
                "engine": "redis",
                "accessString": "on ~orders:* -@all +@read",
                "authentication": {
                    "type": "password",
                    "passwords": [{ "secretKeyRef": { "name": "orders-api", "key": "password" } }],
                },
            }),
            Self::Iam => json!({
                "engine": "valkey", "accessString": "on ~* +@all", "authentication": { "type": "iam" },
            }),
            Self::None => json!({
                "engine": "redis",
                "accessString": "on ~public:* -@all +@read",
                "authentication": { "type": "no-password-required" },
            }),
        }
    }
}

/// Applies a merge patch (RFC 7396).
fn merge(target: &mut Value, patch: &Value) {
    let (Value::Object(members), Value::Object(changes)) = (&mut *target, patch) else {
        *target = patch.clone();
        return;
    };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert_with(|| json!({})), change);
        }
    }
}

/// Expands `${x*5}` and `${1..5}`.
fn expand(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(repeated(&text)),
        Value::Array(items) => items.into_iter().map(expand).collect(),
        Value::Object(members) => Value::Object(members.into_iter().flat_map(expand_member).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn expand_member((key, value): (String, Value)) -> Map<String, Value> {
    let value = expand(value);
    match placeholder(&key, "..") {
        None => [(repeated(&key), value)].into_iter().collect(),
        Some((before, first, last, after)) => (first.parse::<usize>().expect("a number")..=last)
            .map(|number| (format!("{before}{number}{after}"), value.clone()))
            .collect(),
    }
}

fn repeated(text: &str) -> String {
    match placeholder(text, "*") {
        None => text.to_owned(),
        Some((before, what, times, after)) => format!("{before}{}{after}", what.repeat(times)),
    }
}

/// Splits `before${left SIGN right}after`.
fn placeholder<'a>(text: &'a str, sign: &str) -> Option<(&'a str, &'a str, usize, &'a str)> {
    let (before, rest) = text.split_once("${")?;
    let (inside, after) = rest.split_once('}')?;
    let (left, right) = inside.rsplit_once(sign)?;
    Some((before, left, right.parse().expect("a number"), after))
}

/// Reads an explicit `null` as a value. A field that is left out stays `None`.
fn even_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
