//! No I/O: the custom resource `ElastiCacheUser` as people write it: its types, its admission rules, and the CRD that is
//! generated from both.
//!
//! The *schema* is strict: the API server refuses a wrong value, with a message that says what would be right. The *types* are
//! lenient: every stored object can be decoded, because one that cannot would fail the whole LIST and stop the operator for all
//! objects. So every field of the spec is an `Option`, and an unknown word becomes `Unrecognized(word)`.

#![warn(missing_docs)]

mod crd;
mod enums;
mod lenient;
mod packed;
mod spec;
mod status;
mod trimmed;

pub use crd::{APPLY_CRD, crd, crd_yaml};
pub use enums::{
    AdoptionPolicy, AuthenticationType, DeletionPolicy, Engine, ManagementPolicy, PasswordSource,
};
pub use packed::PackedUser;
pub use spec::{AuthenticationSpec, ElastiCacheUser, ElastiCacheUserSpec, PasswordReference, SecretKeyRef};
pub use status::{ElastiCacheUserStatus, LastAppliedStatus, LocationStatus, ReportedAuthentication};
pub use trimmed::{MOST_FINALIZERS, TOO_MANY_FINALIZERS, TrimmedSecret, TrimmedUser};

/// The API group of the custom resource.
pub const GROUP: &str = "elasticache-users.dev";
/// The only API version.
pub const VERSION: &str = "v1alpha1";
/// The finalizer. It stays until the AWS user is gone, is retained, or is known not to be ours.
pub const FINALIZER: &str = "elasticache-users.dev/user-cleanup";
/// The operator's name in server-side apply, in events and in the Lease.
pub const FIELD_MANAGER: &str = "elasticache-user-operator";

/// Annotation: any new value requests a pass at once. `status.lastHandledReconcileAt` repeats the value.
pub const RECONCILE_REQUESTED_AT: &str = "elasticache-users.dev/reconcile-requested-at";
/// Annotation: while it is `"true"`, a deletion keeps the finalizer and makes no AWS call.
pub const PREVENT_DELETION: &str = "elasticache-users.dev/prevent-deletion";
/// All annotations that the operator reads. It keeps no other.
pub(crate) const ANNOTATIONS: [&str; 3] =
    [RECONCILE_REQUESTED_AT, PREVENT_DELETION, plan::groups::RESTORE_DEFAULT_USER];

/// Condition: the AWS user exists, matches the spec and is `active`.
pub const READY: &str = "Ready";
/// Condition: work is in progress, or will be retried without a human.
pub const RECONCILING: &str = "Reconciling";
/// Condition: a human must change something.
pub const STALLED: &str = "Stalled";
/// Condition: what the deletion waits for.
pub const DELETING: &str = "Deleting";

/// `namespace/name`, for logs and the queue.
#[must_use]
pub fn full_name(object: &ElastiCacheUser) -> String {
    let (namespace, name) = (object.metadata.namespace.as_deref(), object.metadata.name.as_deref());
    format!("{}/{}", namespace.unwrap_or_default(), name.unwrap_or_default())
}

/// The user ID of the object.
#[must_use]
pub fn user_id(object: &ElastiCacheUser) -> String {
    let (status, metadata) = (object.status.as_ref(), &object.metadata);
    let in_status = status.and_then(|status| status.user_id.as_deref());
    first_user_id(in_status, object.spec.user_id.as_deref(), metadata.name.as_deref()).to_owned()
}

/// The user ID from status, else from the spec, else the object's name.
pub(crate) fn first_user_id<'a>(
    in_status: Option<&'a str>,
    in_spec: Option<&'a str>,
    name: Option<&'a str>,
) -> &'a str {
    in_status.or(in_spec).or(name).unwrap_or_default()
}
