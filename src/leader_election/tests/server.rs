//! The API server's contract about one object: versions, conflicts, and requests that take effect though nobody waits for their
//! answer any more. Each replica has a way to it that can be bad.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use tokio::time::Instant;

use super::super::store::{Answer, Store};
use super::super::{LEASE, record};

/// More than any test needs: whoever asks without a pause would do so for ever, as a paused clock stands still meanwhile.
const MOST: usize = 20_000;

#[derive(Clone, Debug, Default)]
pub(super) struct Server(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    lease: Option<Lease>,
    version: u64,
    requests: usize,
    writes: Vec<Instant>,
}

/// How requests fare on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Way {
    #[default]
    Open,
    /// Takes so long to arrive, and the answer so long to come back.
    Slow(Duration, Duration),
    /// Arrives, and is never answered.
    Deaf,
    /// Never arrives.
    Cut,
    /// Refused with 500 before it took effect.
    Broken,
    /// Refused with 403.
    Forbidden,
    /// Reads are answered; writes are conflicts, whatever they write.
    Contended,
}

#[derive(Clone, Debug)]
pub(super) struct Link {
    server: Server,
    way: Arc<Mutex<Way>>,
    seen: Arc<AtomicBool>,
}

impl Server {
    pub(super) fn link(&self) -> Link {
        Link { server: self.clone(), way: Arc::default(), seen: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
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

    /// Somebody else writes it, and asks nobody.
    pub(super) fn put(&self, spec: Option<LeaseSpec>) {
        let mut state = self.state();
        let mut lease = state.lease.clone().unwrap_or_default();
        lease.metadata.name = Some(LEASE.to_owned());
        lease.spec = spec;
        state.store(lease);
    }

    /// Somebody writes a label, and leaves the record as it is.
    pub(super) fn touch(&self) {
        let mut state = self.state();
        if let Some(mut lease) = state.lease.clone() {
            let labels = lease.metadata.labels.get_or_insert_default();
            labels.insert("touched".to_owned(), labels.len().to_string());
            state.store(lease);
        }
    }

    pub(super) fn delete(&self) {
        self.state().lease = None;
    }
}

impl State {
    fn store(&mut self, mut lease: Lease) -> Lease {
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        let uid = self.lease.as_ref().and_then(|lease| lease.metadata.uid.clone());
        lease.metadata.uid = Some(uid.unwrap_or_else(|| format!("uid-{}", self.version)));
        self.lease = Some(lease.clone());
        lease
    }

    fn read(&self) -> Answer {
        self.lease.clone().map_or(Answer::Absent, Answer::Lease)
    }

    fn write(&mut self, lease: Lease) -> Answer {
        let held = self.lease.as_ref().and_then(|lease| lease.metadata.resource_version.as_ref());
        if lease.metadata.resource_version.as_ref() != held {
            return Answer::Conflict;
        }
        self.writes.push(Instant::now());
        Answer::Lease(self.store(lease))
    }
}

impl Link {
    pub(super) fn set(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }

    /// A Lease was read over it since it was forgotten last.
    pub(super) fn has_seen(&self) -> bool {
        self.seen.load(Ordering::Relaxed)
    }

    pub(super) fn forget(&self) {
        self.seen.store(false, Ordering::Relaxed);
    }

    async fn go(&self, request: impl FnOnce(&mut State) -> Answer + Send + 'static, writes: bool) -> Answer {
        let (server, way) = (self.server.clone(), *self.way.lock().unwrap());
        let requests = {
            let mut state = server.state();
            state.requests += 1;
            state.requests
        };
        assert!(requests < MOST, "requests are made in a hurry");
        match way {
            Way::Cut => return std::future::pending().await,
            Way::Broken => return Answer::Failed("500".to_owned()),
            Way::Forbidden => return Answer::Forbidden("403".to_owned()),
            Way::Contended if writes => return Answer::Conflict,
            Way::Open | Way::Contended | Way::Slow(..) | Way::Deaf => {}
        }
        // Of its own: what is on the way arrives, whether or not somebody waits.
        let made = tokio::spawn(async move {
            if let Way::Slow(there, _) = way {
                tokio::time::sleep(there).await;
            }
            request(&mut server.state())
        });
        let answer = made.await.unwrap();
        match way {
            Way::Slow(_, back) => tokio::time::sleep(back).await,
            Way::Deaf => return std::future::pending().await,
            Way::Open | Way::Contended | Way::Cut | Way::Broken | Way::Forbidden => {}
        }
        self.seen.fetch_or(matches!(answer, Answer::Lease(_)), Ordering::Relaxed);
        answer
    }
}

impl Store for Link {
    async fn read(&self) -> Answer {
        self.go(|state| state.read(), false).await
    }

    async fn write(&self, lease: Lease) -> Answer {
        self.go(|state| state.write(lease), true).await
    }
}
