//! The ValidatingAdmissionPolicy for `prevent-deletion`, in a real API server.

use cluster::Tool;
use serde_json::Value;

use crate::fixture::{LEAST, RELEASE, eventually, file, helm, kubectl, kubectl_refuses};

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
fn an_annotated_object_is_not_deleted_and_its_message_says_how_it_would_be() {
    kubectl(&["create", "namespace", "protecting"]);
    let arguments = [LEAST[0], "--set=preventDeletionPolicy.enabled=true"];
    let policy = helm(Tool::Helm4).template(RELEASE, "protecting", &arguments).unwrap();
    let mut policy = chart::objects(&policy).unwrap();
    policy.retain(|object| object["kind"].as_str().unwrap().starts_with("ValidatingAdmissionPolicy"));
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

    // As the message says.
    let annotation = "elasticache-users.dev/prevent-deletion-";
    kubectl(&["annotate", "elasticacheuser", "--namespace", "protecting", "precious", annotation]);
    kubectl(&delete);
}
