//! I/O: the driver of the coordinator of user groups, [`plan::groups::Groups`]. It decides nothing: it reads, calls and wakes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::{GroupPage, UserApi};
use futures::stream::FuturesUnordered;
use futures::{StreamExt, stream};
use kube::ResourceExt;
use plan::groups::{GroupFacts, GroupListing, GroupStep, Groups, Member, MemberObject};
use plan::pace::Pace;
use plan::pass::Wishes;
use plan::{Direction, GroupObservation, MembershipState, Now, UserGroupId};
use tokio::sync::Notify;

use crate::account::{Class, walk};
use crate::api::{self, ElastiCacheUser};
use crate::kubernetes::facts;
use crate::queue::{Queue, Trigger};
use crate::reconcile::Reconciler;
use crate::resolve::missing_groups;
use crate::telemetry::GroupMetrics;

/// So many objects of a batch are read again at the same time.
const READS: usize = 16;

/// What the objects wish of user groups, shared by their passes and the driver.
#[derive(Debug)]
pub(crate) struct UserGroups {
    groups: Mutex<Groups>,
    /// Something was wished or withdrawn.
    changed: Notify,
    metrics: GroupMetrics,
}

impl UserGroups {
    pub(crate) fn new(pace: Pace, metrics: GroupMetrics) -> Self {
        let groups = Mutex::new(Groups::new(pace, fastrand::u64(..)));
        Self { groups, changed: Notify::new(), metrics }
    }

    fn measure(&self) {
        let groups = self.lock();
        self.metrics.set(groups.waiting(Direction::Join), groups.waiting(Direction::Leave));
    }

    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pass over the object begins, so other wishes may wait for its own.
    pub(crate) fn pass_begins(&self, object: &ElastiCacheUser) {
        let groups = missing_groups(object);
        self.lock().pass_begins(&object.uid().unwrap_or_default(), groups);
    }

    /// `object` is the version that the pass left.
    pub(crate) fn pass_ended(&self, object: &ElastiCacheUser, wishes: &Wishes, now: Now) {
        let uid = object.uid().unwrap_or_default();
        let mut groups = self.lock();
        groups.pass_ended(&uid);
        match wishes {
            Wishes::Unchanged => {}
            Wishes::NotSeen => groups.not_seen(&uid),
            Wishes::Nothing => groups.withdraw(&uid),
            Wishes::Asks(wishes) => {
                groups.wish(&Member::new(&facts(object), wishes.as_ref().clone()), now.moment);
            }
        }
        drop(groups);
        self.changed.notify_one();
    }

    /// What is known about these groups for the object.
    pub(crate) fn states(
        &self,
        object: &ElastiCacheUser,
        groups: &[UserGroupId],
    ) -> BTreeMap<UserGroupId, MembershipState> {
        self.lock().states(&object.uid().unwrap_or_default(), groups)
    }

    /// The object is gone.
    pub(crate) fn forget(&self, uid: &str, user_id: &str, now: Now) {
        let mut groups = self.lock();
        groups.pass_ended(uid);
        groups.withdraw(uid);
        groups.object_gone(user_id, now.moment);
        drop(groups);
        self.changed.notify_one();
    }
}

/// The watched objects that want the user of this ID.
pub(crate) trait ObjectsOfUser: Fn(&str) -> Vec<ElastiCacheUser> {}

impl<F: Fn(&str) -> Vec<ElastiCacheUser>> ObjectsOfUser for F {}

/// Carries out what the objects wish. Never ends.
pub(crate) async fn coordinate<U: UserApi>(
    reconciler: &Reconciler<U>,
    queue: &Queue,
    objects: impl ObjectsOfUser,
) {
    let groups = &reconciler.groups;
    let mut under_way = FuturesUnordered::new();
    loop {
        let due = loop {
            let step = groups.lock().next(reconciler.clock.now().moment);
            match step {
                GroupStep::Sleep(due) => break due,
                GroupStep::Look(_) | GroupStep::List | GroupStep::Change { .. } => {
                    under_way.push(perform(reconciler, &objects, step));
                }
            }
        };
        groups.measure();
        for object in groups.lock().take_woken() {
            queue.request(&object, Trigger::Listed(Class::Progress));
        }
        tokio::select! {
            () = groups.changed.notified() => {}
            Some(()) = under_way.next() => {}
            () = reconciler.clock.until(due) => {}
        }
    }
}

