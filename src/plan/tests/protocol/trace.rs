//! The steps of a trace, and the violations, as sentences.

use std::fmt;

use plan::ObjectFacts;

use crate::model::Protocol;
use crate::outside::Fault;
use crate::state::{Holder, Life, Place, State, User, Violation};

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// A process starts.
    Start(usize),
    /// A process is killed.
    Crash(usize),
    /// The credentials of a running process change to another account.
    CredentialsChange(usize),
    /// A pass begins, on the newest version or a stale one.
    Begin {
        who: usize,
        stale: bool,
    },
    /// A pass makes its next request.
    Go {
        who: usize,
        request: &'static str,
        fault: Fault,
        cost: u8,
    },
    /// AWS begins to show a user that it created before.
    Appear(Place),
    /// AWS has finished a change.
    Settle(Place),
    /// AWS has finished the deletion of a user.
    Vanish(Place),
    /// The time in which a created user may still show is over.
    WindowPasses,
    PersonDeletes,
    PersonCreatesAgain,
    PersonMoves(Place),
    PersonDeletesDefinition,
    OwnerGoes,
    OwnerReturns,
    SomebodyCreates(Place, Holder),
    SomebodyReplaces(Place),
    SomebodyDeletes(Place),
    SomebodyModifies(Place),
    SomebodyStrips(Place),
}

impl Step {
    /// The same step after the replicas were exchanged.
    pub(crate) fn named(self, is_exchanged: bool) -> Self {
        let other = |who: usize| if is_exchanged { 1 - who } else { who };
        match self {
            Self::Start(who) => Self::Start(other(who)),
            Self::Crash(who) => Self::Crash(other(who)),
            Self::CredentialsChange(who) => Self::CredentialsChange(other(who)),
            Self::Begin { who, stale } => Self::Begin { who: other(who), stale },
            Self::Go { who, request, fault, cost } => Self::Go { who: other(who), request, fault, cost },
            step => step,
        }
    }

    /// How many faults of the budget the step uses.
    pub(crate) fn cost(self) -> u8 {
        match self {
            Self::Go { cost, .. } => cost,
            Self::Begin { stale, .. } => u8::from(stale),
            Self::Start(_)
            | Self::Appear(_)
            | Self::Settle(_)
            | Self::Vanish(_)
            | Self::WindowPasses
            | Self::PersonDeletes => 0,
            Self::Crash(_)
            | Self::CredentialsChange(_)
            | Self::PersonCreatesAgain
            | Self::PersonMoves(_)
            | Self::PersonDeletesDefinition
            | Self::OwnerGoes
            | Self::OwnerReturns
            | Self::SomebodyCreates(..)
            | Self::SomebodyReplaces(_)
            | Self::SomebodyDeletes(_)
            | Self::SomebodyModifies(_)
            | Self::SomebodyStrips(_) => 1,
        }
    }
}

impl Violation {
    /// The property that this violation breaks.
    pub(crate) fn claim(self) -> &'static str {
        match self {
            Self::Orphan => "an object takes its user with it",
            Self::DeletedForeignUser => "DeleteUser only hits a user of ours whose object goes",
            Self::DeletedNotActive => "DeleteUser is only sent to a user that was seen active",
            Self::CreatedForTerminating => "CreateUser is never sent for an object that was terminating",
            Self::Stuck => "fair steps lead to the object being gone",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Orphan => "the object is gone, and its user stays for ever",
            Self::DeletedForeignUser => "DeleteUser hit a user that this object may not delete",
            Self::DeletedNotActive => "DeleteUser was sent to a user that was not seen active",
            Self::CreatedForTerminating => {
                "CreateUser was sent, though the object was terminating when its intent was written"
            }
            Self::Stuck => "the object never goes",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |who: usize| if who == 0 { "P1" } else { "P2" };
        match *self {
            Self::Start(who) => write!(f, "{} starts", name(who)),
            Self::Crash(who) => write!(f, "{} is killed", name(who)),
            Self::CredentialsChange(who) => {
                write!(f, "the credentials of {} change to the other account", name(who))
            }
            Self::Begin { who, stale: false } => write!(f, "{} begins a pass", name(who)),
            Self::Begin { who, stale: true } => write!(f, "{} begins a pass on a stale version", name(who)),
            Self::Go { who, request, fault, .. } => write!(f, "{}: {request}{}", name(who), words(fault)),
            Self::Appear(place) => write!(f, "the user that was late shows {}", at(place)),
            Self::Settle(place) => write!(f, "AWS is done changing the user {}", at(place)),
            Self::Vanish(place) => write!(f, "AWS has let the user go {}", at(place)),
            Self::WindowPasses => f.write_str("the creation's window passes"),
            Self::PersonDeletes => f.write_str("a person deletes the object"),
            Self::PersonCreatesAgain => f.write_str("a person creates the object again"),
            Self::PersonDeletesDefinition => f.write_str("a person deletes the CustomResourceDefinition"),
            Self::OwnerGoes => f.write_str("the user's owner goes"),
            Self::OwnerReturns => f.write_str("the user's owner comes back"),
            Self::PersonMoves(place) => write!(f, "a person has new processes work {}", at(place)),
            Self::SomebodyCreates(place, holder) => {
                write!(f, "somebody else creates a user {} {}", tags(holder), at(place))
            }
            Self::SomebodyReplaces(place) => {
                write!(
                    f,
                    "AWS has let the user go, and somebody else creates one that looks like it {}",
                    at(place)
                )
            }
            Self::SomebodyDeletes(place) => write!(f, "somebody else deletes the user {}", at(place)),
            Self::SomebodyModifies(place) => write!(f, "somebody else changes the user {}", at(place)),
            Self::SomebodyStrips(place) => write!(f, "somebody else takes the user's tags off {}", at(place)),
        }
    }
}

