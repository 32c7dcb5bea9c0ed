//! No I/O: a fair queue in front of the passes. It decides whose pass begins, and when.
//!
//! An object that waits costs an entry and no future. A pass begins with a slot, of which there are `--concurrency`. While it
//! waits for a token of the rate limiter, it holds none. Who comes next is decided in `fair`, and when a pass is due in
//! `schedule`: both are pure.

mod fair;
mod schedule;

pub use fair::Class;
pub(crate) use fair::{FairOrder, Ticket};
pub(crate) use schedule::{Key, Trigger};

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plan::Moment;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use self::schedule::{Begin, Schedule};
use crate::telemetry::QueueMetrics;

/// Clones share one queue.
#[derive(Clone, Debug)]
pub(crate) struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<QueueState>,
    /// Somebody may be served now who was not before.
    changed: Notify,
    /// The probe among the objects that are left to a listing has waited long enough.
    probe_ended: Notify,
    metrics: QueueMetrics,
    /// The zero of [`Moment`].
    started: Instant,
}

#[derive(Debug)]
struct QueueState {
    schedule: Schedule,
    /// How the passes under way are told of a higher class and of their slot.
    under_way: HashMap<Key, Told>,
}

#[derive(Debug)]
struct Told {
    class: watch::Sender<Class>,
    resumed: Arc<Notify>,
}

impl Queue {
    /// `spacing`: two passes over one object begin at least so long after each other, unless it was edited.
    pub(crate) fn new(slots: u16, spacing: Duration, metrics: QueueMetrics) -> Self {
        metrics.allow(slots);
        let schedule = Schedule::new(usize::from(slots), spacing);
        Self(Arc::new(Shared {
            state: Mutex::new(QueueState { schedule, under_way: HashMap::new() }),
            changed: Notify::new(),
            probe_ended: Notify::new(),
            metrics,
            started: Instant::now(),
        }))
    }

    /// Requests a pass over the object `namespace/name`.
    pub(crate) fn request(&self, object: &str, trigger: Trigger) {
        let (key, now) = (Key::from(object), self.0.now());
        let mut state = self.0.lock();
        let lifted = state.schedule.request(&key, trigger, now);
        if let Some((class, told)) = lifted.zip(state.under_way.get(&key)) {
            told.class.send_if_modified(|current| {
                let higher = class < *current;
                *current = class.min(*current);
                higher
            });
        }
        self.0.note(&state);
    }

    /// To be called if the object is gone.
    pub(crate) fn forget(&self, object: &str) {
        let mut state = self.0.lock();
        state.schedule.forget(&Key::from(object));
        self.0.note(&state);
    }

    /// The object has had no pass since, and none is requested.
    pub(crate) fn is_at_rest(&self, object: &str, since: Instant) -> bool {
        let since = Moment::after_start(since.saturating_duration_since(self.0.started));
        self.0.lock().schedule.is_at_rest(object, since)
    }

    /// The objects that wait for AWS and have no timer, because a listing shows all of them together.
    pub(crate) fn listed(&self) -> Vec<Arc<str>> {
        self.0.lock().schedule.listed()
    }

    /// Waits until a listing will probably show that many of these objects have waited long enough.
    pub(crate) async fn probe_ended(&self) {
        self.0.probe_ended.notified().await;
    }

    /// Of the objects of [`Self::listed`], the one that had its pass last.
    pub(crate) fn newest_listed(&self) -> Option<Arc<str>> {
        self.0.lock().schedule.newest_listed()
    }

    /// If more objects wait for AWS, they get no timer.
    pub(crate) fn set_most_polled(&self, most: usize) {
        self.0.lock().schedule.set_most_polled(most);
    }

