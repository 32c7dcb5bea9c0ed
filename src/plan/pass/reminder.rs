//! How a pass ends that only has to warn that the object still waits for a user group. The group is looked at for all objects
//! together, so such a pass makes no call.

use super::{EventContent, Finish, Pass, PassResult, Request, Wishes};
use crate::memory::Reminder;
use crate::pace::Requeue;
use crate::verdict::Reason;
use crate::{GroupsObservation, Now, SecretProblem};

impl Pass {
    /// The last pass waits for a group. It wants to be reminded when the wait has lasted long enough for a Warning.
    pub(super) fn plan_reminder(&mut self, now: Now) {
        let Some(closing) = self.closing.as_ref().filter(|closing| closing.is_woken()) else { return };
        let (reason, event) = (closing.verdict.reason, closing.warning());
        let GroupsObservation::Read(groups) = &self.observed.groups else { return };
        let until_warning = self.memory.pacing.until_warning(reason, &self.settings.pace, now.moment);
        let version = self.object.version.clone();
        let reminder = until_warning.map(|wait| Reminder {
            at: now.moment + wait,
            version,
            groups: groups.clone(),
            reason,
            event,
        });
        self.memory.pacing.set_reminder(reminder);
    }

    /// The reminder, if it is due and the object has not changed since. Takes it from memory, so that only a pass that still waits
    /// plans the next one.
    pub(super) fn due_reminder(&mut self, now: Now) -> Option<Box<Reminder>> {
        let reminder = self.memory.pacing.take_reminder()?;
        let is_due = reminder.at <= now.moment && reminder.version == self.object.version;
        is_due.then_some(reminder)
    }

    /// If the groups and the passwords are as they were, the pass ends without a call and without a write.
    pub(super) fn remind(&mut self, reminder: &Reminder, now: Now) -> Option<Request> {
        let GroupsObservation::Read(groups) = &self.observed.groups else {
            return Some(Request::ReadGroups(self.concerned_groups()));
        };
        let same_passwords = match self.passwords() {
            Some(Err(SecretProblem::NotRead)) => return Some(Request::ReadPasswords),
            Some(Ok(passwords)) => self.has_sent(passwords),
            Some(Err(_)) => false,
            None => true,
        };
        let is_same = *groups == reminder.groups && same_passwords;
        self.reminder = None;
        if !is_same {
            // The real pass asks for itself.
            self.observed.groups = GroupsObservation::NotRead;
            return None;
        }
        let Reminder { reason, event, .. } = reminder;
        let pace = &self.settings.pace;
        let due = self.memory.pacing.warn(Some(*reason), Some(reason.as_str()), pace, now.moment);
        let requeue = pace.until(Requeue::Woken, 1, std::time::Duration::ZERO, self.rolls.roll());
        let finish = self.finished(Some(requeue), PassResult::Done);
        self.finish = Some(Finish { is_settled: false, wishes: Wishes::NotSeen, ..finish });
        due.map(|due| Request::Publish(EventContent { warning: due.is_warning, ..event.clone() }))
    }
}

impl Reason {
    /// An ordinary change may cause such a wait. So its event is a Warning only if it lasts.
    pub(crate) fn passes_soon(self) -> bool {
        matches!(self, Self::WaitingForUserActive | Self::WaitingForUserGroup | Self::WaitingForPreviousUser)
    }
}
