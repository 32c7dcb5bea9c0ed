//! I/O: what people are told of a pass: status, events, logs; and what this process remembers of it.

use aws::UserApi;
use kube::ResourceExt;
use plan::verdict::{Done, Outcome, Progress, Standing, Verdict, verdict};
use plan::{Account, Action, Arn, Creation, Fault, Goal, Sight, Wait};

use super::{Ended, Pass};
use crate::api::full_name;
use crate::objects::{Interruption, News};
use crate::report::read;

impl<U: UserApi> Pass<'_, U> {
    /// Status, event and the next visit, all from the same action and outcome.
    pub(super) async fn report(&mut self, action: &Action, outcome: &Outcome) -> Result<Ended, Interruption> {
        self.learn_from_outcome(action, outcome);
        // DescribeUsers alone does not tell the whole state: a user whose tags cannot be read is not known to be as it should.
        self.entry.heard(matches!(action, Action::Wait(Wait::Failed(_, fault)) if fault.tells_nothing()));
        let verdict = verdict(action, outcome, &self.standing());
        self.log(action, outcome, &verdict);
        let shown = read::shown_reason(&self.object);
        let gone = *outcome == Outcome::Released && self.object.finalizers().is_empty();
        if gone {
            self.tell_done(action, &verdict).await;
            return Ok(Ended::Gone);
        }
        let written = self.write(action, outcome, &verdict).await;
        let next = self.entry.schedule(&verdict, &self.shell.pace, fastrand::f64());
        // It was done, whether or not status says so yet.
        self.tell_done(action, &verdict).await;
        written?;
        if let Some(reason) = self.entry.tell(verdict.warning(), shown, &self.shell.pace) {
            let action = step(action);
            let note = verdict.message.clone();
            self.tell(News { warning: true, reason: reason.as_str(), action, note }).await;
        }
        Ok(Ended::Next(next))
    }

    fn learn_from_outcome(&mut self, action: &Action, outcome: &Outcome) {
        // From now on status speaks of the user that is there.
        let sends = matches!(action, Action::Create(_) | Action::Modify(_));
        let applied = *action == Action::Rest || sends && matches!(outcome, Outcome::Accepted(_));
        self.entry.gone &= !applied;
        match (action, outcome) {
            (Action::Create(create), Outcome::Accepted(user)) => {
                self.entry.owner =
                    self.goal.owner().map(|owner| (user.arn.clone(), owner.judge(&create.tags)));
                self.entry.sent = create.authentication.passwords().cloned();
                self.entry.tags_match(self.object.metadata.generation, &self.shell.pace, fastrand::f64());
                self.learn_account(Account::Known(user.arn.account().to_owned()));
            }
            (Action::Modify(modify), outcome) => {
                self.learn_from_modify(modify, outcome);
                if *outcome == Outcome::NotFound {
                    self.entry.owner = None;
                }
            }
            (Action::Delete(_), Outcome::Accepted(_)) => self.settle_creation(),
            // Should the status write that takes it back not come through: this request opens no window.
            (Action::Create(_), outcome)
                if outcome.is_refusal() && self.observed.record.creation == Creation::Closed =>
            {
                self.settle_creation();
            }
            (Action::Tag(plan::Tag { arn, .. }) | Action::Untag(plan::Untag { arn, .. }), outcome) => {
                self.learn_from_tagging(arn, outcome);
            }
            (_, Outcome::NotFound) => self.entry.owner = None,
            _ => {}
        }
    }

    /// Which passwords AWS has now.
    fn learn_from_modify(&mut self, modify: &plan::Modify, outcome: &Outcome) {
        let Some(authentication) = &modify.changes.authentication else { return };
        if matches!(outcome, Outcome::Accepted(_)) {
            self.entry.sent = authentication.passwords().cloned();
        } else if !outcome.is_refusal() {
            // It may have taken effect.
            self.entry.sent = None;
        }
    }

    /// AWS answers with all tags that the user has now; without an answer they are read again.
    fn learn_from_tagging(&mut self, arn: &Arn, outcome: &Outcome) {
        self.entry.owner = None;
        if let (Outcome::Tagged(tags), Some(owner)) = (outcome, self.goal.owner()) {
            self.entry.owner = Some((arn.clone(), owner.judge(tags)));
            self.note_tags(tags);
        }
    }

    pub(super) fn standing(&self) -> Standing<'_> {
        let user = match &self.observed.user {
            Sight::Seen(user) => Some(user),
            Sight::Unseen | Sight::Absent | Sight::Failed(_) => None,
        };
        Standing {
            leaving: matches!(self.goal, Goal::Gone(_)),
            namespace: self.object.metadata.namespace.as_deref().unwrap_or_default(),
            name: self.object.metadata.name.as_deref().unwrap_or_default(),
            user_id: self.user_id(),
            arn: user.map(|user| &user.arn).or(self.observed.record.arn.as_ref()),
            user,
            settled: self.observed.record.settled,
            differs: plan::differs(&self.goal, &self.observed),
            stale: self.entry.silence() >= self.shell.pace.stale_after,
            denied_for_long: self.entry.denial() >= self.shell.pace.denied_patience
                || read::stalled_by_denial(&self.object),
        }
    }

    /// The user ID that the pass is about; empty where it calls AWS for none.
    fn user_id(&self) -> &str {
        let user_id = match &self.goal {
            Goal::Present(desired) | Goal::Compared(desired) => Some(&desired.user_id),
            Goal::Gone(departure) => departure.user_id.as_ref(),
            Goal::Unattainable { .. } | Goal::Suspended(_) => None,
        };
        user_id.map(plan::UserId::as_str).unwrap_or_default()
    }

    async fn tell_done(&self, action: &Action, verdict: &Verdict) {
        for done in &verdict.done {
            if matches!(done, Done::Corrected(_)) {
                self.shell.corrections.inc();
            }
            let warning = matches!(done, Done::Left(_));
            let note = told(done, action, verdict, self.user_id());
            self.tell(News { warning, reason: done.reason(), action: step(action), note }).await;
        }
    }

    async fn tell(&self, news: News) {
        self.shell.objects.publish(&self.object, &news).await;
    }

    /// One line for each thing that was done, as its event tells it; else one for what is in the way, or waited for.
    fn log(&self, action: &Action, outcome: &Outcome, verdict: &Verdict) {
        let (object, step, reason) = (full_name(&self.object), step(action), verdict.reason.as_str());
        let user_id = self.user_id();
        let request_id = aws::last_request_id();
        for done in &verdict.done {
            let note = told(done, action, verdict, user_id);
            let event = done.reason();
            tracing::info!(%object, user_id, step, event, reason, request_id, "{note}");
        }
        let (fault, message) = (fault(action, outcome), &verdict.message);
        let code = fault.map(|fault| fault.said().code.as_str());
        match verdict.progress {
            _ if !verdict.done.is_empty() => {
                tracing::debug!(%object, user_id, step, reason, "{message}")
            }
            _ if fault.is_some() => {
                tracing::warn!(%object, user_id, step, reason, code, request_id, "{message}");
            }
            Progress::Done | Progress::PausedReady | Progress::PausedUnready => {
                tracing::debug!(%object, user_id, step, reason, "{message}")
            }
            Progress::Unknown | Progress::Unchanged | Progress::Stalled => {
                tracing::warn!(%object, user_id, step, reason, request_id, "{message}");
            }
            // Still waiting for the same thing.
            Progress::Reconciling | Progress::Leaving
                if read::shown_message(&self.object) == Some(message) =>
            {
                tracing::debug!(%object, user_id, step, reason, "{message}");
            }
            Progress::Reconciling | Progress::Leaving => {
                tracing::info!(%object, user_id, step, reason, request_id, "{message}");
            }
        }
    }
}