    /// Runs passes until `ending` turns true, then until those under way have ended. What waits then gets no pass.
    ///
    /// # Errors
    /// If a pass panics.
    pub(crate) async fn run<F>(
        &self,
        mut ending: watch::Receiver<bool>,
        pass: impl Fn(QueueTurn) -> F,
    ) -> Result<(), JoinError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut passes = JoinSet::new();
        loop {
            while let Some(turn) = self.begin() {
                passes.spawn(pass(turn));
            }
            tokio::select! {
                _ = ending.wait_for(|ending| *ending) => break,
                () = self.0.changed.notified() => {}
                () = self.next_due() => {}
                Some(ended) = passes.join_next() => ended?,
            }
        }
        while let Some(ended) = passes.join_next().await {
            ended?;
        }
        Ok(())
    }

    fn begin(&self) -> Option<QueueTurn> {
        let mut state = self.0.lock();
        let begun = state.schedule.begin(self.0.now());
        self.0.measure(&state);
        let Begin { key, class, waited } = begun?;
        self.0.metrics.waited(waited);
        let (told, class) = watch::channel(class);
        let resumed = Arc::new(Notify::new());
        state.under_way.insert(key.clone(), Told { class: told, resumed: resumed.clone() });
        drop(state);
        Some(QueueTurn { shared: self.0.clone(), key, class, resumed, next: None, polls: false })
    }

    async fn next_due(&self) {
        let due = self.0.lock().schedule.next_due();
        match due {
            Some(due) => tokio::time::sleep_until(self.0.started + due.since(Moment::default())).await,
            None => std::future::pending().await,
        }
    }
}

impl Shared {
    fn now(&self) -> Moment {
        Moment::after_start(self.started.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        // A poisoned lock is no danger: the schedule is consistent after each of its methods.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn measure(&self, state: &QueueState) {
        self.metrics.set(state.schedule.depth(), state.schedule.held());
    }

    /// To be called after each change of the schedule from outside.
    fn note(&self, state: &QueueState) {
        self.measure(state);
        self.changed.notify_one();
    }

    /// Gives free slots to the passes that want theirs again.
    fn resume(&self, state: &mut QueueState) {
        while let Some(key) = state.schedule.resume() {
            if let Some(told) = state.under_way.get(&key) {
                told.resumed.notify_one();
            }
        }
        self.note(state);
    }
}

/// A pass under way. If it is dropped, its slot goes to the next pass.
#[derive(Debug)]
pub(crate) struct QueueTurn {
    shared: Arc<Shared>,
    key: Key,
    class: watch::Receiver<Class>,
    resumed: Arc<Notify>,
    next: Option<Duration>,
    polls: bool,
}

impl QueueTurn {
    /// `namespace/name`.
    pub(crate) fn object(&self) -> &str {
        &self.key
    }

    pub(crate) fn namespace(&self) -> &str {
        schedule::namespace(&self.key)
    }

    /// The class of the pass. It rises if the object changes meanwhile.
    pub(crate) fn class(&self) -> watch::Receiver<Class> {
        self.class.clone()
    }

    /// Waits. If that takes any time, the pass holds no slot meanwhile. It gets one again before others begin.
    pub(crate) async fn without_slot<T>(&self, wait: impl Future<Output = T>) -> T {
        let mut wait = pin!(wait);
        if let std::task::Poll::Ready(value) = futures::poll!(wait.as_mut()) {
            return value;
        }
        self.give_back();
        let value = wait.await;
        self.take_again();
        while !self.shared.lock().schedule.holds_slot(&self.key) {
            self.resumed.notified().await;
        }
        value
    }

    fn give_back(&self) {
        let mut state = self.shared.lock();
        state.schedule.give_back(&self.key);
        self.shared.resume(&mut state);
    }

    fn take_again(&self) {
        let mut state = self.shared.lock();
        state.schedule.take_again(&self.key);
        self.shared.resume(&mut state);
    }

    /// The pass has ended. `next` is after how long the object wants the next one.
    pub(crate) fn end(mut self, next: Option<Duration>) {
        self.next = next;
    }

    /// The pass has ended, and waits for AWS. If many objects do, the next pass is left to [`Queue::listed`].
    pub(crate) fn end_polling(mut self, next: Option<Duration>) {
        (self.next, self.polls) = (next, true);
    }
}

impl Drop for QueueTurn {
    fn drop(&mut self) {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        state.under_way.remove(&self.key);
        state.schedule.end(&self.key, self.next, now);
        if self.polls {
            state.schedule.polls(&self.key, now);
        }
        if state.schedule.take_ended_probe() {
            self.shared.probe_ended.notify_one();
        }
        self.shared.resume(&mut state);
    }
}

#[cfg(test)]
mod tests;
