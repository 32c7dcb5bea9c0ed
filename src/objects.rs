//! I/O: what the operator asks of the API server about one object. Every write tests the version that it was decided on.

use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, CustomResourceExt, Resource, ResourceExt};
use plan::{Definition, InvalidPassword, Namesake, Orphan, Other, Owner, Password, SecretProblem, UserId};
use serde_json::json;

use crate::api::{ElastiCacheUser, ElastiCacheUserStatus, FIELD_MANAGER, FINALIZER, GROUP, VERSION, user_id};
use crate::clock;
use crate::leader_election::Token;

/// Why a pass cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Interruption {
    /// The object changed, or went, since the version that was decided on: decide anew.
    #[error("the object changed in the meantime")]
    Overtaken,
    /// The operator is ending: nothing new is begun.
    #[error("the operator is ending")]
    Ending,
    /// Nobody waits for this pass, and there is no AWS call to spare for it: it ends, having written nothing.
    #[error("no AWS call to spare for a check")]
    Crowded,
    /// The API server did not do what was asked.
    #[error("failed to {what}: {why}")]
    Kubernetes {
        /// What was asked, verb first.
        what: &'static str,
        /// What the API server said.
        why: String,
    },
}

/// The API server, for requests. Each has the client's time-out; none is repeated by itself. Writes need a valid token.
#[derive(Clone)]
pub struct Objects {
    client: Client,
    token: Token,
}

impl Objects {
    /// Through this client.
    #[must_use]
    pub fn new(client: Client, token: Token) -> Self {
        Self { client, token }
    }

    /// A replica that does not lead any more writes nothing: what it would say may be wrong by now.
    fn may_write(&self) -> Result<(), Interruption> {
        if self.token.is_valid() { Ok(()) } else { Err(Interruption::Ending) }
    }

    fn users(&self, object: &ElastiCacheUser) -> Api<ElastiCacheUser> {
        Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default())
    }

    /// The object as it is now, uncached; `None` where it is gone, or another one of its name is there.
    ///
    /// # Errors
    /// Where the API server does not tell.
    pub async fn read(&self, object: &ElastiCacheUser) -> Result<Option<ElastiCacheUser>, Interruption> {
        let found = self.users(object).get_opt(&object.name_any()).await;
        let found = found.map_err(|error| refused("read the object", &error))?;
        Ok(found.filter(|found| found.metadata.uid == object.metadata.uid))
    }

    /// Whether the object that owner tags name is there, uncached.
    pub async fn other(&self, owner: &Owner) -> Other {
        let users: Api<ElastiCacheUser> = Api::namespaced(self.client.clone(), &owner.namespace);
        match users.get_metadata_opt(&owner.name).await {
            Ok(Some(_)) => Other::There,
            Ok(None) => Other::Gone,
            Err(error) => {
                tracing::debug!(%error, %owner, "failed to look for another owner");
                Other::Unknown
            }
        }
    }

    /// The object that has the namespace and name of one that may have vanished, uncached.
    pub async fn namesake(&self, orphan: &Orphan) -> Namesake {
        let users: Api<ElastiCacheUser> = Api::namespaced(self.client.clone(), &orphan.owner.namespace);
        match users.get_opt(&orphan.owner.name).await {
            Ok(None) => Namesake::Absent,
            Ok(Some(found)) => namesake(orphan, &found),
            Err(error) => {
                tracing::debug!(%error, owner = %orphan.owner, "failed to look for an object that may have vanished");
                Namesake::Unreadable
            }
        }
    }

    /// Adds the finalizer.
    ///
    /// # Errors
    /// [`Interruption::Overtaken`] where the object is no longer that version.
    pub async fn hold(&self, object: &ElastiCacheUser) -> Result<ElastiCacheUser, Interruption> {
        let mut finalizers = object.finalizers().to_vec();
        finalizers.push(FINALIZER.to_owned());
        self.set_finalizers(object, &finalizers, "add the finalizer").await
    }

    /// Takes every copy of the finalizer off. The answer has no finalizer at all where the object is gone now.
    ///
    /// # Errors
    /// [`Interruption::Overtaken`] where the object is no longer that version.
    pub async fn release(&self, object: &ElastiCacheUser) -> Result<ElastiCacheUser, Interruption> {
        let others: Vec<String> =
            object.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).cloned().collect();
        self.set_finalizers(object, &others, "remove the finalizer").await
    }

    /// A merge patch with uid, resourceVersion and the whole list: it applies to this version, or not at all.
    async fn set_finalizers(
        &self,
        object: &ElastiCacheUser,
        finalizers: &[String],
        what: &'static str,
    ) -> Result<ElastiCacheUser, Interruption> {
        self.may_write()?;
        let patch = json!({ "metadata": {
            "uid": object.metadata.uid,
            "resourceVersion": object.metadata.resource_version,
            "finalizers": finalizers,
        }});
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let answer = self.users(object).patch(&object.name_any(), &params, &Patch::Merge(&patch)).await;
        answer.map_err(|error| refused(what, &error))
    }

    /// Applies the whole status to this very version.
    ///
    /// # Errors
    /// [`Interruption::Overtaken`] where the object is no longer that version.
    pub async fn apply_status(
        &self,
        object: &ElastiCacheUser,
        status: &ElastiCacheUserStatus,
    ) -> Result<ElastiCacheUser, Interruption> {
        self.may_write()?;
        // The uid is not tested by `/status`; the resourceVersion is, and no two objects share one.
        let apply = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": ElastiCacheUser::kind(&()),
            "metadata": { "name": object.name_any(), "resourceVersion": object.metadata.resource_version },
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let answer =
            self.users(object).patch_status(&object.name_any(), &params, &Patch::Apply(&apply)).await;
        answer.map_err(|error| refused("write the status", &error))
    }

    /// Whether the CustomResourceDefinition is being deleted, uncached.
    pub async fn definition(&self) -> Definition {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        match definitions.get_metadata(ElastiCacheUser::crd_name()).await {
            Ok(found) if found.metadata.deletion_timestamp.is_some() => Definition::Going,
            Ok(_) => Definition::Stays,
            Err(kube::Error::Api(status)) if status.code == 403 => self.offered().await,
            Err(error) => {
                tracing::warn!(%error, "failed to read the CustomResourceDefinition");
                Definition::Unreadable
            }
        }
    }

    /// A definition that is going is no longer offered with `create` by discovery, which everyone may read.
    async fn offered(&self) -> Definition {
        match self.client.list_api_group_resources(&format!("{GROUP}/{VERSION}")).await {
            Ok(list) => {
                let plural = ElastiCacheUser::plural(&());
                let creates = list.resources.iter().any(|resource| {
                    resource.name == plural && resource.verbs.iter().any(|verb| verb == "create")
                });
                if creates { Definition::Stays } else { Definition::Going }
            }
            Err(error) => {
                tracing::warn!(%error, "failed to read the API's discovery");
                Definition::Unreadable
            }
        }
    }

    /// The password under a key of a Secret, with the Secret's version.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn password(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
    ) -> Result<(Password, String), SecretProblem> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let named = || name.to_owned();
        let secret = match secrets.get_opt(name).await {
            Ok(Some(secret)) => secret,
            Ok(None) => return Err(SecretProblem::NotFound { secret: named() }),
            Err(kube::Error::Api(status)) if status.code == 403 => {
                return Err(SecretProblem::Forbidden { secret: named() });
            }
            Err(error) => {
                tracing::warn!(namespace, secret = name, %error, "failed to read a Secret");
                return Err(SecretProblem::Unreadable { secret: named() });
            }
        };
        // The key too: a spec that goes over to another key of the same Secret asks for another password.
        let version = format!("{}{key}", secret_version(&secret.metadata));
        let Some(value) = secret.data.as_ref().and_then(|data| data.get(key)) else {
            return Err(SecretProblem::KeyNotFound { secret: named(), key: key.to_owned() });
        };
        let invalid =
            |why: InvalidPassword| SecretProblem::Invalid { secret: named(), key: key.to_owned(), why };
        Password::parse(&value.0).map(|password| (password, version)).map_err(invalid)
    }

    /// Publishes an event about an object. Namespaces that are being deleted refuse it; that never fails a pass.
    pub async fn publish(&self, object: &ElastiCacheUser, news: &News) {
        if self.may_write().is_err() {
            return;
        }
        let namespace = object.namespace().unwrap_or_default();
        let now = clock::now();
        let event = Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:x}", object.name_any(), now.as_nanosecond())),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            type_: Some(if news.warning { "Warning" } else { "Normal" }.to_owned()),
            reason: Some(news.reason.to_owned()),
            action: Some(news.action.to_owned()),
            note: Some(shortened(&news.note)),
            regarding: Some(ObjectReference {
                // Events about the status field of a version, not about a version: as kubectl describe looks them up.
                resource_version: None,
                ..object.object_ref(&())
            }),
            reporting_controller: Some(FIELD_MANAGER.to_owned()),
            reporting_instance: Some(FIELD_MANAGER.to_owned()),
            ..Event::default()
        };
        let events: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        if let Err(error) = events.create(&PostParams::default(), &event).await {
            tracing::debug!(%error, reason = news.reason, "failed to publish an event");
        }
    }
}

