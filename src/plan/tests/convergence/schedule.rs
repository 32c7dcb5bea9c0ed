//! What befalls: mishaps, one for each call in turn, and what people do, one for each pass in turn. When both are used up,
//! nothing happens any more but what AWS does by itself.

use plan::*;
use proptest::prelude::*;

use crate::common::faults;
use crate::object::{Sense, TAGS};
use crate::secrets::{Access, SOURCES, VALUES, Write};
use crate::service::ACCESS;

/// What befalls one call, of AWS or of the API server.
#[derive(Clone, Debug)]
pub(crate) enum Mishap {
    Fine,
    /// The call is refused, and nothing happened.
    Refused(Fault),
    /// It happened, and the answer is lost.
    Lost,
    /// The answer is that of a moment ago; a CreateUser shows only later; tags cannot be read just now.
    Late,
    /// The process is killed before the call.
    KilledBefore,
    /// The process is killed when the call has happened.
    KilledAfter,
    /// Something happens right before the call.
    Meanwhile(Happening),
}

/// What happens outside of the operator.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Nothing,
    /// AWS goes on with what it does.
    AwsGoesOn,
    /// Somebody writes the object, though nothing that matters.
    Touches,
    /// Somebody asks for a pass.
    Requests,
    Deletes,
    Edits(Edit),
    Protects(bool),
    Secret(Write),
    DefinitionGoes,
    /// Whether the object that another owner's tags name is there.
    Other(Other),
    /// Somebody else does something to the user, in AWS.
    Others(Others),
    /// The process is killed, and another one begins.
    Restarts,
}

/// A change of the spec.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Engine(Engine),
    Access(usize),
    Authentication(AuthenticationType),
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
    /// From now on it is used without a password.
    OpensIt(AuthenticationType),
    /// From now on it has passwords of somebody else's.
    ChangesPasswords(Vec<usize>),
    /// AWS is at work on it, in a state of a name never heard of.
    Hibernates,
    Retags(Claim),
    /// The tags that are not an owner's.
    Labels(usize),
}

/// What the tags of a user say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Ours,
    /// Some of our owner tags, and none of another's.
    PartlyOurs,
    Anothers,
    /// One owner tag, which names another object.
    PartlyAnothers,
    /// An object of the same name in another cluster.
    Elsewheres,
    Nobodys,
}

#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) calls: Vec<Mishap>,
    /// Before each pass.
    pub(crate) between: Vec<Happening>,
    /// At last people lift the protection and mend the Secret.
    pub(crate) mended: bool,
}

impl Schedule {
    /// Somebody else has a hand in it, so that what becomes of the user cannot be told from how it was.
    pub(crate) fn has_others(&self) -> bool {
        let others = |happening: &Happening| matches!(happening, Happening::Others(_));
        let meanwhile = |mishap: &Mishap| matches!(mishap, Mishap::Meanwhile(Happening::Others(_)));
        self.between.iter().any(others) || self.calls.iter().any(meanwhile)
    }
}

pub(crate) fn schedules() -> impl Strategy<Value = Schedule> {
    let calls = prop::collection::vec(mishaps(), 0..40);
    let between = prop::collection::vec(prop_oneof![2 => Just(Happening::Nothing), 1 => happenings()], 0..14);
    (calls, between, any::<bool>()).prop_map(|(calls, between, mended)| Schedule { calls, between, mended })
}

/// Simplest first: a case that fails shrinks towards it.
fn mishaps() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        6 => Just(Mishap::Fine),
        2 => prop::sample::select(faults()).prop_map(Mishap::Refused),
        1 => Just(Mishap::Lost),
        1 => Just(Mishap::Late),
        1 => prop_oneof![Just(Mishap::KilledBefore), Just(Mishap::KilledAfter)],
        1 => happenings().prop_map(Mishap::Meanwhile),
    ]
}

fn happenings() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => by_people(),
        1 => Just(Happening::AwsGoesOn),
        1 => Just(Happening::Restarts),
        3 => by_others().prop_map(Happening::Others),
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

fn by_people() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => Just(Happening::Touches),
        1 => Just(Happening::Requests),
        4 => Just(Happening::Deletes),
        10 => edits().prop_map(Happening::Edits),
        2 => any::<bool>().prop_map(Happening::Protects),
        6 => writes().prop_map(Happening::Secret),
        1 => Just(Happening::DefinitionGoes),
        2 => others().prop_map(Happening::Other),
    ]
}

fn edits() -> impl Strategy<Value = Edit> {
    prop_oneof![
        1 => engines().prop_map(Edit::Engine),
        1 => (0..ACCESS.len()).prop_map(Edit::Access),
        2 => authentications().prop_map(Edit::Authentication),
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
pub(crate) fn others() -> impl Strategy<Value = Other> {
    prop_oneof![2 => Just(Other::There), 2 => Just(Other::Gone), 1 => Just(Other::Unknown)]
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
