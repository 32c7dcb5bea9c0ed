//! Pure: the object only observes (`managementPolicy: Observe`). AWS is read and told about, and never changed.

use crate::leave::let_go;
use crate::place::{Absence, absence, elsewhere};
use crate::stay::lacking;
use crate::*;

/// How the user differs from what the object describes.
pub(crate) fn compare(desired: &Desired, observed: &Observed) -> Action {
    if observed.record.has_finalizer {
        // It managed the user before: from now on nothing may hold the object.
        return let_go(&desired.user_id, false, observed, Release::Observes { deletion_accepted: false });
    }
    match &observed.user {
        Sight::Unseen => Action::Look(Look::User(desired.user_id.clone())),
        Sight::Failed(fault) => Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone())),
        Sight::Absent => match absence(observed) {
            Absence::Here => Action::Compare(Comparison::Missing),
            Absence::Elsewhere(elsewhere) => Action::Refuse(Refusal::Elsewhere(elsewhere)),
            Absence::Ask(action) => action,
        },
        Sight::Seen(user) => match elsewhere(&observed.record, user) {
            Some(elsewhere) => Action::Refuse(Refusal::Elsewhere(elsewhere)),
            None => hold_against(desired, user, observed),
        },
    }
}

fn hold_against(desired: &Desired, user: &RemoteUser, observed: &Observed) -> Action {
    if user.lifecycle != Lifecycle::Active {
        return Action::Wait(Wait::UserNotActive(user.lifecycle.clone()));
    }
    if let Authentication::Password(Err(problem)) = &desired.authentication {
        return lacking(problem);
    }
    let tags = match &observed.tags {
        _ if desired.tags.is_empty() => None,
        TagSight::Unread => return Action::Look(Look::Tags(user.arn.clone())),
        TagSight::Unreadable => return Action::Wait(Wait::OwnerUnknown(user.lifecycle.clone())),
        TagSight::Failed(fault) => {
            return Action::Wait(Wait::Failed(Read::ListTagsForResource, fault.clone()));
        }
        TagSight::Read(tags) => Some(tags),
    };
    let differences = changes::differences(desired, user, tags);
    Action::Compare(match differences.is_empty() {
        true => Comparison::Matches,
        false => Comparison::Differs(differences),
    })
}
