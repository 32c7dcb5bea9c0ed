//! I/O: follows each CreateUser until a later write to its object was answered. If the object may have vanished before, a pass
//! with [`Goal::Orphaned`] looks for its AWS user.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::{UserApi, remember_request_id};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kube::ResourceExt;
use plan::pass::Finish;
use plan::verdict::Outcome;
use plan::{Arn, DeletionPolicy, Goal, Location, Memory, ObjectFacts, Orphan, Pass, UserId};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::api::{ElastiCacheUser, PackedUser};
use crate::kubernetes::facts;
use crate::reconcile::{Held, Reconciler};
use crate::resolve::{Policy, owner};

/// A case for each CreateUser, by the uid of its object. The watch's report that the object is gone must not remove the case.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    /// Not a hash table, because that would keep the memory of the most cases that there ever were.
    cases: Mutex<BTreeMap<String, Box<Case>>>,
    changed: Notify,
}

/// A CreateUser, and what is known about its object and its user since.
#[derive(Clone, Debug)]
struct Case {
    orphan: Orphan,
    /// The version at the time of CreateUser.
    object: PackedUser,
    /// Of the user.
    arn: Option<Arn>,
    location: Option<Location>,
    /// `None` before the first pass, which most cases never have.
    last_pass: Option<Box<LastPass>>,
    sent_at: Instant,
    /// A write to the object was answered after CreateUser was sent, so the object existed then.
    written: bool,
    /// The watch reported that the object is gone, and our finalizer was on its last version.
    lost: bool,
    /// When the next pass begins.
    due: Instant,
    under_way: bool,
    /// A pass over the object is removing our finalizer.
    releasing: bool,
}

/// How the last pass left its object and its memory.
#[derive(Clone, Debug)]
struct LastPass {
    facts: ObjectFacts,
    memory: Memory,
}

/// The user that CreateUser makes for this version of the object.
pub(crate) fn orphan(object: &ElastiCacheUser, user_id: &UserId, policy: &Policy) -> Orphan {
    Orphan {
        user_id: user_id.clone(),
        owner: owner(object, policy),
        uid: object.uid().unwrap_or_default(),
        policy: policy.deletion_policy(object),
    }
}

impl Orphans {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Box<Case>>> {
        self.cases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the CreateUser `call`, and follows it. The case is added before the call is sent, because the object may vanish and
    /// the pass may be dropped meanwhile.
    pub(crate) async fn follow(
        &self,
        orphan: Orphan,
        object: &ElastiCacheUser,
        patience: Duration,
        call: impl Future<Output = Outcome>,
    ) -> Outcome {
        let uid = orphan.uid.clone();
        self.sent(orphan, object, patience);
        let outcome = call.await;
        self.answered(&uid, &outcome);
        outcome
    }

    /// If nothing else shows that the object vanished, the object is read after `patience`.
    fn sent(&self, orphan: Orphan, object: &ElastiCacheUser, patience: Duration) {
        let now = Instant::now();
        let case = Case {
            object: PackedUser::new(object),
            arn: None,
            location: facts(object).status.location,
            last_pass: None,
            sent_at: now,
            written: false,
            lost: false,
            due: now + patience,
            under_way: false,
            releasing: false,
            orphan,
        };
        self.lock().insert(case.orphan.uid.clone(), Box::new(case));
        self.changed.notify_one();
    }

    /// A CreateUser that AWS refused makes no orphan.
    fn answered(&self, uid: &str, outcome: &Outcome) {
        let mut cases = self.lock();
        if outcome.is_refusal() {
            cases.remove(uid);
        } else if let (Some(case), Outcome::Accepted(user)) = (cases.get_mut(uid), outcome) {
            case.location = Some(Location::of(&user.arn));
            case.arn = Some(user.arn.clone());
        }
    }

    /// A write to the object was answered, so the object existed after CreateUser was sent. But the API server may still be working
    /// on a DELETE that has overlooked the finalizer. So the case is kept for `window` after CreateUser. In this time only
    /// [`Orphans::lost`] distinguishes such a DELETE from a deletion that somebody wants.
    pub(crate) fn written(&self, uid: &str, window: Duration) {
        if let Some(case) = self.lock().get_mut(uid).filter(|case| !case.lost && !case.has_vanished()) {
            case.written = true;
            case.due = case.sent_at + window;
        }
    }

    /// Makes the request `remove` that takes our finalizer off. The pass has decided what becomes of the user, so the case ends. The
    /// watch reports the last version that was stored, which still has the finalizer.
    pub(crate) async fn release<T, E>(
        &self,
        uid: &str,
        remove: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.set_releasing(uid, true);
        let mut release = Release { orphans: self, uid, is_answered: false };
        let removed = remove.await;
        release.is_answered = removed.is_ok();
        removed
    }

    fn set_releasing(&self, uid: &str, releasing: bool) {
        if let Some(case) = self.lock().get_mut(uid) {
            case.releasing = releasing;
        }
    }

