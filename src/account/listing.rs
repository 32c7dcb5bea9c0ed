//! I/O: a walk over all users or user groups of the account, which all objects share.

use std::collections::HashSet;
use std::time::Duration;

use aws::{GroupPage, UserApi, UserPage};
use plan::Fault;
use plan::pace::{Pace, Requeue};
use tokio::time::Instant;

use super::{Class, Permit, RateLimited};

/// A page of a list.
pub(crate) trait Page: Sized {
    fn ask<U: UserApi>(
        users: &RateLimited<U>,
        permit: Permit,
        marker: Option<&str>,
    ) -> impl Future<Output = Result<Self, Fault>> + Send;

    fn take_marker(&mut self) -> Option<String>;
}

impl Page for UserPage {
    async fn ask<U: UserApi>(
        users: &RateLimited<U>,
        permit: Permit,
        marker: Option<&str>,
    ) -> Result<Self, Fault> {
        users.list(permit, marker).await
    }

    fn take_marker(&mut self) -> Option<String> {
        self.marker.take()
    }
}

impl Page for GroupPage {
    async fn ask<U: UserApi>(
        users: &RateLimited<U>,
        permit: Permit,
        marker: Option<&str>,
    ) -> Result<Self, Fault> {
        users.list_groups(permit, marker).await
    }

    fn take_marker(&mut self) -> Option<String> {
        self.marker.take()
    }
}

/// Hands each page to `read`, with the time at which it was asked for: its rows may be as old as that. A page that AWS does not
/// give now is asked for again until the walk has lasted for `patience`.
///
/// Returns the number of pages.
///
/// # Errors
/// Why the walk ended before the last page. The pages that were read count.
pub(crate) async fn walk<U: UserApi, P: Page>(
    users: &RateLimited<U>,
    pace: &Pace,
    class: Class,
    patience: Duration,
    mut read: impl FnMut(Instant, P),
) -> Result<usize, Fault> {
    let began = Instant::now();
    let (mut markers, mut marker) = (HashSet::new(), None);
    let mut failures = 0;
    loop {
        let permit = users.permit(class, "").await;
        let asked_at = Instant::now();
        let mut page = match P::ask(users, permit, marker.as_deref()).await {
            Ok(page) => page,
            Err(fault) if fault.passes_by_itself() && began.elapsed() < patience => {
                failures += 1;
                let pause = pace.until(Requeue::Backoff, failures, Duration::ZERO, fastrand::f64());
                tokio::time::sleep(pause).await;
                continue;
            }
            Err(fault) => return Err(fault),
        };
        failures = 0;
        let next = page.take_marker();
        read(asked_at, page);
        match next {
            // If AWS returned a marker again, the walk would never end.
            Some(next) if markers.insert(next.clone()) => marker = Some(next),
            Some(_) | None => return Ok(markers.len() + 1),
        }
    }
}
