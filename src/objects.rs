//! No I/O: the objects that a watch shows. They are found by name, by a Secret that they name and by their user ID, without a scan of
//! all objects for each event.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::watcher::Event;
use serde::Deserialize;
use tokio::sync::watch;

use crate::api::{ElastiCacheUser, PackedUser, full_name, user_id};
use crate::resolve::secrets_named;

/// Follows the events of one watch. Clones share their tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects(Arc<WatchedTables>);

#[derive(Debug, Default)]
struct WatchedTables {
    tables: Mutex<Tables>,
    /// The first list is complete.
    is_listed: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Tables {
    now: Table,
    /// A list that is not complete yet.
    listing: Table,
}

/// Objects are named `namespace/name`.
#[derive(Debug, Default)]
struct Table {
    objects: HashMap<Arc<str>, PackedUser>,
    /// `namespace/name` of a Secret, and an object that names it.
    by_secret: Pairs,
    by_user_id: Pairs,
}

type Pairs = BTreeSet<(Arc<str>, Arc<str>)>;

/// What a complete list says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) uids: HashSet<String>,
    /// The objects that vanished while the watch was broken.
    pub(crate) vanished: Vec<Vanished>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Vanished {
    /// `namespace/name`. `None` if another object has the name now.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) uid: String,
    pub(crate) user_id: String,
}

impl Objects {
    /// To be called with each event of the watch. Answers at the end of a list.
    pub(crate) fn follow(&self, event: &Event<ElastiCacheUser>) -> Option<Listed> {
        let mut tables = self.lock();
        match event {
            Event::Init => tables.listing = Table::default(),
            Event::InitApply(object) => tables.listing.insert(object),
            Event::Apply(object) => tables.now.insert(object),
            Event::Delete(object) => tables.now.remove(&full_name(object)),
            Event::InitDone => {
                let listed = std::mem::take(&mut tables.listing);
                let before = std::mem::replace(&mut tables.now, listed);
                let uids: HashSet<String> = tables.now.objects.values().map(uid).collect();
                let gone = before.objects.into_iter().filter(|(_, object)| !uids.contains(&uid(object)));
                let vanished = gone.filter_map(|(name, object)| {
                    let name = (!tables.now.objects.contains_key(&name)).then_some(name);
                    let object = object.unpack()?;
                    Some(Vanished { name, uid: object.uid().unwrap_or_default(), user_id: user_id(&object) })
                });
                let listed = Listed { vanished: vanished.collect(), uids };
                self.0.is_listed.send_replace(true);
                return Some(listed);
            }
        }
        None
    }

    /// Waits until the first list is complete.
    pub(crate) async fn listed(&self) {
        // The sender lives as long as `self`.
        drop(self.0.is_listed.subscribe().wait_for(|listed| *listed).await);
    }

    /// The object of this `namespace/name`.
    pub(crate) fn get(&self, name: &str) -> Option<ElastiCacheUser> {
        let packed = self.lock().now.objects.get(name).cloned();
        packed?.unpack()
    }

    /// Whether the watch shows this object, `namespace/name`, as one that this operator looks after.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.lock().now.objects.contains_key(name)
    }

    /// All objects.
    pub(crate) fn all(&self) -> Vec<PackedUser> {
        self.lock().now.objects.values().cloned().collect()
    }

    /// The objects that name this Secret, by `namespace/name`.
    pub(crate) fn naming_secret(&self, namespace: &str, name: &str) -> Vec<Arc<str>> {
        second_of(&self.lock().now.by_secret, &format!("{namespace}/{name}"))
    }

    /// The namespaces whose objects name Secrets.
    pub(crate) fn namespaces_naming_secrets(&self) -> BTreeSet<String> {
        let tables = self.lock();
        let (mut found, mut from) = (BTreeSet::new(), String::new());
        // One step for each namespace, and not for each object.
        while let Some((secret, _)) = tables.now.by_secret.range((Arc::from(&*from), Arc::from(""))..).next()
            && let Some((namespace, _)) = secret.split_once('/')
        {
            // The next character after the slash.
            from = format!("{namespace}0");
            found.insert(namespace.to_owned());
        }
        found
    }

