//! I/O: requests to the API server about one object. A write applies only to the version of the object that it was decided on.

mod access;
mod convert;
mod events;
mod failures;
mod secrets;

pub(crate) use access::may;
pub(crate) use convert::timestamp;
pub use convert::{facts, status};
pub(crate) use events::{EventWriters, Events};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, CustomResourceExt, Resource, ResourceExt};
use plan::pass::Response;
use plan::{Definition, Namesake, Orphan, Owner, OwnerObservation, UserId};
use prometheus_client::metrics::counter::Counter;
use serde_json::json;

use self::failures::{RequestFailures, cause, is_refusal};
use crate::api::{
    ElastiCacheUser, ElastiCacheUserStatus, FIELD_MANAGER, FINALIZER, GROUP, MOST_FINALIZERS,
    TOO_MANY_FINALIZERS, TrimmedUser, VERSION, full_name, user_id,
};
use crate::leader_election::Token;

#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The object is gone, or has another version than the one that was decided on.
    #[error("the object changed in the meantime")]
    Conflict,
    /// This replica does not lead any more, so that it must not write.
    #[error("the operator is ending")]
    Ending,
    #[error("failed to {what}: {source}")]
    Failed {
        /// What was requested, verb first.
        what: &'static str,
        #[source]
        source: Box<kube::Error>,
    },
}

impl RequestError {
    /// 404 and 409 mean that the object changed or is gone. Any other error is a failure of the API server or of the connection.
    fn new(what: &'static str, error: kube::Error) -> Self {
        let is_conflict = matches!(&error, kube::Error::Api(status) if matches!(status.code, 404 | 409));
        if is_conflict { Self::Conflict } else { Self::Failed { what, source: Box::new(error) } }
    }

    #[must_use]
    pub fn response(self) -> Response {
        match self {
            Self::Conflict => Response::Conflict,
            Self::Ending => Response::Ending,
            Self::Failed { what, source } => Response::KubernetesFailed { what, why: cause(&source) },
        }
    }
}

/// A client of the API server. A request ends after the client's time-out, and is never repeated. Writes need a valid token.
#[derive(Clone)]
pub struct Kubernetes {
    client: Client,
    token: Token,
    failures: RequestFailures,
}

impl Kubernetes {
    #[must_use]
    pub fn new(client: Client, token: Token) -> Self {
        Self { client, token, failures: RequestFailures::new(Counter::default()) }
    }

    /// Counts the requests that fail.
    #[must_use]
    pub(crate) fn counting(mut self, failures: Counter) -> Self {
        self.failures = RequestFailures::new(failures);
        self
    }

    fn failed(&self, what: &'static str, object: &str, error: kube::Error) -> RequestError {
        let error = RequestError::new(what, error);
        if let RequestError::Failed { what, source } = &error {
            self.failures.note(what, object, source);
        }
        error
    }

    /// A replica that does not lead any more writes nothing, because another replica may have changed the user meanwhile.
    pub(crate) fn may_write(&self) -> Result<(), RequestError> {
        if self.token.is_valid() { Ok(()) } else { Err(RequestError::Ending) }
    }

