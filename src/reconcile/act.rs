//! I/O: what a pass does. The writes that have to stand in status first, and the one mutation.

use aws::UserApi;
use kube::ResourceExt;
use plan::verdict::{Outcome, Verdict, verdict};
use plan::{Action, Announcement, Cause, Create, Delete, LastApplied, Mutation, Orphan, Sight, TagSight};
use tokio::time::Instant;

use super::{Ended, Pass};
use crate::account::Permit;
use crate::clock;
use crate::memory::Departure;
use crate::objects::Interruption;
use crate::report::{self, read};
use crate::resolve::deletion_policy;

impl<U: UserApi> Pass<'_, U> {
    pub(super) async fn act(&mut self, action: &Action) -> Result<Ended, Interruption> {
        let outcome = self.perform(action).await?;
        self.report(action, &outcome).await
    }

    /// What the mutation's right rests on was seen too long ago: it is forgotten, and looked at anew.
    pub(super) fn doubts_owner(&mut self, action: &Action) -> bool {
        let restores = matches!(action, Action::Tag(tag) if restores_owner(tag));
        // Only what it looks like tells our user from a stranger's that took its ID meanwhile.
        if restores && self.sight_is_old() {
            self.observed.user = Sight::Unseen;
            return true;
        }
        if !restores && self.owner_is_old() {
            self.observed.tags = TagSight::Unread;
            return true;
        }
        false
    }

    /// The write that has to stand in status before a mutation.
    pub(super) async fn announce(
        &mut self,
        action: &Action,
        announcement: &Announcement,
    ) -> Result<(), Interruption> {
        match announcement {
            Announcement::Creation { .. } => {
                self.take_permit().await;
                self.announced_at = Some(Instant::now());
            }
            Announcement::Tags { .. }
            | Announcement::Change { .. }
            | Announcement::Departure { .. }
            | Announcement::Claim { .. } => {}
        }
        let verdict = verdict(action, &Outcome::Decided, &self.standing());
        self.write(action, &Outcome::Decided, &verdict).await?;
        match announcement {
            Announcement::Departure { .. } => {
                let before = self.observed.record.last_applied.take().filter(LastApplied::manages);
                self.entry.departure.announce(read::version(&self.object), before);
                self.record();
            }
            Announcement::Claim { .. } => {
                self.entry.departure = Departure::default();
                self.record();
                self.observed.announced = false;
                return Ok(());
            }
            Announcement::Creation { .. } | Announcement::Tags { .. } | Announcement::Change { .. } => {
                if self.object.metadata.deletion_timestamp.is_some() {
                    return Err(Interruption::Overtaken);
                }
            }
        }
        self.observed.announced = true;
        Ok(())
    }

    /// Status says something else now of whose the user is.
    fn record(&mut self) {
        self.observed.record = read::record(&self.object, self.entry, &self.shell.pace, clock::now());
    }

    /// A CreateUser starts soon after its `createRequestedAt`, or that is written anew.
    pub(super) fn announcement_is_old(&self) -> bool {
        self.announced_at.is_none_or(|at| at.elapsed() > self.shell.pace.announcement_valid)
    }

    /// A mutation starts soon after its user's owner was read, or that is read anew.
    fn owner_is_old(&self) -> bool {
        self.owner_read_at.is_none_or(|at| at.elapsed() > self.shell.pace.owner_valid)
    }

    /// Owner tags are put back soon after the user was seen, or it is looked at anew.
    fn sight_is_old(&self) -> bool {
        self.seen_at.is_none_or(|at| at.elapsed() > self.shell.pace.owner_valid)
    }

    /// Puts the finalizer on the version that is decided on.
    pub(super) async fn hold(&mut self) -> Result<(), Interruption> {
        let held = self.shell.objects.hold(&self.object).await?;
        self.replace(held);
        match self.object.metadata.deletion_timestamp {
            Some(_) => Err(Interruption::Overtaken),
            None => Ok(()),
        }
    }

    async fn perform(&mut self, action: &Action) -> Result<Outcome, Interruption> {
        let mutation = action.mutation();
        if mutation.is_some() {
            self.take_permit().await;
            self.go_on()?;
        }
        let users = &self.shell.users;
        Ok(match (mutation, self.permit.take_if(|_| mutation.is_some())) {
            (Some(Mutation::Create(create)), Some(permit)) => self.create(permit, create).await,
            (Some(Mutation::Modify(modify)), Some(permit)) => users.modify(permit, modify).await,
            (Some(Mutation::Tag(tag)), Some(permit)) => users.tag(permit, tag).await,
            (Some(Mutation::Untag(untag)), Some(permit)) => users.untag(permit, untag).await,
            (Some(Mutation::Delete(delete)), Some(permit)) => self.delete(permit, delete).await,
            _ if matches!(action, Action::Release(_)) => {
                let released = self.shell.objects.release(&self.object).await?;
                self.replace(released);
                Outcome::Released
            }
            _ => Outcome::Decided,
        })
    }

    /// The object may vanish while the call is under way, and the pass may be dropped: the call is noted before it is sent.
    async fn create(&mut self, permit: Permit, create: &Create) -> Outcome {
        let uid = self.object.uid().unwrap_or_default();
        if let Some(owner) = self.goal.owner() {
            let default = self.shell.policy.default_deletion_policy;
            let orphan = Orphan {
                user_id: create.user_id.clone(),
                owner: owner.clone(),
                uid: uid.clone(),
                policy: deletion_policy(&self.object.spec, default),
            };
            self.shell.orphans.sent(orphan, self.shell.pace.creation_window);
        }
        let outcome = self.shell.users.create(permit, create).await;
        self.shell.orphans.answered(&uid, &outcome);
        outcome
    }

    /// What is certain of the user is forgotten before: the pass may be dropped in mid-call.
    async fn delete(&mut self, permit: Permit, delete: &Delete) -> Outcome {
        let before = self.entry.departure.send();
        self.shell.memory.keep(&self.object.uid().unwrap_or_default(), self.entry.clone());
        let outcome = self.shell.users.delete(permit, delete).await;
        if outcome.is_refusal() && outcome != Outcome::NotFound {
            self.entry.departure.refused(before);
        }
        outcome
    }

    /// Writes the status where it changed, to the very version that was decided on.
    pub(super) async fn write(
        &mut self,
        action: &Action,
        outcome: &Outcome,
        verdict: &Verdict,
    ) -> Result<(), Interruption> {
        let status = report::status(&report::Pass {
            object: &self.object,
            goal: &self.goal,
            observed: &self.observed,
            action,
            outcome,
            verdict,
            former_request: self.former_request.as_ref(),
            now: clock::now(),
        });
        if let Some(status) = status {
            let written = self.shell.objects.apply_status(&self.object, &status).await?;
            self.replace(written);
        }
        Ok(())
    }
}

/// The call puts owner tags back that a user of ours lost.
fn restores_owner(tag: &plan::Tag) -> bool {
    tag.cause != Cause::Adoption && tag.tags.contains_key(plan::CLUSTER_TAG)
}
