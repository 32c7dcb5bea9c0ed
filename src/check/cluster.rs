//! I/O: what `check` asks the API server. Nothing is written there; each question has a time-out.

use std::time::Duration;

use axum::http::{Request, StatusCode};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, PostParams};
use kube::client::Body;
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use serde_json::Value;

use super::clocks::ClockReading;
use super::definition::Installed;
use super::permissions::{AccessReview, Rule, Scope};
use super::uninstall::ObjectSummary;
use crate::api::{ElastiCacheUser, FINALIZER, GROUP, PREVENT_DELETION, TrimmedUser, VERSION};
use crate::connection::{self, ConfigurationError};
use crate::kubernetes::may;
use crate::resolve::Policy;
use crate::{clock, resolve};

/// Not the user agent of the operator, so the audit log shows which of the two made a request.
const USER_AGENT: &str = concat!("elasticache-user-operator-check/", env!("CARGO_PKG_VERSION"));
/// Requests that are under way at the same time.
const AT_ONCE: usize = 8;
/// Pages may be heavy.
const LISTS_AT_ONCE: usize = 2;

pub(crate) struct Cluster {
    client: Client,
    /// For a LIST of objects.
    pages: Client,
    timeout: Duration,
    /// The namespace of the kubeconfig's context, or of the pod.
    pub(crate) namespace: String,
    pub(crate) url: String,
}

