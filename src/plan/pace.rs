//! Every duration and jitter of the operator.
//!
//! Jitter comes from a `roll` in `0.0..1.0` that the caller draws, so that the same roll gives the same duration.

use std::time::Duration;

use crate::Creation;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pace {
    /// Two passes over one object begin at least so long after each other, unless its spec or deletionTimestamp changed.
    pub spacing: Duration,
    /// Shortest delay between two polls of a user that is about to change its state.
    pub poll_floor: Duration,
    /// Longest delay between two polls.
    pub poll_cap: Duration,
    /// First delay after a failure that passes by itself.
    pub backoff_floor: Duration,
    /// Longest delay after such a failure.
    pub backoff_cap: Duration,
    /// First delay after a failure that probably needs a person.
    pub slow_floor: Duration,
    /// Longest delay after such a failure.
    pub slow_cap: Duration,
    /// `--resync`: delay between two passes of an object that needs nothing or a person.
    pub resync: Duration,
    pub tag_resync: Duration,
    /// `--stale-after`: how long an object remains Ready without an answer from AWS.
    pub stale_after: Duration,
    /// How long AWS may take to show a user after the end of CreateUser.
    pub creation_window: Duration,
    /// Time-out of one AWS call with all its retries.
    pub call_timeout: Duration,
    /// How long after a CreateUser its object may still vanish in spite of the finalizer. It must be longer than the API
    /// server's request time-out, which is 60 s by default.
    pub vanishing_window: Duration,
    /// Time-out of one request to the API server.
    pub write_timeout: Duration,
    /// CreateUser starts at most this long after `createRequestedAt` was written.
    pub intent_valid: Duration,
    /// A mutation starts at most this long after the user's owner tags were read. AWS needs longer to delete a user, so no
    /// other user of the same ID can exist by then.
    pub owner_valid: Duration,
    pub denied_patience: Duration,
    /// How long a new object waits for the object that owns its user, because GitOps tools create before they delete.
    pub handover: Duration,
    pub event_repeat: Duration,
    /// How long the event of a wait that an ordinary change causes is Normal.
    pub event_patience: Duration,
    /// A change of a group's members waits so long for others.
    pub group_gather: Duration,
    /// The same while more users for the group are being created.
    pub group_gather_most: Duration,
    /// First delay between two looks at a group or user that AWS works on without our asking.
    pub busy_floor: Duration,
    /// Longest delay between two such looks.
    pub busy_cap: Duration,
    /// The API server is asked so often whether the Secrets of a namespace may be watched by now.
    pub access_asked: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            spacing: seconds(1),
            poll_floor: Duration::from_millis(750),
            poll_cap: seconds(15),
            backoff_floor: seconds(1),
            backoff_cap: seconds(60),
            slow_floor: seconds(30),
            slow_cap: seconds(5 * 60),
            resync: seconds(10 * 60),
            tag_resync: seconds(60 * 60),
            stale_after: seconds(15 * 60),
            creation_window: seconds(30),
            call_timeout: seconds(20),
            vanishing_window: seconds(90),
            write_timeout: seconds(15),
            intent_valid: seconds(5),
            owner_valid: seconds(2),
            denied_patience: seconds(5 * 60),
            handover: seconds(60),
            event_repeat: seconds(10 * 60),
            event_patience: seconds(60),
            group_gather: seconds(1),
            group_gather_most: seconds(5),
            busy_floor: seconds(5),
            busy_cap: seconds(60),
            access_asked: seconds(30),
        }
    }
}

/// When the next pass of an object is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Requeue {
    /// At once.
    Now,
    /// Soon at first, then less and less often, because AWS finishes something.
    Poll,
    /// After 1 s to 60 s, doubling.
    Backoff,
    /// After 30 s to 5 min, doubling.
    Slow,
    /// After 5 s to 60 s, doubling, because AWS works on something that nobody waits for.
    Busy,
    /// When the coordinator of the groups knows more.
    Woken,
    Resync,
}

