//! No I/O: leader election by a Lease, as client-go does it. One of several replicas works, the others stand by.
//!
//! [`Election`] decides (pure). [`Candidate`] carries out its decisions. [`Leases`] sends the requests to the API server. The rest
//! of the operator only sees a [`Token`]: it checks the token before each change in AWS or in the cluster.
//!
//! Two replicas never hold a valid token at the same time, whatever hangs, pauses or is cut off:
//! - A token ends 10 s after the *start* of the last request that renewed the Lease.
//! - Another replica observes that renewal after its request started. It takes the Lease 15 s after it observed the renewal.
//! - The API server accepts the write that takes the Lease only if nobody renewed it in between.
//!
//! Each replica uses its own monotonic clock, and no two clocks are compared.

mod candidate;
mod election;
mod record;
mod store;
mod token;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub use candidate::{Candidate, Leadership, LeadershipLost, LeaseForbidden};
pub use election::{Election, LossReason, Timing};
pub use record::{Contender, ForeignHolder, Installation};
pub(crate) use record::{duration, foreign_holder, holder};
pub use store::{LeaseError, LeaseStore, Leases};
pub use token::{Sending, Token};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LeaseLabel {
    name: String,
}

/// The holder's name in the Lease: the replica's name with a random suffix, because a restarted container is another holder.
#[must_use]
pub fn identity(replica: &str) -> String {
    // The operating system seeds it for each process.
    let unique = RandomState::new().build_hasher().finish();
    format!("{replica}_{unique:016x}")
}

/// Registers the gauge under the name that client-go uses.
#[must_use]
pub fn register_gauge(registry: &mut Registry, lease: &str) -> Gauge<i64, AtomicI64> {
    let statuses = Family::<LeaseLabel, Gauge<i64, AtomicI64>>::default();
    registry.register(
        "leader_election_master_status",
        "Whether this process is the leader: 1 or 0",
        statuses.clone(),
    );
    statuses.get_or_create(&LeaseLabel { name: lease.to_owned() }).clone()
}

#[cfg(test)]
mod tests;
