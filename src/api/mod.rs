//! No I/O: the custom resource `ElastiCacheUser` as people write it. Its types, the admission rules that the
//! API server holds, and the CRD that is generated from both.
//!
//! Two things are kept apart on purpose. The *schema* is strict: what is wrong is refused at admission,
//! with a sentence that says what would be right. The *types* are lenient: whatever is stored decodes,
//! because one object that does not would fail the whole LIST and stop the operator for everyone. So
//! every field of the spec is an `Option`, and a word that is not known is an `Unrecognized(word)`.

#![warn(missing_docs)]

mod crd;
mod enums;
mod lenient;
mod spec;
mod status;

pub use crd::{APPLY_CRD, crd, crd_yaml};
pub use enums::{AdoptionPolicy, AuthenticationType, DeletionPolicy, Engine, ManagementPolicy};
pub use spec::{Authentication, ElastiCacheUser, ElastiCacheUserSpec, PasswordSource, SecretKeyRef};
pub use status::{ElastiCacheUserStatus, LastApplied, ReportedAuthentication};

/// The API group of the custom resource.
pub const GROUP: &str = "elasticache-users.dev";
/// The only version of it.
pub const VERSION: &str = "v1alpha1";
/// Held until AWS has no such user any more, or until it is none of our business.
pub const FINALIZER: &str = "elasticache-users.dev/user-cleanup";
/// Who writes: server-side apply, events, the leader's lease.
pub const FIELD_MANAGER: &str = "elasticache-user-operator";

/// Annotation: any new value asks for a pass at once; echoed in `status.lastHandledReconcileAt`.
pub const RECONCILE_REQUESTED_AT: &str = "elasticache-users.dev/reconcile-requested-at";
/// Annotation: while it is `"true"` the finalizer is held and AWS is not called on the way out.
pub const PREVENT_DELETION: &str = "elasticache-users.dev/prevent-deletion";

/// What every tag key of the operator begins with; no tag of a spec may.
pub const OWNER_TAG_PREFIX: &str = "elasticache-users.dev/";
/// Tag: the cluster that owns the AWS user.
pub const TAG_CLUSTER: &str = "elasticache-users.dev/cluster";
/// Tag: the namespace of the object that owns the AWS user.
pub const TAG_NAMESPACE: &str = "elasticache-users.dev/namespace";
/// Tag: the name of the object that owns the AWS user.
pub const TAG_NAME: &str = "elasticache-users.dev/name";
/// Tag: the uid of the object, for people; ownership is not judged by it.
pub const TAG_UID: &str = "elasticache-users.dev/uid";

/// Condition: the AWS user exists, matches the spec and is `active`.
pub const READY: &str = "Ready";
/// Condition: work is under way, or will be tried again without a person.
pub const RECONCILING: &str = "Reconciling";
/// Condition: a person must change something.
pub const STALLED: &str = "Stalled";
/// Condition: what the deletion waits for.
pub const DELETING: &str = "Deleting";

/// What a user ID looks like: lower case, as ElastiCache stores it.
pub const USER_ID_PATTERN: &str = "^[a-z]([a-z0-9]*)(-[a-z0-9]+)*$";
/// The longest user ID.
pub const USER_ID_MAX_LENGTH: usize = 40;

/// `namespace/name`, as logs and the queue name an object.
#[must_use]
pub fn full_name(object: &ElastiCacheUser) -> String {
    let (namespace, name) = (object.metadata.namespace.as_deref(), object.metadata.name.as_deref());
    format!("{}/{}", namespace.unwrap_or_default(), name.unwrap_or_default())
}

/// The user ID that an object stands for.
#[must_use]
pub fn user_id(object: &ElastiCacheUser) -> String {
    let status = object.status.as_ref();
    let known = status.and_then(|status| status.user_id.as_ref()).or(object.spec.user_id.as_ref());
    known.or(object.metadata.name.as_ref()).cloned().unwrap_or_default()
}