impl Pace {
    /// For tests against real processes: the same pace, `by` times as fast. Durations that do not slow a test are not
    /// divided.
    #[must_use]
    pub fn divided(self, by: u32) -> Self {
        let by = by.max(1);
        Self {
            spacing: self.spacing / by,
            poll_floor: self.poll_floor / by,
            poll_cap: self.poll_cap / by,
            backoff_floor: self.backoff_floor / by,
            backoff_cap: self.backoff_cap / by,
            slow_floor: self.slow_floor / by,
            slow_cap: self.slow_cap / by,
            resync: self.resync,
            tag_resync: self.tag_resync,
            stale_after: self.stale_after,
            creation_window: self.creation_window / by,
            call_timeout: self.call_timeout,
            vanishing_window: self.vanishing_window,
            write_timeout: self.write_timeout,
            intent_valid: self.intent_valid,
            owner_valid: self.owner_valid,
            denied_patience: self.denied_patience / by,
            handover: self.handover / by,
            event_repeat: self.event_repeat,
            event_patience: self.event_patience / by,
            group_gather: self.group_gather / by,
            group_gather_most: self.group_gather_most / by,
            busy_floor: self.busy_floor / by,
            busy_cap: self.busy_cap / by,
            access_asked: self.access_asked / by,
        }
    }

    /// The delay of a requeue after `attempts` failures in a row (at least 1), or after `waited` for the same reason.
    #[must_use]
    pub fn until(&self, requeue: Requeue, attempts: u32, waited: Duration, roll: f64) -> Duration {
        match requeue {
            Requeue::Now => Duration::ZERO,
            Requeue::Poll => self.poll(waited, roll),
            Requeue::Backoff => doubling(self.backoff_floor, self.backoff_cap, attempts, roll),
            Requeue::Slow => doubling(self.slow_floor, self.slow_cap, attempts, roll),
            Requeue::Busy => doubling(self.busy_floor, self.busy_cap, attempts, roll),
            Requeue::Woken | Requeue::Resync => self.resync.mul_f64(0.9 + 0.2 * roll),
        }
    }

    /// Polls after a fifth of the time waited so far. Thus the operator notices the end of a wait within a quarter of the
    /// wait (1 s at least, 15 s at most), and the number of polls grows with the logarithm of the wait.
    fn poll(&self, waited: Duration, roll: f64) -> Duration {
        let share = waited.mul_f64(0.2).clamp(self.poll_floor, self.poll_cap.mul_f64(0.9));
        share.mul_f64(0.8 + 0.2 * roll)
    }

    /// If more objects than this wait for AWS, a listing of so many pages is cheaper than a poll of each: they ask at most every
    /// [`Self::poll_cap`], and the pages come every [`Self::until_listing`].
    #[must_use]
    pub fn most_polled(&self, pages: usize) -> usize {
        pages.saturating_mul(4).max(20)
    }

    /// The pause between two listings for objects that wait for AWS: as short as that between two polls for up to five pages. It
    /// grows with the square of the pages: ten pages come once a minute, and more do so too.
    #[must_use]
    pub fn until_listing(&self, pages: usize) -> Duration {
        let pages = f64::from(u32::try_from(pages).unwrap_or(u32::MAX));
        self.poll_cap.mul_f64((pages / 5.0).powi(2).clamp(1.0, 4.0))
    }

    /// Whether a listing of so many pages costs fewer calls than a look at each of so many groups.
    #[must_use]
    pub fn lists_groups(&self, waited_for: usize, pages: usize) -> bool {
        waited_for > pages
    }

    /// Whether an object of this age may be the new form of one that is about to go.
    #[must_use]
    pub fn is_new(&self, age: Duration) -> bool {
        age < self.handover
    }

    /// Whether UserNotFound proves nothing, at this age of `createRequestedAt`. Its write may be slow, CreateUser may start late
    /// and take its whole time-out, and AWS may show the user late.
    #[must_use]
    pub fn creation(&self, age: Duration) -> Creation {
        let latest_end = self.write_timeout + self.intent_valid + self.call_timeout;
        if age < latest_end + self.creation_window { Creation::Open } else { Creation::Closed }
    }
}

