//! Time as an argument. The caller owns the clocks. Two processes share only UTC.

use std::ops::Add;
use std::time::Duration;

/// A time on the monotonic clock of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    #[must_use]
    pub const fn after_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// A point in time, UTC, in microseconds since 1970: the precision of Kubernetes' `MicroTime`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The same time without its fraction of a second: the precision of Kubernetes' `Time`.
    #[must_use]
    pub const fn to_seconds(self) -> Self {
        Self(self.0.div_euclid(1_000_000) * 1_000_000)
    }

    /// The time from `earlier` to this one; `None` if `earlier` is later, because clocks differ.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Duration> {
        u64::try_from(self.0.saturating_sub(earlier.0)).ok().map(Duration::from_micros)
    }
}

/// The current time on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Now {
    /// For ages and delays within this process.
    pub moment: Moment,
    /// For what other processes and people read.
    pub utc: Timestamp,
}

/// Numbers in `0.0..1.0` for jitter, all from one seed, so that a pass can be repeated exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rolls(u64);

impl Rolls {
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    #[must_use]
    pub fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let top = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(u32::MAX);
        f64::from(top) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_never_negative() {
        let at = |seconds| Moment::after_start(Duration::from_secs(seconds));
        assert_eq!(at(5).since(at(2)), Duration::from_secs(3));
        assert_eq!(at(2).since(at(5)), Duration::ZERO);
        assert_eq!(Timestamp(5).since(Timestamp(2)), Some(Duration::from_micros(3)));
        assert_eq!(Timestamp(2).since(Timestamp(5)), None);
    }

    #[test]
    fn a_time_is_rounded_down_to_whole_seconds() {
        assert_eq!(Timestamp(1_999_999).to_seconds(), Timestamp(1_000_000));
        assert_eq!(Timestamp(-1).to_seconds(), Timestamp(-1_000_000));
    }

    #[test]
    fn random_numbers_are_spread_evenly_from_0_to_1() {
        let mut rolls = Rolls::new(7);
        let rolled: Vec<f64> = (0..1000).map(|_| rolls.roll()).collect();
        assert!(rolled.iter().all(|roll| (0.0..1.0).contains(roll)));
        let mean = rolled.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "mean {mean}");
    }
}
