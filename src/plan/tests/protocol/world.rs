//! The world that the model explores: the object, AWS in two places, and two operator processes, one of them perhaps frozen
//! in the middle of a pass. Small values only, so that a state is cheap to copy and to compare.

/// A region and account that AWS calls may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Home,
    Abroad,
}

impl Place {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Home => Self::Abroad,
            Self::Abroad => Self::Home,
        }
    }
}

/// AWS's state of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Life {
    /// CreateUser was accepted, and DescribeUsers does not show it yet.
    Late,
    Active,
    Modifying,
    Deleting,
    /// As well, after a DeleteUser of ours: whoever comes next is another one.
    Condemned,
}

/// Whose a user is, and what its tags say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// Created by this object's name, with its tags.
    Ours,
    /// Ours, but somebody took the tags off.
    Stripped,
    /// Somebody else's, with another owner's tags.
    Anothers,
    /// Somebody else's, without tags.
    Strangers,
    /// Such a one that looks just like ours, and came after it.
    Twin,
    /// Somebody else's, onto which the operator wrongly put this object's tags.
    Stolen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct User {
    pub(crate) life: Life,
    pub(crate) holder: Holder,
}

/// `status.createRequestedAt`: times are stamps, of which only equality and being recent matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Request {
    #[default]
    Never,
    /// Older than the window.
    Past(Place),
    /// The stamp, and where the CreateUser went.
    Open(u8, Place),
}

impl Request {
    pub(crate) fn stamp(self) -> u8 {
        match self {
            Self::Open(stamp, _) => stamp,
            Self::Never | Self::Past(_) => 0,
        }
    }

    pub(crate) fn place(self) -> Option<Place> {
        match self {
            Self::Never => None,
            Self::Past(place) | Self::Open(_, place) => Some(place),
        }
    }
}

/// What the reason of `Deleting` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Departing {
    /// Nothing of a DeleteUser.
    #[default]
    No,
    /// It is next; `true`: and none may have been accepted before.
    Announced(bool),
    /// What came of it, or of a look since.
    Told,
}

/// Whose identity (`userName`, `engine`, ..) status reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    #[default]
    Nothing,
    Ours,
    Strange,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Status {
    pub(crate) arn: Option<Place>,
    /// `lastApplied` is there.
    pub(crate) applied: bool,
    pub(crate) reported: Identity,
    /// `state` is `deleting`.
    pub(crate) deleting: bool,
    pub(crate) request: Request,
    pub(crate) departing: Departing,
}

/// One version of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Object {
    /// Its incarnation.
    pub(crate) uid: u8,
    pub(crate) version: u8,
    pub(crate) terminating: bool,
    /// Our finalizer is on it.
    pub(crate) held: bool,
    pub(crate) status: Status,
}

/// Whose a user is by the tags that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    Ours,
    Anothers,
    Nobodys,
}

/// A version that nobody has in hand any more.
const OLD: u8 = u8::MAX;

/// What a process remembers of the object between passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Memory {
    pub(crate) uid: u8,
    pub(crate) owner: Option<Whose>,
    /// The stamp of the CreateUser whose user was seen since.
    pub(crate) settled: u8,
    /// The version that it wrote last, where that matters: since it announced a deletion.
    pub(crate) wrote: u8,
    /// Status showed until then that the user was managed, and no DeleteUser may have been accepted since.
    pub(crate) managed: bool,
}

impl Memory {
    pub(crate) const NOTHING: Self = Self { uid: 0, owner: None, settled: 0, wrote: 0, managed: false };

