//! I/O: watches objects and Secrets, and runs a pass whenever something changed or a pause is over.

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
use plan::pass::{Finish, PassResult};
use tokio::sync::{broadcast, oneshot, watch};

use crate::api::{ElastiCacheUser, full_name, user_id};
use crate::kubernetes::{facts, secret_version};
use crate::orphans;
use crate::reconcile::Reconciler;
use crate::resolve::secrets_named;
use crate::telemetry::{Metrics, Queue, Reconciled};

/// What the controllers work with.
pub struct Context<U> {
    /// Runs the passes.
    pub reconciler: Reconciler<U>,
    /// What is counted.
    pub metrics: Metrics,
}

/// What is watched.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// The objects of these namespaces; of all where it is empty.
    pub namespaces: Vec<String>,
    /// The Secrets of these among them; `None`: of all of them.
    pub secrets: Option<Vec<String>>,
}

/// Runs until `ending` turns true, then until the passes under way have ended. One controller for each namespace, or a
/// single one for all.
pub async fn run<U: UserApi>(
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
    let freed = broadcast::Sender::new(FREED);
    let controllers = scopes.into_iter().enumerate().map(|(index, namespace)| {
        let synced = synced.clone();
        let secrets = secrets_within(namespace.as_deref(), secrets.as_deref());
        let scope = Scope { namespace, secrets, freed: freed.clone() };
        control(&watches, scope, concurrency, context.clone(), ending.clone(), move || synced(index))
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

/// User IDs whose object went and that nobody has been told of yet, at most.
const FREED: usize = 1024;
/// A rotation writes two Secrets one after the other: both are waited for.
const DEBOUNCE: Duration = Duration::from_secs(1);
/// Changed Secrets that are waited for at the same time, at most.
const CHANGED: usize = 1024;

/// What one controller looks after.
struct Scope {
    /// Its namespace, or all.
    namespace: Option<String>,
    /// The namespaces whose Secrets are watched for it; `None` stands for all.
    secrets: Vec<Option<String>>,
    /// Tells all controllers which user IDs have become free.
    freed: broadcast::Sender<String>,
}

fn control<U, F>(
    watches: &Client,
    Scope { namespace, secrets, freed }: Scope,
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
    let [changed, renamed, freeing, leaving, lost] = std::array::from_fn(|_| queue.clone());
    let forgetful = context.clone();
    let waiting = freed_objects(freed.subscribe(), reader.clone())
        .inspect(move |object| freeing.request(referred(object), Duration::ZERO));
    let objects = watcher(users, watcher::Config::default())
        .default_backoff()
        .modify(|object| object.managed_fields_mut().clear())
        .inspect_ok(move |event| {
            if let watcher::Event::Delete(gone) = event {
                forgetful.reconciler.vanished(gone);
                leaving.forget(&full_name(gone));
                // Nobody listens where the controllers are ending.
                let _ = freed.send(user_id(gone));
            }
        })
        .inspect(complaint(OBJECTS_UNWATCHED, |event| !matches!(event, watcher::Event::Init)))
        .reflect(writer)
        .applied_objects()
        // Our own status writes are no news.
        .predicate_filter(
            predicates::generation.combine(predicates::annotations).combine(lost_finalizer),
            kube::runtime::PredicateConfig::default(),
        )
        .inspect_ok(move |object| changed.request(full_name(object), Duration::ZERO));
    let secrets =
        secrets.iter().map(|namespace| changed_secrets(scoped(watches, namespace.as_deref())).boxed());
    let naming = reader.clone();
    let ready = reader.clone();
    let controller = Controller::for_stream(objects, reader)
        .with_config(kube::runtime::controller::Config::default().concurrency(concurrency))
        .watches_stream(futures::stream::select_all(secrets), move |secret| {
            let objects = naming_secret(&naming, &secret).into_iter();
            objects.inspect(|object| renamed.request(referred(object), Duration::ZERO)).collect::<Vec<_>>()
        })
        .reconcile_on(waiting)
        .graceful_shutdown_on(async move {
            let _ = ending.wait_for(|ending| *ending).await;
        })
        .run(pass, never_fails, context)
        .for_each(move |result| {
            noticed(result, &lost);
            future::ready(())
        });
    async move {
        tokio::select! {
            () = controller => {}
            () = announce(ready, synced) => {}
        }
    }
}

/// Says once that the first list is in, and never ends.
async fn announce(objects: Store<ElastiCacheUser>, synced: impl FnOnce()) {
    if objects.wait_until_ready().await.is_ok() {
        synced();
    }
    future::pending().await
}

/// A deletion leaves requests for an object that is gone; a watch that fails is tried again.
fn noticed<T, E: std::error::Error + 'static, Q: std::error::Error + 'static>(
    result: Result<T, kube::runtime::controller::Error<E, Q>>,
    queue: &Queue,
) {
    let Err(error) = result else { return };
    tracing::debug!(%error, "controller");
    if let kube::runtime::controller::Error::ObjectNotFound(object) = error {
        queue.forget(&referred(&object));
    }
}

/// [`full_name`] of a reference.
fn referred<K: reflector::Lookup>(object: &ObjectRef<K>) -> String {
    format!("{}/{}", object.namespace.as_deref().unwrap_or_default(), object.name)
}

/// Objects whose user ID another object had until now: they may take over.
fn freed_objects(
    freed: broadcast::Receiver<String>,
    objects: Store<ElastiCacheUser>,
) -> impl Stream<Item = ObjectRef<ElastiCacheUser>> + Send + 'static {
    let ids = futures::stream::unfold(freed, |mut freed| async move {
        loop {
            match freed.recv().await {
                Ok(id) => return Some((id, freed)),
                // They are looked at again at the next drift check.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    ids.flat_map(move |id| {
        let same = objects.state().into_iter().filter(|object| user_id(object) == id);
        futures::stream::iter(same.map(|object| ObjectRef::from_obj(&*object)).collect::<Vec<_>>())
    })
}

/// Somebody took our finalizer off an object that has a user; that we put it on is no news.
fn lost_finalizer(object: &ElastiCacheUser) -> Option<u64> {
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

/// The namespaces of Secrets that are watched for the objects of a namespace, or of all.
fn secrets_within(namespace: Option<&str>, listed: Option<&[String]>) -> Vec<Option<String>> {
    match (namespace, listed) {
        (namespace, None) => vec![namespace.map(str::to_owned)],
        (None, Some(listed)) => listed.iter().cloned().map(Some).collect(),
        (Some(namespace), Some(listed)) => {
            listed.iter().filter(|listed| *listed == namespace).cloned().map(Some).collect()
        }
    }
}

/// Secrets as metadata only: their data is never held. Errors stay out of the stream, as all streams of a controller share
/// one backoff and a forbidden watch would slow the objects' own.
fn changed_secrets(
    secrets: Api<PartialObjectMeta<Secret>>,
) -> impl Stream<Item = Result<PartialObjectMeta<Secret>, watcher::Error>> + Send + 'static {
    watcher(secrets, watcher::Config::default())
        .default_backoff()
        .touched_objects()
        .inspect(complaint(SECRETS_UNWATCHED, |_| true))
        .filter_map(|item| future::ready(item.ok()))
        .map(|secret| async {
            tokio::time::sleep(DEBOUNCE).await;
            Ok(secret)
        })
        .buffer_unordered(CHANGED)
}

const OBJECTS_UNWATCHED: &str =
    "failed to watch ElastiCacheUsers; until this works nothing new is noticed of them";
const SECRETS_UNWATCHED: &str =
    "failed to watch Secrets; until this works a changed Secret is noticed at the next --resync";

/// Tells that a watch fails, once until something comes of it that shows that it `works`.
fn complaint<T: 'static>(
    what: &'static str,
    works: fn(&T) -> bool,
) -> impl FnMut(&Result<T, watcher::Error>) + Send + 'static {
    let mut told = false;
    move |item| match item {
        Ok(item) if works(item) => told = false,
        Err(error) if !told => {
            told = true;
            tracing::warn!(%error, "{what}");
        }
        Ok(_) | Err(_) => {}
    }
}

/// The objects whose passwords come from this Secret, and that have not sent this version of it. So neither a restart nor a
/// list that is made again runs a pass for every object.
fn naming_secret(
    objects: &Store<ElastiCacheUser>,
    secret: &PartialObjectMeta<Secret>,
) -> Vec<ObjectRef<ElastiCacheUser>> {
    let (namespace, name) = (secret.namespace(), secret.name_any());
    let version = secret_version(&secret.metadata);
    let sent = |object: &ElastiCacheUser| {
        let last = object.status.as_ref().and_then(|status| status.last_applied.as_ref());
        last.is_some_and(|last| last.password_versions.iter().any(|sent| sent.starts_with(&version)))
    };
    let named = objects.state().into_iter().filter(|object| {
        object.namespace() == namespace
            && object.metadata.deletion_timestamp.is_none()
            && !sent(object)
            && secrets_named(object).any(|secret| secret == name)
    });
    named.map(|object| ObjectRef::from_obj(&*object)).collect()
}

async fn pass<U: UserApi>(
    object: Arc<ElastiCacheUser>,
    context: Arc<Context<U>>,
) -> Result<Requeue, Infallible> {
    let name = full_name(&object);
    let measured = context.metrics.begin(&name);
    let Finish { requeue, result, .. } = remember_request_id(context.reconciler.reconcile(&object)).await;
    let pause = requeue.unwrap_or_default();
    measured.end(match &result {
        PassResult::KubernetesFailed { what, why } => {
            tracing::warn!(object = name, "failed to {what}: {why}; trying again in {pause:.1?}");
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
                "a pass does not come to an end; this is a defect of the operator"
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

/// A pass itself says when the object is looked at again.
fn never_fails<U: UserApi>(_: Arc<ElastiCacheUser>, error: &Infallible, _: Arc<Context<U>>) -> Requeue {
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