    /// The objects that want the user of this ID, by `namespace/name`.
    pub(crate) fn wanting_user(&self, user_id: &str) -> Vec<Arc<str>> {
        second_of(&self.lock().now.by_user_id, user_id)
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn second_of(pairs: &Pairs, first: &str) -> Vec<Arc<str>> {
    let from = (Arc::from(first), Arc::from(""));
    let found = pairs.range(from..).take_while(|(other, _)| **other == *first);
    found.map(|(_, second)| second.clone()).collect()
}

fn uid(object: &PackedUser) -> String {
    #[derive(Deserialize)]
    struct Identified {
        metadata: Uid,
    }
    #[derive(Deserialize)]
    struct Uid {
        uid: String,
    }
    object.read::<Identified>().map(|object| object.metadata.uid).unwrap_or_default()
}

impl Table {
    fn insert(&mut self, object: &ElastiCacheUser) {
        let key: Arc<str> = full_name(object).into();
        self.remove(&key);
        self.by_secret.extend(secret_paths(object).map(|secret| (secret, key.clone())));
        self.by_user_id.insert((user_id(object).into(), key.clone()));
        self.objects.insert(key, PackedUser::new(object));
    }

    fn remove(&mut self, key: &str) {
        let Some((key, before)) = self.objects.remove_entry(key) else { return };
        let Some(before) = before.unpack() else { return };
        for secret in secret_paths(&before) {
            self.by_secret.remove(&(secret, key.clone()));
        }
        self.by_user_id.remove(&(user_id(&before).into(), key));
    }
}

/// `namespace/name` of each Secret that the object names.
fn secret_paths(object: &ElastiCacheUser) -> impl Iterator<Item = Arc<str>> {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    secrets_named(object).map(move |secret| format!("{namespace}/{secret}").into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{json, to_value};

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

    fn names(found: Vec<Arc<str>>) -> Vec<String> {
        found.iter().map(|name| name.to_string()).collect()
    }

    fn sorted(mut vanished: Vec<Vanished>) -> Vec<Vanished> {
        vanished.sort_by_key(|vanished| format!("{vanished:?}"));
        vanished
    }

    proptest! {
        #[test]
        fn the_tables_find_what_a_scan_of_all_objects_finds(steps in steps()) {
            let (watched, mut all) = (Objects::default(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Apply(object) => {
                        prop_assert_eq!(watched.follow(&Event::Apply(object.clone())), None);
                        all.insert(full_name(&object), object);
                    }
                    Step::Delete(object) => {
                        prop_assert_eq!(watched.follow(&Event::Delete(object.clone())), None);
                        all.remove(&full_name(&object));
                    }
                    Step::List(objects, whole) => {
                        watched.follow(&Event::Init);
                        for object in &objects {
                            watched.follow(&Event::InitApply(object.clone()));
                        }
                        if whole {
                            let listed: BTreeMap<_, _> =
                                objects.into_iter().map(|object| (full_name(&object), object)).collect();
                            let before = std::mem::replace(&mut all, listed);
                            let uids: HashSet<String> = all.values().filter_map(ElastiCacheUser::uid).collect();
                            let told = watched.follow(&Event::InitDone).unwrap();
                            let vanished = before.into_iter().filter_map(|(name, object)| {
                                let name = (!all.contains_key(&name)).then(|| name.into());
                                Some(Vanished { name, uid: object.uid()?, user_id: user_id(&object) })
                            });
                            let gone = vanished.filter(|gone| !uids.contains(&gone.uid));
                            prop_assert_eq!(sorted(told.vanished), sorted(gone.collect()));
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
                        prop_assert_eq!(names(watched.naming_secret(namespace, secret)), wanted);
                    }
                }
                let naming = all.values().filter(|object| secrets_named(object).next().is_some());
                let namespaces: BTreeSet<String> = naming.filter_map(|object| object.namespace()).collect();
                prop_assert_eq!(watched.namespaces_naming_secrets(), namespaces);
                for user in ["user0", "user1", "user2"] {
                    prop_assert_eq!(names(watched.wanting_user(user)), scan(&all, |object| user_id(object) == user));
                }
            }
            for (name, object) in &all {
                prop_assert_eq!(to_value(watched.get(name)).unwrap(), to_value(object).unwrap());
            }
            let tables = watched.lock();
            prop_assert_eq!(tables.now.by_user_id.len(), all.len());
            let named = all.values().flat_map(|object| secret_paths(object).map(|secret| (secret, full_name(object))));
            prop_assert_eq!(tables.now.by_secret.len(), named.collect::<HashSet<_>>().len());
        }
    }

    #[test]
    fn a_list_of_20_000_secrets_looks_at_each_of_10_000_objects_once() {
        let watched = Objects::default();
        for number in 0..10_000 {
            watched.follow(&Event::Apply(object(0, number, number, number, &[number])));
        }
        let looked_at: usize =
            (0..20_000).map(|secret| watched.naming_secret("n0", &format!("s{secret}")).len()).sum();
        assert_eq!(looked_at, 10_000);
    }
}
