//! The RBAC rights that the chart gives an operator. The operator of every fixture has exactly these, so a test fails if a right is
//! missing.
//!
//! `RIGHTS=namespaced`, `cluster-secrets`, `roles-only` or `limited` gives all fixtures the same rights. Otherwise each test has its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use chart::Helm;
use cluster::{Cluster, Tool};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use crate::control_plane;
use crate::fixture::{REGION, until};

/// The namespace of the operators' ServiceAccounts. A fixture's own namespace may be deleted with everything in it.
pub(crate) const HOME: &str = "operators";
/// A placeholder for the fixture's namespace, because Helm renders only once for all fixtures.
const PLACEHOLDER: &str = "the-namespace-of-the-fixture";

/// The rights that values of the chart give to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rights {
    /// Objects of the whole cluster, and Secrets of one namespace.
    Namespaced,
    /// Objects and Secrets of the whole cluster.
    ClusterSecrets,
    /// Nothing for the whole cluster.
    RolesOnly,
    /// Like `Namespaced`, under the admission policy that limits the operator's ServiceAccount.
    Limited,
    /// All rights, for an operator of several fixtures.
    Administrator,
}

impl Rights {
    const ALL: [(&'static str, Self); 4] = [
        ("namespaced", Self::Namespaced),
        ("cluster-secrets", Self::ClusterSecrets),
        ("roles-only", Self::RolesOnly),
        ("limited", Self::Limited),
    ];

    /// The rights of the running test. They follow from the test's name, so they are the same at each run.
    pub(crate) fn of_this_test() -> Self {
        if let Some((_, wanted)) = std::env::vars().find(|(name, _)| name == "RIGHTS") {
            let found = Self::ALL.iter().find(|(name, _)| *name == wanted);
            let names = Self::ALL.map(|(name, _)| name);
            return found.unwrap_or_else(|| panic!("RIGHTS={wanted}: there are {names:?}")).1;
        }
        let thread = std::thread::current();
        let sum: usize = thread.name().unwrap_or_default().bytes().map(usize::from).sum();
        // The API server evaluates each policy at each write of an object, so not every fixture may have one.
        let in_turn = [Self::Namespaced, Self::ClusterSecrets, Self::RolesOnly];
        in_turn[sum % in_turn.len()]
    }

    /// `None` if the rights do not come from the chart.
    fn values(self) -> Option<Vec<String>> {
        let watch = format!("watch.namespaces={{{PLACEHOLDER}}}");
        let secrets = format!("secrets.namespaces={{{PLACEHOLDER}}}");
        match self {
            Self::Administrator => None,
            Self::Namespaced => Some(vec![watch, secrets]),
            Self::Limited => Some(vec![watch, secrets, "operatorPolicy.enabled=true".to_owned()]),
            Self::ClusterSecrets => Some(vec![watch, "secrets.clusterWide=true".to_owned()]),
            Self::RolesOnly => {
                let whole = ["rbac.rolesOnly=true", "operator.clusterID=any"].map(str::to_owned);
                Some([watch, secrets].into_iter().chain(whole).collect())
            }
        }
    }

    /// The objects that the chart renders with these values for an operator of this namespace.
    async fn rendered(self, values: Vec<String>, namespace: &str) -> Vec<Value> {
        static RENDERED: OnceLock<Mutex<HashMap<Rights, String>>> = OnceLock::new();
        let text = tokio::task::spawn_blocking(move || {
            let mut rendered = RENDERED.get_or_init(Mutex::default).lock().unwrap();
            rendered.entry(self).or_insert_with(|| render(HOME, PLACEHOLDER, &values)).clone()
        });
        chart::objects(&text.await.unwrap().replace(PLACEHOLDER, namespace)).unwrap()
    }
}

/// The chart, rendered by Helm 4, with objects of this name.
pub(crate) fn render(namespace: &str, name: &str, values: &[String]) -> String {
    let mut arguments = vec![format!("--set=aws.region={REGION},fullnameOverride={name}")];
    arguments.extend(values.iter().map(|value| format!("--set={value}")));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Helm::new(Tool::Helm4).unwrap().template("operator", namespace, &arguments).unwrap()
}

/// Creates the ServiceAccount and the rights of an operator of this namespace, and returns a kubeconfig of that ServiceAccount.
pub(crate) async fn grant(
    rights: Rights,
    cluster: &Cluster,
    client: &Client,
    namespace: &str,
    dir: &Path,
) -> PathBuf {
    let Some(values) = rights.values() else { return cluster.kubeconfig().to_owned() };
    control_plane::create_namespace(client, HOME).await;
    apply(client, &rights.rendered(values, namespace).await).await;
    account(cluster, client, HOME, namespace, namespace, dir).await
}

/// The user name of the operator of a fixture's namespace.
pub(crate) fn user_of(namespace: &str) -> String {
    format!("system:serviceaccount:{HOME}:{namespace}")
}

/// Applies the ServiceAccounts, roles, bindings and admission policies among these.
pub(crate) async fn apply(client: &Client, objects: &[Value]) {
    for object in objects.iter().filter(|object| chart::is_role(object) || chart::is_policy(object)) {
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let resource =
            ApiResource::from_gvk(&GroupVersionKind::try_from(object.types.as_ref().unwrap()).unwrap());
        let api: Api<DynamicObject> = match object.namespace() {
            Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let params = PatchParams::apply("test").force();
        api.patch(&object.name_any(), &params, &Patch::Apply(&object)).await.unwrap();
    }
}

/// Waits until this ServiceAccount has its rights in the namespace `within`, and returns a kubeconfig of it. Each fixture needs one.
/// So this function saves the two runs of kubectl that [`Cluster::service_account_kubeconfig`] takes.
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
    // The authorizer learns of a binding a moment later.
    until("the rights are known to the API server", async || may_watch(client, home, name, within).await)
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
