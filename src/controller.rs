//! I/O: watches objects and Secrets. Runs a pass over an object if something changed, or if its requeue time has come.

mod index;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws::{UserApi, remember_request_id};
use futures::{Stream, StreamExt, TryStreamExt, future};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PartialObjectMeta;
use kube::runtime::controller::Action as Requeue;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{Controller, Predicate, WatchStreamExt, predicates};
use kube::{Api, Client, ResourceExt};
use plan::SecretVersion;
use plan::pass::{Finish, PassResult};
use tokio::sync::{broadcast, oneshot, watch};

use self::index::Index;
use crate::api::{ElastiCacheUser, full_name, user_id};
use crate::connection::WATCH_SECONDS;
use crate::kubernetes::facts;
use crate::orphans;
use crate::reconcile::Reconciler;
use crate::telemetry::{Metrics, Queue, Reconciled};

/// Shared by all controllers.
pub(crate) struct Context<U> {
    pub reconciler: Reconciler<U>,
    pub metrics: Metrics,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    /// Watch the objects in these namespaces. If it is empty, watch all namespaces.
    pub namespaces: Vec<String>,
    /// Watch the Secrets in these of the namespaces. `None`: in all of them.
    pub secrets: Option<Vec<String>>,
}

/// Runs until `ending` turns true, then until the passes under way have ended. Each namespace has a controller of its own. If
/// all namespaces are watched, there is one controller.
pub(crate) async fn run<U: UserApi>(
    watches: Client,
    watched: Watched,
    concurrency: u16,
    context: Arc<Context<U>>,
    ending: watch::Receiver<bool>,
    synced: Arc<dyn Fn(usize) + Send + Sync>,
) {
    let Watched { namespaces, secrets } = watched;
    let scopes: Vec<Option<String>> =
        if namespaces.is_empty() { vec![None] } else { namespaces.into_iter().map(Some).collect() };
    context.metrics.allow(usize::from(concurrency) * scopes.len());
    let freed = broadcast::Sender::new(MOST_FREED_IDS);
    let controllers = scopes.into_iter().enumerate().map(|(index, namespace)| {
        let synced = synced.clone();
        let secrets = secrets_within(namespace.as_deref(), secrets.as_deref());
        let scope = ControllerScope { namespace, secrets, freed: freed.clone() };
        run_controller(&watches, scope, concurrency, context.clone(), ending.clone(), move || synced(index))
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let controllers = async move {
        future::join_all(controllers).await;
        drop(stop);
    };
    let orphans = orphans::run(&context.reconciler, async {
        let _ = stopped.await;
    });
    future::join(controllers, orphans).await;
}

/// At most so many user IDs of deleted objects wait for a controller that is slow to take them.
const MOST_FREED_IDS: usize = 1024;
/// Wait so long after a Secret changed, because a rotation writes two Secrets one after the other.
const SECRET_DEBOUNCE: Duration = Duration::from_secs(1);
/// At most so many changed Secrets are debounced at the same time.
const MOST_CHANGED_SECRETS: usize = 1024;

/// What one controller watches.
struct ControllerScope {
    /// `None`: all namespaces.
    namespace: Option<String>,
    /// The namespaces whose Secrets are watched. `None` stands for all.
    secrets: Vec<Option<String>>,
    /// Sends the user ID of each deleted object to all controllers.
    freed: broadcast::Sender<String>,
}

fn run_controller<U, F>(
    watches: &Client,
    ControllerScope { namespace, secrets, freed }: ControllerScope,
    concurrency: u16,
    context: Arc<Context<U>>,
    mut ending: watch::Receiver<bool>,
    synced: F,
) -> impl Future<Output = ()> + use<U, F>
where
    U: UserApi,
    F: FnOnce() + Send + 'static,
{
    let users: Api<ElastiCacheUser> = scoped(watches, namespace.as_deref());
    let (reader, writer) = reflector::store();
    context.metrics.objects.add(reader.clone());
    let queue = context.metrics.queue.clone();
    let [changed, with_changed_secret, with_freed_id, deleted, unknown] =
        std::array::from_fn(|_| queue.clone());
    let deleting_context = context.clone();
    let index = Index::default();
    let followed = index.clone();
    let successors = objects_with_freed_id(freed.subscribe(), index.clone())
        .inspect(move |object| with_freed_id.request(full_name_of(object), Duration::ZERO));
    let objects = watcher(users, watcher::Config::default().timeout(WATCH_SECONDS))
        .default_backoff()
        .modify(|object| object.managed_fields_mut().clear())
        .inspect_ok(move |event| {
            if let Some(listed) = followed.follow(event) {
                deleting_context.reconciler.listed(namespace.as_deref(), &listed.uids);
                for (name, gone) in listed.vanished {
                    deleting_context.reconciler.orphans.check_now(&gone.uid);
                    deleted.forget(&name);
                    let _ = freed.send(gone.user_id);
                }
            }
            if let watcher::Event::Delete(gone) = event {
                deleting_context.reconciler.vanished(gone);
                deleted.forget(&full_name(gone));
                // Nobody receives it if the controllers are ending.
                let _ = freed.send(user_id(gone));
            }
        })
        .inspect(warn_once(OBJECTS_UNWATCHED, |event| !matches!(event, watcher::Event::Init)))
        .reflect(writer)
        .applied_objects()
        // Our own status writes start no pass.
        .predicate_filter(
            predicates::generation.combine(predicates::annotations).combine(finalizer_was_removed),
            kube::runtime::PredicateConfig::default(),
        )
        .inspect_ok(move |object| changed.request(full_name(object), Duration::ZERO));
    let secrets =
        secrets.iter().map(|namespace| changed_secrets(scoped(watches, namespace.as_deref())).boxed());
    let (cache, listed) = (reader.clone(), reader.clone());
    let controller = Controller::for_stream(objects, reader)
        .with_config(kube::runtime::controller::Config::default().concurrency(concurrency))
        .watches_stream(futures::stream::select_all(secrets), move |secret| {
            let objects = objects_with_changed_secret(&cache, &index, &secret).into_iter();
            objects
                .inspect(|object| with_changed_secret.request(full_name_of(object), Duration::ZERO))
                .collect::<Vec<_>>()
        })
        .reconcile_on(successors)
        .graceful_shutdown_on(async move {
            let _ = ending.wait_for(|ending| *ending).await;
        })
        .run(reconcile, error_policy, context)
        .for_each(move |result| {
            handle_result(result, &unknown);
            future::ready(())
        });
    async move {
        tokio::select! {
            () = controller => {}
            () = call_when_listed(listed, synced) => {}
        }
    }
}

/// Calls `synced` when the first list of objects is complete. Never ends.
async fn call_when_listed(objects: Store<ElastiCacheUser>, synced: impl FnOnce()) {
    if objects.wait_until_ready().await.is_ok() {
        synced();
    }
    future::pending().await
}

/// If a request is left for an object that is gone, removes it from the queue's metrics. kube repeats a watch that failed.
fn handle_result<T, E: std::error::Error + 'static, Q: std::error::Error + 'static>(
    result: Result<T, kube::runtime::controller::Error<E, Q>>,
    queue: &Queue,
) {
    let Err(error) = result else { return };
    tracing::debug!(%error, "controller");
    if let kube::runtime::controller::Error::ObjectNotFound(object) = error {
        queue.forget(&full_name_of(&object));
    }
}

fn full_name_of<K: reflector::Lookup>(object: &ObjectRef<K>) -> String {
    format!("{}/{}", object.namespace.as_deref().unwrap_or_default(), object.name)
}

/// Objects that want the user ID of an object that was just deleted. They may create or adopt the user now.
fn objects_with_freed_id(
    freed: broadcast::Receiver<String>,
    index: Index,
) -> impl Stream<Item = ObjectRef<ElastiCacheUser>> + Send + 'static {
    let ids = futures::stream::unfold(freed, |mut freed| async move {
        loop {
            match freed.recv().await {
                Ok(id) => return Some((id, freed)),
                // The next drift check finds the objects that want the missed IDs.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    ids.flat_map(move |id| {
        futures::stream::iter(index.wanting_user(&id)).filter_map(|name| future::ready(object_ref(&name)))
    })
}

/// The object of this `namespace/name`.
fn object_ref(full_name: &str) -> Option<ObjectRef<ElastiCacheUser>> {
    let (namespace, name) = full_name.split_once('/')?;
    Some(ObjectRef::new(name).within(namespace))
}

/// A predicate that changes if somebody else removes our finalizer from an object that has a user. It does not change if we add
/// the finalizer, because that needs no pass.
fn finalizer_was_removed(object: &ElastiCacheUser) -> Option<u64> {
    let has_user = object.status.as_ref().is_some_and(|status| status.arn.is_some());
    Some(u64::from(has_user && !facts(object).has_finalizer))
}

fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// The namespaces whose Secrets the controller of a namespace watches. `None` stands for all namespaces.
fn secrets_within(namespace: Option<&str>, listed: Option<&[String]>) -> Vec<Option<String>> {
    match (namespace, listed) {
        (namespace, None) => vec![namespace.map(str::to_owned)],
        (None, Some(listed)) => listed.iter().cloned().map(Some).collect(),
        (Some(namespace), Some(listed)) => {
            listed.iter().filter(|listed| *listed == namespace).cloned().map(Some).collect()
        }
    }
}

/// The metadata of changed Secrets. The operator never caches their data. Errors stay out of the stream, because all streams of
/// a controller share one backoff: a forbidden watch of Secrets would slow down the watch of objects.
fn changed_secrets(
    secrets: Api<PartialObjectMeta<Secret>>,
) -> impl Stream<Item = Result<PartialObjectMeta<Secret>, watcher::Error>> + Send + 'static {
    watcher(secrets, watcher::Config::default().timeout(WATCH_SECONDS))
        .default_backoff()
        .touched_objects()
        .inspect(warn_once(SECRETS_UNWATCHED, |_| true))
        .filter_map(|item| future::ready(item.ok()))
        .map(|secret| async {
            tokio::time::sleep(SECRET_DEBOUNCE).await;
            Ok(secret)
        })
        .buffer_unordered(MOST_CHANGED_SECRETS)
}

const OBJECTS_UNWATCHED: &str =
    "failed to watch ElastiCacheUsers; the operator does not see changes of them until the watch works";
const SECRETS_UNWATCHED: &str = "failed to watch Secrets; until the watch works, the operator reads a changed Secret at the next --resync";

/// Logs that a watch fails: once, until an item arrives that shows that the watch `works` again.
fn warn_once<T: 'static>(
    message: &'static str,
    works: fn(&T) -> bool,
) -> impl FnMut(&Result<T, watcher::Error>) + Send + 'static {
    let mut warned = false;
    move |item| match item {
        Ok(item) if works(item) => warned = false,
        Err(error) if !warned => {
            warned = true;
            tracing::warn!(%error, "{message}");
        }
        Ok(_) | Err(_) => {}
    }
}

