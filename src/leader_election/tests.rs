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

use self::server::{Link, Server};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A replica: its election, and what it changes while it may, ten times a second.
struct Replica {
    link: Link,
    token: Token,
    leads: Gauge<i64, AtomicI64>,
    task: JoinHandle<()>,
}

impl Replica {
    fn start(server: &Server, me: &str) -> Self {
        let link = server.link();
        let mut candidate = Replica::candidate(&link, me);
        let (token, leads) = (candidate.1.clone(), candidate.2.clone());
        let task = tokio::spawn(async move {
            candidate.0.win().await.unwrap();
            candidate.0.hold().await;
        });
        Self { link, token, leads, task }
    }

    fn candidate(link: &Link, me: &str) -> (Candidate<Link>, Token, Gauge<i64, AtomicI64>) {
        let (token, leads) = (Token::none(), Gauge::default());
        let election = Election::new(me.to_owned(), Timing::default(), Instant::now());
        (Candidate::new(link.clone(), election, token.clone(), leads.clone()), token, leads)
    }

    fn leads(&self) -> bool {
        self.leads.inner().load(Ordering::Relaxed) == 1
    }

    /// Waits until it has a valid token; how long that took.
    async fn led(&self) -> Duration {
        let began = Instant::now();
        while !self.token.is_valid() {
            assert!(began.elapsed() < 60 * SECOND, "it does not lead");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    }

    /// Waits until it has none; how long that took.
    async fn stopped(&self) -> Duration {
        let began = Instant::now();
        while self.token.is_valid() {
            assert!(began.elapsed() < 60 * SECOND, "it leads on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    }

    fn kill(&self) {
        self.task.abort();
    }
}
