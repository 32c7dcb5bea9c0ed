//! I/O: compares objects with one listing of all AWS users: those at rest when they are first seen and at each `--resync`, and those
//! that wait for AWS if they are many.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws::{UserApi, UserPage};
use futures::{FutureExt, future};
use kube::ResourceExt;
use plan::RemoteUser;
use plan::drift::{AtRest, Drift, drift};
use plan::pace::Requeue;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use super::Context;
use super::secrets::WatchedSecrets;
use crate::account::walk;
use crate::api::{ElastiCacheUser, PackedUser, full_name};
use crate::kubernetes::facts;
use crate::objects::Objects;
use crate::queue::{Class, Trigger};

pub(super) struct Sweeper<U> {
    pub(super) context: Arc<Context<U>>,
    pub(super) objects: Arc<[Objects]>,
    pub(super) secrets: WatchedSecrets,
    /// Objects at rest were seen for the first time.
    pub(super) unverified: Arc<Notify>,
}

/// The objects that a walk is about.
struct Round {
    /// Those that it has not shown yet.
    unlisted: HashSet<String>,
    began: Instant,
    /// They wait for AWS. Otherwise they are at rest.
    waits: bool,
}

impl Round {
    fn class(&self) -> Class {
        if self.waits { Class::Repeat } else { Class::Check }
    }
}

impl<U: UserApi> Sweeper<U> {
    /// Never ends.
    pub(super) async fn run(&self) {
        let pages = AtomicUsize::new(1);
        future::join(self.sweep_again_and_again(&pages), self.poll_again_and_again(&pages)).await;
    }

    async fn sweep_again_and_again(&self, pages: &AtomicUsize) {
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
            self.walk(self.at_rest().await, pages).await;
        }
    }

    /// The objects at rest whose users have to be seen.
    async fn at_rest(&self) -> Round {
        let mut round = Round { unlisted: HashSet::new(), began: Instant::now(), waits: false };
        // Those are listed more often.
        let waiting: HashSet<_> = self.context.queue.listed().into_iter().collect();
        for watched in &*self.objects {
            for object in watched.all().iter().filter_map(PackedUser::unpack) {
                let name = full_name(&object);
                if !waiting.contains(name.as_str())
                    && self.judge(&object, None, round.began, &round) == Drift::Unlisted
                {
                    round.unlisted.insert(name);
                }
                // There may be thousands, and others wait for the processor.
                yield_now().await;
            }
        }
        round
    }

    /// Many objects that wait for AWS share a listing. It comes at once if the wait of the one that is polled is over: then
    /// another one is polled. If few are left, each of them is polled by itself again.
    async fn poll_again_and_again(&self, pages: &AtomicUsize) {
        let Context { reconciler, queue, .. } = &*self.context;
        let pace = &reconciler.settings.pace;
        queue.set_most_polled(pace.most_polled(pages.load(Ordering::Relaxed)));
        loop {
            let pause = pace.until_listing(pages.load(Ordering::Relaxed));
            let early = timeout(pause, queue.probe_ended()).await.is_ok();
            let listed = queue.listed();
            let unlisted = listed.iter().map(|name| str::to_owned(name)).collect();
            let round = Round { unlisted, began: Instant::now(), waits: true };
            if listed.len() > pace.most_polled(pages.load(Ordering::Relaxed)) / 2 {
                self.walk(round, pages).await;
                if early {
                    self.poll_those_left(pages);
                }
            } else {
                round.unlisted.iter().for_each(|name| self.request(name, round.class()));
            }
        }
    }

    /// After a listing that came early, the next one must come early too. So the last one is looked at, and is polled from then on. If
    /// few are left, all are.
    fn poll_those_left(&self, pages: &AtomicUsize) {
        let Context { reconciler, queue, .. } = &*self.context;
        let left = queue.listed();
        if left.len() <= reconciler.settings.pace.most_polled(pages.load(Ordering::Relaxed)) {
            left.iter().for_each(|name| self.request(name, Class::Repeat));
        } else if let Some(newest) = queue.newest_listed() {
            self.request(&newest, Class::Repeat);
        }
    }

    async fn walk(&self, mut round: Round, pages: &AtomicUsize) {
        if round.unlisted.is_empty() {
            return;
        }
        let Context { reconciler, queue, .. } = &*self.context;
        let pace = &reconciler.settings.pace;
        let (class, patience) = (round.class(), if round.waits { pace.backoff_cap } else { pace.resync / 2 });
        let read = |asked_at, page: UserPage| self.compare(&page, asked_at, &mut round);
        match walk(&reconciler.users, pace, class, patience, read).await {
            Ok(read) => {
                pages.store(read, Ordering::Relaxed);
                queue.set_most_polled(pace.most_polled(read));
            }
            Err(fault) => tracing::warn!(
                error = %fault.error(),
                "failed to list all AWS users; the operator asks for each user that the list has not shown"
            ),
        }
        // What the list does not show, or not completely, says nothing: each of these users is asked for.
        for name in &round.unlisted {
            if queue.is_at_rest(name, round.began) {
                self.request(name, class);
            }
        }
    }

    fn compare(&self, page: &UserPage, asked_at: Instant, round: &mut Round) {
        for user in &page.users {
            for watched in &*self.objects {
                for name in watched.wanting_user(&user.user_id) {
                    let object = watched.get(&name);
                    if let Some(object) = object.filter(|_| round.unlisted.remove(&*name)) {
                        self.judge(&object, Some(user), asked_at, round);
                    }
                }
            }
        }
    }

    /// Compares an object with its row, which is as old as `asked_at`. If a pass has ended since, that pass has seen the user
    /// later.
    fn judge(
        &self,
        object: &ElastiCacheUser,
        listed: Option<&RemoteUser>,
        asked_at: Instant,
        round: &Round,
    ) -> Drift {
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
            waits: round.waits,
            seed: fastrand::u64(..),
        };
        let (uid, namespace) = (object.uid().unwrap_or_default(), object.namespace().unwrap_or_default());
        let now = reconciler.clock.now();
        let drift =
            reconciler.memories.change(&uid, &namespace, |memory| drift(at_rest, memory, listed, now));
        if let Drift::Pass { wants } = drift {
            tracing::debug!(object = name, wants, "the object needs a pass");
            self.request(&name, round.class());
        }
        drift
    }

    fn request(&self, object: &str, class: Class) {
        self.context.queue.request(object, Trigger::Listed(class));
    }
}
