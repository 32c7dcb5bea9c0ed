//! I/O: watches objects and Secrets, asks the queue for a pass over an object if something changed, and runs the passes.

mod secrets;
mod seen;
mod sweep;

use std::sync::Arc;

use aws::{UserApi, remember_request_id};
use futures::{Stream, StreamExt, TryStreamExt, future};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt};
use plan::pass::{Finish, PassResult};
use tokio::sync::{Notify, broadcast, oneshot, watch};
use tokio::task::JoinError;

use self::secrets::{AccessFollower, WatchedSecrets, objects_with_changed_secret, secrets_within};
use self::seen::Seen;
use self::sweep::Sweeper;
use crate::api::{ElastiCacheUser, PackedUser, TrimmedUser, full_name, user_id};
use crate::config::SecretWatch;
use crate::connection::{WATCH_SECONDS, WatchHealth, metadata_only};
use crate::objects::{Listed, Objects, Vanished};
use crate::orphans;
use crate::queue::{Class, Queue, QueueTurn, Trigger};
use crate::reconcile::Reconciler;
use crate::resolve::{Policy, secrets_named};
use crate::telemetry::{Metrics, Reconciled};

/// Shared by all controllers.
pub(crate) struct Context<U> {
    pub reconciler: Reconciler<U>,
    pub metrics: Metrics,
    pub queue: Queue,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    /// Watch the objects in these namespaces. If it is empty, watch all namespaces.
    pub namespaces: Vec<String>,
    pub secrets: SecretWatch,
    /// Whether the watches work.
    pub health: WatchHealth,
}

/// Runs until `ending` turns true, then until the passes under way have ended. Each namespace has watches of its own, or all
/// namespaces have one if all are watched. All share one queue.
///
/// # Errors
/// If a pass panics.
pub(crate) async fn run<U: UserApi>(
    watches: Client,
    watched: Watched,
    context: Arc<Context<U>>,
    ending: watch::Receiver<bool>,
    synced: Arc<dyn Fn(usize) + Send + Sync>,
) -> Result<(), JoinError> {
    let Watched { namespaces, secrets, health } = watched;
    let scopes: Vec<Option<String>> =
        if namespaces.is_empty() { vec![None] } else { namespaces.into_iter().map(Some).collect() };
    let freed = broadcast::Sender::new(MOST_FREED_IDS);
    let secrets_in = |namespace: &Option<String>| secrets_within(namespace.as_deref(), &secrets);
    let follows_access = secrets == SecretWatch::WhereAllowed;
    let followers = if follows_access { scopes.len() } else { 0 };
    let secrets = WatchedSecrets::new(scopes.iter().flat_map(secrets_in), followers, health);
    let unverified = Arc::new(Notify::new());
    let (mut objects, mut watching) = (Vec::new(), Vec::new());
    for (number, namespace) in scopes.iter().cloned().enumerate() {
        let synced = synced.clone();
        let watched = Objects::default();
        context.metrics.objects.add(watched.clone());
        objects.push(watched.clone());
        let scope = ControllerScope {
            secrets_in: secrets_in(&namespace),
            namespace,
            objects: watched,
            secrets: secrets.clone(),
            follows_access,
            freed: freed.clone(),
            unverified: unverified.clone(),
        };
        watching.push(watch_scope(&watches, scope, &context, move || synced(number)));
    }
    let objects: Arc<[Objects]> = objects.into();
    let sweeper = Sweeper { context: context.clone(), objects: objects.clone(), secrets, unverified };
    let passes = context.queue.run(ending, |turn| pass(turn, objects.clone(), context.clone()));
    let (stop, stopped) = oneshot::channel::<()>();
    let passes = async move {
        let ended = passes.await;
        drop(stop);
        ended
    };
    let orphans = orphans::run(&context.reconciler, async {
        let _ = stopped.await;
    });
    let watched = objects.clone();
    let objects_of_user = move |user_id: &str| objects_wanting(&watched, user_id);
    let groups = crate::groups::coordinate(&context.reconciler, &context.queue, objects_of_user);
    tokio::select! {
        (ended, ()) = future::join(passes, orphans) => ended,
        () = groups => Ok(()),
        _ = future::join_all(watching) => Ok(()),
        () = sweeper.run() => Ok(()),
    }
}

