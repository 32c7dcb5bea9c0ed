//! Pure: what status may say of the user after a pass. An ARN in status is a claim, and later passes decide by it.

use crate::ownership::{as_reported, is_recorded};
use crate::{
    Action, Goal, Lifecycle, Observed, Ownership, Read, Record, Refusal, RemoteUser, TagsObservation,
    UserObservation, Wait,
};

/// What becomes of the user in status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusUser {
    /// It is shown as DescribeUsers shows it.
    Show,
    /// It is shown, and nothing that status remembers of an earlier one is about it: the object only observes, or the earlier
    /// one was seen gone.
    ShowAsNew,
    /// AWS has no such user, or another one.
    Clear,
    /// Status stays as it was: nobody looked, or what was seen may be somebody else's.
    Keep,
}

/// What the looks of this pass entitle status to say; a mutation's own answer is not part of this.
///
/// A user is shown only where this pass read its tags as ours, or where it is in all that can be told the one that status
/// has already: memory alone may speak of a former user of the same ID, and a stranger's that once stood in status would
/// later be taken for ours that lost its tags.
#[must_use]
pub fn status_user(goal: &Goal, observed: &Observed, action: &Action) -> StatusUser {
    if matches!(goal, Goal::Invalid { .. }) {
        // AWS was looked at only for the finalizer.
        return StatusUser::Keep;
    }
    match &observed.user {
        UserObservation::Found(user) => {
            let lost = observed.record.seen_gone;
            if read_as_ours(goal, observed) || is_the_managed_one(&observed.record, user) {
                if lost { StatusUser::ShowAsNew } else { StatusUser::Show }
            } else if is_in_doubt(action) {
                StatusUser::Keep
            } else if matches!(goal, Goal::ObserveOnly(_)) {
                StatusUser::ShowAsNew
            } else if lost {
                StatusUser::Clear
            } else {
                StatusUser::Keep
            }
        }
        UserObservation::Absent if is_in_doubt(action) => StatusUser::Keep,
        UserObservation::Absent => StatusUser::Clear,
        UserObservation::NotRead | UserObservation::Failed(_) => StatusUser::Keep,
    }
}

/// This pass read the user's tags, and they name this object.
#[must_use]
pub fn read_as_ours(goal: &Goal, observed: &Observed) -> bool {
    match (goal.owner(), &observed.tags) {
        (Some(owner), TagsObservation::Read(tags)) => owner.evaluate(tags) == Ownership::Ours,
        _ => false,
    }
}

/// One that is there again after `deleting` was seen is another one, however much it resembles it. StatusUser, it would pass for
/// ours in the next pass, as status would not speak of the deletion any more.
fn is_the_managed_one(record: &Record, user: &RemoteUser) -> bool {
    let another = record.deletion.is_accepted() && user.lifecycle != Lifecycle::Deleting;
    is_recorded(record, user) && as_reported(record, user) && !another
}

/// AWS was asked where the user that status knows may not be, or while that is not known: the ARN has to stay.
fn is_in_doubt(action: &Action) -> bool {
    matches!(
        action,
        Action::Wait(Wait::WrongLocation(_) | Wait::Failed(Read::DescribeUsers, _))
            | Action::Refuse(Refusal::WrongLocation(_))
    )
}