/// Why the API server did not tell what `check` asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    #[error("the Kubernetes configuration cannot be used: {0}")]
    Client(#[source] kube::Error),
    #[error("no answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("{}", connection::kube_error_message(.0))]
    Refused(#[source] kube::Error),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    #[error("the CustomResourceDefinition is not installed")]
    NoDefinition,
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl Cluster {
    /// Reads KUBECONFIG, or the pod's ServiceAccount. Sends no request.
    pub(crate) async fn connect(timeout: Duration) -> Result<Self, ClusterError> {
        let config = connection::configuration(USER_AGENT).await?;
        let (namespace, url) = (config.default_namespace.clone(), config.cluster_url.to_string());
        let url = url.trim_end_matches('/').to_owned();
        let client =
            Client::try_from(connection::with_timeout(&config, timeout)).map_err(ClusterError::Client)?;
        Ok(Self { pages: connection::paging(client.clone()), client, timeout, namespace, url })
    }

    async fn within<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, ClusterError> {
        let answer = tokio::time::timeout(self.timeout, request).await;
        answer.map_err(|_| ClusterError::Timeout(self.timeout))?.map_err(ClusterError::Refused)
    }

    /// The answer to `/version`, and what the API server's clock says.
    pub(crate) async fn version(&self) -> Result<(Value, Option<ClockReading>), ClusterError> {
        let asked_at = clock::now();
        let answer = async {
            let request = Request::get("/version").body(Body::empty()).map_err(kube::Error::HttpError)?;
            let answer = self.client.send(request).await?;
            let (parts, body) = answer.into_parts();
            let body = body.collect_bytes().await?;
            Ok((parts, body))
        };
        let (parts, body) = self.within(answer).await?;
        let date = parts.headers.get("date").and_then(|date| date.to_str().ok());
        let reading = ClockReading::new(asked_at, date, clock::now());
        let read = serde_json::from_slice(&body).ok().filter(|_| parts.status.is_success());
        let version = read.ok_or(ClusterError::Status(parts.status))?;
        Ok((version, reading))
    }

    /// The user that the API server sees in the credentials.
    pub(crate) async fn username(&self) -> Option<String> {
        let reviews: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let answer =
            self.within(reviews.create(&PostParams::default(), &SelfSubjectReview::default())).await.ok()?;
        answer.status?.user_info?.username
    }

    /// The same rule in each of the scopes.
    pub(crate) async fn may(&self, rule: &Rule<'_>, scopes: &[Scope]) -> Vec<AccessReview> {
        self.ask(scopes.iter().map(|scope| (*rule, scope.clone())).collect()).await
    }

    /// Whether the caller has these rights in the whole cluster.
    pub(crate) async fn allows(&self, rule: &Rule<'_>) -> bool {
        self.may(rule, &[None]).await.iter().all(|answer| matches!(answer.allowed, Ok(true)))
    }

    /// Each verb of each rule.
    pub(crate) async fn ask(&self, questions: Vec<(Rule<'_>, Scope)>) -> Vec<AccessReview> {
        let of_verbs = questions
            .iter()
            .flat_map(|(rule, scope)| rule.verbs.iter().map(move |verb| (rule, scope, *verb)));
        let asked = of_verbs.map(|(rule, scope, verb)| async move {
            let allowed = self.review(rule, scope.as_deref(), verb).await;
            AccessReview { scope: scope.clone(), name: rule.name.map(str::to_owned), verb, allowed }
        });
        stream::iter(asked).buffered(AT_ONCE).collect().await
    }

    async fn review(
        &self,
        rule: &Rule<'_>,
        namespace: Option<&str>,
        verb: &str,
    ) -> Result<bool, ClusterError> {
        let text = |text: &str| Some(text.to_owned());
        let attributes = ResourceAttributes {
            group: text(rule.group),
            resource: text(rule.resource),
            subresource: rule.subresource.map(str::to_owned),
            name: rule.name.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
            verb: text(verb),
            ..ResourceAttributes::default()
        };
        self.within(may(&self.client, attributes)).await
    }

    pub(crate) async fn definition(&self) -> Installed {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        match self.within(definitions.get(ElastiCacheUser::crd_name())).await {
            Ok(found) => Installed::Read(Box::new(found)),
            Err(ClusterError::Refused(kube::Error::Api(status))) if status.code == 404 => Installed::Missing,
            Err(ClusterError::Refused(kube::Error::Api(status))) if status.code == 403 => {
                let version = format!("{GROUP}/{VERSION}");
                let served = self.within(self.client.list_api_group_resources(&version)).await;
                Installed::Forbidden { served: served.is_ok() }
            }
            Err(error) => Installed::Unread(error),
        }
    }

    pub(crate) async fn lease(&self, namespace: &str, name: &str) -> Result<Option<Lease>, ClusterError> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), namespace);
        self.within(leases.get_opt(name)).await
    }

    /// All Leases of the cluster.
    pub(crate) async fn leases(&self) -> Result<Vec<Lease>, ClusterError> {
        let leases: Api<Lease> = Api::all(self.client.clone());
        Ok(self.within(leases.list(&ListParams::default())).await?.items)
    }

    /// The UID of the namespace kube-system.
    pub(crate) async fn cluster_uid(&self) -> Result<String, ClusterError> {
        self.within(connection::cluster_uid(&self.client)).await
    }

    /// All objects of the scopes. One object that cannot be decoded does not hide the others.
    pub(crate) async fn objects(
        &self,
        scopes: &[Scope],
        page: u32,
        policy: &Policy,
    ) -> Result<Vec<ObjectSummary>, ListError> {
        let lists = scopes.iter().map(|scope| self.list(scope.as_deref(), page, policy));
        let lists: Vec<Vec<ObjectSummary>> =
            stream::iter(lists).buffered(LISTS_AT_ONCE).try_collect().await?;
        Ok(lists.into_iter().flatten().collect())
    }

    async fn list(
        &self,
        namespace: Option<&str>,
        page: u32,
        policy: &Policy,
    ) -> Result<Vec<ObjectSummary>, ListError> {
        let client = self.pages.clone();
        let objects: Api<TrimmedUser> = match namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        let (mut found, mut params) = (Vec::new(), ListParams::default().limit(page));
        let mut begun_again = false;
        loop {
            let list = match self.within(objects.list(&params)).await {
                Ok(list) => list,
                // The API server does not keep the list for as long as this took. Begin again.
                Err(ClusterError::Refused(kube::Error::Api(status)))
                    if status.code == 410 && params.continue_token.is_some() && !begun_again =>
                {
                    begun_again = true;
                    found.clear();
                    params = ListParams::default();
                    continue;
                }
                Err(ClusterError::Refused(kube::Error::Api(status))) if status.code == 404 => {
                    return Err(ListError::NoDefinition);
                }
                Err(error) => return Err(error.into()),
            };
            found.extend(list.items.into_iter().map(|object| summarize(&object.into(), policy)));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(found),
            }
        }
    }
}

fn summarize(object: &ElastiCacheUser, policy: &Policy) -> ObjectSummary {
    let spec = &object.spec;
    ObjectSummary {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        included: policy.includes(object),
        wanted_user: spec.user_id.clone().unwrap_or_else(|| object.name_any()).to_ascii_lowercase(),
        policy: policy.deletion_policy(object),
        observes: policy.observes(object),
        breaks: resolve::rules_broken(object, policy),
        refused_groups: resolve::refused_groups(object, policy),
        suspended: spec.suspend == Some(true),
        has_finalizer: object.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
        being_deleted: object.metadata.deletion_timestamp.is_some(),
        protected: object.annotations().get(PREVENT_DELETION).is_some_and(|value| value == "true"),
        secrets: resolve::secrets_named(object).map(str::to_owned).collect(),
        arn: object.status.as_ref().and_then(|status| status.arn.clone()),
    }
}
