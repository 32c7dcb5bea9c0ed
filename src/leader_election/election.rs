//! Pure: decides the next request about the Lease, from what was observed and when. All decisions use the caller's monotonic
//! clock. The times inside the Lease are for people.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use super::record::{self, Contender, ForeignHolder};
use super::store::LeaseError;

/// The defaults are those of client-go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A candidate takes the Lease if it has not changed for this long.
    pub lease: Duration,
    /// A leader works for at most this long after the start of its last successful renewal.
    pub deadline: Duration,
    /// From the start of a request to the start of the next one, plus up to a tenth.
    pub retry: Duration,
    /// The time-out of one request.
    pub call: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { lease: seconds(15), deadline: seconds(10), retry: seconds(2), call: seconds(5) }
    }
}

#[derive(Clone, Debug)]
pub(super) enum ElectionStep {
    Wait(Instant),
    Read,
    Write(Lease),
    /// Leadership is lost: there is no further step.
    Lost(LossReason),
    /// The Lease is released, or was not ours: there is no further step.
    Resigned,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum LossReason {
    #[error("the API server did not confirm a renewal of the Lease in time")]
    NotRenewed(#[source] Arc<LeaseError>),
    #[error("the API server confirmed a renewal of the Lease too late")]
    RenewedTooLate,
    #[error("this process was stopped for too long to renew the Lease")]
    ProcessStopped,
    #[error("\"{0}\" holds the Lease now")]
    Taken(String),
    #[error("somebody released the Lease")]
    Released,
    #[error("somebody deleted the Lease")]
    Deleted,
}

/// What one replica knows about the election.
#[derive(Clone, Debug)]
pub struct Election {
    contender: Contender,
    timing: Timing,
    observed: Option<ObservedLease>,
    /// The Lease existed once. If it is absent now, somebody deleted it. Its last holder does not know that yet, and may act as
    /// leader until its [`Token`](super::Token) expires.
    existed: bool,
    /// `observed` may be out of date: read the Lease before the next write.
    stale: bool,
    /// The last write was a conflict.
    conflicted: bool,
    /// A write was sent, so the Lease may be ours whatever the answer was.
    write_sent: bool,
    next_request: Instant,
    /// `None`: this replica does not lead.
    leads_until: Option<Instant>,
    loss: Option<LossReason>,
    last_error: Option<Arc<LeaseError>>,
    resignation: Option<Resignation>,
}

#[derive(Clone, Debug)]
struct ObservedLease {
    /// `None`: the Lease does not exist.
    lease: Option<Lease>,
    /// When this record was observed for the first time. It was written before.
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resignation {
    Requested,
    Complete,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RequestTimes {
    pub started: Instant,
    pub answered: Instant,
    /// A random number from 0 to 1 for the pause after the request.
    pub jitter: f64,
}

impl Election {
    #[must_use]
    pub fn new(contender: Contender, timing: Timing, now: Instant) -> Self {
        Self {
            contender,
            timing,
            observed: None,
            existed: false,
            stale: true,
            conflicted: false,
            write_sent: false,
            next_request: now,
            leads_until: None,
            loss: None,
            last_error: None,
            resignation: None,
        }
    }

    /// `wall` is the time that people read in the Lease.
    pub(super) fn next(&self, now: Instant, wall: jiff::Timestamp) -> ElectionStep {
        if let Some(resignation) = self.resignation {
            return self.next_while_resigning(resignation, now, wall);
        }
        if let Some(loss) = &self.loss {
            return ElectionStep::Lost(loss.clone());
        }
        match self.leads_until {
            Some(until) => self.next_as_leader(until, now, wall),
            None => self.next_as_standby(now, wall),
        }
    }

    fn next_as_standby(&self, now: Instant, wall: jiff::Timestamp) -> ElectionStep {
        let Some(observed) = self.fresh() else {
            return wait_until(self.next_request, now, ElectionStep::Read);
        };
        let free = self.free_from(observed);
        if free > now {
            return wait_until(self.next_request.min(free), now, ElectionStep::Read);
        }
        let (former, duration) = (observed.lease.as_ref(), self.timing.lease);
        ElectionStep::Write(if former.is_none() && self.existed {
            record::restored(self.lease_name(), duration, wall)
        } else {
            record::acquired(former, &self.contender, duration, wall)
        })
    }

    fn next_as_leader(&self, until: Instant, now: Instant, wall: jiff::Timestamp) -> ElectionStep {
        if until <= now {
            let error = self.last_error.clone();
            return ElectionStep::Lost(error.map_or(LossReason::ProcessStopped, LossReason::NotRenewed));
        }
        let step = match self.fresh().and_then(|observed| observed.lease.as_ref()) {
            Some(lease) => {
                ElectionStep::Write(record::renewed(lease, &self.contender, self.timing.lease, wall))
            }
            None => ElectionStep::Read,
        };
        wait_until(self.next_request.min(until), now, step)
    }

    fn next_while_resigning(
        &self,
        resignation: Resignation,
        now: Instant,
        wall: jiff::Timestamp,
    ) -> ElectionStep {
        if resignation == Resignation::Complete || !self.write_sent {
            return ElectionStep::Resigned;
        }
        let Some(observed) = self.fresh() else {
            return wait_until(self.next_request, now, ElectionStep::Read);
        };
        match &observed.lease {
            Some(lease) if self.is_holder(lease) => ElectionStep::Write(record::released(lease, wall)),
            Some(_) | None => ElectionStep::Resigned,
        }
    }

    /// Call this before each request, because the caller may never learn the answer.
    pub(super) fn request_started(&mut self, step: &ElectionStep) {
        self.stale = true;
        self.write_sent |= matches!(step, ElectionStep::Write(_));
    }

    pub(super) fn read_answered(&mut self, answer: Result<Lease, LeaseError>, times: RequestTimes) {
        self.next_request = self.after_pause(times);
        match answer {
            Ok(lease) => {
                self.observe(Some(lease), times.answered);
                if self.leads_until.is_some() || self.resignation.is_some() {
                    // The Lease was read in order to write it.
                    self.next_request = times.answered;
                }
            }
            Err(LeaseError::NotFound) => self.observe(None, times.answered),
            Err(error) => self.last_error = Some(Arc::new(error)),
        }
    }

    pub(super) fn write_answered(&mut self, answer: Result<Lease, LeaseError>, times: RequestTimes) {
        self.next_request = self.after_pause(times);
        let conflicted_before = std::mem::take(&mut self.conflicted);
        match answer {
            Ok(lease) => self.written(lease, times),
            Err(LeaseError::NotFound) => self.observe(None, times.answered),
            Err(error) => {
                self.conflicted = matches!(error, LeaseError::Conflict);
                if self.conflicted && !conflicted_before {
                    // Reading the Lease explains the first conflict. Only the second one in a row makes it wait.
                    self.next_request = times.answered;
                }
                self.last_error = Some(Arc::new(error));
            }
        }
    }

    fn written(&mut self, lease: Lease, times: RequestTimes) {
        let ours = self.is_holder(&lease);
        self.observe(Some(lease), times.answered);
        self.last_error = None;
        let until = times.started + self.timing.deadline;
        if self.resignation.is_some() {
            self.resignation = Some(Resignation::Complete);
        } else if ours && (self.leads_until.is_some() || times.answered < until) {
            self.leads_until = Some(until);
        }
    }

    pub(super) fn resign(&mut self, now: Instant) {
        self.leads_until = None;
        self.next_request = now;
        self.resignation.get_or_insert(Resignation::Requested);
    }

    pub(super) fn leads_until(&self) -> Option<Instant> {
        self.leads_until
    }

    /// The holder in the last observed Lease.
    pub(super) fn holder(&self) -> Option<&str> {
        self.observed.as_ref()?.lease.as_ref().and_then(record::holder)
    }

    /// The holder in the last observed Lease, if it belongs to another installation.
    pub(super) fn foreign_holder(&self) -> Option<ForeignHolder> {
        let lease = self.observed.as_ref()?.lease.as_ref()?;
        record::foreign_holder(lease, &self.contender)
    }

    pub(super) fn has_observed(&self) -> bool {
        self.observed.is_some()
    }

    pub(super) fn request_timeout(&self, now: Instant) -> Duration {
        let left = self.leads_until.map_or(self.timing.call, |until| until.saturating_duration_since(now));
        self.timing.call.min(left)
    }

    pub(super) fn identity(&self) -> &str {
        &self.contender.identity
    }

    pub(super) fn lease_name(&self) -> &str {
        &self.contender.lease
    }

    /// `since` moves only if the record itself changes. If it moved with labels too, whoever writes labels could keep the Lease
    /// of a dead leader alive.
    fn observe(&mut self, lease: Option<Lease>, now: Instant) {
        let same = |observed: &ObservedLease| match (&observed.lease, &lease) {
            (Some(one), Some(other)) => one.spec == other.spec && one.metadata.uid == other.metadata.uid,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let since = self.observed.as_ref().filter(|observed| same(observed)).map_or(now, |found| found.since);
        self.existed |= lease.is_some();
        self.loss = if self.leads_until.is_some() { self.loss_shown_by(lease.as_ref()) } else { None };
        self.observed = Some(ObservedLease { lease, since });
        self.stale = false;
    }

    fn loss_shown_by(&self, lease: Option<&Lease>) -> Option<LossReason> {
        let Some(lease) = lease else { return Some(LossReason::Deleted) };
        match record::holder(lease) {
            Some(holder) if holder == self.identity() => None,
            Some(other) => Some(LossReason::Taken(other.to_owned())),
            None => Some(LossReason::Released),
        }
    }

    fn is_holder(&self, lease: &Lease) -> bool {
        record::holder(lease) == Some(self.identity())
    }

    fn fresh(&self) -> Option<&ObservedLease> {
        self.observed.as_ref().filter(|_| !self.stale)
    }

    /// From when this replica may take the Lease.
    fn free_from(&self, observed: &ObservedLease) -> Instant {
        match &observed.lease {
            Some(lease) if record::holder(lease).is_some() && !self.is_holder(lease) => {
                observed.since + record::duration(lease, self.timing.lease)
            }
            Some(_) | None => observed.since,
        }
    }

    fn after_pause(&self, times: RequestTimes) -> Instant {
        let pause = self.timing.retry.mul_f64(1.0 + 0.1 * times.jitter.clamp(0.0, 1.0));
        times.answered.max(times.started + pause)
    }
}

fn wait_until(moment: Instant, now: Instant, step: ElectionStep) -> ElectionStep {
    if moment <= now { step } else { ElectionStep::Wait(moment) }
}
