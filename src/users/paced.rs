//! I/O: AWS's users under the rate limit: what the shell calls.

use plan::verdict::Outcome;
use plan::{Account, Arn, Create, Delete, Fault, Modify, Sight, Tag, TagSight, UserId};

use super::Users;
use super::limit::{Limiter, Permit, Urgency};

/// Users behind a limiter. Reads wait for their permit themselves; a mutation takes one that the caller got before, since
/// what has to stand in an object's status when it begins is written with the permit in hand.
#[derive(Clone, Debug)]
pub struct Paced<U> {
    users: U,
    limiter: Limiter,
}

impl<U: Users> Paced<U> {
    /// Puts users behind a limiter.
    pub fn new(users: U, limiter: Limiter) -> Self {
        Self { users, limiter }
    }

    /// Waits for the right to make one call.
    pub async fn permit(&self, urgency: Urgency) -> Permit {
        self.limiter.permit(urgency).await
    }

    /// The right to make one call, if it can be had at once.
    #[must_use]
    pub fn try_permit(&self, urgency: Urgency) -> Option<Permit> {
        self.limiter.try_permit(urgency)
    }

    /// The limiter, for metrics.
    #[must_use]
    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// [`Users::describe`], once there is a permit.
    pub async fn describe(&self, urgency: Urgency, user_id: &UserId) -> Sight {
        self.permit(urgency).await.spend();
        let sight = self.users.describe(user_id).await;
        if let Sight::Failed(fault) = &sight {
            self.heed(fault);
        }
        sight
    }

    /// [`Users::account`], once there is a permit.
    pub async fn account(&self, urgency: Urgency) -> Account {
        self.permit(urgency).await.spend();
        let account = self.users.account().await;
        if let Account::Failed(fault) = &account {
            self.heed(fault);
        }
        account
    }

    /// [`Users::list_tags`], once there is a permit.
    pub async fn list_tags(&self, urgency: Urgency, arn: &Arn) -> TagSight {
        self.permit(urgency).await.spend();
        let tags = self.users.list_tags(arn).await;
        if let TagSight::Failed(fault) = &tags {
            self.heed(fault);
        }
        tags
    }

    /// [`Users::create`].
    pub async fn create(&self, permit: Permit, create: &Create) -> Outcome {
        permit.spend();
        self.heeded(self.users.create(create).await)
    }

    /// [`Users::modify`].
    pub async fn modify(&self, permit: Permit, modify: &Modify) -> Outcome {
        permit.spend();
        self.heeded(self.users.modify(modify).await)
    }

    /// [`Users::tag`].
    pub async fn tag(&self, permit: Permit, tag: &Tag) -> Outcome {
        permit.spend();
        self.heeded(self.users.tag(tag).await)
    }

    /// [`Users::delete`].
    pub async fn delete(&self, permit: Permit, delete: &Delete) -> Outcome {
        permit.spend();
        self.heeded(self.users.delete(delete).await)
    }

    fn heeded(&self, outcome: Outcome) -> Outcome {
        if let Outcome::Failed(fault) = &outcome {
            self.heed(fault);
        }
        outcome
    }

    fn heed(&self, fault: &Fault) {
        if matches!(fault, Fault::Throttled(_)) {
            self.limiter.throttled();
        }
    }
}
