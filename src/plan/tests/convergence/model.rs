//! Everything outside of the operator: the API server with the object, AWS, Secrets, the clock. The judge checks every
//! mutation and every write.

pub(crate) mod answer;
pub(crate) mod aws;
pub(crate) mod object;
mod others;
pub(crate) mod secrets;

pub(crate) use others::claimed;

use std::collections::BTreeSet;
use std::time::Duration;

use plan::*;

use crate::events::{Edit, Event};
use crate::judge::{self, History};
use crate::start::Start;
use crate::trace::Trace;
use aws::{ACCOUNTS, Service};
use object::{Object, Sense, Spec, TAGS};
use secrets::Secrets;

/// The time at which a walk begins. Everything in status is much older.
pub(crate) const BEGIN: Duration = Duration::from_secs(100_000);
/// How long a request takes.
const LATENCY: Duration = Duration::from_millis(50);
/// Nothing else happens for so long after the object was read again, because a mutation may rest on facts that are 2 s old.
const TOO_SOON: Duration = Duration::from_secs(2);

/// The credentials that calls are signed with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credentials {
    pub(crate) id: CredentialsId,
    /// Which of [`ACCOUNTS`].
    pub(crate) account: usize,
}

/// The answers that the pass under way got since it began with its version.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    /// The version that it decides on.
    pub(crate) given: Object,
    /// Status when it began to decide.
    pub(crate) found: Status,
    /// The answer of DescribeUsers, and when it was requested.
    pub(crate) user: Option<(UserObservation, Duration)>,
    /// That answer showed the state before AWS's last change.
    pub(crate) is_stale: bool,
    pub(crate) tags: Option<(TagsObservation, Duration)>,
    pub(crate) other: OwnerObservation,
    pub(crate) definition: Definition,
    /// When the object was read again and still was this version.
    pub(crate) confirmed: Option<Duration>,
    /// When `createRequestedAt` was written.
    pub(crate) announced: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) now: Duration,
    pub(crate) object: Option<Object>,
    /// The version before the last write.
    former: Option<Object>,
    cache_lags: bool,
    pub(crate) secrets: Secrets,
    pub(crate) other: OwnerObservation,
    pub(crate) definition: Definition,
    pub(crate) services: [Service; ACCOUNTS.len()],
    pub(crate) credentials: Credentials,
    /// The identity of the operator's process.
    pub(crate) process: String,
    pub(crate) answers: Option<Answers>,
    pub(crate) history: History,
    pub(crate) trace: Trace,
}

/// The model's time.
pub(crate) fn timestamp(now: Duration) -> Timestamp {
    Timestamp(i64::try_from(now.as_micros()).unwrap())
}

impl Answers {
    pub(crate) fn new(given: Object) -> Self {
        Self {
            found: given.status.clone(),
            given,
            user: None,
            is_stale: false,
            tags: None,
            other: OwnerObservation::NotRead,
            definition: Definition::NotRead,
            confirmed: None,
            announced: None,
        }
    }

    pub(crate) fn seen(&self) -> Option<&RemoteUser> {
        match &self.user {
            Some((UserObservation::Found(user), _)) => Some(user),
            Some(_) | None => None,
        }
    }

    pub(crate) fn tags(&self) -> Option<&Tags> {
        match &self.tags {
            Some((TagsObservation::Read(tags), _)) => Some(tags),
            Some(_) | None => None,
        }
    }
}

impl Model {
    pub(crate) fn new(start: &Start, trace: Trace) -> Self {
        let Start { object, secrets, other, services, .. } = start.clone();
        let keys = object.status.last_applied.iter().flat_map(|last| last.tag_keys.clone());
        let history = History { asked_for: keys.collect::<BTreeSet<_>>(), ..History::default() };
        let mut model = Self {
            now: BEGIN,
            object: Some(object),
            former: None,
            cache_lags: false,
            secrets,
            other,
            definition: Definition::Kept,
            services,
            credentials: Credentials { id: CredentialsId(1), account: 0 },
            process: String::new(),
            answers: None,
            history,
            trace,
        };
        model.advance(Duration::ZERO);
        model.note_tags();
        model
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
        for service in &mut self.services {
            service.advance(self.now);
        }
    }

    pub(crate) fn secrets_are_as_sent(&self, object: &object::Object) -> bool {
        let Spec { authentication, external, .. } = object.spec;
        let has_passwords = authentication == AuthenticationType::Password && !external;
        !has_passwords || self.secrets.are_as_sent(object.spec.sources, object.status.last_applied.as_ref())
    }

    /// The service of the account that is called now.
    pub(crate) fn service(&mut self) -> &mut Service {
        &mut self.services[self.credentials.account]
    }

    /// The user of the account that is called now.
    pub(crate) fn user(&self) -> Option<&aws::User> {
        self.services[self.credentials.account].user.as_ref()
    }

