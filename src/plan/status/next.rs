//! The status that follows from a pass.

use super::{Condition, ConditionStatus, ConditionType, Location, Status};
use crate::text::{escaped, shortened};
use crate::verdict::{Outcome, Progress, Verdict};
use crate::{
    Account, Action, AuthenticationType, Creation, Goal, LastApplied, Memberships, ObjectFacts, Observed,
    RemoteUser, StatusUser, Timestamp, UserObservation, WriteIntent, next_last_applied, status_user,
};

#[derive(Debug)]
pub struct Report<'a> {
    pub object: &'a ObjectFacts,
    pub goal: &'a Goal,
    pub observed: &'a Observed,
    /// The last action of the pass.
    pub action: &'a Action,
    pub outcome: &'a Outcome,
    pub verdict: &'a Verdict,
    /// `createRequestedAt` before this pass. It is restored if AWS refused CreateUser.
    pub former_request: Option<Timestamp>,
    /// When AWS last accepted passwords of this process.
    pub passwords_accepted_at: Option<Timestamp>,
    /// `None` if the pass did not come so far that it compared the memberships.
    pub memberships: Option<&'a Memberships>,
    /// The announced CreateUser was not sent. The pass then ended with another action.
    pub has_unsent_create: bool,
    /// This process wrote a create request for this generation before. The conditions show its result and do not change
    /// with each attempt.
    pub repeats_create: bool,
    /// For `deleteRequestedBy`.
    pub identity: &'a str,
    pub now: Timestamp,
}

/// `None` if nothing changed that is worth a write.
#[must_use]
pub fn next_status(report: &Report<'_>) -> Option<Status> {
    let before = &report.object.status;
    let mut status = before.clone();
    status.last_handled_reconcile_at.clone_from(&report.object.reconcile_requested_at);
    let is_told = before.condition(ConditionType::Ready).is_some();
    let repeats = report.repeats_create && is_told && is_create_intent(report.action);
    if report.verdict.progress != Progress::Unchanged {
        status.observed_generation = report.object.generation;
        if !repeats {
            set_conditions(&mut status, report);
        }
    }
    set_user(&mut status, report);
    if let Some(memberships) = report.memberships {
        status.managed_user_group_ids.clone_from(&memberships.managed);
    }
    set_last_applied(&mut status, report);
    set_passwords_applied(&mut status, report);
    set_create_request(&mut status, report);
    set_delete_request(&mut status, report);
    is_worth_a_write(before, &status, report.action).then_some(status)
}

/// The removal of `createRequestedAt`, and a location that equals the ARN's, wait for the next change.
fn is_worth_a_write(before: &Status, after: &Status, action: &Action) -> bool {
    let mut without = after.clone();
    if without.create_requested_at.is_none() && !matches!(action, Action::Create(_)) {
        without.create_requested_at = before.create_requested_at;
    }
    if without.location() == before.location() {
        without.location.clone_from(&before.location);
    }
    without != *before
}

fn is_create_intent(action: &Action) -> bool {
    matches!(action, Action::WriteIntent(WriteIntent::Create { .. }))
}

/// A message as a condition may have it: the API server refuses more than 32,768 bytes.
fn condition_message(text: &str) -> String {
    shortened(&escaped(text), 30_000).into_owned()
}

fn set_conditions(status: &mut Status, report: &Report<'_>) {
    use ConditionStatus::{False, True, Unknown};
    use ConditionType::{Deleting, Ready, Reconciling, Stalled};
    let kinds: &[(ConditionType, ConditionStatus)] = match report.verdict.progress {
        Progress::Ready | Progress::SuspendedReady => &[(Ready, True)],
        Progress::SuspendedNotReady => &[(Ready, False)],
        Progress::Reconciling => &[(Ready, False), (Reconciling, True)],
        Progress::Unknown => &[(Ready, Unknown), (Reconciling, True)],
        Progress::Stalled => &[(Ready, False), (Stalled, True)],
        Progress::Deleting => &[(Ready, False), (Reconciling, True), (Deleting, True)],
        Progress::Unchanged => return,
    };
    let conditions = kinds.iter().map(|(kind, value)| {
        let before = status.condition(*kind).filter(|before| before.status == *value);
        Condition {
            kind: *kind,
            status: *value,
            reason: report.verdict.reason.as_str().to_owned(),
            message: condition_message(&report.verdict.message),
            observed_generation: report.object.generation,
            last_transition_time: before
                .map_or_else(|| report.now.to_seconds(), |before| before.last_transition_time),
        }
    });
    status.conditions = conditions.collect();
}

/// See [`StatusUser`]. The user in the answer to a call of ours is always written.
fn set_user(status: &mut Status, report: &Report<'_>) {
    if let Some(id) = goal_user_id(report.goal) {
        status.user_id = Some(id.to_owned());
    }
    let answered = match report.outcome {
        Outcome::Accepted(user) => Some(user),
        Outcome::Decided
        | Outcome::Tagged(_)
        | Outcome::Released
        | Outcome::AlreadyExists
        | Outcome::NotFound
        | Outcome::CredentialsChanged
        | Outcome::Failed(_) => None,
    };
    match (answered, status_user(report.goal, report.observed, report.action), &report.observed.user) {
        (Some(user), _, _) => show(status, user),
        (None, StatusUser::Show, UserObservation::Found(user)) => show(status, user),
        (None, StatusUser::ShowAsNew, UserObservation::Found(user)) => {
            // `lastApplied` describes another user.
            status.last_applied = None;
            status.passwords_applied_at = None;
            status.managed_user_group_ids = Vec::new();
            show(status, user);
        }
        (None, StatusUser::Clear, _) => clear(status, report),
        (None, StatusUser::Show | StatusUser::ShowAsNew | StatusUser::Keep, _) => {}
    }
}

