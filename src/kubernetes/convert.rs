//! No I/O: converts the custom resource to the types of `plan`, and back.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime, Time};
use kube::ResourceExt;
use plan::{
    ConditionStatus, ConditionType, LONGEST_REQUEST, Lifecycle, Location, ObjectFacts, ResourceVersion,
    SecretVersion, Status, Timestamp, UserGroupId,
};

use crate::api::{self, ElastiCacheUser, ElastiCacheUserStatus, FINALIZER, GROUP, RECONCILE_REQUESTED_AT};

/// What a pass needs to know of an object in addition to its goal.
#[must_use]
pub fn facts(object: &ElastiCacheUser) -> ObjectFacts {
    let request = object.annotations().get(RECONCILE_REQUESTED_AT);
    let metadata = &object.metadata;
    let is_ours = |finalizer: &String| finalizer == FINALIZER;
    ObjectFacts {
        uid: metadata.uid.clone().unwrap_or_default(),
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        version: ResourceVersion(metadata.resource_version.clone().unwrap_or_default()),
        generation: metadata.generation,
        created_at: metadata.creation_timestamp.as_ref().map(|time| timestamp(time.0)),
        terminating: metadata.deletion_timestamp.is_some(),
        has_finalizer: object.finalizers().iter().any(is_ours),
        has_other_finalizers: !object.finalizers().iter().all(is_ours),
        reconcile_requested_at: request.filter(|request| !is_overlong(request)).cloned(),
        has_overlong_request: request.is_some_and(|request| is_overlong(request)),
        annotations: own_annotations(object),
        status: object.status.as_ref().map(read_status).unwrap_or_default(),
    }
}

fn is_overlong(request: &str) -> bool {
    request.chars().count() > LONGEST_REQUEST
}

/// Without an overlong request, because it is ignored and would only fill memory.
fn own_annotations(object: &ElastiCacheUser) -> BTreeMap<String, String> {
    let is_own = |key: &str| key.split_once('/').is_some_and(|(prefix, _)| prefix == GROUP);
    let is_ignored = |key: &str, value: &str| key == RECONCILE_REQUESTED_AT && is_overlong(value);
    let own = object.annotations().iter().filter(|(key, value)| is_own(key) && !is_ignored(key, value));
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn read_status(status: &ElastiCacheUserStatus) -> Status {
    let read = status.clone();
    let authentication = read.authentication.unwrap_or_default();
    let mut conditions = Vec::with_capacity(read.conditions.len());
    conditions.extend(read.conditions.iter().filter_map(read_condition));
    let status = Status {
        observed_generation: read.observed_generation,
        user_id: read.user_id,
        user_name: read.user_name,
        arn: read.arn.as_deref().and_then(plan::Arn::parse),
        location: read
            .location
            .and_then(|location| Some(Location { account: location.account, region: location.region? })),
        state: read.state.as_deref().map(Lifecycle::parse),
        engine: read.engine,
        minimum_engine_version: read.minimum_engine_version,
        access_string: read.access_string,
        user_group_ids: read.user_group_ids,
        managed_user_group_ids: read
            .managed_user_group_ids
            .iter()
            .filter_map(|id| UserGroupId::parse(id).ok())
            .collect(),
        authentication_type: authentication.type_,
        password_count: authentication.password_count,
        last_applied: read.last_applied.map(read_last_applied),
        passwords_applied_at: read.passwords_applied_at.map(|time| timestamp(time.0)),
        create_requested_at: read.create_requested_at.map(|time| timestamp(time.0)),
        delete_requested_at: read.delete_requested_at.map(|time| timestamp(time.0)),
        delete_requested_by: read.delete_requested_by,
        last_handled_reconcile_at: read.last_handled_reconcile_at,
        conditions,
    };
    with_earlier_delete_request(status)
}

/// Releases without `deleteRequestedAt` wrote the Deleting condition and removed `lastApplied` before DeleteUser.
fn with_earlier_delete_request(mut status: Status) -> Status {
    let requested_at =
        status.condition(ConditionType::Deleting).map(|deleting| deleting.last_transition_time);
    if status.delete_requested_at.is_none() && status.arn.is_some() && !status.manages() {
        status.delete_requested_at = requested_at;
    }
    status
}

fn read_last_applied(last: api::LastAppliedStatus) -> plan::LastApplied {
    let api::LastAppliedStatus { access_string, expanded_access_string, password_versions, tag_keys } = last;
    let password_versions = password_versions.iter().map(|text| SecretVersion::parse(text)).collect();
    plan::LastApplied { access_string, expanded_access_string, password_versions, tag_keys }
}

fn read_condition(condition: &Condition) -> Option<plan::Condition> {
    Some(plan::Condition {
        kind: ConditionType::parse(&condition.type_)?,
        status: ConditionStatus::parse(&condition.status),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        observed_generation: condition.observed_generation,
        last_transition_time: timestamp(condition.last_transition_time.0),
    })
}

#[must_use]
pub fn status(status: &Status) -> ElastiCacheUserStatus {
    let status = status.clone();
    let has_authentication = status.authentication_type.is_some() || status.password_count.is_some();
    ElastiCacheUserStatus {
        observed_generation: status.observed_generation,
        user_id: status.user_id,
        user_name: status.user_name,
        arn: status.arn.map(|arn| arn.to_string()),
        location: status
            .location
            .map(|location| api::LocationStatus { account: location.account, region: Some(location.region) }),
        state: status.state.map(|state| state.as_str().to_owned()),
        engine: status.engine,
        minimum_engine_version: status.minimum_engine_version,
        access_string: status.access_string,
        user_group_ids: status.user_group_ids,
        managed_user_group_ids: status.managed_user_group_ids.iter().map(ToString::to_string).collect(),
        authentication: has_authentication.then_some(api::ReportedAuthentication {
            type_: status.authentication_type,
            password_count: status.password_count,
        }),
        last_applied: status.last_applied.map(write_last_applied),
        passwords_applied_at: status.passwords_applied_at.map(|time| Time(jiff_time(time))),
        create_requested_at: status.create_requested_at.map(|time| MicroTime(jiff_time(time))),
        delete_requested_at: status.delete_requested_at.map(|time| MicroTime(jiff_time(time))),
        delete_requested_by: status.delete_requested_by,
        last_handled_reconcile_at: status.last_handled_reconcile_at,
        conditions: status.conditions.into_iter().map(write_condition).collect(),
    }
}

fn write_last_applied(last: plan::LastApplied) -> api::LastAppliedStatus {
    let plan::LastApplied { access_string, expanded_access_string, password_versions, tag_keys } = last;
    let password_versions = password_versions.iter().map(SecretVersion::to_string).collect();
    api::LastAppliedStatus { access_string, expanded_access_string, password_versions, tag_keys }
}

fn write_condition(condition: plan::Condition) -> Condition {
    Condition {
        type_: condition.kind.as_str().to_owned(),
        status: condition.status.as_str().to_owned(),
        reason: condition.reason,
        message: condition.message,
        observed_generation: condition.observed_generation,
        last_transition_time: Time(jiff_time(condition.last_transition_time)),
    }
}

/// The API server keeps microseconds.
pub(crate) fn timestamp(time: jiff::Timestamp) -> Timestamp {
    Timestamp(time.as_microsecond())
}

fn jiff_time(time: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(time.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
