//! No I/O: counts what the operator put back because somebody else had changed it in AWS.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;

/// Clones share their values.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    total: Counter,
    /// By the object's uid. An object whose user was never changed by others has no entry.
    by_object: Arc<Mutex<HashMap<Box<str>, u64>>>,
}

impl Corrections {
    pub fn count(&self, uid: &str) {
        self.total.inc();
        *self.lock().entry(uid.into()).or_default() += 1;
    }

    /// To be called if the object is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    pub(super) fn total(&self) -> Counter {
        self.total.clone()
    }

    /// `None` if there was none.
    pub(super) fn of(&self, uid: &str) -> Option<u64> {
        self.lock().get(uid).copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, u64>> {
        self.by_object.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
