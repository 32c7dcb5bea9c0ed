//! I/O: watches Secrets, and finds the objects that a changed Secret concerns.

use std::time::Duration;

use futures::{Stream, StreamExt, future};
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, watcher};
use plan::SecretVersion;

use super::index::Index;
use super::{object_ref, warn_once};
use crate::api::{ElastiCacheUser, TrimmedSecret};
use crate::connection::WATCH_SECONDS;

/// Wait so long after a Secret changed, because a rotation writes two Secrets one after the other.
const SECRET_DEBOUNCE: Duration = Duration::from_secs(1);
/// At most so many changed Secrets are debounced at the same time.
const MOST_CHANGED_SECRETS: usize = 1024;

const SECRETS_UNWATCHED: &str = "failed to watch Secrets; until the watch works, the operator reads a changed Secret at the next --resync";

/// The namespaces whose Secrets the controller of a namespace watches. `None` stands for all namespaces.
pub(super) fn secrets_within(namespace: Option<&str>, listed: Option<&[String]>) -> Vec<Option<String>> {
    match (namespace, listed) {
        (namespace, None) => vec![namespace.map(str::to_owned)],
        (None, Some(listed)) => listed.iter().cloned().map(Some).collect(),
        (Some(namespace), Some(listed)) => {
            listed.iter().filter(|listed| *listed == namespace).cloned().map(Some).collect()
        }
    }
}

/// The Secrets that changed. The API server sends their metadata alone.
pub(super) fn changed_secrets(
    secrets: Api<TrimmedSecret>,
) -> impl Stream<Item = TrimmedSecret> + Send + 'static {
    watcher(secrets, watcher::Config::default().timeout(WATCH_SECONDS))
        .default_backoff()
        .touched_objects()
        .inspect(warn_once(SECRETS_UNWATCHED, |_| true))
        .filter_map(|item| future::ready(item.ok()))
        .map(|secret| async {
            tokio::time::sleep(SECRET_DEBOUNCE).await;
            secret
        })
        .buffer_unordered(MOST_CHANGED_SECRETS)
}

/// The objects that take a password from this Secret and have not sent this version of it to AWS. Objects that have sent it are
/// left out, because otherwise a restart, or a watch that starts again, would run a pass over every object.
pub(super) fn objects_with_changed_secret(
    objects: &Store<ElastiCacheUser>,
    index: &Index,
    secret: &TrimmedSecret,
) -> Vec<ObjectRef<ElastiCacheUser>> {
    let namespace = secret.metadata.namespace.as_deref().unwrap_or_default();
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let uid = secret.metadata.uid.as_deref().unwrap_or_default();
    let version = secret.metadata.resource_version.as_deref().unwrap_or_default();
    let sent = |object: &ElastiCacheUser| {
        let last = object.status.as_ref().and_then(|status| status.last_applied.as_ref());
        let versions = last.map(|last| last.password_versions.as_slice()).unwrap_or_default();
        versions.iter().any(|sent| SecretVersion::parse(sent).is_of(uid, version))
    };
    let candidates = index.naming_secret(namespace, name);
    let objects = candidates.iter().filter_map(|name| objects.get(&object_ref(name)?));
    let changed = objects.filter(|object| object.metadata.deletion_timestamp.is_none() && !sent(object));
    changed.map(|object| ObjectRef::from_obj(&*object)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_watched_where_objects_are_and_no_further() {
        let listed = ["a".to_owned(), "b".to_owned()];
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(secrets_within(None, None), [None], "nothing listed: those of all objects");
        assert_eq!(secrets_within(Some("a"), None), [named("a")]);
        assert_eq!(secrets_within(None, Some(&listed)), [named("a"), named("b")]);
        assert_eq!(secrets_within(Some("a"), Some(&listed)), [named("a")]);
        assert_eq!(secrets_within(Some("c"), Some(&listed)), []);
        assert_eq!(secrets_within(None, Some(&[])), []);
    }
}
