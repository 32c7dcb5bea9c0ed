//! No I/O: whether the CustomResourceDefinition that is installed is the one that this binary was built for.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps, JSONSchemaPropsOrArray,
    JSONSchemaPropsOrBool,
};

use super::cluster::ClusterError;
use super::row::{Row, named};
use crate::api::{APPLY_CRD, VERSION};

const CHECK: &str = "crd";
const NAME: &str = "elasticacheusers.elasticache-users.dev";

#[derive(Debug)]
pub(crate) enum Installed {
    Read(Box<CustomResourceDefinition>),
    /// The definition itself may not be read. Discovery says whether the version is served.
    Forbidden {
        served: bool,
    },
    Missing,
    Unread(ClusterError),
}

/// Compares the installed definition with the one that this binary was built for.
#[must_use]
pub(crate) fn evaluate(installed: &Installed, ours: &CustomResourceDefinition) -> Row {
    match installed {
        Installed::Missing | Installed::Forbidden { served: false } => {
            Row::failed(CHECK, format!("The CustomResourceDefinition {NAME} is not installed."), APPLY_CRD)
        }
        Installed::Forbidden { served: true } => Row::warning(
            CHECK,
            format!(
                "{VERSION} is served. The definition may not be read, so it is not known whether its schema matches this binary."
            ),
            "see the row permission-crd",
        ),
        Installed::Unread(why) => Row::failed(
            CHECK,
            format!("The CustomResourceDefinition {NAME} could not be read: {why}"),
            format!("kubectl get crd {NAME}"),
        ),
        Installed::Read(found) => diff_row(found, ours),
    }
}

fn diff_row(found: &CustomResourceDefinition, ours: &CustomResourceDefinition) -> Row {
    if found.metadata.deletion_timestamp.is_some() {
        return Row::failed(
            CHECK,
            "The CustomResourceDefinition is being deleted. Kubernetes deletes every object with it. Every AWS user stays.",
            format!("kubectl wait --for=delete crd/{NAME} --timeout=10m\n{APPLY_CRD}"),
        );
    }
    let (Some(here), Some(wanted)) = (version(found), version(ours)) else {
        return Row::failed(
            CHECK,
            format!("The CustomResourceDefinition has no version {VERSION}, which this binary needs."),
            APPLY_CRD,
        );
    };
    if !here.served || !here.storage {
        let lacks = if here.served { "stored" } else { "served" };
        return Row::failed(
            CHECK,
            format!("The version {VERSION} of the CustomResourceDefinition is not {lacks}."),
            APPLY_CRD,
        );
    }
    let conditions = found.status.as_ref().and_then(|status| status.conditions.as_ref());
    let established = conditions
        .is_some_and(|all| all.iter().any(|one| one.type_ == "Established" && one.status == "True"));
    if !established {
        return Row::failed(
            CHECK,
            "The API server has not established the CustomResourceDefinition.",
            format!("kubectl describe crd {NAME}"),
        );
    }
    version_row(here, wanted)
}

fn version(definition: &CustomResourceDefinition) -> Option<&CustomResourceDefinitionVersion> {
    definition.spec.versions.iter().find(|version| version.name == VERSION)
}

fn version_row(here: &CustomResourceDefinitionVersion, wanted: &CustomResourceDefinitionVersion) -> Row {
    let same = here.schema == wanted.schema
        && here.additional_printer_columns == wanted.additional_printer_columns
        && here.selectable_fields == wanted.selectable_fields;
    if same {
        return Row::ok(CHECK, format!("{VERSION} is served and stored, with this binary's schema."));
    }
    let (in_cluster, in_binary) = (fields(here), fields(wanted));
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        let missing = |path: &str| !path.is_empty() && one.contains(path) && !other.contains(path);
        let parent = |path: &str| path.rsplit_once('.').map_or("", |(parent, _)| parent).to_owned();
        // Where a field is missing so is all that is in it.
        one.difference(other).filter(|path| !missing(&parent(path))).cloned().collect()
    };
    let (lacking, further) = (only(&in_binary, &in_cluster), only(&in_cluster, &in_binary));
    match (lacking.is_empty(), further.is_empty()) {
        (false, true) => Row::warning(
            CHECK,
            format!(
                "The CustomResourceDefinition is older than this binary. It lacks {}, so the API server drops these fields.",
                named(&lacking)
            ),
            APPLY_CRD,
        ),
        (true, false) => Row::warning(
            CHECK,
            format!(
                "The CustomResourceDefinition is newer than this binary, which does not know {}.",
                named(&further)
            ),
            format!(
                "run the operator's version that belongs to the CustomResourceDefinition, or install this binary's with: {APPLY_CRD}"
            ),
        ),
        (false, false) => Row::warning(
            CHECK,
            format!(
                "The CustomResourceDefinition is of another version. It lacks {}, and this binary does not know {}.",
                named(&lacking),
                named(&further)
            ),
            APPLY_CRD,
        ),
        (true, true) => Row::warning(
            CHECK,
            "The CustomResourceDefinition is of another version. It has this binary's fields, but other rules, columns or descriptions.",
            APPLY_CRD,
        ),
    }
}

