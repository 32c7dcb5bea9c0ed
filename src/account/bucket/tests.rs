use super::*;
use crate::account::tests::AwsBucket;

const SECOND: Duration = Duration::from_secs(1);

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Takes all tokens.
fn drain(bucket: &mut Bucket, now: Instant) -> Vec<Era> {
    std::iter::from_fn(|| bucket.take(now)).collect()
}

/// A bucket of ten tokens a second, and the time at which AWS refused its first call.
fn slowed() -> (Bucket, Instant) {
    let now = Instant::now();
    let mut bucket = Bucket::new(10.0, 20, now);
    let era = bucket.take(now).expect("a token");
    assert!(bucket.refused(era, now, now));
    (bucket, now)
}

/// Makes calls as the bucket permits them, until AWS refuses one. AWS answers at once. Returns the time of the refusal.
fn call_until_refused(bucket: &mut Bucket, aws: &mut AwsBucket, mut now: Instant) -> Instant {
    let began = now;
    loop {
        assert!(now - began < 600 * SECOND, "the bucket never tries a higher rate: {}", bucket.rate(now));
        now = bucket.due(now).max(now + Duration::from_nanos(1));
        let Some(era) = bucket.take(now) else { continue };
        if !aws.admits(now) {
            assert!(bucket.refused(era, now, now));
            return now;
        }
        bucket.accepted(era);
    }
}

#[test]
fn a_call_that_aws_throttles_empties_the_bucket_and_lowers_its_rate() {
    let (mut bucket, now) = slowed();
    assert!(bucket.rate(now) < 7.0, "{}", bucket.rate(now));
    assert_eq!(bucket.take(now), None, "the bucket must be empty after a throttled call");
    let due = bucket.due(now) - now;
    assert!((seconds(0.1)..seconds(0.2)).contains(&due), "{due:?}");
}

#[test]
fn refusals_of_calls_that_were_sent_together_lower_the_rate_once() {
    let now = Instant::now();
    let mut bucket = Bucket::new(10.0, 20, now);
    let volley = drain(&mut bucket, now);
    assert_eq!(volley.len(), 20);
    let slower: Vec<bool> = volley.into_iter().map(|era| bucket.refused(era, now, now)).collect();
    assert_eq!(slower.iter().filter(|slower| **slower).count(), 1);
    assert!(bucket.rate(now) > 5.0, "{}", bucket.rate(now));
}

#[test]
fn a_call_that_was_permitted_before_a_refusal_does_not_change_the_rate_after_it() {
    let now = Instant::now();
    let mut bucket = Bucket::new(10.0, 3, now);
    let (first, held, unused) =
        (bucket.take(now).unwrap(), bucket.take(now).unwrap(), bucket.take(now).unwrap());
    assert!(bucket.refused(first, now, now));
    let rate = bucket.rate(now);
    // This call was sent after the refusal, but permitted before it.
    assert!(!bucket.refused(held, now + SECOND / 10, now + SECOND / 10));
    assert_eq!(bucket.rate(now), rate);
    bucket.put_back(unused);
    assert_eq!(bucket.take(now), None, "a token from before the refusal must not come back");
}

#[test]
fn the_bucket_learns_the_rate_of_aws_from_what_aws_accepts_between_two_refusals() {
    for bears in [4.0, 5.0, 6.0, 7.0] {
        let (mut bucket, mut now) = slowed();
        let mut aws = AwsBucket::empty(bears, 10.0, now);
        for _ in 0..4 {
            now = call_until_refused(&mut bucket, &mut aws, now);
        }
        let rate = bucket.rate(now);
        assert!((bears * 0.75..bears).contains(&rate), "AWS bears {bears}, but the bucket permits {rate}");
    }
}

#[test]
fn aws_seldom_refuses_a_call_once_the_bucket_knows_the_rate_of_aws() {
    for bears in [1.0, 3.0, 5.0, 7.0, 9.0] {
        let (mut bucket, began) = slowed();
        let mut now = began;
        let mut aws = AwsBucket::empty(bears, 10.0, now);
        let (mut refusals, mut known) = (0, 0);
        while now - began < 300 * SECOND {
            now = call_until_refused(&mut bucket, &mut aws, now);
            refusals += 1;
            known += i32::from(now - began > 20 * SECOND);
        }
        assert!(known <= 20, "AWS bears {bears}: {known} of {refusals} refusals in the last 280 s");
    }
}

