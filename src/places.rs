//! No I/O: which objects may have a user, if a namespace may have only so many (`--max-users-per-namespace`).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::watcher::Event;

use crate::api::ElastiCacheUser;
use crate::kubernetes::facts;

/// Follows the events of all watches.
#[derive(Debug)]
pub(crate) struct Places {
    /// Without a limit nothing is kept.
    limited: bool,
    namespaces: Mutex<HashMap<String, NamespacePlaces>>,
}

/// By the object's name.
type NamespacePlaces = BTreeMap<String, Place>;

#[derive(Debug)]
struct Place {
    uid: String,
    created_at: Option<plan::Timestamp>,
    /// The object has our finalizer, so it has a user or is about to get one.
    holds: bool,
    /// A pass over this object found a place, so it may get a user at any moment.
    admitted: bool,
    /// The limit under which this object was told to wait.
    waits: Option<u32>,
}

impl Place {
    fn of(object: &ElastiCacheUser) -> Self {
        let facts = facts(object);
        let (uid, created_at, holds) = (facts.uid, facts.created_at, facts.has_finalizer);
        Self { uid, created_at, holds, admitted: false, waits: None }
    }
}

impl Places {
    #[must_use]
    pub(crate) fn new(limited: bool) -> Self {
        Self { limited, namespaces: Mutex::default() }
    }

    /// Whether `limit` other objects of the namespace are older, have a user or are about to get one. Then the object waits until one of them goes.
    pub(crate) fn are_taken(&self, object: &ElastiCacheUser, limit: u32) -> bool {
        let mut namespaces = self.lock();
        let namespace = namespaces.entry(object.namespace().unwrap_or_default()).or_default();
        let name = object.name_any();
        let taken = is_full(namespace, &name, object_age(object), limit);
        if let Some(own) = namespace.get_mut(&name) {
            own.waits = taken.then_some(limit);
            own.admitted = !taken;
        }
        taken
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
        if !self.limited {
            return Vec::new();
        }
        let mut namespaces = self.lock();
        let name = object.namespace().unwrap_or_default();
        let namespace = namespaces.entry(name.clone()).or_default();
        let mut place = Place::of(object);
        let before = namespace.remove(&object.name_any());
        let frees =
            before.as_ref().is_some_and(|before| before.holds && !place.holds || before.uid != place.uid);
        if let Some(before) = before.filter(|before| before.uid == place.uid) {
            place.waits = before.waits;
            place.admitted = before.admitted && !frees;
        }
        namespace.insert(object.name_any(), place);
        if frees { freed(&name, namespace) } else { Vec::new() }
    }