/// The objects that take a password from this Secret and have not sent this version of it to AWS. Objects that have sent it are
/// left out, because otherwise a restart, or a watch that starts again, would run a pass over every object.
fn objects_with_changed_secret(
    objects: &Store<ElastiCacheUser>,
    index: &Index,
    secret: &PartialObjectMeta<Secret>,
) -> Vec<ObjectRef<ElastiCacheUser>> {
    let (namespace, name) = (secret.namespace(), secret.name_any());
    let uid = secret.metadata.uid.as_deref().unwrap_or_default();
    let version = secret.metadata.resource_version.as_deref().unwrap_or_default();
    let sent = |object: &ElastiCacheUser| {
        let last = object.status.as_ref().and_then(|status| status.last_applied.as_ref());
        let versions = last.map(|last| last.password_versions.as_slice()).unwrap_or_default();
        versions.iter().any(|sent| SecretVersion::parse(sent).is_of(uid, version))
    };
    let candidates = index.naming_secret(&namespace.unwrap_or_default(), &name);
    let objects = candidates.iter().filter_map(|name| objects.get(&object_ref(name)?));
    let changed = objects.filter(|object| object.metadata.deletion_timestamp.is_none() && !sent(object));
    changed.map(|object| ObjectRef::from_obj(&*object)).collect()
}

