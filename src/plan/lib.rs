//! Pure: what to do next, given what is wanted and what is known.
//!
//! [`plan`] is the operator's specification. It is synchronous and total: no I/O, clock, randomness, logger or error. What
//! cannot be decided yet is an [`Action`] as well: [`Action::Look`] names the fact that is missing, [`Action::Announce`] the
//! write that has to stand in the object's status first. The shell does what the action says, adds the answer to
//! [`Observed`] and asks again, until an action ends the pass. So a pass makes no call that its decision did not need, and
//! the guards of the deletion protocol are decisions that tests can walk through, step by step.
//!
//! Everything that a person sees follows from the last action and its [`Outcome`](verdict::Outcome): see [`verdict`].

pub mod access_string;
mod changes;
pub mod classify;
mod model;
pub mod pace;
pub mod verdict;

pub use changes::{AuthenticationChange, Changes, LastApplied, applied, changes};
pub use classify::{Fault, Rejection, Said};
pub use model::*;

/// What the object asks for, resolved and parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A user like this.
    Present(Desired),
    /// Something that cannot be had: a person has to change it.
    Unattainable(Refusal),
    /// No user: the object is on its way out.
    Gone(Departure),
}

/// The user that the object asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Its ID.
    pub user_id: UserId,
    /// Its name.
    pub user_name: String,
    /// Its engine.
    pub engine: Engine,
    /// Its access string, as the object has it.
    pub access_string: String,
    /// How it authenticates.
    pub authentication: Authentication,
    /// The tags of the spec.
    pub tags: Tags,
    /// The object, as owner tags name it.
    pub owner: Owner,
    /// The object's uid.
    pub uid: String,
}

/// How the user authenticates, with what that needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// With these passwords, or why they are not known.
    Password(Result<Passwords, SecretProblem>),
    /// With AWS IAM.
    Iam,
    /// Not at all.
    NoPassword,
}

impl Authentication {
    /// The type alone.
    #[must_use]
    pub fn kind(&self) -> AuthenticationType {
        match self {
            Self::Password(_) => AuthenticationType::Password,
            Self::Iam => AuthenticationType::Iam,
            Self::NoPassword => AuthenticationType::NoPassword,
        }
    }
}

/// What is left of an object that is being deleted: deliberately little, so that nothing in its spec can block the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The user it stands for; `None` where its spec names none that could ever exist.
    pub user_id: Option<UserId>,
    /// The object, as owner tags name it.
    pub owner: Owner,
    /// The object's uid.
    pub uid: String,
    /// The annotation `prevent-deletion` is there.
    pub protected: bool,
    /// What becomes of the AWS user.
    pub policy: DeletionPolicy,
}

/// What becomes of the AWS user when its object goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeletionPolicy {
    /// It is deleted.
    Delete,
    /// It stays as it is.
    Retain,
}

/// What is known so far in this pass. Begins with what status remembers and grows by one fact with each look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// What status remembers.
    pub record: Record,
    /// Where AWS calls go.
    pub here: Place,
    /// DescribeUsers.
    pub user: Sight,
    /// ListTagsForResource in this pass.
    pub tags: TagSight,
    /// Whose the user was when this process last read its tags.
    pub remembered: Option<Ownership>,
    /// The CustomResourceDefinition.
    pub definition: Definition,
    /// The write that must precede the next mutation stands in status, and the object was not terminating (create) or not
    /// changed (delete) when it was written.
    pub announced: bool,
    /// With the rate limiter's token in hand, the object was read again and is the version that this pass decides on.
    pub confirmed: bool,
}

/// What status and this process remember of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The user's ARN, once it was seen.
    pub arn: Option<Arn>,
    /// What was last sent, and what AWS made of it.
    pub last_applied: Option<LastApplied>,
    /// What status last reported of the user.
    pub reported: Option<Reported>,
    /// A CreateUser of this object whose outcome may still show.
    pub creation: Creation,
    /// AWS accepted a DeleteUser, or `deleting` was seen.
    pub deletion_accepted: bool,
    /// A DeleteUser may have been accepted (announced, or its answer lost): a user that is `active` now and lacks our tags
    /// may be another one.
    pub deletion_possible: bool,
    /// Status says that DeleteUser is next, or what came of the last one.
    pub departure_announced: bool,
    /// A ModifyUser of ours is being applied.
    pub modifying: bool,
}

