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

/// A row if objects in other namespaces than those that are watched have our finalizer.
#[must_use]
pub(crate) fn unwatched(objects: &[ObjectSummary], watched: &[String]) -> Option<Row> {
    let is_outside = |object: &&ObjectSummary| {
        object.included && object.has_finalizer && !watched.contains(&object.namespace)
    };
    let outside: Vec<String> = objects
        .iter()
        .filter(is_outside)
        .map(|object| {
            format!("{}{}", object.full_name(), if object.being_deleted { " (is being deleted)" } else { "" })
        })
        .collect();
    let message = format!(
        "These objects are in namespaces that --namespace does not list. If no other operator watches these namespaces, changes do not reach AWS, and deletions never end: {}.",
        named(&outside)
    );
    let fix = "add the namespaces to --namespace (in the chart: watch.namespaces), and delete the objects before you take a namespace out";
    (!outside.is_empty()).then(|| Row::warning("unwatched", message, fix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::uninstall::tests::summary;

    #[test]
    fn objects_outside_of_the_watched_namespaces_are_named_if_they_have_our_finalizer() {
        let watched = ["shop".to_owned()];
        let inside = ObjectSummary { namespace: "shop".to_owned(), ..summary("a") };
        let outside = ObjectSummary { namespace: "former".to_owned(), ..summary("b") };
        let unheld = ObjectSummary { has_finalizer: false, ..outside.clone() };
        let of_another_class = ObjectSummary { included: false, ..outside.clone() };
        assert_eq!(unwatched(&[inside.clone(), unheld, of_another_class], &watched), None);
        let row = unwatched(&[inside, ObjectSummary { being_deleted: true, ..outside }], &watched).unwrap();
        assert!(row.message.ends_with("former/b (is being deleted)."), "{row:?}");
    }
}
