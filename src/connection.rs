//! I/O: how the cluster is reached, and the questions about it that the operator and `check` share.

use std::error::Error;
use std::io::ErrorKind::NotFound;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::config::{InferConfigError, KubeconfigError};
use kube::{Api, Client, Config, CustomResourceExt};

use crate::api::{APPLY_CRD, ElastiCacheUser};

/// By KUBECONFIG, or the pod's ServiceAccount, under this name in the API server's audit log. For watches, which may be silent
/// for long. Nothing is asked yet, and nothing will be repeated by itself.
///
/// # Errors
/// Where neither is there.
pub async fn configuration(user_agent: &'static str) -> Result<Config, InferConfigError> {
    let mut config = Config::infer().await?;
    let header = "user-agent".parse().ok().zip(user_agent.parse().ok());
    config.headers.extend(header);
    config.default_retry = false;
    Ok(config)
}

/// Why there is no configuration, as a sentence without its end. Never a piece of the file, which may hold a token.
#[must_use]
pub fn no_configuration(error: &InferConfigError) -> String {
    match error.source().and_then(|source| source.downcast_ref()) {
        // The path that is looked at where none is given.
        Some(KubeconfigError::ReadConfig(why, path))
            if why.kind() == NotFound && path.ends_with(".kube/config") =>
        {
            "no Kubernetes cluster is configured".to_owned()
        }
        Some(KubeconfigError::ReadConfig(why, path)) => {
            format!("the kubeconfig {} cannot be read: {why}", path.display())
        }
        Some(KubeconfigError::Parse(_)) => "the kubeconfig is not YAML of its kind".to_owned(),
        Some(KubeconfigError::FindPath) | None => "no Kubernetes cluster is configured".to_owned(),
        Some(why) => format!("the kubeconfig cannot be used: {why}"),
    }
}

/// The same for requests, which may take no longer than this.
#[must_use]
pub fn within(config: &Config, timeout: Duration) -> Config {
    let mut config = config.clone();
    config.connect_timeout = Some(timeout.min(Duration::from_secs(5)));
    config.read_timeout = Some(timeout);
    config.write_timeout = Some(timeout);
    config.reset_reader_on_write = true;
    config
}

/// The UID of the namespace kube-system: the same for as long as the cluster lives.
///
/// # Errors
/// Where it cannot be read.
pub async fn cluster_uid(client: &Client) -> kube::Result<String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let found = namespaces.get_metadata("kube-system").await?;
    found.metadata.uid.ok_or_else(|| kube::Error::Service("the namespace kube-system has no UID".into()))
}

/// Fails where the API server does not serve ElastiCacheUsers to this client.
///
/// # Errors
/// A sentence that says why not.
pub async fn serves_users(client: &Client, namespace: Option<&str>) -> Result<(), String> {
    let users: Api<ElastiCacheUser> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    match users.list_metadata(&ListParams::default().limit(1)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Err(format!(
            "the CustomResourceDefinition {} is not installed; install it with: {APPLY_CRD}",
            ElastiCacheUser::crd_name()
        )),
        Err(kube::Error::Api(status)) => {
            Err(format!("the API server refuses to list ElastiCacheUsers: {}", status.message))
        }
        Err(error) => Err(format!("the API server does not answer: {error}")),
    }
}
