//! One step of a pass, as `src/reconcile.rs` and `src/report.rs` do it: a look, a write, or the one mutation.

use crate::core::{Act, Core};
use crate::rules::Guards;
use crate::walk::{Bad, Did};
use crate::world::{
    Account, Answer, Departing, Holder, Identity, Life, Memory, Mutation, Object, Pass, Request, Sight,
    Status, TagSight, User, Whose, World,
};

/// What befalls a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Luck {
    Fine,
    /// AWS accepted; the answer is lost.
    Lost,
    /// AWS accepted; DescribeUsers shows it later.
    Late,
    /// Both.
    LostAndLate,
    /// AWS refused, or could not be read.
    Refused,
    /// The call never reached AWS, and nobody knows.
    Dropped,
}

/// One process at work in one world.
pub(crate) struct Worker<'a> {
    pub(crate) world: World,
    pub(crate) who: usize,
    pub(crate) guards: &'a Guards,
    pub(crate) core: &'a mut Core,
}

impl Worker<'_> {
    /// Begins a pass on this version.
    pub(crate) fn begin(&mut self, object: Object) {
        let process = &mut self.world.processes[self.who];
        if process.memory.uid != object.uid {
            process.memory = Memory { uid: object.uid, ..Memory::default() };
        }
        process.stale = Some(object);
        let memory = &mut process.memory;
        if self.guards.departure_ages && memory.wrote != object.version {
            memory.forget_departure();
        }
        let (ours, spared) = (memory.wrote > 0, memory.managed);
        let stamp = object.status.request.stamp();
        let open = stamp > 0 && process.memory.settled != stamp && self.guards.creation_remembered;
        process.pass = Some(Pass {
            object,
            record: Status { request: Request::Never, ..object.status },
            leaving: object.terminating,
            former: object.status.request,
            account: Account::Unasked,
            user: Sight::Unseen,
            tags: TagSight::Unread,
            remembered: None,
            open,
            announced: false,
            confirmed: false,
            ours: ours || !self.guards.departure_announced,
            spared,
            dying: false,
            did: None,
        });
    }

    fn pass(&mut self) -> &mut Pass {
        self.world.processes[self.who].pass.as_mut().unwrap()
    }

    fn end(&mut self) {
        self.world.processes[self.who].pass = None;
    }

    /// What the pass does next; `None`: it reports its mutation.
    pub(crate) fn next(&mut self) -> Option<Act> {
        let place = self.world.processes[self.who].place;
        let pass = *self.pass();
        if pass.did.is_some() {
            return None;
        }
        let mut record = pass.record;
        if !self.guards.place_checked {
            record.arn = None;
        } else if self.guards.region_stays {
            // As if it had stayed: what is asked elsewhere is not answered.
            record.arn = record.arn.or(pass.former.place());
        }
        Some(self.core.decide(&pass, place, record))
    }

    /// What may befall the next step, and what each costs of the walk's mishaps.
    pub(crate) fn lucks(&mut self) -> &'static [(Luck, u8)] {
        let taken = self.here().is_some();
        let active = self.here().is_some_and(|user| user.life == Life::Active);
        match self.next() {
            Some(Act::Create) if !taken => &[
                (Luck::Fine, 0),
                (Luck::Lost, 1),
                (Luck::Late, 1),
                (Luck::LostAndLate, 2),
                (Luck::Refused, 1),
                (Luck::Dropped, 1),
            ],
            // A call too many is refused before AWS looks whether the ID is taken.
            Some(Act::Create) => &[(Luck::Fine, 0), (Luck::Refused, 1)],
            Some(Act::Delete | Act::LookAtObject | Act::Tag) if active => {
                &[(Luck::Fine, 0), (Luck::Lost, 1), (Luck::Refused, 1), (Luck::Dropped, 1)]
            }
            Some(Act::LookAtUser | Act::LookAtTags | Act::LookAtAccount) => {
                &[(Luck::Fine, 0), (Luck::Refused, 1)]
            }
            _ => &[(Luck::Fine, 0)],
        }
    }

    fn here(&self) -> Option<User> {
        self.world.user(self.world.processes[self.who].place)
    }

    fn here_mut(&mut self) -> &mut Option<User> {
        let place = self.world.processes[self.who].place;
        self.world.user_mut(place)
    }

    /// Does the next step.
    pub(crate) fn step(&mut self, luck: Luck) -> (Did, Option<Bad>) {
        let Some(act) = self.next() else {
            let (mutation, answer) = self.pass().did.unwrap();
            return (self.report(Act::Rest, Some((mutation, answer))), None);
        };
        match act {
            Act::LookAtUser => (self.look_at_user(luck), None),
            Act::LookAtTags => (self.look_at_tags(luck), None),
            Act::LookAtAccount => {
                self.pass().account = if luck == Luck::Fine { Account::Known } else { Account::Failed };
                (Did::AskAccount(luck), None)
            }
            Act::LookAtObject => self.confirm(luck),
            Act::Hold => (self.hold(), None),
            Act::AnnounceCreation => (self.announce_creation(), None),
            Act::AnnounceDeparture => (self.announce_departure(), None),
            Act::AnnounceClaim => (self.announce_claim(), None),
            Act::Create => self.create(luck),
            Act::Tag => (self.tag(luck), None),
            Act::Delete => self.delete(luck),
            Act::Release => (self.release(), None),
            Act::Rest | Act::Tell(_) => (self.report(act, None), None),
        }
    }

    fn look_at_user(&mut self, luck: Luck) -> Did {
        let found = self.here();
        let settles = !self.guards.only_ours_settles;
        let memory = self.world.processes[self.who].memory;
        let pass = self.pass();
        pass.user = match found {
            _ if luck != Luck::Fine => Sight::Failed,
            None | Some(User { life: Life::Late, .. }) => Sight::Absent,
            Some(User { life, holder }) => {
                let life = if life == Life::Condemned { Life::Deleting } else { life };
                Sight::Seen(life, !matches!(holder, Holder::Ours | Holder::Stripped | Holder::Twin))
            }
        };
        let seen = pass.user;
        match seen {
            Sight::Seen(life, _) => {
                pass.account = Account::Known;
                pass.remembered = memory.owner;
                if settles || memory.owner == Some(Whose::Ours) {
                    self.settle();
                }
                if life == Life::Deleting {
                    let memory = &mut self.world.processes[self.who].memory;
                    memory.owner = None;
                    memory.managed = false;
                }
            }
            Sight::Absent => {
                pass.remembered = None;
                let memory = &mut self.world.processes[self.who].memory;
                memory.owner = None;
                memory.managed = false;
            }
            Sight::Unseen | Sight::Failed => {}
        }
        Did::Describe(seen)
    }

    /// From now on UserNotFound means what it says.
    fn settle(&mut self) {
        let pass = self.pass();
        pass.open = false;
        let stamp = pass.object.status.request.stamp();
        self.world.processes[self.who].memory.settled = stamp;
    }

    fn look_at_tags(&mut self, luck: Luck) -> Did {
        let found = self.here();
        let checked = self.guards.owner_checked;
        let tags = match found {
            Some(User { life: Life::Active, holder }) if luck == Luck::Fine => TagSight::Read(match holder {
                _ if !checked => Whose::Ours,
                Holder::Ours | Holder::Stolen => Whose::Ours,
                Holder::Anothers => Whose::Anothers,
                Holder::Stripped | Holder::Strangers | Holder::Twin => Whose::Nobodys,
            }),
            _ => TagSight::Unreadable,
        };
        self.pass().tags = tags;
        if let TagSight::Read(whose) = tags {
            self.pass().remembered = Some(whose);
            self.world.processes[self.who].memory.owner = Some(whose);
            if whose == Whose::Ours && self.guards.only_ours_settles {
                self.settle();
            }
        }
        Did::ReadTags(tags)
    }

    /// With the token in hand the object is read again, and DeleteUser or AddTagsToResource follows at once.
    fn confirm(&mut self, luck: Luck) -> (Did, Option<Bad>) {
        let version = self.pass().object.version;
        let current = self.world.object.is_some_and(|object| object.version == version);
        if !self.guards.object_confirmed {
            self.pass().confirmed = true;
            return (Did::Confirm(true), None);
        }
        if !current {
            self.end();
            return (Did::Confirm(false), None);
        }
        self.pass().confirmed = true;
        if self.next() == Some(Act::Tag) {
            if self.guards.user_seen_last {
                self.look_at_user(Luck::Fine);
            }
        } else if self.guards.owner_read_last {
            self.look_at_user(Luck::Fine);
            self.pass().tags = TagSight::Unread;
            if self.next() == Some(Act::LookAtTags) {
                self.look_at_tags(Luck::Fine);
            }
        }
        match self.next() {
            Some(Act::Delete) => self.delete(luck),
            Some(Act::Tag) => (self.tag(luck), None),
            _ => (Did::Confirm(true), None),
        }
    }

    /// Writes the object; `None` where it is gone or, if that is tested, not the version that is decided on.
    fn write(&mut self, tested: bool, change: impl FnOnce(&mut Object)) -> Option<Object> {
        let version = self.world.next_version();
        let expected = self.pass().object.version;
        let object = self.world.object.as_mut()?;
        if tested && object.version != expected {
            return None;
        }
        change(object);
        object.version = version;
        let written = *object;
        self.pass().object = written;
        let memory = &mut self.world.processes[self.who].memory;
        if memory.wrote > 0 {
            memory.wrote = version;
        }
        Some(written)
    }

    fn hold(&mut self) -> Did {
        let written = self.write(true, |object| object.held = true);
        match written {
            Some(object) if !object.terminating => Did::Hold(true),
            _ => {
                self.end();
                Did::Hold(false)
            }
        }
    }

    fn announce_creation(&mut self) -> Did {
        let (stamp, place) = (self.world.next_stamp(), self.world.processes[self.who].place);
        let status =
            Status { request: Request::Open(stamp, place), departing: Departing::No, ..Status::default() };
        let written = self.write(self.guards.status_tests_version, |object| object.status = status);
        let heeded = self.guards.answer_heeded;
        match written {
            Some(object) if !(object.terminating && heeded) => {
                let pass = self.pass();
                pass.announced = true;
                pass.dying = object.terminating;
                Did::AnnounceCreation(true)
            }
            _ => {
                self.end();
                Did::AnnounceCreation(false)
            }
        }
    }

    fn announce_departure(&mut self) -> Did {
        let mut status = self.status_of(Act::AnnounceDeparture, None);
        let known = self.pass().record.applied || self.pass().spared;
        status.departing = Departing::Announced(known || !self.guards.departure_told);
        status.applied &= !self.guards.departure_forgets;
        let before = self.pass().object.status;
        let written = if status == before {
            Some(self.pass().object)
        } else {
            self.write(self.guards.status_tests_version, |object| object.status = status)
        };
        self.pass().announced = written.is_some();
        if self.guards.confirmation_ages {
            self.pass().confirmed = false;
        }
        match written {
            Some(object) => {
                let managed = self.pass().record.applied;
                let memory = &mut self.world.processes[self.who].memory;
                memory.wrote = object.version;
                memory.managed |= managed;
                self.record(object);
            }
            None => self.end(),
        }
        Did::AnnounceDeparture(written.is_some())
    }

    fn announce_claim(&mut self) -> Did {
        if !self.guards.claim_told {
            let pass = self.pass();
            (pass.record.applied, pass.spared) = (true, false);
            return Did::AnnounceClaim(true);
        }
        let mut status = self.status_of(Act::AnnounceClaim, None);
        (status.departing, status.applied) = (Departing::No, true);
        let written = self.write(self.guards.status_tests_version, |object| object.status = status);
        match written {
            Some(object) => {
                self.world.processes[self.who].memory.forget_departure();
                self.record(object);
                let pass = self.pass();
                (pass.announced, pass.confirmed) = (false, false);
            }
            None => self.end(),
        }
        Did::AnnounceClaim(written.is_some())
    }

    /// Status says something else now of whose the user is.
    fn record(&mut self, object: Object) {
        let memory = self.world.processes[self.who].memory;
        let unguarded = !self.guards.departure_announced;
        let pass = self.pass();
        pass.record = Status { request: Request::Never, ..object.status };
        (pass.ours, pass.spared) = (memory.wrote > 0 || unguarded, memory.managed);
    }

    fn create(&mut self, luck: Luck) -> (Did, Option<Bad>) {
        let dying = self.pass().dying;
        let user = self.here_mut();
        let answer = match (&user, luck) {
            (_, Luck::Refused) => Answer::Refused,
            (Some(_), _) => Answer::Exists,
            (None, Luck::Dropped) => Answer::Lost,
            (None, Luck::Fine | Luck::Lost | Luck::Late | Luck::LostAndLate) => {
                let late = matches!(luck, Luck::Late | Luck::LostAndLate);
                let life = if late { Life::Late } else { Life::Active };
                *user = Some(User { life, holder: Holder::Ours });
                if matches!(luck, Luck::Lost | Luck::LostAndLate) { Answer::Lost } else { Answer::Accepted }
            }
        };
        self.did(Mutation::Create, answer);
        (Did::Create(luck, answer), dying.then_some(Bad::CreatedForTheDying))
    }

    fn did(&mut self, mutation: Mutation, answer: Answer) {
        self.pass().did = Some((mutation, answer));
        let open = self.pass().open;
        let memory = &mut self.world.processes[self.who].memory;
        match (mutation, answer) {
            (Mutation::Create, Answer::Accepted) => memory.owner = Some(Whose::Ours),
            // AWS answers with all tags that the user has now, and these are ours.
            (Mutation::Tag, Answer::Accepted) => memory.owner = Some(Whose::Ours),
            (Mutation::Create, Answer::Refused) if !open => self.settle(),
            (Mutation::Delete, Answer::Accepted) => self.settle(),
            (Mutation::Tag, _) | (_, Answer::NotFound) => memory.owner = None,
            (Mutation::Create | Mutation::Delete, _) => {}
        }
    }

    fn tag(&mut self, luck: Luck) -> Did {
        let answer = match (self.here_mut(), luck) {
            (Some(user @ User { life: Life::Active, .. }), Luck::Fine | Luck::Lost) => {
                user.holder = match user.holder {
                    Holder::Ours | Holder::Stripped => Holder::Ours,
                    Holder::Anothers | Holder::Strangers | Holder::Twin | Holder::Stolen => Holder::Stolen,
                };
                if luck == Luck::Fine { Answer::Accepted } else { Answer::Lost }
            }
            (Some(User { life: Life::Active, .. }), Luck::Dropped) => Answer::Lost,
            (Some(User { life: Life::Active, .. }), _) => Answer::Refused,
            _ => Answer::NotFound,
        };
        self.did(Mutation::Tag, answer);
        Did::Tag(answer)
    }

    fn delete(&mut self, luck: Luck) -> (Did, Option<Bad>) {
        let blind = !matches!(self.pass().user, Sight::Seen(Life::Active, _));
        let live = self.world.object.is_some_and(|object| !object.terminating);
        let mut bad = blind.then_some(Bad::DeletedNotActive);
        let answer = match (self.here_mut(), luck) {
            (None | Some(User { life: Life::Late, .. }), _) => Answer::NotFound,
            (Some(User { life: Life::Modifying | Life::Deleting | Life::Condemned, .. }), _)
            | (_, Luck::Refused) => Answer::Refused,
            (_, Luck::Dropped) => Answer::Lost,
            (Some(user), _) => {
                if live || !matches!(user.holder, Holder::Ours | Holder::Stripped) {
                    bad = Some(Bad::Murder);
                }
                user.life = Life::Condemned;
                if luck == Luck::Lost { Answer::Lost } else { Answer::Accepted }
            }
        };
        let certain = answer == Answer::Refused || !self.guards.departure_doubted;
        let memory = &mut self.world.processes[self.who].memory;
        memory.managed &= certain;
        self.did(Mutation::Delete, answer);
        (Did::Delete(answer), bad)
    }

    fn release(&mut self) -> Did {
        let written = self.write(self.guards.release_tests_version, |object| object.held = false);
        if written.is_some_and(|object| object.terminating) {
            self.world.object = None;
        }
        self.end();
        Did::Release(written.is_some())
    }

    fn report(&mut self, act: Act, did: Option<(Mutation, Answer)>) -> Did {
        let before = self.pass().object.status;
        let status = self.status_of(act, did);
        // Cleared together with a later change: alone it is not worth a write.
        let kept = Status { request: before.request, ..status };
        let clears_only = kept == before
            && status.request == Request::Never
            && did.is_none_or(|did| did.0 != Mutation::Create);
        let written = if status == before || clears_only {
            true
        } else {
            self.write(self.guards.status_tests_version, |object| object.status = status).is_some()
        };
        self.end();
        Did::Report { why: if let Act::Tell(told) = act { told.why } else { "" }, written }
    }

    /// The status after the pass.
    fn status_of(&mut self, act: Act, did: Option<(Mutation, Answer)>) -> Status {
        let place = self.world.processes[self.who].place;
        let guards = *self.guards;
        let pass = *self.pass();
        let mut status = pass.object.status;
        let told = if let Act::Tell(told) = act { Some(told) } else { None };
        match (did, pass.user) {
            (Some((Mutation::Create, Answer::Accepted)), _) => {
                status.arn = Some(place);
                status.applied = true;
                status.reported = Identity::Ours;
                status.deleting = false;
            }
            (Some((Mutation::Delete, Answer::Accepted)), Sight::Seen(_, strange)) => {
                show(&mut status, place, strange, true)
            }
            (_, Sight::Seen(life, strange)) => {
                let by_action = did.is_some() || told.is_none_or(|told| told.ours);
                let deleting = life == Life::Deleting;
                let record = pass.record;
                let asked = record.deleting || record.departing != Departing::No;
                let known = record.arn == Some(place) && (record.applied || pass.spared || deleting && asked);
                let another = record.deleting && !deleting;
                if !guards.only_ours_shown && (by_action || known) || pass.tags == TagSight::Read(Whose::Ours)
                {
                    show(&mut status, place, strange, deleting);
                } else if known && status.reported == identity(strange) && !another {
                    status.deleting = deleting;
                }
            }
            (_, Sight::Absent) => {
                let elsewhere = told
                    .is_some_and(|told| told.elsewhere || (told.absence_in_doubt && guards.doubt_keeps_arn));
                if !elsewhere {
                    status.reported = Identity::Nothing;
                    status.deleting = false;
                    status.applied = false;
                    if !pass.leaving {
                        status.arn = None;
                    }
                }
            }
            (_, Sight::Unseen | Sight::Failed) => {}
        }
        if act == Act::Rest && did.is_none() {
            status.applied = true;
        }
        let ours_seen = pass.tags == TagSight::Read(Whose::Ours) || !guards.only_ours_settles;
        status.request = match did {
            Some((Mutation::Create, Answer::Refused)) => pass.former,
            Some((Mutation::Create, _)) => status.request,
            Some((Mutation::Delete, Answer::Accepted)) => Request::Never,
            _ if matches!(pass.user, Sight::Seen(..))
                && (ours_seen || !pass.open && status.arn == Some(place)) =>
            {
                Request::Never
            }
            _ => status.request,
        };
        status.departing = match (pass.leaving, did, told) {
            (false, ..) => Departing::No,
            (true, Some((Mutation::Tag, Answer::Accepted | Answer::NotFound)), _) => Departing::No,
            (true, Some(_), _) => Departing::Told,
            (true, None, Some(told)) => told.departing,
            (true, None, None) => status.departing,
        };
        status
    }
}

fn show(status: &mut Status, place: crate::world::Place, strange: bool, deleting: bool) {
    status.arn = Some(place);
    status.reported = identity(strange);
    status.deleting = deleting;
}

fn identity(strange: bool) -> Identity {
    if strange { Identity::Strange } else { Identity::Ours }
}
