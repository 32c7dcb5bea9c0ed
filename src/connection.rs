//! I/O: connects to the cluster, and asks it what both `run` and `check` need to know.

mod pages;
mod watches;

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Request;
use axum::http::header::{ACCEPT, HeaderValue};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::client::Body;
use kube::config::{InferConfigError, KubeconfigError};
use kube::core::Status;
use kube::{Api, Client, Config, CustomResourceExt};

pub(crate) use self::pages::paging;
pub(crate) use self::watches::{WATCH_SECONDS, WatchHealth, watching};
use crate::api::{APPLY_CRD, ElastiCacheUser, TrimmedUser};

#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    #[error("no Kubernetes cluster is configured")]
    NoCluster,
    #[error("the kubeconfig {} cannot be read: {error}", .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    /// Without the parser's error, which may quote a token from the file.
    #[error("the kubeconfig is not valid YAML")]
    InvalidYaml,
    #[error("the kubeconfig cannot be used: {}", .0.source().map_or_else(String::new, ToString::to_string))]
    Unusable(Box<InferConfigError>),
}

/// Why the API server does not serve ElastiCacheUsers to this client.
#[derive(Debug, thiserror::Error)]
pub enum NotServed {
    #[error(
        "the CustomResourceDefinition {} is not installed; install it with: {APPLY_CRD}",
        ElastiCacheUser::crd_name()
    )]
    NotInstalled,
    #[error("the API server refuses to list ElastiCacheUsers: {}", .0.message)]
    Refused(Box<Status>),
    #[error("the API server does not answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    #[error("the API server does not answer: {}", kube_error_message(.0))]
    NoAnswer(kube::Error),
}

/// The API server's own message. If there is no answer, the innermost error, because the outer ones only repeat it.
#[must_use]
pub(crate) fn kube_error_message(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return status.message.clone();
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Reads KUBECONFIG, or the pod's ServiceAccount, and sends no request. The configuration has no read time-out, because a watch may
/// be silent for long, and it never repeats a request.
///
/// # Errors
/// If there is neither, or if the kubeconfig cannot be used.
pub(crate) async fn configuration(user_agent: &'static str) -> Result<Config, ConfigurationError> {
    let mut config = Config::infer().await.map_err(configuration_error)?;
    let header = "user-agent".parse().ok().zip(user_agent.parse().ok());
    config.headers.extend(header);
    config.default_retry = false;
    Ok(config)
}

fn configuration_error(error: InferConfigError) -> ConfigurationError {
    match error.source().and_then(|source| source.downcast_ref()) {
        // Nobody asked for the default path.
        Some(KubeconfigError::ReadConfig(source, path))
            if source.kind() == io::ErrorKind::NotFound && path.ends_with(".kube/config") =>
        {
            ConfigurationError::NoCluster
        }
        Some(KubeconfigError::ReadConfig(source, path)) => {
            let error = io::Error::new(source.kind(), source.to_string());
            ConfigurationError::Unreadable { path: path.clone(), error }
        }
        Some(KubeconfigError::Parse(_)) => ConfigurationError::InvalidYaml,
        Some(KubeconfigError::FindPath) | None => ConfigurationError::NoCluster,
        Some(_) => ConfigurationError::Unusable(Box::new(error)),
    }
}

/// `config` with a time-out for each request. Do not use it for watches.
#[must_use]
pub(crate) fn with_timeout(config: &Config, timeout: Duration) -> Config {
    let mut config = config.clone();
    config.connect_timeout = Some(timeout.min(Duration::from_secs(5)));
    config.read_timeout = Some(timeout);
    config.write_timeout = Some(timeout);
    config.reset_reader_on_write = true;
    config
}

/// A client whose LIST and watch requests get only the metadata of each object.
pub(crate) fn metadata_only(client: Client) -> Client {
    const LIST: HeaderValue =
        HeaderValue::from_static("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
    const WATCH: HeaderValue =
        HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |mut request: Request<Body>| {
        let client = client.clone();
        let accepted = if watches::opens_watch(&request) { WATCH } else { LIST };
        request.headers_mut().insert(ACCEPT, accepted);
        async move { client.send(request).await }
    });
    Client::new(service, namespace)
}

/// The UID of the namespace kube-system, which stays the same as long as the cluster exists.
///
/// # Errors
/// If it cannot be read.
pub(crate) async fn cluster_uid(client: &Client) -> kube::Result<String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = namespaces.get_metadata("kube-system").await?;
    namespace.metadata.uid.ok_or_else(|| kube::Error::Service("the namespace kube-system has no UID".into()))
}

/// Checks that the API server serves ElastiCacheUsers to this client.
///
/// # Errors
/// If it does not, or if it does not answer in time.
pub(crate) async fn serves_users(
    client: &Client,
    namespace: Option<&str>,
    timeout: Duration,
) -> Result<(), NotServed> {
    let users: Api<TrimmedUser> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let one = ListParams::default().limit(1);
    match tokio::time::timeout(timeout, users.list(&one)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Err(NotServed::NotInstalled),
        Ok(Err(kube::Error::Api(status))) => Err(NotServed::Refused(status)),
        Ok(Err(error)) => Err(NotServed::NoAnswer(error)),
        Err(_) => Err(NotServed::Timeout(timeout)),
    }
}
