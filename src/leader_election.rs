//! No I/O of its own: who of several replicas works. Leader election by a Lease, as client-go does it.
//!
//! [`Election`] decides, on what was seen and when ([`election`], pure); [`Candidate`] does what it says ([`candidate`]);
//! [`Leases`] is the port to the API server ([`store`]). What the rest of the operator knows of it is a [`Token`]: it is
//! asked before each change, in AWS and in the cluster, and ends by itself.
//!
//! Why no two replicas hold a valid token at a time, whatever hangs, pauses or is cut off: a token ends 10 s after the *start*
//! of the last request that renewed the Lease. Another replica saw that renewal no earlier than it was requested, and takes
//! the Lease 15 s after it saw it, by a write that the API server accepts only if nobody renewed since. Both count by their own
//! monotonic clock, and no clock is compared with another's.

pub mod candidate;
pub mod election;
mod record;
pub mod store;
mod token;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub use candidate::{Candidate, Leadership};
pub use election::{Election, Loss, Timing};
pub use store::{Leases, Store};
pub use token::{Sending, Token};

use crate::api::FIELD_MANAGER;

/// The name of the Lease.
pub const LEASE: &str = FIELD_MANAGER;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabel {
    name: &'static str,
}

/// What a replica is called in the Lease: the pod's name, and what no other process has, as a container that is started again
/// is another holder.
#[must_use]
pub fn identity(replica: &str) -> String {
    // Seeded by the operating system for each process.
    let unique = RandomState::new().build_hasher().finish();
    format!("{replica}_{unique:016x}")
}

/// Registers whether this process leads, under the name that client-go uses.
#[must_use]
pub fn register(registry: &mut Registry) -> Gauge<i64, AtomicI64> {
    let statuses = Family::<NameLabel, Gauge<i64, AtomicI64>>::default();
    registry.register("leader_election_master_status", "Whether this process leads", statuses.clone());
    statuses.get_or_create(&NameLabel { name: LEASE }).clone()
}

#[cfg(test)]
mod tests;
