//! I/O: follows each CreateUser until a later write to its object was answered. If the object vanished before, its user is
//! deleted here, because no pass runs for it any more. Decisions: [`plan::follow_orphan`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::UserApi;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use plan::pace::Requeue;
use plan::verdict::Outcome;
use plan::{
    Action, Arn, CallSource, Creation, Delete, DeletionPolicy, Fetch, Namesake, Orphan, OrphanEnd,
    OrphanFacts, OrphanStep, Pacing, TagsObservation, UID_TAG, UserObservation, Wait, follow_orphan,
    orphan_verdict,
};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::account::{Class, Permit};
use crate::reconcile::Reconciler;

/// More steps than any attempt needs.
const MOST_STEPS: usize = 24;

/// The CreateUser calls that no later write to their object has followed, by the object's uid. They live as long as the
/// process: the watch's news that the object is gone must not forget them.
#[derive(Debug)]
pub(crate) struct Orphans {
    cases: Mutex<HashMap<String, Case>>,
    changed: Notify,
    removed: Counter,
}

#[derive(Clone, Debug)]
struct Case {
    orphan: Orphan,
    sent: Instant,
    /// The user's ARN, once AWS told it.
    arn: Option<Arn>,
    /// The user was seen with its tags, or DeleteUser was accepted: UserNotFound means what it says.
    settled: bool,
    /// A write to the object was answered after CreateUser was sent.
    written: bool,
    /// The watch says that the object is gone, and that our finalizer was on its last version.
    lost: bool,
    /// The object was seen to be gone.
    vanished: bool,
    /// A DeleteUser was sent that AWS may have accepted.
    deleted: bool,
    pacing: Pacing,
    due: Instant,
    under_way: bool,
}

