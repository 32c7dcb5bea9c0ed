//! I/O: the looks of a pass, and what they tell beyond it.

use std::sync::PoisonError;

use aws::UserApi;
use plan::{Account, Creation, Goal, Look, Other, Ownership, Sight, TagSight};
use tokio::time::Instant;

use super::Pass;
use crate::objects::Interruption;

impl<U: UserApi> Pass<'_, U> {
    /// Finds out one fact.
    pub(super) async fn look(&mut self, look: &Look) -> Result<(), Interruption> {
        let users = &self.shell.users;
        match look {
            Look::User(user_id) => {
                self.observed.user = users.describe(self.turn().await?, user_id).await;
                self.seen_at = Some(Instant::now());
                self.learn_from_sight();
            }
            Look::Tags(arn) => {
                if self.awaited {
                    // What is read now decides on a mutation, which then need not wait for its token any more.
                    self.take_permit().await;
                }
                self.observed.tags = users.list_tags(self.turn().await?, arn).await;
                self.owner_read_at = Some(Instant::now());
                self.learn_from_tags(arn);
            }
            Look::Other(owner) => {
                let namespaces = &self.shell.namespaces;
                self.observed.other = if namespaces.is_empty() || namespaces.contains(&owner.namespace) {
                    self.shell.objects.other(owner).await
                } else {
                    Other::Unknown
                };
            }
            Look::Account => {
                let account = users.account(self.turn().await?).await;
                if !matches!(account, Account::Failed(_)) {
                    self.learn_account(account.clone());
                }
                self.observed.here.account = account;
            }
            Look::Definition => self.observed.definition = self.shell.objects.definition().await,
            Look::Object => self.confirm().await?,
            Look::ObjectAndDefinition => {
                self.confirm().await?;
                self.observed.definition = self.shell.objects.definition().await;
            }
        }
        Ok(())
    }

    /// The object is the version that is decided on, now that the mutation need not wait for its token any more.
    async fn confirm(&mut self) -> Result<(), Interruption> {
        self.take_permit().await;
        match self.shell.objects.read(&self.object).await? {
            Some(found) if found.metadata.resource_version == self.object.metadata.resource_version => {}
            Some(_) | None => return Err(Interruption::Overtaken),
        }
        self.observed.confirmed = true;
        Ok(())
    }

    fn learn_from_tags(&mut self, arn: &plan::Arn) {
        let (TagSight::Read(tags), Some(owner)) = (&self.observed.tags, self.goal.owner()) else { return };
        let ownership = owner.judge(tags);
        self.note_tags(&tags.clone());
        if ownership == Ownership::Ours {
            // Another's user says nothing about the one that we asked for.
            self.settle_creation();
        } else {
            self.entry.sent = None;
        }
        self.entry.owner = Some((arn.clone(), ownership.clone()));
        self.observed.remembered = Some(ownership);
    }

    /// Where these are the tags that the spec asks for, and ours, they need not be compared again soon.
    pub(super) fn note_tags(&mut self, tags: &plan::Tags) {
        let Goal::Present(desired) = &self.goal else { return };
        let ours = desired.owner.judge(tags) == Ownership::Ours;
        if ours && plan::tags_match(desired, tags, &self.observed.record) {
            self.entry.tags_match(self.object.metadata.generation, &self.shell.pace, fastrand::f64());
        } else {
            self.entry.tags_differ();
        }
    }

    /// What DescribeUsers tells beyond this pass.
    fn learn_from_sight(&mut self) {
        let user = match &self.observed.user {
            Sight::Seen(user) => user.clone(),
            Sight::Absent => {
                self.entry.owner = None;
                self.entry.departure.end();
                self.entry.gone = true;
                self.entry.sent = None;
                self.observed.sent = None;
                self.observed.remembered = None;
                return;
            }
            Sight::Failed(_) | Sight::Unseen => return,
        };
        self.observed.remembered =
            self.entry.owner.as_ref().filter(|(arn, _)| *arn == user.arn).map(|(_, owner)| owner.clone());
        if self.observed.remembered == Some(Ownership::Ours) {
            self.settle_creation();
        }
        if user.lifecycle == plan::Lifecycle::Deleting {
            // Whatever comes after it under this ID is another user.
            self.entry.owner = None;
            self.entry.departure.end();
        }
        let account = Account::Known(user.arn.account().to_owned());
        self.observed.here.account = account.clone();
        self.learn_account(account);
    }

    pub(super) fn learn_account(&self, account: Account) {
        *self.shell.account.lock().unwrap_or_else(PoisonError::into_inner) = Some(account);
    }

    /// The user of the last CreateUser was seen, or let go: from now on UserNotFound means what it says.
    pub(super) fn settle_creation(&mut self) {
        let requested = self.object.status.as_ref().and_then(|status| status.create_requested_at.clone());
        self.entry.creation_settled = requested;
        self.observed.record.creation = Creation::Closed;
    }
}
