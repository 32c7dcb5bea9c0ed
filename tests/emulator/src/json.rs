//! Reading the JSON of the control API: what is not known, or cannot be read, is refused with a sentence.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::duration;

/// The object that a body must be.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err(format!("the body must be a JSON object, not {other}")),
        Err(error) => Err(format!("the body must be a JSON object, but it cannot be read: {error}")),
    }
}

/// The sentence for a member that is not known.
pub(crate) fn unknown_member(name: &str, of: &str, known: &[&str]) -> String {
    format!("there is no member '{name}' in {of}; there are {}", known.join(", "))
}

pub(crate) fn text(name: &str, value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("'{name}' must be a string, not {value}"))
}

pub(crate) fn texts(name: &str, value: &Value) -> Result<Vec<String>, String> {
    let list =
        value.as_array().map(|list| list.iter().map(|item| item.as_str().map(str::to_owned)).collect());
    list.flatten().ok_or_else(|| format!("'{name}' must be a list of strings, not {value}"))
}

pub(crate) fn whole_number(name: &str, value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("'{name}' must be a whole number from 0 up, not {value}"))
}

pub(crate) fn time(name: &str, value: &Value) -> Result<Duration, String> {
    let text =
        value.as_str().ok_or_else(|| format!("'{name}' must be {}, not {value}", duration::EXPECTED))?;
    duration::parse(text).map_err(|sentence| format!("'{name}': {sentence}"))
}
