//! No I/O: what would become of the objects and their AWS users if the operator went now.

use std::collections::BTreeSet;

use plan::{Arn, DeletionPolicy};

use super::row::{Row, counted, named};

/// What matters of an object here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
    /// The ID of the AWS user that its spec wants.
    pub(crate) wanted_user: String,
    /// What becomes of its AWS user when it goes, the operator's default applied.
    pub(crate) policy: DeletionPolicy,
    /// Its AWS user is only looked at.
    pub(crate) observes: bool,
    /// No AWS call is made for it.
    pub(crate) suspended: bool,
    /// It carries our finalizer.
    pub(crate) held: bool,
    /// It is being deleted.
    pub(crate) leaving: bool,
    /// The annotation that prevents its deletion is there.
    pub(crate) protected: bool,
    /// Its passwords come from Secrets.
    pub(crate) with_passwords: bool,
    /// The ARN of its AWS user.
    pub(crate) arn: Option<String>,
}

/// What becomes of it when no operator runs any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is on its way out, and would hang there.
    Interrupted,
    /// Its user was to go with it, and would be left behind.
    Lost,
    /// Its user is to stay; the object itself could not be deleted any more.
    Held,
    /// Nothing of it needs the operator.
    Free,
}

impl Found {
    fn fate(&self) -> Fate {
        match self {
            // Without our finalizer it is somebody else's that holds it.
            Self { leaving: true, held: true, .. } => Fate::Interrupted,
            Self { leaving: true, held: false, .. } => Fate::Free,
            Self { observes: false, policy: DeletionPolicy::Delete, .. } => Fate::Lost,
            Self { held: true, .. } => Fate::Held,
            Self { held: false, .. } => Fate::Free,
        }
    }

    /// Whether the object wants, or has, the AWS user with this ID.
    #[must_use]
    pub(crate) fn wants(&self, user_id: &str) -> bool {
        let arn = self.arn.as_deref().and_then(Arn::parse);
        self.wanted_user == user_id || arn.is_some_and(|arn| arn.user() == user_id)
    }

    /// Its name and its AWS user, where it has one.
    #[must_use]
    pub(crate) fn user(&self) -> Option<(String, Arn)> {
        Some((self.full_name(), Arn::parse(self.arn.as_deref()?)?))
    }

    fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// A row for each thing that stands in the way, or that one should know of.
#[must_use]
pub(crate) fn judge(objects: &[Found]) -> Vec<Row> {
    let of = |fate| objects.iter().filter(|object| object.fate() == fate).collect::<Vec<&Found>>();
    let rows = [interrupted(&of(Fate::Interrupted)), lost(&of(Fate::Lost)), held(&of(Fate::Held))];
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    if rows.is_empty() {
        let message = format!("The operator can go: of {} none needs it.", counted(objects.len(), "object"));
        return vec![Row::ok("objects", message)];
    }
    rows
}

fn interrupted(objects: &[&Found]) -> Option<Row> {
    let first = objects.first()?;
    let protected: Vec<String> = names(objects.iter().filter(|object| object.protected));
    let also = if protected.is_empty() {
        String::new()
    } else {
        format!(" The annotation elasticache-users.dev/prevent-deletion holds {}.", named(&protected))
    };
    Some(Row::failed(
        "objects-deleting",
        format!(
            "{} on the way out, and would hang there with the AWS user left behind: {}.{also}",
            are(objects.len()),
            named(&names(objects))
        ),
        format!(
            "wait until the operator has finished: {}\nwhat a deletion waits for: kubectl --namespace {} describe ecu {}",
            each(objects, "kubectl --namespace \"$ns\" wait ecu --all --for=delete --timeout=10m"),
            first.namespace,
            first.name
        ),
    ))
}

fn lost(objects: &[&Found]) -> Option<Row> {
    objects.first()?;
    let suspended: Vec<String> = names(objects.iter().filter(|object| object.suspended));
    let also = if suspended.is_empty() {
        String::new()
    } else {
        format!(
            " Suspended, so that their deletion waits until spec.suspend is false: {}.",
            named(&suspended)
        )
    };
    Some(Row::failed(
        "objects-delete",
        format!(
            "{} an AWS user that should go with the object (deletionPolicy Delete) and would be left without an owner: {}.{also}",
            have(objects.len()),
            named(&names(objects))
        ),
        format!(
            "to keep the AWS users: {}\nto delete them, while the operator runs: {}\nto go on all the same: elasticache-user-operator check --uninstall --force",
            each(objects, RETAIN),
            each(objects, "kubectl --namespace \"$ns\" delete ecu --all"),
        ),
    ))
}

const RETAIN: &str = "kubectl --namespace \"$ns\" get ecu --output name | xargs -I{} kubectl --namespace \"$ns\" patch {} --type merge --patch '{\"spec\": {\"deletionPolicy\": \"Retain\"}}'";

fn held(objects: &[&Found]) -> Option<Row> {
    objects.first()?;
    Some(Row::warning(
        "objects-finalizer",
        format!(
            "{} an AWS user that stays, and the operator's finalizer: while no operator runs, their deletion, and that of their namespace or of the CustomResourceDefinition, hangs: {}.",
            have(objects.len()),
            named(&names(objects))
        ),
        format!(
            "delete those that are to go while the operator runs, or leave them for the next operator: {}",
            each(objects, "kubectl --namespace \"$ns\" get ecu"),
        ),
    ))
}

fn names<'a>(objects: impl IntoIterator<Item = &'a &'a Found>) -> Vec<String> {
    objects.into_iter().map(|object| object.full_name()).collect()
}

