//! No I/O: the commands that adopt or delete an AWS user without an object. A person reads them and runs them in a shell.
//!
//! Other people may write the tags in AWS, so every word is quoted for the shell.

use plan::shell::{quoted, remove_tags_command};
use plan::{RemoteUser, is_dns_label, is_object_name};
use serde_json::{Value, json};

use super::findings::OrphanUser;
use crate::api::{GROUP, VERSION};

pub(super) fn delete_command(user: &RemoteUser) -> String {
    format!(
        "aws elasticache delete-user --user-id {} --region {}",
        quoted(&user.user_id),
        quoted(user.arn.region())
    )
}

/// `None` if no object can have the namespace and the name that the tags say.
pub(super) fn adopt_command(orphan: &OrphanUser<'_>) -> Option<String> {
    let OrphanUser { user, namespace, name, existing, claimant } = orphan;
    // While the tags name an object that exists, no other object may adopt the user.
    let untag = existing.map(|_| remove_tags_command(Some(&user.arn)) + " && ").unwrap_or_default();
    if let Some(claimant) = claimant {
        let patch = json!({ "spec": { "adoptionPolicy": "Adopt" } }).to_string();
        return Some(format!(
            "{untag}kubectl --namespace {} patch ecu {} --type merge --patch {}",
            quoted(&claimant.namespace),
            quoted(&claimant.name),
            quoted(&patch)
        ));
    }
    if !is_dns_label(namespace) || !is_object_name(name) {
        return None;
    }
    let manifest = match existing {
        None => manifest(user, name, None),
        Some(_) => manifest(user, &user.user_id, Some("Adopt")),
    };
    Some(format!(
        "{untag}printf %s {} | kubectl --namespace {namespace} create --filename -",
        quoted(&manifest.to_string())
    ))
}

/// An object with a spec that matches the AWS user. AWS shows no password, so the person who adopts the user must name the Secret.
fn manifest(user: &RemoteUser, name: &str, adoption_policy: Option<&str>) -> Value {
    let authentication = match user.authentication_type.as_str() {
        "no-password" => json!({ "type": "no-password-required" }),
        "password" => json!({
            "type": "password",
            "passwords": [{ "secretKeyRef": { "name": "SECRET", "key": "KEY" } }],
        }),
        other => json!({ "type": other }),
    };
    let mut spec = json!({
        "engine": user.engine, "accessString": user.access_string, "authentication": authentication,
    });
    if name != user.user_id {
        spec["userID"] = json!(user.user_id);
    }
    if user.user_name != user.user_id {
        spec["userName"] = json!(user.user_name);
    }
    if let Some(policy) = adoption_policy {
        spec["adoptionPolicy"] = json!(policy);
    }
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ElastiCacheUser",
        "metadata": { "name": name }, "spec": spec,
    })
}
