//! Pure: what status may say of the user after a pass. An ARN in status is a claim, and later passes decide by it.

use crate::ownership::{as_reported, is_recorded};
use crate::*;

/// What becomes of the user in status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shown {
    /// It is shown as DescribeUsers shows it.
    Seen,
    /// It is shown, and nothing that status remembers of an earlier one is about it: the object only observes, or the earlier
    /// one was seen gone.
    Strange,
    /// AWS has no such user, or another one.
    Nothing,
    /// Status stays as it was: nobody looked, or what was seen may be somebody else's.
    AsBefore,
}

/// What the looks of this pass entitle status to say; a mutation's own answer is not part of this.
///
/// A user is shown only where this pass read its tags as ours, or where it is in all that can be told the one that status
/// has already: memory alone may speak of a former user of the same ID, and a stranger's that once stood in status would
/// later be taken for ours that lost its tags.
#[must_use]
pub fn shown(goal: &Goal, observed: &Observed, action: &Action) -> Shown {
    if matches!(goal, Goal::Unattainable { .. }) {
        // AWS was looked at only for the finalizer.
        return Shown::AsBefore;
    }
    match &observed.user {
        Sight::Seen(user) => {
            let lost = observed.record.seen_gone;
            if read_as_ours(goal, observed) || is_the_managed_one(&observed.record, user) {
                if lost { Shown::Strange } else { Shown::Seen }
            } else if is_in_doubt(action) {
                Shown::AsBefore
            } else if matches!(goal, Goal::Compared(_)) {
                Shown::Strange
            } else if lost {
                Shown::Nothing
            } else {
                Shown::AsBefore
            }
        }
        Sight::Absent if is_in_doubt(action) => Shown::AsBefore,
        Sight::Absent => Shown::Nothing,
        Sight::Unseen | Sight::Failed(_) => Shown::AsBefore,
    }
}

/// This pass read the user's tags, and they name this object.
#[must_use]
pub fn read_as_ours(goal: &Goal, observed: &Observed) -> bool {
    match (goal.owner(), &observed.tags) {
        (Some(owner), TagSight::Read(tags)) => owner.judge(tags) == Ownership::Ours,
        _ => false,
    }
}

/// One that is there again after `deleting` was seen is another one, however much it resembles it. Shown, it would pass for
/// ours in the next pass, as status would not speak of the deletion any more.
fn is_the_managed_one(record: &Record, user: &RemoteUser) -> bool {
    let another = record.deletion.is_accepted() && user.lifecycle != Lifecycle::Deleting;
    is_recorded(record, user) && as_reported(record, user) && !another
}

/// AWS was asked where the user that status knows may not be, or while that is not known: the ARN has to stay.
fn is_in_doubt(action: &Action) -> bool {
    matches!(
        action,
        Action::Wait(Wait::Elsewhere(_) | Wait::Failed(Read::DescribeUsers, _))
            | Action::Refuse(Refusal::Elsewhere(_))
    )
}