/// What status last reported of the user: its identity, for a user that lost its tags.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reported {
    /// `userName`.
    pub user_name: String,
    /// `engine`.
    pub engine: String,
    /// `authentication.type`.
    pub authentication_type: String,
    /// `accessString`.
    pub access_string: String,
}

/// Whether a CreateUser of this object may still take effect unseen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Creation {
    /// No: none was sent, AWS refused it, its user was seen, or it is too long ago.
    #[default]
    Closed,
    /// Yes: UserNotFound is not to be believed yet.
    Open,
}

/// Where AWS calls go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The region, from the configuration.
    pub region: String,
    /// The account.
    pub account: Account,
}

/// The account that AWS calls go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// Nobody asked yet.
    Unasked,
    /// Read from an ARN.
    Known(String),
    /// AWS does not tell: the region decides alone, so that nothing waits for ever.
    Untold,
    /// Asking failed.
    Failed(Fault),
}

/// What DescribeUsers shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Not asked yet.
    Unseen,
    /// UserNotFound.
    Absent,
    /// The user.
    Seen(RemoteUser),
    /// No answer that says either.
    Failed(Fault),
}

/// What ListTagsForResource shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagSight {
    /// Not asked yet.
    Unread,
    /// The tags.
    Read(Tags),
    /// 404: the user is not active, or its tags have just been changed (B92). Says nothing about the user.
    Unreadable,
    /// No answer.
    Failed(Fault),
}

/// Whether the CustomResourceDefinition itself is being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Definition {
    /// Not asked yet.
    Unread,
    /// It stays.
    Stays,
    /// It is being deleted, and every object with it.
    Going,
    /// The API server does not tell.
    Unreadable,
}

/// What to do next. Each carries every argument: whoever performs it has no choice left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A fact is missing.
    Look(Look),
    /// A status write has to precede the next mutation.
    Announce(Announcement),
    /// CreateUser.
    Create(Create),
    /// ModifyUser.
    Modify(Modify),
    /// AddTagsToResource: the owner tags are put back.
    Tag(Tag),
    /// DeleteUser.
    Delete(Delete),
    /// The finalizer goes.
    Release(Release),
    /// Time will tell.
    Wait(Wait),
    /// A person has to change something.
    Refuse(Refusal),
    /// The user is as it should be.
    Rest,
}

/// A fact to find out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// The user, by DescribeUsers.
    User(UserId),
    /// Its tags, by ListTagsForResource.
    Tags(Arn),
    /// The account, by DescribeUsers of the user `default`, which every account has (B20).
    Account,
    /// The CustomResourceDefinition, uncached.
    Definition,
    /// The object and the CustomResourceDefinition, uncached, once the rate limiter's token is in hand.
    Object,
}

/// A status write that precedes a mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// `createRequestedAt`, with the keys of the tags that are about to be sent. Needs the rate limiter's token first.
    Creation {
        /// Keys of the spec's tags.
        tag_keys: Vec<String>,
    },
    /// The `Deleting` condition: from here on an `active` user without our tags is not the one that we had.
    Departure,
}

/// Arguments of CreateUser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// `UserId`.
    pub user_id: UserId,
    /// `UserName`.
    pub user_name: String,
    /// `Engine`.
    pub engine: Engine,
    /// `AccessString`.
    pub access_string: String,
    /// `AuthenticationMode`.
    pub authentication: AuthenticationChange,
    /// `Tags`: the owner's and the spec's.
    pub tags: Tags,
}

/// Arguments of ModifyUser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modify {
    /// `UserId`.
    pub user_id: UserId,
    /// What is sent: only what differs.
    pub changes: Changes,
}

/// Arguments of AddTagsToResource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// `ResourceName`.
    pub arn: Arn,
    /// `Tags`.
    pub tags: Tags,
}

/// Arguments of DeleteUser.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delete {
    /// `UserId`.
    pub user_id: UserId,
}

