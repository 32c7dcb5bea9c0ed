//! The examples of deploy/flux, as they are written. The tests write the status of the sources, as source-controller does, and install the
//! HelmRelease with the real Helm, as helm-controller does.

use cluster::{AuditLevel, Cluster, Options};
use elasticache_emulator::Control;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};
use support::operator::ACCOUNT;

use super::flux::{Controller, Flux};
use crate::deployed::{self, Deployed};
use crate::fixture::{Fixture, Setup, condition, is_ready, until};
use crate::rights::Rights;
use crate::{control_plane, repository};

/// The namespace of the example's Kustomizations, which `flux bootstrap` makes.
const HOME: &str = "flux-system";
const OPERATOR: &str = "elasticache-user-operator";
/// The namespace of the users.
const SHOP: &str = "shop";

/// The repository that Flux reads, with the folders that clusters.yaml names.
fn files() -> [(&'static str, String); 3] {
    [
        (
            "infrastructure/elasticache-user-operator/operator.yaml",
            repository::read("deploy/flux/operator.yaml"),
        ),
        ("apps/shop/user.yaml", repository::read("deploy/samples/password.yaml")),
        ("apps/reports/user.yaml", repository::read("deploy/flux/user.yaml")),
    ]
}

async fn kubectl(cluster: &Cluster, words: &[&str]) {
    let mut command = cluster.kubectl();
    command.args(words);
    let output = control_plane::output(command).await;
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Objects of this kind in the namespace of the Kustomizations.
fn objects(client: &Client, group: &str, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk(group, version, kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    Api::namespaced_with(client.clone(), HOME, &resource)
}

/// Writes the status of an object whose controller does not run.
async fn report_ready(objects: &Api<DynamicObject>, name: &str) {
    let generation = objects.get(name).await.unwrap().metadata.generation;
    let ready = json!({
        "type": "Ready", "status": "True", "reason": "Succeeded", "message": "ready",
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": generation,
    });
    let status = json!({ "status": { "observedGeneration": generation, "conditions": [ready] } });
    objects.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

/// Installs what the HelmRelease describes, and returns the rendered objects.
async fn install(cluster: &Cluster, release: &Value) -> String {
    let spec = &release["spec"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (name, namespace) = (text(&spec["releaseName"]), text(&spec["targetNamespace"]));
    assert_eq!(spec["install"]["createNamespace"], true);
    let chart = repository::path(&text(&spec["chart"]["spec"]["chart"]));
    let values = cluster.dir().join("values.json");
    std::fs::write(&values, spec["values"].to_string()).unwrap();
    let values = format!("--values={}", values.display());
    deployed::helm(
        cluster,
        &namespace,
        &["install", &name, &chart, "--create-namespace", "--no-hooks", &values],
    )
    .await;
    let manifest = deployed::helm(cluster, &namespace, &["get", "manifest", &name]).await;
    manifest + &deployed::helm(cluster, &namespace, &["get", "hooks", &name]).await
}

#[tokio::test]
#[ignore = "make gitops"]
async fn the_examples_come_up_as_they_are_written_without_a_failure_in_between() {
    let audit = Cluster::would_be_own().then_some(AuditLevel::Request);
    let options = Options { audit, ..Options::default() };
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(options).unwrap()).await.unwrap();
    let cluster = &cluster;
    let client = control_plane::client_of(cluster.kubeconfig()).await;
    let controller = Controller::start(cluster, &[]);
    let flux = Flux::on(&controller, &client, HOME).await;
    let revision = flux.push(&files()).await;
    kubectl(cluster, &["apply", "--filename", &repository::path("deploy/flux/clusters.yaml")]).await;

    // helm-controller and source-controller.
    let releases = objects(&client, "helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases");
    let release =
        until("Flux has applied the HelmRelease", async || releases.get_opt(OPERATOR).await.unwrap());
    let release = serde_json::to_value(release.await).unwrap();
    for name in [SHOP, "reports"] {
        let held = |object: &Value| {
            condition(object, "Ready").is_some_and(|ready| ready["reason"] == "DependencyNotReady")
        };
        flux.shows(name, "the operator is not ready", held).await;
    }
    let rendered = install(cluster, &release).await;
    let setup = Setup { rights: Some(Rights::Administrator), ..Setup::leaving_users() };
    let fixture = Fixture::without_operator_on(cluster, setup).await;
    let namespace = release["spec"]["targetNamespace"].as_str().unwrap();
    let deployed = Deployed::of(cluster, &client, namespace, SHOP, &rendered).await;
    fixture.run(deployed.operator("operator-0", &fixture.aws));
    let sources = objects(&client, "source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories");
    report_ready(&sources, OPERATOR).await;
    report_ready(&releases, OPERATOR).await;

    for name in [OPERATOR, SHOP, "reports"] {
        flux.ready(name, &revision).await;
    }
    assert_eq!(flux.failures(), [""; 0]);
    let region = release["spec"]["values"]["aws"]["region"].as_str().unwrap();
    let aws = Control::new(fixture.aws.url().to_owned(), ACCOUNT, region);
    let users: Api<DynamicObject> = Api::namespaced_with(client.clone(), SHOP, &control_plane::resource());
    for name in ["orders-api", "orders-reports"] {
        assert!(is_ready(&serde_json::to_value(users.get(name).await.unwrap()).unwrap()), "{name}");
        assert_eq!(aws.user(name).await.unwrap()["Status"], "active", "{name}");
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    assert!(namespaces.get_opt(SHOP).await.unwrap().is_some());
    fixture.end().await;
}
