//! Everything outside of the operator: the object, AWS, the clock, what befalls, and a judge who looks at every mutation
//! when it reaches AWS.

use std::collections::{BTreeSet, VecDeque};

use plan::*;

use crate::common::{anothers_tags, arn, owner_tags, tags};
use crate::judge;
use crate::object::{Object, Secret, TAGS};
use crate::schedule::{Claim, Edit, Happening, Mishap, Others, Schedule};
use crate::service::{Habits, Service, User, form};

/// Ticks for which UserNotFound is doubted after a CreateUser; the pace's window, and longer than AWS is late.
pub(crate) const WINDOW: u32 = 8 * TICK;

/// How many moments there are from one pass to the next, each enough for the stamp of one write.
pub(crate) const TICK: u32 = 1000;

pub(crate) struct World {
    pub(crate) now: u32,
    pub(crate) object: Option<Object>,
    pub(crate) secret: Secret,
    pub(crate) definition: Definition,
    pub(crate) service: Service,
    pub(crate) calls: VecDeque<Mishap>,
    pub(crate) between: VecDeque<Happening>,
    /// The last state that DescribeUsers told the pass at hand.
    pub(crate) last_seen: Option<Lifecycle>,
    /// Asking for the account did not help once: the region decided alone.
    pub(crate) account_untold: bool,
    /// Somebody else changed the user's tags, which nobody reads again as long as all else is as it should be.
    pub(crate) retagged: bool,
    /// The access string changed before it was seen what AWS had made of the one in `lastApplied`: taken for AWS's form of it.
    pub(crate) changed_unseen: bool,
    /// Mutations that reached AWS.
    pub(crate) mutations: usize,
    /// The actions that were decided on.
    pub(crate) met: BTreeSet<String>,
    /// What must never happen, and happened.
    pub(crate) breaches: Vec<String>,
    /// What happened, for a case that fails.
    story: Vec<String>,
    /// It is told at all: that costs more than what it tells of.
    telling: bool,
    /// Passes that are told, each with how often it was the same again.
    chapters: Vec<(String, usize)>,
}

impl World {
    pub(crate) fn new(
        object: Object,
        secret: Secret,
        service: Service,
        schedule: &Schedule,
        telling: bool,
    ) -> Self {
        Self {
            now: FIRST_DAY,
            object: Some(object),
            secret,
            definition: Definition::Stays,
            service,
            calls: schedule.calls.clone().into(),
            between: schedule.between.clone().into(),
            last_seen: None,
            account_untold: false,
            retagged: false,
            changed_unseen: false,
            mutations: 0,
            met: BTreeSet::new(),
            breaches: vec![],
            story: vec![],
            telling,
            chapters: vec![],
        }
    }

    pub(crate) fn tell<T: Into<String>>(&mut self, what: impl FnOnce() -> T) {
        if self.telling {
            self.story.push(what().into());
        }
    }

    /// An action was decided on: remembered by its name and that of its kind, `Wait Protected`.
    pub(crate) fn meet(&mut self, action: &Action) {
        if !self.telling {
            return;
        }
        let text = format!("{action:?}");
        let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        self.met.insert(words.take(2).collect::<Vec<_>>().join(" "));
    }

    /// A pass is over.
    pub(crate) fn close_chapter(&mut self) {
        let chapter = std::mem::take(&mut self.story).join("\n");
        match self.chapters.last_mut() {
            Some((before, times)) if *before == chapter => *times += 1,
            Some(_) | None => self.chapters.push((chapter, 1)),
        }
    }

