//! No I/O: metrics of passes and of the queue, under the names that dashboards for controller-runtime use.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

use super::corrections::Corrections;
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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DirectionLabel {
    direction: &'static str,
}

/// How many memberships of user groups wait. Clones share their values.
#[derive(Clone, Debug, Default)]
pub struct GroupMetrics(Family<DirectionLabel, Gauge>);

impl GroupMetrics {
    pub fn set(&self, joins: usize, leaves: usize) {
        for (direction, waiting) in [("join", joins), ("leave", leaves)] {
            let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
            self.0.get_or_create(&DirectionLabel { direction }).set(waiting);
        }
    }
}

/// Which of several operators this one is.
#[derive(Clone, Copy, Debug, Default)]
pub struct OperatorName<'a> {
    pub namespace: &'a str,
    pub release: &'a str,
}

/// Clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics {
    total: Family<ResultLabels, Counter>,
    errors: Family<ControllerLabel, Counter>,
    time: Family<ControllerLabel, Histogram>,
    corrections: Corrections,
    orphans_removed: Counter,
    kubernetes_failures: Counter,
    events_dropped: Counter,
    pub groups: GroupMetrics,
    pub queue: QueueMetrics,
    pub objects: ObjectMetrics,
}

impl Metrics {
    /// Creates every series whose labels are known, because a counter that starts at 1 has no rate for its first event.
    #[must_use]
    pub fn register(registry: &mut Registry, objects: ObjectMetrics, who: OperatorName<'_>) -> Self {
        let metrics = Self {
            total: Family::default(),
            errors: Family::default(),
            time: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.005, 2.0, 14))),
            corrections: objects.corrections(),
            orphans_removed: Counter::default(),
            kubernetes_failures: Counter::default(),
            events_dropped: Counter::default(),
            groups: GroupMetrics::default(),
            queue: QueueMetrics::default(),
            objects,
        };
        for result in Reconciled::ALL {
            drop(metrics.total.get_or_create(&labels(result)));
        }
        drop(metrics.errors.get_or_create(&LABEL));
        drop(metrics.time.get_or_create(&LABEL));
        metrics.register_passes(registry);
        metrics.queue.register(registry);
        registry.register(
            "elasticache_user_drift_corrections",
            "Number of changes in AWS by others that the operator reverted",
            metrics.corrections.total(),
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
        registry.register(
            "elasticache_user_events_dropped",
            "Number of events about objects that were not written, because the API server did not take them in time or refused them",
            metrics.events_dropped.clone(),
        );
        metrics.groups.set(0, 0);
        registry.register(
            "elasticache_user_group_changes_waiting",
            "Number of memberships of user groups that wait to be added or removed, or that AWS is changing",
            metrics.groups.0.clone(),
        );
        let OperatorName { namespace, release } = who;
        let labels = [("version", env!("CARGO_PKG_VERSION")), ("namespace", namespace), ("release", release)];
        let build = Info::new(labels.map(|(name, value)| (name, value.to_owned())).to_vec());
        registry.register(
            "elasticache_user_build",
            "Version of the operator, its own namespace, and its release (--release)",
            build,
        );
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
    }

    /// The counters of reverted changes.
    #[must_use]
    pub fn corrections(&self) -> Corrections {
        self.corrections.clone()
    }

    /// The counter of requests that the API server did not perform.
    #[must_use]
    pub fn kubernetes_failures(&self) -> Counter {
        self.kubernetes_failures.clone()
    }

    /// The counter of events that were not written.
    #[must_use]
    pub fn events_dropped(&self) -> Counter {
        self.events_dropped.clone()
    }

    /// The counter of users that were deleted because their object vanished.
    #[must_use]
    pub fn orphans_removed(&self) -> Counter {
        self.orphans_removed.clone()
    }

    /// Measures a pass from now on.
    #[must_use]
    pub fn begin(&self) -> Measured<'_> {
        Measured { metrics: self, since: Instant::now() }
    }
}

fn labels(result: Reconciled) -> ResultLabels {
    ResultLabels { controller: CONTROLLER, result: result.as_str() }
}

/// A pass under way. If it is dropped before its end, it does not count.
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

/// What the queue shows of itself. Clones share their values.
#[derive(Clone, Debug)]
pub struct QueueMetrics {
    active: Family<ControllerLabel, Gauge<i64, AtomicI64>>,
    max: Family<ControllerLabel, Gauge<i64, AtomicI64>>,
    depth: Family<QueueLabel, Gauge<i64, AtomicI64>>,
    waits: Family<QueueLabel, Histogram>,
}

impl Default for QueueMetrics {
    fn default() -> Self {
        let waits: Family<QueueLabel, Histogram> = Family::new_with_constructor(|| Histogram::new(WAITS));
        drop(waits.get_or_create(&QUEUE));
        let metrics =
            Self { active: Family::default(), max: Family::default(), depth: Family::default(), waits };
        metrics.set(0, 0);
        metrics
    }
}

impl QueueMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "controller_runtime_active_workers",
            "Number of passes that hold a slot. A pass that waits for the AWS rate limit holds none",
            self.active.clone(),
        );
        registry.register(
            "controller_runtime_max_concurrent_reconciles",
            "Number of slots: --concurrency",
            self.max.clone(),
        );
        registry.register(
            "workqueue_depth",
            "Number of passes that are due and wait for a free slot",
            self.depth.clone(),
        );
        registry.register_with_unit(
            "workqueue_queue_duration",
            "Time that a pass waited after it was due, because of a change or the end of a pause",
            Unit::Seconds,
            self.waits.clone(),
        );
    }

    pub fn allow(&self, slots: u16) {
        self.max.get_or_create(&LABEL).set(slots.into());
    }

    /// `depth` passes wait for a slot, and `active` passes hold one.
    pub fn set(&self, depth: usize, active: usize) {
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.depth.get_or_create(&QUEUE).set(number(depth));
        self.active.get_or_create(&LABEL).set(number(active));
    }

    /// A pass begins that was due for so long.
    pub fn waited(&self, wait: Duration) {
        self.waits.get_or_create(&QUEUE).observe(wait.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pass_counts_when_it_ends() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry, ObjectMetrics::default(), OperatorName::default());
        metrics.begin().end(Reconciled::Error);
        drop(metrics.begin());
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
        for line in [
            "controller_runtime_reconcile_total{controller=\"elasticacheuser\",result=\"error\"} 1",
            "controller_runtime_reconcile_total{controller=\"elasticacheuser\",result=\"requeue\"} 0",
            "controller_runtime_reconcile_errors_total{controller=\"elasticacheuser\"} 1",
            "controller_runtime_reconcile_time_seconds_count{controller=\"elasticacheuser\"} 1",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing in:\n{page}");
        }
    }
}
