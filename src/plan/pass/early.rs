//! How a pass ends that begins before the last one asked for it, because a Secret was written again with the same passwords.

use std::time::Duration;

use super::{Finish, Pass, PassResult, Request};
use crate::memory::PlannedPass;
use crate::{Authentication, Desired, Goal, Moment, Now, Passwords, SecretProblem, Wait};

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
        let has_passwords = self.memory.sent_passwords.is_some() && self.passwords().is_some();
        (is_same && has_passwords && now < planned.at).then_some(planned)
    }

    /// AWS has the passwords that this process sent last. If the Secrets still have them, the pass ends without a call and
    /// without a write.
    pub(super) fn compare_passwords(&mut self, planned: PlannedPass, now: Now) -> Option<Request> {
        let remaining = planned.at.since(now.moment);
        match self.passwords() {
            Some(Err(SecretProblem::NotRead)) => return Some(Request::ReadPasswords),
            // The planned pass became due while the Secrets were read. This is it.
            _ if remaining.is_zero() => {}
            Some(Ok(passwords)) if self.has_sent(passwords) => {
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

    /// Before the next pass, only an event can make a difference, or other passwords than this process sent.
    pub(super) fn plan_next(&mut self, requeue: Option<Duration>, is_settled: bool, now: Moment) {
        let may_wait = match self.passwords() {
            Some(Ok(passwords)) => self.has_sent(passwords),
            Some(Err(SecretProblem::NotRead)) => true,
            Some(Err(_)) | None => false,
        };
        let generation = self.object.generation;
        let planned = requeue.map(|delay| PlannedPass { at: now + delay, generation, is_settled });
        self.memory.pacing.set_planned(planned.filter(|_| may_wait));
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
