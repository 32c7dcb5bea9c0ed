//! What a walk is made of: faults of single requests, and what people, other processes and time do between them.

use std::time::Duration;

use plan::*;
use proptest::prelude::*;

use crate::common::faults;
use crate::model::aws::ACCESS;
use crate::model::object::{Sense, TAGS};
use crate::model::secrets::{Access, SOURCES, VALUES, Write};

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Injection {
    Fine,
    /// The request is refused without effect. The API server answers with an error.
    Refused(Fault),
    /// The request took effect, but its answer is lost.
    Lost,
    /// The request takes 3 s. AWS answers with the state before its last change, shows a created user only later, and does not
    /// show tags.
    Late,
    /// The request took effect, and the process is killed before it gets the answer.
    Killed,
    /// The request took effect, but the driver does not wait for its answer any longer.
    TimedOut,
}

/// One step of a walk.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The operator makes its next request.
    Request(Injection),
    /// The operator continues to its next mutation, which gets this fault.
    Mutation(Injection),
    /// The operator continues to its next write of the object, which gets this fault.
    Write(Injection),
    /// The operator continues until it is about to make this request. Only in `named`.
    Until(&'static str),
    /// The operator continues to the end of the pass, or runs a whole pass if none is under way.
    Pass,
    /// Time goes on.
    Wait(Duration),
    /// The process is killed, and another one begins.
    Kill,
    Event(Event),
}

/// What happens outside of the operator.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Somebody changes a label of the object.
    Touches,
    /// Somebody changes the annotation `reconcile-requested-at`.
    Requests,
    Deletes,
    Edits(Edit),
    Protects(bool),
    Secret(Write),
    DefinitionGoes,
    /// From now on the object that another owner's tags name exists, or not.
    Other(OwnerObservation),
    /// Somebody else does something to the user, in AWS.
    Others(Others),
    /// The next pass begins with the version before the last one, because the cache is late.
    CacheLags,
    /// The credentials are replaced. If `moves`, the new ones belong to the other account.
    Credentials {
        moves: bool,
    },
}

/// A change of the spec.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Engine(Engine),
    Access(usize),
    Authentication(AuthenticationType),
    /// Whether somebody else sets the passwords.
    External(bool),
    Sources(usize),
    Policy(DeletionPolicy),
    Observes(bool),
    Suspends(bool),
    Adoption(Adoption),
    Sense(Sense),
    Tags(usize),
}

/// What somebody else does in AWS.
#[derive(Clone, Debug)]
pub(crate) enum Others {
    /// With this access string.
    Creates(Claim, usize),
    Deletes,
    ChangesAccess(usize),
    ChangesEngine(Engine),
    /// From now on the user authenticates without a password.
    OpensIt(AuthenticationType),
    /// From now on the user has passwords of somebody else.
    ChangesPasswords(Vec<usize>),
    /// AWS shows the user in a state that the operator does not know.
    Hibernates,
    Retags(Claim),
    /// Changes the tags that are not owner tags.
    Labels(usize),
}

/// What the tags of a user say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Ours,
    /// Some of our owner tags, and none of another's.
    PartlyOurs,
    Anothers,
    /// An object's of another namespace that may not adopt.
    Strangers,
    /// One owner tag, which names another object.
    PartlyAnothers,
    /// An object of the same name in another cluster.
    Elsewheres,
    Nobodys,
}

pub(crate) fn steps() -> impl Strategy<Value = Step> {
    // The simplest step is the first, because proptest shrinks a failed walk towards it.
    prop_oneof![
        4 => Just(Step::Request(Injection::Fine)),
        3 => Just(Step::Pass),
        4 => injections().prop_map(Step::Request),
        2 => injections().prop_map(Step::Mutation),
        2 => injections().prop_map(Step::Write),
        2 => waits().prop_map(Step::Wait),
        1 => Just(Step::Kill),
        6 => events().prop_map(Step::Event),
    ]
}

fn injections() -> impl Strategy<Value = Injection> {
    prop_oneof![
        4 => prop::sample::select(faults()).prop_map(Injection::Refused),
        2 => Just(Injection::Lost),
        2 => Just(Injection::Late),
        1 => Just(Injection::Killed),
        1 => Just(Injection::TimedOut),
    ]
}

/// Durations close to those that the operator's decisions depend on.
fn waits() -> impl Strategy<Value = Duration> {
    let millis = [1_500_u64, 2_500, 4_000, 6_000, 28_000, 55_000, 660_000, 4_000_000];
    prop::sample::select(millis.map(Duration::from_millis).to_vec())
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => by_people(),
        9 => by_others().prop_map(Event::Others),
        2 => Just(Event::CacheLags),
        1 => any::<bool>().prop_map(|moves| Event::Credentials { moves }),
    ]
}

