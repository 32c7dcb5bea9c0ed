//! Deletes or retains the user of a terminating object, and then removes the finalizer.

use crate::location::{NotFoundMeaning, not_found_meaning, wrong_location};
use crate::ownership::{OwnerKnowledge, owner_tags_missing, ownership, restore_owner_tags, still_ours};
use crate::{
    Action, Creation, DEFAULT_USER, Definition, Delete, DeletionGoal, DeletionPolicy, Fetch,
    GroupsObservation, Lifecycle, Observed, Ownership, Read, ReleaseReason, RemoteUser, UserGroupId, UserId,
    UserObservation, Wait, WriteIntent,
};

/// The first rule that matches decides.
pub(crate) fn finalize(goal: &DeletionGoal, observed: &Observed) -> Action {
    if goal.protected {
        return Action::Wait(Wait::Protected);
    }
    let Some(user_id) = &goal.user_id else {
        return Action::ReleaseFinalizer(ReleaseReason::NoSuchUser);
    };
    let deletion_accepted = observed.record.deletion.is_accepted();
    let release = |why| release_finalizer(user_id, goal.suspended, observed, why);
    if goal.observes {
        return release(ReleaseReason::Observes { deletion_accepted });
    }
    if goal.policy == DeletionPolicy::Retain {
        return release(ReleaseReason::Retained { deletion_accepted });
    }
    match observed.definition {
        Definition::NotRead => return Action::Fetch(Fetch::Definition),
        Definition::BeingDeleted => return release(ReleaseReason::DefinitionDeleted { deletion_accepted }),
        Definition::Kept | Definition::Unreadable => {}
    }
    if goal.suspended {
        return Action::Wait(Wait::Suspended);
    }
    match &observed.user {
        UserObservation::NotRead => Action::Fetch(Fetch::User(user_id.clone())),
        UserObservation::Failed(fault) => Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone())),
        UserObservation::Absent => match not_found_meaning(observed) {
            NotFoundMeaning::Absent => release(ReleaseReason::UserGone),
            NotFoundMeaning::WrongLocation(elsewhere) => Action::Wait(Wait::WrongLocation(elsewhere)),
            NotFoundMeaning::Unknown(action) => action,
        },
        UserObservation::Found(user) => match wrong_location(&observed.record, user) {
            Some(elsewhere) => Action::Wait(Wait::WrongLocation(elsewhere)),
            None => delete_or_release(goal, user_id, user, observed),
        },
    }
}

/// Remove the finalizer, but not while a CreateUser of ours may still take effect, because nobody would delete its user. If the
/// user is retained and status has its ARN, that CreateUser has been answered.
pub(crate) fn release_finalizer(
    user_id: &UserId,
    suspended: bool,
    observed: &Observed,
    why: ReleaseReason,
) -> Action {
    let answered = why != ReleaseReason::UserGone && observed.record.arn.is_some();
    match (observed.record.creation, &observed.user) {
        (Creation::Open, _) if answered => Action::ReleaseFinalizer(why),
        (Creation::Closed, _) | (Creation::Open, UserObservation::Found(_)) => Action::ReleaseFinalizer(why),
        (Creation::Open, UserObservation::NotRead) if suspended => Action::Wait(Wait::CreationOpen),
        (Creation::Open, UserObservation::NotRead) => Action::Fetch(Fetch::User(user_id.clone())),
        (Creation::Open, UserObservation::Absent | UserObservation::Failed(_)) => {
            Action::Wait(Wait::CreationOpen)
        }
    }
}

/// The user exists in the right account and region. Delete it if it is ours.
fn delete_or_release(
    goal: &DeletionGoal,
    user_id: &UserId,
    user: &RemoteUser,
    observed: &Observed,
) -> Action {
    match (ownership(&goal.owner, user, observed), &user.lifecycle) {
        (OwnerKnowledge::Pending(action), _) => action,
        (OwnerKnowledge::Known(Ownership::Another(owner)), _) => {
            Action::ReleaseFinalizer(ReleaseReason::LeftToOwner(owner))
        }
        (OwnerKnowledge::Known(Ownership::Ours), Lifecycle::Deleting) => Action::Wait(Wait::UserDeleting),
        (
            OwnerKnowledge::Known(Ownership::Ours),
            busy @ (Lifecycle::Creating | Lifecycle::Modifying | Lifecycle::Unrecognized(_)),
        ) => Action::Wait(Wait::UserNotActive(busy.clone())),
        // Its last tags named no owner. Wait until its tags can be read again.
        (
            OwnerKnowledge::Known(Ownership::Unowned),
            busy @ (Lifecycle::Creating
            | Lifecycle::Modifying
            | Lifecycle::Deleting
            | Lifecycle::Unrecognized(_)),
        ) => Action::Wait(Wait::OwnerUnknown(busy.clone())),
        (OwnerKnowledge::Known(Ownership::Ours), Lifecycle::Active) => owner_tags_missing(user, observed)
            .or_else(|| leave_groups(user, observed))
            .unwrap_or_else(|| delete(user_id, observed)),
        (OwnerKnowledge::Known(Ownership::Unowned), Lifecycle::Active)
            if still_ours(&observed.record, user) =>
        {
            // The announcement of DeleteUser removed `lastApplied` from status. If this process ended now, the next one would take
            // the user for unowned and remove the finalizer. So `lastApplied` is written back before the tags are restored.
            match observed.record.deletion.last_applied() {
                Some(last_applied) => {
                    Action::WriteIntent(WriteIntent::Reclaim { last_applied: last_applied.clone() })
                }
                None => restore_owner_tags(&goal.owner, &goal.uid, user, observed),
            }
        }
        (OwnerKnowledge::Known(Ownership::Unowned), Lifecycle::Active) => {
            Action::ReleaseFinalizer(ReleaseReason::LeftUnowned)
        }
    }
}

/// AWS does not delete the default user of a group (B68). So a user that this object made the default user leaves its groups
/// first. AWS takes any other user out of its groups by itself (B67).
fn leave_groups(user: &RemoteUser, observed: &Observed) -> Option<Action> {
    let is_in = |group: &UserGroupId| user.user_group_ids.iter().any(|id| id == group.as_str());
    if user.user_name != DEFAULT_USER || !observed.record.managed_groups.iter().any(is_in) {
        return None;
    }
    Some(match observed.groups {
        GroupsObservation::NotRead => Action::Fetch(Fetch::Groups),
        GroupsObservation::Read(_) => Action::Wait(Wait::LeavingGroups),
    })
}

/// The user is `active`, and its tags were just read as ours.
fn delete(user_id: &UserId, observed: &Observed) -> Action {
    if observed.definition == Definition::Unreadable {
        return Action::Wait(Wait::DefinitionUnreadable);
    }
    // Status must not have `lastApplied` when DeleteUser is sent, because a lost answer or a crash may hide that AWS
    // accepted the call. A process that does not know the outcome of earlier calls writes its own delete request first.
    let record = &observed.record;
    if !record.deletion.is_ours() || record.manages() {
        return Action::WriteIntent(WriteIntent::Delete);
    }
    if !observed.object_confirmed {
        return Action::Fetch(Fetch::ObjectAndDefinition);
    }
    Action::Delete(Delete { user_id: user_id.clone() })
}
