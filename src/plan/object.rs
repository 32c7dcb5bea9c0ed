//! Pure: one version of the object, as far as a pass needs it besides its goal.

use crate::Status;

/// `metadata.resourceVersion`. Equal: the same version. Comparable as a number since Kubernetes 1.35.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResourceVersion(pub String);

impl ResourceVersion {
    /// The version as a number; `None` if the API server's versions are no numbers.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}

/// One version of the object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ObjectFacts {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.resourceVersion`.
    pub version: ResourceVersion,
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// Our finalizer is on the object.
    pub has_finalizer: bool,
    /// Somebody else's finalizer is on it.
    pub has_other_finalizers: bool,
    /// The annotation `reconcile-requested-at`.
    pub reconcile_requested_at: Option<String>,
    /// `status`.
    pub status: Status,
}

impl ObjectFacts {
    /// Somebody asked for a pass, and no pass has acknowledged it yet.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.reconcile_requested_at.is_some()
            && self.reconcile_requested_at != self.status.last_handled_reconcile_at
    }
}
