//! What the user's groups mean for conditions: the reason, the requeue and the message.

use super::{Completed, Progress, Reason, Verdict, VerdictContext};
use crate::pace::Requeue;
use crate::{Direction, Fault, GroupCall, Lifecycle, MembershipChange, MembershipState, Rejection};

/// The verdict on a user that is as it should be, except for its memberships. `None` if these are as they should be too.
pub(super) fn group_verdict(completed: Vec<Completed>, context: &VerdictContext<'_>) -> Option<Verdict> {
    let first = context.groups.iter().min_by_key(|change| precedence(change))?;
    let reason = if context.deleting { deleting_reason(first) } else { reason(first) };
    let stalled = matches!(reason, Reason::UserGroupNotAllowed | Reason::UserGroupRefused)
        || reason == Reason::AccessDenied && context.denied_for_long;
    let progress = match () {
        () if context.deleting => Progress::Deleting,
        () if stalled => Progress::Stalled,
        () => Progress::Reconciling,
    };
    // The coordinator of the groups wakes the object if something changes.
    let only_a_person = context.groups.iter().all(|change| change.state == MembershipState::NotAllowed);
    let requeue = if only_a_person { Requeue::Resync } else { Requeue::Woken };
    let message = context.groups.iter().map(|change| change_message(change, context.user_id));
    Some(Verdict { progress, reason, message: message.collect::<Vec<_>>().join(" "), completed, requeue })
}

/// The lowest is reported.
fn precedence(change: &MembershipChange) -> u8 {
    match &change.state {
        MembershipState::NotAllowed => 0,
        MembershipState::Refused(_) => 1,
        MembershipState::Full(_) => 2,
        MembershipState::Absent => 3,
        MembershipState::DefaultInUse { .. } => 4,
        MembershipState::Failed(_, fault) => match fault {
            Fault::Denied(_) | Fault::Rejected(..) => 5,
            Fault::Credentials(_) | Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Busy(_) => 6,
        },
        MembershipState::NameTaken(_) | MembershipState::DeniedTogether(_) | MembershipState::Busy(_) => 7,
        MembershipState::Queued | MembershipState::Applying(_) | MembershipState::Settled(_) => 8,
    }
}

fn reason(change: &MembershipChange) -> Reason {
    match &change.state {
        MembershipState::NotAllowed => Reason::UserGroupNotAllowed,
        MembershipState::Refused(_) => Reason::UserGroupRefused,
        MembershipState::Full(_) => Reason::QuotaExceeded,
        MembershipState::Absent => Reason::UserGroupNotFound,
        MembershipState::DefaultInUse { .. } => Reason::DefaultUserInGroup,
        MembershipState::Failed(_, fault) => fault_reason(fault),
        MembershipState::NameTaken(_) | MembershipState::DeniedTogether(_) | MembershipState::Busy(_) => {
            Reason::WaitingForUserGroup
        }
        MembershipState::Queued | MembershipState::Applying(_) | MembershipState::Settled(_) => {
            Reason::Modifying
        }
    }
}

/// The same for a terminating object, whose reasons are fewer.
fn deleting_reason(change: &MembershipChange) -> Reason {
    match &change.state {
        MembershipState::Failed(_, fault) => fault_reason(fault),
        MembershipState::DefaultInUse { .. }
        | MembershipState::NotAllowed
        | MembershipState::Refused(_)
        | MembershipState::Full(_)
        | MembershipState::Absent
        | MembershipState::NameTaken(_)
        | MembershipState::DeniedTogether(_)
        | MembershipState::Busy(_) => Reason::DefaultUserInGroup,
        MembershipState::Queued | MembershipState::Applying(_) | MembershipState::Settled(_) => {
            Reason::DeletingUser
        }
    }
}

