//! I/O: watches the Secrets of each namespace in which objects name some, as soon as the operator may. Somebody may give it the right
//! in one namespace at any time, by a RoleBinding there, and nobody tells the operator.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::channel::mpsc::Sender;
use futures::{SinkExt, StreamExt, future};
use kube::Client;
use kube::runtime::watcher::{self, Event};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::super::warn_once;
use super::{SECRETS_UNWATCHED, WatchedSecrets, changed_secrets};
use crate::api::TrimmedSecret;
use crate::kubernetes::Kubernetes;
use crate::objects::Objects;

/// So many questions about access are asked at the same time.
const QUESTIONS: usize = 10;

/// The namespaces whose objects named Secrets since somebody last asked.
#[derive(Debug, Default)]
pub(super) struct NamespacesInNeed {
    namespaces: Mutex<BTreeSet<String>>,
    noted: Notify,
}

impl NamespacesInNeed {
    pub(super) fn note(&self, namespace: &str) {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).insert(namespace.to_owned());
        self.noted.notify_one();
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.namespaces.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The watches of the namespaces of one controller.
pub(in super::super) struct AccessFollower<'a> {
    pub(in super::super) secrets: WatchedSecrets,
    pub(in super::super) objects: Objects,
    pub(in super::super) kubernetes: &'a Kubernetes,
    /// For requests about metadata alone.
    pub(in super::super) metadata: Client,
    /// How long until the operator asks again whether it may watch the Secrets of a namespace.
    pub(in super::super) pause: Duration,
    /// How long to wait for more objects before it asks for those of new ones.
    pub(in super::super) spacing: Duration,
}

impl AccessFollower<'_> {
    /// Sends the Secrets that changed. Never ends.
    pub(in super::super) async fn run(self, changed: Sender<TrimmedSecret>) {
        let mut watches = JoinSet::new();
        let mut open: HashMap<String, AbortHandle> = HashMap::new();
        let (mut due, mut asks_for_all) = (Instant::now() + self.pause, true);
        loop {
            let needed = self.objects.namespaces_naming_secrets();
            open.retain(|namespace, watch| {
                let stays = needed.contains(namespace);
                if !stays {
                    watch.abort();
                    self.secrets.close(namespace);
                }
                stays
            });
            let noted = self.secrets.0.in_need.take();
            let closed = needed.into_iter().filter(|namespace| !open.contains_key(namespace));
            let asked = closed.filter(|namespace| asks_for_all || noted.contains(namespace));
            for namespace in self.allowed(asked).await {
                self.secrets.open(&namespace);
                let watch = watches.spawn(self.watch(namespace.clone(), changed.clone()));
                open.insert(namespace, watch);
            }
            self.secrets.asked_for_access();
            asks_for_all = tokio::select! {
                () = sleep_until(due) => true,
                () = self.secrets.0.in_need.noted.notified() => {
                    sleep(self.spacing).await;
                    false
                }
                Some(ended) = watches.join_next() => {
                    // A watch that ended by itself was refused. One that was aborted may have been opened again since.
                    if let Ok(namespace) = ended
                        && open.get(&namespace).is_some_and(AbortHandle::is_finished)
                    {
                        open.remove(&namespace);
                        self.secrets.close(&namespace);
                    }
                    false
                }
            };
            if asks_for_all {
                due = Instant::now() + self.pause;
            }
        }
    }

    /// Those of the namespaces in which the Secrets may be watched.
    async fn allowed(&self, namespaces: impl Iterator<Item = String>) -> Vec<String> {
        let answers = namespaces.map(async |namespace| {
            let is_allowed = self.kubernetes.may_list_secrets(&namespace).await;
            is_allowed.then_some(namespace)
        });
        futures::stream::iter(answers).buffer_unordered(QUESTIONS).filter_map(future::ready).collect().await
    }

    /// Ends if the API server refuses the watch. Returns the namespace.
    fn watch(
        &self,
        namespace: String,
        mut changed: Sender<TrimmedSecret>,
    ) -> impl Future<Output = String> + Send + 'static {
        let events = self.secrets.events(&self.metadata, Some(namespace.clone()));
        let events = events.take_while(|event| future::ready(!is_forbidden(event)));
        let secrets = changed_secrets(
            events.inspect(warn_once(SECRETS_UNWATCHED, |event| !matches!(event, Event::Init))),
        );
        async move {
            tracing::info!(namespace, "watching the Secrets of this namespace");
            let mut secrets = std::pin::pin!(secrets);
            while let Some(secret) = secrets.next().await {
                // Nobody receives it if the operator is ending.
                let _ = changed.send(secret).await;
            }
            tracing::warn!(namespace, "the Secrets of this namespace may not be watched any more");
            namespace
        }
    }
}

fn is_forbidden<T>(event: &Result<Event<T>, watcher::Error>) -> bool {
    let code = match event {
        Err(
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            | watcher::Error::WatchFailed(kube::Error::Api(status))
            | watcher::Error::WatchError(status),
        ) => status.code,
        Ok(_) | Err(_) => return false,
    };
    code == 403
}

#[cfg(test)]
mod tests;
