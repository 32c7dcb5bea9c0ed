//! A hundred new users with a model of AWS's rate limit and a paused clock: how all objects together react to throttling.

mod listing;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plan::pace::{Pace, Requeue};
use plan::{AuthenticationChange, AwsError, Engine, Fault};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use aws::{UserApi, UserPage};
use plan::verdict::Outcome;
use plan::{
    Account, Arn, CallSource, Create, CredentialsId, Delete, Modify, Tag, TagsObservation, Untag, UserId,
    UserObservation,
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A model of AWS's own token bucket, as in the emulator.
pub(super) struct AwsBucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled_at: Instant,
}

impl AwsBucket {
    pub(super) fn empty(rate: f64, burst: f64, now: Instant) -> Self {
        Self { rate, burst, tokens: 0.0, filled_at: now }
    }

    fn full(rate: f64, burst: f64) -> Self {
        Self { tokens: burst, ..Self::empty(rate, burst, Instant::now()) }
    }

    pub(super) fn admits(&mut self, now: Instant) -> bool {
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

/// The calls that AWS got: when each call came, and whether AWS accepted it.
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

/// AWS as [`RateLimited`] sees it. No user exists, and AWS accepts or throttles every mutation.
struct Throttling {
    bucket: Mutex<AwsBucket>,
    seen: Mutex<Seen>,
    random: Mutex<fastrand::Rng>,
    /// The pages of listings, whatever marker they have. After these pages, empty last pages.
    pages: Mutex<VecDeque<UserPage>>,
    /// The marker of each request for a page.
    markers: Mutex<Vec<Option<String>>>,
    /// The longest duration of a call, in milliseconds.
    latency: u64,
}

impl Throttling {
    async fn pause(&self, milliseconds: std::ops::Range<u64>) {
        let pause = self.random.lock().expect("random").u64(milliseconds);
        sleep(Duration::from_millis(pause)).await;
    }

    /// One call: its way, AWS's bucket, its way back.
    async fn call(&self) -> Result<(), Fault> {
        self.pause(1..self.latency / 2).await;
        let now = Instant::now();
        let answered = self.bucket.lock().expect("bucket").admits(now);
        self.seen.lock().expect("seen").calls.push((now, answered));
        self.pause(1..self.latency / 2).await;
        if answered { Ok(()) } else { Err(Fault::Throttled(AwsError::new("Throttling", "Rate exceeded"))) }
    }

    async fn mutated(&self) -> Outcome {
        self.call().await.map_or_else(Outcome::Failed, |()| Outcome::NotFound)
    }
}

fn source(account: Account) -> CallSource {
    CallSource { region: "us-east-1".to_owned(), credentials: CredentialsId(1), account }
}

/// This type exists because a foreign trait can be implemented only for a type of this crate.
struct SharedAws(Arc<Throttling>);

impl UserApi for SharedAws {
    async fn describe(&self, _: &UserId) -> (UserObservation, CallSource) {
        let sight = self.0.call().await.map_or_else(UserObservation::Failed, |()| UserObservation::Absent);
        (sight, source(Account::Withheld))
    }

    async fn list(&self, marker: Option<&str>) -> Result<UserPage, Fault> {
        self.0.call().await?;
        self.0.markers.lock().expect("markers").push(marker.map(str::to_owned));
        Ok(self.0.pages.lock().expect("pages").pop_front().unwrap_or_default())
    }

    async fn identify_caller(&self) -> CallSource {
        self.identify().await
    }

    async fn identify(&self) -> CallSource {
        source(self.0.call().await.map_or_else(Account::Failed, |()| Account::Withheld))
    }

    async fn list_tags(&self, _: &Arn) -> TagsObservation {
        self.0.call().await.map_or_else(TagsObservation::Failed, |()| TagsObservation::Unreadable)
    }

    async fn create(&self, _: &Create, _: CredentialsId) -> Outcome {
        self.0.mutated().await
    }

    async fn modify(&self, _: &Modify, _: CredentialsId) -> Outcome {
        self.0.mutated().await
    }

    async fn tag(&self, _: &Tag, _: CredentialsId) -> Outcome {
        self.0.mutated().await
    }

    async fn untag(&self, _: &Untag, _: CredentialsId) -> Outcome {
        self.0.mutated().await
    }

    async fn delete(&self, _: &Delete, _: CredentialsId) -> Outcome {
        self.0.mutated().await
    }

    async fn describe_group(&self, _: &plan::UserGroupId) -> (plan::GroupObservation, CallSource) {
        let seen = self
            .0
            .call()
            .await
            .map_or_else(plan::GroupObservation::Failed, |()| plan::GroupObservation::Absent);
        (seen, source(Account::Withheld))
    }

    async fn list_groups(&self, _: Option<&str>) -> Result<aws::GroupPage, Fault> {
        self.0.call().await.map(|()| aws::GroupPage::default())
    }

    async fn modify_group(&self, _: &plan::GroupChange, _: CredentialsId) -> plan::GroupOutcome {
        self.0.call().await.map_or_else(plan::GroupOutcome::Failed, |()| plan::GroupOutcome::Accepted)
    }
}

struct World {
    aws: Arc<Throttling>,
    users: RateLimited<SharedAws>,
    limiter: Limiter,
    slots: Semaphore,
    create: Create,
}

impl World {
    fn new(bears: f64, concurrency: usize, latency: u64, seed: u64) -> Arc<Self> {
        let aws = Arc::new(Throttling {
            bucket: Mutex::new(AwsBucket::full(bears, 10.0)),
            seen: Mutex::default(),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            pages: Mutex::default(),
            markers: Mutex::default(),
            latency,
        });
        let create = Create {
            user_id: UserId::parse("app").expect("a user ID"),
            user_name: "app".to_owned(),
            engine: Engine::Valkey,
            access_string: "on ~* +@all".to_owned(),
            authentication: AuthenticationChange::Iam,
            tags: plan::Tags::new(),
            cause: plan::Cause::Edit,
        };
        let limiter = Limiter::new(10.0, 20);
        let users = RateLimited::new(SharedAws(Arc::clone(&aws)), limiter.clone());
        Arc::new(Self { aws, users, limiter, slots: Semaphore::new(concurrency), create })
    }

    fn roll(&self) -> f64 {
        self.aws.random.lock().expect("random").f64()
    }

    fn rate(&self) -> f64 {
        self.limiter.rate()
    }

    /// A DescribeUsers. Returns whether AWS answered it.
    async fn look(&self, permit: Permit) -> bool {
        self.users.describe(permit, &self.create.user_id).await.0 == UserObservation::Absent
    }

    /// A pass over a new user: DescribeUsers and CreateUser, with the status writes in between. Returns whether it succeeded.
    async fn create(&self) -> bool {
        let _slot = self.slots.acquire().await.expect("a slot");
        let found = self.look(self.users.permit(Class::Change, "shop").await).await;
        self.aws.pause(3..15).await;
        if !found {
            return false;
        }
        let permit = self.users.permit(Class::Change, "shop").await;
        self.aws.pause(3..15).await;
        let created = self.users.create(permit, &self.create, CredentialsId(1)).await;
        self.aws.pause(6..30).await;
        created == Outcome::NotFound
    }
}

/// Creates a hundred users. A refused pass backs off as the operator does.
async fn create_a_hundred(world: &Arc<World>) {
    let mut users = JoinSet::new();
    for _ in 0..100 {
        let world = Arc::clone(world);
        users.spawn(async move {
            let mut attempts = 0;
            while !world.create().await {
                attempts += 1;
                let roll = world.roll();
                sleep(Pace::default().until(Requeue::Backoff, attempts, Duration::ZERO, roll)).await;
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
                let seen = world.aws.seen.lock().expect("seen");
                let least = (seen.answers() as f64 - 10.0) / bears;
                let claim = format!(
                    "AWS bears {bears}, concurrency {concurrency}, seed {seed}: {took:.1} s of at least {least:.1} s, {} refused",
                    seen.refusals()
                );
                // Before a refused CreateUser is sent again, there is another DescribeUsers.
                assert!((200..=200 + seen.refusals()).contains(&seen.answers()), "{claim}");
                assert!(took <= 1.25 * least, "{claim}");
                assert!(seen.refusals() * 10 <= seen.calls.len(), "{claim}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn aws_refuses_no_more_than_four_calls_in_a_second_once_the_rate_was_lowered() {
    for bears in [3.0, 5.0, 7.0] {
        for seed in 0..8 {
            // As in production, calls take some time, so many calls are on their way when AWS refuses the first one.
            let world = World::new(bears, 50, 400, seed);
            let began = Instant::now();
            create_a_hundred(&world).await;
            let seen = world.aws.seen.lock().expect("seen");
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
async fn the_rate_rises_again_when_aws_accepts_more_calls() {
    let world = World::new(2.0, 50, 80, 1);
    let first = Arc::clone(&world);
    create_a_hundred(&first).await;
    assert!(world.rate() < 4.0, "{}", world.rate());
    world.aws.bucket.lock().expect("bucket").rate = 100.0;
    let began = Instant::now();
    create_a_hundred(&world).await;
    create_a_hundred(&world).await;
    // With the configured rate from the beginning, 400 calls take 38 s.
    assert!(began.elapsed() < Duration::from_secs(70), "{:?}", began.elapsed());
    assert_eq!(world.rate(), 10.0);
}

#[tokio::test(start_paused = true)]
async fn checks_get_a_share_of_the_permits_while_changes_never_stop() {
    let world = World::new(100.0, 50, 80, 3);
    // Endless changes, which need more tokens than there are.
    let mut work = JoinSet::new();
    for _ in 0..5 {
        let world = Arc::clone(&world);
        work.spawn(async move {
            loop {
                world.look(world.users.permit(Class::Change, "shop").await).await;
            }
        });
    }
    sleep(Duration::from_secs(10)).await;
    let mut checks = JoinSet::new();
    for _ in 0..30 {
        let world = Arc::clone(&world);
        checks.spawn(async move {
            let began = Instant::now();
            world.look(world.users.permit(Class::Check, "shop").await).await;
            began.elapsed()
        });
    }
    let waits = tokio::time::timeout(Duration::from_secs(60), checks.join_all()).await;
    let last = waits.expect("every check gets its turn").into_iter().max().expect("checks");
    // Checks get one token in twelve, at ten tokens a second.
    assert!(
        last > Duration::from_secs(34) && last < Duration::from_secs(37),
        "the last check after {last:?}"
    );
    work.abort_all();
}

#[tokio::test(start_paused = true)]
async fn every_call_tells_the_limiter_when_it_is_throttled() {
    let delete = Delete { user_id: UserId::parse("app").expect("a user ID") };
    let arn = Arn::parse("arn:aws:elasticache:us-east-1:123456789012:user:app").expect("an ARN");
    let tag = Tag { arn: arn.clone(), tags: plan::Tags::new(), cause: plan::Cause::Edit };
    let modify = Modify {
        user_id: delete.user_id.clone(),
        changes: plan::Changes::default(),
        cause: plan::Cause::Edit,
    };
    let untag = Untag { arn: arn.clone(), keys: vec!["team".to_owned()] };
    for call in 0..8 {
        // The first call is accepted and the second is refused. Only the refusal lowers the rate.
        let world = World::new(1.0, 1, 80, call);
        world.aws.bucket.lock().expect("bucket").tokens = 1.0;
        for refused in [false, true] {
            let users = &world.users;
            let permit = users.permit(Class::Change, "shop").await;
            match call {
                0 => drop(users.describe(permit, &delete.user_id).await),
                1 => drop(users.identify(permit).await),
                2 => drop(users.list_tags(permit, &arn).await),
                3 => drop(users.create(permit, &world.create, CredentialsId(1)).await),
                4 => drop(users.modify(permit, &modify, CredentialsId(1)).await),
                5 => drop(users.tag(permit, &tag, CredentialsId(1)).await),
                6 => drop(users.untag(permit, &untag, CredentialsId(1)).await),
                _ => drop(users.delete(permit, &delete, CredentialsId(1)).await),
            }
            assert_eq!(world.rate() < 10.0, refused, "call {call}");
        }
    }
}
