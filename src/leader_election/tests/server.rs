//! A model of the API server with one object: versions, conflicts, and requests that take effect although nobody waits for the
//! answer. Each replica has a network of its own, which can fail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::core::Status;
use tokio::time::Instant;

use super::super::record;
use super::super::store::{LeaseError, LeaseStore};

/// More than any test needs. A candidate without pauses would send requests for ever, because the paused clock stands still.
const MAX_REQUESTS: usize = 20_000;

#[derive(Clone, Debug, Default)]
pub(super) struct ApiServer(Arc<Mutex<ServerState>>);

#[derive(Debug, Default)]
struct ServerState {
    lease: Option<Lease>,
    version: u64,
    deleted: Option<Instant>,
    requests: usize,
    writes: Vec<Instant>,
}

/// What happens to the requests of one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Network {
    #[default]
    Healthy,
    /// The delay of the request, and the delay of its answer.
    Slow(Duration, Duration),
    AnswersLost,
    RequestsLost,
    /// The request is refused with 500 and has no effect.
    ServerError,
    Forbidden,
    /// Reads succeed, and every write is a conflict.
    Conflicts,
}

#[derive(Clone, Debug)]
pub(super) struct ServerLink {
    server: ApiServer,
    network: Arc<Mutex<Network>>,
    observed: Arc<AtomicBool>,
}

impl ApiServer {
    pub(super) fn link(&self) -> ServerLink {
        ServerLink { server: self.clone(), network: Arc::default(), observed: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, ServerState> {
        self.0.lock().unwrap()
    }

    pub(super) fn lease(&self) -> Option<Lease> {
        self.state().lease.clone()
    }

    pub(super) fn spec(&self) -> LeaseSpec {
        self.lease().and_then(|lease| lease.spec).unwrap_or_default()
    }

    pub(super) fn holder(&self) -> String {
        self.lease().as_ref().and_then(record::holder).unwrap_or_default().to_owned()
    }

    pub(super) fn requests(&self) -> usize {
        self.state().requests
    }

    pub(super) fn writes(&self) -> Vec<Instant> {
        self.state().writes.clone()
    }

    /// Somebody else writes the Lease, without testing its version.
    pub(super) fn put(&self, spec: Option<LeaseSpec>) {
        let mut state = self.state();
        let mut lease = state.lease.clone().unwrap_or_default();
        lease.metadata.name = Some("lease".to_owned());
        lease.spec = spec;
        state.store(lease);
    }

    /// Somebody writes a label, and nothing else.
    pub(super) fn touch(&self) {
        let mut state = self.state();
        if let Some(mut lease) = state.lease.clone() {
            let labels = lease.metadata.labels.get_or_insert_default();
            labels.insert("touched".to_owned(), labels.len().to_string());
            state.store(lease);
        }
    }

    pub(super) fn delete(&self) {
        let mut state = self.state();
        state.lease = None;
        state.deleted = Some(Instant::now());
    }

    /// The Lease does not exist, because somebody deleted it less than `span` ago.
    pub(super) fn deleted_within(&self, span: Duration) -> bool {
        let state = self.state();
        state.lease.is_none() && state.deleted.is_some_and(|at| at.elapsed() < span)
    }
}

impl ServerState {
    fn store(&mut self, mut lease: Lease) -> Lease {
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        let uid = self.lease.as_ref().and_then(|lease| lease.metadata.uid.clone());
        lease.metadata.uid = Some(uid.unwrap_or_else(|| format!("uid-{}", self.version)));
        self.lease = Some(lease.clone());
        lease
    }

    fn read(&self) -> Result<Lease, LeaseError> {
        self.lease.clone().ok_or(LeaseError::NotFound)
    }

    fn write(&mut self, lease: Lease) -> Result<Lease, LeaseError> {
        let held = self.lease.as_ref().and_then(|lease| lease.metadata.resource_version.as_ref());
        if lease.metadata.resource_version.as_ref() != held {
            return Err(LeaseError::Conflict);
        }
        self.writes.push(Instant::now());
        Ok(self.store(lease))
    }
}

impl ServerLink {
    pub(super) fn set(&self, network: Network) {
        *self.network.lock().unwrap() = network;
    }

    /// Whether a Lease was read through this link since the last [`ServerLink::forget`].
    pub(super) fn has_observed(&self) -> bool {
        self.observed.load(Ordering::Relaxed)
    }

    pub(super) fn forget(&self) {
        self.observed.store(false, Ordering::Relaxed);
    }

    async fn send(
        &self,
        request: impl FnOnce(&mut ServerState) -> Result<Lease, LeaseError> + Send + 'static,
        writes: bool,
    ) -> Result<Lease, LeaseError> {
        let (server, network) = (self.server.clone(), *self.network.lock().unwrap());
        let requests = {
            let mut state = server.state();
            state.requests += 1;
            state.requests
        };
        assert!(requests < MAX_REQUESTS, "the candidate sends requests without a pause");
        match network {
            Network::RequestsLost => return std::future::pending().await,
            Network::ServerError => return Err(LeaseError::Refused(status(500))),
            Network::Forbidden => return Err(LeaseError::Forbidden(status(403))),
            Network::Conflicts if writes => return Err(LeaseError::Conflict),
            Network::Healthy | Network::Conflicts | Network::Slow(..) | Network::AnswersLost => {}
        }
        // A task of its own, because a request that was sent takes effect even if nobody waits for the answer.
        let made = tokio::spawn(async move {
            if let Network::Slow(there, _) = network {
                tokio::time::sleep(there).await;
            }
            request(&mut server.state())
        });
        let answer = made.await.unwrap();
        match network {
            Network::Slow(_, back) => tokio::time::sleep(back).await,
            Network::AnswersLost => return std::future::pending().await,
            Network::Healthy
            | Network::Conflicts
            | Network::RequestsLost
            | Network::ServerError
            | Network::Forbidden => {}
        }
        self.observed.fetch_or(answer.is_ok(), Ordering::Relaxed);
        answer
    }
}

impl LeaseStore for ServerLink {
    async fn read(&self) -> Result<Lease, LeaseError> {
        self.send(|state| state.read(), false).await
    }

    async fn write(&self, lease: Lease) -> Result<Lease, LeaseError> {
        self.send(|state| state.write(lease), true).await
    }
}

fn status(code: u16) -> Box<Status> {
    Box::new(Status::failure(&code.to_string(), "").with_code(code))
}