/// Why the finalizer may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    /// DescribeUsers answers UserNotFound, here, and nothing of ours can appear any more.
    UserGone,
    /// The object names no user that could exist.
    NoSuchUser,
    /// `deletionPolicy: Retain`.
    Retained {
        /// DeleteUser was accepted before the policy changed: AWS will not keep the user.
        deletion_accepted: bool,
    },
    /// The CustomResourceDefinition is being deleted: every user is retained.
    DefinitionGoing {
        /// DeleteUser was accepted before.
        deletion_accepted: bool,
    },
    /// The user belongs to somebody else, and stays.
    LeftToOwner(Owner),
    /// The user belongs to no object, and stays.
    LeftUnowned,
}

/// What the pass waits for; time heals each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The annotation `prevent-deletion` holds the object.
    Protected,
    /// A CreateUser of ours may still take effect.
    CreationOpen,
    /// AWS lets the user go.
    UserDeleting,
    /// A user of the same ID is on its way out; ours is created afterwards.
    PreviousUser,
    /// The user is being created.
    Creating,
    /// Our ModifyUser is being applied.
    Modifying,
    /// The user is not `active`, for a reason of somebody else's.
    UserNotActive(Lifecycle),
    /// Whose the user is cannot be read now.
    OwnerUnknown(Lifecycle),
    /// The passwords cannot be read.
    Secret(SecretProblem),
    /// Whether the CustomResourceDefinition is going cannot be read.
    DefinitionUnreadable,
    /// On the way out: the user is in another account or region than the one talked to.
    Elsewhere(Elsewhere),
    /// A look failed.
    Failed(Read, Fault),
}

/// A read of AWS, for sentences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Read {
    /// DescribeUsers.
    DescribeUsers,
    /// ListTagsForResource.
    ListTagsForResource,
}

/// What only a person can mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The spec cannot be made real; says why.
    InvalidSpec(String),
    /// The Secret's value cannot be a password.
    InvalidPassword(SecretProblem),
    /// A user of this ID is there and belongs to no object.
    UserAlreadyExists,
    /// A user of this ID is there and belongs to another object.
    UserOwnedByAnother(Owner),
    /// The user is in another account or region than the one talked to.
    Elsewhere(Elsewhere),
}

/// The user that status knows is not where AWS calls go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The ARN in status.
    pub recorded: Arn,
    /// The region that is talked to.
    pub region: String,
    /// The account that is talked to, where it is known.
    pub account: Option<String>,
}

/// Decides the next action. See the crate's documentation.
#[must_use]
pub fn plan(goal: &Goal, observed: &Observed) -> Action {
    match goal {
        Goal::Present(desired) => stay(desired, observed),
        Goal::Unattainable(refusal) => Action::Refuse(refusal.clone()),
        Goal::Gone(departure) => leave(departure, observed),
    }
}

/// The user should be there.
fn stay(desired: &Desired, observed: &Observed) -> Action {
    match &observed.user {
        Sight::Unseen => Action::Look(Look::User(desired.user_id.clone())),
        Sight::Failed(fault) => Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone())),
        Sight::Absent => match absence(observed) {
            Absence::Here => create(desired, observed),
            Absence::Elsewhere(elsewhere) => Action::Refuse(Refusal::Elsewhere(elsewhere)),
            Absence::Ask(action) => action,
        },
        Sight::Seen(user) => match elsewhere(&observed.record, user) {
            Some(elsewhere) => Action::Refuse(Refusal::Elsewhere(elsewhere)),
            None => keep(desired, user, observed),
        },
    }
}

fn create(desired: &Desired, observed: &Observed) -> Action {
    let authentication = match authentication_to_send(&desired.authentication) {
        Ok(authentication) => authentication,
        Err(action) => return action,
    };
    if !observed.announced {
        let tag_keys = desired.tags.keys().cloned().collect();
        return Action::Announce(Announcement::Creation { tag_keys });
    }
    let mut tags = desired.tags.clone();
    tags.extend(desired.owner.tags(&desired.uid));
    Action::Create(Create {
        user_id: desired.user_id.clone(),
        user_name: desired.user_name.clone(),
        engine: desired.engine,
        access_string: desired.access_string.clone(),
        authentication,
        tags,
    })
}

