//! Pure: the user should be there.

use crate::changes::AuthenticationChange;
use crate::ownership::{Known, owner_just_read, ownership, put_tags_back, still_ours};
use crate::place::{Absence, absence, elsewhere};
use crate::*;

/// The user should be there.
pub(crate) fn stay(desired: &Desired, observed: &Observed) -> Action {
    match &observed.user {
        Sight::Unseen => Action::Look(Look::User(desired.user_id.clone())),
        Sight::Failed(fault) => Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone())),
        Sight::Absent => match absence(observed) {
            Absence::Here => create(desired, observed),
            Absence::Elsewhere(elsewhere) => Action::Refuse(Refusal::Elsewhere(elsewhere)),
            Absence::Ask(action) => action,
        },
        Sight::Seen(user) => match elsewhere(&observed.record, user) {
            Some(elsewhere) => Action::Refuse(Refusal::Elsewhere(elsewhere)),
            None => keep(desired, user, observed),
        },
    }
}

fn create(desired: &Desired, observed: &Observed) -> Action {
    let authentication = match authentication_to_send(&desired.authentication) {
        Ok(authentication) => authentication,
        Err(action) => return action,
    };
    if !observed.announced {
        let tag_keys = desired.tags.keys().cloned().collect();
        return Action::Announce(Announcement::Creation { tag_keys });
    }
    let mut tags = desired.tags.clone();
    tags.extend(desired.owner.tags(&desired.uid));
    Action::Create(Create {
        user_id: desired.user_id.clone(),
        user_name: desired.user_name.clone(),
        engine: desired.engine,
        access_string: desired.access_string.clone(),
        authentication,
        tags,
    })
}

/// A user of this ID is there, in the right place.
fn keep(desired: &Desired, user: &RemoteUser, observed: &Observed) -> Action {
    if user.lifecycle == Lifecycle::Deleting {
        return Action::Wait(Wait::PreviousUser);
    }
    match ownership(&desired.owner, user, observed) {
        Known::Ask(action) => action,
        Known::As(Ownership::Ours) => match &user.lifecycle {
            _ if user.user_name != desired.user_name => Action::Refuse(Refusal::InvalidSpec(format!(
                "AWS user \"{}\" has the user name \"{}\", not \"{}\", and a user name cannot change",
                user.user_id, user.user_name, desired.user_name
            ))),
            Lifecycle::Active => change(desired, user, observed),
            Lifecycle::Creating => Action::Wait(Wait::Creating),
            Lifecycle::Modifying if observed.record.modifying => Action::Wait(Wait::Modifying),
            busy @ (Lifecycle::Modifying | Lifecycle::Deleting | Lifecycle::Unrecognized(_)) => {
                Action::Wait(Wait::UserNotActive(busy.clone()))
            }
        },
        Known::As(Ownership::Anothers(owner)) => Action::Refuse(Refusal::UserOwnedByAnother(owner)),
        Known::As(Ownership::Nobodys) if still_ours(&observed.record, user) => {
            put_tags_back(&desired.owner, &desired.uid, user, observed)
        }
        Known::As(Ownership::Nobodys) => Action::Refuse(Refusal::UserAlreadyExists),
    }
}

/// The user is ours and `active`.
fn change(desired: &Desired, user: &RemoteUser, observed: &Observed) -> Action {
    let differences = changes(desired, user, &observed.record);
    let secret = match &desired.authentication {
        Authentication::Password(Err(problem)) => Some(problem),
        Authentication::Password(Ok(_)) | Authentication::Iam | Authentication::NoPassword => None,
    };
    match (differences, secret) {
        (Err(problem), _) => lacking(&problem),
        (Ok(None), Some(problem)) => lacking(problem),
        (Ok(None), None) => Action::Rest,
        (Ok(Some(changes)), _) => owner_just_read(user, observed)
            .unwrap_or_else(|| Action::Modify(Modify { user_id: desired.user_id.clone(), changes })),
    }
}

fn authentication_to_send(authentication: &Authentication) -> Result<AuthenticationChange, Action> {
    AuthenticationChange::to(authentication).map_err(|problem| lacking(&problem))
}

/// A Secret that is missing may come; a value that cannot be a password needs a person.
fn lacking(problem: &SecretProblem) -> Action {
    match problem {
        SecretProblem::NotFound { .. }
        | SecretProblem::KeyNotFound { .. }
        | SecretProblem::Forbidden { .. }
        | SecretProblem::Unreadable { .. } => Action::Wait(Wait::Secret(problem.clone())),
        SecretProblem::Invalid { .. } => Action::Refuse(Refusal::InvalidPassword(problem.clone())),
    }
}
