//! I/O: compares the objects at rest with one listing of all AWS users, when they are first seen and at each `--resync`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws::{UserApi, UserPage};
use kube::ResourceExt;
use kube::runtime::reflector::Store;
use plan::RemoteUser;
use plan::drift::{AtRest, Wake, drift};
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
use crate::resolve::resolve;

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
                }
            }
            self.sweep().await;
        }
    }

    async fn sweep(&self) {
        let Context { reconciler, .. } = &*self.context;
        let began = Instant::now();
        if self.at_rest(began).next().is_none() {
            return;
        }
        let mut listed = HashSet::new();
        let pace = &reconciler.settings.pace;
        let walk = walk(&reconciler.users, pace, pace.resync / 2, |asked_at, page| {
            self.compare(&page, asked_at, &mut listed);
        });
        if let Err(fault) = walk.await {
            tracing::warn!(
                error = %fault.error(),
                "failed to list all AWS users; the operator asks for each user that it has not seen in the list"
            );
        }
        // What the list does not show, or not completely, says nothing: each of these users is asked for.
        let unlisted = self.at_rest(began).filter(|object| !listed.contains(&full_name(object)));
        for object in unlisted.collect::<Vec<_>>() {
            self.judge(&object, None);
        }
    }

    /// Objects that have had no pass since and for which none is due.
    fn at_rest(&self, since: Instant) -> impl Iterator<Item = Arc<ElastiCacheUser>> {
        let all = self.objects.iter().flat_map(|scope| scope.store.state());
        all.filter(move |object| self.context.queue.is_at_rest(&full_name(object), since))
    }

    fn compare(&self, page: &UserPage, asked_at: Instant, listed: &mut HashSet<String>) {
        for user in &page.users {
            for WatchedObjects { store, index } in &*self.objects {
                for name in index.wanting_user(&user.user_id) {
                    // A pass that ended since has seen the user later than the list.
                    let object = object_ref(&name).and_then(|name| store.get(&name));
                    let object = object.filter(|_| self.context.queue.is_at_rest(&name, asked_at));
                    // A user may be on two pages. The later row counts too.
                    if let Some(object) = object {
                        self.judge(&object, Some(user));
                        listed.insert(name);
                    }
                }
            }
        }
    }

    fn judge(&self, object: &ElastiCacheUser, listed: Option<&RemoteUser>) {
        let Context { reconciler, queue, .. } = &*self.context;
        let at_rest = AtRest {
            settings: reconciler.settings.clone(),
            goal: resolve(object, &reconciler.policy),
            object: facts(object),
            secrets: self.secrets.shown(object),
            seed: fastrand::u64(..),
        };
        let (uid, namespace) = (object.uid().unwrap_or_default(), object.namespace().unwrap_or_default());
        let now = reconciler.clock.now();
        let wake = reconciler.memories.change(&uid, &namespace, |memory| drift(at_rest, memory, listed, now));
        if let Some(Wake { wants }) = wake {
            let name = full_name(object);
            tracing::debug!(object = name, wants, is_listed = listed.is_some(), "the object needs a pass");
            queue.request(&name, Trigger::Listed(Class::Check));
        }
    }
}
