//! One version of the object: what a pass needs besides the goal.

use std::collections::BTreeMap;

use crate::{Status, Timestamp};

/// `metadata.resourceVersion`. Since Kubernetes 1.35 versions can be compared as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResourceVersion(pub String);

impl ResourceVersion {
    /// `None` if the API server's versions are not numbers.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}

/// The most characters of an annotation `reconcile-requested-at` that is acted on, because status repeats it.
pub const LONGEST_REQUEST: usize = 256;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ObjectFacts {
    pub uid: String,
    pub namespace: String,
    pub name: String,
    pub version: ResourceVersion,
    pub generation: Option<i64>,
    /// `metadata.creationTimestamp`.
    pub created_at: Option<Timestamp>,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    pub has_finalizer: bool,
    pub has_other_finalizers: bool,
    /// The annotation `reconcile-requested-at`.
    pub reconcile_requested_at: Option<String>,
    /// That annotation is there, but too long to be acted on.
    pub has_overlong_request: bool,
    /// Every annotation of the operator. Other annotations and labels mean nothing to a pass.
    pub annotations: BTreeMap<String, String>,
    pub status: Status,
}

impl ObjectFacts {
    /// Somebody requested a pass, and no pass has acknowledged the request yet.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.reconcile_requested_at.is_some()
            && self.reconcile_requested_at != self.status.last_handled_reconcile_at
    }

    /// A decision about the other version holds for this one: only labels, or annotations and finalizers of others, differ.
    #[must_use]
    pub fn decides_like(&self, other: &Self) -> bool {
        let Self {
            uid,
            namespace: _,
            name: _,
            version: _,
            created_at: _,
            generation,
            terminating,
            has_finalizer,
            has_other_finalizers: _,
            reconcile_requested_at: _,
            has_overlong_request: _,
            annotations,
            status,
        } = other;
        self.uid == *uid
            && self.generation == *generation
            && self.terminating == *terminating
            && self.has_finalizer == *has_finalizer
            && self.annotations == *annotations
            && self.status == *status
    }
}
