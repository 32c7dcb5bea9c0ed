//! A hundred new users against a model of AWS's bucket, under a paused clock: what all objects together make of refusals.

use plan::pace::{Pace, Visit};
use tokio::sync::Semaphore;

use super::*;
use crate::memory::Entry;

const SECOND: Duration = Duration::from_secs(1);

/// AWS's own bucket, as the emulator has it.
pub(crate) struct AwsBucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled_at: Instant,
}

impl AwsBucket {
    pub(crate) fn empty(rate: f64, burst: f64, now: Instant) -> Self {
        Self { rate, burst, tokens: 0.0, filled_at: now }
    }

    fn full(rate: f64, burst: f64) -> Self {
        Self { tokens: burst, ..Self::empty(rate, burst, Instant::now()) }
    }

    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        let since = (now - self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + since * self.rate).min(self.burst);
        self.filled_at = now;
        let admits = self.tokens >= 1.0;
        if admits {
            self.tokens -= 1.0;
        }
        admits
    }
}

/// What AWS saw of a run: when each call came, and whether it was answered.
#[derive(Default)]
struct Seen {
    calls: Vec<(Instant, bool)>,
}

impl Seen {
    fn answers(&self) -> usize {
        self.calls.iter().filter(|(_, answered)| *answered).count()
    }

    fn refusals(&self) -> usize {
        self.calls.len() - self.answers()
    }
}

struct World {
    limiter: Limiter,
    slots: Semaphore,
    aws: Mutex<AwsBucket>,
    seen: Mutex<Seen>,
    random: Mutex<fastrand::Rng>,
    /// Longest time of a call, in milliseconds.
    latency: u64,
}

impl World {
    fn new(bears: f64, concurrency: usize, latency: u64, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            limiter: Limiter::new(10.0, 20),
            slots: Semaphore::new(concurrency),
            aws: Mutex::new(AwsBucket::full(bears, 10.0)),
            seen: Mutex::default(),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            latency,
        })
    }

    async fn pause(&self, milliseconds: std::ops::Range<u64>) {
        let pause = self.random.lock().expect("random").u64(milliseconds);
        sleep(Duration::from_millis(pause)).await;
    }

    fn roll(&self) -> f64 {
        self.random.lock().expect("random").f64()
    }

    /// One call of AWS; whether it was answered.
    async fn call(&self, permit: Permit) -> bool {
        let call = permit.spend();
        self.pause(1..self.latency / 2).await;
        let now = Instant::now();
        let answered = self.aws.lock().expect("aws").admits(now);
        self.seen.lock().expect("seen").calls.push((now, answered));
        self.pause(1..self.latency / 2).await;
        call.ended(!answered);
        answered
    }

    /// A pass over a new user: DescribeUsers, CreateUser, with the writes in between; whether it came to its end.
    async fn create(&self) -> bool {
        let _slot = self.slots.acquire().await.expect("a slot");
        let found = self.call(self.limiter.permit(Urgency::Work).await).await;
        self.pause(3..15).await;
        if !found {
            return false;
        }
        let permit = self.limiter.permit(Urgency::Work).await;
        self.pause(3..15).await;
        let created = self.call(permit).await;
        self.pause(6..30).await;
        created
    }
}

