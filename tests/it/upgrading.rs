//! A release is upgraded with its CustomResourceDefinition while its operator runs, and is then uninstalled. The objects stay
//! unchanged, and the operator only reads AWS. The test has its own control plane, because a cluster has only one definition.

use std::path::Path;

use cluster::{AuditLevel, Cluster, Options, Process, Signal};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use serde_json::{Value, json};

use crate::deployed::{self, Deployed};
use crate::fixture::{Fixture, PASSWORD, Setup, condition, iam, until, with, with_password};
use crate::rights::Rights;
use crate::{audit, control_plane, repository};

/// The namespace of the release.
const HOME: &str = "operator-home";
const NAMES: [&str; 3] = ["by-iam", "by-password", "kept"];

/// Runs Helm on the release.
async fn helm(cluster: &Cluster, words: &[&str]) -> String {
    deployed::helm(cluster, HOME, words).await
}

/// An imitation of an older chart: its definition has no `spec.suspend` and lacks a column.
fn former_chart(folder: &Path) -> String {
    let former = |definition: &str| {
        let mut definition: Value = serde_saphyr::from_str(definition).unwrap();
        let version = &mut definition["spec"]["versions"][0];
        assert!(version["additionalPrinterColumns"].as_array_mut().unwrap().pop().is_some());
        let spec = &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        assert!(spec.as_object_mut().unwrap().remove("suspend").is_some());
        // JSON is YAML.
        definition.to_string()
    };
    chart::former_chart(folder, former).unwrap().display().to_string()
}

/// The number of versions of each object that the watch has shown.
fn seen(fixture: &Fixture) -> [usize; 3] {
    NAMES.map(|name| fixture.versions(name).len())
}

/// Checks that the objects were Ready in all versions since then.
fn stayed_ready(fixture: &Fixture, since: [usize; 3]) {
    for (name, since) in NAMES.into_iter().zip(since) {
        for version in fixture.versions(name).split_off(since) {
            let ready = condition(&version, "Ready").unwrap();
            assert_eq!(ready["status"], "True", "{version:#}");
            assert!(version["metadata"]["deletionTimestamp"].is_null(), "{version:#}");
        }
    }
}

async fn told_to_end(mut operator: Process) -> Option<i32> {
    operator.signal(Signal::TERM).unwrap();
    support::operator::exit_code(&mut operator).await.unwrap()
}

/// Starts an operator of the release that is installed now.
async fn operator(cluster: &Cluster, fixture: &Fixture, pod: &str) -> (Deployed, Process) {
    let mut rendered = helm(cluster, &["get", "manifest", "operator"]).await;
    rendered.push_str(&helm(cluster, &["get", "hooks", "operator"]).await);
    let release = Deployed::of(cluster, &fixture.client, HOME, &fixture.ns, &rendered).await;
    fixture.run(release.operator(pod, &fixture.aws));
    (release, fixture.newest())
}

async fn says(fixture: &Fixture, replica: usize, words: &str) {
    let logs = async || fixture.each_log().get(replica).is_some_and(|log| log.contains(words));
    until(&format!("replica {replica} logs {words:?}"), logs).await;
}

#[tokio::test]
async fn an_upgrade_and_an_uninstall_keep_objects_ready_and_change_nothing_in_aws() {
    let audit = Cluster::would_be_own().then_some(AuditLevel::Request);
    let options = Options { audit, ..Options::default() };
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(options).unwrap()).await.unwrap();
    let (former, chart) = (former_chart(cluster.dir()), repository::path(chart::CHART));
    let set = "--set=aws.region=us-east-1,secrets.clusterWide=true,metrics.dashboard.enabled=true";
    helm(&cluster, &["install", "operator", &former, "--create-namespace", "--no-hooks", set]).await;
    let setup = Setup { leaves_users: true, rights: Some(Rights::Administrator), ..Setup::default() };
    let fixture = Fixture::without_operator_on(&cluster, setup).await;
    let (_, old) = operator(&cluster, &fixture, "old").await;
    fixture.secret("pw", PASSWORD).await;
    let kept = with(iam(), json!({ "deletionPolicy": "Retain" }));
    for (name, spec) in NAMES.into_iter().zip([iam(), with_password("pw"), kept]) {
        fixture.ready(name, spec).await;
    }
    let (changes, versions) = (fixture.aws.mutations().await.len(), seen(&fixture));

    // The new replica is a standby while the old one works with the new definition. Then the old replica ends.
    helm(&cluster, &["upgrade", "operator", &chart, "--no-hooks", set]).await;
    let (release, new) = operator(&cluster, &fixture, "new").await;
    says(&fixture, 1, "standing by").await;
    for name in NAMES {
        fixture.reconcile_now(name).await;
    }
    assert_eq!(told_to_end(old).await, Some(0));
    says(&fixture, 1, "leading").await;
    for name in NAMES {
        fixture.reconcile_now(name).await;
    }
    stayed_ready(&fixture, versions);
    assert_eq!(fixture.aws.mutations().await.len(), changes);
    fixture.patch("by-iam", json!({ "spec": { "suspend": true } })).await;
    fixture.reason("by-iam", "Suspended").await;
    fixture.patch("by-iam", json!({ "spec": { "suspend": null } })).await;
    fixture.wait_ready("by-iam").await;
    if cluster.is_own() {
        let refused = audit::refusals(&cluster.audit_log().unwrap(), &release.user(), Rights::Administrator);
        assert!(refused.is_empty(), "{refused:#?}");
    }

    let versions = seen(&fixture);
    assert_eq!(control_plane::output(release.hook()).await.status.code(), Some(1), "the hook must refuse");
    // `--no-hooks` skips the pre-delete hook. The rights are removed before the process ends.
    helm(&cluster, &["uninstall", "operator", "--no-hooks"]).await;
    assert_eq!(told_to_end(new).await, Some(0));
    let definitions: Api<CustomResourceDefinition> = Api::all(fixture.client.clone());
    let definition = definitions.get("elasticacheusers.elasticache-users.dev").await.unwrap();
    assert!(
        definition.metadata.deletion_timestamp.is_none(),
        "the definition must stay, because every object would go with it"
    );
    for name in NAMES {
        let object = fixture.users().get(name).await.unwrap();
        assert!(object.metadata.deletion_timestamp.is_none(), "{name}");
        assert!(fixture.aws.user(name).await.is_some(), "{name}");
    }
    stayed_ready(&fixture, versions);
    assert_eq!(fixture.aws.mutations().await.len(), changes);
    fixture.end().await;
}
