use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::*;
use crate::account::Limiter;

const SECOND: Duration = Duration::from_secs(1);

/// A queue whose passes a test defines.
struct Stage {
    queue: Queue,
    end: watch::Sender<bool>,
    /// The object and class of each pass that began, and when.
    begun: Arc<Mutex<Vec<(String, Class, Instant)>>>,
}

impl Stage {
    fn new(slots: u16) -> Self {
        let queue = Queue::new(slots, SECOND, QueueMetrics::default());
        Self { queue, end: watch::Sender::new(false), begun: Arc::default() }
    }

    /// Runs `pass` for each turn. The task ends when the queue has ended.
    fn run<F>(&self, pass: impl Fn(QueueTurn) -> F + Send + Sync + 'static) -> tokio::task::JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (queue, ending, begun) = (self.queue.clone(), self.end.subscribe(), self.begun.clone());
        tokio::spawn(async move {
            let noted = |turn: QueueTurn| {
                let class = *turn.class().borrow();
                begun.lock().unwrap().push((turn.object().to_owned(), class, Instant::now()));
                pass(turn)
            };
            queue.run(ending, noted).await.unwrap();
        })
    }

    fn names(&self) -> Vec<String> {
        self.begun.lock().unwrap().iter().map(|(name, ..)| name.clone()).collect()
    }
}