fn change_message(change: &MembershipChange, id: &str) -> String {
    let MembershipChange { group, direction, state } = change;
    let waits = match direction {
        Direction::Join => format!("AWS user \"{id}\" waits to join user group \"{group}\""),
        Direction::Leave => format!("AWS user \"{id}\" waits to leave user group \"{group}\""),
    };
    match state {
        MembershipState::Queued | MembershipState::Applying(_) | MembershipState::Settled(_) => {
            match direction {
                Direction::Join => format!("AWS user \"{id}\" is being added to user group \"{group}\"."),
                Direction::Leave => {
                    format!("AWS user \"{id}\" is being removed from user group \"{group}\".")
                }
            }
        }
        MembershipState::NotAllowed => format!(
            "User group \"{group}\" is not allowed for objects of this namespace: the operator's --allowed-user-group has no pattern for it. Remove the group from spec.userGroupIDs, or ask the operator's administrator."
        ),
        MembershipState::Refused(fault) => format!(
            "AWS refuses AWS user \"{id}\" in user group \"{group}\": {} Change the user or the group, or remove the group from spec.userGroupIDs.",
            error_sentence(fault)
        ),
        MembershipState::Full(size) => {
            let said =
                size.fault.as_ref().map(|fault| format!(" {}", error_sentence(fault))).unwrap_or_default();
            format!(
                "{waits}, but the group is full: it has {} members.{said} Remove members, use another group, or ask AWS to raise the quota.",
                size.members
            )
        }
        MembershipState::Absent => {
            format!(
                "{waits}, but there is no such group (UserGroupNotFound). Create the group, or correct spec.userGroupIDs."
            )
        }
        MembershipState::Busy(lifecycle) => {
            format!("{waits}, but the group is in state \"{}\". {}", lifecycle.as_str(), then(lifecycle))
        }
        MembershipState::NameTaken(fault) => format!(
            "{waits}, but another member has the same user name: {} The operator retries, because the other member may be about to go.",
            error_sentence(fault)
        ),
        MembershipState::DeniedTogether(fault) => format!(
            "{waits}: AWS denied ModifyUserGroup for several users together, and for some of them alone. The operator asks for each of the others alone, slowly: {} Attach a policy that allows it.",
            error_sentence(fault)
        ),
        MembershipState::DefaultInUse { caches } => format!(
            "AWS user \"{id}\" is the default user of user group \"{group}\", which is used by {}. If it left, AWS's own user \"default\" would take its place, which has no password and may do everything. Put another user named \"default\" into the group, or let AWS's own one back with: kubectl annotate ecu NAME elasticache-users.dev/restore-default-user={group}",
            caches.join(", ")
        ),
        MembershipState::Failed(call, fault) => failure_message(change, *call, fault, &waits),
    }
}

fn failure_message(change: &MembershipChange, call: GroupCall, fault: &Fault, waits: &str) -> String {
    let (group, call, error) = (&change.group, call.as_str(), error_sentence(fault));
    match fault {
        Fault::Denied(_) => format!(
            "The operator's AWS role may not call {call} for user group \"{group}\": {error} Attach a policy that allows it. Retrying."
        ),
        Fault::Credentials(_) => format!(
            "The operator's AWS credentials do not work ({call} of user group \"{group}\"): {error} Check its IAM role, ServiceAccount annotation or credentials. Retrying."
        ),
        Fault::Throttled(_) => format!("{waits}: AWS throttles {call}: {error} Retrying more slowly."),
        Fault::Unavailable(_) => format!("{waits}: {call} got no usable answer: {error} Retrying."),
        Fault::Busy(_) => format!("{waits}: {error} Retrying until AWS allows it."),
        Fault::Rejected(..) => format!("{waits}: {call} was refused: {error} Retrying slowly."),
    }
}

fn then(lifecycle: &Lifecycle) -> &'static str {
    match lifecycle {
        Lifecycle::Deleting => "AWS is deleting the group.",
        Lifecycle::Creating | Lifecycle::Active | Lifecycle::Modifying | Lifecycle::Unrecognized(_) => {
            "The operator continues when the group is active."
        }
    }
}

fn error_sentence(fault: &Fault) -> String {
    super::messages::sentence(&fault.error().to_string())
}

/// The reason of a call about a group that failed.
fn fault_reason(fault: &Fault) -> Reason {
    match fault {
        Fault::Busy(_) => Reason::WaitingForUserGroup,
        Fault::Throttled(_) => Reason::Throttled,
        Fault::Unavailable(_) => Reason::AWSUnavailable,
        Fault::Credentials(_) => Reason::CredentialsUnavailable,
        Fault::Denied(_) => Reason::AccessDenied,
        Fault::Rejected(Rejection::ServiceLinkedRole, _) => Reason::ServiceLinkedRoleMissing,
        Fault::Rejected(..) => Reason::AWSRefused,
    }
}
