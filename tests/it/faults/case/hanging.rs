//! A run whose watch breaks.

use std::time::Duration;

use support::operator;
use support::wait::{until_notified, when};

use super::Case;

impl Case<'_> {
    /// The watch breaks, and the API server does not answer when the operator opens it again.
    pub(in crate::faults) async fn loses_its_watch(&self) -> Result<(), String> {
        self.set().await?;
        self.becomes_ready(true).await?;
        self.proxy.hang(true);
        self.becomes_ready(false).await?;
        self.proxy.hang(false);
        self.becomes_ready(true).await?;
        self.take(&self.scenario.step).await;
        self.end(None, Some("now")).await?;
        self.is_sound()
    }

    /// Waits for this answer of /readyz.
    async fn becomes_ready(&self, wanted: bool) -> Result<(), String> {
        let news = (&self.proxy.news, Duration::from_millis(100));
        let fact = format!("ready: {wanted}");
        let became = until_notified(&fact, self.speed.patience(), news, || async {
            let log = self.operator.said();
            // In a thread of its own, because the answer takes a request through the proxy of this one.
            let asked = tokio::task::spawn_blocking(move || {
                operator::address(&log).map(|address| operator::get(address, "/readyz").is_ok())
            });
            when(asked.await.unwrap(), |ready| *ready == Some(wanted))
        });
        became.await.map(drop).map_err(|late| self.told(&format!("{late}\n")))
    }
}
