//! How a pass reports: log, status, events and the next requeue. All of them follow from the same action and outcome, so
//! that they cannot contradict each other.

use std::collections::VecDeque;
use std::time::Duration;

use super::events::{note, reason_event, step};
use super::groups::GroupReport;
use super::{Awaiting, Counted, EventContent, LogLevel, LogLine, Pass, PassResult, Request};
use crate::memory::ReasonEvent;
use crate::pace::Requeue;
use crate::text::escaped;
use crate::verdict::{Completed, Outcome, Progress, Reason, Verdict, VerdictContext, not_shown};
use crate::{
    Action, ConditionType, Creation, Fault, Goal, Moment, Now, Refusal, Report, Status, UserObservation,
    Wait, differs, next_status,
};

/// What the pass did, and what it still has to report.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Closing {
    pub(super) action: Action,
    pub(super) outcome: Outcome,
    pub(super) verdict: Verdict,
    /// The reason of Ready before this pass.
    shown: Option<String>,
    /// The message of Ready was another one before this pass.
    is_news: bool,
    queue: VecDeque<Request>,
    pub(super) groups: GroupReport,
    stage: Stage,
}

impl Closing {
    /// The next pass is only a check.
    pub(super) fn is_settled(&self) -> bool {
        self.verdict.requeue == Requeue::Resync
    }

    /// The event of the reason, as a Warning.
    pub(super) fn warning(&self) -> EventContent {
        let event = ReasonEvent { reason: self.verdict.reason, is_warning: true };
        reason_event(event, &self.action, &self.verdict)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// The pass writes status next.
    Status,
    /// Everything is written.
    End { requeue: Option<Duration>, result: PassResult },
    /// The object is gone.
    Gone,
}

impl Pass {
    /// Begins the report about the last action.
    pub(super) fn close(&mut self, action: Action, outcome: Outcome, now: Now) {
        self.learn_from_outcome(&action, &outcome, now);
        // An answer of DescribeUsers is not enough: without its tags, nobody knows whether a user is in sync.
        let hidden = matches!(&action, Action::Wait(Wait::Failed(_, fault)) if !fault.shows_user_state());
        let silent = hidden || action == Action::Wait(Wait::BusyForOthers);
        self.memory.pacing.heard(silent, now.moment);
        let groups = self.group_report(&action, &outcome);
        let mut verdict = self.verdict(&action, &outcome, &groups.changes, now.moment);
        // The same message while the change is sent again and AWS applies it, so that status does not alternate.
        if let Some(change) = self.memory.pacing.repeated().filter(|_| verdict.reason == Reason::Modifying) {
            verdict.message = not_shown(change, self.user_id());
        }
        let queue = self.log_lines(&action, &outcome, &verdict).into_iter().map(Request::Log).collect();
        let ready = self.object.status.condition(ConditionType::Ready);
        let is_news = ready.is_none_or(|ready| ready.message != escaped(&verdict.message));
        let shown = ready.map(|ready| ready.reason.clone());
        let stage = Stage::Status;
        self.closing = Some(Closing { action, outcome, verdict, shown, is_news, queue, groups, stage });
    }

    pub(super) fn report(&mut self, now: Now) -> Option<Request> {
        let publishes = !self.is_orphan();
        let closing = self.closing.as_mut()?;
        // Nobody reads the events of an object that is gone.
        closing.queue.retain(|request| publishes || !matches!(request, Request::Publish(_)));
        if let Some(request) = closing.queue.pop_front() {
            return Some(request);
        }
        match &closing.stage {
            Stage::Status => self.write_final_status(now),
            Stage::Gone => {
                self.object_is_gone();
                None
            }
            Stage::End { requeue, result } => {
                let (requeue, result) = (*requeue, result.clone());
                match result {
                    PassResult::Done => {
                        let is_settled = closing.is_settled();
                        // A pass that the coordinator of the groups wakes has to look at the user.
                        let planned = requeue.filter(|_| !closing.is_woken());
                        self.plan_next(planned, is_settled, now.moment);
                        self.plan_reminder(now);
                        self.finish = Some(self.finished(requeue, PassResult::Done));
                    }
                    PassResult::Conflict => self.conflict(),
                    PassResult::Ending
                    | PassResult::KubernetesFailed { .. }
                    | PassResult::TimedOut
                    | PassResult::Endless => self.back_off(result, now),
                }
                None
            }
        }
    }

    fn write_final_status(&mut self, now: Now) -> Option<Request> {
        let Closing { action, outcome, verdict, .. } = self.closing.clone()?;
        if outcome == Outcome::Released && !self.object.has_finalizer && !self.object.has_other_finalizers {
            let events = self.completed_events(&action, &verdict);
            let closing = self.closing.as_mut()?;
            closing.queue.extend(events);
            closing.stage = Stage::Gone;
            return None;
        }
        match self.status_after(&action, &outcome, &verdict, now) {
            Some(status) => self.write_status(status, Awaiting::FinalStatus, now),
            None => {
                self.final_status_written(Ok(()), now);
                None
            }
        }
    }

