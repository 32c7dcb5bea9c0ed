//! The token bucket of each account and region (B100).

use std::collections::HashMap;

use crate::clock::Millis;
use crate::region::Place;
use crate::settings::Rate;

#[derive(Debug, Default)]
pub(crate) struct Limiter(HashMap<Place, Bucket>);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Millis,
}

impl Limiter {
    /// Takes a token for a request, or tells that there is none.
    pub(crate) fn admits(&mut self, rate: Rate, place: &Place, now: Millis) -> bool {
        let Rate::Limit { per_second, burst } = rate else { return true };
        let full = f64::from(burst);
        let bucket = self.0.entry(place.clone()).or_insert(Bucket { tokens: full, filled_at: now });
        let seconds = now.saturating_sub(bucket.filled_at) as f64 / 1_000.0;
        bucket.tokens = (bucket.tokens + seconds * per_second).min(full);
        bucket.filled_at = now;
        let admitted = bucket.tokens >= 1.0;
        if admitted {
            bucket.tokens -= 1.0;
        }
        admitted
    }

    /// All buckets are full again, as after a change of the rate.
    pub(crate) fn refill(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(region: &str) -> Place {
        Place { account: "000000000000".to_owned(), region: region.to_owned() }
    }

    #[test]
    fn a_rate_limit_admits_its_burst_at_once_and_then_its_rate() {
        let rate = "2:3".parse().unwrap();
        let mut limiter = Limiter::default();
        let mut admitted = |region: &str, now| limiter.admits(rate, &place(region), now);
        assert!(admitted("a", 0) && admitted("a", 0) && admitted("a", 0));
        assert!(!admitted("a", 0));
        assert!(admitted("b", 0), "another region has its own limit");
        assert!(!admitted("a", 499));
        assert!(admitted("a", 500), "half a second brings one more call");
        assert!(!admitted("a", 500));
        assert!(admitted("a", 60_000) && admitted("a", 60_000) && admitted("a", 60_000));
        assert!(!admitted("a", 60_000), "no more than the burst");
    }

    #[test]
    fn a_rate_limit_that_is_off_admits_every_call() {
        let mut limiter = Limiter::default();
        assert!((0..1000).all(|_| limiter.admits(Rate::Off, &place("a"), 0)));
    }
}
