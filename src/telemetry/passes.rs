//! No I/O: metrics of passes and of the queue, under the names that dashboards for controller-runtime use.

use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

use super::objects::ObjectMetrics;

const CONTROLLER: &str = "elasticacheuser";
/// Upper bounds in seconds.
const WAITS: [f64; 10] = [0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 900.0];

/// The values of controller-runtime's label `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reconciled {
    /// Nothing to do until something changes.
    Success,
    /// The next pass is due after a pause.
    RequeueAfter,
    /// The pass was interrupted by a conflict or by the end of the operator. The next pass is due at once.
    Requeue,
    /// The API server failed.
    Error,
}

impl Reconciled {
    const ALL: [Self; 4] = [Self::Success, Self::RequeueAfter, Self::Requeue, Self::Error];

    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RequeueAfter => "requeue_after",
            Self::Requeue => "requeue",
            Self::Error => "error",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControllerLabel {
    controller: &'static str,
}

const LABEL: ControllerLabel = ControllerLabel { controller: CONTROLLER };

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabel {
    name: &'static str,
}

const QUEUE: QueueLabel = QueueLabel { name: CONTROLLER };

/// Clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics {
    total: Family<ResultLabels, Counter>,
    errors: Family<ControllerLabel, Counter>,
    time: Family<ControllerLabel, Histogram>,
    active: Family<ControllerLabel, Gauge<i64, AtomicI64>>,
    max: Family<ControllerLabel, Gauge<i64, AtomicI64>>,
    corrections: Counter,
    orphans_removed: Counter,
    kubernetes_failures: Counter,
    pub queue: Queue,
    pub objects: ObjectMetrics,
}

impl Metrics {
    /// Creates every series whose labels are known, because a counter that starts at 1 has no rate for its first event.
    #[must_use]
    pub fn register(registry: &mut Registry, objects: ObjectMetrics) -> Self {
        let metrics = Self {
            total: Family::default(),
            errors: Family::default(),
            time: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.005, 2.0, 14))),
            active: Family::default(),
            max: Family::default(),
            corrections: Counter::default(),
            orphans_removed: Counter::default(),
            kubernetes_failures: Counter::default(),
            queue: Queue::default(),
            objects,
        };
        for result in Reconciled::ALL {
            drop(metrics.total.get_or_create(&labels(result)));
        }
        drop(metrics.errors.get_or_create(&LABEL));
        drop(metrics.time.get_or_create(&LABEL));
        drop(metrics.active.get_or_create(&LABEL));
        metrics.register_passes(registry);
        metrics.register_queue(registry);
        registry.register(
            "elasticache_user_drift_corrections",
            "Number of changes in AWS by others that the operator reverted",
            metrics.corrections.clone(),
        );
        registry.register(
            "elasticache_user_orphans_removed",
            "Number of AWS users that the operator deleted because their object vanished right after CreateUser, in spite of its finalizer",
            metrics.orphans_removed.clone(),
        );
        registry.register(
            "elasticache_user_kubernetes_failures",
            "Number of requests about objects and Secrets that the API server did not perform, or whose answer could not be read",
            metrics.kubernetes_failures.clone(),
        );
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("elasticache_user_build", "Version of the operator", build);
        registry.register_collector(Box::new(metrics.objects.clone()));
        metrics
    }

    // The library appends the unit and `_total` to the names.
    fn register_passes(&self, registry: &mut Registry) {
        registry.register("controller_runtime_reconcile", "Number of passes, by result", self.total.clone());
        registry.register(
            "controller_runtime_reconcile_errors",
            "Number of passes that failed because of the API server. Refusals by AWS are counted in aws_api_calls",
            self.errors.clone(),
        );
        registry.register_with_unit(
            "controller_runtime_reconcile_time",
            "Duration of a pass, including its waits for the AWS rate limit",
            Unit::Seconds,
            self.time.clone(),
        );
        registry.register(
            "controller_runtime_active_workers",
            "Number of passes that are running",
            self.active.clone(),
        );
        registry.register(
            "controller_runtime_max_concurrent_reconciles",
            "Maximum number of passes that run at once: --concurrency, multiplied by the number of namespaces if --namespace is set",
            self.max.clone(),
        );
    }

    fn register_queue(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "workqueue_queue_duration",
            "Time that a pass waited after it was due, because of a change or the end of a pause",
            Unit::Seconds,
            self.queue.0.waits.clone(),
        );
        registry.register_collector(Box::new(self.queue.clone()));
    }

    /// The counter of reverted changes.
    #[must_use]
    pub fn corrections(&self) -> Counter {
        self.corrections.clone()
    }

    /// The counter of users that were deleted because their object vanished.
    #[must_use]
    pub fn kubernetes_failures(&self) -> Counter {
        self.kubernetes_failures.clone()
    }

    #[must_use]
    pub fn orphans_removed(&self) -> Counter {
        self.orphans_removed.clone()
    }

    pub fn allow(&self, passes: usize) {
        self.max.get_or_create(&LABEL).set(i64::try_from(passes).unwrap_or(i64::MAX));
    }

    /// Records that a pass over this object starts.
    pub fn begin(&self, object: &str) -> Measured<'_> {
        self.queue.begin(object);
        self.active.get_or_create(&LABEL).inc();
        Measured { metrics: self, since: Instant::now() }
    }
}

