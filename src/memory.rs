//! No I/O: what this process remembers of each object between passes. Everything here may be lost at any time: a restart
//! costs some calls, never correctness.

mod departure;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use plan::pace::{Pace, Visit};
use plan::verdict::{Reason, Verdict};
use plan::{Arn, Ownership, Passwords};
use tokio::time::Instant;

pub use departure::Departure;

/// The memory of all objects, by uid.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<String, Entry>>);

/// The memory of one object. A pass takes a copy and puts it back when it ends.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Whose the user was when its tags were last read.
    pub owner: Option<(Arn, Ownership)>,
    /// The `createRequestedAt` whose user AWS has shown, or let go, since.
    pub creation_settled: Option<MicroTime>,
    /// A `createRequestedAt` that lay in the future, and when it was first seen: clocks differ.
    creation_sighted: Option<(MicroTime, Instant)>,
    /// The passwords that this process last sent, and AWS accepted.
    pub sent: Option<Passwords>,
    /// The generation that was Ready last.
    pub settled: Option<i64>,
    tags_checked: Option<TagsChecked>,
    /// The deletion, where the object is on its way out.
    pub departure: Departure,
    /// UserNotFound was seen: what status says was applied was so to a user that is gone, until status says so itself.
    pub gone: bool,
    /// The newest resourceVersion that this process wrote.
    pub version: Option<u64>,
    failures: Failures,
    postponed: Option<Postponed>,
    waiting: Option<(Reason, Instant)>,
    silent_since: Option<Instant>,
    denied_since: Option<Instant>,
    told: Option<(Reason, Instant)>,
}

/// When the tags were last found, or made, as the spec has them.
#[derive(Clone, Debug)]
struct TagsChecked {
    /// Of which generation; `None`: not by this process.
    generation: Option<i64>,
    due: Instant,
}

/// Failures in a row, and when the next attempt is due.
#[derive(Clone, Debug, Default)]
struct Failures {
    count: u32,
    due: Option<(Visit, Instant)>,
}

/// A check that found no token.
#[derive(Clone, Copy, Debug)]
struct Postponed {
    since: Instant,
    times: u32,
}

impl Memory {
    /// A copy of an object's entry.
    #[must_use]
    pub fn recall(&self, uid: &str) -> Entry {
        self.lock().get(uid).cloned().unwrap_or_default()
    }

    /// Puts an entry back.
    pub fn keep(&self, uid: &str, entry: Entry) {
        self.lock().insert(uid.to_owned(), entry);
    }

    /// The object is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Whether it is time to compare the tags: for a new generation, and else every [`Pace::tag_resync`]. Of objects that
    /// were `settled` before this process began it compares some early and some late, but never all at once.
    pub fn tags_due(&mut self, generation: Option<i64>, settled: bool, pace: &Pace, roll: f64) -> bool {
        let now = Instant::now();
        let checked = self.tags_checked.get_or_insert_with(|| TagsChecked {
            generation: None,
            due: now + pace.tag_resync.mul_f64(roll),
        });
        now >= checked.due || (!settled && checked.generation != generation)
    }

    /// The tags are as this generation has them.
    pub fn tags_match(&mut self, generation: Option<i64>, pace: &Pace, roll: f64) {
        let due = Instant::now() + pace.tag_resync.mul_f64(0.9 + 0.2 * roll);
        self.tags_checked = Some(TagsChecked { generation, due });
    }

    /// The tags are not as the spec has them, or were not when they were read last.
    pub fn tags_differ(&mut self) {
        self.tags_checked = Some(TagsChecked { generation: None, due: Instant::now() });
    }

    /// How long ago a CreateUser was requested; a time in the future counts from when it was first seen.
    pub fn age(&mut self, requested: &MicroTime, now: jiff::Timestamp) -> Duration {
        if let Ok(age) = Duration::try_from(now.duration_since(requested.0)) {
            return age;
        }
        let sighted = match &self.creation_sighted {
            Some((time, at)) if time == requested => *at,
            Some(_) | None => Instant::now(),
        };
        self.creation_sighted = Some((requested.clone(), sighted));
        sighted.elapsed()
    }