    /// The object may have vanished before any write to it was answered. Read it now.
    pub(crate) fn check_now(&self, uid: &str) {
        if let Some(case) = self.lock().get_mut(uid).filter(|case| !case.written) {
            case.due = Instant::now();
            self.changed.notify_one();
        }
    }

    /// The watch reported that the object is gone. `last` is its last version.
    pub(crate) fn vanished(&self, last: &ElastiCacheUser, policy: &Policy) {
        let uid = last.uid().unwrap_or_default();
        if facts(last).has_finalizer {
            self.lost(&uid, policy.deletion_policy(last));
        } else {
            self.check_now(&uid);
        }
    }

    /// The object is gone, and nobody removed our finalizer: it was on the last version. `policy` is that version's.
    fn lost(&self, uid: &str, policy: DeletionPolicy) {
        if let Some(case) = self.lock().get_mut(uid) {
            case.lost = true;
            case.due = Instant::now();
            if policy == DeletionPolicy::Retain {
                case.orphan.policy = policy;
            }
            self.changed.notify_one();
        }
    }

    /// Waits until an attempt is due, and marks its case as under way.
    async fn next_due(&self) -> String {
        loop {
            let next = {
                let mut cases = self.lock();
                let waiting = cases.iter_mut().filter(|(_, case)| !case.under_way && !case.releasing);
                match waiting.min_by_key(|(_, case)| case.due) {
                    Some((uid, case)) if case.due <= Instant::now() => {
                        case.under_way = true;
                        return uid.clone();
                    }
                    Some((_, case)) => Some(case.due),
                    None => None,
                }
            };
            match next {
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    /// A copy of the case. If the object was written and not lost, the case ends, because the object exists or somebody deleted it.
    fn case(&self, uid: &str) -> Option<Box<Case>> {
        let mut cases = self.lock();
        if cases.get(uid).is_some_and(|case| case.written && !case.lost) {
            cases.remove(uid);
        }
        cases.get(uid).cloned()
    }

    /// Keeps what a pass has learnt, or closes the case. If another CreateUser was sent meanwhile, its case stays as it is.
    fn ended(&self, case: &Case, facts: ObjectFacts, finish: Finish) {
        let mut cases = self.lock();
        let uid = &case.orphan.uid;
        if let Some(kept) = cases.get_mut(uid).filter(|kept| kept.sent_at == case.sent_at) {
            if let Some(memory) = finish.memory {
                kept.keep(facts, *memory, finish.requeue.unwrap_or_default());
            } else {
                cases.remove(uid);
            }
        }
        self.changed.notify_one();
    }
}

/// A request that removes our finalizer. If it fails, or its pass takes too long, the case goes on.
struct Release<'a> {
    orphans: &'a Orphans,
    uid: &'a str,
    is_answered: bool,
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            self.orphans.lock().remove(self.uid);
        } else {
            self.orphans.set_releasing(self.uid, false);
            self.orphans.changed.notify_one();
        }
    }
}

impl Case {
    fn has_vanished(&self) -> bool {
        self.last_pass.as_ref().is_some_and(|last| last.facts.terminating)
    }

    /// What the next pass begins with.
    fn next_pass(&self, object: &ElastiCacheUser) -> LastPass {
        let first = || LastPass { facts: Orphan::object(facts(object)), memory: Memory::default() };
        let mut next = self.last_pass.as_deref().cloned().unwrap_or_else(first);
        let status = &mut next.facts.status;
        (status.arn, status.location) = (self.arn.clone(), self.location.clone());
        next
    }

    fn keep(&mut self, facts: ObjectFacts, memory: Memory, pause: Duration) {
        // Otherwise CreateUser may have been answered during the pass.
        if facts.status.arn.is_some() {
            (self.arn, self.location) = (facts.status.arn.clone(), facts.status.location.clone());
        }
        self.last_pass = Some(Box::new(LastPass { facts, memory }));
        self.due = Instant::now() + pause;
        self.under_way = false;
    }
}

impl<U: UserApi> Reconciler<U> {
    async fn delete_orphan(&self, uid: String) {
        let Some(case) = self.orphans.case(&uid) else { return };
        let Some(object) = case.object.unpack() else { return };
        let LastPass { facts, memory } = case.next_pass(&object);
        let goal = Goal::Orphaned(case.orphan.clone());
        let mut pass =
            Pass::new(self.settings.clone(), goal, facts, memory, fastrand::u64(..), self.clock.now());
        let mut held = Held::unqueued(&object, &case.orphan.owner.namespace);
        let finish = self.drive(&mut pass, &mut held).await;
        self.orphans.ended(&case, pass.into_object(), finish);
    }
}

/// Runs until `stopped`, then until the attempts under way have ended.
pub(crate) async fn run<U: UserApi>(reconciler: &Reconciler<U>, stopped: impl Future<Output = ()>) {
    let mut attempts = FuturesUnordered::new();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => break,
            uid = reconciler.orphans.next_due() => {
                attempts.push(remember_request_id(reconciler.delete_orphan(uid)));
            }
            Some(()) = attempts.next() => {}
        }
    }
    while attempts.next().await.is_some() {}
}

#[cfg(test)]
mod tests;
