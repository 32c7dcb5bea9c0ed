//! What must never happen, according to the contract (`api.md`). The judge knows the true state of the model and the answers
//! that the pass got. It does not look at what the operator remembers.

mod calls;
pub(crate) mod ends;
mod writes;

pub(crate) use calls::{called, mutation, took_effect};
pub(crate) use writes::{shown, written};

use std::collections::BTreeSet;
use std::time::Duration;

use plan::pace::Pace;
use plan::*;

use crate::common::owner;
use crate::model::answer::Kind;
use crate::model::aws::identity;
use crate::model::{Model, timestamp};

/// The part of the past that decides what is allowed next.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Mutations that were attempted, and whether they took effect.
    pub(crate) mutations: Vec<(Kind, bool)>,
    /// Writes of the object by the operator.
    pub(crate) writes: usize,
    /// Keys of tags that were in the spec at any time.
    pub(crate) asked_for: BTreeSet<String>,
    /// At least once AWS did not show the account, so that only the region counted.
    pub(crate) account_untold: bool,
    /// The credentials moved to another account.
    pub(crate) moved: bool,
    /// Somebody else changed the user's tags, and the operator has not read them since.
    pub(crate) retagged: bool,
    /// Somebody else changed the user otherwise, and the operator has not looked at it since.
    pub(crate) changed: bool,
    /// Somebody else changed the owner of the user after this pass had read it.
    pub(crate) raced: bool,
    /// AWS accepted a CreateUser or ModifyUser that status does not show yet.
    pub(crate) in_flight: bool,
    /// What the delete request removed from status, if no DeleteUser took effect since and the process that wrote the request
    /// still runs.
    pub(crate) departed: Option<LastApplied>,
    /// AWS answered UserNotFound to this process, and the process created no user since.
    pub(crate) gone_seen: bool,
    /// The same, and the contract lets the process believe it. A user that comes after that is not ours unless its tags say so.
    pub(crate) gone_believed: bool,
    /// The credentials that got UserNotFound last.
    pub(crate) absent_for: Option<CredentialsId>,
    /// The credentials whose account the process knows, or knows that AWS does not tell.
    pub(crate) told: BTreeSet<CredentialsId>,
    /// The `createRequestedAt` whose user the process has seen.
    pub(crate) created: Option<Timestamp>,
    /// The last passwords that this process sent, if it got the answer that AWS accepted them.
    pub(crate) sent: Option<Passwords>,
    /// When AWS last accepted passwords, if this process got the answer.
    pub(crate) passwords_accepted: Option<Duration>,
    /// The time that status showed for that first.
    pub(crate) passwords_dated: Option<Timestamp>,
    /// AWS refused a CreateUser, not because of its rate, and nobody has looked at the user since.
    pub(crate) must_look: bool,
    /// Requests and verdicts so far. A test checks that the walks meet all of them.
    pub(crate) met: BTreeSet<String>,
    /// Violations of the contract.
    pub(crate) breaches: Vec<String>,
}

impl History {
    /// Another process begins, which knows nothing.
    pub(crate) fn forget_process(&mut self) {
        self.departed = None;
        (self.gone_seen, self.gone_believed) = (false, false);
        self.absent_for = None;
        self.told = BTreeSet::new();
        self.created = None;
        self.sent = None;
        self.passwords_accepted = None;
    }

    pub(crate) fn meet(&mut self, what: &str) {
        if !self.met.contains(what) {
            self.met.insert(what.to_owned());
        }
    }
}

pub(crate) fn whose(tags: &Tags) -> Ownership {
    owner().evaluate(tags)
}

/// What a user without owner tags must look like to be still ours: as status last reported it. `None` if status does not show
/// that we managed the user, or shows it `deleting`.
pub(crate) fn managed_look(status: &Status, arn: &Arn) -> Option<Reported> {
    let deleted = status.state == Some(Lifecycle::Deleting);
    status.reported().filter(|_| status.arn.as_ref() == Some(arn) && status.manages() && !deleted)
}

pub(crate) fn managed(status: &Status, user: &RemoteUser) -> bool {
    managed_look(status, &user.arn) == Some(identity(user))
}