/// Lets every task that can run do so, without moving the clock.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn passes_begin_when_a_slot_is_free_and_their_time_has_come() {
    let stage = Stage::new(2);
    let passes = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let counted = (passes.clone(), most.clone());
    stage.run(move |turn| {
        let (passes, most) = counted.clone();
        async move {
            most.fetch_max(passes.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            sleep(SECOND).await;
            passes.fetch_sub(1, Ordering::Relaxed);
            let next = (turn.object() == "shop/0").then_some(10 * SECOND);
            turn.end(next);
        }
    });
    let began = Instant::now();
    for number in 0..5 {
        stage.queue.request(&format!("shop/{number}"), Trigger::Edit);
    }
    sleep(30 * SECOND).await;
    let begun = stage.begun.lock().unwrap().clone();
    let first: Vec<_> = begun
        .iter()
        .take(6)
        .map(|(name, class, at)| (name.as_str(), *class, (*at - began).as_secs()))
        .collect();
    let change = |name, second| (name, Class::Change, second);
    let expected = [
        change("shop/0", 0),
        change("shop/1", 0),
        change("shop/2", 1),
        change("shop/3", 1),
        change("shop/4", 2),
    ];
    assert_eq!(first[..5], expected);
    assert_eq!(first[5], ("shop/0", Class::Progress, 11));
    assert_eq!(most.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_is_dropped_while_it_waits_loses_no_slot() {
    let stage = Stage::new(1);
    let (gates, opened): (Vec<_>, Vec<_>) = (0..3).map(|_| oneshot::channel::<()>()).unzip();
    let opened = Arc::new(Mutex::new(opened.into_iter()));
    stage.run(move |turn| {
        let gate = opened.lock().unwrap().next();
        async move {
            match (turn.object(), gate) {
                // The wait of this pass is dropped while it has no slot, and once more while it wants the slot back.
                ("shop/dropped", Some(gate)) => {
                    let wait = async { turn.without_slot(gate).await };
                    drop(tokio::time::timeout(SECOND, wait).await);
                    drop(tokio::time::timeout(SECOND, turn.without_slot(sleep(SECOND / 2))).await);
                }
                (_, Some(gate)) => drop(turn.without_slot(gate).await),
                (_, None) => sleep(10 * SECOND).await,
            }
        }
    });
    for name in ["dropped", "first", "second", "busy", "last"] {
        stage.queue.request(&format!("shop/{name}"), Trigger::Edit);
    }
    settle().await;
    assert_eq!(
        stage.names(),
        ["shop/dropped", "shop/first", "shop/second", "shop/busy"],
        "a pass that waits must hold no slot"
    );
    // All passes want the slot that one pass holds for ten seconds.
    for gate in gates {
        let _ = gate.send(());
    }
    sleep(9 * SECOND).await;
    assert_eq!(stage.names().len(), 4);
    sleep(2 * SECOND).await;
    assert_eq!(stage.names().len(), 5);
    assert_eq!(stage.queue.0.lock().schedule.held(), 1, "the last pass holds the only slot");
    sleep(10 * SECOND).await;
    assert_eq!(stage.queue.0.lock().schedule.held(), 0);
    assert!(stage.queue.0.lock().under_way.is_empty());
}

#[tokio::test(start_paused = true)]
async fn at_shutdown_no_new_pass_begins_and_running_passes_end() {
    let stage = Stage::new(1);
    let ended = Arc::new(AtomicUsize::new(0));
    let counted = ended.clone();
    let running = stage.run(move |turn| {
        let ended = counted.clone();
        async move {
            turn.without_slot(sleep(SECOND)).await;
            sleep(SECOND).await;
            ended.fetch_add(1, Ordering::Relaxed);
        }
    });
    stage.queue.request("shop/a", Trigger::Edit);
    settle().await;
    stage.end.send_replace(true);
    settle().await;
    stage.queue.request("shop/b", Trigger::Edit);
    let began = Instant::now();
    tokio::time::timeout(60 * SECOND, running).await.expect("the queue ends").unwrap();
    assert_eq!((stage.names(), ended.load(Ordering::Relaxed)), (vec!["shop/a".to_owned()], 1));
    assert_eq!(began.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_change_raises_the_class_of_a_pass_that_waits_for_a_slot() {
    let stage = Stage::new(1);
    stage.run(|turn| async move {
        let mut class = turn.class();
        turn.without_slot(async { drop(class.wait_for(|class| *class == Class::Change).await) }).await;
        turn.end(None);
    });
    stage.queue.request("shop/a", Trigger::Listed(Class::Check));
    settle().await;
    stage.queue.request("shop/a", Trigger::Listed(Class::Repeat));
    settle().await;
    assert_eq!(stage.queue.0.lock().schedule.held(), 0);
    stage.queue.request("shop/a", Trigger::Change);
    sleep(2 * SECOND).await;
    let begun = stage.begun.lock().unwrap();
    let classes: Vec<Class> = begun.iter().map(|(_, class, _)| *class).collect();
    assert_eq!(classes, [Class::Check, Class::Change]);
}

/// Passes that make three calls each, at the default rate, until they are done. Those of class [`Class::Change`] report when
/// their first call was made.
fn call_aws(stage: &Stage, limiter: Limiter) -> Arc<Mutex<HashMap<String, Instant>>> {
    let calls: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let noted = calls.clone();
    stage.run(move |turn| {
        let (limiter, calls) = (limiter.clone(), noted.clone());
        async move {
            let class = *turn.class().borrow();
            for _ in 0..3 {
                let permit = turn.without_slot(limiter.permit(class, turn.namespace())).await;
                if class == Class::Change {
                    calls.lock().unwrap().entry(turn.object().to_owned()).or_insert_with(Instant::now);
                }
                sleep(Duration::from_millis(80)).await;
                drop(permit.spend());
            }
            // A stuck user is polled again and again.
            turn.end(Some(12 * SECOND));
        }
    });
    calls
}

/// A person's change has its first call within 10 s, whatever else waits.
#[tokio::test(start_paused = true)]
async fn the_first_request_of_each_of_fifty_namespaces_has_its_call_within_ten_seconds() {
    let stage = Stage::new(10);
    let calls = call_aws(&stage, Limiter::new(10.0, 20));
    // Checks, repeated attempts, and two tenants with many changes of their own.
    for number in 0..3000 {
        stage.queue.request(&format!("checks-{}/{number}", number % 20), Trigger::Listed(Class::Check));
        stage.queue.request(&format!("stuck-{}/{number}", number % 20), Trigger::Listed(Class::Repeat));
    }
    for number in 0..600 {
        stage.queue.request(&format!("ns-{}/crowd-{number}", number % 2), Trigger::Edit);
    }
    sleep(60 * SECOND).await;
    let began = Instant::now();
    for namespace in 2..50 {
        for number in 0..3 {
            stage.queue.request(&format!("ns-{namespace}/{number}"), Trigger::Edit);
        }
    }
    sleep(60 * SECOND).await;
    let calls = calls.lock().unwrap();
    for namespace in 2..50 {
        let first = calls.get(&format!("ns-{namespace}/0")).map(|at| *at - began);
        assert!(first.is_some_and(|first| first <= 10 * SECOND), "ns-{namespace}: {first:?}");
    }
}

/// Retries and checks get their turns too, however many changes there are.
#[tokio::test(start_paused = true)]
async fn changes_without_end_starve_neither_retries_nor_checks() {
    let stage = Stage::new(10);
    drop(call_aws(&stage, Limiter::new(10.0, 20)));
    for number in 0..30 {
        stage.queue.request(&format!("a/check-{number}"), Trigger::Listed(Class::Check));
        stage.queue.request(&format!("b/repeat-{number}"), Trigger::Listed(Class::Repeat));
    }
    let queue = stage.queue.clone();
    tokio::spawn(async move {
        loop {
            for number in 0..40 {
                queue.request(&format!("c/{number}"), Trigger::Edit);
            }
            sleep(Duration::from_millis(200)).await;
        }
    });
    sleep(400 * SECOND).await;
    let names = stage.names();
    for number in 0..30 {
        for name in [format!("a/check-{number}"), format!("b/repeat-{number}")] {
            assert!(names.contains(&name), "{name} never had a pass");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_metrics_show_who_waits_and_for_how_long() {
    let mut registry = prometheus_client::registry::Registry::default();
    let metrics = crate::telemetry::Metrics::register(&mut registry, Default::default(), Default::default());
    let stage = Stage { queue: Queue::new(2, SECOND, metrics.queue), ..Stage::new(2) };
    stage.run(|turn| async move {
        sleep(2 * SECOND).await;
        turn.without_slot(sleep(4 * SECOND)).await;
    });
    for number in 0..4 {
        stage.queue.request(&format!("shop/{number}"), Trigger::Edit);
    }
    let shows = |depth: u8, active: u8, count: u8, sum: &str| {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
        for line in [
            format!("workqueue_depth{{name=\"elasticacheuser\"}} {depth}"),
            format!("controller_runtime_active_workers{{controller=\"elasticacheuser\"}} {active}"),
            "controller_runtime_max_concurrent_reconciles{controller=\"elasticacheuser\"} 2".to_owned(),
            format!("workqueue_queue_duration_seconds_count{{name=\"elasticacheuser\"}} {count}"),
            format!("workqueue_queue_duration_seconds_sum{{name=\"elasticacheuser\"}} {sum}"),
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing in:\n{page}");
        }
    };
    settle().await;
    shows(2, 2, 2, "0.0");
    sleep(3 * SECOND).await;
    shows(0, 2, 4, "4.0");
    sleep(2 * SECOND).await;
    shows(0, 0, 4, "4.0");
}
