//! No I/O: the rate limit for AWS calls: a token bucket that serves its waiters in the order of the queue.
//!
//! AWS allows an account only few calls a second, for all its control plane. So the operator limits itself, and it slows
//! down for all objects together if AWS refuses calls anyway (`bucket`). The limiter has no task of its own: one waiter at a
//! time sleeps until the next token is due, and hands it out.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::bucket::{Bucket, Era};
use crate::queue::{Class, FairOrder, Ticket};

/// The slowest rate in calls a second. A lower rate, or NaN, counts as this.
const SLOWEST: f64 = 0.01;
/// The fastest rate in calls a second. A higher one counts as this.
const FASTEST: f64 = 1_000_000.0;

/// Gives permits for AWS calls. Clones share one bucket.
#[derive(Clone)]
pub struct Limiter(Arc<LimiterShared>);

struct LimiterShared {
    state: Mutex<LimiterState>,
    /// Held by the waiter that sleeps until the next token is due. The others wait to be served.
    timekeeper: tokio::sync::Mutex<()>,
}

impl Limiter {
    /// A full bucket of `burst` tokens (at least one), filled at `rate` tokens a second.
    #[must_use]
    pub fn new(rate: f64, burst: u32) -> Self {
        // NaN counts as the slowest rate too.
        let rate = if rate > SLOWEST { rate.min(FASTEST) } else { SLOWEST };
        let bucket = Bucket::new(rate, burst.max(1), Instant::now());
        let state = LimiterState { bucket, waiters: FairOrder::default() };
        Self(Arc::new(LimiterShared { state: Mutex::new(state), timekeeper: tokio::sync::Mutex::default() }))
    }

    /// Waits for a permit. Dropping the future loses no token and no other waiter's turn.
    pub async fn permit(&self, class: Class, namespace: &str) -> Permit {
        loop {
            let mut waiter = Waiter::join(&self.0, class, namespace);
            serve(&self.0);
            let ticket = waiter.ticket;
            tokio::select! {
                biased;
                // A sender is never dropped without a permit. If it were, the loop would ask again.
                Ok(permit) = &mut waiter.served => return permit,
                () = self.keep_time(namespace, ticket) => {}
            }
        }
    }

    /// Hands out tokens when they are due, until the waiter with this ticket was served. Then its permit is on its way.
    async fn keep_time(&self, namespace: &str, ticket: Ticket) {
        let _timekeeper = self.0.timekeeper.lock().await;
        loop {
            let due = {
                let mut state = self.0.state();
                state.waiters.contains(namespace, ticket).then(|| state.bucket.due(Instant::now()))
            };
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
            serve(&self.0);
        }
    }

    /// A permit, if a token is there and nobody waits who goes first.
    #[must_use]
    pub fn try_permit(&self, class: Class, namespace: &str) -> Option<Permit> {
        let mut waiter = Waiter::join(&self.0, class, namespace);
        serve(&self.0);
        waiter.served.try_recv().ok()
    }

    /// How many wait now.
    pub(super) fn waiting(&self) -> usize {
        self.0.state().waiters.len()
    }

    /// Calls a second that are permitted now: as configured, or fewer if AWS has refused some.
    pub(super) fn rate(&self) -> f64 {
        self.0.state().bucket.rate(Instant::now())
    }
}

impl Collector for Limiter {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let waiting = i64::try_from(self.waiting()).unwrap_or(i64::MAX);
        let configured = self.0.state().bucket.fastest();
        let mut gauge = |name, help, value: &dyn EncodeMetric| {
            value.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
        };
        gauge(
            "elasticache_user_aws_rate_limit",
            "AWS calls a second that the operator allows itself now: as configured, or fewer because AWS throttled some.",
            &ConstGauge::new(self.rate()),
        )?;
        gauge(
            "elasticache_user_aws_rate_limit_configured",
            "AWS calls a second that the operator allows itself at most: --aws-rate.",
            &ConstGauge::new(configured),
        )?;
        gauge(
            "elasticache_user_aws_calls_waiting",
            "Number of AWS calls that wait for the rate limit.",
            &ConstGauge::new(waiting),
        )
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("waiting", &self.waiting())
            .field("rate", &self.rate())
            .finish_non_exhaustive()
    }
}

/// The right to make one call. A call spends it. If it is dropped unused, the token goes back.
#[must_use = "a permit that is dropped goes back to the limiter"]
pub struct Permit {
    /// `None` once it is spent.
    limiter: Option<Arc<LimiterShared>>,
    era: Era,
}

impl Permit {
    /// The call is made now.
    pub(crate) fn spend(mut self) -> InFlight {
        InFlight { limiter: self.limiter.take(), era: self.era, sent: Instant::now() }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(limiter) = self.limiter.take() {
            limiter.state().bucket.put_back(self.era);
            serve(&limiter);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// A call on its way. If it is dropped, the limiter learns nothing from it.
#[must_use = "how the call ended is what the limiter learns from"]
pub(crate) struct InFlight {
    limiter: Option<Arc<LimiterShared>>,
    era: Era,
    sent: Instant,
}

impl InFlight {
    /// `throttled`: AWS refused the call because of the rate.
    pub(super) fn ended(self, throttled: bool) {
        let Some(limiter) = self.limiter else { return };
        let mut state = limiter.state();
        if !throttled {
            return state.bucket.accepted(self.era);
        }
        let now = Instant::now();
        if state.bucket.refused(self.era, self.sent, now) {
            let rate = state.bucket.rate(now);
            let waiting = state.waiters.len();
            drop(state);
            tracing::info!("AWS throttles: slowed down to {rate:.2} calls a second, {waiting} wait");
        }
    }
}

struct LimiterState {
    bucket: Bucket,
    waiters: FairOrder<oneshot::Sender<Permit>>,
}

impl LimiterShared {
    fn state(&self) -> MutexGuard<'_, LimiterState> {
        // A poisoned lock is no danger: the bucket is consistent after each of its methods.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands out every token that is there.
fn serve(shared: &Arc<LimiterShared>) {
    loop {
        let next = {
            let mut state = shared.state();
            if state.waiters.len() == 0 {
                return;
            }
            let Some(era) = state.bucket.take(Instant::now()) else { return };
            state.waiters.pop(|_, _| true).map(|(_, waiter)| (waiter, era))
        };
        if let Some((waiter, era)) = next {
            // Outside the lock: if the waiter has just gone, the permit is dropped here and serves the next waiter.
            drop(waiter.send(Permit { limiter: Some(Arc::clone(shared)), era }));
        }
    }
}

/// Leaves the queue when it is dropped.
struct Waiter<'a> {
    shared: &'a LimiterShared,
    namespace: &'a str,
    ticket: Ticket,
    served: oneshot::Receiver<Permit>,
}

impl<'a> Waiter<'a> {
    fn join(shared: &'a LimiterShared, class: Class, namespace: &'a str) -> Self {
        let (sender, served) = oneshot::channel();
        let ticket = shared.state().waiters.push(class, namespace, sender);
        Self { shared, namespace, ticket, served }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let left = self.shared.state().waiters.remove(self.namespace, self.ticket);
        drop(left);
    }
}

#[cfg(test)]
mod tests;