    /// Publishes what was done even if the status write failed.
    pub(super) fn final_status_written(&mut self, written: Result<(), PassResult>, now: Now) {
        let Some(Closing { action, verdict, shown, is_news, .. }) = self.closing.clone() else { return };
        let of_groups = if written.is_ok() { self.group_events() } else { Vec::new() };
        let roll = self.rolls.roll();
        let pace = &self.settings.pace;
        let mut delay = self.memory.pacing.schedule(&verdict, pace, now.moment, roll);
        if matches!(action, Action::Wait(Wait::NotShown(_))) {
            delay = delay.max(self.memory.pacing.until_repeat(now.moment));
        }
        let mut events = self.completed_events(&action, &verdict);
        let result = match written {
            Ok(()) => {
                events.extend(of_groups);
                let waits = self.waits_for_secret(&action);
                self.memory.wait_for_secret(&self.object, waits);
                // The warning lasts while the change is sent again and AWS applies it.
                let is_refused =
                    verdict.reason == Reason::Modifying && self.memory.pacing.repeated().is_some();
                let warning = if is_refused { Some(Reason::AWSRefused) } else { verdict.warning() };
                let due = self.memory.pacing.warn(warning, shown.as_deref(), pace, now.moment);
                events.extend(due.map(|due| reason_event(due, &action, &verdict)).map(Request::Publish));
                events.extend(self.overlong_request(&action));
                events.extend(self.broken_rules(&action, &verdict, is_news));
                PassResult::Done
            }
            Err(result) => result,
        };
        if let Some(closing) = &mut self.closing {
            closing.queue.extend(events);
            closing.stage = Stage::End { requeue: Some(delay), result };
        }
    }

    /// Status shows that a Secret is missing, and AWS was asked in this pass or before.
    fn waits_for_secret(&self, action: &Action) -> bool {
        let is_asked = match &self.observed.user {
            UserObservation::Found(_) => true,
            // The user may be about to appear, and then the object needs the finalizer.
            UserObservation::Absent => self.observed.record.creation == Creation::Closed,
            UserObservation::NotRead | UserObservation::Failed(_) => self.observed.record.waits_for_secret,
        };
        is_asked
            && matches!(action, Action::Wait(Wait::Secret(_)) | Action::Refuse(Refusal::InvalidPassword(_)))
    }

    pub(super) fn status_after(
        &self,
        action: &Action,
        outcome: &Outcome,
        verdict: &Verdict,
        now: Now,
    ) -> Option<Status> {
        next_status(&Report {
            object: &self.object,
            goal: &self.goal,
            observed: &self.observed,
            action,
            outcome,
            verdict,
            former_request: self.former_request,
            passwords_accepted_at: self.memory.passwords_accepted_at,
            memberships: self.closing.as_ref().and_then(|closing| closing.groups.memberships.as_ref()),
            has_unsent_create: self.has_unsent_create,
            repeats_create: self.memory.create_requested.is_some()
                && self.memory.create_requested == self.object.generation,
            identity: &self.settings.identity,
            now: now.utc,
        })
    }

    fn learn_from_outcome(&mut self, action: &Action, outcome: &Outcome, now: Now) {
        // From now on status describes the user that exists.
        let sends = matches!(action, Action::Create(_) | Action::Modify(_));
        let applied = *action == Action::InSync || sends && matches!(outcome, Outcome::Accepted(_));
        self.memory.seen_gone &= !applied;
        if *action == Action::InSync {
            self.memory.pacing.in_sync();
            if let Some(Ok(passwords)) = self.passwords() {
                self.memory.sent_passwords = Some(passwords.clone());
            }
        }
        if matches!(outcome, Outcome::Accepted(_) | Outcome::Tagged(_))
            && let Some(change) = action.mutation().and_then(|mutation| mutation.change())
        {
            let roll = self.rolls.roll();
            self.memory.pacing.accepted(change, &self.settings.pace, now.moment, roll);
        }
        if *outcome == Outcome::NotFound {
            self.memory.owner = None;
        }
        if let (Some(sent), Outcome::Accepted(_)) = (action.authentication(), outcome) {
            self.memory.passwords_accepted_at = sent.has_passwords().then(|| now.utc.to_seconds());
        }
        match (action, outcome) {
            (Action::Create(create), Outcome::Accepted(user)) => {
                let owner = self.goal.owner();
                self.memory.owner =
                    owner.map(|owner| Box::new((user.arn.clone(), owner.evaluate(&create.tags))));
                self.memory.sent_passwords = create.authentication.passwords().cloned();
                let (roll, generation) = (self.rolls.roll(), self.object.generation);
                self.memory.tags_match(generation, &self.settings.pace, now.moment, roll);
            }
            (Action::Modify(modify), Outcome::Accepted(_)) => {
                self.memory.modify_sent = true;
                if let Some(authentication) = &modify.changes.authentication {
                    self.memory.sent_passwords = authentication.passwords().cloned();
                }
            }
            (Action::Delete(_), Outcome::Accepted(_)) => self.settle_creation(),
            // AWS refused CreateUser. The status write that removes `createRequestedAt` may fail, so remember that the
            // creation is settled.
            (Action::Create(_), outcome)
                if outcome.is_refusal() && self.observed.record.creation == Creation::Closed =>
            {
                self.settle_creation();
                self.memory.creation_refused = true;
            }
            (Action::Tag(crate::Tag { arn, .. }) | Action::Untag(crate::Untag { arn, .. }), outcome) => {
                self.learn_from_tagging(arn, outcome, now);
            }
            _ => {}
        }
    }

