//! No I/O: the rate limit for AWS calls, a token bucket with two classes of waiters, work before checks.
//!
//! AWS gives an account few calls a second for its whole control plane, so the operator limits itself, and slows down for
//! all objects together where AWS refuses calls all the same (`bucket`). Within a class waiters are served in the order of
//! their arrival; a check is served only while no work waits. No task of its own runs: one of the waiters at a time sleeps
//! until the next token is due and hands it out.

mod bucket;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::time::Instant;

use bucket::{Bucket, Era};

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
    /// Held by the one check that goes as work.
    overdue: Arc<tokio::sync::Mutex<()>>,
}

impl Limiter {
    /// A full bucket of `burst` tokens (at least one), filled at `rate` tokens a second.
    #[must_use]
    pub fn new(rate: f64, burst: u32) -> Self {
        // In this form what is no number counts as the slowest.
        let rate = if rate > SLOWEST { rate.min(FASTEST) } else { SLOWEST };
        let bucket = Bucket::new(rate, burst.max(1), Instant::now());
        let state = State { bucket, waiters: BTreeMap::new(), arrivals: 0 };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            timekeeper: tokio::sync::Mutex::default(),
            overdue: Arc::default(),
        }))
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
                let mut state = self.0.state();
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

    /// The turn of a check that found no token for long: with it in hand it goes as work. One at a time, so that checks take a
    /// small share of the tokens and never the place of those that somebody waits for.
    #[must_use]
    pub fn overdue(&self) -> Option<Overdue> {
        Arc::clone(&self.0.overdue).try_lock_owned().ok().map(|turn| Overdue { _turn: turn })
    }

    /// Calls a second that are permitted now: as configured, or fewer since AWS refused some.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.0.state().bucket.rate(Instant::now())
    }
}

/// See [`Limiter::overdue`]. Ends when dropped.
#[derive(Debug)]
pub struct Overdue {
    _turn: OwnedMutexGuard<()>,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("waiting", &self.waiting())
            .field("rate", &self.rate())
            .finish_non_exhaustive()
    }
}

/// The right to make one call. Dropped unused it goes back; a call spends it.
#[must_use = "a permit that is dropped goes back to the limiter"]
pub struct Permit {
    /// `None` once it is spent.
    limiter: Option<Arc<Shared>>,
    era: Era,
}

impl Permit {
    /// Uses it up: the call is made now.
    pub(super) fn spend(mut self) -> InFlight {
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

/// A call on its way. Dropped without its end it has told nothing.
#[must_use = "how the call ended is what the limiter learns from"]
pub(super) struct InFlight {
    limiter: Option<Arc<Shared>>,
    era: Era,
    sent: Instant,
}

impl InFlight {
    /// The call ended; AWS refused it for the rate alone, or did not.
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
            if state.waiters.is_empty() {
                return;
            }
            let Some(era) = state.bucket.take(Instant::now()) else { return };
            state.waiters.pop_first().map(|(_, waiter)| (waiter, era))
        };
        if let Some((waiter, era)) = next {
            // Out of the lock: for a waiter that has just gone the permit is dropped here, and serves the next one.
            drop(waiter.send(Permit { limiter: Some(Arc::clone(shared)), era }));
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

#[cfg(test)]
mod tests;
