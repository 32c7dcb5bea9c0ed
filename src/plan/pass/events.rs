//! The texts of events.

use super::EventContent;
use crate::memory::ReasonEvent;
use crate::text::shortened;
use crate::verdict::{Completed, Verdict};
use crate::{Action, AuthenticationChange, AuthenticationType, Changes, Passwords, Tags};

/// In bytes. An access string may be longer than a note.
const LONGEST_VALUE: usize = 300;

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
        Completed::Created => format!("AWS accepted CreateUser of \"{id}\"."),
        Completed::Modified => modification(action, verdict, id),
        Completed::DeletionStarted => format!("AWS accepted DeleteUser of \"{id}\"."),
        Completed::AddedToUserGroup
        | Completed::RemovedFromUserGroup
        | Completed::Adopted
        | Completed::Deleted
        | Completed::Retained
        | Completed::LeftAlone(_) => verdict.message.clone(),
    }
}

fn modification(action: &Action, verdict: &Verdict, id: &str) -> String {
    match action {
        Action::Modify(modify) => {
            format!("AWS accepted ModifyUser of \"{id}\" and applies it now: {}.", changed(&modify.changes))
        }
        Action::Tag(tag) => format!("AWS accepted these tags of user \"{id}\": {}.", tag_keys(&tag.tags)),
        Action::Untag(untag) => {
            format!("AWS removed these tags of user \"{id}\": {}.", untag.keys.join(", "))
        }
        Action::Fetch(_)
        | Action::AddFinalizer
        | Action::WriteIntent(_)
        | Action::Create(_)
        | Action::Delete(_)
        | Action::ReleaseFinalizer(_)
        | Action::Wait(_)
        | Action::Refuse(_)
        | Action::InSync
        | Action::Suspended { .. }
        | Action::ObserveOnly(_) => verdict.message.clone(),
    }
}

fn tag_keys(tags: &Tags) -> String {
    tags.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// What the user has from now on. No password is among it.
fn changed(Changes { access_string, engine, authentication }: &Changes) -> String {
    let access_string =
        access_string.as_ref().map(|text| format!("access string \"{}\"", shortened(text, LONGEST_VALUE)));
    let engine = engine.map(|engine| format!("engine {}", engine.as_str()));
    let authentication = authentication.as_ref().map(authenticates);
    [access_string, engine, authentication].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn authenticates(change: &AuthenticationChange) -> String {
    let type_ = AuthenticationType::input(change.kind());
    let count = |passwords: &Passwords| match passwords.values().len() {
        1 => "1 password".to_owned(),
        count => format!("{count} passwords"),
    };
    match change {
        AuthenticationChange::Password(passwords) | AuthenticationChange::FirstPassword(passwords) => {
            format!("authentication type {type_} with {}", count(passwords))
        }
        AuthenticationChange::RandomPassword => {
            format!("authentication type {type_} with a random password that nobody learns")
        }
        AuthenticationChange::Iam | AuthenticationChange::NoPassword => {
            format!("authentication type {type_}")
        }
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