/// The path of every field in the schema of a version.
fn fields(version: &CustomResourceDefinitionVersion) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let root = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    if let Some(root) = root {
        collect("", root, &mut found);
    }
    found
}

fn collect(path: &str, schema: &JSONSchemaProps, found: &mut BTreeSet<String>) {
    for (name, property) in schema.properties.iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(&path, property, found);
        found.insert(path);
    }
    match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => collect(path, items, found),
        Some(JSONSchemaPropsOrArray::Schemas(all)) => {
            all.iter().for_each(|items| collect(path, items, found))
        }
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        collect(path, values, found);
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
        CustomResourceDefinitionCondition, CustomResourceDefinitionStatus,
    };
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::super::row::RowStatus;
    use super::*;
    use crate::api;

    fn established(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
        let condition = CustomResourceDefinitionCondition {
            type_: "Established".into(),
            status: "True".into(),
            ..CustomResourceDefinitionCondition::default()
        };
        crd.status = Some(CustomResourceDefinitionStatus {
            conditions: Some(vec![condition]),
            ..CustomResourceDefinitionStatus::default()
        });
        crd
    }

    fn row(change: impl FnOnce(&mut CustomResourceDefinition)) -> Row {
        let mut found = established(api::crd());
        change(&mut found);
        evaluate(&Installed::Read(Box::new(found)), &api::crd())
    }

    fn spec(crd: &mut CustomResourceDefinition) -> &mut JSONSchemaProps {
        let root = crd.spec.versions[0].schema.as_mut().unwrap().open_api_v3_schema.as_mut().unwrap();
        root.properties.as_mut().unwrap().get_mut("spec").unwrap()
    }

    #[test]
    fn the_installed_definition_is_compared_with_this_binarys() {
        type Change = fn(&mut CustomResourceDefinition);
        let rows: [(&str, Change, RowStatus, &str); 10] = [
            ("the same", |_| {}, RowStatus::Ok, "this binary's schema"),
            (
                "an older one",
                |crd| drop(spec(crd).properties.as_mut().unwrap().remove("suspend")),
                RowStatus::Warning,
                "older than this binary. It lacks spec.suspend,",
            ),
            (
                "one that lacks a whole part",
                |crd| drop(spec(crd).properties.take()),
                RowStatus::Warning,
                "spec.accessString, spec.adoptionPolicy, spec.authentication, spec.class, spec.deletionPolicy and 7 more",
            ),
            (
                "a newer one",
                |crd| {
                    drop(
                        spec(crd)
                            .properties
                            .as_mut()
                            .unwrap()
                            .insert("more".into(), JSONSchemaProps::default()),
                    )
                },
                RowStatus::Warning,
                "newer than this binary, which does not know spec.more.",
            ),
            (
                "one with other rules",
                |crd| spec(crd).x_kubernetes_validations = None,
                RowStatus::Warning,
                "other rules",
            ),
            (
                "one that is going",
                |crd| crd.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH)),
                RowStatus::Failed,
                "being deleted",
            ),
            ("not served", |crd| crd.spec.versions[0].served = false, RowStatus::Failed, "not served"),
            ("not stored", |crd| crd.spec.versions[0].storage = false, RowStatus::Failed, "not stored"),
            (
                "another version",
                |crd| crd.spec.versions[0].name = "v2".into(),
                RowStatus::Failed,
                "no version v1alpha1",
            ),
            ("not established", |crd| crd.status = None, RowStatus::Failed, "not established"),
        ];
        for (claim, change, status, says) in rows {
            let row = row(change);
            assert_eq!(row.status, status, "{claim}: {row:?}");
            assert!(row.message.contains(says), "{claim}: {row:?}");
            assert_eq!(row.fix.is_none(), status == RowStatus::Ok, "{claim}: {row:?}");
        }
    }

    #[test]
    fn a_definition_that_cannot_be_read_does_not_count_as_missing() {
        let row = |installed| evaluate(&installed, &api::crd());
        assert_eq!(row(Installed::Missing).fix.as_deref(), Some(APPLY_CRD));
        assert_eq!(row(Installed::Forbidden { served: false }).status, RowStatus::Failed);
        assert_eq!(row(Installed::Forbidden { served: true }).status, RowStatus::Warning);
        assert_eq!(
            row(Installed::Unread(ClusterError::Timeout(std::time::Duration::from_secs(1)))).status,
            RowStatus::Failed
        );
    }
}
