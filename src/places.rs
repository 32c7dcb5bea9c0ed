//! No I/O: which objects may have a user, if a namespace may have only so many (`--max-users-per-namespace`).

mod namespace;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::watcher::Event;

use self::namespace::{NamespacePlaces, Place, Rank};
use crate::api::ElastiCacheUser;
use crate::kubernetes::facts;

/// Follows the events of all watches.
#[derive(Debug)]
pub(crate) struct Places {
    /// How many users a namespace may have. Without a limit nothing is kept.
    limit: Option<usize>,
    namespaces: Mutex<HashMap<String, NamespacePlaces>>,
}

impl Places {
    #[must_use]
    pub(crate) fn new(limit: Option<u32>) -> Self {
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Self { limit, namespaces: Mutex::default() }
    }

    /// Whether as many other objects of the namespace as there are places are older, have a user or are about to get one. Then the
    /// object waits until one of them goes.
    pub(crate) fn are_taken(&self, object: &ElastiCacheUser) -> bool {
        let Some(limit) = self.limit else { return false };
        let mut namespaces = self.lock();
        let namespace = namespaces.entry(object.namespace().unwrap_or_default());
        namespace.or_insert_with(|| NamespacePlaces::new(limit)).are_taken(&age_rank(object))
    }

    /// To be called with each event of a watch. Returns the objects that need not wait any more.
    pub(crate) fn follow(&self, event: &Event<ElastiCacheUser>) -> Vec<String> {
        match event {
            Event::Init | Event::InitDone => Vec::new(),
            Event::InitApply(object) | Event::Apply(object) => self.note(object),
            Event::Delete(object) => self.forget(object),
        }
    }

    fn note(&self, object: &ElastiCacheUser) -> Vec<String> {
        let Some(limit) = self.limit else { return Vec::new() };
        let mut namespaces = self.lock();
        let name = object.namespace().unwrap_or_default();
        let namespace = namespaces.entry(name.clone()).or_insert_with(|| NamespacePlaces::new(limit));
        let facts = facts(object);
        let mut place = Place::new(facts.uid, facts.has_finalizer, age_rank(object));
        let before = namespace.remove(&object.name_any());
        if let Some(before) = before.filter(|before| before.uid == place.uid) {
            place.waits = before.waits;
            place.admitted = before.admitted && (place.holds || !before.holds);
        }
        namespace.insert(place);
        full_names(&name, namespace.freed())
    }

    fn forget(&self, object: &ElastiCacheUser) -> Vec<String> {
        let mut namespaces = self.lock();
        let name = object.namespace().unwrap_or_default();
        let Some(namespace) = namespaces.get_mut(&name) else { return Vec::new() };
        namespace.remove(&object.name_any());
        let freed = full_names(&name, namespace.freed());
        if namespace.is_empty() {
            namespaces.remove(&name);
        }
        freed
    }

    /// To be called with the uids of a complete list of the objects of a namespace (`None`: of all). Nobody told of objects that
    /// vanished while the watch was broken. Returns the objects that need not wait any more.
    pub(crate) fn sweep(&self, namespace: Option<&str>, listed: &HashSet<String>) -> Vec<String> {
        let mut all_freed = Vec::new();
        self.lock().retain(|name, objects| {
            if namespace.is_none_or(|namespace| namespace == name) {
                objects.retain(listed);
                all_freed.extend(full_names(name, objects.freed()));
            }
            !objects.is_empty()
        });
        all_freed
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, NamespacePlaces>> {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn age_rank(object: &ElastiCacheUser) -> Rank {
    Rank { created_at: facts(object).created_at, name: object.name_any().into() }
}

fn full_names(namespace: &str, names: Vec<Arc<str>>) -> Vec<String> {
    names.into_iter().map(|name| format!("{namespace}/{name}")).collect()
}

#[cfg(test)]
mod tests;
