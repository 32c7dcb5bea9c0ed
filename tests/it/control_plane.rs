//! One control plane for all tests of the process, with the CRD in it, and clients of it.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use cluster::{AuditLevel, Cluster, Options};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::json;

/// The name of the CustomResourceDefinition.
pub(crate) const DEFINITION: &str = "elasticacheusers.elasticache-users.dev";

/// The control plane. The first caller starts it, and it ends with the process.
pub(crate) fn shared() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(own)
}

/// A control plane for a test that would disturb other tests. It ends when it is dropped.
pub(crate) fn own() -> Cluster {
    // The fixture reads in the audit log what the operator does. A cluster that the user provides has no audit log for us.
    let audit = Cluster::would_be_own().then_some(AuditLevel::Request);
    let options = Options { audit, ..Options::default() };
    let cluster = Cluster::start(options).expect("a control plane for tests");
    // The documentation tells people to install the CRD in this way.
    let mut apply = cluster.kubectl();
    apply.args(["apply", "--server-side", "-f", &crate::repository::path("crds/elasticacheusers.yaml")]);
    let Output { status, stderr, .. } = apply.output().expect("kubectl can be run");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    cluster.established(DEFINITION).expect("a definition that is served");
    cluster
}

/// A control plane without the CRD.
pub(crate) async fn bare() -> Cluster {
    tokio::task::spawn_blocking(|| Cluster::start(Options::default()).unwrap()).await.unwrap()
}

/// A kubeconfig for a server without authentication.
pub(crate) fn kubeconfig(server: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{ "name": "it", "cluster": { "server": server } }],
        "users": [{ "name": "it", "user": {} }],
        "contexts": [{ "name": "it", "context": { "cluster": "it", "user": "it" } }],
    })
    .to_string()
}

/// A client of the control plane with the rights of an administrator. Each test makes its own, because a client belongs to the runtime
/// that made it.
pub(crate) async fn client() -> kube::Client {
    // Starting the control plane takes seconds and blocks the thread.
    let cluster = tokio::task::spawn_blocking(shared).await.expect("the control plane");
    client_of(cluster.kubeconfig()).await
}

/// A client with this kubeconfig.
pub(crate) async fn client_of(kubeconfig: &Path) -> kube::Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .expect("a usable kubeconfig");
    kube::Client::try_from(config).expect("a client")
}

/// Runs a program to its end, while other tests go on.
pub(crate) async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Makes a namespace, unless it is there.
pub(crate) async fn create_namespace(client: &kube::Client, name: &str) -> Api<Namespace> {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    match namespaces.create(&PostParams::default(), &namespace).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => panic!("failed to create the namespace {name}: {error}"),
    }
    namespaces
}

/// The custom resource, for clients without Rust types.
pub(crate) fn resource() -> kube::api::ApiResource {
    kube::api::ApiResource::erase::<elasticache_user_operator::api::ElastiCacheUser>(&())
}