    /// All that happened.
    pub(crate) fn tale(&self) -> String {
        let told = self.chapters.iter().map(|(chapter, times)| match times {
            1 => chapter.clone(),
            times => format!("{chapter}\n  ({times} times)"),
        });
        told.collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn breach(&mut self, what: &str) {
        self.tell(|| format!("BREACH: {what}"));
        self.breaches.push(what.to_owned());
    }

    /// Nothing befalls any more.
    pub(crate) fn calm(&mut self) {
        self.calls.clear();
        self.between.clear();
        self.tell(|| "from here on nothing befalls any more");
    }

    /// A time that no write had before.
    pub(crate) fn moment(&mut self) -> u32 {
        self.now += 1;
        self.now
    }

    pub(crate) fn tick(&mut self) {
        self.now = (self.now / TICK + 1) * TICK;
        self.service.tick();
    }

    /// A new version of the object; `None` where it is gone, or where the version is not the one that was decided on.
    pub(crate) fn write(&mut self, version: u32, change: impl FnOnce(&mut Object)) -> Option<Object> {
        let object = self.object.as_mut().filter(|object| object.version == version)?;
        change(object);
        object.version += 1;
        let written = object.clone();
        if object.terminating && !object.held {
            judge::release(self);
            self.object = None;
        }
        Some(written)
    }

    pub(crate) fn happen(&mut self, happening: &Happening) {
        self.tell(|| format!("  {happening:?}"));
        match happening {
            Happening::Nothing => {}
            Happening::AwsGoesOn => self.tick(),
            Happening::Touches => self.by_people(|_| false),
            Happening::Deletes => {
                self.by_people(|object| !std::mem::replace(&mut object.terminating, true));
                self.object = self.object.take().filter(|object| object.held);
            }
            Happening::Edits(edit) => self.by_people(|object| edited(object, edit)),
            Happening::Protects(protected) => self.by_people(|object| {
                object.protected = *protected;
                false
            }),
            Happening::Secret(secret) => self.secret = *secret,
            Happening::DefinitionGoes => {
                self.definition = Definition::Going;
                self.happen(&Happening::Deletes);
            }
            Happening::Others(others) => self.others(others),
        }
    }

    /// `change` says whether the generation moves.
    fn by_people(&mut self, change: impl FnOnce(&mut Object) -> bool) {
        if let Some(object) = &mut self.object {
            object.generation += u32::from(change(object));
            object.version += 1;
        }
    }

    pub(crate) fn note_change(&mut self) {
        let last = self.object.as_ref().and_then(|object| object.status.last_applied.as_ref());
        self.changed_unseen |= last.is_some_and(|last| last.expanded_access_string.is_none());
    }

    fn others(&mut self, others: &Others) {
        self.note_change();
        let service = &mut self.service;
        match (others, &mut service.user) {
            (Others::Creates(claim), None) => service.user = Some(stranger(*claim, &service.habits)),
            (Others::Deletes, Some(_)) => drop(service.delete()),
            (Others::ChangesAccess(at), Some(_)) => {
                let access_string = Some(crate::service::ACCESS[*at].0.to_owned());
                drop(service.modify(&Changes { access_string, ..Changes::default() }));
            }
            (Others::Retags(claim), Some(user)) if user.shows_in == 0 => {
                user.tags = claimed(*claim);
                self.retagged = true;
            }
            (Others::Labels(at), Some(user)) if user.shows_in == 0 => {
                user.tags.retain(|key, _| key.starts_with(OWNER_TAG_PREFIX));
                user.tags.extend(tags(TAGS[*at]));
                user.put.clear();
            }
            (Others::Creates(_) | Others::Retags(_) | Others::Labels(_), Some(_)) | (_, None) => {}
        }
    }
}

/// Late enough for a CreateUser to be long ago.
pub(crate) const FIRST_DAY: u32 = 100 * TICK;

fn edited(object: &mut Object, edit: &Edit) -> bool {
    let before = object.spec.clone();
    let spec = &mut object.spec;
    match edit {
        Edit::Engine(engine) => spec.engine = *engine,
        Edit::Access(access) => spec.access = *access,
        Edit::Authentication(authentication) => spec.authentication = *authentication,
        Edit::Policy(policy) => spec.policy = *policy,
        Edit::Tags(tags) => spec.tags = *tags,
        // A user ID cannot change, so what names none never names one.
        Edit::Sense(sense) if spec.sense != crate::object::Sense::Nameless => spec.sense = *sense,
        Edit::Sense(_) => {}
    }
    *spec != before
}

/// What a user that makes this claim is tagged with.
pub(crate) fn claimed(claim: Claim) -> Tags {
    let mut team = tags(&[("team", "shop")]);
    team.extend(match claim {
        Claim::Ours => owner_tags(),
        Claim::PartlyOurs => tags(&[(CLUSTER_TAG, "prod"), (NAMESPACE_TAG, "shop")]),
        Claim::Anothers => anothers_tags(),
        Claim::PartlyAnothers => tags(&[(NAME_TAG, "other")]),
        Claim::Nobodys => Tags::new(),
    });
    team
}

fn stranger(claim: Claim, habits: &Habits) -> User {
    User {
        shown: RemoteUser {
            access_string: form("on ~* +@all"),
            arn: arn(),
            ..crate::common::user(Lifecycle::Modifying)
        },
        tags: claimed(claim),
        put: BTreeSet::new(),
        settles_in: habits.pace,
        shows_in: 0,
        taggable_in: 0,
    }
}