fn by_others() -> impl Strategy<Value = Others> {
    let values = prop::collection::vec(0..VALUES, 1..3);
    prop_oneof![
        2 => (claims(), 0..ACCESS.len()).prop_map(|(claim, access)| Others::Creates(claim, access)),
        1 => Just(Others::Deletes),
        1 => (0..ACCESS.len()).prop_map(Others::ChangesAccess),
        1 => engines().prop_map(Others::ChangesEngine),
        1 => prop_oneof![Just(AuthenticationType::Iam), Just(AuthenticationType::NoPassword)]
            .prop_map(Others::OpensIt),
        1 => values.prop_map(Others::ChangesPasswords),
        1 => Just(Others::Hibernates),
        2 => claims().prop_map(Others::Retags),
        1 => (0..TAGS.len()).prop_map(Others::Labels),
    ]
}

fn by_people() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::Touches),
        1 => Just(Event::Requests),
        4 => Just(Event::Deletes),
        10 => edits().prop_map(Event::Edits),
        2 => any::<bool>().prop_map(Event::Protects),
        6 => writes().prop_map(Event::Secret),
        1 => Just(Event::DefinitionGoes),
        2 => others().prop_map(Event::Other),
    ]
}

fn edits() -> impl Strategy<Value = Edit> {
    prop_oneof![
        1 => engines().prop_map(Edit::Engine),
        1 => (0..ACCESS.len()).prop_map(Edit::Access),
        2 => authentications().prop_map(Edit::Authentication),
        1 => any::<bool>().prop_map(Edit::External),
        1 => (0..SOURCES.len()).prop_map(Edit::Sources),
        1 => policies().prop_map(Edit::Policy),
        1 => any::<bool>().prop_map(Edit::Observes),
        1 => any::<bool>().prop_map(Edit::Suspends),
        1 => adoptions().prop_map(Edit::Adoption),
        1 => senses().prop_map(Edit::Sense),
        1 => (0..TAGS.len()).prop_map(Edit::Tags),
    ]
}

pub(crate) fn engines() -> impl Strategy<Value = Engine> {
    prop_oneof![Just(Engine::Redis), Just(Engine::Valkey)]
}

pub(crate) fn authentications() -> impl Strategy<Value = AuthenticationType> {
    use AuthenticationType::{Iam, NoPassword, Password};
    prop_oneof![Just(Iam), Just(Password), Just(NoPassword)]
}

pub(crate) fn policies() -> impl Strategy<Value = DeletionPolicy> {
    prop_oneof![3 => Just(DeletionPolicy::Delete), 1 => Just(DeletionPolicy::Retain)]
}

pub(crate) fn senses() -> impl Strategy<Value = Sense> {
    prop_oneof![
        20 => Just(Sense::Sound),
        1 => Just(Sense::Broken),
        1 => Just(Sense::Disallowed),
        1 => Just(Sense::Nameless),
    ]
}

pub(crate) fn adoptions() -> impl Strategy<Value = Adoption> {
    prop_oneof![2 => Just(Adoption::Never), 1 => Just(Adoption::NotAllowed), 2 => Just(Adoption::Allowed)]
}

/// Whether the object that another owner's tags name is there.
pub(crate) fn others() -> impl Strategy<Value = OwnerObservation> {
    prop_oneof![2 => Just(OwnerObservation::Exists), 2 => Just(OwnerObservation::Gone), 1 => Just(OwnerObservation::Unknown)]
}

pub(crate) fn accesses() -> impl Strategy<Value = Access> {
    use Access::{Forbidden, Invalid, Missing, NoKey, Readable, Unreadable};
    prop_oneof![
        12 => Just(Readable),
        1 => Just(Missing),
        1 => Just(NoKey),
        1 => Just(Forbidden),
        1 => Just(Unreadable),
        1 => Just(Invalid),
    ]
}

fn writes() -> impl Strategy<Value = Write> {
    (0..2_usize, accesses(), 0..VALUES).prop_map(|(which, access, value)| Write { which, access, value })
}

pub(crate) fn claims() -> impl Strategy<Value = Claim> {
    use Claim::{Anothers, Elsewheres, Nobodys, Ours, PartlyAnothers, PartlyOurs};
    prop_oneof![
        4 => Just(Ours),
        2 => Just(Nobodys),
        1 => Just(PartlyOurs),
        2 => Just(Anothers),
        1 => Just(PartlyAnothers),
        1 => Just(Elsewheres),
    ]
}
