//! How a pass writes its intents and makes its one mutation.

use super::{Ages, Awaiting, MOST_ATTEMPTS, Pass, PassResult, Request};
use crate::memory::Repeat;
use crate::verdict::Outcome;
use crate::{
    Action, AwsError, Cause, Fault, LastApplied, Lifecycle, Moment, Mutation, Now, ObjectFacts, Observed,
    OwnerObservation, Passwords, Read, TagsObservation, UserObservation, Wait, WriteIntent,
};

/// How often a pass reads the facts for its mutation again because they became too old.
const MOST_LATE_ROUNDS: u8 = 3;

/// Memory that a call makes uncertain. The pass forgets it before the call and restores it if AWS refuses the call. If no
/// answer arrives, it stays forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Doubts {
    pub(super) before_deletion: Option<Box<LastApplied>>,
    pub(super) sent_passwords: Option<Passwords>,
}

impl Pass {
    pub(super) fn mutation_token(&mut self) -> Request {
        self.awaiting = Awaiting::MutationToken;
        Request::AcquireToken
    }

    /// An object for which AWS could not be asked yet must not get the finalizer. If CreateUser is the first call, its token comes
    /// first.
    pub(super) fn add_finalizer(&mut self) -> Request {
        if self.observed.user == UserObservation::NotRead && !self.tokens.mutation {
            return self.mutation_token();
        }
        self.awaiting = Awaiting::Finalizer;
        Request::AddFinalizer
    }

    /// Writes what status must contain before a mutation.
    pub(super) fn write_intent(
        &mut self,
        action: &Action,
        intent: &WriteIntent,
        now: Now,
    ) -> Option<Request> {
        if matches!(intent, WriteIntent::Create { .. }) && !self.tokens.mutation {
            return Some(self.mutation_token());
        }
        let verdict = self.verdict(action, &Outcome::Decided, &[], now.moment);
        match self.status_after(action, &Outcome::Decided, &verdict, now) {
            Some(status) => self.write_status(status, Awaiting::Intent(intent.clone()), now),
            None => {
                self.intent_written(intent, now);
                None
            }
        }
    }

    fn intent_written(&mut self, intent: &WriteIntent, now: Now) {
        match intent {
            WriteIntent::Delete => {
                let before = self.observed.record.last_applied.take().filter(LastApplied::manages);
                self.memory.before_deletion =
                    before.map(Box::new).or_else(|| self.memory.before_deletion.take());
                self.read_record(now);
            }
            WriteIntent::Reclaim { .. } => {
                self.memory.before_deletion = None;
                self.read_record(now);
                self.observed.intent_written = false;
            }
            WriteIntent::Create { .. } | WriteIntent::Tags { .. } | WriteIntent::Modify { .. } => {
                if matches!(intent, WriteIntent::Create { .. }) {
                    let (pace, took) = (&self.settings.pace, now.moment.since(self.asked_at));
                    // If the write takes longer than the intent is valid, a second write would not be quicker.
                    let is_slow = took > pace.intent_valid;
                    self.ages.create_intent = Some(if is_slow { now.moment } else { self.asked_at });
                    // The write tested the version. If it was quick, the object need not be read again.
                    self.observed.object_confirmed = took <= pace.owner_valid;
                    self.memory.create_requested = self.object.generation;
                    self.has_unsent_create = false;
                }
                if self.object.terminating {
                    return self.conflict();
                }
                self.observed.intent_written = true;
            }
        }
    }

    /// Reads the record again, because the written status changes it.
    fn read_record(&mut self, now: Now) {
        let Self { memory, object, settings, .. } = self;
        self.observed.record = memory.record(object, &settings.identity, &settings.pace, now);
    }

    /// Sends the mutation if its token is there, its facts are recent, and the object was read again since.
    pub(super) fn call(&mut self, action: &Action, now: Now) -> Option<Request> {
        let mutation = action.mutation()?;
        if let Some(wait) = self.wait_before_repeating(&mutation, now.moment) {
            self.close(Action::Wait(wait), Outcome::Decided, now);
            return None;
        }
        // Take the token before the ages are checked, so that no wait for a token lies between the facts and the call.
        if !self.tokens.mutation {
            return Some(self.mutation_token());
        }
        if self.is_outdated(action, now.moment) {
            self.late_rounds += 1;
            if self.late_rounds > MOST_LATE_ROUNDS {
                self.give_up_for_slowness(now);
            }
            return None;
        }
        if !self.observed.object_confirmed {
            return Some(self.confirmation(false));
        }
        self.awaiting = Awaiting::Call(action.clone(), self.doubt(action));
        let credentials = self.observed.source.credentials;
        Some(Request::Call { mutation: Box::new(mutation), credentials })
    }