    fn forget(&self, object: &ElastiCacheUser) -> Vec<String> {
        let mut namespaces = self.lock();
        let name = object.namespace().unwrap_or_default();
        let Some(namespace) = namespaces.get_mut(&name) else { return Vec::new() };
        namespace.remove(&object.name_any());
        let freed = freed(&name, namespace);
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
                objects.retain(|_, place| listed.contains(&place.uid));
                all_freed.extend(freed(name, objects));
            }
            !objects.is_empty()
        });
        all_freed
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, NamespacePlaces>> {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn object_age(object: &ElastiCacheUser) -> Option<plan::Timestamp> {
    facts(object).created_at
}

/// Older objects go first. Of two objects that are equally old, the one whose name comes first.
fn is_full(namespace: &NamespacePlaces, name: &str, created_at: Option<plan::Timestamp>, limit: u32) -> bool {
    let own = (created_at, name);
    let first = |(other, place): &(&String, &Place)| {
        other.as_str() != name && (place.holds || place.admitted || (place.created_at, other.as_str()) < own)
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    namespace.iter().filter(first).take(limit).count() == limit
}

/// The objects of the namespace that were told to wait and need not any more.
fn freed(namespace: &str, objects: &mut NamespacePlaces) -> Vec<String> {
    let is_free = |(name, place): &(&String, &Place)| {
        place.waits.is_some_and(|limit| !is_full(objects, name, place.created_at, limit))
    };
    let names: Vec<String> = objects.iter().filter(is_free).map(|(name, _)| name.clone()).collect();
    for name in &names {
        if let Some(place) = objects.get_mut(name) {
            place.waits = None;
        }
    }
    names.into_iter().map(|name| format!("{namespace}/{name}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An object that was created at this second, with or without our finalizer.
    fn object(name: &str, second: u8, holds: bool) -> ElastiCacheUser {
        let finalizers = if holds { vec![crate::api::FINALIZER] } else { vec![] };
        serde_json::from_value(json!({
            "apiVersion": "elasticache-users.dev/v1alpha1", "kind": "ElastiCacheUser",
            "metadata": {
                "namespace": "shop", "name": name, "uid": format!("{name}-{second}"), "finalizers": finalizers,
                "creationTimestamp": format!("2026-12-01T00:00:0{second}Z"),
            },
            "spec": {},
        }))
        .unwrap()
    }

    fn places(objects: &[ElastiCacheUser]) -> Places {
        let places = Places::new(true);
        for object in objects {
            assert!(places.follow(&Event::InitApply(object.clone())).is_empty());
        }
        places
    }

    #[test]
    fn places_go_to_objects_that_have_a_user_and_then_to_the_oldest() {
        let rows = [
            ("the second of two places", object("b", 2, false), false),
            ("the third", object("c", 3, false), true),
            ("as old as the second, and before it by name", object("a", 2, false), false),
            ("as old as the second, and after it by name", object("bb", 2, false), true),
        ];
        for (claim, own, taken) in rows {
            let places = places(&[object("first", 1, false), object("b", 2, false), own.clone()]);
            assert_eq!(places.are_taken(&own, 2), taken, "{claim}");
        }
        let younger = [object("x", 8, true), object("y", 9, true)];
        assert!(places(&younger).are_taken(&object("a", 1, false), 2), "an old object without a user");
        assert!(!places(&younger).are_taken(&object("y", 9, true), 2), "a young object that has a user");
        let crowd = places(&[]);
        let admitted = ["d", "c", "b", "a"].map(|name| {
            crowd.follow(&Event::Apply(object(name, 1, false)));
            !crowd.are_taken(&object(name, 1, false), 2)
        });
        assert_eq!(admitted, [true, true, false, false], "objects of the same second, without users");
        let other = serde_json::from_value(
            json!({ "metadata": { "namespace": "web", "name": "z" }, "spec": {} , "apiVersion": "elasticache-users.dev/v1alpha1", "kind": "ElastiCacheUser" }),
        );
        assert!(!places(&younger).are_taken(&other.unwrap(), 1), "another namespace");
    }

    #[test]
    fn as_many_waiting_objects_are_woken_as_places_became_free() {
        let waiting = [object("c", 3, false), object("d", 4, false)];
        let before = || {
            let places = places(&[object("a", 1, true), object("b", 2, true)]);
            for object in &waiting {
                places.follow(&Event::Apply(object.clone()));
                assert!(places.are_taken(object, 2));
            }
            places
        };
        let gone = |name: &str, second| Event::Delete(object(name, second, true));
        let places = before();
        assert_eq!(places.follow(&gone("b", 2)), ["shop/c"]);
        assert!(places.follow(&Event::Apply(object("c", 3, true))).is_empty());
        assert_eq!(places.follow(&gone("a", 1)), ["shop/d"]);
        assert!(places.follow(&gone("c", 3)).is_empty(), "nobody waits");
        // No pass has told this object to wait, so its first pass is still to come.
        let places = before();
        places.follow(&Event::Apply(object("e", 5, false)));
        assert_eq!(places.sweep(Some("shop"), &HashSet::from(["e-5".to_owned()])), [""; 0]);
        // A younger object gives up its user.
        let places = before();
        places.follow(&Event::Apply(object("z", 9, true)));
        places.follow(&gone("a", 1));
        assert_eq!(places.follow(&Event::Apply(object("z", 9, false))), ["shop/c"]);
        let places = before();
        let uids = HashSet::from(["b-2", "c-3", "d-4"].map(str::to_owned));
        assert_eq!(places.sweep(Some("web"), &uids), [""; 0]);
        assert_eq!(places.sweep(None, &uids), ["shop/c"]);
    }
}