/// Whether status has the account and region that are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    Here,
    WrongLocation,
    /// Another account, but AWS did not show it at least once, so only the region counts.
    Perhaps,
}

pub(crate) fn place(model: &Model, status: &Status) -> Where {
    let Some(Location { account, region }) = status.location() else { return Where::Here };
    let other_account = account.is_some_and(|account| account != model.account());
    // The ARN of a user that AWS shows has the account.
    let told = !model.history.account_untold || model.services[model.credentials.account].visible().is_some();
    match (region == "us-east-1", other_account) {
        (false, _) => Where::WrongLocation,
        (true, true) if told => Where::WrongLocation,
        (true, true) => Where::Perhaps,
        (true, false) => Where::Here,
    }
}

/// The user in status is in another account, and AWS does not show the account, so the next process compares only the region.
pub(crate) fn is_known_by_memory_alone(model: &Model) -> bool {
    let account = model.object.as_ref().and_then(|object| object.status.location()?.account);
    account.is_some_and(|account| account != model.account())
        && !model.services[model.credentials.account].habits.tells_account
}

/// DescribeUsers was answered.
pub(crate) fn described(model: &mut Model, sight: &UserObservation) {
    let tags_read = model.answers.as_ref().is_some_and(|answers| answers.tags.is_some());
    model.history.raced &= tags_read;
    let by = model.credentials.id;
    let requested = model.object.as_ref().and_then(|object| object.status.create_requested_at);
    let is_ours = model.user().is_some_and(|user| user.was_ours);
    let history = &mut model.history;
    history.must_look &= matches!(sight, UserObservation::Failed(_));
    history.absent_for = (*sight == UserObservation::Absent).then_some(by);
    history.changed &= matches!(sight, UserObservation::NotRead | UserObservation::Failed(_));
    match sight {
        UserObservation::Absent => {
            (history.gone_seen, history.sent) = (true, None);
            let is_told = history.told.contains(&by);
            believe_absence(model, is_told);
        }
        // The ARN has the account.
        UserObservation::Found(_) => {
            history.told.insert(by);
            history.created = requested.filter(|_| is_ours).or(history.created);
        }
        UserObservation::NotRead | UserObservation::Failed(_) => {}
    }
}

/// UserNotFound counts in the account and region of status, and only if no CreateUser of ours may still take effect.
fn believe_absence(model: &mut Model, account_is_told: bool) {
    let Some(status) = model.answers.as_ref().map(|answers| &answers.found) else { return };
    let names_account = status.location().is_some_and(|location| location.account.is_some());
    let is_here = place(model, status) != Where::WrongLocation && (account_is_told || !names_account);
    let open = status.create_requested_at.filter(|requested| model.history.created != Some(*requested));
    let age = open.map(|requested| timestamp(model.now).since(requested).unwrap_or_default());
    let is_open = age.is_some_and(|age| Pace::default().creation(age) == Creation::Open);
    let is_last = model.history.absent_for == Some(model.credentials.id);
    if is_here && !is_open && is_last {
        model.history.gone_believed = true;
        // A user that comes later has other passwords.
        model.history.passwords_accepted = None;
    }
}

pub(crate) fn listed_tags(model: &mut Model, tags: &TagsObservation) {
    model.history.raced = false;
    if let TagsObservation::Read(tags) = tags {
        model.history.retagged = false;
        if whose(tags) != Ownership::Ours {
            model.history.sent = None;
        }
    }
}

pub(crate) fn identified(model: &mut Model, account: &Account) {
    use Fault::{Busy, Denied, Rejected};
    let is_withheld = match account {
        Account::Withheld | Account::Failed(Denied(_) | Rejected(..) | Busy(_)) => true,
        Account::Known(_) | Account::NotAsked | Account::Failed(_) => false,
    };
    model.history.account_untold |= is_withheld;
    if matches!(account, Account::Known(_) | Account::Withheld) {
        model.history.told.insert(model.credentials.id);
    }
    believe_absence(model, is_withheld || matches!(account, Account::Known(_)));
}