/// A hundred users are created, each pass that was refused is put off as the shell does.
async fn create_a_hundred(world: &Arc<World>) {
    let mut users = JoinSet::new();
    for _ in 0..100 {
        let world = Arc::clone(world);
        users.spawn(async move {
            let mut entry = Entry::default();
            while !world.create().await {
                sleep(entry.back_off(Visit::Backoff, &Pace::default(), world.roll())).await;
            }
        });
    }
    users.join_all().await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_users_are_ready_nearly_as_soon_as_aws_allows_with_few_refusals() {
    for bears in [3.0, 5.0, 7.0] {
        for concurrency in [1, 10, 50] {
            for seed in 0..8 {
                let world = World::new(bears, concurrency, 80, seed);
                let began = Instant::now();
                create_a_hundred(&world).await;
                let took = began.elapsed().as_secs_f64();
                let seen = world.seen.lock().expect("seen");
                let least = (seen.answers() as f64 - 10.0) / bears;
                let claim = format!(
                    "AWS bears {bears}, concurrency {concurrency}, seed {seed}: {took:.1} s of at least {least:.1} s, {} refused",
                    seen.refusals()
                );
                // A CreateUser that was refused is preceded by another look.
                assert!((200..=200 + seen.refusals()).contains(&seen.answers()), "{claim}");
                assert!(took <= 1.25 * least, "{claim}");
                assert!(seen.refusals() * 10 <= seen.calls.len(), "{claim}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_first_refusals_there_are_no_waves() {
    for bears in [3.0, 5.0, 7.0] {
        for seed in 0..8 {
            // As in production: AWS takes its time, so many calls are on their way when it refuses the first.
            let world = World::new(bears, 50, 400, seed);
            let began = Instant::now();
            create_a_hundred(&world).await;
            let seen = world.seen.lock().expect("seen");
            let refused = seen.calls.iter().filter(|(at, answered)| !answered && *at - began > 3 * SECOND);
            let refused: Vec<Instant> = refused.map(|(at, _)| *at).collect();
            for (index, first) in refused.iter().enumerate() {
                let together = refused[index..].iter().take_while(|at| **at - *first < SECOND).count();
                assert!(together <= 4, "AWS bears {bears}, seed {seed}: {together} refused within a second");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_finds_out_when_aws_bears_more_again() {
    let world = World::new(2.0, 50, 80, 1);
    let first = Arc::clone(&world);
    create_a_hundred(&first).await;
    assert!(world.limiter.rate() < 4.0, "{}", world.limiter.rate());
    world.aws.lock().expect("aws").rate = 100.0;
    let began = Instant::now();
    create_a_hundred(&world).await;
    create_a_hundred(&world).await;
    // 400 calls take 38 s at the configured rate from the beginning on.
    assert!(began.elapsed() < Duration::from_secs(70), "{:?}", began.elapsed());
    assert_eq!(world.limiter.rate(), 10.0);
}

/// A check as the shell makes it: it waits for no token, until it is overdue.
async fn check(world: &World, pace: &Pace) -> Duration {
    let mut entry = Entry::default();
    let began = Instant::now();
    loop {
        let overdue = if entry.is_overdue(pace) { world.limiter.overdue() } else { None };
        let permit = match overdue {
            Some(_) => Some(world.limiter.permit(Urgency::Work).await),
            None => world.limiter.try_permit(Urgency::Check),
        };
        if let Some(permit) = permit {
            world.call(permit).await;
            return began.elapsed();
        }
        sleep(entry.postpone(pace, world.roll())).await;
    }
}

#[tokio::test(start_paused = true)]
async fn checks_wait_while_work_does_and_get_their_turn_all_the_same() {
    let world = World::new(100.0, 50, 80, 3);
    let pace = Pace { resync: Duration::from_secs(60), ..Pace::default() };
    // Work without end: more of it than there are tokens.
    let mut work = JoinSet::new();
    for _ in 0..5 {
        let world = Arc::clone(&world);
        work.spawn(async move {
            loop {
                world.call(world.limiter.permit(Urgency::Work).await).await;
            }
        });
    }
    sleep(Duration::from_secs(10)).await;
    let mut checks = JoinSet::new();
    for _ in 0..30 {
        let (world, pace) = (Arc::clone(&world), pace.clone());
        checks.spawn(async move { check(&world, &pace).await });
    }
    let waits = checks.join_all().await;
    let (first, last) = (waits.iter().min().expect("checks"), waits.iter().max().expect("checks"));
    assert!(*first >= pace.resync, "no check before it was overdue, but {first:?}");
    assert!(*last < pace.resync + Duration::from_secs(300), "the last check after {last:?}");
    work.abort_all();
}