fn labels(result: Reconciled) -> ResultLabels {
    ResultLabels { controller: CONTROLLER, result: result.as_str() }
}

/// A running pass. If it is dropped before its end, only the number of running passes changes.
#[derive(Debug)]
pub struct Measured<'a> {
    metrics: &'a Metrics,
    since: Instant,
}

impl Measured<'_> {
    pub fn end(self, result: Reconciled) {
        self.metrics.total.get_or_create(&labels(result)).inc();
        if result == Reconciled::Error {
            self.metrics.errors.get_or_create(&LABEL).inc();
        }
        self.metrics.time.get_or_create(&LABEL).observe(self.since.elapsed().as_secs_f64());
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        self.metrics.active.get_or_create(&LABEL).dec();
    }
}

/// Knows when the next pass over each object is due. kube does not show its queue, so this one repeats its rule: of two requests for
/// the same object, the earlier one counts.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Due>);

#[derive(Debug)]
struct Due {
    /// Keys are `namespace/name`.
    at: Mutex<HashMap<String, Instant>>,
    waits: Family<QueueLabel, Histogram>,
}

impl Default for Queue {
    fn default() -> Self {
        let waits: Family<QueueLabel, Histogram> = Family::new_with_constructor(|| Histogram::new(WAITS));
        drop(waits.get_or_create(&QUEUE));
        Self(Arc::new(Due { at: Mutex::default(), waits }))
    }
}

impl Queue {
    /// Records that a pass over this object is due after `pause`.
    pub fn request(&self, object: String, pause: Duration) {
        let due = Instant::now() + pause;
        self.lock().entry(object).and_modify(|before| *before = due.min(*before)).or_insert(due);
    }

    /// Call this when the object is gone.
    pub fn forget(&self, object: &str) {
        self.lock().remove(object);
    }

    fn begin(&self, object: &str) {
        let due = self.lock().remove(object);
        if let Some(due) = due {
            // A pass may start a moment before it is due, because kube started the pause earlier. Then `elapsed` is zero.
            self.0.waits.get_or_create(&QUEUE).observe(due.elapsed().as_secs_f64());
        }
    }

    fn depth(&self) -> usize {
        let now = Instant::now();
        self.lock().values().filter(|due| **due <= now).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Queue {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let depth = i64::try_from(self.depth()).unwrap_or(i64::MAX);
        let help = "Number of passes that are due and wait for a free slot.";
        let mut metric = encoder.encode_descriptor("workqueue_depth", help, None, MetricType::Gauge)?;
        ConstGauge::new(depth).encode(metric.encode_family(&QUEUE)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn page(registry: &Registry) -> String {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, registry).unwrap();
        page
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_waits_from_when_it_is_due_until_it_begins() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry, ObjectMetrics::default());
        let holds = |lines: &[&str]| {
            let page = page(&registry);
            for line in lines {
                assert!(page.lines().any(|found| found == *line), "{line} is missing in:\n{page}");
            }
        };
        metrics.queue.request("shop/a".to_owned(), 10 * SECOND);
        metrics.queue.request("shop/b".to_owned(), SECOND);
        metrics.queue.request("shop/gone".to_owned(), SECOND);
        holds(&["workqueue_depth{name=\"elasticacheuser\"} 0"]);
        tokio::time::advance(2 * SECOND).await;
        holds(&["workqueue_depth{name=\"elasticacheuser\"} 2"]);
        metrics.queue.forget("shop/gone");
        // A change makes the pass due now. A later request does not delay it.
        metrics.queue.request("shop/a".to_owned(), Duration::ZERO);
        metrics.queue.request("shop/a".to_owned(), SECOND);
        tokio::time::advance(2 * SECOND).await;
        holds(&["workqueue_depth{name=\"elasticacheuser\"} 2"]);
        let under_way = [metrics.begin("shop/a"), metrics.begin("shop/b")];
        holds(&[
            "workqueue_depth{name=\"elasticacheuser\"} 0",
            "workqueue_queue_duration_seconds_count{name=\"elasticacheuser\"} 2",
            "workqueue_queue_duration_seconds_sum{name=\"elasticacheuser\"} 5.0",
            "controller_runtime_active_workers{controller=\"elasticacheuser\"} 2",
        ]);
        let [one, other] = under_way;
        one.end(Reconciled::Error);
        drop(other);
        holds(&[
            "controller_runtime_active_workers{controller=\"elasticacheuser\"} 0",
            "controller_runtime_reconcile_total{controller=\"elasticacheuser\",result=\"error\"} 1",
            "controller_runtime_reconcile_total{controller=\"elasticacheuser\",result=\"requeue\"} 0",
            "controller_runtime_reconcile_errors_total{controller=\"elasticacheuser\"} 1",
            "controller_runtime_reconcile_time_seconds_count{controller=\"elasticacheuser\"} 1",
        ]);
    }
}
