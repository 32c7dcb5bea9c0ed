//! No I/O: finds objects by a Secret that they name and by their user ID, without a scan of all objects for each event.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::watcher::Event;

use crate::api::{ElastiCacheUser, full_name, user_id};
use crate::resolve::secrets_named;

/// Follows the events of one watch. Clones share their tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Index(Arc<Mutex<Tables>>);

#[derive(Debug, Default)]
struct Tables {
    now: Table,
    /// A list that is not complete yet.
    listing: Table,
}

/// Objects are named `namespace/name`.
#[derive(Debug, Default)]
struct Table {
    objects: HashMap<Arc<str>, IndexedObject>,
    /// By `namespace/name` of the Secret.
    by_secret: HashMap<Arc<str>, SortedNames>,
    by_user_id: HashMap<Arc<str>, SortedNames>,
}

/// Nearly always one.
type SortedNames = Vec<Arc<str>>;

#[derive(Debug)]
struct IndexedObject {
    uid: String,
    user_id: Arc<str>,
    secrets: Vec<Arc<str>>,
}

/// What a complete list says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) uids: HashSet<String>,
    /// The objects that vanished while the watch was broken.
    pub(super) vanished: Vec<Vanished>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Vanished {
    /// `namespace/name`. `None` if another object has the name now.
    pub(super) name: Option<Arc<str>>,
    pub(super) uid: String,
    pub(super) user_id: Arc<str>,
}

impl Index {
    /// To be called with each event of the watch. Answers at the end of a list.
    pub(super) fn follow(&self, event: &Event<ElastiCacheUser>) -> Option<Listed> {
        let mut tables = self.lock();
        match event {
            Event::Init => tables.listing = Table::default(),
            Event::InitApply(object) => tables.listing.insert(object),
            Event::Apply(object) => tables.now.insert(object),
            Event::Delete(object) => tables.now.remove(&full_name(object)),
            Event::InitDone => {
                let listed = std::mem::take(&mut tables.listing);
                let before = std::mem::replace(&mut tables.now, listed);
                let uids: HashSet<String> =
                    tables.now.objects.values().map(|entry| entry.uid.clone()).collect();
                let gone = before.objects.into_iter().filter(|(_, entry)| !uids.contains(&entry.uid));
                let vanished = gone.map(|(name, IndexedObject { uid, user_id, .. })| {
                    let name = (!tables.now.objects.contains_key(&name)).then_some(name);
                    Vanished { name, uid, user_id }
                });
                return Some(Listed { vanished: vanished.collect(), uids });
            }
        }
        None
    }

    /// The objects that name this Secret.
    pub(super) fn naming_secret(&self, namespace: &str, name: &str) -> Vec<String> {
        let tables = self.lock();
        let named = tables.now.by_secret.get(format!("{namespace}/{name}").as_str());
        named.into_iter().flatten().map(|name| name.to_string()).collect()
    }

    /// Whether the watch shows this object, `namespace/name`, as one that this operator looks after.
    pub(super) fn has(&self, name: &str) -> bool {
        self.lock().now.objects.contains_key(name)
    }