    pub(super) fn context(&self, now: Moment) -> VerdictContext<'_> {
        let user = match &self.observed.user {
            UserObservation::Found(user) => Some(user),
            UserObservation::NotRead | UserObservation::Absent | UserObservation::Failed(_) => None,
        };
        let (pace, pacing) = (&self.settings.pace, &self.memory.pacing);
        let stalled = self.object.status.condition(ConditionType::Stalled);
        let was_denied = stalled.is_some_and(|stalled| stalled.reason == Reason::AccessDenied.as_str());
        VerdictContext {
            deleting: self.goal.is_deletion(),
            namespace: &self.object.namespace,
            name: &self.object.name,
            user_id: self.user_id(),
            arn: user.map(|user| &user.arn).or(self.observed.record.arn.as_ref()),
            user,
            groups: &[],
            is_ready: self.observed.record.readiness.is_ready(),
            differs: differs(&self.goal, &self.observed),
            stale: pacing.silence(now) >= pace.stale_after,
            denied_for_long: pacing.denial(now) >= pace.denied_patience || was_denied,
        }
    }

    /// Empty if the pass calls AWS for no user.
    pub(super) fn user_id(&self) -> &str {
        let user_id = match &self.goal {
            Goal::Present(desired) | Goal::ObserveOnly(desired) => Some(&desired.user_id),
            Goal::Absent(deletion) => deletion.user_id.as_ref(),
            Goal::Orphaned(orphan) => Some(&orphan.user_id),
            Goal::Invalid { .. } | Goal::Suspended(_) => None,
        };
        user_id.map(crate::UserId::as_str).unwrap_or_default()
    }

    fn completed_events(&self, action: &Action, verdict: &Verdict) -> Vec<Request> {
        let event = |done: &Completed| {
            let event = Request::Publish(EventContent {
                warning: matches!(done, Completed::LeftAlone(_)),
                reason: done.reason(),
                action: step(action),
                note: note(done, action, verdict, self.user_id()),
            });
            let counted = match done {
                Completed::Corrected(_) => Some(Counted::Correction),
                Completed::Deleted if self.has_deleted_orphan() => Some(Counted::OrphanRemoved),
                Completed::Created
                | Completed::Modified
                | Completed::Rotated
                | Completed::Adopted
                | Completed::DeletionStarted
                | Completed::Deleted
                | Completed::Retained
                | Completed::AddedToUserGroup
                | Completed::RemovedFromUserGroup
                | Completed::LeftAlone(_) => None,
            };
            [Some(event), counted.map(Request::Count)]
        };
        verdict.completed.iter().flat_map(event).flatten().collect()
    }

    /// One line for each thing that was done, with the text of its event. If nothing was done, one line for what the pass
    /// waits for.
    fn log_lines(&self, action: &Action, outcome: &Outcome, verdict: &Verdict) -> Vec<LogLine> {
        if let Some(line) = self.orphan_end(action) {
            return vec![line];
        }
        let line = |level, event, message: String| LogLine {
            level,
            step: step(action),
            user_id: self.user_id().to_owned(),
            event,
            reason: verdict.reason.as_str(),
            code: None,
            message,
        };
        if !verdict.completed.is_empty() {
            let done = verdict.completed.iter();
            return done
                .map(|done| {
                    line(LogLevel::Info, Some(done.reason()), note(done, action, verdict, self.user_id()))
                })
                .collect();
        }
        let ready = self.object.status.condition(ConditionType::Ready);
        let is_known = ready.is_some_and(|ready| ready.message == escaped(&verdict.message));
        let fault = reported_fault(action, outcome);
        let level = match verdict.progress {
            _ if fault.is_some() => LogLevel::Warn,
            Progress::Unknown | Progress::Stalled => LogLevel::Warn,
            Progress::Unchanged
            | Progress::Ready
            | Progress::SuspendedReady
            | Progress::SuspendedNotReady => LogLevel::Debug,
            Progress::Reconciling | Progress::Deleting if is_known => LogLevel::Debug,
            Progress::Reconciling | Progress::Deleting => LogLevel::Info,
        };
        let code = fault.map(|fault| fault.error().code.clone());
        vec![LogLine { code, ..line(level, None, verdict.message.clone()) }]
    }
}

fn reported_fault<'a>(action: &'a Action, outcome: &'a Outcome) -> Option<&'a Fault> {
    match (action, outcome) {
        (_, Outcome::Failed(fault)) | (Action::Wait(Wait::Failed(_, fault)), _) => Some(fault),
        _ => None,
    }
}
