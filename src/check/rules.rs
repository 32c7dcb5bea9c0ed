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

/// A row if objects name user groups that they may not join.
#[must_use]
pub(crate) fn unjoinable_groups(objects: &[ObjectSummary]) -> Option<Row> {
    let refused = objects.iter().filter(|object| !object.refused_groups.is_empty());
    let refused: Vec<String> = refused
        .map(|object| format!("{} ({})", object.full_name(), object.refused_groups.join(", ")))
        .collect();
    let message = format!(
        "These objects name user groups that --allowed-user-group has no pattern for. Their users do not join the groups: {}.",
        named(&refused)
    );
    let fix = "allow the groups with --allowed-user-group (in the chart: allowedUserGroups), or remove them from spec.userGroupIDs";
    (!refused.is_empty()).then(|| Row::warning("user-groups", message, fix))
}
