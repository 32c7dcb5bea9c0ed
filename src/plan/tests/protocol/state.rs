//! One state of the model: the object, AWS in two places, and two replicas. Large values stand in tables, so that a state is
//! a few small numbers.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// A region and account that AWS calls may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    Home,
    Abroad,
}

impl Place {
    pub(crate) const ALL: [Self; 2] = [Self::Home, Self::Abroad];

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Home => Self::Abroad,
            Self::Abroad => Self::Home,
        }
    }
}

/// AWS's state of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Life {
    /// CreateUser was accepted, and DescribeUsers does not show the user yet.
    Late,
    Active,
    Modifying,
    /// Somebody else deleted the user.
    Deleting,
    /// The operator deleted the user.
    DeletedByUs,
}

/// Who created a user, and whom its tags name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Holder {
    /// The operator created it for this object, with its tags.
    Ours,
    /// The same, but somebody removed the tags.
    Stripped,
    /// Somebody else's, with another owner's tags.
    Anothers,
    /// The user of a former owner. It has the name that this object asks for.
    Formers,
    /// The same, and this object adopted it after its owner was gone.
    Adopted,
    /// Somebody else's, without tags.
    Strangers,
    /// Somebody else's, without tags. It looks like ours, and came after the operator's DeleteUser.
    LookAlike,
    /// The same, but it came after every running replica had seen that ours is gone.
    LateLookAlike,
    /// Somebody else's, and the operator put this object's tags on it.
    Stolen,
}

impl Holder {
    /// The user must be deleted with the object.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::Adopted)
    }

    /// The user has the name that the object asks for.
    pub(crate) fn has_our_name(self) -> bool {
        match self {
            Self::Ours
            | Self::Formers
            | Self::Adopted
            | Self::Stripped
            | Self::LookAlike
            | Self::LateLookAlike => true,
            Self::Anothers | Self::Strangers | Self::Stolen => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct User {
    pub(crate) life: Life,
    pub(crate) holder: Holder,
}

/// An index into the table of object versions, memories, or passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectId(pub(crate) u32);
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MemoryId(pub(crate) u32);
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PassId(pub(crate) u32);

/// One replica. Each start is a process of its own, with an identity of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Replica {
    pub(crate) is_running: bool,
    /// Where its AWS calls go.
    pub(crate) place: Place,
    pub(crate) memory: MemoryId,
    /// The object that the memory is about: the first of its name, the second, and so on.
    pub(crate) memory_of: u8,
    /// The version in its cache when its last pass began. The cache may still show it.
    pub(crate) cached: Option<ObjectId>,
    /// The pass under way, before its next request.
    pub(crate) pass: Option<PassId>,
    /// What the model records of this pass.
    pub(crate) watched: Watched,
}

/// What the model records of a pass, to recognize a bad call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Watched {
    /// Where the last DescribeUsers went.
    pub(crate) described: Option<Place>,
    /// It showed the user `active`.
    pub(crate) saw_active: bool,
    /// The owner that the user's tags name was gone when the pass last asked.
    pub(crate) saw_owner_gone: bool,
    /// The CustomResourceDefinition was not being deleted when the pass asked, after it had last read the object.
    pub(crate) saw_definition_kept: bool,
    /// The object was terminating when the pass wrote its status.
    pub(crate) wrote_terminating: bool,
    /// A creation's window passed meanwhile. No pass takes so long that a second one passes.
    pub(crate) outlived_window: bool,
}

impl Replica {
    /// `memory` is an empty one.
    pub(crate) fn dead(memory: MemoryId) -> Self {
        let watched = Watched::default();
        let place = Place::Home;
        Self { is_running: false, place, memory, memory_of: 0, cached: None, pass: None, watched }
    }
}

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Violation {
    Orphan,
    DeletedForeignUser,
    DeletedNotActive,
    CreatedForTerminating,
    Stuck,
}

/// A state of the whole model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct State {
    /// The version that the API server has.
    pub(crate) object: Option<ObjectId>,
    /// AWS's users of the object's ID, one for each place.
    pub(crate) users: [Option<User>; 2],
    /// The owner exists that the tags of the former owner's user name.
    pub(crate) owner_exists: bool,
    /// The CustomResourceDefinition is not being deleted.
    pub(crate) definition_kept: bool,
    /// The region and account of a process that starts now.
    pub(crate) configured: Place,
    pub(crate) replicas: [Replica; 2],
    /// How many objects of the name there have been.
    pub(crate) objects_so_far: u8,
    /// The rest of the budget of faults.
    pub(crate) faults_left: u8,
    pub(crate) violation: Option<Violation>,
    /// The second replica is called P1 in a trace.
    pub(crate) is_exchanged: Unseen<bool>,
}

/// A value that is not compared: states that differ only in it are equal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unseen<T>(pub(crate) T);

impl<T> PartialEq for Unseen<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Unseen<T> {}

impl<T> PartialOrd for Unseen<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Unseen<T> {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl<T> Hash for Unseen<T> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl State {
    pub(crate) fn user(&self, place: Place) -> Option<User> {
        self.users[place as usize]
    }

    pub(crate) fn user_mut(&mut self, place: Place) -> &mut Option<User> {
        &mut self.users[place as usize]
    }

    /// The same after a fault of this cost.
    pub(crate) fn spend(self, cost: u8) -> Self {
        Self { faults_left: self.faults_left - cost, ..self }
    }
}
