//! Pure: when the finalizer has to be on the object. Without it `kubectl delete` lets the object go, and leaves our user behind.

use crate::ownership::{Known, ownership, still_ours};
use crate::place::elsewhere;
use crate::*;

/// The finalizer goes on before the first mutation. It also goes on before the pass waits, refuses or rests, if DescribeUsers
/// has shown a user that is ours or whose owner is not known: nothing that is wrong with the object may hide that user.
pub(crate) fn add_first(owner: &Owner, observed: &Observed, action: Action) -> Action {
    let needed = match &action {
        // These looks find out whose the user is. A user that is another's never holds the object.
        Action::Look(Look::User(_) | Look::Tags(_) | Look::Account | Look::Caller | Look::Other(_)) => false,
        // These looks are the last step before a mutation.
        Action::Look(Look::Object | Look::ObjectAndDefinition | Look::Definition)
        | Action::Announce(_)
        | Action::Create(_)
        | Action::Modify(_)
        | Action::Tag(_)
        | Action::Untag(_)
        | Action::Delete(_) => true,
        Action::Wait(_) | Action::Refuse(_) | Action::Rest => may_be_ours(owner, observed),
        Action::AddFinalizer | Action::Release(_) | Action::Pause { .. } | Action::Compare(_) => false,
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
        Sight::Unseen => Action::Look(Look::User(user_id.clone())),
        Sight::Absent | Sight::Failed(_) => refuse,
        Sight::Seen(user) => match ownership(owner, user, observed) {
            Known::Ask(look @ Action::Look(_)) if elsewhere(&observed.record, user).is_none() => look,
            Known::Ask(_) | Known::As(_) => add_first(owner, observed, refuse),
        },
    }
}

/// DescribeUsers has shown a user that is ours, or whose owner could not be found out.
fn may_be_ours(owner: &Owner, observed: &Observed) -> bool {
    let Sight::Seen(user) = &observed.user else {
        return false;
    };
    match ownership(owner, user, observed) {
        Known::As(Ownership::Ours) | Known::Ask(_) => true,
        Known::As(Ownership::Nobodys) => still_ours(&observed.record, user),
        Known::As(Ownership::Anothers(_)) => false,
    }
}