/// A command for each namespace of the objects.
fn each(objects: &[&Found], command: &str) -> String {
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
mod tests {
    use super::super::row::{Status, worst};
    use super::*;

    fn found(name: &str) -> Found {
        Found {
            namespace: "shop".into(),
            name: name.into(),
            wanted_user: name.into(),
            policy: DeletionPolicy::Delete,
            observes: false,
            suspended: false,
            held: true,
            leaving: false,
            protected: false,
            with_passwords: false,
            arn: None,
        }
    }

    #[test]
    fn an_object_stands_in_the_way_while_its_user_would_be_lost() {
        let retained = || Found { policy: DeletionPolicy::Retain, ..found("a") };
        let rows: [(&str, Found, &str, Status); 9] = [
            ("one with Delete", found("a"), "objects-delete", Status::Failed),
            ("one not looked at yet", Found { held: false, ..found("a") }, "objects-delete", Status::Failed),
            ("a suspended one", Found { suspended: true, ..found("a") }, "objects-delete", Status::Failed),
            (
                "one that is leaving",
                Found { leaving: true, ..found("a") },
                "objects-deleting",
                Status::Failed,
            ),
            (
                "a retained one that is leaving",
                Found { leaving: true, ..retained() },
                "objects-deleting",
                Status::Failed,
            ),
            (
                "one that another finalizer holds",
                Found { leaving: true, held: false, ..found("a") },
                "objects",
                Status::Ok,
            ),
            ("a retained one", retained(), "objects-finalizer", Status::Warning),
            ("a retained one without finalizer", Found { held: false, ..retained() }, "objects", Status::Ok),
            ("one that observes", Found { observes: true, held: false, ..found("a") }, "objects", Status::Ok),
        ];
        for (claim, object, check, status) in rows {
            let rows = judge(&[object]);
            assert_eq!((rows[0].check, rows[0].status, rows.len()), (check, status, 1), "{claim}: {rows:?}");
        }
        assert_eq!(worst(&judge(&[])), Status::Ok);
    }

    #[test]
    fn the_number_the_names_and_the_ways_out_are_told() {
        let mut objects: Vec<Found> = (0..7).map(|number| found(&format!("n{number}"))).collect();
        objects[3].namespace = "checkout".into();
        objects[4].suspended = true;
        let row = judge(&objects).remove(0);
        assert!(row.message.starts_with("7 objects have an AWS user"), "{row:?}");
        assert!(
            row.message.contains("shop/n0, shop/n1, shop/n2, checkout/n3, shop/n4 and 2 more."),
            "{row:?}"
        );
        assert!(row.message.ends_with("until spec.suspend is false: shop/n4."), "{row:?}");
        let mend = row.mend.unwrap();
        for way in ["for ns in checkout shop; do", "Retain", "delete ecu", "--force"] {
            assert!(mend.contains(way), "{way}: {mend}");
        }
    }

    #[test]
    fn what_holds_a_deletion_is_told() {
        let rows = judge(&[Found { leaving: true, protected: true, ..found("a") }, found("b")]);
        assert!(rows[0].message.contains("prevent-deletion holds shop/a."), "{rows:?}");
        assert!(rows[0].mend.as_ref().unwrap().contains("describe ecu a"), "{rows:?}");
        assert_eq!(rows.len(), 2);
    }
}