    /// If AWS accepts a change and does not show it, sending it again at full pace helps nobody.
    fn wait_before_repeating(&self, mutation: &Mutation, now: Moment) -> Option<Wait> {
        match self.memory.pacing.repeat(&mutation.change()?, now) {
            Repeat::Send => None,
            Repeat::Wait if self.goal.is_deletion() => Some(Wait::OwnerUnknown(Lifecycle::Active)),
            Repeat::Wait => Some(Wait::Modifying),
            Repeat::NotShown => Some(Wait::NotShown(Box::new(mutation.clone()))),
        }
    }

    /// If a fact for the mutation is too old, forget it, so that `plan` asks for it again.
    fn is_outdated(&mut self, action: &Action, now: Moment) -> bool {
        let (pace, ages) = (&self.settings.pace, self.ages);
        let is_old = |at: Option<Moment>, valid| at.is_none_or(|at| now.since(at) > valid);
        if matches!(action, Action::Create(_)) {
            let old = is_old(ages.create_intent, pace.intent_valid);
            self.observed.intent_written &= !old;
            self.observed.object_confirmed &= !old;
            return old;
        }
        // The user has no owner tags. Only its fields distinguish it from another user that took its ID meanwhile.
        let restores = matches!(action, Action::Tag(tag) if restores_owner(tag));
        let old_user = restores && is_old(ages.user, pace.owner_valid);
        let old_tags = is_old(ages.tags, pace.owner_valid);
        // The object that owned the user may have been created again.
        let adopts = self.observed.other_owner == OwnerObservation::Gone;
        let old_owner = adopts && is_old(ages.other_owner, pace.owner_valid);
        if old_user {
            self.observed.user = UserObservation::NotRead;
            self.tokens.reads_wanted = 2;
        }
        if old_user || old_tags {
            self.observed.tags = TagsObservation::NotRead;
        }
        if old_owner {
            self.observed.other_owner = OwnerObservation::NotRead;
        }
        let old = old_user || old_tags || old_owner;
        // The object was read before the facts that are read again, and may have changed since, too.
        self.observed.object_confirmed &= !old;
        old
    }

    /// AWS or the API server answers so slowly that a fact is too old whenever the mutation could be sent.
    fn give_up_for_slowness(&mut self, now: Now) {
        if self.aws_is_slow {
            let error =
                AwsError::new("SlowAnswer", "AWS shows the user's owner too slowly to change the user.");
            let wait = Wait::Failed(Read::ListTagsForResource, Fault::Unavailable(error));
            return self.close(Action::Wait(wait), Outcome::Decided, now);
        }
        let what = "prepare a change of the AWS user";
        let why = "the API server answers too slowly".to_owned();
        self.back_off(PassResult::KubernetesFailed { what, why }, now);
    }

    fn doubt(&mut self, action: &Action) -> Doubts {
        match action {
            Action::Delete(_) => {
                Doubts { before_deletion: self.memory.before_deletion.take(), ..Doubts::default() }
            }
            Action::Modify(modify) if modify.changes.authentication.is_some() => {
                Doubts { sent_passwords: self.memory.sent_passwords.take(), ..Doubts::default() }
            }
            Action::Modify(_)
            | Action::Create(_)
            | Action::Tag(_)
            | Action::Untag(_)
            | Action::Fetch(_)
            | Action::AddFinalizer
            | Action::WriteIntent(_)
            | Action::ReleaseFinalizer(_)
            | Action::Wait(_)
            | Action::Refuse(_)
            | Action::InSync
            | Action::Suspended { .. }
            | Action::ObserveOnly(_) => Doubts::default(),
        }
    }

    pub(super) fn called(&mut self, action: Action, outcome: Outcome, doubts: Doubts, now: Now) {
        self.tokens.mutation = false;
        self.settle_doubts(&outcome, doubts);
        if outcome == Outcome::CredentialsChanged {
            return self.observe_anew(action, now);
        }
        if matches!(action, Action::Create(_)) {
            self.memory.create_throttled = matches!(outcome, Outcome::Failed(Fault::Throttled(_)));
            if self.observed.user == UserObservation::NotRead && may_hide_user(&outcome) {
                return self.look_after_create(action, outcome);
            }
        }
        self.close(action, outcome, now);
    }

