//! What differs if the object of a pass has vanished: it exists only in the pass, so the pass makes its writes at once, and
//! nobody reads its events.

use super::{Awaiting, LogLevel, LogLine, Pass, Request};
use crate::orphan::why_left_alone;
use crate::{Action, Definition, Goal, Namesake, Now, ObjectFacts, ReleaseReason, Status};

impl Pass {
    pub(super) fn is_orphan(&self) -> bool {
        matches!(self.goal, Goal::Orphaned(_))
    }

    /// The object as this pass leaves it.
    #[must_use]
    pub fn into_object(self) -> ObjectFacts {
        self.object
    }

    pub(super) fn write_status(&mut self, status: Status, awaiting: Awaiting, now: Now) -> Option<Request> {
        if self.is_orphan() {
            self.written(ObjectFacts { status, ..self.object.clone() }, awaiting, now);
            return None;
        }
        self.awaiting = awaiting;
        Some(Request::WriteStatus(Box::new(status)))
    }

    pub(super) fn release_finalizer(&mut self, action: Action, now: Now) -> Option<Request> {
        if self.is_orphan() {
            let object = ObjectFacts { has_finalizer: false, ..self.object.clone() };
            self.written(object, Awaiting::Release(action), now);
            return None;
        }
        self.awaiting = Awaiting::Release(action);
        Some(Request::RemoveFinalizer)
    }

    pub(super) fn read_object(&self) -> Request {
        match &self.goal {
            Goal::Orphaned(orphan) => Request::ReadNamesake(Box::new(orphan.clone())),
            Goal::Present(_)
            | Goal::ObserveOnly(_)
            | Goal::Suspended(_)
            | Goal::Invalid { .. }
            | Goal::Absent(_) => Request::ReadObject,
        }
    }

    pub(super) fn read_namesake(&mut self, namesake: Namesake, awaiting: &Awaiting) {
        self.observed.namesake = namesake;
        if let Awaiting::Confirmation { definition } = awaiting {
            self.observed.object_confirmed = true;
            if *definition {
                self.observed.definition = Definition::NotRead;
            }
        }
    }

    /// The line that says, once, that the object vanished.
    pub(super) fn vanishing(&mut self) -> Option<LogLine> {
        let is_gone = match self.observed.namesake {
            Namesake::NotRead | Namesake::Itself => false,
            Namesake::Absent | Namesake::Wants | Namesake::Manages => true,
        };
        if !is_gone || self.object.terminating {
            return None;
        }
        self.object.terminating = true;
        let message = "the object vanished right after CreateUser was sent for it, in spite of its finalizer (kubernetes/kubernetes#77988); the operator looks for its AWS user";
        Some(self.orphan_line(LogLevel::Warn, message.to_owned()))
    }

    /// The line about what became of the user.
    pub(super) fn orphan_end(&self, action: &Action) -> Option<LogLine> {
        let (Goal::Orphaned(orphan), Action::ReleaseFinalizer(why)) = (&self.goal, action) else {
            return None;
        };
        Some(if *why == ReleaseReason::UserGone && self.has_deleted_orphan() {
            let message = "deleted the AWS user that the vanished object left behind";
            self.orphan_line(LogLevel::Warn, message.to_owned())
        } else {
            let why = why_left_alone(orphan, why);
            self.orphan_line(
                LogLevel::Info,
                format!("the AWS user of the vanished object is left alone: {why}"),
            )
        })
    }

    fn orphan_line(&self, level: LogLevel, message: String) -> LogLine {
        LogLine {
            level,
            step: "DeleteOrphan",
            user_id: self.user_id().to_owned(),
            event: None,
            reason: "Orphaned",
            code: None,
            message,
        }
    }

    /// AWS may have accepted a DeleteUser.
    pub(super) fn has_deleted_orphan(&self) -> bool {
        self.is_orphan() && self.observed.record.deletion.is_requested()
    }

    /// AWS refused DeleteUser, and nobody else sends one for an orphan.
    pub(super) fn take_delete_request_back(&mut self) {
        if self.is_orphan() {
            self.object.status.delete_requested_at = None;
            self.object.status.delete_requested_by = None;
        }
    }
}