/// `floor`, doubled with each attempt up to `cap`, and up to a half more, so that objects that failed together do not retry
/// together.
fn doubling(floor: Duration, cap: Duration, attempts: u32, roll: f64) -> Duration {
    let factor = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    floor.saturating_mul(factor).min(cap.mul_f64(2.0 / 3.0)).mul_f64(1.0 + 0.5 * roll)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_end_of_a_wait_is_noticed_within_a_quarter_of_it() {
        let pace = Pace::default();
        for roll in [0.0, 0.5, 0.999] {
            // Every time at which AWS may finish the deletion, in tenths of a second.
            for tenths in 1..9000_u32 {
                let freed = Duration::from_millis(100) * tenths;
                let mut now = Duration::ZERO;
                while now < freed {
                    now += pace.until(Requeue::Poll, 1, now, roll);
                }
                let bound = (freed / 4).clamp(SECOND, 15 * SECOND);
                assert!(
                    now - freed < bound,
                    "the wait ended at {freed:?}, and was noticed at {now:?}, roll {roll}"
                );
            }
        }
    }

    #[test]
    fn polls_grow_with_the_logarithm_of_the_wait() {
        let polls = |wait: Duration| {
            let mut now = Duration::ZERO;
            let mut count = 0;
            while now < wait {
                now += Pace::default().until(Requeue::Poll, 1, now, 0.0);
                count += 1;
            }
            count
        };
        // From 5 s on each doubling of the wait costs the same few polls, until the cap is reached after about a minute.
        let costs: Vec<i32> = [5, 10, 20, 40].map(|s| polls(SECOND * s * 2) - polls(SECOND * s)).to_vec();
        assert!(costs.iter().all(|cost| (4..=6).contains(cost)), "{costs:?}");
        assert!(polls(10 * SECOND) <= 14, "{}", polls(10 * SECOND));
        assert!(polls(300 * SECOND) <= 50, "{}", polls(300 * SECOND));
    }

    #[test]
    fn a_listing_of_up_to_500_users_is_as_quick_as_polls_and_one_of_1000_comes_once_a_minute() {
        for (pages, seconds) in [(0, 15.0), (1, 15.0), (5, 15.0), (8, 38.4), (10, 60.0), (100, 60.0)] {
            let pause = Pace::default().until_listing(pages).as_secs_f64();
            assert!((pause - seconds).abs() < 0.001, "{pages} pages: {pause} s");
        }
    }

    #[test]
    fn every_delay_is_within_the_limits_of_the_contract() {
        let pace = Pace::default();
        let rows = [
            ("the first backoff is at least a second", Requeue::Backoff, 1, 1.0, 1.5),
            ("the third is four times as long", Requeue::Backoff, 3, 4.0, 6.0),
            ("the last is at most a minute", Requeue::Backoff, 40, 40.0, 60.0),
            ("slowly begins at 30 s", Requeue::Slow, 1, 30.0, 45.0),
            ("slowly ends at 5 min", Requeue::Slow, 9, 200.0, 300.0),
            ("a resync is spread by a tenth", Requeue::Resync, 1, 540.0, 660.0),
            ("a poll begins below a second", Requeue::Poll, 1, 0.6, 0.75),
            ("a change has no delay", Requeue::Now, 1, 0.0, 0.0),
        ];
        for (claim, requeue, attempts, least, most) in rows {
            for roll in [0.0, 0.3, 0.999_999] {
                let delay = pace.until(requeue, attempts, Duration::ZERO, roll).as_secs_f64();
                assert!((least..=most).contains(&delay), "{claim}: {delay} s with roll {roll}");
            }
        }
    }

    #[test]
    fn jitter_spreads_objects_that_failed_together() {
        let delay = |requeue, roll| Pace::default().until(requeue, 4, Duration::from_secs(40), roll);
        for requeue in [Requeue::Poll, Requeue::Backoff, Requeue::Slow, Requeue::Resync] {
            assert!(delay(requeue, 0.0) < delay(requeue, 0.9), "{requeue:?}");
        }
    }

    #[test]
    fn user_not_found_is_not_believed_for_30_s_after_the_latest_possible_end_of_create_user() {
        let pace = Pace::default();
        // The status write, the time until the call starts, and the call.
        let latest_end = (15 + 5 + 20) * SECOND;
        let shown = latest_end + 30 * SECOND;
        assert_eq!(pace.creation(Duration::ZERO), Creation::Open);
        assert_eq!(pace.creation(shown - Duration::from_millis(1)), Creation::Open);
        assert_eq!(pace.creation(shown), Creation::Closed);
    }

    #[test]
    fn a_pace_divisor_divides_every_wait_of_the_operator() {
        let (whole, tenth) = (Pace::default(), Pace::default().divided(10));
        for requeue in [Requeue::Poll, Requeue::Backoff, Requeue::Slow] {
            for attempts in [1, 30] {
                let long = whole.until(requeue, attempts, Duration::ZERO, 0.5);
                let short = tenth.until(requeue, attempts, Duration::ZERO, 0.5);
                assert!(
                    (long.as_secs_f64() / short.as_secs_f64() - 10.0).abs() < 0.01,
                    "{requeue:?} {attempts}"
                );
            }
        }
        assert_eq!(tenth.creation_window, whole.creation_window / 10);
        assert_eq!(tenth.poll_cap, whole.poll_cap / 10);
        assert_eq!(tenth.denied_patience, whole.denied_patience / 10);
        assert_eq!(tenth.call_timeout, whole.call_timeout);
        assert_eq!(Pace::default().divided(0), Pace::default());
    }
}