/// A user of this ID is there, in the right place.
fn keep(desired: &Desired, user: &RemoteUser, observed: &Observed) -> Action {
    if user.lifecycle == Lifecycle::Deleting {
        return Action::Wait(Wait::PreviousUser);
    }
    match ownership(&desired.owner, user, observed) {
        Known::Ask(action) => action,
        Known::As(Ownership::Ours) => match &user.lifecycle {
            _ if user.user_name != desired.user_name => Action::Refuse(Refusal::InvalidSpec(format!(
                "AWS user \"{}\" has the user name \"{}\", not \"{}\", and a user name cannot change",
                user.user_id, user.user_name, desired.user_name
            ))),
            Lifecycle::Active => change(desired, user, observed),
            Lifecycle::Creating => Action::Wait(Wait::Creating),
            Lifecycle::Modifying if observed.record.modifying => Action::Wait(Wait::Modifying),
            busy @ (Lifecycle::Modifying | Lifecycle::Deleting | Lifecycle::Unrecognized(_)) => {
                Action::Wait(Wait::UserNotActive(busy.clone()))
            }
        },
        Known::As(Ownership::Anothers(owner)) => Action::Refuse(Refusal::UserOwnedByAnother(owner)),
        Known::As(Ownership::Nobodys) if still_ours(&observed.record, user) => {
            put_tags_back(&desired.owner, &desired.uid, user, observed)
        }
        Known::As(Ownership::Nobodys) => Action::Refuse(Refusal::UserAlreadyExists),
    }
}

/// The user is ours and `active`.
fn change(desired: &Desired, user: &RemoteUser, observed: &Observed) -> Action {
    let differences = changes(desired, user, &observed.record);
    let secret = match &desired.authentication {
        Authentication::Password(Err(problem)) => Some(problem),
        Authentication::Password(Ok(_)) | Authentication::Iam | Authentication::NoPassword => None,
    };
    match (differences, secret) {
        (Err(problem), _) => lacking(&problem),
        (Ok(None), Some(problem)) => lacking(problem),
        (Ok(None), None) => Action::Rest,
        (Ok(Some(changes)), _) => owner_just_read(user, observed)
            .unwrap_or_else(|| Action::Modify(Modify { user_id: desired.user_id.clone(), changes })),
    }
}

/// The object is on its way out: the first match of `api.md`'s list holds.
fn leave(departure: &Departure, observed: &Observed) -> Action {
    if departure.protected {
        return Action::Wait(Wait::Protected);
    }
    let Some(user_id) = &departure.user_id else {
        return Action::Release(Release::NoSuchUser);
    };
    let deletion_accepted = observed.record.deletion_accepted;
    if departure.policy == DeletionPolicy::Retain {
        return let_go(user_id, observed, Release::Retained { deletion_accepted });
    }
    match observed.definition {
        Definition::Unread => return Action::Look(Look::Definition),
        Definition::Going => {
            return let_go(user_id, observed, Release::DefinitionGoing { deletion_accepted });
        }
        Definition::Stays | Definition::Unreadable => {}
    }
    match &observed.user {
        Sight::Unseen => Action::Look(Look::User(user_id.clone())),
        Sight::Failed(fault) => Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone())),
        Sight::Absent => match absence(observed) {
            Absence::Here => let_go(user_id, observed, Release::UserGone),
            Absence::Elsewhere(elsewhere) => Action::Wait(Wait::Elsewhere(elsewhere)),
            Absence::Ask(action) => action,
        },
        Sight::Seen(user) => match elsewhere(&observed.record, user) {
            Some(elsewhere) => Action::Wait(Wait::Elsewhere(elsewhere)),
            None => part(departure, user_id, user, observed),
        },
    }
}

/// The finalizer goes without a mutation, though not while a user of ours may appear that nobody would ever delete.
///
/// Where the user is to stay, a CreateUser whose answer is in status has nothing left to show.
fn let_go(user_id: &UserId, observed: &Observed, why: Release) -> Action {
    let answered = why != Release::UserGone && observed.record.arn.is_some();
    match (observed.record.creation, &observed.user) {
        (Creation::Open, _) if answered => Action::Release(why),
        (Creation::Closed, _) | (Creation::Open, Sight::Seen(_)) => Action::Release(why),
        (Creation::Open, Sight::Unseen) => Action::Look(Look::User(user_id.clone())),
        (Creation::Open, Sight::Absent | Sight::Failed(_)) => Action::Wait(Wait::CreationOpen),
    }
}

