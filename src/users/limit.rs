//! No I/O: the rate limit for AWS calls, a token bucket with two classes of waiters, work before checks.
//!
//! AWS gives an account few calls a second for its whole control plane, so the operator limits itself. Within a class
//! waiters are served in the order of their arrival; a check is served only while no work waits. No task of its own runs:
//! one of the waiters at a time sleeps until the next token is due and hands it out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// Who goes first. The order of the variants is the order of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// Somebody waits for it: a spec changed, an object is on its way out.
    Work,
    /// Nobody does: a drift check.
    Check,
}

/// The slowest rate in calls a second; a lower one, and what is no number, counts as this.
const SLOWEST: f64 = 0.01;
/// The fastest rate in calls a second; a higher one counts as this.
const FASTEST: f64 = 1_000_000.0;

/// Gives permits for AWS calls. Clones share one bucket.
#[derive(Clone)]
pub struct Limiter(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Held by the one waiter that sleeps until the next token is due; the others only wait to be served.
    timekeeper: tokio::sync::Mutex<()>,
}

impl Limiter {
    /// A full bucket of `burst` tokens (at least one), filled at `rate` tokens a second.
    #[must_use]
    pub fn new(rate: f64, burst: u32) -> Self {
        // In this form what is no number counts as the slowest.
        let rate = if rate > SLOWEST { rate.min(FASTEST) } else { SLOWEST };
        let interval = Duration::from_secs_f64(rate.recip());
        let bucket = Bucket { interval, capacity: interval * burst.max(1), full_at: Instant::now() };
        let state = State { bucket, waiters: BTreeMap::new(), arrivals: 0 };
        Self(Arc::new(Shared { state: Mutex::new(state), timekeeper: tokio::sync::Mutex::default() }))
    }

    /// Waits for a permit. Dropping the future loses no token and no other waiter's turn.
    pub async fn permit(&self, urgency: Urgency) -> Permit {
        loop {
            let mut waiter = Waiter::join(&self.0, urgency);
            serve(&self.0);
            let place = waiter.place;
            tokio::select! {
                biased;
                // The sender goes with a permit in it, or never: but should it, there is nothing lost by asking again.
                Ok(permit) = &mut waiter.served => return permit,
                () = self.keep_time(place) => {}
            }
        }
    }

    /// Hands out tokens as they become due, until the waiter at `place` has left the queue; its permit is on its way then.
    async fn keep_time(&self, place: Place) {
        let _timekeeper = self.0.timekeeper.lock().await;
        loop {
            let due = {
                let state = self.0.state();
                state.waiters.contains_key(&place).then(|| state.bucket.due(Instant::now()))
            };
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
            serve(&self.0);
        }
    }

    /// A permit if one can be had at once, that is if a token is there and nobody who goes first waits.
    #[must_use]
    pub fn try_permit(&self, urgency: Urgency) -> Option<Permit> {
        let mut waiter = Waiter::join(&self.0, urgency);
        serve(&self.0);
        waiter.served.try_recv().ok()
    }

    /// How many wait now, in both classes.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.state().waiters.len()
    }

    /// AWS throttled a call all the same. The rate stays as it was configured: this is where slowing down will begin.
    pub fn throttled(&self) {}
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

/// The right to make one call. Dropped unused it goes back; a call spends it.
#[must_use = "a permit that is dropped goes back to the limiter"]
pub struct Permit {
    /// `None` once it is spent.
    limiter: Option<Arc<Shared>>,
}

impl Permit {
    /// Uses it up: the call is made now.
    pub(super) fn spend(mut self) {
        self.limiter = None;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(limiter) = self.limiter.take() {
            limiter.state().bucket.put_back();
            serve(&limiter);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// Place in the queue: the class, then the order of arrival.
type Place = (Urgency, u64);

struct State {
    bucket: Bucket,
    waiters: BTreeMap<Place, oneshot::Sender<Permit>>,
    arrivals: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; and a bucket is sound whoever left it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands out every token that is there, first come first served within a class.
fn serve(shared: &Arc<Shared>) {
    loop {
        let next = {
            let mut state = shared.state();
            if state.waiters.is_empty() || !state.bucket.take(Instant::now()) {
                return;
            }
            state.waiters.pop_first()
        };
        if let Some((_, waiter)) = next {
            // Out of the lock: for a waiter that has just gone the permit is dropped here, and serves the next one.
            drop(waiter.send(Permit { limiter: Some(Arc::clone(shared)) }));
        }
    }
}

/// One that waits; leaves the queue when dropped.
struct Waiter<'a> {
    shared: &'a Shared,
    place: Place,
    served: oneshot::Receiver<Permit>,
}

impl<'a> Waiter<'a> {
    fn join(shared: &'a Shared, urgency: Urgency) -> Self {
        let (sender, served) = oneshot::channel();
        let mut state = shared.state();
        state.arrivals += 1;
        let place = (urgency, state.arrivals);
        state.waiters.insert(place, sender);
        drop(state);
        Self { shared, place, served }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let left = self.shared.state().waiters.remove(&self.place);
        drop(left);
    }
}

/// The bucket, kept as the moment at which it will be full again: exact, and without a clock that ticks.
struct Bucket {
    /// Time that one token takes.
    interval: Duration,
    /// Time that an empty bucket takes to fill.
    capacity: Duration,
    full_at: Instant,
}

impl Bucket {
    /// Takes a token if there is one.
    fn take(&mut self, now: Instant) -> bool {
        if self.due(now) > now {
            return false;
        }
        self.full_at = self.full_at.max(now) + self.interval;
        true
    }

    /// When there is a token; `now` where there is one.
    fn due(&self, now: Instant) -> Instant {
        let missing = self.full_at.saturating_duration_since(now) + self.interval;
        now + missing.saturating_sub(self.capacity)
    }

    fn put_back(&mut self) {
        // Before the clock's beginning there is no moment; then the bucket is full in any case.
        self.full_at = self.full_at.checked_sub(self.interval).unwrap_or(self.full_at);
    }
}

#[cfg(test)]
mod tests;
