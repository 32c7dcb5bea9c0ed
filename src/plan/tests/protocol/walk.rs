//! The steps of a walk, and what may be wrong at its end, in sentences.

use std::fmt;

use crate::shell::Luck;
use crate::world::{Answer, Holder, Life, Place, Sight, TagSight, Whose};

/// What no walk may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bad {
    /// The object is gone, and a user with its tags is there, or will show.
    Orphan,
    /// DeleteUser hit a user that is not ours, or that belongs to a live object.
    Murder,
    /// DeleteUser was sent without having seen the user active.
    DeletedNotActive,
    /// CreateUser was sent for an object that was terminating when that was announced.
    CreatedForTheDying,
    /// However long one waits, the object does not go.
    Stuck,
}

/// A step of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Did {
    Describe(Sight),
    ReadTags(TagSight),
    AskAccount(Luck),
    Confirm(bool),
    Hold(bool),
    AnnounceCreation(bool),
    AnnounceDeparture(bool),
    AnnounceClaim(bool),
    Create(Luck, Answer),
    Tag(Answer),
    Delete(Answer),
    Release(bool),
    Report { why: &'static str, written: bool },
}

/// A step of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// A process starts.
    Start(usize),
    /// A process is killed.
    Crash(usize),
    /// A pass begins, on the newest version or a stale one.
    Begin(usize, bool),
    /// A pass goes on.
    Go(usize, Did),
    /// A user that was late is shown.
    Appear(Place),
    /// AWS is done with a change.
    Settle(Place),
    /// AWS has let a user go.
    Vanish(Place),
    /// The time in which a CreateUser may show is over.
    WindowPasses,
    PersonDeletes,
    PersonCreatesAgain,
    PersonMoves(Place),
    SomebodyCreates(Place, Holder),
    SomebodyReplaces(Place),
    SomebodyDeletes(Place),
    SomebodyModifies(Place),
    SomebodyStrips(Place),
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Orphan => "the object is gone, and its user is there for ever",
            Self::Murder => "DeleteUser hit a user that this object may not delete",
            Self::DeletedNotActive => "DeleteUser was sent to a user that was not seen active",
            Self::CreatedForTheDying => "CreateUser was sent for an object that was terminating already",
            Self::Stuck => "the object never goes",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = |who: &usize| if *who == 0 { "P1" } else { "P2" };
        match self {
            Self::Start(who) => write!(f, "{} starts", process(who)),
            Self::Crash(who) => write!(f, "{} is killed", process(who)),
            Self::Begin(who, false) => write!(f, "{} begins a pass on the newest version", process(who)),
            Self::Begin(who, true) => write!(f, "{} begins a pass on a stale version", process(who)),
            Self::Go(who, did) => write!(f, "{} {did}", process(who)),
            Self::Appear(place) => write!(f, "the user that was late shows {}", at(*place)),
            Self::Settle(place) => write!(f, "AWS is done changing the user {}", at(*place)),
            Self::Vanish(place) => write!(f, "AWS has let the user go {}", at(*place)),
            Self::WindowPasses => f.write_str("the creation's window passes"),
            Self::PersonDeletes => f.write_str("a person deletes the object"),
            Self::PersonCreatesAgain => f.write_str("a person creates the object again"),
            Self::PersonMoves(place) => write!(f, "a person has new processes work {}", at(*place)),
            Self::SomebodyCreates(place, Holder::Anothers) => {
                write!(f, "somebody else creates a user with an owner's tags {}", at(*place))
            }
            Self::SomebodyCreates(place, _) => {
                write!(f, "somebody else creates a user without tags {}", at(*place))
            }
            Self::SomebodyReplaces(place) => {
                write!(
                    f,
                    "AWS has let the user go, and somebody else creates one that looks like it {}",
                    at(*place)
                )
            }
            Self::SomebodyDeletes(place) => write!(f, "somebody else deletes the user {}", at(*place)),
            Self::SomebodyModifies(place) => write!(f, "somebody else changes the user {}", at(*place)),
            Self::SomebodyStrips(place) => {
                write!(f, "somebody else takes the user's tags off {}", at(*place))
            }
        }
    }
}

fn at(place: Place) -> &'static str {
    match place {
        Place::Home => "at home",
        Place::Abroad => "abroad",
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = |ok: bool| if ok { "" } else { ", which is refused or in vain: the pass ends" };
        match self {
            Self::Describe(sight) => f.write_str(match sight {
                Sight::Absent => "describes the user: UserNotFound",
                Sight::Seen(Life::Active, _) => "describes the user: active",
                Sight::Seen(Life::Modifying, _) => "describes the user: modifying",
                Sight::Seen(..) => "describes the user: deleting",
                Sight::Failed | Sight::Unseen => "describes the user: no answer",
            }),
            Self::ReadTags(tags) => f.write_str(match tags {
                TagSight::Read(Whose::Ours) => "reads its tags: ours",
                TagSight::Read(Whose::Anothers) => "reads its tags: another's",
                TagSight::Read(Whose::Nobodys) => "reads its tags: none",
                TagSight::Unreadable | TagSight::Unread => "reads its tags: not now",
            }),
            Self::AskAccount(luck) => write!(f, "asks for the account: {luck:?}"),
            Self::Confirm(ok) => write!(f, "reads the object again{}", ends(*ok)),
            Self::Hold(ok) => write!(f, "puts the finalizer on{}", ends(*ok)),
            Self::AnnounceCreation(ok) => write!(f, "writes createRequestedAt{}", ends(*ok)),
            Self::AnnounceDeparture(ok) => write!(f, "writes Deleting=DeletingUser{}", ends(*ok)),
            Self::AnnounceClaim(ok) => write!(f, "writes lastApplied again{}", ends(*ok)),
            Self::Create(luck, answer) => write!(f, "calls CreateUser: {answer:?} ({luck:?})"),
            Self::Tag(answer) => write!(f, "calls AddTagsToResource: {answer:?}"),
            Self::Delete(answer) => write!(f, "calls DeleteUser: {answer:?}"),
            Self::Release(ok) => write!(f, "takes the finalizer off{}", ends(*ok)),
            Self::Report { why, written: true } => write!(f, "reports {why}"),
            Self::Report { why, written: false } => write!(f, "reports {why}, too late: dropped"),
        }
    }
}
