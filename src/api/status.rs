//! No I/O: the fields of `status`, which the operator writes.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a function, `pub` included")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::lenient::Fields;

/// The user in ElastiCache, and the operator's progress. Only the operator writes it. It contains no
/// time that changes by itself: a pass that changes nothing writes nothing.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ElastiCacheUserStatus {
    /// The metadata.generation that the operator last acted on, even if it failed. -1: no pass has run
    /// yet. If it differs from metadata.generation, the other fields may describe an earlier spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The ID of the user in ElastiCache, for example orders-api.
    #[serde(rename = "userID", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,

    /// The name that clients log in with (AUTH name password), as ElastiCache reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,

    /// The Amazon resource name of the user, for IAM policies. From it the operator also notices that it
    /// uses another account or region than the one in which it created the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,

    /// The AWS account and region of the user: where it is, or is about to be created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationStatus>,

    /// The state of the user in AWS's own word: active, modifying, deleting, or whatever word AWS sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,

    /// The engine that ElastiCache reports: redis or valkey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,

    /// The oldest engine version that can serve this user, for example 7.0 for IAM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_engine_version: Option<String>,

    /// The access string as ElastiCache reports it. AWS rewrites it: it changes the order, and adds "off"
    /// and "-@all" if they were implied. That is not drift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_string: Option<String>,

    /// The user groups that the user is a member of, no matter who added it.
    #[serde(rename = "userGroupIDs", skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(with = "Option<Vec<String>>")]
    pub user_group_ids: Vec<String>,

    /// The user groups whose membership this object looks after: those of the spec that the user is a member
    /// of or is about to join, and those that it has to leave.
    #[serde(rename = "managedUserGroupIDs", skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(with = "Option<Vec<String>>")]
    pub managed_user_group_ids: Vec<String>,

    /// How the user proves who it is, as ElastiCache reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<ReportedAuthentication>,

    /// What the operator last sent to ElastiCache, and what ElastiCache returned. With it the operator
    /// distinguishes an edit of the spec from a change that somebody made in AWS. Do not edit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_applied: Option<LastAppliedStatus>,

    /// When ElastiCache last accepted passwords from the operator. It changes with nothing else. Absent if the user has no
    /// password. With passwordSource External, others may have set passwords since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passwords_applied_at: Option<Time>,

    /// When the operator last asked AWS to create this user. For about half a minute after that the
    /// operator does not trust the answer "no such user", because the user may appear late and a deletion
    /// would leave it behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_requested_at: Option<MicroTime>,

    /// When the operator announced that it is about to ask AWS to delete this user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_requested_at: Option<MicroTime>,

    /// Which process of the operator announced that. Each start of the operator is another process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_requested_by: Option<String>,

    /// The value of the annotation elasticache-users.dev/reconcile-requested-at that the operator last
    /// acted on. If it equals the annotation, the requested pass is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,

    /// The state of this object, for people and tools (kubectl wait, Flux, Argo CD, Helm). The types:
    ///
    /// Ready, present after the first pass: True while the AWS user exists, matches the spec and is
    /// active. Its reason is the Status column and its message says what to do.
    ///
    /// Reconciling, present only while True: work is in progress, or will be retried without a human.
    ///
    /// Stalled, present only while True: a human must change something, and the message says what.
    ///
    /// Deleting, present only while the object is being deleted: what the deletion waits for, since when,
    /// and what to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(with = "Option<Vec<Condition>>")]
    pub conditions: Vec<Condition>,
}

/// An AWS account and region.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocationStatus {
    /// The account ID; absent until the operator has learnt it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,

    /// The region, for example eu-west-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// Authentication in AWS's output words.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedAuthentication {
    /// password, no-password or iam: AWS's output words, which differ from those of the spec.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,

    /// How many passwords the user has. AWS reports nothing else about them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_count: Option<i32>,
}

/// What was last sent, and what AWS returned.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastAppliedStatus {
    /// The access string as it was last sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_string: Option<String>,

    /// The same access string as ElastiCache reported it first, once the user was active after the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expanded_access_string: Option<String>,

    /// The version of each Secret that a password came from, as uid/resourceVersion/key. Nothing here is
    /// computed from a password.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(with = "Option<Vec<String>>")]
    pub password_versions: Vec<String>,

    /// The tag keys that came from the spec. If a tag is removed from the spec, the operator removes it
    /// from the user, and leaves all other tags as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(with = "Option<Vec<String>>")]
    pub tag_keys: Vec<String>,
}

impl<'de> Deserialize<'de> for ElastiCacheUserStatus {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::of_anything(deserializer)?;
        Ok(Self {
            observed_generation: fields.take("observedGeneration"),
            user_id: fields.take("userID"),
            user_name: fields.take("userName"),
            arn: fields.take("arn"),
            location: fields.take("location"),
            state: fields.take("state"),
            engine: fields.take("engine"),
            minimum_engine_version: fields.take("minimumEngineVersion"),
            access_string: fields.take("accessString"),
            user_group_ids: fields.take_items("userGroupIDs"),
            managed_user_group_ids: fields.take_items("managedUserGroupIDs"),
            authentication: fields.take("authentication"),
            last_applied: fields.take("lastApplied"),
            passwords_applied_at: fields.take("passwordsAppliedAt"),
            create_requested_at: fields.take("createRequestedAt"),
            delete_requested_at: fields.take("deleteRequestedAt"),
            delete_requested_by: fields.take("deleteRequestedBy"),
            last_handled_reconcile_at: fields.take("lastHandledReconcileAt"),
            conditions: fields.take_items("conditions"),
        })
    }
}

impl<'de> Deserialize<'de> for LocationStatus {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::of_object(deserializer)?;
        Ok(Self { account: fields.take("account"), region: fields.take("region") })
    }
}

impl<'de> Deserialize<'de> for ReportedAuthentication {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::of_object(deserializer)?;
        Ok(Self { type_: fields.take("type"), password_count: fields.take("passwordCount") })
    }
}

impl<'de> Deserialize<'de> for LastAppliedStatus {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::of_object(deserializer)?;
        Ok(Self {
            access_string: fields.take("accessString"),
            expanded_access_string: fields.take("expandedAccessString"),
            password_versions: fields.take_items("passwordVersions"),
            tag_keys: fields.take_items("tagKeys"),
        })
    }
}