    /// What it knows of a deletion is worth nothing any more.
    pub(crate) fn forget_departure(&mut self) {
        (self.wrote, self.managed) = (0, false);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sight {
    Unseen,
    Absent,
    /// Its state, and whether it is not the user that status reported.
    Seen(Life, bool),
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TagSight {
    Unread,
    Unreadable,
    Read(Whose),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    Unasked,
    Known,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mutation {
    Create,
    Tag,
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Accepted,
    Exists,
    NotFound,
    /// AWS refused: nothing happened.
    Refused,
    /// No answer: it may have happened.
    Lost,
}

/// A pass in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pass {
    /// The version that is decided on.
    pub(crate) object: Object,
    /// What status said when the pass began.
    pub(crate) record: Status,
    /// The goal is that there is no user.
    pub(crate) leaving: bool,
    /// `createRequestedAt` before this pass.
    pub(crate) former: Request,
    pub(crate) account: Account,
    pub(crate) user: Sight,
    pub(crate) tags: TagSight,
    pub(crate) remembered: Option<Whose>,
    /// UserNotFound is not to be believed yet.
    pub(crate) open: bool,
    pub(crate) announced: bool,
    pub(crate) confirmed: bool,
    /// This process announced the deletion, and knows the user by it.
    pub(crate) ours: bool,
    pub(crate) spared: bool,
    /// The object was terminating when its creation was announced.
    pub(crate) dying: bool,
    /// The mutation is done; its outcome is to be reported.
    pub(crate) did: Option<(Mutation, Answer)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) running: bool,
    pub(crate) place: Place,
    pub(crate) memory: Memory,
    /// What its cache showed when its last pass began, and may show still.
    pub(crate) stale: Option<Object>,
    pub(crate) pass: Option<Pass>,
}

impl Process {
    pub(crate) const DEAD: Self =
        Self { running: false, place: Place::Home, memory: Memory::NOTHING, stale: None, pass: None };
}

/// One state of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) object: Option<Object>,
    pub(crate) home: Option<User>,
    pub(crate) abroad: Option<User>,
    /// Where a process that starts now is told to work.
    pub(crate) configured: Place,
    pub(crate) processes: [Process; 2],
    /// How many objects of the name there have been.
    pub(crate) incarnations: u8,
    /// Mishaps that may still happen.
    pub(crate) budget: u8,
}

impl World {
    /// A new object, no user, one process.
    pub(crate) fn new(budget: u8) -> Self {
        let object =
            Object { uid: 1, version: 1, terminating: false, held: false, status: Status::default() };
        Self {
            object: Some(object),
            home: None,
            abroad: None,
            configured: Place::Home,
            processes: [Process { running: true, ..Process::DEAD }, Process::DEAD],
            incarnations: 1,
            budget,
        }
    }

    pub(crate) fn user(&self, place: Place) -> Option<User> {
        match place {
            Place::Home => self.home,
            Place::Abroad => self.abroad,
        }
    }

    pub(crate) fn user_mut(&mut self, place: Place) -> &mut Option<User> {
        match place {
            Place::Home => &mut self.home,
            Place::Abroad => &mut self.abroad,
        }
    }

    /// A version that no object had so far.
    pub(crate) fn next_version(&mut self) -> u8 {
        let mut newest = 0;
        self.each_object(|object| newest = newest.max(object.version));
        newest + 1
    }

    /// A time later than every other.
    pub(crate) fn next_stamp(&mut self) -> u8 {
        let mut newest = 0;
        self.each_request(|request| newest = newest.max(request.stamp()));
        newest + 1
    }

    /// Every version of the object that anybody has in hand.
    fn each_object(&mut self, mut visit: impl FnMut(&mut Object)) {
        self.object.iter_mut().for_each(&mut visit);
        for process in &mut self.processes {
            process.stale.iter_mut().for_each(&mut visit);
            process.pass.iter_mut().for_each(|pass| visit(&mut pass.object));
        }
    }

    pub(crate) fn each_request(&mut self, mut visit: impl FnMut(&mut Request)) {
        self.each_object(|object| visit(&mut object.status.request));
        for process in &mut self.processes {
            process.pass.iter_mut().for_each(|pass| visit(&mut pass.former));
        }
    }

    /// The same world with versions and stamps renumbered: only their order among each other means anything.
    pub(crate) fn canonical(mut self) -> Self {
        let (mut versions, mut stamps) = (0_u64, 0_u64);
        self.each_object(|object| versions |= 1 << object.version);
        self.each_request(|request| stamps |= 1 << request.stamp());
        stamps &= !1;
        let rank =
            |set: u64, value: u8| (set & ((2_u64 << value) - 1)).count_ones().try_into().unwrap_or(u8::MAX);
        self.each_object(|object| object.version = rank(versions, object.version));
        self.each_request(|request| {
            if let Request::Open(stamp, _) = request {
                *stamp = rank(stamps, *stamp);
            }
        });
        for process in &mut self.processes {
            let wrote = process.memory.wrote;
            if wrote == 0 || wrote == OLD {
                // Whatever is, or comes, is newer.
            } else if versions & (1 << wrote) != 0 {
                process.memory.wrote = rank(versions, wrote);
            } else {
                process.memory.wrote = OLD;
            }
            let settled = process.memory.settled;
            let known = settled > 0 && stamps & (1 << settled) != 0;
            process.memory.settled = if known { rank(stamps, settled) } else { 0 };
        }
        self
    }
}
