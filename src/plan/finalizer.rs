//! When the object needs the finalizer. Without it, `kubectl delete` removes the object and leaves our user behind.

use crate::location::wrong_location;
use crate::ownership::{OwnerKnowledge, ownership, still_ours};
use crate::{
    Action, Creation, Fetch, Observed, Owner, Ownership, Refusal, ReleaseReason, Subject, TagsObservation,
    UserObservation,
};

/// Add the finalizer before the first mutation. Add it also before the pass waits, refuses or ends, if DescribeUsers showed
/// a user that is ours or whose owner is not known. Otherwise an invalid object could be deleted and leave that user
/// behind.
pub(crate) fn add_first(owner: &Owner, observed: &Observed, action: Action) -> Action {
    let needed = match &action {
        // These reads show who owns the user. A user of another object must not block the deletion of this object.
        Action::Fetch(
            Fetch::User(_)
            | Fetch::Tags(_)
            | Fetch::Account
            | Fetch::Caller
            | Fetch::Owner(_)
            | Fetch::Groups
            | Fetch::Namesake
            | Fetch::Passwords,
        ) => false,
        // These reads are the last step before a mutation.
        Action::Fetch(Fetch::Object | Fetch::ObjectAndDefinition | Fetch::Definition)
        | Action::WriteIntent(_)
        | Action::Create(_)
        | Action::Modify(_)
        | Action::Tag(_)
        | Action::Untag(_)
        | Action::Delete(_) => true,
        Action::Wait(_) | Action::Refuse(_) | Action::InSync => may_be_ours(owner, observed),
        Action::AddFinalizer
        | Action::ReleaseFinalizer(_)
        | Action::Suspended { .. }
        | Action::ObserveOnly(_) => false,
    };
    if !observed.record.has_finalizer {
        return if needed { Action::AddFinalizer } else { action };
    }
    let ends = matches!(action, Action::Wait(_) | Action::Refuse(_));
    let release = if ends { not_ours(owner, observed) } else { None };
    release.map_or(action, Action::ReleaseFinalizer)
}

/// The finalizer was added before a CreateUser that AWS refused, and the user turned out to be another's. `None` if a user of ours
/// may exist.
fn not_ours(owner: &Owner, observed: &Observed) -> Option<ReleaseReason> {
    let Observed { record, user: UserObservation::Found(user), tags: TagsObservation::Read(_), .. } =
        observed
    else {
        return None;
    };
    if record.arn.is_some() || record.manages() || record.creation == Creation::Open {
        return None;
    }
    match ownership(owner, user, observed) {
        OwnerKnowledge::Known(Ownership::Another(owner)) => Some(ReleaseReason::LeftToOwner(owner)),
        OwnerKnowledge::Known(Ownership::Unowned) => Some(ReleaseReason::LeftUnowned),
        OwnerKnowledge::Known(Ownership::Ours) | OwnerKnowledge::Pending(_) => None,
    }
}

/// The spec is invalid. Read AWS only to learn whether the object needs the finalizer. If AWS does not answer, report the
/// refusal anyway.
pub(crate) fn refuse(refusal: &Refusal, subject: Option<&Subject>, observed: &Observed) -> Action {
    let refuse = Action::Refuse(refusal.clone());
    let Some(Subject { user_id, owner }) = subject.filter(|_| !observed.record.has_finalizer) else {
        return refuse;
    };
    match &observed.user {
        UserObservation::NotRead => Action::Fetch(Fetch::User(user_id.clone())),
        UserObservation::Absent | UserObservation::Failed(_) => refuse,
        UserObservation::Found(user) => match ownership(owner, user, observed) {
            OwnerKnowledge::Pending(fetch @ Action::Fetch(_))
                if wrong_location(&observed.record, user).is_none() =>
            {
                fetch
            }
            OwnerKnowledge::Pending(_) | OwnerKnowledge::Known(_) => add_first(owner, observed, refuse),
        },
    }
}

/// DescribeUsers showed a user that is ours, or whose owner could not be read.
fn may_be_ours(owner: &Owner, observed: &Observed) -> bool {
    let UserObservation::Found(user) = &observed.user else {
        return false;
    };
    match ownership(owner, user, observed) {
        OwnerKnowledge::Known(Ownership::Ours) | OwnerKnowledge::Pending(_) => true,
        OwnerKnowledge::Known(Ownership::Unowned) => still_ours(&observed.record, user),
        OwnerKnowledge::Known(Ownership::Another(_)) => false,
    }
}
