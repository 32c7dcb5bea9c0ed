//! One version of the object: what a pass needs besides the goal.

use crate::Status;

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

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ObjectFacts {
    pub uid: String,
    pub namespace: String,
    pub name: String,
    pub version: ResourceVersion,
    pub generation: Option<i64>,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    pub has_finalizer: bool,
    pub has_other_finalizers: bool,
    /// The annotation `reconcile-requested-at`.
    pub reconcile_requested_at: Option<String>,
    pub status: Status,
}

impl ObjectFacts {
    /// Somebody requested a pass, and no pass has acknowledged the request yet.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.reconcile_requested_at.is_some()
            && self.reconcile_requested_at != self.status.last_handled_reconcile_at
    }
}
