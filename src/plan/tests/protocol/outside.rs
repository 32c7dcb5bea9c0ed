//! The API server and AWS: the effect of a pass's request, and the answer.

use plan::pass::Request;
use plan::{CredentialsId, Definition, Mutation, OwnerObservation, Status};

use crate::facts::{Answer, Called};
use crate::renumber::{DELETE_REQUESTED, NEW, version};
use crate::state::{Holder, Life, ObjectId, PassId, Place, State, User, Violation};
use crate::switches::Guarantees;
use crate::tables::Tables;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    None,
    /// The request took effect, and its answer is lost.
    Lost,
    /// The request took effect, and the pass ends before the answer.
    TimedOut,
    /// AWS accepted CreateUser, and DescribeUsers shows the user later.
    Late,
    /// The same, and the answer is lost.
    LostAndLate,
    /// The request was refused, or the read failed.
    Refused,
    /// The request had no effect, and the answer is lost.
    Dropped,
}

/// One request of one replica.
pub(crate) struct Outside<'a> {
    pub(crate) state: State,
    pub(crate) who: usize,
    pub(crate) guarantees: &'a Guarantees,
    pub(crate) tables: &'a mut Tables,
    pub(crate) retain: bool,
}

impl Outside<'_> {
    /// Performs the request and returns the answer.
    pub(crate) fn answer(&mut self, pass: PassId, request: &Request, fault: Fault) -> Answer {
        let place = self.state.replicas[self.who].place;
        let failed = fault != Fault::None;
        let done = match request {
            Request::DescribeUser(_) => return self.describe(place, failed),
            // An ARN names its account and region. Nobody else's credentials may ask for it.
            Request::ListTags(_) => return self.list_tags(place, failed || !self.has_described(place)),
            Request::Identify | Request::IdentifyCaller if failed => Answer::IdentifyFailed(place),
            Request::Identify | Request::IdentifyCaller => Answer::Identified(place),
            Request::Call { mutation, credentials } => {
                return self.call(place, mutation, *credentials, fault);
            }
            Request::ReadOwner(_) => return self.read_owner(failed),
            Request::ReadDefinition => return self.read_definition(failed),
            _ if fault == Fault::Refused => return Answer::KubernetesFailed,
            Request::ReadObject => {
                self.state.replicas[self.who].watched.saw_definition_kept = false;
                Answer::Object(self.state.object.filter(|_| self.is_same(pass)))
            }
            Request::AddFinalizer => self.add_finalizer(pass),
            Request::RemoveFinalizer => self.remove_finalizer(pass),
            Request::WriteStatus(status) => self.write_status(pass, status),
            // Status already has what the pass was about to write, so the pass has ended.
            Request::Finish(_) => return Answer::Nothing,
            Request::ReadPasswords => panic!("the object has no password"),
            Request::AcquireToken | Request::Log(_) | Request::Publish(_) | Request::Count(_) => {
                panic!("{request:?} has the same answer in every state")
            }
            Request::ReadNamesake(_) => panic!("no pass is for a vanished object"),
            Request::Resolve => panic!("a new pass begins instead"),
        };
        match fault {
            Fault::TimedOut => Answer::TimedOut,
            Fault::Lost => Answer::KubernetesFailed,
            _ => done,
        }
    }

    /// The object of the pass is still there, and not another one of its name.
    fn is_same(&self, pass: PassId) -> bool {
        let uid = self.tables.pass_marks(pass).uid;
        self.state.object.is_some_and(|object| self.tables.object_marks(object).uid == uid)
    }

    /// The version to write to. `None` if the object is gone or has another version than the pass decided on.
    fn target(&self, pass: PassId, tested: bool) -> Option<ObjectId> {
        let decided_on = self.tables.pass_marks(pass).versions;
        self.state.object.filter(|object| !tested || self.tables.object_marks(*object).versions == decided_on)
    }

    fn write(&mut self, target: Option<ObjectId>, change: impl FnOnce(&mut plan::ObjectFacts)) -> Answer {
        let Some(target) = target else { return Answer::Conflict };
        let mut object = self.tables.object(target).clone();
        change(&mut object);
        object.version = version(NEW);
        let is_gone = object.terminating && !object.has_finalizer;
        let written = self.tables.add_object(object);
        self.state.object = (!is_gone).then_some(written);
        Answer::Written(written)
    }

    fn add_finalizer(&mut self, pass: PassId) -> Answer {
        let target = self.target(pass, true);
        self.write(target, |object| object.has_finalizer = true)
    }

    fn remove_finalizer(&mut self, pass: PassId) -> Answer {
        let target = self.target(pass, self.guarantees.release_tests_version);
        self.write(target, |object| object.has_finalizer = false)
    }

    fn write_status(&mut self, pass: PassId, status: &Status) -> Answer {
        let target = self.target(pass, self.guarantees.status_tests_version);
        let is_terminating = target.is_some_and(|target| self.tables.object(target).terminating);
        self.state.replicas[self.who].watched.wrote_terminating |= is_terminating;
        self.write(target, |object| {
            object.status = status.clone();
            object.status.delete_requested_at = status.delete_requested_at.map(|_| DELETE_REQUESTED);
        })
    }

    fn read_owner(&mut self, failed: bool) -> Answer {
        let watched = &mut self.state.replicas[self.who].watched;
        watched.saw_owner_gone = !failed && !self.state.owner_exists;
        Answer::Owner(match self.state.owner_exists {
            _ if failed => OwnerObservation::Unknown,
            true => OwnerObservation::Exists,
            false => OwnerObservation::Gone,
        })
    }

    fn read_definition(&mut self, failed: bool) -> Answer {
        let watched = &mut self.state.replicas[self.who].watched;
        watched.saw_definition_kept = !failed && self.state.definition_kept;
        Answer::Definition(match self.state.definition_kept {
            _ if failed => Definition::Unreadable,
            true => Definition::Kept,
            false => Definition::BeingDeleted,
        })
    }

    /// The last DescribeUsers of the pass went to this place.
    fn has_described(&self, place: Place) -> bool {
        self.state.replicas[self.who].watched.described == Some(place)
    }

    fn describe(&mut self, place: Place, failed: bool) -> Answer {
        if failed {
            return Answer::DescribeFailed(place);
        }
        let user = self.state.user(place).filter(|user| user.life != Life::Late);
        let watched = &mut self.state.replicas[self.who].watched;
        watched.described = Some(place);
        watched.saw_active = user.is_some_and(|user| user.life == Life::Active);
        Answer::Described(place, user.map(|user| (user.life, user.holder)))
    }

    fn list_tags(&mut self, place: Place, failed: bool) -> Answer {
        match self.state.user(place) {
            Some(User { life: Life::Active, holder }) if !failed => Answer::Tags(holder),
            _ => Answer::TagsUnreadable,
        }
    }

    fn call(&mut self, place: Place, mutation: &Mutation, signer: CredentialsId, fault: Fault) -> Answer {
        if self.guarantees.calls_keep_credentials && signer != self.tables.map.credentials(place) {
            return Answer::Called(Called::NotSent);
        }
        let called = match (mutation, fault) {
            (_, Fault::Refused) => Called::Refused,
            (_, Fault::Dropped) => Called::Lost,
            (Mutation::Create(_), _) => self.create(place, matches!(fault, Fault::Late | Fault::LostAndLate)),
            (Mutation::Tag(_), _) if !self.has_described(place) => Called::NotFound,
            (Mutation::Tag(_), _) => self.tag(place),
            (Mutation::Delete(_), _) => self.delete(place),
            (Mutation::Modify(_) | Mutation::Untag(_), _) => panic!("nothing differs in the model"),
        };
        match fault {
            Fault::TimedOut => Answer::TimedOut,
            Fault::Lost | Fault::LostAndLate => Answer::Called(Called::Lost),
            Fault::None | Fault::Late | Fault::Refused | Fault::Dropped => Answer::Called(called),
        }
    }

    fn create(&mut self, place: Place, late: bool) -> Called {
        if self.state.replicas[self.who].watched.wrote_terminating {
            self.state.violation = Some(Violation::CreatedForTerminating);
        }
        if self.state.user(place).is_some() {
            return Called::AlreadyExists;
        }
        let life = if late { Life::Late } else { Life::Active };
        *self.state.user_mut(place) = Some(User { life, holder: Holder::Ours });
        Called::Created(place)
    }

    fn tag(&mut self, place: Place) -> Called {
        let saw_owner_gone = self.state.replicas[self.who].watched.saw_owner_gone;
        let Some(user @ User { life: Life::Active, .. }) = self.state.user_mut(place) else {
            return Called::NotFound;
        };
        user.holder = match user.holder {
            Holder::Ours | Holder::Stripped => Holder::Ours,
            Holder::Formers if saw_owner_gone => Holder::Adopted,
            Holder::Adopted => Holder::Adopted,
            Holder::Anothers
            | Holder::Formers
            | Holder::Strangers
            | Holder::LookAlike
            | Holder::LateLookAlike
            | Holder::Stolen => Holder::Stolen,
        };
        Called::Tagged
    }

    fn delete(&mut self, place: Place) -> Called {
        let is_live = self.state.object.is_some_and(|object| !self.tables.object(object).terminating);
        if !self.state.replicas[self.who].watched.saw_active {
            self.state.violation = Some(Violation::DeletedNotActive);
        }
        let retain = self.retain;
        let spares = self.tables.map.definition && !self.state.replicas[self.who].watched.saw_definition_kept;
        let Some(user) = self.state.user_mut(place).as_mut().filter(|user| user.life != Life::Late) else {
            return Called::NotFound;
        };
        if user.life != Life::Active {
            return Called::Refused;
        }
        let holder = user.holder;
        user.life = Life::DeletedByUs;
        if is_live || retain || spares || !(holder.is_ours() || holder == Holder::Stripped) {
            self.state.violation = Some(Violation::DeletedForeignUser);
        }
        Called::Deleting(place, holder)
    }
}
