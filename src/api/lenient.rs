//! Decoding that does not fail: what has the wrong shape counts as left out. No I/O.
//!
//! The schema keeps such values out; they come from a laxer CRD of another version, or from a hand that
//! wrote to the store while validation was off. Nothing is mended here: the pass sees a field that is
//! missing, and says so in the object's status.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde_json::{Map, Value};

/// The members of a JSON object, to be taken out one by one.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Total: anything but an object has no members, nor has a value that is missing altogether.
    pub(super) fn of_anything<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As an `Option`, because that is how serde lets a type stand for its own absence.
        let value = Option::<Value>::deserialize(deserializer)?;
        Ok(Self(if let Some(Value::Object(members)) = value { members } else { Map::new() }))
    }

    /// For parts of a larger value: anything but an object is an error, so that the part is left out.
    pub(super) fn of_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(members) => Ok(Self(members)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(D::Error::custom("not an object"))
            }
        }
    }

    /// One member, if it is there and of the right type.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.0.remove(name).and_then(|value| serde_json::from_value(value).ok())
    }

    /// The items of a list that are of the right type; empty where there is no list.
    pub(super) fn take_items<T: DeserializeOwned>(&mut self, name: &str) -> Vec<T> {
        let items: Vec<Value> = self.take(name).unwrap_or_default();
        items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect()
    }

    /// The entries of a map whose values are of the right type.
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
