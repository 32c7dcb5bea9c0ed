//! I/O: AWS's users under the rate limit: what the shell calls.

use plan::verdict::Outcome;
use plan::{Account, Arn, Create, Delete, Fault, Modify, Sight, Tag, TagSight, Untag, UserId};

use super::limit::{InFlight, Limiter, Overdue, Permit, Urgency};
use super::{UserPage, Users};

/// Users behind a limiter. Each call takes a permit that the caller got before: a check does not wait for one, and what has to
/// stand in an object's status when a mutation begins is written with the permit in hand.
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

    /// The right to make one call for a pass of this urgency; `None` if it is not to be had now. An overdue check that may
    /// wait takes the turn for that, and holds it until the pass ends.
    pub async fn acquire(&self, urgency: plan::pass::Urgency, turn: &mut Option<Overdue>) -> Option<Permit> {
        match urgency {
            plan::pass::Urgency::Work => Some(self.permit(Urgency::Work).await),
            plan::pass::Urgency::Check => self.try_permit(Urgency::Check),
            plan::pass::Urgency::OverdueCheck => {
                if turn.is_none() {
                    *turn = self.overdue();
                }
                match turn {
                    Some(_) => Some(self.permit(Urgency::Work).await),
                    None => self.try_permit(Urgency::Check),
                }
            }
        }
    }

    /// [`Limiter::overdue`].
    #[must_use]
    pub fn overdue(&self) -> Option<Overdue> {
        self.limiter.overdue()
    }

    /// The limiter, for metrics.
    #[must_use]
    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// [`Users::describe`].
    pub async fn describe(&self, permit: Permit, user_id: &UserId) -> Sight {
        let call = permit.spend();
        let sight = self.users.describe(user_id).await;
        call.ended(matches!(&sight, Sight::Failed(fault) if is_throttling(fault)));
        sight
    }

    /// [`Users::list`].
    pub async fn list(&self, permit: Permit, marker: Option<&str>) -> Result<UserPage, Fault> {
        let call = permit.spend();
        let page = self.users.list(marker).await;
        call.ended(matches!(&page, Err(fault) if is_throttling(fault)));
        page
    }

    /// [`Users::account`].
    pub async fn account(&self, permit: Permit) -> Account {
        let call = permit.spend();
        let account = self.users.account().await;
        call.ended(matches!(&account, Account::Failed(fault) if is_throttling(fault)));
        account
    }

    /// [`Users::list_tags`].
    pub async fn list_tags(&self, permit: Permit, arn: &Arn) -> TagSight {
        let call = permit.spend();
        let tags = self.users.list_tags(arn).await;
        call.ended(matches!(&tags, TagSight::Failed(fault) if is_throttling(fault)));
        tags
    }

    /// [`Users::create`].
    pub async fn create(&self, permit: Permit, create: &Create) -> Outcome {
        mutated(permit.spend(), self.users.create(create)).await
    }

    /// [`Users::modify`].
    pub async fn modify(&self, permit: Permit, modify: &Modify) -> Outcome {
        mutated(permit.spend(), self.users.modify(modify)).await
    }

    /// [`Users::tag`].
    pub async fn tag(&self, permit: Permit, tag: &Tag) -> Outcome {
        mutated(permit.spend(), self.users.tag(tag)).await
    }

    /// [`Users::untag`].
    pub async fn untag(&self, permit: Permit, untag: &Untag) -> Outcome {
        mutated(permit.spend(), self.users.untag(untag)).await
    }

    /// [`Users::delete`].
    pub async fn delete(&self, permit: Permit, delete: &Delete) -> Outcome {
        mutated(permit.spend(), self.users.delete(delete)).await
    }
}

/// Waits for a mutation's outcome, and lets the limiter learn from it.
async fn mutated(call: InFlight, made: impl Future<Output = Outcome> + Send) -> Outcome {
    let outcome = made.await;
    call.ended(matches!(&outcome, Outcome::Failed(fault) if is_throttling(fault)));
    outcome
}

fn is_throttling(fault: &Fault) -> bool {
    matches!(fault, Fault::Throttled(_))
}