/// At most so many user IDs of deleted objects wait for a controller that is slow to take them.
const MOST_FREED_IDS: usize = 1024;
/// At most so many changed Secrets wait for a controller that is slow to take them.
const MOST_FOLLOWED_SECRETS: usize = 64;
/// What one controller watches.
struct ControllerScope {
    /// `None`: all namespaces.
    namespace: Option<String>,
    objects: Objects,
    /// The namespaces whose Secrets are watched. `None` stands for all.
    secrets_in: Vec<Option<String>>,
    secrets: WatchedSecrets,
    /// Further Secrets are watched where the operator may.
    follows_access: bool,
    /// Sends the user ID of each deleted object to all controllers.
    freed: broadcast::Sender<String>,
    /// Objects at rest were seen for the first time.
    unverified: Arc<Notify>,
}

/// Asks for a pass whenever something changes that a pass depends on. Never ends.
async fn watch_scope<U, F>(watches: &Client, scope: ControllerScope, context: &Context<U>, synced: F)
where
    U: UserApi,
    F: FnOnce() + Send + 'static,
{
    let ControllerScope { namespace, objects, secrets_in, secrets, follows_access, freed, unverified } =
        scope;
    let users: Api<TrimmedUser> = scoped(watches, namespace.as_deref());
    let successors = objects_with_freed_id(freed.subscribe(), objects.clone());
    let events = watcher(users, watcher::Config::default().timeout(WATCH_SECONDS))
        .default_backoff()
        .map_ok(untrimmed)
        .try_filter_map(|event| future::ok(of_own_class(event, &context.reconciler.policy, &objects)))
        .inspect(warn_once(OBJECTS_UNWATCHED, |event| !matches!(event, watcher::Event::Init)));
    let mut changes = ObjectEvents {
        context,
        namespace,
        objects: objects.clone(),
        secrets: secrets.clone(),
        freed,
        seen: Seen::default(),
        unverified,
    };
    // The watcher repeats what failed.
    let events = events.filter_map(|event| future::ready(event.ok())).for_each(|event| {
        changes.handle(event);
        future::ready(())
    });
    let metadata = metadata_only(watches.clone());
    let changed = secrets_in.into_iter().map(|namespace| secrets.changes(&metadata, namespace).boxed());
    let (sender, followed) = futures::channel::mpsc::channel(MOST_FOLLOWED_SECRETS);
    let Reconciler { kubernetes, settings, .. } = &context.reconciler;
    let follower = AccessFollower {
        secrets: secrets.clone(),
        objects: objects.clone(),
        kubernetes,
        metadata: metadata.clone(),
        pause: settings.pace.access_asked,
        spacing: settings.pace.spacing,
    };
    let changed = futures::stream::select_all(changed.chain([followed.boxed()]))
        .flat_map(|secret| futures::stream::iter(objects_with_changed_secret(&objects, &secret)));
    let requests = futures::stream::select(changed, successors).for_each(|object| {
        context.queue.request(&object, Trigger::Change);
        future::ready(())
    });
    let others = async {
        // Before the first list is complete, nobody knows which objects a Secret belongs to.
        objects.listed().await;
        synced();
        let following = async {
            if follows_access {
                follower.run(sender).await;
            }
        };
        future::join(requests, following).await;
    };
    future::join(events, others).await;
}

/// What an event means to the operator that looks after one class of objects. If an object got another class, this operator forgets
/// it like a deleted one. It is told when any object goes, because another object may wait for the user ID.
fn of_own_class(
    event: watcher::Event<ElastiCacheUser>,
    policy: &Policy,
    objects: &Objects,
) -> Option<watcher::Event<ElastiCacheUser>> {
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
    match event {
        InitApply(object) if !policy.includes(&object) => None,
        Apply(object) if !policy.includes(&object) => {
            objects.has(&full_name(&object)).then_some(Delete(object))
        }
        event @ (Apply(_) | Delete(_) | Init | InitApply(_) | InitDone) => Some(event),
    }
}

/// Turns what the watch of objects shows into requests for passes.
struct ObjectEvents<'a, U> {
    context: &'a Context<U>,
    /// `None`: all namespaces.
    namespace: Option<String>,
    objects: Objects,
    secrets: WatchedSecrets,
    freed: broadcast::Sender<String>,
    seen: Seen,
    unverified: Arc<Notify>,
}