fn at(place: Place) -> &'static str {
    match place {
        Place::Home => "at home",
        Place::Abroad => "abroad",
    }
}

fn words(fault: Fault) -> &'static str {
    match fault {
        Fault::None => "",
        Fault::Lost => ", and the answer is lost",
        Fault::TimedOut => ", and the pass ends without the answer",
        Fault::Late => ", and the user will show later",
        Fault::LostAndLate => ", the answer is lost, and the user will show later",
        Fault::Refused => " is refused",
        Fault::Dropped => " never arrives, and no answer comes",
    }
}

fn tags(holder: Holder) -> &'static str {
    match holder {
        Holder::Ours => "of ours",
        Holder::Stripped => "of ours that lost its tags",
        Holder::Formers => "with its former owner's tags",
        Holder::Adopted => "that this object adopted",
        Holder::Anothers => "with another owner's tags",
        Holder::Strangers => "without tags",
        Holder::LookAlike | Holder::LateLookAlike => "without tags that looks like ours",
        Holder::Stolen => "of somebody else that carries our tags now",
    }
}

impl Protocol {
    /// The state in sentences, for the explorer and for traces.
    pub(crate) fn show(&self, state: &State) -> String {
        let tables = self.tables();
        let mut lines = vec![match state.object {
            None => "there is no object".to_owned(),
            Some(object) => show_object(tables.object(object)),
        }];
        for place in Place::ALL {
            if let Some(User { life, holder }) = state.user(place) {
                let life = if life == Life::Late { "not shown yet".to_owned() } else { format!("{life:?}") };
                lines.push(format!("AWS has a user {} {}: {life}", tags(holder), at(place)));
            }
        }
        for (who, replica) in state.replicas.iter().enumerate().filter(|(_, replica)| replica.is_running) {
            let doing = match replica.pass {
                None => format!("is idle and remembers {:?}", tables.memory(replica.memory)),
                Some(pass) => format!("is in a pass: {:#?}", tables.pass(pass)),
            };
            lines.push(format!("P{} works {} and {doing}", who + 1, at(replica.place)));
        }
        lines.extend(state.violation.map(|violation| violation.to_string()));
        lines.join("\n")
    }
}

/// A version of the object in one line.
pub(crate) fn show_object(object: &ObjectFacts) -> String {
    let status = &object.status;
    let reasons: Vec<String> = status
        .conditions
        .iter()
        .map(|condition| {
            format!("{}={}: {}", condition.kind.as_str(), condition.status.as_str(), condition.reason)
        })
        .collect();
    format!(
        "object {}, version {}{}{}: [{}], state {:?}, location {:?}, lastApplied {}, createRequestedAt {:?}, deleteRequestedBy {:?}",
        object.uid,
        object.version.0,
        if object.terminating { ", terminating" } else { "" },
        if object.has_finalizer { ", with finalizer" } else { "" },
        reasons.join(", "),
        status.state,
        status.location,
        status.last_applied.is_some(),
        status.create_requested_at.map(|at| at.0 % 1_000_000),
        status.delete_requested_by,
    )
}
