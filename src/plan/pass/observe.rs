//! How a pass gets its facts, and what it remembers of them.

use super::{Awaiting, Pass, Request};
use crate::location::{is_gone, wrong_location};
use crate::verdict::Outcome;
use crate::{
    Account, Arn, Authentication, CallSource, Creation, Definition, Fetch, FirstPassword, Goal, Lifecycle,
    Moment, Now, ObjectFacts, OwnerObservation, Ownership, Passwords, SecretProblem, Tags, TagsObservation,
    UserObservation, tags_match,
};

/// When this pass requested its facts and wrote its intents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ages {
    pub(super) user: Option<Moment>,
    pub(super) tags: Option<Moment>,
    pub(super) other_owner: Option<Moment>,
    pub(super) create_intent: Option<Moment>,
}

impl Pass {
    /// `None` if the fact is known without a request.
    pub(super) fn fetch(&mut self, fetch: &Fetch, now: Now) -> Option<Request> {
        match fetch {
            Fetch::User(_) if self.row.is_there() => {
                self.look_at_row(now);
                None
            }
            Fetch::User(user_id) => {
                Some(self.read_token().unwrap_or_else(|| Request::DescribeUser(user_id.clone())))
            }
            // The tags decide on a mutation. Take the mutation's token before the tags are read, so that no wait for a
            // token makes them old.
            Fetch::Tags(_) if self.awaited && !self.tokens.mutation => Some(self.mutation_token()),
            Fetch::Tags(arn) => Some(self.read_token().unwrap_or_else(|| Request::ListTags(arn.clone()))),
            Fetch::Account => Some(self.read_token().unwrap_or(Request::Identify)),
            Fetch::Caller => {
                self.awaiting = Awaiting::Caller;
                Some(Request::IdentifyCaller)
            }
            Fetch::Owner(owner) => {
                let watched = &self.settings.namespaces;
                if watched.is_empty() || watched.contains(&owner.namespace) {
                    return Some(Request::ReadOwner(owner.clone()));
                }
                self.observed.other_owner = OwnerObservation::Unknown;
                None
            }
            Fetch::Namesake => Some(self.read_object()),
            // CreateUser is next. No wait for its token makes the passwords old.
            Fetch::Passwords if self.creates_without_look() && !self.tokens.mutation => {
                Some(self.mutation_token())
            }
            Fetch::Passwords => Some(Request::ReadPasswords),
            Fetch::Definition => Some(Request::ReadDefinition),
            Fetch::Groups => Some(Request::ReadGroups(self.concerned_groups())),
            Fetch::Object => Some(self.confirmation(false)),
            Fetch::ObjectAndDefinition => Some(self.confirmation(true)),
        }
    }

    fn creates_without_look(&self) -> bool {
        let record = &self.observed.record;
        let is_unread = self.observed.user == UserObservation::NotRead;
        is_unread && record.create_needs_no_look && !record.waits_for_secret
    }

    fn read_token(&mut self) -> Option<Request> {
        if self.tokens.reads >= self.tokens.reads_wanted.max(1) {
            return None;
        }
        self.awaiting = Awaiting::ReadToken;
        Some(Request::AcquireToken)
    }

    /// A read of AWS was answered.
    fn spend_read(&mut self) {
        self.tokens.reads = self.tokens.reads.saturating_sub(1);
        self.tokens.reads_wanted = self.tokens.reads_wanted.saturating_sub(1);
    }

    /// Take the mutation's token before the object is read again, so that no wait for a token makes the version old.
    pub(super) fn confirmation(&mut self, definition: bool) -> Request {
        if !self.tokens.mutation {
            return self.mutation_token();
        }
        self.awaiting = Awaiting::Confirmation { definition };
        self.read_object()
    }

    /// The driver has the version that was found, so the writes of this pass test that version from now on.
    pub(super) fn confirm(&mut self, found: Option<ObjectFacts>, definition: bool) {
        match found {
            Some(found) if found.decides_like(&self.object) => {
                self.object = found;
                self.observed.object_confirmed = true;
                if definition {
                    self.observed.definition = Definition::NotRead;
                }
            }
            Some(_) | None => self.conflict(),
        }
    }

    pub(super) fn read_passwords(&mut self, passwords: Result<Passwords, SecretProblem>) {
        match &mut self.goal {
            Goal::Present(desired) | Goal::ObserveOnly(desired) => match &mut desired.authentication {
                Authentication::Password(read)
                | Authentication::ExternalPassword(FirstPassword::FromSecrets(read)) => *read = passwords,
                Authentication::ExternalPassword(FirstPassword::Random)
                | Authentication::Iam
                | Authentication::NoPassword => {}
            },
            Goal::Suspended(_) | Goal::Invalid { .. } | Goal::Absent(_) | Goal::Orphaned(_) => {}
        }
        self.awaited |= self.has_new_passwords();
    }

    fn has_new_passwords(&self) -> bool {
        let Some(Ok(passwords)) = self.passwords() else { return false };
        let last = self.object.status.last_applied.as_ref();
        let is_recorded = last.is_some_and(|last| last.password_versions == passwords.versions());
        !is_recorded && !self.has_sent(passwords)
    }