    fn users(&self, object: &ElastiCacheUser) -> Api<TrimmedUser> {
        Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default())
    }

    /// The current version of the object, uncached. `None` if the object is gone, even if another object has its name now.
    ///
    /// # Errors
    /// If the API server cannot be reached, or refuses.
    pub async fn read(&self, object: &ElastiCacheUser) -> Result<Option<ElastiCacheUser>, RequestError> {
        let found = self.users(object).get_opt(&object.name_any()).await.and_then(whole);
        let found = found.map_err(|error| self.failed("read the object", &full_name(object), error))?;
        Ok(found.map(ElastiCacheUser::from).filter(|found| found.metadata.uid == object.metadata.uid))
    }

    /// The current version of the object of this name, uncached.
    ///
    /// # Errors
    /// If the API server cannot be reached, or refuses.
    pub async fn read_named(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<ElastiCacheUser>, RequestError> {
        let users: Api<ElastiCacheUser> = Api::namespaced(self.client.clone(), namespace);
        let found = users.get_opt(name).await.and_then(whole);
        found.map_err(|error| self.failed("read the object", &format!("{namespace}/{name}"), error))
    }

    /// Whether the object that owner tags name exists, uncached.
    ///
    /// # Errors
    /// If the API server does not answer now. If it refuses, the answer is [`OwnerObservation::Unknown`].
    pub async fn owner_exists(&self, owner: &Owner) -> Result<OwnerObservation, RequestError> {
        if !owner.can_exist() {
            return Ok(OwnerObservation::Unknown);
        }
        let users: Api<TrimmedUser> = Api::namespaced(self.client.clone(), &owner.namespace);
        match users.get_opt(&owner.name).await.and_then(whole) {
            Ok(Some(found)) if found.meta().deletion_timestamp.is_some() => Ok(OwnerObservation::Leaving),
            Ok(Some(_)) => Ok(OwnerObservation::Exists),
            Ok(None) => Ok(OwnerObservation::Gone),
            Err(error) if is_refusal(&error) => {
                tracing::debug!(error = cause(&error), %owner, "may not read the object that the owner tags name");
                Ok(OwnerObservation::Unknown)
            }
            Err(error) => {
                Err(self.failed("read the object that the owner tags name", &owner.to_string(), error))
            }
        }
    }

    /// The object that has the namespace and name of one that may have vanished, uncached.
    ///
    /// # Errors
    /// If the API server cannot be reached, or refuses.
    pub async fn namesake(&self, orphan: &Orphan) -> Result<Namesake, RequestError> {
        let users: Api<TrimmedUser> = Api::namespaced(self.client.clone(), &orphan.owner.namespace);
        let found = users.get_opt(&orphan.owner.name).await.and_then(whole);
        let found = found.map_err(|error| {
            self.failed("read an object that may have vanished", &orphan.owner.to_string(), error)
        })?;
        Ok(found.map_or(Namesake::Absent, |found| namesake(orphan, &found.into())))
    }

    /// # Errors
    /// [`RequestError::Conflict`] if the object has another version by now.
    pub async fn add_finalizer(&self, object: &ElastiCacheUser) -> Result<ElastiCacheUser, RequestError> {
        let mut finalizers = object.finalizers().to_vec();
        finalizers.push(FINALIZER.to_owned());
        self.set_finalizers(object, &finalizers, "add the finalizer").await
    }

    /// Removes every copy of our finalizer. If the object is gone thereby, the returned object has no finalizer at all.
    ///
    /// # Errors
    /// [`RequestError::Conflict`] if the object has another version by now.
    pub async fn remove_finalizer(&self, object: &ElastiCacheUser) -> Result<ElastiCacheUser, RequestError> {
        let others: Vec<String> =
            object.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).cloned().collect();
        self.set_finalizers(object, &others, "remove the finalizer").await
    }

    /// A merge patch with uid, resourceVersion and all finalizers. It applies to this version, or not at all.
    async fn set_finalizers(
        &self,
        object: &ElastiCacheUser,
        finalizers: &[String],
        what: &'static str,
    ) -> Result<ElastiCacheUser, RequestError> {
        self.may_write()?;
        if object.finalizers().iter().any(|finalizer| finalizer == TOO_MANY_FINALIZERS) {
            let why = format!("the object has more than {MOST_FINALIZERS} finalizers");
            return Err(self.failed(what, &full_name(object), kube::Error::Service(why.into())));
        }
        let patch = json!({ "metadata": {
            "uid": object.metadata.uid,
            "resourceVersion": object.metadata.resource_version,
            "finalizers": finalizers,
        }});
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let answer = self.users(object).patch(&object.name_any(), &params, &Patch::Merge(&patch)).await;
        answer.map(Into::into).map_err(|error| self.failed(what, &full_name(object), error))
    }

    /// Replaces the whole status of this version of the object.
    ///
    /// # Errors
    /// [`RequestError::Conflict`] if the object has another version by now.
    pub async fn apply_status(
        &self,
        object: &ElastiCacheUser,
        status: &ElastiCacheUserStatus,
    ) -> Result<ElastiCacheUser, RequestError> {
        self.may_write()?;
        // `/status` ignores the uid. The resourceVersion is enough, because no two objects share one.
        let apply = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": ElastiCacheUser::kind(&()),
            "metadata": { "name": object.name_any(), "resourceVersion": object.metadata.resource_version },
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let answer =
            self.users(object).patch_status(&object.name_any(), &params, &Patch::Apply(&apply)).await;
        answer.map(Into::into).map_err(|error| self.failed("write the status", &full_name(object), error))
    }

    /// Whether the CustomResourceDefinition is being deleted, uncached.
    pub async fn definition(&self) -> Definition {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let found = definitions.get_metadata(ElastiCacheUser::crd_name()).await;
        match found.and_then(|found| whole(Some(found))) {
            Ok(Some(found)) if found.metadata.deletion_timestamp.is_some() => Definition::BeingDeleted,
            Ok(_) => Definition::Kept,
            Err(kube::Error::Api(status)) if status.code == 403 => self.definition_by_discovery().await,
            Err(error) => {
                self.failures.note("read the CustomResourceDefinition", "", &error);
                Definition::Unreadable
            }
        }
    }

    /// For an operator that may not read the definition. Everybody may read the API's discovery, and discovery lists `create` for
    /// the resource until its definition is being deleted.
    async fn definition_by_discovery(&self) -> Definition {
        match self.client.list_api_group_resources(&format!("{GROUP}/{VERSION}")).await {
            Ok(list) => {
                let plural = ElastiCacheUser::plural(&());
                let creates = list.resources.iter().any(|resource| {
                    resource.name == plural && resource.verbs.iter().any(|verb| verb == "create")
                });
                if creates { Definition::Kept } else { Definition::BeingDeleted }
            }
            Err(error) => {
                self.failures.note("read the API's discovery", "", &error);
                Definition::Unreadable
            }
        }
    }
}

/// An answer without a uid is no object, although it was decoded: a proxy may answer 200 with JSON of its own. It must not be
/// taken for an object that exists, or for one that is gone.
fn whole<K: Resource>(found: Option<K>) -> kube::Result<Option<K>> {
    match found {
        Some(found) if found.meta().uid.is_none() => {
            Err(kube::Error::Service("the API server's answer is not an object".into()))
        }
        found => Ok(found),
    }
}

fn namesake(orphan: &Orphan, found: &ElastiCacheUser) -> Namesake {
    if found.metadata.uid.as_deref() == Some(orphan.uid.as_str()) {
        return Namesake::Itself;
    }
    if UserId::parse(&user_id(found)).ok().as_ref() != Some(&orphan.user_id) {
        return Namesake::Absent;
    }
    let has_finalizer = found.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    let shows_user = found.status.as_ref().is_some_and(|status| status.arn.is_some());
    if has_finalizer && shows_user { Namesake::Manages } else { Namesake::Wants }
}
