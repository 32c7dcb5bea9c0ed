//! Pure: when the finalizer has to be on the object. Without it `kubectl delete` lets the object go, and leaves our user behind.

use crate::location::wrong_location;
use crate::ownership::{OwnerKnowledge, ownership, still_ours};
use crate::{Action, Fetch, Observed, Owner, Ownership, Refusal, Subject, UserObservation};

/// The finalizer goes on before the first mutation. It also goes on before the pass waits, refuses or rests, if DescribeUsers
/// has shown a user that is ours or whose owner is not known: nothing that is wrong with the object may hide that user.
pub(crate) fn add_first(owner: &Owner, observed: &Observed, action: Action) -> Action {
    let needed = match &action {
        // These looks find out whose the user is. A user that is another's never holds the object.
        Action::Fetch(Fetch::User(_) | Fetch::Tags(_) | Fetch::Account | Fetch::Caller | Fetch::Owner(_)) => {
            false
        }
        // These looks are the last step before a mutation.
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
    if needed && !observed.record.has_finalizer { Action::AddFinalizer } else { action }
}

/// The spec cannot be made real. AWS is looked at only to learn whether the finalizer is needed; if AWS cannot be asked, the
/// refusal is told all the same.
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

/// DescribeUsers has shown a user that is ours, or whose owner could not be found out.
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
