//! The CRD: what the derive emits, mended. No I/O.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

use super::ElastiCacheUser;

/// The command that installs the CRD, or brings it up to date.
pub const APPLY_CRD: &str = "elasticache-user-operator crd | kubectl apply --server-side -f -";

/// The CRD as it is installed: exactly what `crds/elasticacheusers.yaml` holds.
pub fn crd() -> CustomResourceDefinition {
    let mut crd = ElastiCacheUser::crd();
    for version in &mut crd.spec.versions {
        if let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            mend_root(root);
        }
    }
    crd
}

/// The CRD as YAML.
///
/// # Errors
/// Where the YAML serializer fails, which it has no reason to.
pub fn crd_yaml() -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(&crd())
}

/// What the derive does not say about the object as a whole.
fn mend_root(root: &mut JSONSchemaProps) {
    mend(root);
    // A missing spec is refused by a rule that lets stored objects be (see `spec.rs`).
    root.required = None;
    let Some(properties) = root.properties.as_mut() else { return };
    // Named, so that a rule can point at it.
    let name = JSONSchemaProps { type_: Some("string".into()), ..JSONSchemaProps::default() };
    properties.insert(
        "metadata".into(),
        JSONSchemaProps {
            type_: Some("object".into()),
            properties: Some([("name".to_owned(), name)].into()),
            ..JSONSchemaProps::default()
        },
    );
    if let Some(status) = properties.get_mut("status") {
        // Without it a new object has no status, and kstatus takes it for ready.
        status.default = Some(JSON(json!({ "observedGeneration": -1 })));
    }
}

/// Every schema, from the top down: what `Option` leaves behind is taken away, and descriptions read well
/// in `kubectl explain`.
fn mend(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.title = None;
    if let Some(words) = schema.enum_.as_mut() {
        words.retain(|JSON(word)| !word.is_null());
    }
    if let Some(description) = schema.description.as_mut() {
        *description = plain(description);
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        mend(property);
    }
    match schema.items.as_mut() {
        Some(JSONSchemaPropsOrArray::Schema(items)) => {
            mend(items);
            // `kubectl explain` prints it right behind the list's own, without a space.
            items.description = None;
        }
        Some(JSONSchemaPropsOrArray::Schemas(all)) => all.iter_mut().for_each(mend),
        None => {}
    }
    match schema.additional_properties.as_mut() {
        Some(JSONSchemaPropsOrBool::Schema(values)) => mend(values),
        Some(JSONSchemaPropsOrBool::Bool(_)) | None => {}
    }
}

/// Paragraphs stay. The line breaks inside them are the source file's and go, because `kubectl explain`
/// wraps to the width of the terminal; so do the escapes that Rust's documentation needs.
fn plain(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    paragraphs.collect::<Vec<_>>().join("\n\n").replace(".  ", ". ").replace("\\[", "[").replace("\\]", "]")
}