impl<U: UserApi> ObjectEvents<'_, U> {
    /// Nobody told of objects that vanished while the watch was broken.
    fn sweep(&mut self, listed: Listed) {
        let Reconciler { memories, orphans, groups, corrections, clock, .. } = &self.context.reconciler;
        let forgotten = memories.sweep(self.namespace.as_deref(), &listed.uids);
        if forgotten > 0 {
            tracing::debug!("vanished objects that are forgotten after a list: {forgotten}");
        }
        for Vanished { name, uid, user_id } in listed.vanished {
            orphans.check_now(&uid);
            corrections.forget(&uid);
            groups.forget(&uid, &user_id, clock.now());
            if let Some(name) = name {
                self.forget(&name);
            }
            // Nobody receives it if the operator is ending.
            let _ = self.freed.send(user_id);
        }
    }

    fn forget(&mut self, name: &str) {
        self.seen.forget(name);
        self.context.queue.forget(name);
    }

    fn request(&mut self, object: &ElastiCacheUser) {
        match self.seen.note(object) {
            // A listing of all users shows whether such an object needs a pass.
            Some(Trigger::Listed(Class::Check)) => self.unverified.notify_one(),
            Some(trigger) => self.context.queue.request(&full_name(object), trigger),
            None => {}
        }
    }

    /// The operator asks soon whether it may watch the Secrets that the object names.
    fn note_secrets(&self, object: &ElastiCacheUser) {
        if secrets_named(object).next().is_some() {
            self.secrets.note_need(&object.namespace().unwrap_or_default());
        }
    }

    fn handle(&mut self, event: watcher::Event<ElastiCacheUser>) {
        let places = &self.context.reconciler.places;
        let mut admitted = places.follow(&event);
        if let Some(listed) = self.objects.follow(&event) {
            admitted = places.sweep(self.namespace.as_deref(), &listed.uids);
            self.sweep(listed);
        }
        match event {
            // A list counts only when it is complete.
            watcher::Event::Init | watcher::Event::InitApply(_) => {}
            watcher::Event::InitDone => {
                for object in self.objects.all().iter().filter_map(PackedUser::unpack) {
                    self.request(&object);
                }
            }
            watcher::Event::Apply(object) => {
                self.note_secrets(&object);
                self.request(&object);
            }
            watcher::Event::Delete(gone) => {
                let Reconciler { memories, orphans, groups, corrections, policy, clock, .. } =
                    &self.context.reconciler;
                let (uid, namespace) = (gone.uid().unwrap_or_default(), gone.namespace().unwrap_or_default());
                memories.forget(&uid, &namespace);
                corrections.forget(&uid);
                groups.forget(&uid, &user_id(&gone), clock.now());
                orphans.vanished(&gone, policy);
                self.forget(&full_name(&gone));
                // Nobody receives it if the operator is ending.
                let _ = self.freed.send(user_id(&gone));
            }
        }
        for name in admitted {
            self.context.queue.request(&name, Trigger::Change);
        }
    }
}

/// Objects that want the user ID of an object that was just deleted. They may create or adopt the user now.
fn objects_with_freed_id(
    freed: broadcast::Receiver<String>,
    objects: Objects,
) -> impl Stream<Item = Arc<str>> + Send + 'static {
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
    ids.flat_map(move |id| futures::stream::iter(objects.wanting_user(&id)))
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

const OBJECTS_UNWATCHED: &str =
    "failed to watch ElastiCacheUsers; the operator does not see changes of them until the watch works";

fn untrimmed(event: watcher::Event<TrimmedUser>) -> watcher::Event<ElastiCacheUser> {
    match event {
        watcher::Event::Apply(object) => watcher::Event::Apply(object.into()),
        watcher::Event::Delete(object) => watcher::Event::Delete(object.into()),
        watcher::Event::Init => watcher::Event::Init,
        watcher::Event::InitApply(object) => watcher::Event::InitApply(object.into()),
        watcher::Event::InitDone => watcher::Event::InitDone,
    }
}

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

async fn pass<U: UserApi>(turn: QueueTurn, objects: Arc<[Objects]>, context: Arc<Context<U>>) {
    let Some(object) = objects.iter().find_map(|watched| watched.get(turn.object())) else { return };
    let name = full_name(&object);
    let measured = context.metrics.begin();
    let Finish { requeue, is_settled, polls, result, .. } =
        remember_request_id(context.reconciler.reconcile(&object, &turn)).await;
    // The sweep looks after an object that needs nothing.
    let requeue = requeue.filter(|_| !is_settled);
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
                "a pass made too many requests and was stopped; this is a defect of the operator"
            );
            Reconciled::RequeueAfter
        }
        PassResult::Ending => Reconciled::Requeue,
        PassResult::Done | PassResult::Conflict if requeue.is_some() => Reconciled::RequeueAfter,
        PassResult::Done | PassResult::Conflict => Reconciled::Success,
    });
    if polls { turn.end_polling(requeue) } else { turn.end(requeue) }
}

/// The objects that want the user of this ID.
fn objects_wanting(objects: &[Objects], user_id: &str) -> Vec<ElastiCacheUser> {
    let within = |watched: &Objects| -> Vec<_> {
        watched.wanting_user(user_id).iter().filter_map(|name| watched.get(name)).collect()
    };
    objects.iter().flat_map(within).collect()
}

#[cfg(test)]
mod tests;
