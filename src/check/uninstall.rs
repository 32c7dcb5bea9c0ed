//! No I/O: what would happen to the objects and their AWS users if the operator were removed now.

use std::collections::BTreeSet;

use plan::{Arn, DeletionPolicy};

use super::row::{Row, counted, named};

/// What `check` needs to know of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectSummary {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// This operator looks after the object, and no other does.
    pub(crate) included: bool,
    /// The ID of the AWS user that its spec wants.
    pub(crate) wanted_user: String,
    /// Of the spec, or the operator's default.
    pub(crate) policy: DeletionPolicy,
    /// `managementPolicy: Observe`.
    pub(crate) observes: bool,
    /// `suspend: true`.
    pub(crate) suspended: bool,
    /// The flags whose rules it breaks.
    pub(crate) breaks: Vec<&'static str>,
    /// The user groups that it names, and that `--allowed-user-group` does not allow.
    pub(crate) refused_groups: Vec<String>,
    pub(crate) has_finalizer: bool,
    pub(crate) being_deleted: bool,
    pub(crate) protected: bool,
    /// The names of the Secrets that it needs.
    pub(crate) secrets: Vec<String>,
    pub(crate) arn: Option<String>,
}

/// What happens to an object if no operator runs any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Its deletion would never end.
    Interrupted,
    /// The AWS user should be deleted with the object, but would stay.
    Lost,
    /// The AWS user stays, as intended, but the object could not be deleted any more.
    Held,
    /// The object does not need the operator.
    Free,
}

impl ObjectSummary {
    fn fate(&self) -> Fate {
        match self {
            // If our finalizer is not on the object, the finalizer of another controller keeps it.
            Self { being_deleted: true, has_finalizer: true, .. } => Fate::Interrupted,
            Self { being_deleted: true, has_finalizer: false, .. } => Fate::Free,
            Self { observes: false, policy: DeletionPolicy::Delete, .. } => Fate::Lost,
            Self { has_finalizer: true, .. } => Fate::Held,
            Self { has_finalizer: false, .. } => Fate::Free,
        }
    }

    /// Whether the object wants, or has, the AWS user with this ID.
    #[must_use]
    pub(crate) fn wants(&self, user_id: &str) -> bool {
        let arn = self.arn.as_deref().and_then(Arn::parse);
        self.wanted_user == user_id || arn.is_some_and(|arn| arn.user() == user_id)
    }

    /// Full name and ARN, if the object has a user.
    #[must_use]
    pub(crate) fn user(&self) -> Option<(String, Arn)> {
        Some((self.full_name(), Arn::parse(self.arn.as_deref()?)?))
    }

    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// One row for each kind of object that prevents the uninstall or that a person should know of.
#[must_use]
pub(crate) fn evaluate(objects: &[ObjectSummary]) -> Vec<Row> {
    let of = |fate| objects.iter().filter(|object| object.fate() == fate).collect::<Vec<&ObjectSummary>>();
    let rows = [interrupted(&of(Fate::Interrupted)), lost(&of(Fate::Lost)), held(&of(Fate::Held))];
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    if rows.is_empty() {
        let message =
            format!("You can remove the operator: of {} none needs it.", counted(objects.len(), "object"));
        return vec![Row::ok("objects", message)];
    }
    rows
}

fn interrupted(objects: &[&ObjectSummary]) -> Option<Row> {
    let first = objects.first()?;
    let protected: Vec<String> = names(objects.iter().filter(|object| object.protected));
    let also = if protected.is_empty() {
        String::new()
    } else {
        format!(
            " The annotation elasticache-users.dev/prevent-deletion prevents the deletion of {}.",
            named(&protected)
        )
    };
    Some(Row::failed(
        "objects-deleting",
        format!(
            "{} being deleted. Without the operator the deletion never ends, and the AWS user is left behind: {}.{also}",
            are(objects.len()),
            named(&names(objects))
        ),
        format!(
            "wait until the operator has finished: {}\nto see what a deletion waits for: kubectl --namespace {} describe ecu {}",
            each(objects, "kubectl --namespace \"$ns\" wait ecu --all --for=delete --timeout=10m"),
            first.namespace,
            first.name
        ),
    ))
}

fn lost(objects: &[&ObjectSummary]) -> Option<Row> {
    objects.first()?;
    let suspended: Vec<String> = names(objects.iter().filter(|object| object.suspended));
    let also = if suspended.is_empty() {
        String::new()
    } else {
        format!(
            " These are suspended, so their deletion waits until spec.suspend is false: {}.",
            named(&suspended)
        )
    };
    Some(Row::failed(
        "objects-delete",
        format!(
            "{} an AWS user that should be deleted with the object (deletionPolicy Delete). Without the operator it would be left behind: {}.{also}",
            have(objects.len()),
            named(&names(objects))
        ),
        format!(
            "to keep the AWS users: {}\nto delete them, while the operator runs: {}\nto ignore this: elasticache-user-operator check --uninstall --force",
            each(objects, RETAIN),
            each(objects, "kubectl --namespace \"$ns\" delete ecu --all"),
        ),
    ))
}

const RETAIN: &str = "kubectl --namespace \"$ns\" get ecu --output name | xargs -I{} kubectl --namespace \"$ns\" patch {} --type merge --patch '{\"spec\": {\"deletionPolicy\": \"Retain\"}}'";

fn held(objects: &[&ObjectSummary]) -> Option<Row> {
    objects.first()?;
    Some(Row::warning(
        "objects-finalizer",
        format!(
            "{} an AWS user that stays, and the operator's finalizer. While no operator runs, these objects cannot be deleted, and neither can their namespace or the CustomResourceDefinition: {}.",
            have(objects.len()),
            named(&names(objects))
        ),
        format!(
            "delete the objects that you do not need while the operator still runs, or leave them for the next operator: {}",
            each(objects, "kubectl --namespace \"$ns\" get ecu"),
        ),
    ))
}

fn names<'a>(objects: impl IntoIterator<Item = &'a &'a ObjectSummary>) -> Vec<String> {
    objects.into_iter().map(|object| object.full_name()).collect()
}

