//! I/O: watches the metadata of Secrets: which objects a changed Secret concerns, and whether the Secrets of an object are as they
//! were sent. The API server sends no data of a watched Secret.

mod by_access;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt, future};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use plan::SecretVersion;
use plan::drift::SecretsShown;
use tokio::sync::watch;

use self::by_access::NamespacesInNeed;
use super::seen::hash;
use super::{scoped, warn_once};
use crate::api::{ElastiCacheUser, TrimmedSecret};
use crate::config::SecretWatch;
use crate::connection::{WATCH_SECONDS, WatchHealth};
use crate::objects::Objects;
use crate::resolve::{may_need_secrets, secrets_named};

pub(super) use self::by_access::AccessFollower;

/// Wait so long after a Secret changed, because a rotation writes two Secrets one after the other.
const SECRET_DEBOUNCE: Duration = Duration::from_secs(1);
/// At most so many changed Secrets are debounced at the same time.
const MOST_CHANGED_SECRETS: usize = 1024;
const SECRETS_UNWATCHED: &str = "failed to watch Secrets; until the watch works, the operator reads a changed Secret at the next --resync";

/// What the watches show of the Secrets. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct WatchedSecrets(Arc<SecretTables>);

#[derive(Debug)]
struct SecretTables {
    health: WatchHealth,
    /// By namespace. `None` stands for all namespaces.
    tables: Mutex<HashMap<Option<String>, SecretTable>>,
    /// How many watches have neither shown their Secrets nor failed yet.
    unanswered: watch::Sender<usize>,
    /// Somebody follows in which namespaces the Secrets may be watched.
    in_need: NamespacesInNeed,
    /// How many of those who follow have not asked for all namespaces yet.
    unasked: watch::Sender<usize>,
}

/// The Secrets of one watch: hashes of their names and versions, because they may be many.
#[derive(Debug, Default)]
struct SecretTable {
    has_answered: bool,
    /// `None` until the first list is complete.
    now: Option<HashMap<u64, u64>>,
    /// A list that is not complete yet.
    listing: HashMap<u64, u64>,
}

impl SecretTable {
    fn follow(&mut self, event: &Result<Event<TrimmedSecret>, watcher::Error>) {
        let key = |secret: &TrimmedSecret| hash((secret.namespace(), secret.name_any()));
        let version = |secret: &TrimmedSecret| hash((secret.uid(), secret.resource_version()));
        match event {
            Ok(Event::Init) => self.listing.clear(),
            Ok(Event::InitApply(secret)) => drop(self.listing.insert(key(secret), version(secret))),
            Ok(Event::InitDone) => {
                self.now = Some(std::mem::take(&mut self.listing));
                self.has_answered = true;
            }
            Ok(Event::Apply(secret)) => {
                if let Some(now) = &mut self.now {
                    now.insert(key(secret), version(secret));
                }
            }
            Ok(Event::Delete(secret)) => {
                if let Some(now) = &mut self.now {
                    now.remove(&key(secret));
                }
            }
            Err(_) => self.has_answered = true,
        }
    }
}

impl WatchedSecrets {
    /// Secrets in these namespaces are watched. `None` stands for all namespaces. `followers` open and close further watches.
    pub(super) fn new(
        namespaces: impl IntoIterator<Item = Option<String>>,
        followers: usize,
        health: WatchHealth,
    ) -> Self {
        let tables: HashMap<_, _> =
            namespaces.into_iter().map(|namespace| (namespace, SecretTable::default())).collect();
        Self(Arc::new(SecretTables {
            health,
            unanswered: watch::Sender::new(tables.len()),
            tables: Mutex::new(tables),
            in_need: NamespacesInNeed::default(),
            unasked: watch::Sender::new(followers),
        }))
    }

    /// An object of this namespace names Secrets, which may not be watched yet.
    pub(super) fn note_need(&self, namespace: &str) {
        let is_watched = self.lock().contains_key(&Some(namespace.to_owned()));
        if !is_watched {
            self.0.in_need.note(namespace);
        }
    }

