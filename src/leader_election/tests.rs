mod model;
mod records;
mod server;
mod tokens;
mod transitions;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::server::{ApiServer, ServerLink};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A replica of this release.
fn contender(identity: &str, release: &str) -> Contender {
    let text = str::to_owned;
    let installation = Installation {
        release: text(release),
        region: text("eu-west-1"),
        cluster_id: text("cluster"),
        class: String::new(),
    };
    Contender { lease: text("lease"), identity: text(identity), installation }
}

/// A running replica.
struct Replica {
    link: ServerLink,
    token: Token,
    leads: Gauge<i64, AtomicI64>,
    task: JoinHandle<()>,
}

impl Replica {
    fn start(server: &ApiServer, identity: &str) -> Self {
        let link = server.link();
        let mut candidate = Replica::candidate(&link, identity);
        let (token, leads) = (candidate.1.clone(), candidate.2.clone());
        let task = tokio::spawn(async move {
            candidate.0.campaign().await.unwrap();
            candidate.0.renew_until_lost().await;
        });
        Self { link, token, leads, task }
    }

    fn candidate(link: &ServerLink, identity: &str) -> (Candidate<ServerLink>, Token, Gauge<i64, AtomicI64>) {
        let (token, leads) = (Token::none(), Gauge::default());
        let election = Election::new(contender(identity, ""), Timing::default(), Instant::now());
        (Candidate::new(link.clone(), election, token.clone(), leads.clone()), token, leads)
    }

    fn leads(&self) -> bool {
        self.leads.inner().load(Ordering::Relaxed) == 1
    }

    /// Waits until the replica has a valid token. Returns how long that took.
    async fn becomes_leader(&self) -> Duration {
        let began = Instant::now();
        while !self.token.is_valid() {
            assert!(began.elapsed() < 60 * SECOND, "the replica must become the leader");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    }

    /// Waits until the replica has no valid token. Returns how long that took.
    async fn stops_leading(&self) -> Duration {
        let began = Instant::now();
        while self.token.is_valid() {
            assert!(began.elapsed() < 60 * SECOND, "the replica must stop leading");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    }

    fn kill(&self) {
        self.task.abort();
    }
}