    pub(crate) fn account(&self) -> &'static str {
        ACCOUNTS[self.credentials.account]
    }

    /// The version that the operator's cache shows when a pass begins.
    pub(crate) fn cached(&mut self) -> Option<Object> {
        let lags = std::mem::take(&mut self.cache_lags);
        self.former.clone().filter(|_| lags).or_else(|| self.object.clone())
    }

    /// Replaces the object by its next version. `None` if the object is gone.
    fn replace(&mut self, mut next: Object) -> Option<Object> {
        next.version += 1;
        self.former = self.object.take();
        if next.has_finalizer || !next.terminating {
            self.object = Some(next.clone());
        }
        Some(next)
    }

    fn note_tags(&mut self) {
        let keys = self.object.iter().flat_map(|object| TAGS[object.spec.tags]);
        self.history.asked_for.extend(keys.map(|(key, _)| (*key).to_owned()));
    }

    /// Something happens outside, unless the operator has just read the object again: see [`TOO_SOON`].
    pub(crate) fn happen(&mut self, event: &Event) {
        let confirmed = self.answers.as_ref().and_then(|answers| answers.confirmed);
        if confirmed.is_some_and(|at| self.now - at <= TOO_SOON) {
            return;
        }
        self.trace.note(|| format!("{event:?}"));
        match event {
            Event::Touches => self.by_people(|_| false),
            Event::Requests => self.by_people(|object| {
                object.requested += 1;
                false
            }),
            Event::Deletes => self.by_people(|object| !std::mem::replace(&mut object.terminating, true)),
            Event::Edits(edit) => {
                self.by_people(|object| edited(object, edit));
                if matches!(edit, Edit::External(true)) {
                    self.history.sent = None;
                }
            }
            Event::Protects(protected) => self.by_people(|object| {
                object.protected = *protected;
                false
            }),
            Event::Secret(write) => self.secrets.write(*write),
            Event::DefinitionGoes => {
                self.definition = Definition::BeingDeleted;
                self.by_people(|object| !std::mem::replace(&mut object.terminating, true));
            }
            Event::Other(other) => self.other = *other,
            Event::Others(others) => self.others(others),
            Event::CacheLags => self.cache_lags = true,
            Event::Credentials { moves } => self.switch_credentials(*moves),
        }
    }

    /// `change` returns whether the generation changes.
    fn by_people(&mut self, change: impl FnOnce(&mut Object) -> bool) {
        if let Some(mut object) = self.object.clone() {
            object.generation += i64::from(change(&mut object));
            self.replace(object);
        }
        self.note_tags();
    }

    fn switch_credentials(&mut self, moves: bool) {
        let Credentials { id, account } = self.credentials;
        self.history.moved |= moves;
        let account = if moves { (account + 1) % ACCOUNTS.len() } else { account };
        self.credentials = Credentials { id: CredentialsId(id.0 + 1), account };
    }

    /// From now on there are no faults. If `fixed`, people lift the protection, repair the Secrets and restore the first
    /// credentials.
    pub(crate) fn calm(&mut self, fixed: bool) {
        self.trace.note(|| "from here on nothing goes wrong".to_owned());
        self.cache_lags = false;
        self.secrets.answer();
        if fixed {
            self.happen(&Event::Protects(false));
            self.secrets.fix();
            if self.credentials.account != 0 {
                self.switch_credentials(true);
            }
        }
    }

    pub(crate) fn breach(&mut self, what: &str) {
        self.trace.note(|| format!("BREACH: {what}"));
        self.history.breaches.push(what.to_owned());
    }

    /// Writes to the version that the pass decides on. `None` if the object has a newer version or is gone.
    fn write(&mut self, change: impl FnOnce(&mut Object)) -> Option<Object> {
        let given = self.answers.as_ref().map(|answers| answers.given.version);
        let before = self.object.clone().filter(|object| Some(object.version) == given)?;
        let mut next = before.clone();
        change(&mut next);
        self.history.writes += 1;
        judge::written(self, &before, &next);
        self.replace(next)
    }
}

fn edited(object: &mut Object, edit: &Edit) -> bool {
    let before = object.spec.clone();
    let spec = &mut object.spec;
    match edit {
        Edit::Engine(engine) => spec.engine = *engine,
        Edit::Access(access) => spec.access = *access,
        Edit::Authentication(authentication) => spec.authentication = *authentication,
        Edit::External(external) => spec.external = *external,
        Edit::Sources(sources) => spec.sources = *sources,
        Edit::Policy(policy) => spec.policy = *policy,
        Edit::Observes(observes) => spec.observes = *observes,
        Edit::Suspends(suspended) => spec.suspended = *suspended,
        Edit::Adoption(adoption) => spec.adoption = *adoption,
        Edit::Tags(tags) => spec.tags = *tags,
        // A user ID cannot change, so an object without a valid one never gets one.
        Edit::Sense(sense) if spec.sense != Sense::Nameless => spec.sense = *sense,
        Edit::Sense(_) => {}
    }
    *spec != before
}
