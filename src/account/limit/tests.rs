use std::sync::Mutex;

use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, advance, sleep};

use super::*;

const NAMESPACE: &str = "shop";

/// Takes and spends a permit. Returns how long that took.
async fn spend(limiter: &Limiter, class: Class) -> Duration {
    let began = Instant::now();
    drop(limiter.permit(class, NAMESPACE).await.spend());
    began.elapsed()
}

/// A limiter of ten tokens a second without a token left.
fn drained(burst: u32) -> Limiter {
    let limiter = Limiter::new(10.0, burst);
    while let Some(permit) = limiter.try_permit(Class::Change, NAMESPACE) {
        drop(permit.spend());
    }
    limiter
}

/// Lets every task that can run do so, without moving the clock.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Starts waiters of these classes. Returns their names in the order in which they were served.
async fn order_of_service(limiter: &Limiter, classes: &[(&'static str, Class)]) -> Vec<&'static str> {
    let served = Arc::new(Mutex::new(Vec::new()));
    let mut waiters = JoinSet::new();
    for (name, class) in classes.iter().copied() {
        let (limiter, served) = (limiter.clone(), Arc::clone(&served));
        waiters.spawn(async move {
            spend(&limiter, class).await;
            served.lock().expect("served").push(name);
        });
        settle().await;
    }
    waiters.join_all().await;
    Arc::into_inner(served).expect("all waiters ended").into_inner().expect("served")
}

#[tokio::test(start_paused = true)]
async fn a_burst_passes_at_once_and_the_rest_at_the_rate() {
    let limiter = Limiter::new(10.0, 3);
    let mut waits = Vec::new();
    for _ in 0..6 {
        waits.push(spend(&limiter, Class::Change).await.as_millis());
    }
    assert_eq!(waits, [0, 0, 0, 100, 100, 100]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_time_fills_the_bucket_to_the_burst_and_no_further() {
    let limiter = drained(3);
    advance(Duration::from_secs(3600)).await;
    let mut taken = 0;
    while let Some(permit) = limiter.try_permit(Class::Check, NAMESPACE) {
        drop(permit.spend());
        taken += 1;
    }
    assert_eq!(taken, 3);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_waiters_are_served_at_the_rate_and_in_order() {
    let limiter = Limiter::new(10.0, 20);
    let began = Instant::now();
    let served = Arc::new(Mutex::new(Vec::new()));
    let mut waiters = JoinSet::new();
    for number in 0..1000 {
        let (limiter, served) = (limiter.clone(), Arc::clone(&served));
        waiters.spawn(async move {
            spend(&limiter, Class::Change).await;
            served.lock().expect("served").push(number);
        });
    }
    settle().await;
    assert_eq!(limiter.waiting(), 980);
    waiters.join_all().await;
    assert_eq!(began.elapsed(), Duration::from_secs(98));
    assert_eq!(*served.lock().expect("served"), (0..1000).collect::<Vec<_>>());
    assert_eq!(limiter.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn changes_get_permits_before_checks_and_each_class_in_order_of_arrival() {
    let limiter = drained(1);
    let waiters = [
        ("check 1", Class::Check),
        ("check 2", Class::Check),
        ("work 1", Class::Change),
        ("check 3", Class::Check),
        ("work 2", Class::Change),
    ];
    let served = order_of_service(&limiter, &waiters).await;
    assert_eq!(served, ["work 1", "work 2", "check 1", "check 2", "check 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_is_dropped_unused_serves_the_next_waiter_at_once() {
    let limiter = Limiter::new(0.1, 1);
    let unused = limiter.permit(Class::Change, NAMESPACE).await;
    let waiter = tokio::spawn({
        let limiter = limiter.clone();
        async move { spend(&limiter, Class::Check).await }
    });
    settle().await;
    assert_eq!(limiter.waiting(), 1);
    drop(unused);
    assert_eq!(waiter.await.expect("waiter"), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_spent_permit_does_not_come_back() {
    let limiter = Limiter::new(0.1, 1);
    drop(limiter.permit(Class::Change, NAMESPACE).await.spend());
    assert!(limiter.try_permit(Class::Change, NAMESPACE).is_none());
    assert_eq!(spend(&limiter, Class::Change).await, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_new_caller_gets_no_permit_while_another_one_waits() {
    let limiter = drained(1);
    let waiter = tokio::spawn({
        let limiter = limiter.clone();
        async move { spend(&limiter, Class::Change).await }
    });
    settle().await;
    // A token is due, and the waiter has not run yet.
    advance(Duration::from_millis(100)).await;
    assert!(
        limiter.try_permit(Class::Change, NAMESPACE).is_none(),
        "a token that is due belongs to the waiter"
    );
    assert_eq!(waiter.await.expect("waiter"), Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_only_tries_for_a_permit_does_not_join_the_queue() {
    let limiter = drained(1);
    assert!(limiter.try_permit(Class::Change, NAMESPACE).is_none());
    assert_eq!(limiter.waiting(), 0);
    assert_eq!(spend(&limiter, Class::Check).await, Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_gives_up_delays_no_other_waiter_and_loses_no_token() {
    let rows: [(&str, &[usize]); 5] = [
        ("the first one, who keeps the time", &[0]),
        ("one in the middle", &[2]),
        ("the last one", &[4]),
        ("the first three", &[0, 1, 2]),
        ("all but one", &[0, 1, 2, 3]),
    ];
    for (claim, leaving) in rows {
        let limiter = drained(1);
        let began = Instant::now();
        let mut waiters: Vec<_> = Vec::new();
        for _ in 0..5 {
            let limiter = limiter.clone();
            waiters.push(Some(tokio::spawn(async move { spend(&limiter, Class::Change).await })));
            settle().await;
        }
        sleep(Duration::from_millis(50)).await;
        for &index in leaving {
            let waiter = waiters[index].take().expect("leaves once");
            waiter.abort();
            assert!(waiter.await.expect_err("aborted").is_cancelled());
        }
        assert_eq!(limiter.waiting(), 5 - leaving.len(), "{claim} leaves");
        for waiter in waiters.into_iter().flatten() {
            waiter.await.expect("waiter");
        }
        let staying = u32::try_from(5 - leaving.len()).expect("small");
        assert_eq!(began.elapsed(), Duration::from_millis(100) * staying, "{claim} leaves");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_served_and_then_dropped_passes_its_permit_on() {
    let limiter = drained(1);
    let mut first = Box::pin(limiter.permit(Class::Change, NAMESPACE));
    assert!(futures::poll!(&mut first).is_pending());
    let second = tokio::spawn({
        let limiter = limiter.clone();
        async move { spend(&limiter, Class::Change).await }
    });
    settle().await;
    // The limiter serves the first waiter, but that waiter is not polled.
    advance(Duration::from_millis(100)).await;
    assert!(limiter.try_permit(Class::Change, NAMESPACE).is_none());
    drop(first);
    assert_eq!(second.await.expect("second"), Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_is_not_a_positive_number_is_replaced_by_a_usable_one() {
    let rows = [
        ("no number", f64::NAN, 100.0),
        ("zero", 0.0, 100.0),
        ("below zero", -3.0, 100.0),
        ("without end", f64::INFINITY, 0.001),
        ("one in two seconds", 0.5, 2.0),
    ];
    for (claim, rate, seconds) in rows {
        let limiter = Limiter::new(rate, 0);
        assert_eq!(
            spend(&limiter, Class::Change).await,
            Duration::ZERO,
            "{claim}: the burst must be at least one"
        );
        // The clock of the tests moves in steps of a millisecond.
        assert_eq!(spend(&limiter, Class::Change).await, Duration::from_secs_f64(seconds), "{claim}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_token_is_lost_when_many_threads_wait_give_up_and_return_permits() {
    let limiter = Limiter::new(10_000.0, 4);
    let began = Instant::now();
    let mut waiters = JoinSet::new();
    for number in 0..400_u64 {
        let limiter = limiter.clone();
        waiters.spawn(async move {
            let class = if number % 2 == 0 { Class::Change } else { Class::Check };
            let patience = Duration::from_micros(number % 7 * 300);
            match tokio::time::timeout(patience, limiter.permit(class, NAMESPACE)).await {
                Ok(permit) if number % 3 == 0 => drop(permit),
                Ok(permit) => drop(permit.spend()),
                Err(_) => drop(spend(&limiter, class).await),
            }
        });
    }
    waiters.join_all().await;
    assert_eq!(limiter.waiting(), 0);
    assert!(began.elapsed() < Duration::from_secs(10));
    sleep(Duration::from_millis(2)).await;
    let full = std::iter::from_fn(|| limiter.try_permit(Class::Change, NAMESPACE)).take(4).count();
    assert_eq!(full, 4, "the bucket must be full again");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_delays_new_callers_and_callers_that_wait() {
    let limiter = Limiter::new(10.0, 20);
    let first = limiter.permit(Class::Change, NAMESPACE).await.spend();
    first.ended(true);
    assert!(limiter.rate() < 7.0, "{}", limiter.rate());
    assert!(limiter.try_permit(Class::Change, NAMESPACE).is_none());
    let waited = spend(&limiter, Class::Change).await;
    assert!((100..200).contains(&waited.as_millis()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn the_metrics_show_the_rate_that_aws_accepts_and_who_waits() {
    let page = |limiter: &Limiter| {
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(limiter.clone()));
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).expect("a page");
        page.lines()
            .filter_map(|line| line.strip_prefix("elasticache_user_aws_"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let limiter = Limiter::new(10.0, 1);
    assert_eq!(page(&limiter), ["rate_limit 10.0", "rate_limit_configured 10.0", "calls_waiting 0"]);
    limiter.permit(Class::Change, NAMESPACE).await.spend().ended(true);
    let waiting = tokio::spawn({
        let limiter = limiter.clone();
        async move { spend(&limiter, Class::Change).await }
    });
    settle().await;
    let slowed = page(&limiter);
    assert_eq!(slowed[1..], ["rate_limit_configured 10.0", "calls_waiting 1"]);
    let rate: f64 = slowed[0].rsplit(' ').next().and_then(|rate| rate.parse().ok()).expect("a number");
    assert!((5.0..7.0).contains(&rate), "{rate}");
    waiting.await.expect("the waiter");
}
