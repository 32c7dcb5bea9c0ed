//! I/O: the version of the object that a pass decides on. Each read and each write of the pass replaces it.

use aws::UserApi;
use kube::ResourceExt;
use plan::pass::Response;
use plan::{CredentialsId, Mutation};

use super::Reconciler;
use super::tokens::{HeldTokens, PassTurn};
use crate::api::ElastiCacheUser;
use crate::kubernetes::{RequestError, facts};
use crate::orphans::orphan;
use crate::queue::QueueTurn;

/// What the driver keeps during one pass.
pub(crate) struct Held<'a> {
    pub(super) object: ElastiCacheUser,
    pub(super) tokens: HeldTokens<'a>,
}

impl<'a> Held<'a> {
    pub(super) fn new(object: &ElastiCacheUser, turn: &'a QueueTurn) -> Self {
        Self { object: object.clone(), tokens: HeldTokens::new(PassTurn::Queued(turn)) }
    }

    /// For an object that may have vanished. Its pass has no turn in the queue.
    pub(crate) fn unqueued(object: &ElastiCacheUser, namespace: &'a str) -> Self {
        Self { object: object.clone(), tokens: HeldTokens::new(PassTurn::Unqueued(namespace)) }
    }
}

impl<U: UserApi> Reconciler<U> {
    /// `None` too if another operator looks after the object by now.
    async fn read_own(&self, object: &ElastiCacheUser) -> Result<Option<ElastiCacheUser>, RequestError> {
        Ok(self.kubernetes.read(object).await?.filter(|found| self.policy.includes(found)))
    }

    pub(super) async fn read_object(&self, held: &mut Held<'_>) -> Result<Response, RequestError> {
        let found = self.read_own(&held.object).await?;
        let read = found.as_ref().map(|found| Box::new(facts(found)));
        held.object = found.unwrap_or_else(|| held.object.clone());
        Ok(Response::Object(read))
    }

    pub(super) async fn resolve_again(&self, held: &mut Held<'_>) -> Result<Response, RequestError> {
        let Some(object) = self.read_own(&held.object).await? else {
            return Ok(Response::Resolved(None));
        };
        let goal = self.goal(&object);
        held.object = object;
        Ok(Response::Resolved(Some((goal, facts(&held.object)))))
    }

    pub(super) async fn remove_finalizer(&self, held: &mut Held<'_>) -> Result<Response, RequestError> {
        let uid = held.object.uid().unwrap_or_default();
        let removed = self.orphans.release(&uid, self.kubernetes.remove_finalizer(&held.object)).await?;
        Ok(self.written(removed, held))
    }

    /// Keeps the version that a write to the object returned.
    pub(super) fn written(&self, object: ElastiCacheUser, held: &mut Held<'_>) -> Response {
        self.orphans.written(&object.uid().unwrap_or_default(), self.settings.pace.vanishing_window);
        held.object = object;
        Response::Written(facts(&held.object))
    }

    pub(super) async fn call(
        &self,
        mutation: &Mutation,
        signer: CredentialsId,
        held: &mut Held<'_>,
    ) -> Response {
        let permit = self.permit(held).await;
        let call = self.users.call(permit, mutation, signer);
        Response::Called(match mutation {
            Mutation::Create(create) => {
                let orphan = orphan(&held.object, &create.user_id, &self.policy);
                self.orphans.follow(orphan, &held.object, self.settings.pace.creation_window, call).await
            }
            Mutation::Modify(_) | Mutation::Tag(_) | Mutation::Untag(_) | Mutation::Delete(_) => call.await,
        })
    }
}
