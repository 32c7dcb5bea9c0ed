//! No I/O: what the watch last showed of each object, and thus which change asks for a pass.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use kube::ResourceExt;
use plan::{ConditionStatus, ConditionType};

use crate::api::{ElastiCacheUser, GROUP, full_name};
use crate::kubernetes::facts;
use crate::queue::{Class, Trigger};

/// By `namespace/name`.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<String, Shown>);

/// The parts of an object that ask for a pass if they change. Our own writes change none of them.
#[derive(Debug, PartialEq)]
struct Shown {
    uid: u64,
    generation: Option<i64>,
    deleted: bool,
    /// Those of our own prefix. Others belong to other programs.
    annotations: u64,
    /// Somebody else removed our finalizer, although the object has a user.
    finalizer_removed: bool,
}

impl Seen {
    /// Why this version of the object asks for a pass, if it does.
    pub(super) fn note(&mut self, object: &ElastiCacheUser) -> Option<Trigger> {
        let shown = Shown::of(object);
        let before = self.0.get(&full_name(object));
        let trigger = match before {
            Some(before) if *before == shown => return None,
            Some(before) if before.uid != shown.uid => Trigger::Edit,
            Some(before) if before.generation != shown.generation || before.deleted != shown.deleted => {
                Trigger::Edit
            }
            Some(_) => Trigger::Change,
            None => first(object),
        };
        self.0.insert(full_name(object), shown);
        Some(trigger)
    }

    pub(super) fn forget(&mut self, object: &str) {
        self.0.remove(object);
    }
}

impl Shown {
    fn of(object: &ElastiCacheUser) -> Self {
        let ours = |key: &str| key.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/'));
        let annotations = object.annotations().iter().filter(|(key, _)| ours(key));
        let has_user = object.status.as_ref().is_some_and(|status| status.arn.is_some());
        Self {
            uid: hash(object.uid()),
            generation: object.metadata.generation,
            deleted: object.metadata.deletion_timestamp.is_some(),
            annotations: hash(annotations.collect::<Vec<_>>()),
            finalizer_removed: has_user && !facts(object).has_finalizer,
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
