//! I/O: the driver of the coordinator of user groups, [`plan::groups::Groups`]. It decides nothing: it reads, calls and wakes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws::UserApi;
use futures::stream::FuturesUnordered;
use futures::{StreamExt, stream};
use kube::ResourceExt;
use plan::groups::{GroupStep, Groups, Member};
use plan::pace::Pace;
use plan::pass::Wishes;
use plan::{MembershipState, Now, UserGroupId};
use tokio::sync::Notify;

use crate::account::Class;
use crate::api::ElastiCacheUser;
use crate::kubernetes::facts;
use crate::queue::{Queue, Trigger};
use crate::reconcile::Reconciler;
use crate::resolve::missing_groups;

/// So many objects of a batch are read again at the same time.
const READS: usize = 16;

/// What the objects wish of user groups, shared by their passes and the driver.
#[derive(Debug)]
pub(crate) struct UserGroups {
    groups: Mutex<Groups>,
    /// Something was wished or withdrawn.
    changed: Notify,
}

impl UserGroups {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { groups: Mutex::new(Groups::new(pace, fastrand::u64(..))), changed: Notify::new() }
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
    pub(crate) fn forget(&self, uid: &str) {
        let mut groups = self.lock();
        groups.pass_ended(uid);
        groups.withdraw(uid);
    }
}

/// Carries out what the objects wish. Never ends.
pub(crate) async fn coordinate<U: UserApi>(reconciler: &Reconciler<U>, queue: &Queue) {
    let groups = &reconciler.groups;
    let mut under_way = FuturesUnordered::new();
    loop {
        let due = loop {
            let step = groups.lock().next(reconciler.clock.now().moment);
            match step {
                GroupStep::Sleep(due) => break due,
                GroupStep::Look(_) | GroupStep::Change { .. } => under_way.push(perform(reconciler, step)),
            }
        };
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

async fn perform<U: UserApi>(reconciler: &Reconciler<U>, step: GroupStep) {
    match step {
        GroupStep::Look(group) => look_at_group(reconciler, &group).await,
        GroupStep::Change { group, candidates } => change_group(reconciler, &group, &candidates).await,
        GroupStep::Sleep(_) => {}
    }
}

async fn look_at_group<U: UserApi>(reconciler: &Reconciler<U>, group: &UserGroupId) {
    let permit = reconciler.users.permit(Class::Repeat, "").await;
    let (seen, _) = reconciler.users.describe_group(permit, group).await;
    reconciler.groups.lock().looked(group, &seen, reconciler.clock.now().moment);
}

/// Takes the tokens first, then reads the objects again, looks at the group and makes the call, so that no wait for a token lies
/// between the facts and the call.
async fn change_group<U: UserApi>(reconciler: &Reconciler<U>, group: &UserGroupId, candidates: &[Member]) {
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
    let decided = groups.lock().decide(group, &confirmed, &seen, &source, now);
    let Some(change) = decided else { return };
    let outcome = users.modify_group(for_call, &change, source.credentials).await;
    tracing::info!(%group, added = ?change.add, removed = ?change.remove, ?outcome, "ModifyUserGroup");
    groups.lock().answered(group, &outcome, true, clock.now().moment);
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
