//! I/O: one attempt to delete the AWS user of a vanished object.

use std::time::Duration;

use aws::UserApi;
use plan::pace::Requeue;
use plan::verdict::Outcome;
use plan::{
    Action, Arn, CallSource, Creation, Delete, Fetch, Namesake, Orphan, OrphanEnd, OrphanFacts, OrphanStep,
    TagsObservation, UID_TAG, UserObservation, Wait, follow_orphan, orphan_verdict,
};
use tokio::time::Instant;

use super::Case;
use crate::account::{Class, Permit};
use crate::reconcile::Reconciler;

/// More steps than any attempt needs.
const MOST_STEPS: usize = 24;

pub(super) async fn attempt<U: UserApi>(reconciler: &Reconciler<U>, uid: String) {
    let Some(case) = reconciler.orphans.case(&uid) else { return };
    let facts = OrphanFacts::unknown(&case.orphan, case.arn.clone(), &reconciler.settings.region);
    let mut attempt = Attempt { reconciler, facts, case, permit: None, tags_read_at: None };
    match attempt.run().await {
        AttemptResult::RetryAfter(pause) => reconciler.orphans.retry_after(&uid, attempt.case, pause),
        AttemptResult::End(OrphanEnd::NotVanished) => {
            reconciler.orphans.retry_after(&uid, attempt.case, reconciler.settings.pace.creation_window);
        }
        AttemptResult::End(end) => {
            attempt.log_end(end);
            reconciler.orphans.close(&attempt.case);
        }
    }
}

enum AttemptResult {
    RetryAfter(Duration),
    End(OrphanEnd),
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
    async fn run(&mut self) -> AttemptResult {
        for _ in 0..MOST_STEPS {
            if *self.reconciler.ending.borrow() {
                return AttemptResult::RetryAfter(self.reconciler.settings.pace.backoff_floor);
            }
            self.facts.observed.record.creation = match self.case.settled {
                true => Creation::Closed,
                false => self.reconciler.settings.pace.creation(self.case.sent_at.elapsed()),
            };
            self.facts.tags_age = self.tags_read_at.map_or(Duration::ZERO, |at| at.elapsed());
            match follow_orphan(&self.case.orphan, &self.facts, &self.reconciler.settings.pace) {
                OrphanStep::ReadNamesake => self.read_namesake().await,
                OrphanStep::Fetch(fetch) => self.fetch(&fetch).await,
                OrphanStep::Confirm => self.confirm().await,
                OrphanStep::Delete(delete) => return self.delete(delete).await,
                OrphanStep::Wait(wait) => return self.back_off(&Action::Wait(wait), &Outcome::Decided),
                OrphanStep::Requeue(requeue) => {
                    let (pace, now) = (&self.reconciler.settings.pace, self.reconciler.clock.now().moment);
                    return AttemptResult::RetryAfter(self.case.pacing.back_off(
                        requeue,
                        pace,
                        now,
                        fastrand::f64(),
                    ));
                }
                OrphanStep::End(end) => return AttemptResult::End(end),
            }
        }
        AttemptResult::RetryAfter(self.reconciler.settings.pace.slow_cap)
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
                "the object vanished right after CreateUser was sent for it, in spite of its finalizer (kubernetes/kubernetes#77988); the operator looks for its AWS user"
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

    async fn fetch(&mut self, fetch: &Fetch) {
        let users = &self.reconciler.users;
        match fetch {
            Fetch::User(user_id) => {
                let (user, source) = users.describe(self.permit().await, user_id).await;
                (self.facts.observed.user, self.facts.observed.source) = (user, source);
            }
            Fetch::Tags(arn) => {
                self.take_permit().await;
                let permit = self.permit().await;
                // The age counts from the request.
                self.tags_read_at = Some(Instant::now());
                self.facts.observed.tags = users.list_tags(permit, arn).await;
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
            Fetch::Object
            | Fetch::ObjectAndDefinition
            | Fetch::Owner(_)
            | Fetch::Groups
            | Fetch::Passwords => self.confirm().await,
        }
    }

    /// If the credentials changed since the last DescribeUsers, its answer may be about another account. Then read the user
    /// again.
    fn identified(&mut self, source: CallSource) {
        if source.credentials == self.facts.observed.source.credentials {
            self.facts.observed.source = source;
        } else {
            self.facts.observed.user = UserObservation::NotRead;
        }
    }

    /// If the tags have the uid of the object, AWS has shown the user of this CreateUser.
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

    async fn delete(&mut self, delete: Delete) -> AttemptResult {
        let permit = match self.permit.take() {
            Some(permit) => permit,
            None => self.permit().await,
        };
        let signer = self.facts.observed.source.credentials;
        let outcome = self.reconciler.users.delete(permit, &delete, signer).await;
        if outcome == Outcome::CredentialsChanged {
            let (pace, now) = (&self.reconciler.settings.pace, self.reconciler.clock.now().moment);
            return AttemptResult::RetryAfter(self.case.pacing.back_off(
                Requeue::Backoff,
                pace,
                now,
                fastrand::f64(),
            ));
        }
        self.case.deleted |= !outcome.is_refusal();
        self.case.settled |= matches!(outcome, Outcome::Accepted(_));
        self.back_off(&Action::Delete(delete), &outcome)
    }

    /// Backs off as the deletion of any object does.
    fn back_off(&mut self, action: &Action, outcome: &Outcome) -> AttemptResult {
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
        let (pace, now) = (&self.reconciler.settings.pace, self.reconciler.clock.now().moment);
        AttemptResult::RetryAfter(self.case.pacing.schedule(&verdict, pace, now, fastrand::f64()))
    }

    fn log_end(&self, end: OrphanEnd) {
        let Orphan { user_id, owner, .. } = &self.case.orphan;
        let object = format!("{}/{}", owner.namespace, owner.name);
        let why = match end {
            OrphanEnd::UserGone if self.case.deleted => {
                tracing::warn!(%object, %user_id, "deleted the AWS user that the vanished object left behind");
                return;
            }
            OrphanEnd::UserGone => "AWS has no such user",
            OrphanEnd::Retained => {
                "deletionPolicy is Retain, or the CustomResourceDefinition is being deleted"
            }
            OrphanEnd::TakenOver => "another object of that name manages it now",
            OrphanEnd::NotOurs => "its tags do not name the vanished object",
            OrphanEnd::NotVanished => "the object is there",
        };
        tracing::info!(%object, %user_id, "the AWS user of the vanished object is left alone: {why}");
    }
}