    /// AWS did not tell the user's state (`silent`), or did.
    pub fn heard(&mut self, silent: bool) {
        self.silent_since = silent.then(|| self.silent_since.unwrap_or_else(Instant::now));
    }

    /// How long AWS has not told the user's state.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.silent_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// How long the calls that matter have been denied.
    #[must_use]
    pub fn denial(&self) -> Duration {
        self.denied_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Takes note of a verdict and says when to look again.
    pub fn schedule(&mut self, verdict: &Verdict, pace: &Pace, roll: f64) -> Duration {
        let now = Instant::now();
        self.postponed = None;
        let denied = verdict.reason == Reason::AccessDenied;
        self.denied_since = denied.then(|| self.denied_since.unwrap_or(now));
        let since = match self.waiting {
            Some((reason, since)) if reason == verdict.reason => since,
            Some(_) | None => now,
        };
        self.waiting = Some((verdict.reason, since));
        match verdict.visit {
            Visit::Backoff | Visit::Slowly => self.back_off(verdict.visit, pace, roll),
            visit @ (Visit::Now | Visit::Poll | Visit::Resync) => {
                self.failures = Failures::default();
                pace.until(visit, 0, now - since, roll)
            }
        }
    }

    /// A check found no token: says when to try again.
    pub fn postpone(&mut self, pace: &Pace, roll: f64) -> Duration {
        let before = self.postponed.unwrap_or(Postponed { since: Instant::now(), times: 0 });
        let times = before.times.saturating_add(1);
        self.postponed = Some(Postponed { times, ..before });
        pace.postponed(times, roll)
    }

    /// The check has found no token for so long that its turn has come all the same.
    #[must_use]
    pub fn is_overdue(&self, pace: &Pace) -> bool {
        self.postponed.is_some_and(|postponed| postponed.since.elapsed() >= pace.resync)
    }

    /// The pause after a failure. A pass that came early, by a watch event, counts no further attempt.
    pub fn back_off(&mut self, visit: Visit, pace: &Pace, roll: f64) -> Duration {
        let now = Instant::now();
        if let Some((before, due)) = self.failures.due
            && before == visit
            && due > now
        {
            return due - now;
        }
        self.failures.count = self.failures.count.saturating_add(1);
        let pause = pace.until(visit, self.failures.count, Duration::ZERO, roll);
        self.failures.due = Some((visit, now + pause));
        pause
    }

    /// Whether a Warning is to be told now: when the reason is new, and again while it lasts. A reason that status showed
    /// before this process began counts as told.
    pub fn tell(
        &mut self,
        warning: Option<Reason>,
        shown_before: Option<Reason>,
        pace: &Pace,
    ) -> Option<Reason> {
        let now = Instant::now();
        let Some(reason) = warning else {
            self.told = None;
            return None;
        };
        let told = match self.told {
            Some((before, at)) if before == reason => now - at < pace.event_repeat,
            Some(_) => false,
            None => shown_before == Some(reason),
        };
        let fresh = !told || self.told.is_none();
        if fresh {
            self.told = Some((reason, now));
        }
        (!told).then_some(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::verdict::Progress;

    fn verdict(reason: Reason, visit: Visit) -> Verdict {
        Verdict { progress: Progress::Reconciling, reason, message: String::new(), done: Vec::new(), visit }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_failure_counts_once_for_each_elapsed_backoff() {
        let (mut entry, pace) = (Entry::default(), Pace::default());
        let failed = verdict(Reason::Throttled, Visit::Backoff);
        assert_eq!(entry.schedule(&failed, &pace, 0.0), SECOND);
        // A watch event 0.4 s later: the same attempt.
        tokio::time::advance(Duration::from_millis(400)).await;
        assert_eq!(entry.schedule(&failed, &pace, 0.0), Duration::from_millis(600));
        tokio::time::advance(Duration::from_millis(600)).await;
        assert_eq!(entry.schedule(&failed, &pace, 0.0), 2 * SECOND);
        // Success in between begins anew.
        entry.schedule(&verdict(Reason::Active, Visit::Resync), &pace, 0.0);
        assert_eq!(entry.schedule(&failed, &pace, 0.0), SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_polled_by_the_time_waited_for_this_reason() {
        let (mut entry, pace) = (Entry::default(), Pace::default());
        let deleting = verdict(Reason::DeletingUser, Visit::Poll);
        let first = entry.schedule(&deleting, &pace, 0.0);
        tokio::time::advance(40 * SECOND).await;
        let late = entry.schedule(&deleting, &pace, 0.0);
        assert!(first < SECOND && late > 6 * SECOND, "{first:?}, then {late:?}");
        let other = entry.schedule(&verdict(Reason::WaitingForUserActive, Visit::Poll), &pace, 0.0);
        assert_eq!(other, first);
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_finds_no_token_for_as_long_as_a_resync_is_overdue() {
        let (mut entry, pace) = (Entry::default(), Pace::default());
        assert!(!entry.is_overdue(&pace));
        let began = Instant::now();
        while began.elapsed() < pace.resync {
            assert!(!entry.is_overdue(&pace));
            tokio::time::advance(entry.postpone(&pace, 0.5)).await;
        }
        assert!(entry.is_overdue(&pace));
        entry.schedule(&verdict(Reason::Active, Visit::Resync), &pace, 0.0);
        assert!(!entry.is_overdue(&pace));
        assert_eq!(entry.postpone(&pace, 0.0), SECOND, "it begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_finds_no_token_counts_as_no_failure() {
        let (mut entry, pace) = (Entry::default(), Pace::default());
        let failed = verdict(Reason::Throttled, Visit::Backoff);
        entry.schedule(&failed, &pace, 0.0);
        tokio::time::advance(SECOND).await;
        entry.postpone(&pace, 0.0);
        assert_eq!(entry.schedule(&failed, &pace, 0.0), 2 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_warning_is_told_on_change_and_then_every_ten_minutes() {
        let (mut entry, pace) = (Entry::default(), Pace::default());
        let (throttled, denied) = (Some(Reason::Throttled), Some(Reason::AccessDenied));
        assert_eq!(entry.tell(throttled, None, &pace), throttled);
        assert_eq!(entry.tell(throttled, throttled, &pace), None);
        assert_eq!(entry.tell(denied, throttled, &pace), denied);
        tokio::time::advance(599 * SECOND).await;
        assert_eq!(entry.tell(denied, denied, &pace), None);
        tokio::time::advance(SECOND).await;
        assert_eq!(entry.tell(denied, denied, &pace), denied);
        assert_eq!(entry.tell(None, denied, &pace), None);
        assert_eq!(entry.tell(denied, Some(Reason::Active), &pace), denied);
    }

    #[tokio::test(start_paused = true)]
    async fn what_status_showed_before_a_restart_is_not_told_at_once() {
        let (mut entry, pace) = (Entry::default(), Pace::default());
        let denied = Some(Reason::AccessDenied);
        assert_eq!(entry.tell(denied, denied, &pace), None);
        tokio::time::advance(600 * SECOND).await;
        assert_eq!(entry.tell(denied, denied, &pace), denied);
    }

    #[tokio::test(start_paused = true)]
    async fn tags_that_differ_are_compared_until_they_match() {
        let (mut entry, pace, generation) = (Entry::default(), Pace::default(), Some(3));
        entry.tags_match(generation, &pace, 0.5);
        assert!(!entry.tags_due(generation, true, &pace, 0.5));
        entry.tags_differ();
        for settled in [true, false, true] {
            assert!(entry.tags_due(generation, settled, &pace, 0.5));
            tokio::time::advance(SECOND).await;
        }
        entry.tags_match(generation, &pace, 0.5);
        assert!(!entry.tags_due(generation, false, &pace, 0.5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_the_future_ages_from_first_sight() {
        let mut entry = Entry::default();
        let now = jiff::Timestamp::from_second(1_000_000).unwrap();
        let past = MicroTime(jiff::Timestamp::from_second(999_980).unwrap());
        let future = MicroTime(jiff::Timestamp::from_second(1_003_600).unwrap());
        assert_eq!(entry.age(&past, now), 20 * SECOND);
        assert_eq!(entry.age(&future, now), Duration::ZERO);
        tokio::time::advance(50 * SECOND).await;
        assert_eq!(entry.age(&future, now), 50 * SECOND);
    }
}
