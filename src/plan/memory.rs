//! Pure: what one process remembers of an object between passes. All of it may be lost at any time: a restart costs some
//! calls, never correctness.

mod pacing;

pub use pacing::Pacing;

use std::time::Duration;

use crate::pace::Pace;
use crate::{
    Arn, Creation, DeletionProgress, LastApplied, Lifecycle, Moment, Now, ObjectFacts, Ownership, Passwords,
    Readiness, Record, Status, Timestamp,
};

/// What a process remembers of one object. A pass takes it and hands it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// The owner of the user when its tags were last read.
    pub owner: Option<(Arn, Ownership)>,
    /// The `createRequestedAt` that is settled: AWS has shown its user, or let it go, since.
    pub creation_settled: Option<Timestamp>,
    /// A `createRequestedAt` that lay in the future, and when this process first saw it. Clocks differ.
    creation_first_seen: Option<(Timestamp, Moment)>,
    /// The generation for which this process announced a CreateUser.
    pub create_announced: Option<i64>,
    /// The passwords that this process last sent, and AWS accepted.
    pub sent_passwords: Option<Passwords>,
    /// This process sent a ModifyUser that AWS accepted and has not shown applied yet.
    pub modify_sent: bool,
    /// The generation that was Ready last.
    pub ready_generation: Option<i64>,
    tags_checked: Option<TagsChecked>,
    /// What was applied to the user before this process announced its DeleteUser, if AWS refused each DeleteUser since.
    pub before_deletion: Option<LastApplied>,
    /// UserNotFound was seen. What status says was applied was applied to a user that is gone, until status says so itself.
    pub seen_gone: bool,
    /// The newest resourceVersion that this process wrote.
    pub version: Option<u64>,
    /// Attempts and pauses.
    pub pacing: Pacing,
}

/// When the tags were last found, or made, as the spec has them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TagsChecked {
    /// Of which generation; `None`: not by this process.
    generation: Option<i64>,
    due: Moment,
}

impl Memory {
    /// What status and this process remember of the user.
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
        Record {
            arn: status.arn.clone(),
            location: status.location(),
            last_applied: self.last_applied(status, creation),
            reported: status.reported(),
            creation,
            deletion: DeletionProgress::of(status, identity, self.before_deletion.as_ref()),
            seen_gone: self.seen_gone,
            modify_sent: self.modify_sent,
            readiness,
            has_finalizer: object.has_finalizer,
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

    /// How long ago a CreateUser was requested. A time in the future counts from when it was first seen.
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

    /// Whether it is time to compare the tags: for a new generation, and else every [`Pace::tag_resync`]. Of objects that
    /// were Ready before this process began, it compares some early and some late, but never all at once.
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

    /// The tags are as this generation has them.
    pub(crate) fn tags_match(&mut self, generation: Option<i64>, pace: &Pace, now: Moment, roll: f64) {
        let due = now + pace.tag_resync.mul_f64(0.9 + 0.2 * roll);
        self.tags_checked = Some(TagsChecked { generation, due });
    }

    /// The tags are not as the spec has them, or were not when they were read last.
    pub(crate) fn tags_differ(&mut self, now: Moment) {
        self.tags_checked = Some(TagsChecked { generation: None, due: now });
    }

    /// The user of this ID is gone, or on its way out. Whatever comes after it is another user.
    pub(crate) fn forget_user(&mut self, lifecycle: Option<&Lifecycle>) {
        self.owner = None;
        self.before_deletion = None;
        self.modify_sent = false;
        if lifecycle.is_none() {
            self.seen_gone = true;
            self.sent_passwords = None;
        }
    }
}

#[cfg(test)]
mod tests;