    /// A watch of this namespace begins.
    fn open(&self, namespace: &str) {
        self.lock().insert(Some(namespace.to_owned()), SecretTable::default());
        self.0.unanswered.send_modify(|count| *count += 1);
    }

    /// It ends.
    fn close(&self, namespace: &str) {
        let closed = self.lock().remove(&Some(namespace.to_owned()));
        if closed.is_some_and(|table| !table.has_answered) {
            self.0.unanswered.send_modify(|count| *count -= 1);
        }
    }

    /// One of those who follow has asked for all namespaces once.
    fn asked_for_access(&self) {
        self.0.unasked.send_modify(|count| *count = count.saturating_sub(1));
    }

    fn follow(&self, namespace: Option<&str>, event: &Result<Event<TrimmedSecret>, watcher::Error>) {
        let mut tables = self.lock();
        // It is gone if the watch was closed.
        let Some(table) = tables.get_mut(&namespace.map(str::to_owned)) else { return };
        let before = table.has_answered;
        table.follow(event);
        if table.has_answered && !before {
            self.0.unanswered.send_modify(|count| *count -= 1);
        }
    }

    /// Each watch has shown its Secrets, or has failed.
    pub(super) async fn answered(&self) {
        // The senders live as long as `self`.
        drop(self.0.unasked.subscribe().wait_for(|count| *count == 0).await);
        drop(self.0.unanswered.subscribe().wait_for(|count| *count == 0).await);
    }

    pub(super) fn shown(&self, object: &ElastiCacheUser) -> SecretsShown {
        let namespace = object.namespace().unwrap_or_default();
        let sent: HashSet<u64> = versions_sent(object)
            .filter_map(|sent| match sent {
                SecretVersion::Key { uid, resource_version, .. } => {
                    Some(hash((Some(uid), Some(resource_version))))
                }
                SecretVersion::Unrecognized(_) => None,
            })
            .collect();
        let shown = secrets_named(object).map(|secret| match self.version(&namespace, secret) {
            Some(version) if sent.contains(&version) => SecretsShown::AsSent,
            Some(_) => SecretsShown::Written,
            None => SecretsShown::Unknown,
        });
        shown.max().unwrap_or(SecretsShown::AsSent)
    }

    /// `None` if the Secret is missing or not watched.
    fn version(&self, namespace: &str, secret: &str) -> Option<u64> {
        let tables = self.lock();
        let (watched, table) =
            tables.get_key_value(&Some(namespace.to_owned())).or_else(|| tables.get_key_value(&None))?;
        let path = match watched {
            Some(namespace) => format!("/api/v1/namespaces/{namespace}/secrets"),
            None => "/api/v1/secrets".to_owned(),
        };
        let now = table.now.as_ref().filter(|_| self.0.health.works(&path))?;
        now.get(&hash((Some(namespace), secret))).copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<String>, SecretTable>> {
        self.0.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The metadata of the Secrets of a namespace that changed.
    pub(super) fn changes(
        &self,
        client: &Client,
        namespace: Option<String>,
    ) -> impl Stream<Item = TrimmedSecret> + Send + 'static {
        let events = self.events(client, namespace);
        changed_secrets(events.inspect(warn_once(SECRETS_UNWATCHED, |event| !matches!(event, Event::Init))))
    }

    /// What the watch of a namespace shows. It is noted before it is returned.
    fn events(
        &self,
        client: &Client,
        namespace: Option<String>,
    ) -> impl Stream<Item = Result<Event<TrimmedSecret>, watcher::Error>> + Send + 'static {
        let secrets: Api<TrimmedSecret> = scoped(client, namespace.as_deref());
        let tables = self.clone();
        watcher(secrets, watcher::Config::default().timeout(WATCH_SECONDS))
            .default_backoff()
            .inspect(move |event| tables.follow(namespace.as_deref(), event))
    }
}

