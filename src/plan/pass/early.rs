//! How a pass ends that begins before the last one asked for it, because a Secret was written again with the same passwords.

use std::time::Duration;

use super::report::Closing;
use super::{Finish, Pass, PassResult, Request};
use crate::memory::PlannedPass;
use crate::ownership::is_recorded;
use crate::verdict::Outcome;
use crate::{
    Action, Authentication, Desired, Goal, Moment, Now, Ownership, Passwords, SecretProblem, UserObservation,
    Wait,
};

impl Pass {
    /// The pass that the last one planned, if this one comes earlier and the object has not changed since. Takes it from memory,
    /// so that only a pass that ends without any doubt plans the next one.
    pub(super) fn early_pass(&mut self, now: Moment) -> Option<PlannedPass> {
        let planned = self.memory.pacing.take_planned()?;
        let object = &self.object;
        let is_same = object.generation == planned.generation
            && object.has_finalizer
            && !object.is_requested()
            && object.has_overlong_request == self.memory.told_overlong_request;
        let has_passwords = self.passwords().is_some();
        (is_same && has_passwords && now < planned.at).then_some(planned)
    }

    /// If the Secrets still have the passwords that a pass read last, the pass ends without a call and without a write: AWS has
    /// them, or the planned pass sends them.
    pub(super) fn compare_passwords(&mut self, planned: PlannedPass, now: Now) -> Option<Request> {
        let remaining = planned.at.since(now.moment);
        match self.passwords() {
            Some(Err(SecretProblem::NotRead)) => return Some(Request::ReadPasswords),
            // The planned pass became due while the Secrets were read. This is it.
            _ if remaining.is_zero() => {}
            Some(Ok(passwords)) if self.knows(passwords) => {
                self.memory.secrets_compared = self.has_sent(passwords);
                self.memory.pacing.set_planned(Some(planned));
                let finish = self.finished(Some(remaining), PassResult::Done);
                self.finish = Some(Finish { is_settled: planned.is_settled, ..finish });
            }
            Some(Err(problem)) => {
                if let Some((what, why)) = Wait::Secret(problem.clone()).kubernetes_failure() {
                    self.memory.pacing.set_planned(Some(planned));
                    self.back_off(PassResult::KubernetesFailed { what, why }, now);
                    if let Some(finish) = &mut self.finish {
                        finish.requeue = finish.requeue.map(|delay| delay.min(remaining));
                    }
                }
            }
            Some(Ok(_)) | None => {}
        }
        self.early = None;
        None
    }

    /// Before the next pass, only an event can make a difference, or other passwords than this pass knows.
    pub(super) fn plan_next(&mut self, requeue: Option<Duration>, is_settled: bool, now: Moment) {
        let unsent = match self.passwords() {
            Some(Ok(passwords)) => (!self.has_sent(passwords)).then(|| Box::new(passwords.clone())),
            Some(Err(SecretProblem::NotRead)) => self.memory.unsent_passwords.take(),
            Some(Err(_)) | None => None,
        };
        let may_wait = match self.passwords() {
            Some(Ok(_)) => unsent.is_none() || self.depends_on_no_other_object(),
            Some(Err(SecretProblem::NotRead)) => true,
            Some(Err(_)) | None => false,
        };
        self.memory.secrets_compared |= unsent.is_none() && matches!(self.passwords(), Some(Ok(_)));
        self.memory.unsent_passwords = unsent.filter(|_| may_wait);
        let generation = self.object.generation;
        let planned = requeue.map(|delay| PlannedPass { at: now + delay, generation, is_settled });
        self.memory.pacing.set_planned(planned.filter(|_| may_wait));
    }

    /// The user is ours, or AWS refused to create it. Otherwise a pass may begin because another object let the user go.
    fn depends_on_no_other_object(&self) -> bool {
        let is_ours = match &self.observed.user {
            UserObservation::Found(user) => {
                self.observed.known_owner == Some(Ownership::Ours) || is_recorded(&self.observed.record, user)
            }
            UserObservation::NotRead | UserObservation::Absent | UserObservation::Failed(_) => false,
        };
        let failed = |closing: &Closing| matches!(closing.outcome, Outcome::Failed(_));
        let is_create = |closing: &&Closing| matches!(closing.action, Action::Create(_));
        is_ours || self.closing.as_ref().filter(is_create).is_some_and(failed)
    }

    /// A pass read these passwords before: AWS has them, or the planned pass sends them.
    fn knows(&self, passwords: &Passwords) -> bool {
        match &self.memory.unsent_passwords {
            Some(unsent) => unsent.same(passwords),
            None => self.has_sent(passwords),
        }
    }

    /// AWS accepted these passwords from this process, and no others since.
    pub(super) fn has_sent(&self, passwords: &Passwords) -> bool {
        self.memory.sent_passwords.as_ref().is_some_and(|sent| sent.same(passwords))
    }

    /// `None` if the user is to have no password, if somebody else sets it, or if there is to be no user.
    pub(super) fn passwords(&self) -> Option<&Result<Passwords, SecretProblem>> {
        match &self.goal {
            Goal::Present(Desired { authentication: Authentication::Password(passwords), .. }) => {
                Some(passwords)
            }
            Goal::Present(_)
            | Goal::ObserveOnly(_)
            | Goal::Suspended(_)
            | Goal::Invalid { .. }
            | Goal::Absent(_)
            | Goal::Orphaned(_) => None,
        }
    }
}
