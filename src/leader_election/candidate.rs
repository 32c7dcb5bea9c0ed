//! I/O: carries out what [`Election`] decides, and passes the result on to the [`Token`], the gauge and the log.

use std::future::Future;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::core::Status;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::election::{Election, ElectionStep, LossReason, RequestTimes};
use super::record::ForeignHolder;
use super::store::{LeaseError, LeaseStore};
use super::token::Token;
use crate::clock;

/// The longest time that a resignation takes.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(1500);

#[derive(Debug, thiserror::Error)]
#[error(
    "the API server forbids the Lease \"{lease}\", by which replicas agree on their leader ({}): allow get, create and update \
     on leases in the group coordination.k8s.io in that namespace, or run one replica without --leader-elect",
    .status.message
)]
pub struct LeaseForbidden {
    lease: String,
    status: Box<Status>,
}

/// A replica that waits to lead, or leads.
#[derive(Debug)]
pub struct Candidate<S> {
    store: S,
    election: Election,
    token: Token,
    leads: Gauge<i64, AtomicI64>,
    /// The holder in the last log line about it.
    logged_holder: Option<Option<String>>,
    foreign_holder: watch::Sender<Option<ForeignHolder>>,
    request_failing: bool,
}

#[derive(Debug)]
enum Stop {
    Lost(LossReason),
    Resigned,
    Forbidden(Box<Status>),
}

impl<S: LeaseStore> Candidate<S> {
    /// `token` is the one that guards the changes of this process.
    pub fn new(store: S, election: Election, token: Token, leads: Gauge<i64, AtomicI64>) -> Self {
        let foreign_holder = watch::Sender::default();
        Self { store, election, token, leads, logged_holder: None, foreign_holder, request_failing: false }
    }

    /// Whether a replica of another installation holds the Lease.
    #[must_use]
    pub fn foreign_holder(&self) -> watch::Receiver<Option<ForeignHolder>> {
        self.foreign_holder.subscribe()
    }

    /// Returns when this replica leads.
    ///
    /// # Errors
    /// If the API server forbids the first request, because then no replica would ever lead and a rollout should fail. A later
    /// refusal may pass, so it is only retried.
    pub async fn campaign(&mut self) -> Result<(), LeaseForbidden> {
        while self.election.leads_until().is_none() {
            let first = !self.election.has_observed();
            match self.advance().await {
                Some(Stop::Forbidden(status)) if first => {
                    let lease = self.election.lease_name().to_owned();
                    return Err(LeaseForbidden { lease, status });
                }
                Some(Stop::Forbidden(_) | Stop::Lost(_) | Stop::Resigned) | None => {}
            }
            self.log_leader();
            self.report_foreign_holder();
        }
        self.leads.set(1);
        tracing::info!(lease = self.election.lease_name(), identity = self.election.identity(), "leading");
        Ok(())
    }

    /// Returns when leadership is lost. If this future is dropped, call [`Candidate::resign`].
    pub(super) async fn renew_until_lost(&mut self) -> LossReason {
        loop {
            if let Some(Stop::Lost(loss)) = self.advance().await {
                self.token.end();
                self.leads.set(0);
                tracing::error!(
                    lease = self.election.lease_name(),
                    identity = self.election.identity(),
                    "lost the lead: {loss}"
                );
                return loss;
            }
        }
    }

    /// Releases the Lease, so that another replica can take it at once. If a mutation was cut, the Lease is kept, because the
    /// mutation may still take effect.
    pub async fn resign(&mut self) {
        let led = self.election.leads_until().is_some();
        let all_answered = self.token.end();
        self.leads.set(0);
        self.election.resign(Instant::now());
        if !all_answered {
            tracing::warn!(
                lease = self.election.lease_name(),
                "keeping the Lease until it expires, because a change in AWS was cut and may still take effect"
            );
            return;
        }
        let resigned = async { while !matches!(self.advance().await, Some(Stop::Resigned)) {} };
        match tokio::time::timeout(RELEASE_TIMEOUT, resigned).await {
            Ok(()) if led => {
                tracing::info!(
                    lease = self.election.lease_name(),
                    identity = self.election.identity(),
                    "released the Lease"
                );
            }
            Ok(()) => {}
            Err(_) => tracing::warn!(
                lease = self.election.lease_name(),
                "could not release the Lease; it expires by itself"
            ),
        }
    }

