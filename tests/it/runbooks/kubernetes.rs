//! Runbooks for faults of the cluster: permissions, policies, the Lease, the operator's own settings.

use std::fs;

use serde_json::json;

use super::on_call::OnCall;
use crate::control_plane;
use crate::fixture::{Fixture, PASSWORD, Setup, iam, until, with_password};
use crate::rights::Rights;
use crate::rotating::allow;

const OBJECTS: &str = "elasticacheusers";

/// A fixture with an operator that may read and patch these, and nothing else.
async fn restricted(resources: &[&str], env: &[(&'static str, String)]) -> Fixture {
    let setup = Setup { rights: Some(Rights::Administrator), ..Setup::leaving_users() };
    let fixture = Fixture::without_operator(setup).await;
    let kubeconfig = fixture.service_account("restricted").await;
    let rules = json!([{
        "apiGroups": ["elasticache-users.dev"],
        "resources": resources,
        "verbs": ["get", "list", "watch", "patch"],
    }]);
    allow(&fixture, "operator", rules).await;
    let own = [("KUBECONFIG", kubeconfig), ("ELASTICACHE_USERS_CLUSTER_ID", "test".to_owned())];
    fixture.start_with(&own.iter().chain(env).cloned().collect::<Vec<_>>());
    fixture
}

#[tokio::test]
async fn the_runbook_of_missing_secrets_shows_that_the_secret_is_forbidden() {
    let fixture = restricted(&[OBJECTS, "elasticacheusers/status"], &[]).await;
    fixture.secret("pw", PASSWORD).await;
    fixture.create("app", with_password("pw")).await;
    fixture.reason("app", "SecretForbidden").await;
    let on_call = OnCall::reads("ElastiCacheUserSecretMissing", &fixture).with_account("restricted");
    let message = on_call.sees("describe ecu").await;
    assert!(message.contains("may not read Secret \"pw\""), "{message}");
    assert_eq!(on_call.sees("can-i").await.trim(), "no");
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_failing_passes_shows_the_permission_that_is_missing() {
    let fixture = restricted(&[OBJECTS], &[]).await;
    fixture.create("app", iam()).await;
    let on_call = OnCall::reads("ElastiCacheUserReconcileErrorRate", &fixture).with_account("restricted");
    on_call.finds("logs", &["forbidden"]).await;
    on_call.sees_words("logs", &["elasticacheusers/status"]).await;
    assert_eq!(on_call.sees("can-i").await.trim(), "no");
    fixture.kill();
    fixture.patch("app", json!({ "metadata": { "finalizers": null } })).await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_failing_passes_shows_the_policy_that_refuses_the_status() {
    let fixture = Fixture::without_operator(Setup::leaving_users()).await;
    let ns = &fixture.ns;
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": { "name": ns },
        "spec": {
            "matchConstraints": { "resourceRules": [{
                "apiGroups": ["elasticache-users.dev"], "apiVersions": ["*"],
                "operations": ["UPDATE"], "resources": ["elasticacheusers/status"],
            }] },
            "validations": [{ "expression": "false", "message": "a policy of this cluster" }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": { "name": ns },
        "spec": {
            "policyName": ns, "validationActions": ["Deny"],
            "matchResources": { "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": ns } } },
        },
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": [policy, binding] });
    fs::write(file.path(), list.to_string()).unwrap();
    let file = file.path().to_str().unwrap();
    assert!(control_plane::output(fixture.kubectl(&["apply", "--filename", file])).await.status.success());
    fixture.create("app", iam()).await;
    until("the policy is in force", async || {
        let patch = json!({ "status": { "state": "any" } }).to_string();
        let try_it = [
            "patch",
            "ecu",
            "app",
            "--subresource=status",
            "--dry-run=server",
            "--type=merge",
            "--patch",
            &patch,
        ];
        !control_plane::output(fixture.kubectl(&try_it)).await.status.success()
    })
    .await;
    fixture.start();
    let on_call = OnCall::reads("ElastiCacheUserReconcileErrorRate", &fixture);
    on_call.finds("logs", &["denied request"]).await;
    on_call.sees_words("logs", &[ns, "a policy of this cluster"]).await;
    let delete = ["delete", "--filename", file];
    assert!(control_plane::output(fixture.kubectl(&delete)).await.status.success());
    // The operator continues by itself.
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_missing_leaders_shows_that_the_lease_is_forbidden() {
    let fixture = restricted(&[OBJECTS], &[("ELASTICACHE_USERS_LEADER_ELECT", "true".to_owned())]).await;
    assert_eq!(fixture.exit_code().await, Some(1));
    let on_call = OnCall::reads("ElastiCacheUserOperatorNoLeader", &fixture).with_account("restricted");
    on_call.sees_words("logs", &["allow get, create and update on leases", &fixture.ns]).await;
    assert_eq!(on_call.sees("can-i").await.trim(), "no");
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_missing_leaders_shows_the_other_installation_that_has_the_lease() {
    let setup = Setup { rights: Some(Rights::Administrator), ..Setup::default() };
    let fixture = Fixture::without_operator(setup).await;
    let start = |release: &str| {
        fixture.start_with(&[
            ("ELASTICACHE_USERS_LEADER_ELECT", "true".to_owned()),
            ("ELASTICACHE_USERS_RELEASE", release.to_owned()),
            ("POD_NAMESPACE", fixture.ns.clone()),
            ("POD_NAME", format!("pod-of-{release}")),
        ]);
    };
    start("first");
    fixture.logged("leading").await;
    start("second");
    let on_call = OnCall::reads("ElastiCacheUserOperatorNoLeader", &fixture).with_account("any");
    on_call
        .sees_words("logs", &["is held by", "pod-of-first", "of another installation", "--lease-name"])
        .await;
    on_call.sees_words("get lease", &["holderIdentity: pod-of-first", "renewTime:"]).await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_an_operator_that_is_down_shows_what_is_missing_in_the_last_line() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let mut command = fixture.command();
    command.env_remove("AWS_REGION");
    fixture.run(command);
    assert_ne!(fixture.exit_code().await, Some(0));
    let on_call = OnCall::reads("ElastiCacheUserOperatorDown", &fixture);
    let seen = on_call.sees("logs").await;
    let last = seen.lines().last().unwrap_or_default();
    assert!(last.starts_with("error:") && last.contains("AWS_REGION"), "{seen}");
    fixture.end().await;
}
