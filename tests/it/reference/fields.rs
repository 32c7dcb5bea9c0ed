//! docs/src/reference/api.md, from the CustomResourceDefinition.

use elasticache_user_operator::api::{
    self, DELETING, FINALIZER, PREVENT_DELETION, READY, RECONCILE_REQUESTED_AT, RECONCILING, STALLED,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

use super::{cell, plain};
use crate::written;

#[test]
fn the_page_of_fields_is_generated_from_the_crd() {
    written::file("docs/src/reference/api.md", &text(&api::crd()));
}

fn text(crd: &CustomResourceDefinition) -> String {
    let [version] = crd.spec.versions.as_slice() else { panic!("{} versions", crd.spec.versions.len()) };
    let root = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref()).unwrap();
    let names = &crd.spec.names;
    let mut text = format!(
        "# {kind}\n\n<!-- Written by a test (tests/it/reference/fields.rs) from the CustomResourceDefinition. -->\n\n\
         {about}\n\n`apiVersion: {group}/{version}`, `kind: {kind}`; {scope}; `{plural}`, `{singular}` or `{short}` for \
         kubectl; in the categories {categories}. `kubectl explain {short}.spec` teaches the same.\n",
        kind = names.kind,
        about = root.description.clone().unwrap_or_default(),
        group = crd.spec.group,
        version = version.name,
        scope = crd.spec.scope.to_lowercase(),
        plural = names.plural,
        singular = names.singular.clone().unwrap_or_default(),
        short = names.short_names.clone().unwrap_or_default().join("`, `"),
        categories = listed(names.categories.clone().unwrap_or_default()),
    );
    let properties = root.properties.as_ref().unwrap();
    text.push_str("\n## spec\n");
    field(&mut text, "spec", &properties["spec"], false, 2);
    text.push_str("\n### Rules on the object as a whole\n\n");
    rules(&mut text, root);
    text.push_str("\n## status\n");
    field(&mut text, "status", &properties["status"], false, 2);
    text.push_str(&conditions());
    text.push_str(&columns(version.additional_printer_columns.iter().flatten()));
    let fields = version.selectable_fields.iter().flatten().map(|field| field.json_path.clone());
    text.push_str(&format!(
        "\n`--field-selector` knows {}.\n",
        listed(fields.map(|path| path.trim_start_matches('.').to_owned()).collect())
    ));
    text.push_str(&metadata());
    text
}

/// Writes the field and the fields in it, each with a heading. `depth` is the level of the heading above.
fn field(text: &mut String, path: &str, schema: &JSONSchemaProps, required: bool, depth: usize) {
    if depth > 2 {
        text.push_str(&format!("\n### {path}\n\n{}", type_of(schema)));
        text.push_str(if required { ", required\n" } else { "\n" });
    }
    if let Some(about) = &schema.description {
        text.push_str(&format!("\n{}\n", plain(about)));
    }
    let bounds = bounds(schema);
    if !bounds.is_empty() {
        text.push_str(&format!("\nThe schema holds it to {bounds}.\n"));
    }
    if schema.x_kubernetes_validations.iter().flatten().next().is_some() {
        text.push_str("\nRules:\n\n");
        rules(text, schema);
    }
    let inner = match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => items,
        Some(JSONSchemaPropsOrArray::Schemas(_)) | None => schema,
    };
    let path = if schema.items.is_some() { format!("{path}[]") } else { path.to_owned() };
    // Conditions have Kubernetes' own form, which is the same for every kind.
    if path.ends_with("conditions[]") {
        return;
    }
    let required = inner.required.clone().unwrap_or_default();
    for (name, property) in inner.properties.iter().flatten() {
        field(text, &format!("{path}.{name}"), property, required.contains(name), depth + 1);
    }
}

/// Writes the messages of the API server for objects that break a rule.
fn rules(text: &mut String, schema: &JSONSchemaProps) {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        let message = rule.message.as_ref().expect("a rule without a message tells people nothing");
        let at = rule.field_path.as_ref().map(|path| format!("`{path}`: ")).unwrap_or_default();
        text.push_str(&format!("- {at}{}\n", plain(message)));
    }
}

fn type_of(schema: &JSONSchemaProps) -> String {
    let type_ = schema.type_.clone().unwrap_or_default();
    match (&schema.items, &schema.additional_properties) {
        (Some(JSONSchemaPropsOrArray::Schema(items)), _) => format!("list of {}", type_of(items)),
        (_, Some(JSONSchemaPropsOrBool::Schema(values))) => format!("map of string to {}", type_of(values)),
        _ => schema.format.clone().map_or(type_.clone(), |format| format!("{type_} ({format})")),
    }
}

fn bounds(schema: &JSONSchemaProps) -> String {
    let words = schema.enum_.iter().flatten().map(|word| word.0.as_str().unwrap_or_default().to_owned());
    let words: Vec<String> = words.collect();
    let mut all = Vec::new();
    if !words.is_empty() {
        all.push(format!("the words {}", listed(words)));
    }
    let rows =
        [(schema.max_length, "characters"), (schema.max_items, "items"), (schema.max_properties, "entries")];
    all.extend(rows.into_iter().filter_map(|(most, what)| Some(format!("at most {} {what}", most?))));
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        let most = values.max_length.map(|most| format!("values of at most {most} characters"));
        all.extend(most);
    }
    all.join(", ")
}

/// `a`, `b` and `c`
fn listed(words: Vec<String>) -> String {
    let mut words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) }
}

fn conditions() -> String {
    format!(
        "\n## Conditions\n\nFlux, Helm and `kubectl wait` understand them. Each carries its own `observedGeneration`; the reasons \
         are [a closed list](reasons.md).\n\n| type | when it is there | meaning |\n|---|---|---|\n\
         | `{READY}` | always from the first pass on | True: the AWS user exists, matches the spec and is `active` |\n\
         | `{RECONCILING}` | only while True | work is under way, or will be tried again without a person |\n\
         | `{STALLED}` | only while True | a person must change something |\n\
         | `{DELETING}` | only while the object is being deleted | what the deletion waits for, and what to do |\n"
    )
}

fn columns<'a>(
    all: impl Iterator<
        Item = &'a k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition,
    >,
) -> String {
    let mut text = "\n## What kubectl get shows\n\n| column | from | what |\n|---|---|---|\n".to_owned();
    for column in all {
        let wide = if column.priority.unwrap_or_default() > 0 { " (`-o wide`)" } else { "" };
        let about = column.description.clone().unwrap_or_default();
        text.push_str(&format!(
            "| {}{wide} | `{}` | {} |\n",
            column.name,
            cell(&column.json_path),
            cell(&about)
        ));
    }
    text
}

fn metadata() -> String {
    let tags = [plan::CLUSTER_TAG, plan::NAMESPACE_TAG, plan::NAME_TAG, plan::UID_TAG];
    format!(
        "\n## Annotations, finalizer, tags\n\n| what | meaning |\n|---|---|\n\
         | annotation `{RECONCILE_REQUESTED_AT}` | any new value asks for a pass now; echoed in `status.lastHandledReconcileAt`. A value of more than 256 characters is ignored, and an event `ReconcileRequestIgnored` says so |\n\
         | annotation `{PREVENT_DELETION}` | while it is `\"true\"` the finalizer is held and nothing is deleted |\n\
         | finalizer `{FINALIZER}` | holds the object until AWS no longer has its user, or the user is to stay |\n\
         | AWS tags {} | which object owns the AWS user: see [ownership](../concepts/ownership.md) |\n",
        listed(tags.map(ToOwned::to_owned).to_vec())
    )
}