fn namesake(orphan: &Orphan, found: &ElastiCacheUser) -> Namesake {
    if found.metadata.uid.as_deref() == Some(orphan.uid.as_str()) {
        return Namesake::Itself;
    }
    if UserId::parse(&user_id(found)).ok().as_ref() != Some(&orphan.user_id) {
        return Namesake::Absent;
    }
    let held = found.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    let shows_user = found.status.as_ref().is_some_and(|status| status.arn.is_some());
    if held && shows_user { Namesake::Manages } else { Namesake::Wants }
}

/// What a password's version begins with: the Secret's uid and resourceVersion.
pub fn secret_version(secret: &ObjectMeta) -> String {
    let (uid, version) = (secret.uid.as_deref(), secret.resource_version.as_deref());
    format!("{}/{}/", uid.unwrap_or_default(), version.unwrap_or_default())
}

/// An event, before it has a place and a time.
#[derive(Debug)]
pub struct News {
    /// Warning rather than Normal.
    pub warning: bool,
    /// Why, one word.
    pub reason: &'static str,
    /// What the operator was doing, one word.
    pub action: &'static str,
    /// The same for people.
    pub note: String,
}

/// The API server refuses notes of more than 1,024 bytes.
fn shortened(note: &str) -> String {
    const MOST: usize = 1000;
    if note.len() <= MOST {
        return note.to_owned();
    }
    let end = (0..=MOST).rev().find(|index| note.is_char_boundary(*index)).unwrap_or(0);
    format!("{} ...", note.get(..end).unwrap_or_default())
}

/// 404 and 409 mean that the object is not what it was; anything else is the API server's own trouble, or ours.
fn refused(what: &'static str, error: &kube::Error) -> Interruption {
    let kube::Error::Api(status) = error else {
        return Interruption::Kubernetes { what, why: error.to_string() };
    };
    match status.code {
        404 | 409 => Interruption::Overtaken,
        _ => Interruption::Kubernetes { what, why: status.message.clone() },
    }
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_long_note_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"é".repeat(600));
        assert!(long.len() <= 1024 && long.ends_with("é ..."), "{} bytes", long.len());
    }
}