/// A user of this ID is there, in the right place, and should go if it is ours.
fn part(departure: &Departure, user_id: &UserId, user: &RemoteUser, observed: &Observed) -> Action {
    match (ownership(&departure.owner, user, observed), &user.lifecycle) {
        (Known::Ask(action), _) => action,
        (Known::As(Ownership::Anothers(owner)), _) => Action::Release(Release::LeftToOwner(owner)),
        (Known::As(Ownership::Ours), Lifecycle::Deleting) => Action::Wait(Wait::UserDeleting),
        (
            Known::As(Ownership::Ours),
            busy @ (Lifecycle::Creating | Lifecycle::Modifying | Lifecycle::Unrecognized(_)),
        ) => Action::Wait(Wait::UserNotActive(busy.clone())),
        // It was nobody's, which only its tags can confirm, and nothing of it is shown as ours meanwhile.
        (
            Known::As(Ownership::Nobodys),
            busy @ (Lifecycle::Creating
            | Lifecycle::Modifying
            | Lifecycle::Deleting
            | Lifecycle::Unrecognized(_)),
        ) => Action::Wait(Wait::OwnerUnknown(busy.clone())),
        (Known::As(Ownership::Ours), Lifecycle::Active) => {
            owner_just_read(user, observed).unwrap_or_else(|| delete(user_id, observed))
        }
        // Once the deletion is announced, whoever reads that takes a user without our tags for another one.
        (Known::As(Ownership::Nobodys), Lifecycle::Active)
            if still_ours(&observed.record, user) && !observed.announced =>
        {
            put_tags_back(&departure.owner, &departure.uid, user, observed)
        }
        (Known::As(Ownership::Nobodys), Lifecycle::Active) => Action::Release(Release::LeftUnowned),
    }
}

/// The user is `active`, and AWS has just said that it is ours.
fn delete(user_id: &UserId, observed: &Observed) -> Action {
    if observed.definition == Definition::Unreadable {
        return Action::Wait(Wait::DefinitionUnreadable);
    }
    if !(observed.record.departure_announced || observed.announced) {
        return Action::Announce(Announcement::Departure);
    }
    if !observed.confirmed {
        return Action::Look(Look::Object);
    }
    Action::Delete(Delete { user_id: user_id.clone() })
}

fn put_tags_back(owner: &Owner, uid: &str, user: &RemoteUser, observed: &Observed) -> Action {
    match &user.lifecycle {
        Lifecycle::Active => owner_just_read(user, observed).unwrap_or_else(|| {
            // Tags put back for an object that is leaving meanwhile would outlive it.
            if observed.confirmed {
                Action::Tag(Tag { arn: user.arn.clone(), tags: owner.tags(uid) })
            } else {
                Action::Look(Look::Object)
            }
        }),
        busy @ (Lifecycle::Creating
        | Lifecycle::Modifying
        | Lifecycle::Deleting
        | Lifecycle::Unrecognized(_)) => Action::Wait(Wait::UserNotActive(busy.clone())),
    }
}

/// Whose the user is, or how to find out.
enum Known {
    As(Ownership),
    Ask(Action),
}

/// What has to come before a mutation of this user: its owner has to be known from this very pass, not from memory.
fn owner_just_read(user: &RemoteUser, observed: &Observed) -> Option<Action> {
    match &observed.tags {
        TagSight::Read(_) => None,
        TagSight::Unread => Some(Action::Look(Look::Tags(user.arn.clone()))),
        TagSight::Unreadable => Some(Action::Wait(Wait::OwnerUnknown(user.lifecycle.clone()))),
        TagSight::Failed(fault) => Some(Action::Wait(Wait::Failed(Read::ListTagsForResource, fault.clone()))),
    }
}

