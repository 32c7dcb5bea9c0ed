//! Attempts and delays: when the next pass and the next Warning event of an object are due.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pace::{Pace, Requeue};
use crate::pass::EventContent;
use crate::verdict::{Progress, Reason, Verdict};
use crate::{MembershipState, Moment, Mutation, ResourceVersion, UserGroupId};

/// It changes only when something is done, never what is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pacing {
    failures: Failures,
    waiting: Option<(Reason, Moment)>,
    silent_since: Option<Moment>,
    denied_since: Option<Moment>,
    published: Option<Published>,
    /// In a box, because nearly all objects have none.
    accepted: Option<Box<Accepted>>,
    planned: Option<PlannedPass>,
    /// In a box, because nearly all objects have none.
    reminder: Option<Box<Reminder>>,
}

/// The pass that the last one asked for. Until then it has nothing to do, unless something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PlannedPass {
    pub(crate) at: Moment,
    /// Of the object.
    pub(crate) generation: Option<i64>,
    /// It only checks.
    pub(crate) is_settled: bool,
}

/// The next pass only has to publish this event if nothing has changed until then.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reminder {
    pub(crate) at: Moment,
    /// Of the object.
    pub(crate) version: ResourceVersion,
    /// What was known about the user's groups.
    pub(crate) groups: BTreeMap<UserGroupId, MembershipState>,
    pub(crate) reason: Reason,
    pub(crate) event: EventContent,
}

/// The event of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReasonEvent {
    pub(crate) reason: Reason,
    /// Otherwise it is Normal.
    pub(crate) is_warning: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Published {
    event: ReasonEvent,
    at: Moment,
}

/// A change that AWS accepted, and has not been seen to show since.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Accepted {
    change: Mutation,
    times: u32,
    /// Not to be sent again before this time.
    again: Moment,
}

/// Whether a mutation may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Send,
    /// AWS accepted it a moment ago and may need some time to show it.
    Wait,
    /// AWS accepted it more than once and does not show it.
    NotShown,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Failures {
    count: u32,
    due: Option<(Requeue, Moment)>,
}

impl Pacing {
    /// `silent`: AWS did not show the user's state.
    pub(crate) fn heard(&mut self, silent: bool, now: Moment) {
        self.silent_since = silent.then(|| self.silent_since.unwrap_or(now));
    }

