//! The operator's decisions: what to do next, given what is wanted and what is known.
//!
//! This crate has no I/O, clock, randomness or logger. [`plan`] is synchronous and total: it has no error. If a fact is missing,
//! the action is [`Action::Fetch`]. If status must be written before a mutation, the action is [`Action::WriteIntent`].
//! [`Pass`] performs one action after the other and adds each answer to [`Observed`], until an action ends the pass. Thus a
//! pass makes no call that its decision does not need, and tests can check each step of the deletion protocol.
//!
//! Conditions, events and requeue follow from the last action and its [`Outcome`](verdict::Outcome): see [`verdict`].

pub mod access_string;
mod action;
mod changes;
pub mod classify;
mod deletion;
pub mod drift;
mod ensure_present;
mod finalize;
mod finalizer;
mod goal;
pub mod groups;
mod last_applied;
mod location;
mod membership;
mod memory;
mod object;
mod observe_only;
mod observed;
mod orphan;
mod owner;
mod ownership;
pub mod pace;
pub mod pass;
mod passwords;
mod patterns;
mod rules;
mod secret_version;
pub mod shell;
mod source;
mod status;
mod status_user;
pub mod text;
mod time;
mod user;
mod user_group;
pub mod verdict;

pub use action::*;
pub use changes::{AuthenticationChange, Changes, changes, differs, tags_match};
pub use classify::{AwsError, Fault, Rejection};
pub use deletion::{DeletionProgress, Requester};
pub use goal::*;
pub use last_applied::{LastApplied, in_sync, next_last_applied};
pub use membership::{
    Direction, GroupCall, GroupPermission, GroupSize, GroupWishes, GroupsObservation, MembershipChange,
    MembershipState, Memberships, Swap, WantedGroups,
};
pub use memory::{Memory, Pacing};
pub use object::{LONGEST_REQUEST, ObjectFacts, ResourceVersion};
pub use observed::*;
pub use orphan::{Namesake, Orphan};
pub use owner::{
    CLUSTER_TAG, NAME_TAG, NAMESPACE_TAG, OWNER_TAG_PREFIX, Owner, Ownership, Tags, UID_TAG, is_dns_label,
    is_object_name, is_reserved_tag_key,
};
pub use pass::Pass;
pub use passwords::{InvalidPassword, Password, Passwords, SecretProblem};
pub use patterns::Patterns;
pub use rules::{BrokenRule, Feature};
pub use secret_version::SecretVersion;
pub use source::{CallSource, CredentialsId};
pub use status::{
    Condition, ConditionStatus, ConditionType, Location, Readiness, Report, Status, next_status,
};
pub use status_user::{StatusUser, read_as_ours, status_user};
pub use time::{Moment, Now, Rolls, Timestamp};
pub use user::{
    Arn, AuthenticationType, DEFAULT_USER, Engine, InvalidUserId, Lifecycle, RemoteUser, USER_ID_MAX_LENGTH,
    USER_ID_PATTERN, UserId,
};

pub use user_group::{GroupChange, GroupObservation, GroupOutcome, UserGroup, UserGroupId};

/// Decides the next action.
#[must_use]
#[warn(missing_docs)]
pub fn plan(goal: &Goal, observed: &Observed) -> Action {
    match goal {
        Goal::Present(desired) => {
            finalizer::add_first(&desired.owner, observed, ensure_present::ensure_present(desired, observed))
        }
        Goal::ObserveOnly(desired) => observe_only::observe_only(desired, observed),
        Goal::Suspended(outline) => {
            Action::Suspended { ready: still_ready(outline.as_ref(), &observed.record) }
        }
        Goal::Invalid { refusal, subject } => finalizer::refuse(refusal, subject.as_ref(), observed),
        Goal::Absent(goal) => finalize::finalize(goal, observed),
        Goal::Orphaned(orphan) => orphan::delete_orphan(orphan, observed),
    }
}

/// A suspended object remains Ready if it was Ready and status shows that the current spec was applied.
fn still_ready(outline: Option<&Outline>, record: &Record) -> bool {
    let (Some(outline), Some(last), Some(reported)) = (outline, &record.last_applied, &record.reported)
    else {
        return false;
    };
    let Outline { engine, access_string, authentication_type, user_groups } = outline;
    record.readiness.any_generation()
        && last.access_string.as_ref().is_some_and(|sent| access_string::same_meaning(sent, access_string))
        && reported.engine == engine.as_str()
        && reported.authentication_type == authentication_type.output()
        && user_groups.iter().all(|group| record.is_member_of(group))
        && record
            .managed_groups
            .iter()
            .all(|group| user_groups.contains(group) || !record.is_member_of(group))
}