/// What this pass read counts first, then what this process read before, then what status remembers. Tags are not asked for
/// while the user is not `active`: AWS would answer 404 (B92). That a user is not ours is never believed from memory while
/// its tags can be read: it may have been handed over since.
fn ownership(owner: &Owner, user: &RemoteUser, observed: &Observed) -> Known {
    // An active user that is not as it was reported may be another one of the same ID: only its tags can tell.
    let familiar = user.lifecycle != Lifecycle::Active || as_reported(&observed.record, user);
    let managed = observed.record.arn.as_ref() == Some(&user.arn) && observed.record.manages();
    match (&observed.tags, &observed.remembered) {
        (TagSight::Read(tags), _) => Known::As(owner.judge(tags)),
        (TagSight::Failed(fault), _) => {
            Known::Ask(Action::Wait(Wait::Failed(Read::ListTagsForResource, fault.clone())))
        }
        (TagSight::Unread | TagSight::Unreadable, Some(Ownership::Ours)) if familiar => {
            Known::As(Ownership::Ours)
        }
        (TagSight::Unread, _) if user.lifecycle == Lifecycle::Active => {
            Known::Ask(Action::Look(Look::Tags(user.arn.clone())))
        }
        (TagSight::Unread | TagSight::Unreadable, None) if managed && familiar => Known::As(Ownership::Ours),
        (TagSight::Unread, Some(known)) => Known::As(known.clone()),
        (TagSight::Unread | TagSight::Unreadable, _) => {
            Known::Ask(Action::Wait(Wait::OwnerUnknown(user.lifecycle.clone())))
        }
    }
}

/// A user without our tags is still ours where status shows that we managed this very user: see `api.md`, Ownership.
fn still_ours(record: &Record, user: &RemoteUser) -> bool {
    record.arn.as_ref() == Some(&user.arn)
        && record.manages()
        && as_reported(record, user)
        && !(record.deletion_accepted || record.deletion_possible)
}

/// The user is the one that status last reported, as far as anybody can tell.
fn as_reported(record: &Record, user: &RemoteUser) -> bool {
    record.reported.as_ref().is_some_and(|reported| {
        let Reported { user_name, engine, authentication_type, access_string } = reported;
        *user_name == user.user_name
            && *engine == user.engine
            && *authentication_type == user.authentication_type
            && *access_string == user.access_string
    })
}

impl Record {
    /// Whether this object applied something to its user.
    #[must_use]
    pub fn manages(&self) -> bool {
        self.last_applied.as_ref().is_some_and(|applied| applied.access_string.is_some())
    }
}

/// What UserNotFound means.
enum Absence {
    /// The user is not there.
    Here,
    /// It may well be there, in another account or region.
    Elsewhere(Elsewhere),
    /// Not known yet.
    Ask(Action),
}

fn absence(observed: &Observed) -> Absence {
    let Some(recorded) = &observed.record.arn else {
        return Absence::Here;
    };
    let region = &observed.here.region;
    let elsewhere = |account: Option<&String>| {
        Absence::Elsewhere(Elsewhere {
            recorded: recorded.clone(),
            region: region.clone(),
            account: account.cloned(),
        })
    };
    match &observed.here.account {
        Account::Known(account) if recorded.region() != region || recorded.account() != account => {
            elsewhere(Some(account))
        }
        Account::Known(_) => Absence::Here,
        Account::Unasked | Account::Untold | Account::Failed(_) if recorded.region() != region => {
            elsewhere(None)
        }
        Account::Unasked => Absence::Ask(Action::Look(Look::Account)),
        // A role that may not describe `default` will not tell tomorrow either: nothing waits for ever.
        Account::Untold | Account::Failed(Fault::Denied(_) | Fault::Rejected(..) | Fault::Busy(_)) => {
            Absence::Here
        }
        Account::Failed(fault @ (Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Credentials(_))) => {
            Absence::Ask(Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone())))
        }
    }
}

/// The user that AWS shows is not in the place that status remembers.
fn elsewhere(record: &Record, user: &RemoteUser) -> Option<Elsewhere> {
    record.arn.as_ref().filter(|recorded| !recorded.same_place(&user.arn)).map(|recorded| Elsewhere {
        recorded: recorded.clone(),
        region: user.arn.region().to_owned(),
        account: Some(user.arn.account().to_owned()),
    })
}

fn authentication_to_send(authentication: &Authentication) -> Result<AuthenticationChange, Action> {
    AuthenticationChange::to(authentication).map_err(|problem| lacking(&problem))
}

/// A Secret that is missing may come; a value that cannot be a password needs a person.
fn lacking(problem: &SecretProblem) -> Action {
    match problem {
        SecretProblem::NotFound { .. }
        | SecretProblem::KeyNotFound { .. }
        | SecretProblem::Forbidden { .. }
        | SecretProblem::Unreadable { .. } => Action::Wait(Wait::Secret(problem.clone())),
        SecretProblem::Invalid { .. } => Action::Refuse(Refusal::InvalidPassword(problem.clone())),
    }
}
