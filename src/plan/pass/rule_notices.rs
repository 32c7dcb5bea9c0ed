//! What a pass says of an annotation that it ignores, and of rules that the object breaks.

use super::events::step;
use super::{EventContent, Pass, Request};
use crate::access_string::shortcomings;
use crate::object::LONGEST_REQUEST;
use crate::verdict::{Outcome, Progress, Verdict, VerdictContext, notices, verdict};
use crate::{Action, Goal, MembershipChange, Moment};

impl Pass {
    /// The verdict, with what the rules of the operator's administrator mean for the user.
    pub(super) fn verdict(
        &self,
        action: &Action,
        outcome: &Outcome,
        groups: &[MembershipChange],
        now: Moment,
    ) -> Verdict {
        let mut verdict = verdict(action, outcome, &VerdictContext { groups, ..self.context(now) });
        let shortcomings = self.shortcomings(&verdict).into_iter().map(str::to_owned);
        for notice in shortcomings.chain(self.notices(&verdict)) {
            verdict.message.push(' ');
            verdict.message.push_str(&notice);
        }
        verdict
    }

    fn shortcomings(&self, verdict: &Verdict) -> Vec<&'static str> {
        match (verdict.progress, &self.goal) {
            (Progress::Ready, Goal::Present(desired) | Goal::ObserveOnly(desired)) => {
                shortcomings(&desired.access_string)
            }
            _ => Vec::new(),
        }
    }

    fn notices(&self, verdict: &Verdict) -> Vec<String> {
        match (verdict.progress, &self.goal) {
            (Progress::Ready, _) | (Progress::Deleting, Goal::Absent(_)) => notices(&self.goal),
            _ => Vec::new(),
        }
    }

    /// One event about the rules that the object breaks. `is_news`: the message did not say so before.
    pub(super) fn broken_rules(
        &mut self,
        action: &Action,
        verdict: &Verdict,
        is_news: bool,
    ) -> Option<Request> {
        let note = self.notices(verdict).join(" ");
        if note.is_empty() {
            return None;
        }
        let told = std::mem::replace(&mut self.memory.told_rules, note.clone()) == note;
        (is_news && !told).then(|| warning("RuleBroken", action, note))
    }

    /// One event for as long as the annotation is too long.
    pub(super) fn overlong_request(&mut self, action: &Action) -> Option<Request> {
        let told =
            std::mem::replace(&mut self.memory.told_overlong_request, self.object.has_overlong_request);
        let note = format!(
            "The annotation elasticache-users.dev/reconcile-requested-at is longer than {LONGEST_REQUEST} characters and is \
             ignored. Set a shorter value, for example the time."
        );
        // The person who set it would otherwise wait for an echo that never comes.
        (self.object.has_overlong_request && !told).then(|| warning("ReconcileRequestIgnored", action, note))
    }
}

fn warning(reason: &'static str, action: &Action, note: String) -> Request {
    Request::Publish(EventContent { warning: true, reason, action: step(action), note })
}
