//! No I/O: what this process remembers of each object between two passes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use plan::Memory;

/// By the object's uid.
#[derive(Debug, Default)]
pub(crate) struct Memories(Mutex<HashMap<String, Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    memory: Memory,
    /// A Secret of the object changed, and no pass has begun since.
    secret_changed: bool,
}

impl Memories {
    #[must_use]
    pub(crate) fn recall(&self, uid: &str) -> Memory {
        let mut all = self.lock();
        let Some(found) = all.get_mut(uid) else { return Memory::default() };
        let mut memory = found.memory.clone();
        memory.secret_changed |= std::mem::take(&mut found.secret_changed);
        memory
    }

    pub(crate) fn keep(&self, uid: &str, memory: Memory) {
        self.lock().entry(uid.to_owned()).or_default().memory = memory;
    }

    /// The next pass over the object is no mere check.
    pub(crate) fn note_changed_secret(&self, uid: &str) {
        self.lock().entry(uid.to_owned()).or_default().secret_changed = true;
    }

    /// To be called if the object is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