fn goal_user_id(goal: &Goal) -> Option<&str> {
    match goal {
        Goal::Present(desired) | Goal::ObserveOnly(desired) => Some(desired.user_id.as_str()),
        Goal::Suspended(_) | Goal::Invalid { .. } | Goal::Absent(_) | Goal::Orphaned(_) => None,
    }
}

fn show(status: &mut Status, user: &RemoteUser) {
    let RemoteUser {
        user_id,
        user_name,
        lifecycle,
        engine,
        minimum_engine_version,
        access_string,
        user_group_ids,
        authentication_type,
        password_count,
        arn,
    } = user;
    status.user_id = Some(user_id.clone());
    status.user_name = Some(user_name.clone());
    status.state = Some(lifecycle.clone());
    status.engine = Some(engine.clone());
    status.minimum_engine_version.clone_from(minimum_engine_version);
    status.access_string = Some(access_string.clone());
    status.user_group_ids.clone_from(user_group_ids);
    status.authentication_type = Some(authentication_type.clone());
    status.password_count = *password_count;
    status.arn = Some(arn.clone());
    status.location = Some(Location::of(arn));
}

/// AWS has no such user. A terminating object keeps ARN and location, which show where the user was.
fn clear(status: &mut Status, report: &Report<'_>) {
    status.state = None;
    status.engine = None;
    status.user_name = None;
    status.minimum_engine_version = None;
    status.access_string = None;
    status.user_group_ids = Vec::new();
    status.authentication_type = None;
    status.password_count = None;
    match report.goal {
        Goal::Absent(_) | Goal::Orphaned(_) => {}
        Goal::Present(_) | Goal::ObserveOnly(_) | Goal::Suspended(_) | Goal::Invalid { .. } => {
            status.arn = None;
            status.managed_user_group_ids = Vec::new();
            // While a CreateUser of this or an earlier pass may still take effect, status must have its location.
            let sent = matches!(report.action, Action::Create(_));
            if report.observed.record.creation == Creation::Closed && !sent {
                status.location = None;
            }
        }
    }
    if status.manages() {
        status.last_applied = None;
    }
}

fn set_last_applied(status: &mut Status, report: &Report<'_>) {
    let before = status.last_applied.clone().unwrap_or_default();
    if let Some(after) =
        next_last_applied(report.goal, report.observed, report.action, report.outcome, before)
    {
        status.last_applied = (after != LastApplied::default()).then_some(after);
    }
    // From the edit on, others may set the passwords. If the object goes back to its Secrets, they are sent again.
    if let Some(last) = status.last_applied.as_mut().filter(|_| report.goal.leaves_passwords_to_others()) {
        last.password_versions.clear();
    }
}

/// The time changes only if AWS accepted passwords of this process. A user without passwords has none.
fn set_passwords_applied(status: &mut Status, report: &Report<'_>) {
    let has_passwords = status.authentication_type.as_deref() == Some(AuthenticationType::Password.output());
    let applied_at = status.passwords_applied_at.max(report.passwords_accepted_at);
    status.passwords_applied_at = applied_at.filter(|_| has_passwords);
}

/// Sets `createRequestedAt` together with the location in which the user is about to be created.
fn set_create_request(status: &mut Status, report: &Report<'_>) {
    match (report.action, report.outcome) {
        (Action::WriteIntent(WriteIntent::Create { .. }), _) => {
            status.create_requested_at = Some(report.now);
            let source = &report.observed.source;
            let account = match &source.account {
                Account::Known(account) => Some(account.clone()),
                Account::NotAsked | Account::Withheld | Account::Failed(_) => None,
            };
            status.location = Some(Location { account, region: source.region.clone() });
        }
        // AWS refused this CreateUser, but an earlier one may still take effect.
        (Action::Create(_), outcome) if outcome.is_refusal() => take_create_request_back(status, report),
        (Action::Create(_), _) => {}
        _ if report.has_unsent_create => take_create_request_back(status, report),
        (Action::Delete(_), Outcome::Accepted(_)) => status.create_requested_at = None,
        // Status has the user's ARN now, which shows where the user is.
        (_, _)
            if matches!(&report.observed.user, UserObservation::Found(user) if status.arn.as_ref() == Some(&user.arn))
                && report.observed.record.creation == Creation::Closed =>
        {
            status.create_requested_at = None;
        }
        _ => {}
    }
}

fn take_create_request_back(status: &mut Status, report: &Report<'_>) {
    status.create_requested_at = report.former_request;
    if status.create_requested_at.is_none() && status.arn.is_none() {
        status.location = None;
    }
}

fn set_delete_request(status: &mut Status, report: &Report<'_>) {
    let Action::WriteIntent(intent) = report.action else { return };
    match intent {
        WriteIntent::Delete => {
            status.delete_requested_at = Some(report.now);
            status.delete_requested_by = Some(report.identity.to_owned());
        }
        // The user is ours, and AWS accepted no DeleteUser.
        WriteIntent::Reclaim { .. } => {
            status.delete_requested_at = None;
            status.delete_requested_by = None;
        }
        WriteIntent::Create { .. } | WriteIntent::Tags { .. } | WriteIntent::Modify { .. } => {}
    }
}