#[test]
fn a_refusal_after_a_quiet_time_at_most_halves_the_rate() {
    let (mut bucket, now) = slowed();
    let later = now + 5 * SECOND;
    let rate = bucket.rate(later);
    let era = bucket.take(later).unwrap();
    // There were no calls, so AWS accepted none.
    assert!(bucket.refused(era, later, later));
    assert!(bucket.rate(later) >= rate * 0.5 * 0.8, "{} after {rate}", bucket.rate(later));
}

#[test]
fn a_second_refusal_at_once_does_not_halve_the_rate_again() {
    let (mut bucket, now) = slowed();
    let soon = bucket.due(now);
    let rate = bucket.rate(soon);
    let era = bucket.take(soon).unwrap();
    assert!(bucket.refused(era, soon, soon));
    assert!(bucket.rate(soon) > rate * 0.5, "{} after {rate}", bucket.rate(soon));
}

#[test]
fn the_rate_returns_to_the_configured_one_after_any_number_of_refusals() {
    for refusals in [1, 2, 5, 100] {
        let (mut bucket, mut now) = slowed();
        for _ in 1..refusals {
            now = bucket.due(now);
            let era = bucket.take(now).unwrap();
            assert!(bucket.refused(era, now, now));
        }
        let slowest = bucket.rate(now);
        let mut before = slowest;
        for second in 1..=180 {
            let rate = bucket.rate(now + second * SECOND);
            assert!(rate >= before, "{refusals} refusals: {rate} after {before}");
            before = rate;
        }
        assert!((before - 10.0).abs() < 1e-9, "{refusals} refusals: from {slowest} to {before}");
    }
}

#[test]
fn no_burst_is_saved_up_while_the_rate_is_lowered() {
    let (mut bucket, now) = slowed();
    assert_eq!(drain(&mut bucket, now + 6 * SECOND).len(), 2);
    // The rate is the configured one again, and so is the burst.
    assert_eq!(drain(&mut bucket, now + 60 * SECOND).len(), 20);
}

#[test]
fn a_burst_of_one_stays_one_after_a_refusal() {
    let now = Instant::now();
    let mut bucket = Bucket::new(10.0, 1, now);
    let era = bucket.take(now).unwrap();
    bucket.refused(era, now, now);
    assert_eq!(drain(&mut bucket, now + SECOND).len(), 1);
}

#[test]
fn an_aws_that_refuses_every_call_is_still_called_at_a_hundredth_of_the_rate() {
    let (mut bucket, began) = slowed();
    let mut now = began;
    let mut asked = 0;
    while now - began < 3600 * SECOND {
        now = bucket.due(now);
        let era = bucket.take(now).unwrap();
        bucket.refused(era, now, now);
        asked += 1;
    }
    // A hundredth of the configured rate is 360 calls in an hour.
    assert!((250..450).contains(&asked), "{asked} calls in an hour");
}

#[test]
fn the_configured_rate_and_burst_are_never_exceeded_whichever_calls_aws_refuses() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let began = Instant::now();
        let mut bucket = Bucket::new(10.0, 20, began);
        let mut now = began;
        let mut taken = Vec::new();
        while now - began < 120 * SECOND {
            now += seconds(random.f64() * 0.5);
            while let Some(era) = bucket.take(now) {
                match random.u8(..) {
                    0..10 => {
                        taken.push(now);
                        bucket.refused(era, now, now);
                    }
                    10..40 => {
                        bucket.put_back(era);
                        break;
                    }
                    40.. => {
                        taken.push(now);
                        bucket.accepted(era);
                    }
                }
            }
        }
        for (index, first) in taken.iter().enumerate() {
            for (count, last) in taken[index..].iter().enumerate() {
                let most = 20.0 + 10.0 * (*last - *first).as_secs_f64();
                assert!(count as f64 + 1.0 <= most + 1e-3, "seed {seed}: {count} calls");
            }
        }
    }
}
