//! What must never happen, in the words of the contract (`api.md`): judged on what is so, and on what the pass was answered
//! before it asked, never on what the operator remembers.

mod calls;
pub(crate) mod ends;
mod writes;

pub(crate) use calls::{called, mutation, took_effect};
pub(crate) use writes::{shown, written};

use std::collections::BTreeSet;

use plan::*;

use crate::common::owner;
use crate::model::Model;
use crate::model::answer::Kind;
use crate::model::aws::identity;

/// What happened so far, as far as it decides what may happen next.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Mutations that were attempted, and whether they took effect.
    pub(crate) mutations: Vec<(Kind, bool)>,
    /// Writes of the object by the operator.
    pub(crate) writes: usize,
    /// Keys of tags that were in the spec at any time.
    pub(crate) asked_for: BTreeSet<String>,
    /// AWS did not tell the account once: the region decided alone.
    pub(crate) account_untold: bool,
    /// The credentials moved to another account.
    pub(crate) moved: bool,
    /// Somebody else changed the user's tags, and they were not read since.
    pub(crate) retagged: bool,
    /// Somebody else changed what decides whose the user is after the pass at hand had looked.
    pub(crate) raced: bool,
    /// AWS accepted a CreateUser or ModifyUser that status does not tell of yet.
    pub(crate) in_flight: bool,
    /// What the announcement of a deletion took out of status, if no DeleteUser took effect since and the process that wrote
    /// it is there still.
    pub(crate) departed: Option<LastApplied>,
    /// The process that is there has seen that the user is gone, and made none since: one that comes after it is not ours
    /// unless its tags say so.
    pub(crate) gone_seen: bool,
    /// The passwords that the process that is there sent last, if AWS said that it accepted them.
    pub(crate) sent: Option<Passwords>,
    /// Requests and verdicts, for the test that all of them are met.
    pub(crate) met: BTreeSet<String>,
    /// What must never happen, and happened.
    pub(crate) breaches: Vec<String>,
}

impl History {
    /// Another process begins: it knows nothing.
    pub(crate) fn forget_process(&mut self) {
        self.departed = None;
        self.gone_seen = false;
        self.sent = None;
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

/// What a user that lost its owner tags has to look like to be still ours: as status last reported it, if status shows that
/// we managed it, and not that it was on its way out since.
pub(crate) fn managed_look(status: &Status, arn: &Arn) -> Option<Reported> {
    let deleted = status.state == Some(Lifecycle::Deleting);
    status.reported().filter(|_| status.arn.as_ref() == Some(arn) && status.manages() && !deleted)
}

pub(crate) fn managed(status: &Status, user: &RemoteUser) -> bool {
    managed_look(status, &user.arn) == Some(identity(user))
}

/// Where status knows the user, as seen from the account and region that are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    Here,
    WrongLocation,
    /// In another account, which AWS did not tell once: then the region decides alone.
    Perhaps,
}

pub(crate) fn place(model: &Model, status: &Status) -> Where {
    let Some(Location { account, region }) = status.location() else { return Where::Here };
    let other_account = account.is_some_and(|account| account != model.account());
    // The ARN of a user that is seen tells the account.
    let told = !model.history.account_untold || model.services[model.credentials.account].visible().is_some();
    match (region == "us-east-1", other_account) {
        (false, _) => Where::WrongLocation,
        (true, true) if told => Where::WrongLocation,
        (true, true) => Where::Perhaps,
        (true, false) => Where::Here,
    }
}

/// That the user in status is in another account, where AWS does not tell it again: the next process goes by the region.
pub(crate) fn is_known_by_memory_alone(model: &Model) -> bool {
    let account = model.object.as_ref().and_then(|object| object.status.location()?.account);
    account.is_some_and(|account| account != model.account())
        && !model.services[model.credentials.account].habits.tells_account
}

/// The pass was answered by DescribeUsers.
pub(crate) fn described(model: &mut Model, sight: &UserObservation) {
    let tags_read = model.answers.as_ref().is_some_and(|answers| answers.tags.is_some());
    model.history.raced &= tags_read;
    if *sight == UserObservation::Absent {
        model.history.gone_seen = true;
        model.history.sent = None;
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
    model.history.account_untold |= match account {
        Account::Withheld | Account::Failed(Denied(_) | Rejected(..) | Busy(_)) => true,
        Account::Known(_) | Account::NotAsked | Account::Failed(_) => false,
    };
}
