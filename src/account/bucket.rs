//! Pure: a token bucket. Its rate follows the rate that AWS accepts.
//!
//! AWS has a bucket of its own, and other callers of the account take tokens from it too. AWS does not show how full it is, so we
//! learn only from refusals:
//! - AWS's bucket was empty at each of two refusals. So the calls that AWS accepted between them show the rate that it accepts.
//! - A refusal empties our bucket. Its capacity is small until the rate is back.
//! - The rate drops a little below the accepted rate, returns to it within seconds, stays there for a while, and then rises
//!   faster and faster, because AWS may accept more by now. This is the curve of TCP's CUBIC, in calls a second. While our
//!   rate is lower, AWS's bucket fills. So no call is lost, but some are made a little later.
//! - If AWS refuses a call that was permitted before the last refusal, we learn nothing new. So the rate drops only once if AWS
//!   refuses many calls at the same time.
//!
//! The rate begins at the configured rate, returns to it by itself, and never exceeds it.

use std::time::Duration;

use tokio::time::Instant;

/// The share of the rate that remains after the first refusal, because the accepted rate is not known yet.
const FIRST_CUT: f64 = 0.7;
/// One refusal never cuts the rate deeper than this, because a quiet time before it looks like a low accepted rate.
const DEEPEST_CUT: f64 = 0.5;
/// After a refusal the rate is lower than the accepted rate by this share.
const BELOW: f64 = 0.15;
/// This many calls at the current rate are added to those that were made. Otherwise a second refusal right after the first,
/// by chance, would look like a rate of zero.
const DOUBT: f64 = 2.0;
/// The time from a refusal until the rate is back at the accepted rate: as long as the time between the refusals, within these
/// bounds.
const SHORTEST_RETURN: Duration = Duration::from_secs(3);
const LONGEST_RETURN: Duration = Duration::from_secs(10);
/// The capacity of the bucket while it is slowed down. It is enough for a pass that was busy when a token came.
const SLOWED_BURST: f64 = 2.0;
/// The rate never falls below this share of the configured rate, because only calls show whether AWS accepts calls again.
const SLOWEST_SHARE: f64 = 0.01;
/// A token counts as whole if only this much is missing, because sums of fractions have an error.
const ROUNDING: f64 = 1e-6;

/// The time between two slow-downs. A call that was permitted in an earlier era shows nothing about this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Era(u64);

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

/// AWS refused a call, and the rate has not returned since.
struct Slowed {
    /// Calls a second that AWS seems to accept.
    accepted_rate: f64,
    since: Instant,
    /// After this time the rate is at `accepted_rate` again.
    back: Duration,
}

impl Slowed {
    fn rate(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.since).as_secs_f64();
        let back = self.back.as_secs_f64();
        self.accepted_rate * (1.0 + BELOW * ((since - back) / back).powi(3))
    }
}

impl Bucket {
    /// A full bucket.
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

    /// Tokens a second, as configured.
    pub(super) fn fastest(&self) -> f64 {
        self.fastest
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

    /// When the next token is there. `now` if one is there already.
    pub(super) fn due(&mut self, now: Instant) -> Instant {
        self.fill(now);
        let missing = 1.0 - self.tokens;
        if missing <= ROUNDING { now } else { now + Duration::from_secs_f64(missing / self.rate(now)) }
    }

    /// A token that was not used. A token of an earlier era is void, because a refusal empties the bucket.
    pub(super) fn put_back(&mut self, era: Era) {
        if era == self.era {
            self.tokens = (self.tokens + 1.0).min(self.capacity());
        }
    }

    /// To be called if AWS did not throttle a call that was permitted in `era`, which is the time between two changes of the rate.
    pub(super) fn accepted(&mut self, era: Era) {
        if era == self.era {
            self.accepted = self.accepted.saturating_add(1);
        }
    }

    /// AWS throttled a call that was permitted in `era` and sent at `sent`. Whether the bucket slowed down for it.
    pub(super) fn refused(&mut self, era: Era, sent: Instant, now: Instant) -> bool {
        if era != self.era {
            return false;
        }
        let rate = self.rate(now);
        let (accepted_rate, back) = match self.slowed {
            None => (rate * FIRST_CUT, SHORTEST_RETURN),
            Some(_) => {
                let since = sent.saturating_duration_since(self.era_began);
                let made = f64::from(self.accepted) + DOUBT;
                let borne = made / (since.as_secs_f64() + DOUBT / rate);
                (borne.clamp(rate * DEEPEST_CUT, rate), since.clamp(SHORTEST_RETURN, LONGEST_RETURN))
            }
        };
        let accepted_rate = accepted_rate.max(self.fastest * SLOWEST_SHARE);
        self.slowed = Some(Slowed { accepted_rate, since: now, back });
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
