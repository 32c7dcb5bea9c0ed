//! The rights that the chart gives an operator: every stage's operator runs with exactly these, so that one too few fails
//! the test that needs it.
//!
//! `RIGHTS=namespaced`, `cluster-secrets` or `roles-only` gives all stages the same; left out, each test has its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use cluster::{Cluster, Tool};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, ResourceExt};

use crate::stage::until;
use crate::world;

/// Where the operators' ServiceAccounts live: a stage's own namespace may be deleted, and with it all that is in it.
const HOME: &str = "operators";
/// Stands for the stage's namespace in what Helm renders once for all.
const PLACEHOLDER: &str = "the-namespace-of-the-stage";

/// Values of the chart, as far as they are about rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rights {
    /// The objects of the whole cluster, and the Secrets of one namespace: what the chart gives to one that watches it.
    Namespaced,
    /// The Secrets of all namespaces as well.
    ClusterSecrets,
    /// Nothing for the whole cluster.
    RolesOnly,
    /// Everything: for an operator of several stages.
    Administrator,
}

impl Rights {
    const ALL: [(&'static str, Self); 3] = [
        ("namespaced", Self::Namespaced),
        ("cluster-secrets", Self::ClusterSecrets),
        ("roles-only", Self::RolesOnly),
    ];

    /// Those of the test that asks: the same at each run.
    pub(crate) fn of_this_test() -> Self {
        if let Some((_, wanted)) = std::env::vars().find(|(name, _)| name == "RIGHTS") {
            let found = Self::ALL.iter().find(|(name, _)| *name == wanted);
            let names = Self::ALL.map(|(name, _)| name);
            return found.unwrap_or_else(|| panic!("RIGHTS={wanted}: there are {names:?}")).1;
        }
        let thread = std::thread::current();
        let sum: usize = thread.name().unwrap_or_default().bytes().map(usize::from).sum();
        Self::ALL[sum % Self::ALL.len()].1
    }

    fn values(self) -> Vec<String> {
        let watch = format!("watch.namespaces={{{PLACEHOLDER}}}");
        let secrets = format!("secrets.namespaces={{{PLACEHOLDER}}}");
        match self {
            Self::Administrator => Vec::new(),
            Self::Namespaced => vec![watch, secrets],
            Self::ClusterSecrets => vec![watch, "secrets.clusterWide=true".to_owned()],
            Self::RolesOnly => {
                vec![watch, secrets, "rbac.rolesOnly=true".to_owned(), "operator.clusterID=any".to_owned()]
            }
        }
    }

    /// What the chart renders for an operator of this namespace.
    async fn rendered(self, namespace: &str) -> Vec<DynamicObject> {
        static RENDERED: OnceLock<Mutex<HashMap<Rights, String>>> = OnceLock::new();
        let text = tokio::task::spawn_blocking(move || {
            let mut rendered = RENDERED.get_or_init(Mutex::default).lock().unwrap();
            rendered.entry(self).or_insert_with(|| render(HOME, PLACEHOLDER, &self.values())).clone()
        });
        objects(&text.await.unwrap().replace(PLACEHOLDER, namespace))
    }
}

/// `helm template` of the chart.
pub(crate) fn render(namespace: &str, name: &str, values: &[String]) -> String {
    let helm = Tool::Helm4.path().unwrap();
    let mut command = Command::new(helm);
    command.args(["template", "operator", &world::path("charts/elasticache-user-operator")]);
    command.args([
        "--namespace",
        namespace,
        "--set",
        &format!("aws.region=us-east-1,fullnameOverride={name}"),
    ]);
    for value in values {
        command.args(["--set", value]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The objects of a rendered chart.
pub(crate) fn objects(text: &str) -> Vec<DynamicObject> {
    let documents = text.split("\n---").filter(|part| part.contains("kind:"));
    documents.map(|document| serde_saphyr::from_str(document.trim_start_matches("---")).unwrap()).collect()
}

/// Gives an operator of this namespace its ServiceAccount and its rights, and answers a kubeconfig of it.
pub(crate) async fn grant(
    rights: Rights,
    cluster: &Cluster,
    client: &Client,
    namespace: &str,
    dir: &Path,
) -> PathBuf {
    if rights == Rights::Administrator {
        return cluster.kubeconfig().to_owned();
    }
    let home = Namespace {
        metadata: kube::api::ObjectMeta { name: Some(HOME.to_owned()), ..Default::default() },
        ..Default::default()
    };
    match Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &home).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        made => drop(made.unwrap()),
    }
    apply(client, rights.rendered(namespace).await).await;
    account(cluster, client, HOME, namespace, namespace, dir).await
}

/// The user that the operator of a stage's namespace is.
pub(crate) fn user_of(namespace: &str) -> String {
    format!("system:serviceaccount:{HOME}:{namespace}")
}

/// Applies the ServiceAccounts, roles and bindings among these.
pub(crate) async fn apply(client: &Client, objects: Vec<DynamicObject>) {
    let kinds = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
    for object in objects {
        let types = object.types.clone().unwrap();
        if !kinds.contains(&types.kind.as_str()) {
            continue;
        }
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types).unwrap());
        let api: Api<DynamicObject> = match object.namespace() {
            Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let params = PatchParams::apply("test").force();
        api.patch(&object.name_any(), &params, &Patch::Apply(&object)).await.unwrap();
    }
}

/// A kubeconfig of this ServiceAccount, once it may do what it was given in the namespace `within`.
pub(crate) async fn account(
    cluster: &Cluster,
    client: &Client,
    home: &str,
    name: &str,
    within: &str,
    dir: &Path,
) -> PathBuf {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), home);
    let request = TokenRequest {
        spec: TokenRequestSpec { expiration_seconds: Some(86_400), ..Default::default() },
        ..Default::default()
    };
    let token = accounts.create_token_request(name, &PostParams::default(), &request).await.unwrap();
    let mut kubeconfig = Kubeconfig::from_yaml(&cluster.admin_kubeconfig_yaml().unwrap()).unwrap();
    for user in &mut kubeconfig.auth_infos {
        user.auth_info = Some(kube::config::AuthInfo {
            token: Some(token.status.as_ref().unwrap().token.clone().into()),
            ..Default::default()
        });
    }
    // The authorizer learns of a binding some moments later.
    until("the rights are known to the API server", || async {
        may_watch(client, home, name, within).await.then_some(())
    })
    .await;
    let file = dir.join(format!("{name}.kubeconfig"));
    std::fs::write(&file, serde_json::to_vec(&kubeconfig).unwrap()).unwrap();
    file
}

async fn may_watch(client: &Client, home: &str, name: &str, within: &str) -> bool {
    let attributes = ResourceAttributes {
        group: Some("elasticache-users.dev".to_owned()),
        resource: Some("elasticacheusers".to_owned()),
        verb: Some("watch".to_owned()),
        namespace: Some(within.to_owned()),
        ..Default::default()
    };
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{home}:{name}")),
            resource_attributes: Some(attributes),
            ..Default::default()
        },
        ..Default::default()
    };
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
    answer.status.is_some_and(|status| status.allowed)
}
