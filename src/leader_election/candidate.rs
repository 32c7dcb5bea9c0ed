//! I/O: does what [`Election`] says, and tells what comes of it: to the [`Token`], the gauge and the log.

use std::future::Future;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::LEASE;
use super::election::{Election, Loss, Next, Times};
use super::store::{Answer, Store};
use super::token::Token;
use crate::clock;

/// Longest time to give the Lease back in, on the way out.
const LEAVE: Duration = Duration::from_millis(1500);

/// The API server forbids a candidate to read or write the Lease from the beginning.
#[derive(Debug, thiserror::Error)]
#[error(
    "the API server forbids the Lease \"{LEASE}\", by which replicas agree on the one that works ({0}): allow get, create and \
     update on leases in the group coordination.k8s.io in that namespace, or run one replica without --leader-elect"
)]
pub struct Forbidden(String);

/// One that stands by, and leads when its turn comes.
#[derive(Debug)]
pub struct Candidate<S> {
    store: S,
    election: Election,
    token: Token,
    leads: Gauge<i64, AtomicI64>,
    /// Who led when it was last told.
    told: Option<Option<String>>,
    in_trouble: bool,
}

/// Why a candidate stopped before it was dropped.
#[derive(Debug)]
enum Stop {
    Lost(Loss),
    Left,
    Forbidden(String),
}

impl<S: Store> Candidate<S> {
    /// Stands in this election. The token is the one that the rest of the operator asks.
    pub fn new(store: S, election: Election, token: Token, leads: Gauge<i64, AtomicI64>) -> Self {
        Self { store, election, token, leads, told: None, in_trouble: false }
    }

    /// Stands by until it leads.
    ///
    /// # Errors
    /// Where the Lease is forbidden from the beginning: nobody would ever lead, and a rollout should show that. Later it may
    /// pass, and is tried again.
    pub async fn win(&mut self) -> Result<(), Forbidden> {
        while self.election.leads_until().is_none() {
            let began = self.election.has_seen();
            match self.step().await {
                Some(Stop::Forbidden(why)) if !began => return Err(Forbidden(why)),
                Some(Stop::Forbidden(_) | Stop::Lost(_) | Stop::Left) | None => {}
            }
            self.tell_standing();
        }
        self.leads.set(1);
        tracing::info!(lease = LEASE, identity = self.election.me(), "leading");
        Ok(())
    }

    /// Leads until it is lost. Dropped, it has only to [`Candidate::leave`].
    pub(super) async fn hold(&mut self) -> Loss {
        loop {
            if let Some(Stop::Lost(loss)) = self.step().await {
                self.token.end();
                self.leads.set(0);
                tracing::error!(lease = LEASE, identity = self.election.me(), "lost the lead: {loss}");
                return loss;
            }
        }
    }

    /// Gives the Lease back where it may be its own, so that another one need not wait for its end. Not where a mutation was
    /// cut, as that may take effect yet.
    pub async fn leave(&mut self) {
        let led = self.election.leads_until().is_some();
        let answered = self.token.end();
        self.leads.set(0);
        self.election.leave(Instant::now());
        if !answered {
            tracing::warn!(
                lease = LEASE,
                "keeping the Lease until it ends: a change in AWS was cut, and may take effect yet"
            );
            return;
        }
        let left = async { while !matches!(self.step().await, Some(Stop::Left)) {} };
        match tokio::time::timeout(LEAVE, left).await {
            Ok(()) if led => tracing::info!(lease = LEASE, identity = self.election.me(), "released"),
            Ok(()) => {}
            Err(_) => tracing::warn!(lease = LEASE, "could not release the Lease: it ends by itself"),
        }
    }

    /// Leads in a task of its own, so that nothing keeps it from renewing.
    pub fn lead(mut self) -> Leadership {
        let (leave, asked) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            tokio::select! {
                loss = self.hold() => return Some(loss),
                Ok(()) = asked => {}
            }
            self.leave().await;
            None
        });
        Leadership { task, leave }
    }

    async fn step(&mut self) -> Option<Stop> {
        let next = self.election.next(Instant::now(), clock::now());
        match &next {
            Next::Wait(until) => tokio::time::sleep_until(*until).await,
            Next::Lost(loss) => return Some(Stop::Lost(loss.clone())),
            Next::Left => return Some(Stop::Left),
            Next::Read => {
                self.election.asking(&next);
                let (answer, times) = self.asked(self.store.read()).await;
                let forbidden = self.note(&answer, "read");
                self.election.read(answer, times);
                return forbidden;
            }
            Next::Write(lease) => {
                self.election.asking(&next);
                let (answer, times) = self.asked(self.store.write(lease.clone())).await;
                let forbidden = self.note(&answer, "write");
                self.election.written(answer, times);
                if let Some(until) = self.election.leads_until()
                    && !self.token.extend(until)
                {
                    return Some(Stop::Lost(Loss::Unheard("its answer was late".to_owned())));
                }
                return forbidden;
            }
        }
        None
    }

    async fn asked(&self, request: impl Future<Output = Answer>) -> (Answer, Times) {
        let began = Instant::now();
        let patience = self.election.patience(began);
        let answer = tokio::time::timeout(patience, request).await;
        let answer = answer
            .unwrap_or_else(|_| Answer::Failed(format!("no answer within {:.1} s", patience.as_secs_f64())));
        (answer, Times { began, now: Instant::now(), roll: fastrand::f64() })
    }

    /// Tells a trouble once, until it is over.
    fn note(&mut self, answer: &Answer, what: &str) -> Option<Stop> {
        let (why, forbidden) = match answer {
            Answer::Lease(_) | Answer::Absent => {
                self.in_trouble = false;
                return None;
            }
            Answer::Conflict => return None,
            Answer::Forbidden(why) => (why, Some(Stop::Forbidden(why.clone()))),
            Answer::Failed(why) => (why, None),
        };
        if std::mem::replace(&mut self.in_trouble, true) {
            tracing::debug!(lease = LEASE, "failed to {what} the Lease: {why}");
        } else {
            tracing::warn!(lease = LEASE, "failed to {what} the Lease: {why}; trying again every 2 s");
        }
        forbidden
    }

    /// Tells who leads, when that changes.
    fn tell_standing(&mut self) {
        let waits = matches!(self.election.next(Instant::now(), clock::now()), Next::Wait(_));
        if self.election.leads_until().is_some() || !self.election.has_seen() || !waits {
            return;
        }
        let holder = self.election.holder().map(str::to_owned);
        if self.told.as_ref() == Some(&holder) {
            return;
        }
        match &holder {
            Some(holder) => {
                tracing::info!(
                    lease = LEASE,
                    identity = self.election.me(),
                    "standing by: \"{holder}\" leads"
                );
            }
            None => tracing::info!(lease = LEASE, identity = self.election.me(), "standing by: nobody leads"),
        }
        self.told = Some(holder);
    }
}

/// A leader at work.
#[derive(Debug)]
pub struct Leadership {
    task: JoinHandle<Option<Loss>>,
    leave: oneshot::Sender<()>,
}

impl Leadership {
    /// Waits until the lead is lost; why.
    pub async fn lost(&mut self) -> String {
        match (&mut self.task).await {
            Ok(Some(loss)) => loss.to_string(),
            Ok(None) => "it was given back".to_owned(),
            Err(error) => format!("the election broke: {error}"),
        }
    }

    /// Ends it, and gives the Lease back. What was begun has ended by now, or was cut.
    pub async fn leave(self) {
        // Where it has lost the lead meanwhile, nobody listens.
        let _ = self.leave.send(());
        let _ = self.task.await;
    }
}