impl Orphans {
    /// `removed` counts the users that are deleted here.
    #[must_use]
    pub(crate) fn new(removed: Counter) -> Self {
        Self { cases: Mutex::default(), changed: Notify::new(), removed }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Case>> {
        self.cases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A CreateUser is about to be sent. Nothing else may tell that its object vanished, so it is looked at after `patience`.
    pub(crate) fn sent(&self, orphan: Orphan, patience: Duration) {
        let now = Instant::now();
        let case = Case {
            sent: now,
            arn: None,
            settled: false,
            written: false,
            lost: false,
            vanished: false,
            deleted: false,
            pacing: Pacing::default(),
            due: now + patience,
            under_way: false,
            orphan,
        };
        self.lock().insert(case.orphan.uid.clone(), case);
        self.changed.notify_one();
    }

    /// What became of the CreateUser.
    pub(crate) fn answered(&self, uid: &str, outcome: &Outcome) {
        let mut cases = self.lock();
        if outcome.is_refusal() {
            cases.remove(uid);
        } else if let (Some(case), Outcome::Accepted(user)) = (cases.get_mut(uid), outcome) {
            case.arn = Some(user.arn.clone());
        }
    }

    /// A write to the object was answered: the object was there after CreateUser was sent. A DELETE that has overlooked the
    /// finalizer may still be under way in the API server, for as long as a request may take. From now on only
    /// [`Orphans::lost`] tells it apart from a deletion that somebody wants, so the case is kept for `window` after CreateUser.
    pub(crate) fn written(&self, uid: &str, window: Duration) {
        if let Some(case) = self.lock().get_mut(uid).filter(|case| !case.lost && !case.vanished) {
            case.written = true;
            case.due = case.sent + window;
        }
    }

    /// The object may have vanished before any write to it was answered.
    pub(crate) fn look(&self, uid: &str) {
        if let Some(case) = self.lock().get_mut(uid).filter(|case| !case.written) {
            case.due = Instant::now();
            self.changed.notify_one();
        }
    }

    /// The object is gone, and our finalizer was on its last version: nobody has taken the finalizer off. `policy` is that
    /// version's.
    pub(crate) fn lost(&self, uid: &str, policy: DeletionPolicy) {
        if let Some(case) = self.lock().get_mut(uid) {
            case.lost = true;
            case.due = Instant::now();
            if policy == DeletionPolicy::Retain {
                case.orphan.policy = policy;
            }
            self.changed.notify_one();
        }
    }

    /// Waits until an attempt is due, and begins it.
    async fn due(&self) -> String {
        loop {
            let next = {
                let mut cases = self.lock();
                let waiting = cases.iter_mut().filter(|(_, case)| !case.under_way);
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

    /// A copy of the case. One that was written and not lost is over: its object is there, or somebody wanted it to go.
    fn case(&self, uid: &str) -> Option<Case> {
        let mut cases = self.lock();
        if cases.get(uid).is_some_and(|case| case.written && !case.lost) {
            cases.remove(uid);
        }
        cases.get(uid).cloned()
    }

    /// An attempt is over. A CreateUser that was sent meanwhile is another case.
    fn again(&self, uid: &str, case: Case, pause: Duration) {
        if let Some(kept) = self.lock().get_mut(uid).filter(|kept| kept.sent == case.sent) {
            let Case { arn, settled, vanished, deleted, pacing, .. } = case;
            kept.arn = kept.arn.take().or(arn);
            (kept.settled, kept.vanished, kept.deleted, kept.pacing) = (settled, vanished, deleted, pacing);
            kept.due = Instant::now() + pause;
            kept.under_way = false;
        }
        self.changed.notify_one();
    }

    fn close(&self, case: &Case) {
        let mut cases = self.lock();
        if cases.get(&case.orphan.uid).is_some_and(|kept| kept.sent == case.sent) {
            cases.remove(&case.orphan.uid);
        }
        if case.deleted {
            self.removed.inc();
        }
    }
}

/// Runs until `stopped`, then until the attempts under way have ended.
pub(crate) async fn run<U: UserApi>(reconciler: &Reconciler<U>, stopped: impl Future<Output = ()>) {
    let mut attempts = FuturesUnordered::new();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => break,
            uid = reconciler.orphans.due() => attempts.push(attempt(reconciler, uid)),
            Some(()) = attempts.next() => {}
        }
    }
    while attempts.next().await.is_some() {}
}

async fn attempt<U: UserApi>(reconciler: &Reconciler<U>, uid: String) {
    let Some(case) = reconciler.orphans.case(&uid) else { return };
    let facts = OrphanFacts::unknown(&case.orphan, case.arn.clone(), &reconciler.settings.region);
    let mut attempt = Attempt { reconciler, facts, case, permit: None, tags_read_at: None };
    match attempt.run().await {
        Ended::After(pause) => reconciler.orphans.again(&uid, attempt.case, pause),
        Ended::For(OrphanEnd::NotVanished) => {
            reconciler.orphans.again(&uid, attempt.case, reconciler.settings.pace.creation_window);
        }
        Ended::For(end) => {
            attempt.tell(end);
            reconciler.orphans.close(&attempt.case);
        }
    }
}

enum Ended {
    After(Duration),
    For(OrphanEnd),
}

struct Attempt<'a, U> {
    reconciler: &'a Reconciler<U>,
    case: Case,
    facts: OrphanFacts,
    /// The rate limiter's token for DeleteUser.
    permit: Option<Permit>,
    tags_read_at: Option<Instant>,
}

impl<U: UserApi> Attempt<'_, U> {
    async fn run(&mut self) -> Ended {
        for _ in 0..MOST_STEPS {
            if *self.reconciler.ending.borrow() {
                return Ended::After(self.reconciler.settings.pace.backoff_floor);
            }
            self.facts.observed.record.creation = match self.case.settled {
                true => Creation::Closed,
                false => self.reconciler.settings.pace.creation(self.case.sent.elapsed()),
            };
            self.facts.tags_age = self.tags_read_at.map_or(Duration::ZERO, |at| at.elapsed());
            match follow_orphan(&self.case.orphan, &self.facts, &self.reconciler.settings.pace) {
                OrphanStep::ReadNamesake => self.read_namesake().await,
                OrphanStep::Fetch(look) => self.look(&look).await,
                OrphanStep::Confirm => self.confirm().await,
                OrphanStep::Delete(delete) => return self.delete(delete).await,
                OrphanStep::Wait(wait) => return self.pause(&Action::Wait(wait), &Outcome::Decided),
                OrphanStep::Requeue(requeue) => {
                    let (pace, now) = (&self.reconciler.settings.pace, self.reconciler.now().moment);
                    return Ended::After(self.case.pacing.back_off(requeue, pace, now, fastrand::f64()));
                }
                OrphanStep::End(end) => return Ended::For(end),
            }
        }
        Ended::After(self.reconciler.settings.pace.slow_cap)
    }

    async fn read_namesake(&mut self) {
        self.facts.namesake = self.reconciler.kubernetes.namesake(&self.case.orphan).await;
        if self.facts.namesake == Namesake::Wants {
            let Orphan { user_id, owner, .. } = &self.case.orphan;
            let object = format!("{}/{}", owner.namespace, owner.name);
            tracing::debug!(%object, %user_id, "another object wants the AWS user of the vanished one");
        }
        let gone = matches!(self.facts.namesake, Namesake::Absent | Namesake::Wants | Namesake::Manages);
        if gone && !std::mem::replace(&mut self.case.vanished, true) {
            let Orphan { user_id, owner, .. } = &self.case.orphan;
            let object = format!("{}/{}", owner.namespace, owner.name);
            tracing::warn!(
                %object, %user_id,
                "the object vanished right after CreateUser was sent for it, in spite of its finalizer (kubernetes/kubernetes#77988); its AWS user is looked for"
            );
        }
    }

    async fn permit(&self) -> Permit {
        self.reconciler.users.permit(Class::Progress, &self.case.orphan.owner.namespace).await
    }

    async fn take_permit(&mut self) {
        if self.permit.is_none() {
            self.permit = Some(self.permit().await);
        }
    }

    async fn look(&mut self, look: &Fetch) {
        let users = &self.reconciler.users;
        match look {
            Fetch::User(user_id) => {
                let (user, source) = users.describe(self.permit().await, user_id).await;
                (self.facts.observed.user, self.facts.observed.source) = (user, source);
            }
            Fetch::Tags(arn) => {
                self.take_permit().await;
                self.facts.observed.tags = users.list_tags(self.permit().await, arn).await;
                self.tags_read_at = Some(Instant::now());
                self.facts.observed.object_confirmed = false;
                self.settle(arn);
            }
            Fetch::Account => self.identified(users.identify(self.permit().await).await),
            Fetch::Caller => {
                self.identified(users.identify_caller().await);
                self.facts.observed.caller_asked = true;
            }
            Fetch::Definition => {
                self.facts.observed.definition = self.reconciler.kubernetes.definition().await
            }
            Fetch::Object | Fetch::ObjectAndDefinition | Fetch::Owner(_) => self.confirm().await,
        }
    }

    /// The account of the credentials was learnt. If they are not those of the last DescribeUsers, its answer says nothing
    /// about this account, and the user is looked at again.
    fn identified(&mut self, source: CallSource) {
        if source.credentials == self.facts.observed.source.credentials {
            self.facts.observed.source = source;
        } else {
            self.facts.observed.user = UserObservation::NotRead;
        }
    }

    /// The user was seen with the tags of its CreateUser.
    fn settle(&mut self, arn: &Arn) {
        let TagsObservation::Read(tags) = &self.facts.observed.tags else { return };
        if tags.get(UID_TAG) == Some(&self.case.orphan.uid) {
            self.case.settled = true;
            self.case.arn = Some(arn.clone());
        }
    }

    async fn confirm(&mut self) {
        self.take_permit().await;
        self.facts.observed.definition = self.reconciler.kubernetes.definition().await;
        self.read_namesake().await;
        self.facts.observed.object_confirmed = true;
    }

    async fn delete(&mut self, delete: Delete) -> Ended {
        let permit = match self.permit.take() {
            Some(permit) => permit,
            None => self.permit().await,
        };
        let signer = self.facts.observed.source.credentials;
        let outcome = self.reconciler.users.delete(permit, &delete, signer).await;
        if outcome == Outcome::CredentialsChanged {
            let (pace, now) = (&self.reconciler.settings.pace, self.reconciler.now().moment);
            return Ended::After(self.case.pacing.back_off(Requeue::Backoff, pace, now, fastrand::f64()));
        }
        self.case.deleted |= !outcome.is_refusal();
        self.case.settled |= matches!(outcome, Outcome::Accepted(_));
        self.pause(&Action::Delete(delete), &outcome)
    }

    /// Backs off as on the way out of any object.
    fn pause(&mut self, action: &Action, outcome: &Outcome) -> Ended {
        let owner = &self.case.orphan.owner;
        let verdict = orphan_verdict(&self.case.orphan, action, outcome);
        let (object, reason) = (format!("{}/{}", owner.namespace, owner.name), verdict.reason.as_str());
        let user_id = &self.case.orphan.user_id;
        let failed =
            matches!((action, outcome), (_, Outcome::Failed(_)) | (Action::Wait(Wait::Failed(..)), _));
        match failed {
            true => tracing::warn!(%object, %user_id, reason, "{}", verdict.message),
            false => tracing::debug!(%object, %user_id, reason, "{}", verdict.message),
        }
        let (pace, now) = (&self.reconciler.settings.pace, self.reconciler.now().moment);
        Ended::After(self.case.pacing.schedule(&verdict, pace, now, fastrand::f64()))
    }

    fn tell(&self, end: OrphanEnd) {
        let Orphan { user_id, owner, .. } = &self.case.orphan;
        let object = format!("{}/{}", owner.namespace, owner.name);
        let why = match end {
            OrphanEnd::UserGone if self.case.deleted => {
                tracing::warn!(%object, %user_id, "deleted the AWS user that the vanished object left behind");
                return;
            }
            OrphanEnd::UserGone => "AWS has no such user",
            OrphanEnd::Retained => "deletionPolicy: Retain, or the CustomResourceDefinition is being deleted",
            OrphanEnd::TakenOver => "another object of that name manages it now",
            OrphanEnd::NotOurs => "its tags do not name the vanished object",
            OrphanEnd::NotVanished => "the object is there",
        };
        tracing::info!(%object, %user_id, "the AWS user of the vanished object is left alone: {why}");
    }
}

#[cfg(test)]
mod tests;
