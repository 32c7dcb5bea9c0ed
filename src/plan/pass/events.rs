//! The texts of events.

use super::EventContent;
use crate::Action;
use crate::memory::ReasonEvent;
use crate::verdict::{Completed, Verdict};

/// The event of the verdict's reason.
pub(super) fn reason_event(due: ReasonEvent, action: &Action, verdict: &Verdict) -> EventContent {
    EventContent {
        warning: due.is_warning,
        reason: due.reason.as_str(),
        action: step(action),
        note: verdict.message.clone(),
    }
}

/// The note of a Normal event: what was done.
pub(super) fn note(done: &Completed, action: &Action, verdict: &Verdict, id: &str) -> String {
    match done {
        _ if matches!(action, Action::ReleaseFinalizer(_)) => verdict.message.clone(),
        Completed::Corrected(differences) => {
            format!(
                "Somebody changed AWS user \"{id}\". The operator corrects it: {}.",
                differences.join("; ")
            )
        }
        Completed::Rotated => format!("AWS accepted the new passwords of user \"{id}\"."),
        Completed::Modified if !matches!(action, Action::Modify(_)) => verdict.message.clone(),
        Completed::Created => format!("AWS accepted CreateUser of \"{id}\"."),
        Completed::Modified => format!("AWS accepted ModifyUser of \"{id}\" and applies it now."),
        Completed::DeletionStarted => format!("AWS accepted DeleteUser of \"{id}\"."),
        Completed::AddedToUserGroup
        | Completed::RemovedFromUserGroup
        | Completed::Adopted
        | Completed::Deleted
        | Completed::Retained
        | Completed::LeftAlone(_) => verdict.message.clone(),
    }
}

/// For logs and for an event's `action`.
pub(super) fn step(action: &Action) -> &'static str {
    match action {
        Action::Fetch(_) => "Read",
        Action::AddFinalizer => "AddFinalizer",
        Action::WriteIntent(_) => "WriteIntent",
        Action::Create(_) => "CreateUser",
        Action::Modify(_) => "ModifyUser",
        Action::Tag(_) => "AddTagsToResource",
        Action::Untag(_) => "RemoveTagsFromResource",
        Action::Delete(_) => "DeleteUser",
        Action::ReleaseFinalizer(_) => "RemoveFinalizer",
        Action::Wait(_) => "Wait",
        Action::Refuse(_) => "Refuse",
        Action::InSync => "InSync",
        Action::Suspended { .. } => "Suspend",
        Action::ObserveOnly(_) => "Observe",
    }
}
