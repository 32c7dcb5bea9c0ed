//! The chart's ValidatingAdmissionPolicy that warns, in a real API server.

use chart::is_policy;
use serde_json::{Value, json};

use crate::fixture::{LEAST, control_plane, eventually, file, kubectl, rendered};
use crate::usefulness::{ROWS, Usefulness};

const NAMESPACE: &str = "warning";

fn user(name: &str, access_string: &str) -> Value {
    json!({
        "apiVersion": "elasticache-users.dev/v1alpha1",
        "kind": "ElastiCacheUser",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": { "engine": "valkey", "accessString": access_string, "authentication": { "type": "iam" } },
    })
}

/// Applies the object, and returns the lines of warnings.
fn warnings(object: &Value, more: &[&str]) -> String {
    let manifest = file("useless", std::slice::from_ref(object));
    let mut kubectl = control_plane().kubectl();
    let applied = kubectl.args(["apply", "--filename", &manifest]).args(more).output().unwrap();
    let said = String::from_utf8(applied.stderr).unwrap();
    assert!(applied.status.success(), "{object}: {said}");
    said
}

#[test]
fn kubectl_apply_warns_of_an_access_string_of_no_use_as_ready_does() {
    kubectl(&["create", "namespace", NAMESPACE]);
    let mut policy = rendered(NAMESPACE, &[LEAST[0], "--set=accessStringPolicy.enabled=true"]);
    policy.retain(is_policy);
    assert_eq!(policy.len(), 2);
    kubectl(&["apply", "--server-side", "--filename", &file("access-string-policy", &policy)]);
    // The API server learns of a policy by its own watch.
    let dry_run = ["--dry-run=server"];
    eventually("the policy is in force", || {
        warnings(&user("app", "off"), &dry_run).contains("cannot log in").then_some(())
    });
    for Usefulness { text, logs_in, runs_commands } in ROWS {
        let said = warnings(&user("app", text), &dry_run);
        assert_eq!(said.contains("Warning: "), !(*logs_in && *runs_commands), "{text:?}: {said}");
        assert_eq!(said.contains("The user cannot log in"), !logs_in, "{text:?}: {said}");
        assert_eq!(said.contains("The user may run no command"), !runs_commands, "{text:?}: {said}");
    }
    // A string of full length must not cost more than the API server allows for a policy.
    for pair in ["+get -get ", "~k +@read (+get|x -get) "] {
        let long = format!("off {}-@all (+get -@all)", pair.repeat(2020 / pair.len()));
        assert!((1950..=2048).contains(&long.len()), "{}", long.len());
        let said = warnings(&user("app", &long), &dry_run);
        assert!(said.contains("The user cannot log in"), "{pair}: {said}");
    }

    // An edit of something else does not warn again.
    assert!(warnings(&user("app", "off"), &[]).contains("cannot log in"));
    let mut edited = user("app", "off");
    edited["spec"]["engine"] = json!("redis");
    assert_eq!(warnings(&edited, &[]), "");
    edited["spec"]["accessString"] = json!("off -@all");
    assert!(warnings(&edited, &[]).contains("cannot log in"));
}
