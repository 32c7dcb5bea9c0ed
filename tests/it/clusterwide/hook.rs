//! The chart's pre-delete hook, with the command line, the environment and the rights of the rendered Job.

use std::process::{Command, Output};

use cluster::Cluster;
use serde_json::{Value, json};

use crate::control_plane;
use crate::deployed::Deployed;
use crate::fixture::Fixture;

/// Checks that the hook refuses while users would be lost, and succeeds if the users stay or with `--force`.
pub(super) async fn holds(cluster: &Cluster, one: &Fixture, two: &Fixture, release: &Deployed) {
    let force = ["uninstallCheck.force=true".to_owned()];
    let forced = Deployed::apply(cluster, &one.client, "by-force", &one.ns, &force).await;
    // Rights in one namespace, and none for the whole cluster.
    let roles = [
        format!("watch.namespaces={{{}}}", one.ns),
        "rbac.rolesOnly=true".to_owned(),
        "operator.clusterID=any".to_owned(),
    ];
    let roles = Deployed::apply(cluster, &one.client, "roles-only", &one.ns, &roles).await;

    let refused = says(release.hook(), 1, &["failed", "objects-delete", "to keep the AWS users:"]).await;
    for name in [format!("{}/one-iam", one.ns), format!("{}/two-iam", two.ns)] {
        assert!(refused.contains(&name), "{name}: {refused}");
    }
    let warned = says(forced.hook(), 0, &["warning", "objects-delete", "Ignored because of --force."]).await;
    assert!(warned.contains(&format!("{}/two-iam", two.ns)), "{warned}");
    let refused = says(roles.hook(), 1, &["failed", "objects-delete", &format!("{}/one-iam", one.ns)]).await;
    assert!(!refused.contains(&two.ns), "{refused}");

    let policy = |word: Value| json!({ "spec": { "deletionPolicy": word } });
    let all = [(one, "one-iam"), (one, "one-open"), (two, "two-iam"), (one, "one-old")];
    for (fixture, name) in all {
        fixture.patch(name, policy(json!("Retain"))).await;
    }
    for hook in [release, &forced, &roles] {
        let let_go = says(hook.hook(), 0, &["warning", "objects-finalizer"]).await;
        assert!(!let_go.contains("objects-delete"), "{let_go}");
    }
    for (fixture, name) in all {
        fixture.patch(name, policy(Value::Null)).await;
        fixture.wait_ready(name).await;
    }
}

/// Runs the hook, and returns its output. Fails if the hook ends with another code or its output lacks one of these words.
async fn says(hook: Command, code: i32, words: &[&str]) -> String {
    let Output { status, stdout, stderr } = control_plane::output(hook).await;
    let (said, errors) = (String::from_utf8(stdout).unwrap(), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(code), "{said}{errors}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}{errors}");
    }
    said
}
