//! No I/O: what this process remembers of each object between two passes.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use plan::Memory;

/// By the object's namespace and uid.
#[derive(Debug, Default)]
pub(crate) struct Memories(Mutex<HashMap<Box<str>, NamespaceMemories>>);

type NamespaceMemories = HashMap<Box<str>, Box<Memory>>;

impl Memories {
    #[must_use]
    pub(crate) fn recall(&self, uid: &str, namespace: &str) -> Memory {
        let memories = self.lock();
        let kept = memories.get(namespace).and_then(|memories| memories.get(uid));
        kept.map(|memory| memory.as_ref().clone()).unwrap_or_default()
    }

    pub(crate) fn keep(&self, uid: &str, namespace: &str, memory: Box<Memory>) {
        self.change(uid, namespace, |kept| *kept = *memory);
    }

    /// Changes what is remembered while no pass can keep anything.
    pub(crate) fn change<T>(&self, uid: &str, namespace: &str, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(self.lock().entry(namespace.into()).or_default().entry(uid.into()).or_default())
    }

    /// To be called with the uids of a complete list of the objects of a namespace (`None`: of all). Nobody told of objects that
    /// vanished while the watch was broken, and what is remembered of them may be passwords. Returns how many were forgotten.
    pub(crate) fn sweep(&self, namespace: Option<&str>, listed: &HashSet<String>) -> usize {
        let mut forgotten = 0;
        self.lock().retain(|name, memories| {
            if namespace.is_none_or(|namespace| namespace == &**name) {
                let before = memories.len();
                memories.retain(|uid, _| listed.contains(&**uid));
                forgotten += before - memories.len();
            }
            !memories.is_empty()
        });
        forgotten
    }

    /// To be called if the object is gone.
    pub(crate) fn forget(&self, uid: &str, namespace: &str) {
        let mut memories = self.lock();
        let Some(kept) = memories.get_mut(namespace) else { return };
        kept.remove(uid);
        if kept.is_empty() {
            memories.remove(namespace);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, NamespaceMemories>> {
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
            assert_eq!(forgotten, 3 - memories.lock().values().map(HashMap::len).sum::<usize>());
            [("here", "a"), ("gone", "a"), ("elsewhere", "b")]
                .map(|(uid, of)| memories.lock().get(of).is_some_and(|kept| kept.contains_key(uid)))
        };
        assert_eq!(keeps(Some("a")), [true, false, true]);
        assert_eq!(keeps(None), [true, false, false]);
    }
}
