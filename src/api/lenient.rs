//! No I/O: decoding that never fails. A value of the wrong type counts as left out.
//!
//! The schema refuses such values. They can only come from the CRD of another version, or from somebody who wrote while validation
//! was off. The pass reports the missing field in the object's status.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde_json::{Map, Value};

/// The members of a JSON object that were not taken yet.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Never fails: a missing value, or one that is not an object, has no members.
    pub(super) fn of_anything<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde accepts a missing field only for an `Option`.
        let value = Option::<Value>::deserialize(deserializer)?;
        Ok(Self(if let Some(Value::Object(members)) = value { members } else { Map::new() }))
    }

    /// Fails if the value is not a JSON object. Then the caller treats the whole part as absent.
    pub(super) fn of_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(members) => Ok(Self(members)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(D::Error::custom("not an object"))
            }
        }
    }

    /// `None` if the member is missing or has the wrong type.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.0.remove(name).and_then(|value| serde_json::from_value(value).ok())
    }

    /// The items that have the right type.
    pub(super) fn take_items<T: DeserializeOwned>(&mut self, name: &str) -> Vec<T> {
        let items: Vec<Value> = self.take(name).unwrap_or_default();
        items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect()
    }

    /// The entries whose values have the right type.
    pub(super) fn take_entries<M, T>(&mut self, name: &str) -> Option<M>
    where
        M: FromIterator<(String, T)>,
        T: DeserializeOwned,
    {
        let entries: Map<String, Value> = self.take(name)?;
        Some(
            entries
                .into_iter()
                .filter_map(|(key, value)| Some((key, serde_json::from_value(value).ok()?)))
                .collect(),
        )
    }
}