async fn perform<U: UserApi>(reconciler: &Reconciler<U>, objects: &impl ObjectsOfUser, step: GroupStep) {
    match step {
        GroupStep::Look(group) => look_at_group(reconciler, &group).await,
        GroupStep::List => list_groups(reconciler).await,
        GroupStep::Change { group, candidates } => {
            change_group(reconciler, objects, &group, &candidates).await;
        }
        GroupStep::Sleep(_) => {}
    }
}

async fn look_at_group<U: UserApi>(reconciler: &Reconciler<U>, group: &UserGroupId) {
    let permit = reconciler.users.permit(Class::Repeat, "").await;
    let (seen, _) = reconciler.users.describe_group(permit, group).await;
    reconciler.groups.lock().looked(group, &seen, reconciler.clock.now().moment);
}

async fn list_groups<U: UserApi>(reconciler: &Reconciler<U>) {
    let Reconciler { users, settings, clock, .. } = reconciler;
    let (mut groups, mut has_gaps) = (Vec::new(), false);
    let read = |_, page: GroupPage| {
        has_gaps |= page.has_gaps;
        groups.extend(page.groups);
    };
    let pages = walk(users, &settings.pace, Class::Repeat, Duration::ZERO, read).await;
    let listing = GroupListing { groups, has_gaps, pages };
    reconciler.groups.lock().listed(&listing, clock.now().moment);
}

/// Takes the tokens first, then reads the objects again, looks at the group and makes the call, so that no wait for a token lies
/// between the facts and the call.
async fn change_group<U: UserApi>(
    reconciler: &Reconciler<U>,
    objects: &impl ObjectsOfUser,
    group: &UserGroupId,
    candidates: &[Member],
) {
    let (users, clock, groups) = (&reconciler.users, reconciler.clock, &reconciler.groups);
    let namespace = candidates.first().map(|member| member.namespace.as_str()).unwrap_or_default();
    let for_look = users.permit(Class::Change, namespace).await;
    let for_call = users.permit(Class::Change, namespace).await;
    let Some(confirmed) = confirmed(reconciler, group, candidates).await else {
        return groups.lock().given_up(group, clock.now().moment);
    };
    let began = clock.now().moment;
    let (seen, source) = users.describe_group(for_look, group).await;
    let now = clock.now().moment;
    if now.since(began) > reconciler.settings.pace.owner_valid {
        // The look is too old for a call.
        return groups.lock().given_up(group, now);
    }
    let members = objects_of_members(objects, &seen);
    let facts = GroupFacts { confirmed, seen, source, members };
    let decided = groups.lock().decide(group, &facts, now);
    let Some(change) = decided else { return };
    let outcome = users.modify_group(for_call, &change, facts.source.credentials).await;
    tracing::info!(%group, added = ?change.add, removed = ?change.remove, ?outcome, "ModifyUserGroup");
    groups.lock().answered(group, &outcome, clock.now().moment);
}

fn objects_of_members(objects: &impl ObjectsOfUser, seen: &GroupObservation) -> Vec<MemberObject> {
    let GroupObservation::Found(group) = seen else { return Vec::new() };
    let has = |ids: &[String]| ids.iter().any(|id| id == group.id.as_str());
    let member = |object: &ElastiCacheUser| {
        let (user_id, status) = (api::user_id(object), object.status.as_ref());
        let named = status.and_then(|status| status.user_name.as_ref()).or(object.spec.user_name.as_ref());
        MemberObject {
            user_name: named.unwrap_or(&user_id).clone(),
            user_id,
            terminating: object.metadata.deletion_timestamp.is_some(),
            manages_membership: status.is_some_and(|status| has(&status.managed_user_group_ids)),
            names_group: has(object.spec.user_group_ids.as_deref().unwrap_or_default()),
        }
    };
    group.user_ids.iter().flat_map(|id| objects(id)).map(|object| member(&object)).collect()
}

/// The objects, by uid, that still wish what they wished. `None` if the API server does not answer.
async fn confirmed<U: UserApi>(
    reconciler: &Reconciler<U>,
    group: &UserGroupId,
    candidates: &[Member],
) -> Option<BTreeSet<String>> {
    let read = |member: Member| async move {
        let found = reconciler.kubernetes.read_named(&member.namespace, &member.name).await;
        found.map(|found| {
            let still = found.is_some_and(|found| member.still_wishes(&facts(&found), group));
            still.then_some(member.uid)
        })
    };
    let reads = stream::iter(candidates.iter().cloned()).map(read).buffer_unordered(READS);
    let answers: Vec<_> = reads.collect().await;
    answers.into_iter().collect::<Result<Vec<_>, _>>().ok().map(|uids| uids.into_iter().flatten().collect())
}
