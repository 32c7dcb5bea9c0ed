//! What status may say about the user after a pass. Later passes treat an ARN in status as ours.

use crate::location::is_gone;
use crate::ownership::{as_reported, is_recorded};
use crate::{
    Action, Goal, Lifecycle, Observed, Ownership, Read, Record, Refusal, RemoteUser, TagsObservation,
    UserObservation, Wait, WriteIntent,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusUser {
    /// Write the user as DescribeUsers shows it.
    Show,
    /// Write the user, and remove `lastApplied` because it describes an earlier user or because the object only observes.
    ShowAsNew,
    /// Remove the user, because AWS has no such user or another one.
    Clear,
    /// Do not change the user in status, because the pass did not read the user or the user may belong to somebody else.
    Keep,
}

/// What status may say because of the reads of this pass. The answer to a mutation is not part of it.
///
/// Write the user to status only if this pass read our owner tags, or if every reported field still matches. Otherwise we
/// might record another object's user and later adopt it as ours.
#[must_use]
pub fn status_user(goal: &Goal, observed: &Observed, action: &Action) -> StatusUser {
    if matches!(goal, Goal::Invalid { .. }) {
        // AWS was read only to learn whether the object needs the finalizer.
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
            } else if lost && matches!(observed.tags, TagsObservation::Read(_)) {
                StatusUser::Clear
            } else {
                // Before its tags are read, it may be a user of ours that another process has created since.
                StatusUser::Keep
            }
        }
        UserObservation::Absent if is_gone(observed) || creates(action) => StatusUser::Clear,
        UserObservation::Absent | UserObservation::NotRead | UserObservation::Failed(_) => StatusUser::Keep,
    }
}

#[must_use]
pub fn read_as_ours(goal: &Goal, observed: &Observed) -> bool {
    matches!(&observed.tags, TagsObservation::Read(tags) if goal.evaluate(tags) == Some(Ownership::Ours))
}

/// A user that exists after AWS accepted its deletion is another user, even if every field matches. If it were written to
/// status, the next pass would take it for ours, because status would no longer mention the deletion.
fn is_the_managed_one(record: &Record, user: &RemoteUser) -> bool {
    let another = record.deletion.is_accepted() && user.lifecycle != Lifecycle::Deleting;
    is_recorded(record, user) && as_reported(record, user) && !another
}

/// What the operator creates is another user than the one in status.
fn creates(action: &Action) -> bool {
    matches!(action, Action::WriteIntent(WriteIntent::Create { .. }) | Action::Create(_))
}

/// The calls may have gone to another account or region than the user's, so status has to keep the ARN.
fn is_in_doubt(action: &Action) -> bool {
    matches!(
        action,
        Action::Wait(Wait::WrongLocation(_) | Wait::Failed(Read::DescribeUsers, _))
            | Action::Refuse(Refusal::WrongLocation(_))
    )
}