    pub(super) fn wanting_user(&self, user_id: &str) -> Vec<String> {
        let tables = self.lock();
        let wanting = tables.now.by_user_id.get(user_id);
        wanting.into_iter().flatten().map(|name| name.to_string()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn insert(&mut self, object: &ElastiCacheUser) {
        let (key, namespace) = (full_name(object), object.namespace().unwrap_or_default());
        self.remove(&key);
        let key: Arc<str> = key.into();
        let entry = IndexedObject {
            uid: object.uid().unwrap_or_default(),
            user_id: user_id(object).into(),
            secrets: secrets_named(object).map(|secret| format!("{namespace}/{secret}").into()).collect(),
        };
        for secret in &entry.secrets {
            add_to(&mut self.by_secret, secret, &key);
        }
        add_to(&mut self.by_user_id, &entry.user_id, &key);
        self.objects.insert(key, entry);
    }

    fn remove(&mut self, key: &str) {
        let Some(entry) = self.objects.remove(key) else { return };
        for secret in &entry.secrets {
            remove_from(&mut self.by_secret, secret, key);
        }
        remove_from(&mut self.by_user_id, &entry.user_id, key);
    }
}

fn add_to(groups: &mut HashMap<Arc<str>, SortedNames>, group: &Arc<str>, key: &Arc<str>) {
    let names = groups.entry(group.clone()).or_insert_with(|| Vec::with_capacity(1));
    if let Err(place) = names.binary_search(key) {
        names.insert(place, key.clone());
    }
}

fn remove_from(groups: &mut HashMap<Arc<str>, SortedNames>, group: &str, key: &str) {
    if let Some(names) = groups.get_mut(group) {
        names.retain(|name| **name != *key);
        if names.is_empty() {
            groups.remove(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(namespace: usize, name: usize, uid: usize, user: usize, secrets: &[usize]) -> ElastiCacheUser {
        let passwords: Vec<_> = secrets
            .iter()
            .map(|secret| json!({ "secretKeyRef": { "name": format!("s{secret}"), "key": "k" } }))
            .collect();
        serde_json::from_value(json!({
            "apiVersion": "elasticache-users.dev/v1alpha1", "kind": "ElastiCacheUser",
            "metadata": { "namespace": format!("n{namespace}"), "name": format!("o{name}"), "uid": format!("u{uid}") },
            "spec": { "userID": format!("user{user}"), "authentication": { "type": "password", "passwords": passwords } },
        }))
        .unwrap()
    }

    fn any_object() -> impl Strategy<Value = ElastiCacheUser> {
        (0..2_usize, 0..4_usize, 0..6_usize, 0..3_usize, prop::collection::vec(0..3_usize, 0..3))
            .prop_map(|(namespace, name, uid, user, secrets)| object(namespace, name, uid, user, &secrets))
    }

    #[derive(Clone, Debug)]
    enum Step {
        Apply(ElastiCacheUser),
        Delete(ElastiCacheUser),
        /// A list, and whether it breaks off before its end.
        List(Vec<ElastiCacheUser>, bool),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => any_object().prop_map(Step::Apply),
            2 => any_object().prop_map(Step::Delete),
            1 => (prop::collection::vec(any_object(), 0..6), any::<bool>()).prop_map(|(all, whole)| Step::List(all, whole)),
        ];
        prop::collection::vec(step, 0..40)
    }

    /// The result of a scan of all objects.
    fn scan(
        objects: &BTreeMap<String, ElastiCacheUser>,
        fits: impl Fn(&ElastiCacheUser) -> bool,
    ) -> Vec<String> {
        objects.iter().filter(|(_, object)| fits(object)).map(|(key, _)| key.clone()).collect()
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_scan_of_all_objects_finds(steps in steps()) {
            let (index, mut all) = (Index::default(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Apply(object) => {
                        prop_assert_eq!(index.follow(&Event::Apply(object.clone())), None);
                        all.insert(full_name(&object), object);
                    }
                    Step::Delete(object) => {
                        prop_assert_eq!(index.follow(&Event::Delete(object.clone())), None);
                        all.remove(&full_name(&object));
                    }
                    Step::List(objects, whole) => {
                        index.follow(&Event::Init);
                        for object in &objects {
                            index.follow(&Event::InitApply(object.clone()));
                        }
                        if whole {
                            let listed: BTreeMap<_, _> =
                                objects.into_iter().map(|object| (full_name(&object), object)).collect();
                            let before = std::mem::replace(&mut all, listed);
                            let uids: HashSet<String> = all.values().filter_map(ElastiCacheUser::uid).collect();
                            let told = index.follow(&Event::InitDone).unwrap();
                            let vanished = before.into_iter().filter_map(|(name, object)| {
                                let name = (!all.contains_key(&name)).then(|| name.into());
                                Some(Vanished { name, uid: object.uid()?, user_id: user_id(&object).into() })
                            });
                            let mut gone: Vec<Vanished> = vanished.filter(|gone| !uids.contains(&gone.uid)).collect();
                            let mut told_gone = told.vanished;
                            for vanished in [&mut gone, &mut told_gone] {
                                vanished.sort_by_key(|vanished| format!("{vanished:?}"));
                            }
                            prop_assert_eq!(told_gone, gone);
                            prop_assert_eq!(told.uids, uids);
                        }
                    }
                }
                for namespace in ["n0", "n1"] {
                    for secret in ["s0", "s1", "s2"] {
                        let wanted = scan(&all, |object| {
                            object.namespace().as_deref() == Some(namespace)
                                && secrets_named(object).any(|named| named == secret)
                        });
                        prop_assert_eq!(index.naming_secret(namespace, secret), wanted);
                    }
                }
                for user in ["user0", "user1", "user2"] {
                    prop_assert_eq!(index.wanting_user(user), scan(&all, |object| user_id(object) == user));
                }
            }
            let tables = index.lock();
            prop_assert!(tables.now.by_secret.values().chain(tables.now.by_user_id.values()).all(|set| !set.is_empty()));
        }
    }

    #[test]
    fn a_list_of_20_000_secrets_looks_at_each_of_10_000_objects_once() {
        let index = Index::default();
        for number in 0..10_000 {
            index.follow(&Event::Apply(object(0, number, number, number, &[number])));
        }
        let looked_at: usize =
            (0..20_000).map(|secret| index.naming_secret("n0", &format!("s{secret}")).len()).sum();
        assert_eq!(looked_at, 10_000);
    }
}
