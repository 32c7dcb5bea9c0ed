//! No I/O: what the watch last showed of each object, and thus which change asks for a pass.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use kube::ResourceExt;
use plan::{ConditionStatus, ConditionType};

use crate::api::{ElastiCacheUser, GROUP, full_name};
use crate::kubernetes::facts;
use crate::queue::{Class, Trigger};

/// By the hash of `namespace/name`.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<u64, Shown>);

/// Hashes of the parts of an object that ask for a pass if they change. Our own writes change none of them.
#[derive(Debug, PartialEq)]
struct Shown {
    /// The object itself, its generation, and whether it is being deleted.
    edited: u64,
    /// The annotations of our own prefix, because others belong to other programs. And whether somebody else removed our
    /// finalizer, although the object has a user.
    changed: u64,
}

impl Seen {
    /// Why this version of the object asks for a pass, if it does.
    pub(super) fn note(&mut self, object: &ElastiCacheUser) -> Option<Trigger> {
        let shown = Shown::of(object);
        let key = hash(full_name(object));
        let trigger = match self.0.get(&key) {
            Some(before) if *before == shown => return None,
            Some(before) if before.edited != shown.edited => Trigger::Edit,
            Some(_) => Trigger::Change,
            None => first(object),
        };
        self.0.insert(key, shown);
        Some(trigger)
    }

    pub(super) fn forget(&mut self, object: &str) {
        self.0.remove(&hash(object));
    }
}

impl Shown {
    fn of(object: &ElastiCacheUser) -> Self {
        let ours = |key: &str| key.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/'));
        let metadata = &object.metadata;
        let annotations: Vec<_> = object.annotations().iter().filter(|(key, _)| ours(key)).collect();
        let has_user = object.status.as_ref().is_some_and(|status| status.arn.is_some());
        let finalizer_removed = has_user && !facts(object).has_finalizer;
        Self {
            edited: hash((&metadata.uid, metadata.generation, metadata.deletion_timestamp.is_some())),
            changed: hash((annotations, finalizer_removed)),
        }
    }
}

/// A few bytes for a value of any size. Two values of one hash would cost a pass that comes at the next drift check only.
pub(super) fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What an object asks for that this process sees for the first time. Nearly all are at rest after a start of the operator, and
/// must not delay those that somebody just changed.
fn first(object: &ElastiCacheUser) -> Trigger {
    let facts = facts(object);
    let status = &facts.status;
    if facts.is_requested() || status.observed_generation != facts.generation {
        return Trigger::Edit;
    }
    let is = |kind, value| status.condition(kind).is_some_and(|condition| condition.status == value);
    let settled =
        is(ConditionType::Ready, ConditionStatus::True) || is(ConditionType::Stalled, ConditionStatus::True);
    Trigger::Listed(if settled { Class::Check } else { Class::Repeat })
}

#[cfg(test)]
mod tests;
