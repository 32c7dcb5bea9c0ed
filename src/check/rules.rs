//! No I/O: which objects break a rule of the operator's administrator.

use super::row::{Row, named};
use super::uninstall::ObjectSummary;

/// A row if there are any.
#[must_use]
pub(crate) fn evaluate(objects: &[ObjectSummary]) -> Option<Row> {
    let broken = objects.iter().filter(|object| !object.breaks.is_empty());
    let broken: Vec<String> =
        broken.map(|object| format!("{} ({})", object.full_name(), object.breaks.join(", "))).collect();
    let message = format!(
        "These objects break a rule that a flag sets. The operator creates no AWS user for them. A user that one of them has stays managed: {}.",
        named(&broken)
    );
    let fix = "see the message of each: kubectl describe ecu --namespace NAMESPACE NAME";
    (!broken.is_empty()).then(|| Row::warning("rules", message, fix))
}
