//! Pure: the object is on its way out.

use crate::ownership::{Known, owner_just_read, ownership, put_tags_back, still_ours};
use crate::place::{Absence, absence, elsewhere};
use crate::*;

/// The object is on its way out: the first match holds.
pub(crate) fn leave(departure: &Departure, observed: &Observed) -> Action {
    if departure.protected {
        return Action::Wait(Wait::Protected);
    }
    let Some(user_id) = &departure.user_id else {
        return Action::Release(Release::NoSuchUser);
    };
    let deletion_accepted = observed.record.deletion.is_accepted();
    let let_go = |why| let_go(user_id, departure.suspended, observed, why);
    if departure.observes {
        return let_go(Release::Observes { deletion_accepted });
    }
    if departure.policy == DeletionPolicy::Retain {
        return let_go(Release::Retained { deletion_accepted });
    }
    match observed.definition {
        Definition::Unread => return Action::Look(Look::Definition),
        Definition::Going => return let_go(Release::DefinitionGoing { deletion_accepted }),
        Definition::Stays | Definition::Unreadable => {}
    }
    if departure.suspended {
        return Action::Wait(Wait::Suspended);
    }
    match &observed.user {
        Sight::Unseen => Action::Look(Look::User(user_id.clone())),
        Sight::Failed(fault) => Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone())),
        Sight::Absent => match absence(observed) {
            Absence::Here => let_go(Release::UserGone),
            Absence::Elsewhere(elsewhere) => Action::Wait(Wait::Elsewhere(elsewhere)),
            Absence::Ask(action) => action,
        },
        Sight::Seen(user) => match elsewhere(&observed.record, user) {
            Some(elsewhere) => Action::Wait(Wait::Elsewhere(elsewhere)),
            None => part(departure, user_id, user, observed),
        },
    }
}

/// The finalizer goes without a mutation, though not while a user of ours may appear that nobody would ever delete.
///
/// Where the user is to stay, a CreateUser whose answer is in status has nothing left to show.
pub(crate) fn let_go(user_id: &UserId, suspended: bool, observed: &Observed, why: Release) -> Action {
    let answered = why != Release::UserGone && observed.record.arn.is_some();
    match (observed.record.creation, &observed.user) {
        (Creation::Open, _) if answered => Action::Release(why),
        (Creation::Closed, _) | (Creation::Open, Sight::Seen(_)) => Action::Release(why),
        (Creation::Open, Sight::Unseen) if suspended => Action::Wait(Wait::CreationOpen),
        (Creation::Open, Sight::Unseen) => Action::Look(Look::User(user_id.clone())),
        (Creation::Open, Sight::Absent | Sight::Failed(_)) => Action::Wait(Wait::CreationOpen),
    }
}

/// A user of this ID is there, in the right place, and should go if it is ours.
fn part(departure: &Departure, user_id: &UserId, user: &RemoteUser, observed: &Observed) -> Action {
    match (ownership(&departure.owner, user, observed), &user.lifecycle) {
        (Known::Ask(action), _) => action,
        (Known::As(Ownership::Anothers(owner)), _) => Action::Release(Release::LeftToOwner(owner)),
        (Known::As(Ownership::Ours), Lifecycle::Deleting) => Action::Wait(Wait::UserDeleting),
        (
            Known::As(Ownership::Ours),
            busy @ (Lifecycle::Creating | Lifecycle::Modifying | Lifecycle::Unrecognized(_)),
        ) => Action::Wait(Wait::UserNotActive(busy.clone())),
        // It was nobody's, which only its tags can confirm, and nothing of it is shown as ours meanwhile.
        (
            Known::As(Ownership::Nobodys),
            busy @ (Lifecycle::Creating
            | Lifecycle::Modifying
            | Lifecycle::Deleting
            | Lifecycle::Unrecognized(_)),
        ) => Action::Wait(Wait::OwnerUnknown(busy.clone())),
        (Known::As(Ownership::Ours), Lifecycle::Active) => {
            owner_just_read(user, observed).unwrap_or_else(|| delete(user_id, observed))
        }
        (Known::As(Ownership::Nobodys), Lifecycle::Active) if still_ours(&observed.record, user) => {
            // Whoever reads status now takes the user for nobody's, and may let the object go meanwhile.
            match observed.record.deletion.last_applied() {
                Some(last_applied) => {
                    Action::Announce(Announcement::Claim { last_applied: last_applied.clone() })
                }
                None => put_tags_back(&departure.owner, &departure.uid, user, observed),
            }
        }
        (Known::As(Ownership::Nobodys), Lifecycle::Active) => Action::Release(Release::LeftUnowned),
    }
}

/// The user is `active`, and AWS has just said that it is ours.
fn delete(user_id: &UserId, observed: &Observed) -> Action {
    if observed.definition == Definition::Unreadable {
        return Action::Wait(Wait::DefinitionUnreadable);
    }
    // `lastApplied` has to be out of status, as a lost answer, or a kill, may hide that AWS accepted; and a process that does
    // not know by itself that AWS refused every DeleteUser since then leaves a trace before its own.
    let record = &observed.record;
    if !record.deletion.is_ours() || record.manages() {
        return Action::Announce(Announcement::Departure);
    }
    if !observed.confirmed {
        return Action::Look(Look::ObjectAndDefinition);
    }
    Action::Delete(Delete { user_id: user_id.clone() })
}
