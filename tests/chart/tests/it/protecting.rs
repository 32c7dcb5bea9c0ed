//! The chart's ValidatingAdmissionPolicies, in a real API server.

use chart::{is_policy, is_role};
use cluster::Tool;
use serde_json::{Value, json};

use crate::fixture::{LEAST, RELEASE, attempt, eventually, file, helm, kubectl, kubectl_refuses, rendered};

fn user(name: &str, protected: &str) -> Value {
    serde_json::json!({
        "apiVersion": "elasticache-users.dev/v1alpha1",
        "kind": "ElastiCacheUser",
        "metadata": {
            "name": name,
            "namespace": "protecting",
            "annotations": { "elasticache-users.dev/prevent-deletion": protected },
        },
        "spec": { "engine": "valkey", "accessString": "on ~* +@read", "authentication": { "type": "iam" } },
    })
}

#[test]
fn an_object_with_prevent_deletion_cannot_be_deleted_and_the_message_says_how_to_allow_it() {
    kubectl(&["create", "namespace", "protecting"]);
    let arguments = [LEAST[0], "--set=preventDeletionPolicy.enabled=true"];
    let policy = helm(Tool::Helm4).template(RELEASE, "protecting", &arguments).unwrap();
    let mut policy = chart::objects(&policy).unwrap();
    policy.retain(is_policy);
    assert_eq!(policy.len(), 2);
    kubectl(&["apply", "--server-side", "--filename", &file("policy", &policy)]);
    let users = [user("precious", "true"), user("ordinary", "false")];
    kubectl(&["apply", "--filename", &file("protected", &users)]);

    // The API server learns of a policy by its own watch.
    let delete = ["delete", "elasticacheuser/precious", "--namespace=protecting"];
    let said = eventually("the policy is in force", || {
        let dry = [&delete[..], &["--dry-run=server"]].concat();
        crate::fixture::attempt(&dry).err()
    });
    for part in [
        "ElastiCacheUser precious is protected from deletion",
        "kubectl annotate elasticacheuser --namespace protecting precious elasticache-users.dev/prevent-deletion-",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let said = kubectl_refuses(&["delete", "elasticacheusers", "--all", "--namespace=protecting"]);
    assert!(said.contains("precious is protected"), "{said}");
    assert_eq!(kubectl(&["get", "ecu", "--namespace=protecting", "--output=name"]).lines().count(), 1);

    // The command that the message names.
    let annotation = "elasticache-users.dev/prevent-deletion-";
    kubectl(&["annotate", "elasticacheuser", "--namespace", "protecting", "precious", annotation]);
    kubectl(&delete);
}

/// What the operator's ServiceAccount may change under the admission policy that limits it. RBAC alone would allow all changes.
#[test]
fn the_operator_changes_nothing_but_its_finalizer_and_the_status() {
    const NAMESPACE: &str = "limited";
    kubectl(&["create", "namespace", NAMESPACE]);
    let mut objects = rendered(NAMESPACE, &[LEAST[0], "--set=operatorPolicy.enabled=true"]);
    objects.retain(|object| is_role(object) || is_policy(object));
    kubectl(&["apply", "--server-side", "--filename", &file("limits", &objects)]);
    let mut one = user("one", "false");
    one["metadata"]["namespace"] = NAMESPACE.into();
    one["metadata"]["finalizers"] = json!(["example.com/theirs"]);
    kubectl(&["apply", "--filename", &file("limited", &[one])]);

    let account = format!("--as=system:serviceaccount:{NAMESPACE}:{RELEASE}");
    let patch = |body: Value, more: &[&str]| {
        let (body, namespace) = (body.to_string(), format!("--namespace={NAMESPACE}"));
        let patch = ["patch", "elasticacheuser/one", "--type=merge", "--patch", &body, &namespace];
        attempt(&[&patch[..], more].concat())
    };
    let label = json!({ "metadata": { "labels": { "team": "x" } } });
    eventually("RBAC and the policy are in force", || {
        let said = patch(label.clone(), &[&account, "--dry-run=server"]).err()?;
        said.contains("does not change labels").then_some(())
    });
    let finalizers = |all: &[&str]| json!({ "metadata": { "finalizers": all } });
    let (ours, theirs) = ("elasticache-users.dev/user-cleanup", "example.com/theirs");
    let refused = [
        (json!({ "spec": { "accessString": "on ~* +@all" } }), "does not change the spec"),
        (json!({ "metadata": { "annotations": { "note": "x" } } }), "does not change labels"),
        (json!({ "metadata": { "annotations": null } }), "does not change labels"),
        (finalizers(&[ours]), "finalizers of others"),
        (finalizers(&[theirs, "example.com/more"]), "finalizers of others"),
    ];
    for (body, says) in refused {
        let said = patch(body.clone(), &[&account]).unwrap_err();
        assert!(said.contains(says), "{body}: {said}");
    }
    patch(finalizers(&[theirs, ours]), &[&account]).unwrap();
    let status = json!({
        "apiVersion": "elasticache-users.dev/v1alpha1",
        "kind": "ElastiCacheUser",
        "metadata": { "name": "one", "namespace": NAMESPACE },
        "status": { "state": "active" },
    });
    let status = file("limited-status", &[status]);
    kubectl(&["apply", "--server-side", "--subresource=status", "--filename", &status, &account]);
    patch(finalizers(&[theirs]), &[&account]).unwrap();
    // The policy does not limit other users.
    patch(json!({ "spec": { "accessString": "on ~* +@all" } }), &[]).unwrap();
    patch(label, &[]).unwrap();
}