    /// Renews in a task of its own, so that other work cannot delay a renewal.
    pub fn lead(mut self) -> Leadership {
        let (resign, requested) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            tokio::select! {
                loss = self.renew_until_lost() => return Some(loss),
                Ok(()) = requested => {}
            }
            self.resign().await;
            None
        });
        Leadership { task, resign }
    }

    async fn advance(&mut self) -> Option<Stop> {
        let step = self.election.next(Instant::now(), clock::now());
        match &step {
            ElectionStep::Wait(until) => {
                tokio::time::sleep_until(*until).await;
                None
            }
            ElectionStep::Lost(loss) => Some(Stop::Lost(loss.clone())),
            ElectionStep::Resigned => Some(Stop::Resigned),
            ElectionStep::Read => {
                self.election.request_started(&step);
                let (answer, times) = self.timed(self.store.read()).await;
                let forbidden = self.log_answer(&answer, "read");
                self.election.read_answered(answer, times);
                forbidden
            }
            ElectionStep::Write(lease) => {
                self.election.request_started(&step);
                let (answer, times) = self.timed(self.store.write(lease.clone())).await;
                let forbidden = self.log_answer(&answer, "write");
                self.election.write_answered(answer, times);
                self.extend_token().or(forbidden)
            }
        }
    }

    fn extend_token(&self) -> Option<Stop> {
        let until = self.election.leads_until()?;
        (!self.token.extend(until)).then_some(Stop::Lost(LossReason::RenewedTooLate))
    }

    async fn timed(
        &self,
        request: impl Future<Output = Result<Lease, LeaseError>>,
    ) -> (Result<Lease, LeaseError>, RequestTimes) {
        let started = Instant::now();
        let timeout = self.election.request_timeout(started);
        let answer = tokio::time::timeout(timeout, request).await;
        let answer = answer.unwrap_or(Err(LeaseError::Timeout(timeout)));
        (answer, RequestTimes { started, answered: Instant::now(), jitter: fastrand::f64() })
    }

    /// Warns about the first of several failures in a row. Returns a stop if the Lease is forbidden.
    fn log_answer(&mut self, answer: &Result<Lease, LeaseError>, verb: &str) -> Option<Stop> {
        let error = match answer {
            Ok(_) | Err(LeaseError::NotFound) => {
                self.request_failing = false;
                return None;
            }
            Err(LeaseError::Conflict) => return None,
            Err(error) => error,
        };
        if std::mem::replace(&mut self.request_failing, true) {
            tracing::debug!(lease = self.election.lease_name(), "failed to {verb} the Lease: {error}");
        } else {
            tracing::warn!(
                lease = self.election.lease_name(),
                "failed to {verb} the Lease: {error}; trying again every 2 s"
            );
        }
        match error {
            LeaseError::Forbidden(status) => Some(Stop::Forbidden(status.clone())),
            LeaseError::NotFound
            | LeaseError::Conflict
            | LeaseError::Refused(_)
            | LeaseError::Timeout(_)
            | LeaseError::NoAnswer(_) => None,
        }
    }

    fn log_leader(&mut self) {
        let waits = matches!(self.election.next(Instant::now(), clock::now()), ElectionStep::Wait(_));
        if self.election.leads_until().is_some() || !self.election.has_observed() || !waits {
            return;
        }
        let holder = self.election.holder().map(str::to_owned);
        if self.logged_holder.as_ref() == Some(&holder) {
            return;
        }
        let (lease, identity) = (self.election.lease_name(), self.election.identity());
        match &holder {
            Some(holder) => tracing::info!(lease, identity, "standing by: \"{holder}\" leads"),
            None => tracing::info!(lease, identity, "standing by: nobody leads"),
        }
        self.logged_holder = Some(holder);
    }

    fn report_foreign_holder(&self) {
        let found = self.election.foreign_holder();
        let same_installation =
            |one: &ForeignHolder| found.as_ref().is_some_and(|other| other.theirs == one.theirs);
        if let Some(holder) = &found
            && !self.foreign_holder.borrow().as_ref().is_some_and(same_installation)
        {
            tracing::error!(identity = self.election.identity(), "not ready: {holder}");
        }
        self.foreign_holder.send_replace(found);
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LeadershipLost {
    #[error(transparent)]
    Lost(LossReason),
    #[error("this replica released the Lease")]
    Resigned,
    #[error("the task that renews the Lease failed")]
    Task(#[source] JoinError),
}

/// A replica that leads.
#[derive(Debug)]
pub struct Leadership {
    task: JoinHandle<Option<LossReason>>,
    resign: oneshot::Sender<()>,
}

impl Leadership {
    /// Returns when leadership is lost.
    pub async fn lost(&mut self) -> LeadershipLost {
        match (&mut self.task).await {
            Ok(Some(loss)) => LeadershipLost::Lost(loss),
            Ok(None) => LeadershipLost::Resigned,
            Err(error) => LeadershipLost::Task(error),
        }
    }

    /// Releases the Lease. All work must have ended, or must have been cut.
    pub async fn resign(self) {
        // If leadership was lost meanwhile, the task has ended and nobody receives this.
        let _ = self.resign.send(());
        let _ = self.task.await;
    }
}
