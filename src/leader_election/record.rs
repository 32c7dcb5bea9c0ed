//! Pure: the record in a Lease, as client-go keeps it. Whatever stands there can be read.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::ObjectMeta;

use super::LEASE;

/// The holder that a Lease is put back for.
const DELETED: &str = "the holder of the deleted Lease";

/// Who holds it; `None` where it was released, or nobody ever did.
pub(super) fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// How long it is held since it was last renewed: as its holder says, and at least as long as `usual`. A holder of another
/// version may renew less often; nonsense does not make it shorter.
pub(super) fn lasts(lease: &Lease, usual: Duration) -> Duration {
    let said = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
    let said =
        said.and_then(|seconds| u64::try_from(seconds).ok()).map_or(Duration::ZERO, Duration::from_secs);
    said.max(usual)
}

/// The Lease as `me` takes it; a new one where there is none.
pub(super) fn taken(former: Option<&Lease>, me: &str, lasts: Duration, now: jiff::Timestamp) -> Lease {
    let Some(former) = former else {
        let metadata = ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() };
        let spec = LeaseSpec {
            acquire_time: Some(MicroTime(now)),
            lease_transitions: Some(0),
            ..LeaseSpec::default()
        };
        return renewed(&Lease { metadata, spec: Some(spec) }, me, lasts, now);
    };
    if holder(former) == Some(me) {
        return renewed(former, me, lasts, now);
    }
    let mut lease = former.clone();
    let spec = lease.spec.get_or_insert_default();
    spec.acquire_time = Some(MicroTime(now));
    let transitions = spec.lease_transitions.unwrap_or_default().max(0);
    spec.lease_transitions = Some(transitions.saturating_add(1));
    renewed(&lease, me, lasts, now)
}

/// The Lease as it is put back after somebody deleted it: for whoever held it, and may not know yet.
pub(super) fn restored(lasts: Duration, now: jiff::Timestamp) -> Lease {
    taken(None, DELETED, lasts, now)
}

/// The Lease as `me` renews it. What others wrote beside the record stays.
pub(super) fn renewed(lease: &Lease, me: &str, lasts: Duration, now: jiff::Timestamp) -> Lease {
    let mut lease = lease.clone();
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = Some(me.to_owned());
    spec.lease_duration_seconds = Some(i32::try_from(lasts.as_secs()).unwrap_or(i32::MAX));
    spec.acquire_time.get_or_insert(MicroTime(now));
    spec.renew_time = Some(MicroTime(now));
    spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default().max(0));
    lease
}

/// The Lease as its holder gives it back.
pub(super) fn released(lease: &Lease, now: jiff::Timestamp) -> Lease {
    let mut lease = lease.clone();
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = Some(String::new());
    spec.lease_duration_seconds = Some(1);
    spec.acquire_time = Some(MicroTime(now));
    spec.renew_time = Some(MicroTime(now));
    spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default().max(0));
    lease
}
