//! Pure: a token bucket whose rate follows what AWS bears.
//!
//! AWS's own bucket is hidden, shared with whoever else calls from the account, and shows itself only when it is empty: by a
//! refusal. That is the one thing to learn from:
//! - Two refusals are two moments at which AWS's bucket was empty, so what it accepted between them is what it bears.
//! - After a refusal nothing is saved up: the bucket is emptied, and holds hardly anything until the rate is back.
//! - The rate drops a little below what AWS bears, comes back to it within some seconds, stays about there, and then rises
//!   faster and faster, in case AWS bears more by now. That is the curve of TCP's CUBIC, in calls a second. While it is below,
//!   AWS saves up; so calls that AWS would have accepted are not lost, they are made a little later.
//! - Calls that were on their way, or permitted, when AWS refused one tell nothing new: a volley of refusals slows down once.
//!
//! The configured rate and burst are what it begins with, what it comes back to by itself, and what it never passes.

use std::time::Duration;

use tokio::time::Instant;

/// What remains of a rate at the first refusal, when nothing is known of AWS's bucket but that it is empty now.
const FIRST_CUT: f64 = 0.7;
/// No refusal says more than that AWS bears this share of the rate: a quiet time before it looks the same.
const DEEPEST_CUT: f64 = 0.5;
/// Where the rate begins below what AWS bears.
const BELOW: f64 = 0.15;
/// So many calls at the present rate are imagined besides those that were made, so that a second refusal which comes by
/// chance right after the first is not taken for a rate of nothing.
const DOUBT: f64 = 2.0;
/// Time from a refusal until the rate is back at what AWS bears: as long as that took to find out, within these bounds.
const SHORTEST_RETURN: Duration = Duration::from_secs(3);
const LONGEST_RETURN: Duration = Duration::from_secs(10);
/// Tokens that can be saved up while slowed down: enough for a pass that was busy elsewhere when its token came.
const SLOWED_BURST: f64 = 2.0;
/// Share of the configured rate below which it never falls: where AWS refuses everything, it is asked now and then.
const SLOWEST_SHARE: f64 = 0.01;
/// A token is whole when so little is missing: fractions add up with an error.
const ROUNDING: f64 = 1e-6;

/// The time between two slow-downs. What was permitted in an earlier era tells nothing about this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Era(u64);

/// The bucket. All times come from outside.
pub(super) struct Bucket {
    /// Tokens a second, as configured.
    fastest: f64,
    /// Tokens that it can hold, as configured.
    burst: f64,
    tokens: f64,
    filled_at: Instant,
    slowed: Option<Slowed>,
    era: Era,
    era_began: Instant,
    /// Calls of this era that AWS accepted.
    accepted: u32,
}

/// AWS refused a call, and the rate has not come back since.
struct Slowed {
    /// Calls a second that AWS seems to bear.
    bearable: f64,
    since: Instant,
    /// From `since` until the rate is at `bearable` again.
    back: Duration,
}

impl Slowed {
    fn rate(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.since).as_secs_f64();
        let back = self.back.as_secs_f64();
        self.bearable * (1.0 + BELOW * ((since - back) / back).powi(3))
    }
}

impl Bucket {
    /// A full one.
    pub(super) fn new(rate: f64, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst);
        Self {
            fastest: rate,
            burst,
            tokens: burst,
            filled_at: now,
            slowed: None,
            era: Era(0),
            era_began: now,
            accepted: 0,
        }
    }

    /// Tokens a second, now.
    pub(super) fn rate(&self, now: Instant) -> f64 {
        self.slowed.as_ref().map_or(self.fastest, |slowed| slowed.rate(now).min(self.fastest))
    }

    /// Takes a token if there is one.
    pub(super) fn take(&mut self, now: Instant) -> Option<Era> {
        self.fill(now);
        if self.tokens < 1.0 - ROUNDING {
            return None;
        }
        self.tokens -= 1.0;
        Some(self.era)
    }

    /// When there is a token; `now` where there is one.
    pub(super) fn due(&mut self, now: Instant) -> Instant {
        self.fill(now);
        let missing = 1.0 - self.tokens;
        if missing <= ROUNDING { now } else { now + Duration::from_secs_f64(missing / self.rate(now)) }
    }

    /// A token that was not used. One of an earlier era is void, as all that were left then.
    pub(super) fn put_back(&mut self, era: Era) {
        if era == self.era {
            self.tokens = (self.tokens + 1.0).min(self.capacity());
        }
    }

    /// AWS did not refuse a call that was permitted in `era`.
    pub(super) fn accepted(&mut self, era: Era) {
        if era == self.era {
            self.accepted = self.accepted.saturating_add(1);
        }
    }

    /// AWS refused a call for the rate alone, that was permitted in `era` and sent at `sent`. Tells whether it is slower for it.
    pub(super) fn refused(&mut self, era: Era, sent: Instant, now: Instant) -> bool {
        if era != self.era {
            return false;
        }
        let rate = self.rate(now);
        let (bearable, back) = match self.slowed {
            None => (rate * FIRST_CUT, SHORTEST_RETURN),
            Some(_) => {
                let since = sent.saturating_duration_since(self.era_began);
                let made = f64::from(self.accepted) + DOUBT;
                let borne = made / (since.as_secs_f64() + DOUBT / rate);
                (borne.clamp(rate * DEEPEST_CUT, rate), since.clamp(SHORTEST_RETURN, LONGEST_RETURN))
            }
        };
        let bearable = bearable.max(self.fastest * SLOWEST_SHARE);
        self.slowed = Some(Slowed { bearable, since: now, back });
        self.tokens = self.tokens.min(0.0);
        self.filled_at = now;
        self.era = Era(self.era.0.wrapping_add(1));
        self.era_began = now;
        self.accepted = 0;
        true
    }

    fn fill(&mut self, now: Instant) {
        let rate = self.rate(now);
        if rate >= self.fastest {
            self.slowed = None;
        }
        let since = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + rate * since).min(self.capacity());
        self.filled_at = self.filled_at.max(now);
    }

    fn capacity(&self) -> f64 {
        if self.slowed.is_some() { self.burst.min(SLOWED_BURST) } else { self.burst }
    }
}

#[cfg(test)]
mod tests;
