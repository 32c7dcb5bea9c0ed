//! I/O: compares the objects at rest with one listing of all AWS users, when they are first seen and at each `--resync`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws::{UserApi, UserPage};
use futures::FutureExt;
use kube::ResourceExt;
use kube::runtime::reflector::Store;
use plan::RemoteUser;
use plan::drift::{AtRest, Drift, drift};
use plan::pace::Requeue;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::index::Index;
use super::secrets::WatchedSecrets;
use super::{Context, object_ref};
use crate::account::walk;
use crate::api::{ElastiCacheUser, full_name};
use crate::kubernetes::facts;
use crate::queue::{Class, Trigger};

/// The objects that one watch shows.
#[derive(Clone)]
pub(super) struct WatchedObjects {
    pub(super) store: Store<ElastiCacheUser>,
    pub(super) index: Index,
}

pub(super) struct Sweeper<U> {
    pub(super) context: Arc<Context<U>>,
    pub(super) objects: Arc<[WatchedObjects]>,
    pub(super) secrets: WatchedSecrets,
    /// Objects at rest were seen for the first time.
    pub(super) unverified: Arc<Notify>,
}

impl<U: UserApi> Sweeper<U> {
    /// Never ends.
    pub(super) async fn run(&self) {
        let pace = &self.context.reconciler.settings.pace;
        loop {
            let pause = pace.until(Requeue::Resync, 1, Duration::ZERO, fastrand::f64());
            tokio::select! {
                () = sleep(pause) => {}
                () = self.unverified.notified() => {
                    // Wait for the lists of other namespaces, and for Secrets, because nothing is known of passwords before.
                    sleep(pace.spacing).await;
                    drop(timeout(pace.write_timeout, self.secrets.answered()).await);
                    // This sweep sees what was told meanwhile.
                    let _ = self.unverified.notified().now_or_never();
                }
            }
            self.sweep().await;
        }
    }

    async fn sweep(&self) {
        let began = Instant::now();
        let all = self.objects.iter().flat_map(|scope| scope.store.state());
        let mut unlisted: HashSet<String> = all
            .filter(|object| self.judge(object, None, began) == Drift::Unlisted)
            .map(|object| full_name(&object))
            .collect();
        if unlisted.is_empty() {
            return;
        }
        let reconciler = &self.context.reconciler;
        let pace = &reconciler.settings.pace;
        let walk = walk(&reconciler.users, pace, pace.resync / 2, |asked_at, page| {
            self.compare(&page, asked_at, &mut unlisted);
        });
        if let Err(fault) = walk.await {
            tracing::warn!(
                error = %fault.error(),
                "failed to list all AWS users; the operator asks for each user that the list has not shown"
            );
        }
        // What the list does not show, or not completely, says nothing: each of these users is asked for.
        for name in unlisted {
            if self.context.queue.is_at_rest(&name, began) {
                self.request(&name);
            }
        }
    }

    fn compare(&self, page: &UserPage, asked_at: Instant, unlisted: &mut HashSet<String>) {
        for user in &page.users {
            for WatchedObjects { store, index } in &*self.objects {
                for name in index.wanting_user(&user.user_id) {
                    if let Some(object) = object_ref(&name).and_then(|name| store.get(&name)) {
                        self.judge(&object, Some(user), asked_at);
                        unlisted.remove(&name);
                    }
                }
            }
        }
    }

    /// Compares an object at rest with its row, which is as old as `asked_at`. If a pass has ended since, that pass has seen the
    /// user later.
    fn judge(&self, object: &ElastiCacheUser, listed: Option<&RemoteUser>, asked_at: Instant) -> Drift {
        let Context { reconciler, queue, .. } = &*self.context;
        let name = full_name(object);
        if !queue.is_at_rest(&name, asked_at) {
            return Drift::Nothing;
        }
        let at_rest = AtRest {
            settings: reconciler.settings.clone(),
            goal: reconciler.goal(object),
            object: facts(object),
            secrets: self.secrets.shown(object),
            seed: fastrand::u64(..),
        };
        let (uid, namespace) = (object.uid().unwrap_or_default(), object.namespace().unwrap_or_default());
        let now = reconciler.clock.now();
        let drift =
            reconciler.memories.change(&uid, &namespace, |memory| drift(at_rest, memory, listed, now));
        if let Drift::Pass { wants } = drift {
            tracing::debug!(object = name, wants, "the object needs a pass");
            self.request(&name);
        }
        drift
    }

    fn request(&self, object: &str) {
        self.context.queue.request(object, Trigger::Listed(Class::Check));
    }
}
