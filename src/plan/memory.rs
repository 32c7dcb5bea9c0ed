//! What a process remembers of an object between passes. A restart loses it, which costs some calls but never correctness.

mod pacing;

pub use pacing::Pacing;
pub(crate) use pacing::{PlannedPass, ReasonEvent, Reminder, Repeat};

use std::collections::BTreeSet;
use std::time::Duration;

use crate::pace::Pace;
use crate::{
    Arn, Creation, DeletionProgress, LastApplied, Lifecycle, Moment, Now, ObjectFacts, Ownership, Passwords,
    Readiness, Record, RemoteUser, Status, Timestamp, UserGroupId,
};

/// A pass takes the memory and returns it.
///
/// Every object has one, so what few objects need is in a box.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    pub owner: Option<Box<(Arn, Ownership)>>,
    /// The `createRequestedAt` that is settled, because AWS has shown or deleted its user since.
    pub creation_settled: Option<Timestamp>,
    /// It is settled because AWS refused it.
    pub creation_refused: bool,
    /// A `createRequestedAt` that lies in the future (clocks differ), paired with the moment at which this process first saw it.
    creation_first_seen: Option<(Timestamp, Moment)>,
    /// The generation for which this process wrote a create request.
    pub create_requested: Option<i64>,
    /// AWS throttled the last CreateUser of this process.
    pub create_throttled: bool,
    /// The passwords that AWS has: the last ones that it accepted from this process, or those that status shows as sent.
    pub sent_passwords: Option<Passwords>,
    /// When AWS last accepted passwords of this process, in whole seconds. Status may lose it: a write may fail, and a late answer may
    /// not show the user.
    pub(crate) passwords_accepted_at: Option<Timestamp>,
    /// The passwords that a pass read last, if AWS does not have them: AWS refused them, or could not take them yet. In a box,
    /// because nearly all objects have none.
    pub(crate) unsent_passwords: Option<Box<Passwords>>,
    /// The last pass read the passwords, and AWS has them.
    pub(crate) secrets_compared: bool,
    /// AWS accepted a ModifyUser of this process, but has not shown that it is applied.
    pub modify_sent: bool,
    pub ready_generation: Option<i64>,
    tags_checked: Option<TagsChecked>,
    /// What was applied to the user before this process wrote its delete request, if AWS refused every DeleteUser since.
    pub before_deletion: Option<Box<LastApplied>>,
    /// This process saw UserNotFound. Until status shows that, its `lastApplied` describes a former user.
    pub seen_gone: bool,
    waits_for_secret: Option<SecretWait>,
    /// Groups that somebody else took the user out of.
    pub lost_groups: BTreeSet<UserGroupId>,
    /// For the pass that the listing has woken.
    pub(crate) listed: Option<Box<ListedUser>>,
    pub version: Option<u64>,
    /// An event of this process said that the annotation `reconcile-requested-at` is too long.
    pub told_overlong_request: bool,
    /// What an event of this process said about the administrator's rules that the object breaks.
    pub told_rules: String,
    pub pacing: Pacing,
}

/// A row of a listing that shows the user `active`, after AWS accepted a ModifyUser of this process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ListedUser {
    pub(crate) user: RemoteUser,
    /// When the row was compared with the object.
    pub(crate) at: Moment,
}

/// The version of the object that waits for a Secret. An edit, or somebody who removed the finalizer, makes AWS be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SecretWait {
    generation: Option<i64>,
    has_finalizer: bool,
}

/// When the tags last matched the spec.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TagsChecked {
    /// `None` if this process has not compared the tags.
    generation: Option<i64>,
    due: Moment,
}

impl SecretWait {
    fn of(object: &ObjectFacts) -> Self {
        Self { generation: object.generation, has_finalizer: object.has_finalizer }
    }
}

impl Memory {
    pub(crate) fn record(&mut self, object: &ObjectFacts, identity: &str, pace: &Pace, now: Now) -> Record {
        let status = &object.status;
        if status.delete_requested_by.as_deref() != Some(identity) {
            self.before_deletion = None;
        }
        self.seen_gone &= status.manages();
        let readiness = Readiness::of(status, object.generation, self.ready_generation);
        if readiness.is_ready() {
            self.ready_generation = object.generation;
        }
        let creation = self.creation(status.create_requested_at, pace, now);
        let tags_may_lag = self.tags_may_lag(status.create_requested_at, pace, now);
        Record {
            arn: status.arn.clone(),
            location: status.location(),
            last_applied: self.last_applied(status, creation),
            reported: status.reported(),
            creation,
            tags_may_lag,
            deletion: DeletionProgress::of(status, identity, self.before_deletion.as_deref()),
            seen_gone: self.seen_gone,
            modify_sent: self.modify_sent,
            readiness,
            has_finalizer: object.has_finalizer,
            create_needs_no_look: self.create_needs_no_look(object),
            waits_for_secret: self.waits_for_secret == Some(SecretWait::of(object)) && !object.is_requested(),
            managed_groups: if self.seen_gone { Vec::new() } else { status.managed_user_group_ids.clone() },
            member_of: status.user_group_ids.clone(),
            is_new: object.created_at.is_some_and(|at| pace.is_new(now.utc.since(at).unwrap_or_default())),
        }
    }

