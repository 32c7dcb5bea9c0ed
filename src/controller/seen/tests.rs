use serde_json::{Value, json};

use super::*;

/// An object at rest, with these members replaced.
fn object(members: &[(&str, Value)]) -> ElastiCacheUser {
    let mut object = json!({
        "apiVersion": "elasticache-users.dev/v1alpha1",
        "kind": "ElastiCacheUser",
        "metadata": {
            "name": "app", "namespace": "shop", "uid": "1", "generation": 1, "resourceVersion": "7",
            "finalizers": ["elasticache-users.dev/user-cleanup"],
            "annotations": { "elasticache-users.dev/prevent-deletion": "true", "example.com/seen": "1" },
        },
        "spec": { "engine": "valkey", "accessString": "on ~* +@all", "authentication": { "type": "iam" } },
        "status": {
            "observedGeneration": 1,
            "arn": "arn:aws:elasticache:us-east-1:123456789012:user:app",
            "conditions": [condition("Ready", "True")],
        },
    });
    for (pointer, value) in members {
        *object.pointer_mut(pointer).expect("a member") = value.clone();
    }
    serde_json::from_value(object).expect("an object")
}

fn condition(kind: &str, status: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": "Active", "message": "", "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    })
}

#[test]
fn a_change_of_an_object_starts_a_pass_only_if_a_pass_depends_on_it() {
    let annotations = |ours: &str, foreign: &str| {
        json!({ "elasticache-users.dev/prevent-deletion": ours, "example.com/seen": foreign,
                "elasticache-users.dev.example.com/seen": foreign })
    };
    let rows = [
        ("our own status write", ("/metadata/resourceVersion", json!("8")), None),
        ("a foreign annotation", ("/metadata/annotations", annotations("true", "2")), None),
        (
            "an annotation of ours",
            ("/metadata/annotations", annotations("false", "1")),
            Some(Trigger::Change),
        ),
        ("its spec", ("/metadata/generation", json!(2)), Some(Trigger::Edit)),
        ("another object of the name", ("/metadata/uid", json!("2")), Some(Trigger::Edit)),
        ("the finalizer is gone", ("/metadata/finalizers", json!([])), Some(Trigger::Change)),
        (
            "another finalizer",
            ("/metadata/finalizers", json!(["elasticache-users.dev/user-cleanup", "x/y"])),
            None,
        ),
    ];
    for (claim, change, expected) in rows {
        let mut seen = Seen::default();
        seen.note(&object(&[]));
        assert_eq!(seen.note(&object(&[change])), expected, "{claim}");
    }
    let mut deleted = object(&[]);
    let mut seen = Seen::default();
    seen.note(&deleted);
    deleted.metadata.deletion_timestamp =
        serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("a time");
    assert_eq!(seen.note(&deleted), Some(Trigger::Edit));
}

#[test]
fn at_the_start_objects_that_somebody_changed_are_served_before_objects_at_rest() {
    let conditions = |conditions: Value| ("/status/conditions", conditions);
    let rows = [
        ("at rest", ("/metadata/generation", json!(1)), Trigger::Listed(Class::Check)),
        ("edited meanwhile", ("/metadata/generation", json!(2)), Trigger::Edit),
        (
            "a request that no pass has handled",
            ("/metadata/annotations", json!({ "elasticache-users.dev/reconcile-requested-at": "now" })),
            Trigger::Edit,
        ),
        ("new", ("/status", json!({})), Trigger::Edit),
        ("waiting", conditions(json!([condition("Ready", "False")])), Trigger::Listed(Class::Repeat)),
        (
            "it needs a person",
            conditions(json!([condition("Ready", "False"), condition("Stalled", "True")])),
            Trigger::Listed(Class::Check),
        ),
    ];
    for (claim, change, expected) in rows {
        assert_eq!(Seen::default().note(&object(&[change])), Some(expected), "{claim}");
    }
}