/// The note of a Normal event: what was done, in the past tense where the condition speaks of what follows.
fn told(done: &Done, action: &Action, verdict: &Verdict, id: &str) -> String {
    match done {
        _ if matches!(action, Action::Release(_)) => verdict.message.clone(),
        Done::Corrected(differences) => {
            format!("Somebody changed AWS user \"{id}\"; it is put right: {}.", differences.join("; "))
        }
        Done::Rotated => format!("AWS accepted the new passwords of user \"{id}\"."),
        Done::Modified if !matches!(action, Action::Modify(_)) => verdict.message.clone(),
        Done::Created => format!("AWS accepted CreateUser of \"{id}\"."),
        Done::Modified => format!("AWS accepted ModifyUser of \"{id}\" and applies it now."),
        Done::DeletionStarted => format!("AWS accepted DeleteUser of \"{id}\"."),
        Done::Adopted | Done::Deleted | Done::Retained | Done::Left(_) => verdict.message.clone(),
    }
}

/// What a call of this pass failed for.
fn fault<'a>(action: &'a Action, outcome: &'a Outcome) -> Option<&'a Fault> {
    match (action, outcome) {
        (_, Outcome::Failed(fault)) | (Action::Wait(Wait::Failed(_, fault)), _) => Some(fault),
        _ => None,
    }
}

/// One word for what the pass does: in logs, and as an event's `action`.
pub(super) fn step(action: &Action) -> &'static str {
    match action {
        Action::Look(_) => "Look",
        Action::AddFinalizer => "AddFinalizer",
        Action::Announce(_) => "Announce",
        Action::Create(_) => "CreateUser",
        Action::Modify(_) => "ModifyUser",
        Action::Tag(_) => "AddTagsToResource",
        Action::Untag(_) => "RemoveTagsFromResource",
        Action::Delete(_) => "DeleteUser",
        Action::Release(_) => "Release",
        Action::Wait(_) => "Wait",
        Action::Refuse(_) => "Refuse",
        Action::Rest => "Rest",
        Action::Pause { .. } => "Suspend",
        Action::Compare(_) => "Observe",
    }
}
