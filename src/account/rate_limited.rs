//! I/O: the calls to AWS under the rate limit.

use aws::{GroupPage, UserApi, UserPage};
use plan::verdict::Outcome;
use plan::{
    Account, Arn, CallSource, Create, CredentialsId, Delete, Fault, GroupChange, GroupObservation,
    GroupOutcome, Modify, Mutation, Tag, TagsObservation, Untag, UserGroupId, UserId, UserObservation,
};

use super::limit::{InFlight, Limiter, Permit};
use crate::queue::Class;

/// The port behind a limiter. The caller gets the permit before the call, because the status write that must precede a mutation
/// is made with the permit in hand.
#[derive(Clone, Debug)]
pub struct RateLimited<U> {
    users: U,
    limiter: Limiter,
}

impl<U: UserApi> RateLimited<U> {
    /// All calls of `users` need a permit of `limiter`.
    pub fn new(users: U, limiter: Limiter) -> Self {
        Self { users, limiter }
    }

    /// Waits for the right to make one call.
    pub async fn permit(&self, class: Class, namespace: &str) -> Permit {
        self.limiter.permit(class, namespace).await
    }

    /// The right to make one call, if nobody has to wait for it.
    #[must_use]
    pub fn try_permit(&self, class: Class, namespace: &str) -> Option<Permit> {
        self.limiter.try_permit(class, namespace)
    }

    /// [`UserApi::describe`].
    pub async fn describe(&self, permit: Permit, user_id: &UserId) -> (UserObservation, CallSource) {
        let call = permit.spend();
        let (sight, source) = self.users.describe(user_id).await;
        call.ended(matches!(&sight, UserObservation::Failed(fault) if is_throttling(fault)));
        (sight, source)
    }

    /// [`UserApi::list`].
    pub async fn list(&self, permit: Permit, marker: Option<&str>) -> Result<UserPage, Fault> {
        let call = permit.spend();
        let page = self.users.list(marker).await;
        call.ended(matches!(&page, Err(fault) if is_throttling(fault)));
        page
    }

    /// [`UserApi::identify_caller`]. STS has a rate limit of its own, and is asked once for each set of credentials.
    pub async fn identify_caller(&self) -> CallSource {
        self.users.identify_caller().await
    }

    /// [`UserApi::identify`]. One permit covers it, because ElastiCache gets one call at most.
    pub async fn identify(&self, permit: Permit) -> CallSource {
        let call = permit.spend();
        let source = self.users.identify().await;
        call.ended(matches!(&source.account, Account::Failed(fault) if is_throttling(fault)));
        source
    }

    /// [`UserApi::list_tags`].
    pub async fn list_tags(&self, permit: Permit, arn: &Arn) -> TagsObservation {
        let call = permit.spend();
        let tags = self.users.list_tags(arn).await;
        call.ended(matches!(&tags, TagsObservation::Failed(fault) if is_throttling(fault)));
        tags
    }

    /// [`UserApi::describe_group`].
    pub async fn describe_group(
        &self,
        permit: Permit,
        group: &UserGroupId,
    ) -> (GroupObservation, CallSource) {
        let call = permit.spend();
        let (seen, source) = self.users.describe_group(group).await;
        call.ended(matches!(&seen, GroupObservation::Failed(fault) if is_throttling(fault)));
        (seen, source)
    }

    /// [`UserApi::list_groups`].
    pub async fn list_groups(&self, permit: Permit, marker: Option<&str>) -> Result<GroupPage, Fault> {
        let call = permit.spend();
        let page = self.users.list_groups(marker).await;
        call.ended(matches!(&page, Err(fault) if is_throttling(fault)));
        page
    }

    /// [`UserApi::modify_group`].
    pub async fn modify_group(
        &self,
        permit: Permit,
        change: &GroupChange,
        signer: CredentialsId,
    ) -> GroupOutcome {
        let call = permit.spend();
        let outcome = self.users.modify_group(change, signer).await;
        call.ended(matches!(&outcome, GroupOutcome::Failed(fault) if is_throttling(fault)));
        outcome
    }

    /// Makes the call of a mutation.
    pub async fn call(&self, permit: Permit, mutation: &Mutation, signer: CredentialsId) -> Outcome {
        match mutation {
            Mutation::Create(create) => self.create(permit, create, signer).await,
            Mutation::Modify(modify) => self.modify(permit, modify, signer).await,
            Mutation::Tag(tag) => self.tag(permit, tag, signer).await,
            Mutation::Untag(untag) => self.untag(permit, untag, signer).await,
            Mutation::Delete(delete) => self.delete(permit, delete, signer).await,
        }
    }

    /// [`UserApi::create`].
    pub async fn create(&self, permit: Permit, create: &Create, signer: CredentialsId) -> Outcome {
        mutated(permit.spend(), self.users.create(create, signer)).await
    }

    /// [`UserApi::modify`].
    pub async fn modify(&self, permit: Permit, modify: &Modify, signer: CredentialsId) -> Outcome {
        mutated(permit.spend(), self.users.modify(modify, signer)).await
    }

    /// [`UserApi::tag`].
    pub async fn tag(&self, permit: Permit, tag: &Tag, signer: CredentialsId) -> Outcome {
        mutated(permit.spend(), self.users.tag(tag, signer)).await
    }

    /// [`UserApi::untag`].
    pub async fn untag(&self, permit: Permit, untag: &Untag, signer: CredentialsId) -> Outcome {
        mutated(permit.spend(), self.users.untag(untag, signer)).await
    }

    /// [`UserApi::delete`].
    pub async fn delete(&self, permit: Permit, delete: &Delete, signer: CredentialsId) -> Outcome {
        mutated(permit.spend(), self.users.delete(delete, signer)).await
    }
}

/// Waits for the outcome of a mutation, and reports to the limiter whether AWS throttled it.
async fn mutated(call: InFlight, made: impl Future<Output = Outcome> + Send) -> Outcome {
    let outcome = made.await;
    call.ended(matches!(&outcome, Outcome::Failed(fault) if is_throttling(fault)));
    outcome
}

fn is_throttling(fault: &Fault) -> bool {
    matches!(fault, Fault::Throttled(_))
}
