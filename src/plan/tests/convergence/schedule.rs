//! What befalls: mishaps, one for each call in turn, and what people do, one for each pass in turn. When both are used up,
//! nothing happens any more but what AWS does by itself.

use plan::*;
use proptest::prelude::*;

use crate::common::faults;
use crate::object::{Secret, Sense, TAGS};
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
    Deletes,
    Edits(Edit),
    Protects(bool),
    Secret(Secret),
    DefinitionGoes,
    /// Somebody else does something to the user, in AWS.
    Others(Others),
}

/// A change of the spec.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Engine(Engine),
    Access(usize),
    Authentication(AuthenticationType),
    Policy(DeletionPolicy),
    Sense(Sense),
    Tags(usize),
}

/// What somebody else does in AWS.
#[derive(Clone, Debug)]
pub(crate) enum Others {
    Creates(Claim),
    Deletes,
    ChangesAccess(usize),
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
        self.between.iter().any(|happening| matches!(happening, Happening::Others(_)))
    }
}

pub(crate) fn schedules() -> impl Strategy<Value = Schedule> {
    let calls = prop::collection::vec(mishaps(), 0..30);
    let between = prop::collection::vec(prop_oneof![2 => Just(Happening::Nothing), 1 => happenings()], 0..10);
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
        1 => prop_oneof![Just(Happening::AwsGoesOn), by_people()].prop_map(Mishap::Meanwhile),
    ]
}

fn happenings() -> impl Strategy<Value = Happening> {
    let others = prop_oneof![
        claims().prop_map(Others::Creates),
        Just(Others::Deletes),
        (0..ACCESS.len()).prop_map(Others::ChangesAccess),
        claims().prop_map(Others::Retags),
        (0..TAGS.len()).prop_map(Others::Labels),
    ];
    prop_oneof![4 => by_people(), 1 => Just(Happening::AwsGoesOn), 2 => others.prop_map(Happening::Others)]
}

fn by_people() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => Just(Happening::Touches),
        4 => Just(Happening::Deletes),
        4 => edits().prop_map(Happening::Edits),
        2 => any::<bool>().prop_map(Happening::Protects),
        2 => secrets().prop_map(Happening::Secret),
        1 => Just(Happening::DefinitionGoes),
    ]
}

fn edits() -> impl Strategy<Value = Edit> {
    prop_oneof![
        engines().prop_map(Edit::Engine),
        (0..ACCESS.len()).prop_map(Edit::Access),
        authentications().prop_map(Edit::Authentication),
        policies().prop_map(Edit::Policy),
        senses().prop_map(Edit::Sense),
        (0..TAGS.len()).prop_map(Edit::Tags),
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
    prop_oneof![8 => Just(Sense::Sound), 1 => Just(Sense::Broken), 1 => Just(Sense::Nameless)]
}

pub(crate) fn secrets() -> impl Strategy<Value = Secret> {
    use Secret::{Forbidden, Invalid, Missing, Readable};
    prop_oneof![3 => Just(Readable), 1 => Just(Missing), 1 => Just(Forbidden), 1 => Just(Invalid)]
}

pub(crate) fn claims() -> impl Strategy<Value = Claim> {
    use Claim::{Anothers, Nobodys, Ours, PartlyAnothers, PartlyOurs};
    prop_oneof![
        4 => Just(Ours),
        2 => Just(Nobodys),
        1 => Just(PartlyOurs),
        2 => Just(Anothers),
        1 => Just(PartlyAnothers),
    ]
}