    /// What was applied to the user. Nothing of a user that was seen gone; but if a CreateUser may still take effect, its tag keys
    /// have to stay known.
    fn last_applied(&self, status: &Status, creation: Creation) -> Option<LastApplied> {
        let last = status.last_applied.clone()?;
        match (self.seen_gone, creation) {
            (false, _) => Some(last),
            (true, Creation::Open) => Some(LastApplied { tag_keys: last.tag_keys, ..LastApplied::default() }),
            (true, Creation::Closed) => None,
        }
    }

    fn creation(&mut self, requested: Option<Timestamp>, pace: &Pace, now: Now) -> Creation {
        match requested {
            Some(requested) if self.creation_settled != Some(requested) => {
                pace.creation(self.age(requested, now))
            }
            Some(_) | None => Creation::Closed,
        }
    }

    /// Unlike [`Creation`], it does not end when AWS shows the user. Status may have lost the time of the request since.
    fn tags_may_lag(&mut self, requested: Option<Timestamp>, pace: &Pace, now: Now) -> bool {
        let Some(requested) = requested.or(self.creation_settled) else { return false };
        let is_refused = self.creation_refused && self.creation_settled == Some(requested);
        !is_refused && pace.creation(self.age(requested, now)) == Creation::Open
    }

    /// The age of a create request. A time in the future counts from when this process first saw it.
    fn age(&mut self, requested: Timestamp, now: Now) -> Duration {
        if let Some(age) = now.utc.since(requested) {
            return age;
        }
        let first_seen = match self.creation_first_seen {
            Some((time, at)) if time == requested => at,
            Some(_) | None => now.moment,
        };
        self.creation_first_seen = Some((requested, first_seen));
        now.moment.since(first_seen)
    }

    /// A pass over this generation looks at the user first, unless the only thing that happened since is a wait for a Secret or a
    /// CreateUser that AWS throttled.
    fn create_needs_no_look(&self, object: &ObjectFacts) -> bool {
        let status = &object.status;
        let knows_user = status.location().is_some()
            || status.create_requested_at.is_some()
            || status.manages()
            || self.owner.is_some();
        let is_new = status.observed_generation.is_none_or(|generation| generation < 0);
        let waited = self.waits_for_secret == Some(SecretWait::of(object));
        !knows_user && (is_new || waited || self.create_throttled)
    }

    pub(crate) fn wait_for_secret(&mut self, object: &ObjectFacts, waits: bool) {
        self.waits_for_secret = waits.then(|| SecretWait::of(object));
    }

    /// Tags are due for a new generation, and every [`Pace::tag_resync`]. After a start, `roll` spreads the first
    /// comparisons, so that a process does not read the tags of all users at once.
    pub(crate) fn tags_due(
        &mut self,
        generation: Option<i64>,
        is_ready: bool,
        pace: &Pace,
        now: Moment,
        roll: f64,
    ) -> bool {
        let checked = self.tags_checked.get_or_insert_with(|| TagsChecked {
            generation: None,
            due: now + pace.tag_resync.mul_f64(roll),
        });
        now >= checked.due || (!is_ready && checked.generation != generation)
    }

    /// The tags match this generation.
    pub(crate) fn tags_match(&mut self, generation: Option<i64>, pace: &Pace, now: Moment, roll: f64) {
        let due = now + pace.tag_resync.mul_f64(0.9 + 0.2 * roll);
        self.tags_checked = Some(TagsChecked { generation, due });
    }

    /// The tags differ from the spec, or differed when they were last read.
    pub(crate) fn tags_differ(&mut self, now: Moment) {
        self.tags_checked = Some(TagsChecked { generation: None, due: now });
    }

    /// The row may show that AWS has applied the ModifyUser of this process.
    pub(crate) fn keep_row(&mut self, row: Option<&RemoteUser>, now: Moment) {
        let applied = row.filter(|user| self.modify_sent && user.lifecycle == Lifecycle::Active);
        self.listed = applied.map(|user| Box::new(ListedUser { user: user.clone(), at: now }));
    }

    /// The user is gone or `deleting`. A later user of this ID is another one.
    pub(crate) fn forget_user(&mut self, lifecycle: Option<&Lifecycle>) {
        self.owner = None;
        self.before_deletion = None;
        self.modify_sent = false;
        if lifecycle.is_none() {
            self.seen_gone = true;
            self.sent_passwords = None;
            self.passwords_accepted_at = None;
        }
    }
}

#[cfg(test)]
mod tests;
