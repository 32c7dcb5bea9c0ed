//! Rows of `verdict` about a user that is as it should be, except for its memberships.

use plan::pace::Requeue::{Busy, Poll, Resync, Woken};
use plan::verdict::Progress::{Stalled, Unchanged};
use plan::verdict::Reason::*;
use plan::verdict::{Completed, Outcome};
use plan::*;

use super::common::plans::wait;
use super::common::verdicts::*;
use super::common::*;

fn change(group: &str, direction: Direction, state: MembershipState) -> MembershipChange {
    MembershipChange { group: UserGroupId::parse(group).unwrap(), direction, state }
}

/// The user has to join the group `cache`.
fn joining(state: MembershipState) -> Context {
    Context { groups: vec![change("cache", Direction::Join, state)], ..fresh() }
}

/// The default user of a group has to leave it before it is deleted.
fn leaving(state: MembershipState) -> Context {
    Context { groups: vec![change("cache", Direction::Leave, state)], ..deleting_context() }
}

fn call_failed(fault: Fault) -> MembershipState {
    MembershipState::Failed(GroupCall::ModifyUserGroup, fault)
}

pub(crate) fn rows() -> Vec<Row> {
    [joins(), failures(), busy_for_others(), leaves()].concat()
}

fn joins() -> Vec<Row> {
    use MembershipState::{
        Absent, Applying, Busy, DefaultInUse, DeniedTogether, Full, NameTaken, NotAllowed, Queued, Refused,
    };
    let size = GroupSize { members: 100, fault: Some(rejected(Rejection::Quota)) };
    let caches = texts(&["sessions"]);
    let both = Context {
        groups: vec![
            change("a", Direction::Join, Busy(Lifecycle::Modifying)),
            change("b", Direction::Leave, Absent),
            change("c", Direction::Join, NotAllowed),
        ],
        ..fresh()
    };
    rows! { Row { requeue: Woken, ..living() };
        { claim: "a join waits for others", context: joining(Queued), reason: Modifying, message: "is being added to user group \"cache\"" },
        { claim: "a created user joins at once", action: create(), outcome: accepted(Lifecycle::Active), context: joining(Queued),
          reason: Modifying, completed: vec![Completed::Created], message: "is being added to user group \"cache\"" },
        { claim: "AWS accepted the call", context: joining(Applying(Swap::No)), reason: Modifying, message: "is being added" },
        { claim: "a group that is not there", context: joining(Absent), reason: UserGroupNotFound, message: "there is no such group" },
        { claim: "a group that AWS works on", context: joining(Busy(Lifecycle::Creating)), reason: WaitingForUserGroup, message: "state \"creating\"" },
        { claim: "a group without room", context: joining(Full(size)), reason: QuotaExceeded, message: "it has 100 members" },
        { claim: "a user that AWS refuses", context: joining(Refused(rejected(Rejection::ParameterValue))), progress: Stalled, reason: UserGroupRefused,
          message: "AWS refuses AWS user \"app\" in user group \"cache\"" },
        { claim: "another member of the name", context: joining(NameTaken(rejected(Rejection::DuplicateUserName))), reason: WaitingForUserGroup,
          message: "another member has the same user name" },
        { claim: "a call for several users that the role may not make", context: joining(DeniedTogether(denied())), reason: WaitingForUserGroup,
          message: "The operator asks for each of the others alone" },
        { claim: "a leave that would open caches", context: joining(DefaultInUse { caches }), reason: DefaultUserInGroup,
          message: "which has no password and may do everything" },
        { claim: "a group that is not allowed", context: joining(NotAllowed), progress: Stalled, reason: UserGroupNotAllowed, requeue: Resync,
          message: "--allowed-user-group" },
        { claim: "the first reason counts, and all groups are named in order", context: both, progress: Stalled, reason: UserGroupNotAllowed,
          message: "waits to leave user group \"b\", but there is no such group" },
    }
}

fn failures() -> Vec<Row> {
    let denied_join = || joining(call_failed(denied()));
    rows! { Row { requeue: Woken, message: "ModifyUserGroup", ..living() };
        { claim: "AWS throttles", context: joining(call_failed(throttled())), reason: Throttled },
        { claim: "AWS does not answer", context: joining(call_failed(unavailable())), reason: AWSUnavailable },
        { claim: "the credentials fail", context: joining(call_failed(credentials())), reason: CredentialsUnavailable },
        { claim: "the role may not", context: denied_join(), reason: AccessDenied },
        { claim: "the role may not for long", context: long_denied(denied_join()), progress: Stalled, reason: AccessDenied },
        { claim: "the role of the service", context: joining(call_failed(rejected(Rejection::ServiceLinkedRole))), reason: ServiceLinkedRoleMissing },
        { claim: "another refusal", context: joining(call_failed(rejected(Rejection::Other))), reason: AWSRefused },
    }
}

fn busy_for_others() -> Vec<Row> {
    let busy = || wait(Wait::BusyForOthers);
    rows! { Row { outcome: Outcome::Decided, ..living() };
        { claim: "AWS changes a group of the user", action: wait(Wait::ChangingGroups), reason: Modifying, requeue: Woken, message: "user groups" },
        { claim: "a user that AWS works on without our asking stays Ready", action: busy(), context: ready(), progress: Unchanged, reason: Active,
          requeue: Busy, message: "\"modifying\"" },
        { claim: "but not for ever", action: busy(), context: stale(ready()), reason: WaitingForUserActive, requeue: Poll, message: "for long" },
    }
}

fn leaves() -> Vec<Row> {
    use MembershipState::{Busy, DefaultInUse, Queued};
    let caches = texts(&["sessions"]);
    rows! { Row { action: wait(Wait::LeavingGroups), requeue: Woken, ..terminating() };
        { claim: "a default user leaves its groups before it is deleted", context: leaving(Queued), reason: DeletingUser,
          message: "is being removed from user group \"cache\"" },
        { claim: "nothing is known about the groups yet", reason: DeletingUser, message: "leaves its user groups" },
        { claim: "a default user of a group that AWS works on", context: leaving(Busy(Lifecycle::Modifying)), reason: DefaultUserInGroup,
          message: "state \"modifying\"" },
        { claim: "a default user whose leave would open caches", context: leaving(DefaultInUse { caches }), reason: DefaultUserInGroup,
          message: "used by sessions" },
        { claim: "the role may not let it leave", context: leaving(call_failed(denied())), reason: AccessDenied, message: "ModifyUserGroup" },
    }
}
