//! No I/O: what this process remembers of each object between two passes.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use plan::Memory;

/// By the object's uid.
#[derive(Debug, Default)]
pub(crate) struct Memories(Mutex<HashMap<Box<str>, Kept>>);

#[derive(Debug)]
struct Kept {
    namespace: Box<str>,
    memory: Box<Memory>,
}

impl Memories {
    #[must_use]
    pub(crate) fn recall(&self, uid: &str) -> Memory {
        self.lock().get(uid).map(|kept| kept.memory.as_ref().clone()).unwrap_or_default()
    }

    pub(crate) fn keep(&self, uid: &str, namespace: &str, memory: Box<Memory>) {
        self.lock().insert(uid.into(), Kept { namespace: namespace.into(), memory });
    }

    /// Changes what is remembered while no pass can keep anything.
    pub(crate) fn change<T>(&self, uid: &str, namespace: &str, change: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memories = self.lock();
        let kept = memories
            .entry(uid.into())
            .or_insert_with(|| Kept { namespace: namespace.into(), memory: Box::default() });
        change(&mut kept.memory)
    }

    /// To be called with the uids of a complete list of the objects of a namespace (`None`: of all). Nobody told of objects that
    /// vanished while the watch was broken, and what is remembered of them may be passwords. Returns how many were forgotten.
    pub(crate) fn sweep(&self, namespace: Option<&str>, listed: &HashSet<String>) -> usize {
        let mut memories = self.lock();
        let before = memories.len();
        memories.retain(|uid, kept| {
            listed.contains(&**uid) || namespace.is_some_and(|namespace| *kept.namespace != *namespace)
        });
        before - memories.len()
    }

    /// To be called if the object is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_a_namespace_forgets_only_objects_of_that_namespace_that_are_gone() {
        let keeps = |namespace: Option<&str>| {
            let memories = Memories::default();
            for (uid, of) in [("here", "a"), ("gone", "a"), ("elsewhere", "b")] {
                memories.keep(uid, of, Box::default());
            }
            let forgotten = memories.sweep(namespace, &HashSet::from(["here".to_owned()]));
            assert_eq!(forgotten, 3 - memories.lock().len());
            ["here", "gone", "elsewhere"].map(|uid| memories.lock().contains_key(uid))
        };
        assert_eq!(keeps(Some("a")), [true, false, true]);
        assert_eq!(keeps(None), [true, false, false]);
    }
}