fn changed_secrets(
    events: impl Stream<Item = Result<Event<TrimmedSecret>, watcher::Error>> + Send + 'static,
) -> impl Stream<Item = TrimmedSecret> + Send + 'static {
    events
        .filter_map(|event| {
            future::ready(match event {
                Ok(Event::InitApply(secret) | Event::Apply(secret) | Event::Delete(secret)) => Some(secret),
                Ok(Event::Init | Event::InitDone) | Err(_) => None,
            })
        })
        .map(|secret| async {
            tokio::time::sleep(SECRET_DEBOUNCE).await;
            secret
        })
        .buffer_unordered(MOST_CHANGED_SECRETS)
}

fn versions_sent(object: &ElastiCacheUser) -> impl Iterator<Item = SecretVersion> {
    let last = object.status.as_ref().and_then(|status| status.last_applied.as_ref());
    let versions = last.map(|last| last.password_versions.as_slice()).unwrap_or_default();
    versions.iter().map(|sent| SecretVersion::parse(sent))
}

/// The namespaces whose Secrets the controller of a namespace watches from the beginning. `None` stands for all namespaces.
pub(super) fn secrets_within(namespace: Option<&str>, watch: &SecretWatch) -> Vec<Option<String>> {
    match (namespace, watch) {
        (namespace, SecretWatch::WithObjects) => vec![namespace.map(str::to_owned)],
        (None, SecretWatch::Listed(listed)) => listed.iter().cloned().map(Some).collect(),
        (Some(namespace), SecretWatch::Listed(listed)) => {
            listed.iter().filter(|listed| *listed == namespace).cloned().map(Some).collect()
        }
        (_, SecretWatch::WhereAllowed) => Vec::new(),
    }
}

/// The objects that take a password from this Secret and have not sent this version of it to AWS. Objects that have sent it are
/// left out, because otherwise a restart, or a watch that starts again, would run a pass over every object.
pub(super) fn objects_with_changed_secret(objects: &Objects, secret: &TrimmedSecret) -> Vec<Arc<str>> {
    let namespace = secret.metadata.namespace.as_deref().unwrap_or_default();
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let uid = secret.metadata.uid.as_deref().unwrap_or_default();
    let version = secret.metadata.resource_version.as_deref().unwrap_or_default();
    let sent = |object: &ElastiCacheUser| versions_sent(object).any(|sent| sent.is_of(uid, version));
    let asks = |object: ElastiCacheUser| {
        object.metadata.deletion_timestamp.is_none() && may_need_secrets(&object) && !sent(&object)
    };
    let mut candidates = objects.naming_secret(namespace, name);
    candidates.retain(|name| objects.get(name).is_some_and(asks));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_watched_only_in_namespaces_whose_objects_are_watched() {
        let listed = SecretWatch::Listed(vec!["a".to_owned(), "b".to_owned()]);
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(
            secrets_within(None, &SecretWatch::WithObjects),
            [None],
            "without a list: the Secrets of all namespaces with objects"
        );
        assert_eq!(secrets_within(Some("a"), &SecretWatch::WithObjects), [named("a")]);
        assert_eq!(secrets_within(None, &listed), [named("a"), named("b")]);
        assert_eq!(secrets_within(Some("a"), &listed), [named("a")]);
        assert_eq!(secrets_within(Some("c"), &listed), []);
        assert_eq!(secrets_within(None, &SecretWatch::Listed(Vec::new())), []);
        assert_eq!(secrets_within(Some("a"), &SecretWatch::WhereAllowed), []);
    }

    #[tokio::test]
    async fn secrets_have_answered_once_access_was_asked_for_and_each_open_watch_has_answered() {
        use futures::FutureExt;

        let secrets = WatchedSecrets::new([], 1, WatchHealth::default());
        let answered = || secrets.answered().now_or_never().is_some();
        assert!(!answered(), "nobody has asked where Secrets may be watched");
        secrets.open("a");
        secrets.open("b");
        secrets.asked_for_access();
        assert!(!answered());
        secrets.follow(Some("a"), &Ok(Event::InitDone));
        assert!(!answered());
        // A watch that is closed before its first answer is not waited for, and what it shows late has no effect.
        secrets.close("b");
        assert!(answered());
        secrets.follow(Some("b"), &Ok(Event::InitDone));
        secrets.close("b");
        assert!(answered());
    }
}