/// A command for each namespace of the objects.
fn each(objects: &[&ObjectSummary], command: &str) -> String {
    let namespaces: BTreeSet<&str> = objects.iter().map(|object| object.namespace.as_str()).collect();
    let namespaces = namespaces.into_iter().collect::<Vec<_>>().join(" ");
    format!("for ns in {namespaces}; do {command}; done")
}

fn are(count: usize) -> String {
    format!("{} {}", counted(count, "object"), if count == 1 { "is" } else { "are" })
}

fn have(count: usize) -> String {
    format!("{} {}", counted(count, "object"), if count == 1 { "has" } else { "have" })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::row::{RowStatus, worst};
    use super::*;

    pub(crate) fn summary(name: &str) -> ObjectSummary {
        ObjectSummary {
            included: true,
            namespace: "shop".into(),
            name: name.into(),
            wanted_user: name.into(),
            policy: DeletionPolicy::Delete,
            observes: false,
            suspended: false,
            breaks: Vec::new(),
            refused_groups: Vec::new(),
            has_finalizer: true,
            being_deleted: false,
            protected: false,
            secrets: Vec::new(),
            arn: None,
        }
    }

    #[test]
    fn an_object_blocks_the_uninstall_if_its_user_would_be_lost() {
        let retained = || ObjectSummary { policy: DeletionPolicy::Retain, ..summary("a") };
        let rows: [(&str, ObjectSummary, &str, RowStatus); 9] = [
            ("one with Delete", summary("a"), "objects-delete", RowStatus::Failed),
            (
                "one not looked at yet",
                ObjectSummary { has_finalizer: false, ..summary("a") },
                "objects-delete",
                RowStatus::Failed,
            ),
            (
                "a suspended one",
                ObjectSummary { suspended: true, ..summary("a") },
                "objects-delete",
                RowStatus::Failed,
            ),
            (
                "one that is leaving",
                ObjectSummary { being_deleted: true, ..summary("a") },
                "objects-deleting",
                RowStatus::Failed,
            ),
            (
                "a retained one that is leaving",
                ObjectSummary { being_deleted: true, ..retained() },
                "objects-deleting",
                RowStatus::Failed,
            ),
            (
                "one that another finalizer holds",
                ObjectSummary { being_deleted: true, has_finalizer: false, ..summary("a") },
                "objects",
                RowStatus::Ok,
            ),
            ("a retained one", retained(), "objects-finalizer", RowStatus::Warning),
            (
                "a retained one without finalizer",
                ObjectSummary { has_finalizer: false, ..retained() },
                "objects",
                RowStatus::Ok,
            ),
            (
                "one that observes",
                ObjectSummary { observes: true, has_finalizer: false, ..summary("a") },
                "objects",
                RowStatus::Ok,
            ),
        ];
        for (claim, object, check, status) in rows {
            let rows = evaluate(&[object]);
            assert_eq!((rows[0].check, rows[0].status, rows.len()), (check, status, 1), "{claim}: {rows:?}");
        }
        assert_eq!(worst(&evaluate(&[])), RowStatus::Ok);
    }

    #[test]
    fn the_uninstall_row_counts_and_names_the_objects_and_says_what_to_do() {
        let mut objects: Vec<ObjectSummary> = (0..7).map(|number| summary(&format!("n{number}"))).collect();
        objects[3].namespace = "checkout".into();
        objects[4].suspended = true;
        let row = evaluate(&objects).remove(0);
        assert!(row.message.starts_with("7 objects have an AWS user"), "{row:?}");
        assert!(
            row.message.contains("shop/n0, shop/n1, shop/n2, checkout/n3, shop/n4 and 2 more."),
            "{row:?}"
        );
        assert!(row.message.ends_with("until spec.suspend is false: shop/n4."), "{row:?}");
        let fix = row.fix.unwrap();
        for way in ["for ns in checkout shop; do", "Retain", "delete ecu", "--force"] {
            assert!(fix.contains(way), "{way}: {fix}");
        }
    }

    #[test]
    fn the_uninstall_row_says_what_prevents_a_deletion() {
        let rows =
            evaluate(&[ObjectSummary { being_deleted: true, protected: true, ..summary("a") }, summary("b")]);
        assert!(rows[0].message.contains("prevent-deletion prevents the deletion of shop/a."), "{rows:?}");
        assert!(rows[0].fix.as_ref().unwrap().contains("describe ecu a"), "{rows:?}");
        assert_eq!(rows.len(), 2);
    }
}