    /// CreateUser was sent without a look at the user before it, and AWS refused it. If the look shows no user, the pass ends with
    /// this refusal.
    fn look_after_create(&mut self, action: Action, outcome: Outcome) {
        self.refused_create = Some(Box::new((action, outcome)));
        self.settle_creation();
        self.memory.creation_refused = true;
        self.has_unsent_create = true;
        self.ages.create_intent = None;
        self.observed.intent_written = false;
        self.observed.object_confirmed = false;
        self.observed.record.create_needs_no_look = false;
    }

    /// The look after a CreateUser that AWS refused has shown no user.
    pub(super) fn ends_refused(&mut self, now: Now) -> bool {
        let refused = self.refused_create.take_if(|_| self.observed.user == UserObservation::Absent);
        let Some((action, outcome)) = refused.map(|refused| *refused) else { return false };
        self.close(action, outcome, now);
        true
    }

    fn settle_doubts(&mut self, outcome: &Outcome, doubts: Doubts) {
        if outcome.is_refusal() {
            self.take_delete_request_back();
            self.memory.sent_passwords = doubts.sent_passwords.or_else(|| self.memory.sent_passwords.take());
            // After UserNotFound nothing is certain about the user.
            if *outcome != Outcome::NotFound {
                self.memory.before_deletion =
                    doubts.before_deletion.or_else(|| self.memory.before_deletion.take());
            }
        }
    }

    /// Other credentials sign the calls from now on. They may belong to another account, so what AWS said to the former ones
    /// says nothing any more.
    fn observe_anew(&mut self, action: Action, now: Now) {
        self.has_unsent_create |= matches!(action, Action::Create(_));
        self.attempts += 1;
        if self.attempts >= MOST_ATTEMPTS {
            let error = AwsError::new("CredentialsChanged", "they change with each call.");
            return self.close(action, Outcome::Failed(Fault::Credentials(error)), now);
        }
        let Observed { record, tags_due, .. } = self.observed.clone();
        let sent_passwords = self.memory.sent_passwords.clone();
        self.observed =
            Observed { record, tags_due, sent_passwords, ..Observed::nothing(&self.settings.region) };
        self.ages = Ages::default();
    }

    pub(super) fn written(&mut self, object: ObjectFacts, awaiting: Awaiting, now: Now) {
        self.memory.version = object.version.number();
        self.observed.record.has_finalizer = object.has_finalizer;
        // The confirmed version is no longer the newest.
        self.observed.object_confirmed = false;
        self.object = object;
        match awaiting {
            Awaiting::Finalizer if self.object.terminating => self.conflict(),
            Awaiting::Intent(intent) => self.intent_written(&intent, now),
            // The object is not being deleted: it only observes from now on, or the user is not ours. So the pass continues.
            Awaiting::Release(_) if !self.goal.is_deletion() => {}
            Awaiting::Release(action) => self.close(action, Outcome::Released, now),
            Awaiting::FinalStatus => self.final_status_written(Ok(()), now),
            Awaiting::Finalizer
            | Awaiting::Answer
            | Awaiting::ReadToken
            | Awaiting::MutationToken
            | Awaiting::Caller
            | Awaiting::Confirmation { .. }
            | Awaiting::Call(..) => {}
        }
    }
}

/// The call restores owner tags that a user of ours lost.
fn restores_owner(tag: &crate::Tag) -> bool {
    tag.cause != Cause::Adoption && tag.tags.contains_key(crate::CLUSTER_TAG)
}

/// Whether a user of this ID may be why AWS refused CreateUser. IAM may deny the call because of that user's tags, and AWS may check
/// a quota before it looks for the user.
fn may_hide_user(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::AlreadyExists => true,
        Outcome::Failed(fault) => match fault {
            Fault::Denied(_) | Fault::Rejected(..) | Fault::Busy(_) => true,
            Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Credentials(_) => false,
        },
        Outcome::Decided
        | Outcome::Accepted(_)
        | Outcome::Tagged(_)
        | Outcome::Released
        | Outcome::NotFound
        | Outcome::CredentialsChanged => false,
    }
}