    /// AWS has the passwords of the Secrets, so the pass need not read them to compare them.
    pub(crate) fn trust_secrets(&mut self) {
        self.observed.secrets_unchanged = true;
        self.memory.secrets_compared = true;
    }

    pub(super) fn read_definition(&mut self, definition: Definition) {
        self.observed.definition = definition;
    }

    pub(super) fn read_other_owner(&mut self, other: OwnerObservation) {
        self.ages.other_owner = Some(self.asked_at);
        self.observed.other_owner = other;
    }

    /// The age of a fact counts from the request, so a slow answer is old when it arrives.
    fn note_slowness(&mut self, now: Now) {
        self.aws_is_slow |= now.moment.since(self.asked_at) > self.settings.pace.owner_valid;
    }

    pub(super) fn described(&mut self, user: UserObservation, source: CallSource, now: Now) {
        self.spend_read();
        self.note_slowness(now);
        self.ages.user = Some(self.asked_at);
        self.observed.source = source;
        match &user {
            UserObservation::Found(user) => {
                self.observed.known_owner = self
                    .memory
                    .owner
                    .as_deref()
                    .filter(|(arn, _)| *arn == user.arn)
                    .map(|(_, owner)| owner.clone());
                if self.observed.known_owner == Some(Ownership::Ours) {
                    self.settle_creation();
                }
                // A user of this ID in another account or region says nothing about ours.
                if wrong_location(&self.observed.record, user).is_none() {
                    if user.lifecycle == Lifecycle::Deleting {
                        self.memory.forget_user(Some(&user.lifecycle));
                    }
                    self.memory.modify_sent &= user.lifecycle == Lifecycle::Modifying;
                }
                // The ARN has the account.
                self.observed.source.account = Account::Known(user.arn.account().to_owned());
            }
            UserObservation::Absent | UserObservation::Failed(_) | UserObservation::NotRead => {}
        }
        self.observed.user = user;
        self.note_absence();
    }

    /// Forgets the user as soon as UserNotFound proves that it is gone, which may take the answer of STS.
    fn note_absence(&mut self) {
        if !is_gone(&self.observed) {
            return;
        }
        self.memory.forget_user(None);
        // What another process writes to a status that names no user is about a user that came later.
        self.memory.seen_gone &= self.object.status.manages();
        self.observed.sent_passwords = None;
        self.observed.known_owner = None;
    }

    /// If the credentials changed since the last DescribeUsers, its answer may be about another account. Then read the user
    /// again.
    pub(super) fn identified(&mut self, source: CallSource, awaiting: &Awaiting) {
        if *awaiting == Awaiting::Caller {
            self.observed.caller_asked = true;
        } else {
            self.spend_read();
        }
        let is_first = self.observed.user == UserObservation::NotRead;
        if is_first || source.credentials == self.observed.source.credentials {
            self.observed.source = source;
            self.note_absence();
        } else {
            self.observed.user = UserObservation::NotRead;
        }
    }

    pub(super) fn read_tags(&mut self, tags: TagsObservation, now: Now) {
        self.spend_read();
        self.note_slowness(now);
        self.ages.tags = Some(self.asked_at);
        if let (TagsObservation::Read(read), UserObservation::Found(user)) = (&tags, &self.observed.user) {
            let arn = user.arn.clone();
            self.learn_from_tags(&arn, read, now);
        }
        self.observed.tags = tags;
    }

    fn learn_from_tags(&mut self, arn: &Arn, tags: &Tags, now: Now) {
        let Some(ownership) = self.goal.evaluate(tags) else { return };
        self.note_tags(tags, now);
        if ownership == Ownership::Ours {
            // A user of another object does not prove that our CreateUser was answered.
            self.settle_creation();
        } else {
            self.memory.sent_passwords = None;
        }
        self.memory.owner = Some(Box::new((arn.clone(), ownership.clone())));
        self.observed.known_owner = Some(ownership);
    }

    /// AWS answers with all tags of the user. Without an answer the next pass reads them.
    pub(super) fn learn_from_tagging(&mut self, arn: &Arn, outcome: &Outcome, now: Now) {
        self.memory.owner = None;
        let Outcome::Tagged(tags) = outcome else { return };
        if let Some(ownership) = self.goal.evaluate(tags) {
            self.memory.owner = Some(Box::new((arn.clone(), ownership)));
            self.note_tags(tags, now);
        }
    }

    /// If the tags match the spec and are ours, they need no comparison for a while.
    pub(super) fn note_tags(&mut self, tags: &Tags, now: Now) {
        let Goal::Present(desired) = &self.goal else { return };
        let ours = desired.owner.evaluate(tags) == Ownership::Ours;
        if ours && tags_match(desired, tags, &self.observed.record) {
            let (roll, generation) = (self.rolls.roll(), self.object.generation);
            self.memory.tags_match(generation, &self.settings.pace, now.moment, roll);
        } else {
            self.memory.tags_differ(now.moment);
        }
    }

    /// AWS has shown or deleted the user of the last CreateUser. From now on UserNotFound proves that the user is absent.
    pub(super) fn settle_creation(&mut self) {
        if let Some(requested) = self.object.status.create_requested_at {
            self.memory.creation_settled = Some(requested);
            self.memory.creation_refused = false;
        }
        self.observed.record.creation = Creation::Closed;
    }
}