    /// How long AWS has not shown the user's state.
    #[must_use]
    pub(crate) fn silence(&self, now: Moment) -> Duration {
        self.silent_since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// How long AWS has denied calls.
    #[must_use]
    pub(crate) fn denial(&self, now: Moment) -> Duration {
        self.denied_since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// Records a verdict and returns the delay until the next pass.
    #[must_use]
    pub fn schedule(&mut self, verdict: &Verdict, pace: &Pace, now: Moment, roll: f64) -> Duration {
        let denied = verdict.reason == Reason::AccessDenied;
        self.denied_since = denied.then(|| self.denied_since.unwrap_or(now));
        let since = match self.waiting {
            Some((reason, since)) if reason == verdict.reason => since,
            Some(_) | None => now,
        };
        self.waiting = Some((verdict.reason, since));
        // Then the object has to say something else, whatever the group does.
        let until_news =
            self.until_warning(verdict.reason, pace, now).or_else(|| self.until_stalled(pace, now));
        let delay = match verdict.requeue {
            Requeue::Backoff | Requeue::Slow | Requeue::Busy => {
                self.back_off(verdict.requeue, pace, now, roll)
            }
            requeue @ (Requeue::Now | Requeue::Poll | Requeue::Woken | Requeue::Resync) => {
                self.failures = Failures::default();
                let delay = pace.until(requeue, 0, now.since(since), roll);
                let news = until_news.filter(|_| requeue == Requeue::Woken);
                news.map_or(delay, |news| delay.min(news))
            }
        };
        self.until_deadline(verdict, pace, now).map_or(delay, |deadline| delay.min(deadline))
    }

    /// How long until the conditions change although nothing happens: Ready becomes Unknown, or a denied call Stalled.
    fn until_deadline(&self, verdict: &Verdict, pace: &Pace, now: Moment) -> Option<Duration> {
        match (verdict.progress, verdict.requeue) {
            (Progress::Unchanged, _) => {
                let rest = pace.stale_after.saturating_sub(self.silence(now));
                (!rest.is_zero()).then_some(rest)
            }
            (Progress::Reconciling, Requeue::Slow) => self.until_stalled(pace, now),
            _ => None,
        }
    }

    /// How long the object has waited for this reason.
    fn waited(&self, reason: Reason, now: Moment) -> Duration {
        match self.waiting {
            Some((before, since)) if before == reason => now.since(since),
            Some(_) | None => Duration::ZERO,
        }
    }

    /// How long AccessDenied is no reason for Stalled. `None`: AWS denies nothing, or has for long.
    fn until_stalled(&self, pace: &Pace, now: Moment) -> Option<Duration> {
        let rest = pace.denied_patience.saturating_sub(now.since(self.denied_since?));
        (!rest.is_zero()).then_some(rest)
    }

    /// How long the event of this reason is Normal. `None`: it is a Warning.
    pub(crate) fn until_warning(&self, reason: Reason, pace: &Pace, now: Moment) -> Option<Duration> {
        let rest = pace.event_patience.saturating_sub(self.waited(reason, now));
        (reason.passes_soon() && !rest.is_zero()).then_some(rest)
    }

    pub(crate) fn set_reminder(&mut self, reminder: Option<Reminder>) {
        self.reminder = reminder.map(Box::new);
    }

    pub(crate) fn take_reminder(&mut self) -> Option<Box<Reminder>> {
        self.reminder.take()
    }

    pub(crate) fn set_planned(&mut self, planned: Option<PlannedPass>) {
        self.planned = planned;
    }

    pub(crate) fn take_planned(&mut self) -> Option<PlannedPass> {
        self.planned.take()
    }

    /// AWS accepted the change.
    pub(crate) fn accepted(&mut self, change: Mutation, pace: &Pace, now: Moment, roll: f64) {
        let before = self.accepted.take().filter(|before| before.change == change);
        let times = before.map_or(0, |before| before.times).saturating_add(1);
        let again = now + pace.until(Requeue::Backoff, times, Duration::ZERO, roll);
        self.accepted = Some(Box::new(Accepted { change, times, again }));
    }

    /// AWS shows what the spec asks for.
    pub(crate) fn in_sync(&mut self) {
        self.accepted = None;
    }

    /// Whether this change may be sent, although AWS may have accepted it before.
    pub(crate) fn repeat(&self, change: &Mutation, now: Moment) -> Repeat {
        match self.accepted.as_deref().filter(|accepted| accepted.change == *change) {
            Some(accepted) if accepted.again <= now => Repeat::Send,
            Some(Accepted { times: 1, .. }) => Repeat::Wait,
            Some(_) => Repeat::NotShown,
            None => Repeat::Send,
        }
    }

    /// The change that AWS accepted more than once, because it does not show it.
    pub(crate) fn repeated(&self) -> Option<&Mutation> {
        self.accepted.as_ref().filter(|accepted| accepted.times > 1).map(|accepted| &accepted.change)
    }

    /// How long the change that AWS accepted must not be sent again.
    pub(crate) fn until_repeat(&self, now: Moment) -> Duration {
        self.accepted.as_ref().map_or(Duration::ZERO, |accepted| accepted.again.since(now))
    }

    /// The delay after a failure. A pass that a watch event started early does not count as another attempt.
    #[must_use]
    pub fn back_off(&mut self, requeue: Requeue, pace: &Pace, now: Moment, roll: f64) -> Duration {
        if let Some((before, due)) = self.failures.due
            && before == requeue
            && due > now
        {
            return due.since(now);
        }
        self.failures.count = self.failures.count.saturating_add(1);
        let delay = pace.until(requeue, self.failures.count, Duration::ZERO, roll);
        self.failures.due = Some((requeue, now + delay));
        delay
    }

    /// An event is due if the reason is new, and again at intervals while it lasts. A reason that status had before this process
    /// started counts as published. What passes soon is Normal at first, and a Warning if it lasts.
    pub(crate) fn warn(
        &mut self,
        warning: Option<Reason>,
        shown_before: Option<&str>,
        pace: &Pace,
        now: Moment,
    ) -> Option<ReasonEvent> {
        let Some(reason) = warning else {
            self.published = None;
            return None;
        };
        let event = ReasonEvent { reason, is_warning: self.until_warning(reason, pace, now).is_none() };
        let is_published = match &self.published {
            Some(before) if before.event == event => now.since(before.at) < pace.event_repeat,
            Some(_) => false,
            None => shown_before == Some(reason.as_str()),
        };
        if !is_published || self.published.is_none() {
            self.published = Some(Published { event, at: now });
        }
        (!is_published).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: f64) -> Moment {
        Moment::after_start(Duration::from_secs_f64(seconds))
    }

    fn verdict(reason: Reason, requeue: Requeue) -> Verdict {
        Verdict {
            progress: Progress::Reconciling,
            reason,
            message: String::new(),
            completed: Vec::new(),
            requeue,
        }
    }

    fn warning(reason: Reason) -> Option<ReasonEvent> {
        Some(ReasonEvent { reason, is_warning: true })
    }

    #[test]
    fn a_failure_counts_once_for_each_elapsed_backoff() {
        let (mut pacing, pace) = (Pacing::default(), Pace::default());
        let failed = verdict(Reason::Throttled, Requeue::Backoff);
        assert_eq!(pacing.schedule(&failed, &pace, at(0.0), 0.0), SECOND);
        // A pass after a watch event 0.4 s later counts as the same attempt.
        assert_eq!(pacing.schedule(&failed, &pace, at(0.4), 0.0), Duration::from_millis(600));
        assert_eq!(pacing.schedule(&failed, &pace, at(1.0), 0.0), 2 * SECOND);
        // After a success the count begins again.
        let _ = pacing.schedule(&verdict(Reason::Active, Requeue::Resync), &pace, at(1.0), 0.0);
        assert_eq!(pacing.schedule(&failed, &pace, at(1.0), 0.0), SECOND);
    }

    #[test]
    fn a_wait_is_polled_by_the_time_waited_for_this_reason() {
        let (mut pacing, pace) = (Pacing::default(), Pace::default());
        let deleting = verdict(Reason::DeletingUser, Requeue::Poll);
        let first = pacing.schedule(&deleting, &pace, at(0.0), 0.0);
        let late = pacing.schedule(&deleting, &pace, at(40.0), 0.0);
        assert!(first < SECOND && late > 6 * SECOND, "{first:?}, then {late:?}");
        let other = verdict(Reason::WaitingForUserActive, Requeue::Poll);
        assert_eq!(pacing.schedule(&other, &pace, at(40.0), 0.0), first);
    }

    #[test]
    fn a_warning_is_published_on_change_and_then_every_ten_minutes() {
        let (mut pacing, pace) = (Pacing::default(), Pace::default());
        let (throttled, denied) = (Some(Reason::Throttled), Some(Reason::AccessDenied));
        let shown = |reason: Option<Reason>| reason.map(Reason::as_str);
        assert_eq!(pacing.warn(throttled, None, &pace, at(0.0)), warning(Reason::Throttled));
        assert_eq!(pacing.warn(throttled, shown(throttled), &pace, at(0.0)), None);
        assert_eq!(pacing.warn(denied, shown(throttled), &pace, at(0.0)), warning(Reason::AccessDenied));
        assert_eq!(pacing.warn(denied, shown(denied), &pace, at(599.0)), None);
        assert_eq!(pacing.warn(denied, shown(denied), &pace, at(600.0)), warning(Reason::AccessDenied));
        assert_eq!(pacing.warn(None, shown(denied), &pace, at(600.0)), None);
        assert_eq!(pacing.warn(denied, Some("Active"), &pace, at(600.0)), warning(Reason::AccessDenied));
    }

    #[test]
    fn an_object_that_waits_for_a_group_is_looked_at_again_when_a_denial_becomes_stalled() {
        let (mut pacing, pace) = (Pacing::default(), Pace::default());
        let denied = verdict(Reason::AccessDenied, Requeue::Woken);
        assert_eq!(pacing.schedule(&denied, &pace, at(0.0), 0.0), 300 * SECOND);
        assert_eq!(pacing.schedule(&denied, &pace, at(100.0), 0.0), 200 * SECOND);
        assert_eq!(pacing.schedule(&denied, &pace, at(300.0), 0.0), 540 * SECOND);
    }

    #[test]
    fn a_wait_that_passes_soon_is_a_warning_only_after_a_minute() {
        use Reason::{WaitingForPreviousUser, WaitingForUserActive, WaitingForUserGroup};
        for reason in [WaitingForUserActive, WaitingForUserGroup, WaitingForPreviousUser] {
            let (mut pacing, pace) = (Pacing::default(), Pace::default());
            let mut pass = |seconds: f64| {
                let delay = pacing.schedule(&verdict(reason, Requeue::Woken), &pace, at(seconds), 0.0);
                (
                    delay,
                    pacing.warn(
                        Some(reason),
                        Some(reason.as_str()).filter(|_| seconds > 0.0),
                        &pace,
                        at(seconds),
                    ),
                )
            };
            assert_eq!(pass(0.0), (60 * SECOND, Some(ReasonEvent { reason, is_warning: false })));
            assert_eq!(pass(20.0), (40 * SECOND, None), "the next pass comes when the Warning is due");
            assert_eq!(pass(60.0), (540 * SECOND, warning(reason)));
            assert_eq!(pass(659.0).1, None);
            assert_eq!(pass(660.0).1, warning(reason));
        }
    }

    #[test]
    fn a_warning_that_status_showed_before_a_restart_is_not_published_at_once() {
        let (mut pacing, pace) = (Pacing::default(), Pace::default());
        let denied = Some(Reason::AccessDenied);
        assert_eq!(pacing.warn(denied, Some("AccessDenied"), &pace, at(0.0)), None);
        assert_eq!(
            pacing.warn(denied, Some("AccessDenied"), &pace, at(600.0)),
            warning(Reason::AccessDenied)
        );
    }
}
