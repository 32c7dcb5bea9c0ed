//! Rules about the conditions of an object at any time.

use serde_json::Value;

use crate::fixture::condition;

/// The rule that the conditions break, if any. kstatus and people rely on these rules.
pub(crate) fn fault(object: &Value) -> Option<&'static str> {
    let generation = object["metadata"]["generation"].as_i64()?;
    let observed = object["status"]["observedGeneration"].as_i64();
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    if observed.is_some_and(|observed| observed > generation) {
        return Some("observedGeneration is ahead");
    }
    if observed != Some(generation) {
        return None;
    }
    let leaving = !object["metadata"]["deletionTimestamp"].is_null();
    let value = |type_: &str| condition(object, type_).and_then(|found| found["status"].as_str());
    let (ready, reconciling, stalled, deleting) =
        (value("Ready"), value("Reconciling"), value("Stalled"), value("Deleting"));
    let present = |value: Option<&str>| value.is_some();
    let words = |type_: &str| {
        condition(object, type_).map(|found| (found["reason"].clone(), found["message"].clone()))
    };
    match () {
        () if ready.is_none() => Some("no Ready"),
        () if [reconciling, stalled, deleting].iter().flatten().any(|value| *value != "True") => {
            Some("a condition that is present without being True")
        }
        () if present(reconciling) && present(stalled) => Some("Reconciling and Stalled"),
        () if present(stalled) && ready != Some("False") => Some("Stalled without Ready=False"),
        () if ready == Some("True") && (present(reconciling) || present(stalled)) => {
            Some("Ready and not done")
        }
        () if ready == Some("Unknown") && !present(reconciling) => Some("Unknown without Reconciling"),
        () if conditions.iter().any(|found| found["observedGeneration"] != generation) => {
            Some("a condition of another generation")
        }
        () if present(deleting) && !leaving => Some("Deleting without deletionTimestamp"),
        () if leaving && (ready != Some("False") || !present(deleting) || !present(reconciling)) => {
            Some("leaving without Ready=False, Deleting and Reconciling")
        }
        () if ["Reconciling", "Stalled", "Deleting"]
            .iter()
            .any(|type_| words(type_).is_some() && words(type_) != words("Ready")) =>
        {
            Some("conditions that disagree")
        }
        () => None,
    }
}