async fn reconcile<U: UserApi>(
    object: Arc<ElastiCacheUser>,
    context: Arc<Context<U>>,
) -> Result<Requeue, Infallible> {
    let name = full_name(&object);
    let measured = context.metrics.begin(&name);
    let Finish { requeue, result, .. } = remember_request_id(context.reconciler.reconcile(&object)).await;
    let pause = requeue.unwrap_or_default();
    measured.end(match &result {
        PassResult::KubernetesFailed { what, why } => {
            // The request itself was logged already.
            tracing::debug!(object = name, "failed to {what}: {why}; trying again in {pause:.1?}");
            Reconciled::Error
        }
        PassResult::TimedOut => {
            let timeout = context.reconciler.pass_timeout.as_secs();
            tracing::warn!(
                object = name,
                "the pass did not end within {timeout} s; trying again in {pause:.1?}"
            );
            Reconciled::Error
        }
        PassResult::Endless => {
            tracing::error!(
                object = name,
                "a pass made too many requests and was stopped; this is a defect of the operator"
            );
            Reconciled::RequeueAfter
        }
        PassResult::Ending => Reconciled::Requeue,
        PassResult::Done | PassResult::Conflict | PassResult::RateLimited if requeue.is_some() => {
            Reconciled::RequeueAfter
        }
        PassResult::Done | PassResult::Conflict | PassResult::RateLimited => Reconciled::Success,
    });
    Ok(match requeue {
        Some(pause) => {
            context.metrics.queue.request(name, pause);
            Requeue::requeue(pause)
        }
        None => Requeue::await_change(),
    })
}

/// [`reconcile`] returns no error, because the pass decides when to requeue.
fn error_policy<U: UserApi>(_: Arc<ElastiCacheUser>, error: &Infallible, _: Arc<Context<U>>) -> Requeue {
    match *error {}
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
