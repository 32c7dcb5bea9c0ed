//! The real `plan` and `verdict`, asked in the model's small words. Answers are kept, as the model asks the same again and
//! again.

use std::collections::HashMap;

use plan::verdict::{Outcome, Reason, Standing, verdict};
use plan::*;

use crate::world::{Account, Departing, Identity, Life, Pass, Place, Sight, Status, TagSight, Whose};

/// Everything that a decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) leaving: bool,
    pub(crate) place: Place,
    pub(crate) status: Status,
    pub(crate) account: Account,
    pub(crate) user: Sight,
    pub(crate) tags: TagSight,
    pub(crate) remembered: Option<Whose>,
    pub(crate) open: bool,
    pub(crate) announced: bool,
    pub(crate) confirmed: bool,
    pub(crate) ours: bool,
    pub(crate) spared: bool,
    pub(crate) held: bool,
}

/// What the shell does next, in the model's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    LookAtUser,
    LookAtTags,
    LookAtAccount,
    LookAtObject,
    /// The finalizer is put on.
    Hold,
    AnnounceCreation,
    AnnounceDeparture,
    AnnounceClaim,
    Create,
    Tag,
    Delete,
    Release,
    Rest,
    /// Wait or refuse: only told.
    Tell(Told),
}

/// What a report of a wait or refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Told {
    pub(crate) departing: Departing,
    /// The user is waited for as ours.
    pub(crate) ours: bool,
    /// The user is in another place.
    pub(crate) elsewhere: bool,
    /// UserNotFound was answered, and it is not known yet whether it counts.
    pub(crate) absence_in_doubt: bool,
    /// For the walk's sentences.
    pub(crate) why: &'static str,
}

/// Asks the core.
pub(crate) struct Core {
    /// Abroad is another account of the same region, not another region.
    accounts: bool,
    known: HashMap<Question, Act>,
}

impl Core {
    pub(crate) fn new(accounts: bool) -> Self {
        Self { accounts, known: HashMap::new() }
    }

    pub(crate) fn decide(&mut self, pass: &Pass, place: Place, status: Status) -> Act {
        let question = Question {
            leaving: pass.leaving,
            place,
            status,
            account: pass.account,
            user: pass.user,
            tags: pass.tags,
            remembered: pass.remembered,
            open: pass.open,
            announced: pass.announced,
            confirmed: pass.confirmed,
            ours: pass.ours,
            spared: pass.spared,
            // On the way out it does not matter.
            held: pass.object.held || pass.leaving,
        };
        if let Some(act) = self.known.get(&question) {
            return *act;
        }
        let act = self.ask(&question);
        self.known.insert(question, act);
        act
    }

    fn ask(&self, question: &Question) -> Act {
        let goal = if question.leaving { gone() } else { present() };
        let action = plan(&goal, &self.observed(question));
        match action {
            Action::Look(Look::User(_)) => Act::LookAtUser,
            Action::Look(Look::Tags(_)) => Act::LookAtTags,
            Action::Look(Look::Account) => Act::LookAtAccount,
            Action::Look(Look::Object | Look::ObjectAndDefinition) => Act::LookAtObject,
            Action::Look(Look::Definition | Look::Other(_)) => {
                panic!("{action:?}: the model does not know of it")
            }
            Action::AddFinalizer => Act::Hold,
            Action::Announce(Announcement::Creation { .. }) => Act::AnnounceCreation,
            Action::Announce(Announcement::Tags { .. } | Announcement::Change { .. })
            | Action::Untag(_)
            | Action::Pause { .. }
            | Action::Compare(_) => panic!("{action:?}: nothing in the model asks for it"),
            Action::Announce(Announcement::Departure { .. }) => Act::AnnounceDeparture,
            Action::Announce(Announcement::Claim { .. }) => Act::AnnounceClaim,
            Action::Create(_) => Act::Create,
            Action::Modify(_) => panic!("nothing differs in the model"),
            Action::Tag(_) => Act::Tag,
            Action::Delete(_) => Act::Delete,
            Action::Release(_) => Act::Release,
            Action::Rest => Act::Rest,
            Action::Wait(_) | Action::Refuse(_) => Act::Tell(told(&action, question)),
        }
    }

    fn observed(&self, question: &Question) -> Observed {
        let Status { arn, applied, reported, deleting, request: _, departing } = question.status;
        let last_applied = LastApplied {
            access_string: Some(ACCESS.into()),
            expanded_access_string: Some(ACCESS.into()),
            ..LastApplied::default()
        };
        let record = Record {
            arn: arn.map(|place| self.arn(place)),
            last_applied: applied.then(|| last_applied.clone()),
            reported: match reported {
                Identity::Nothing => None,
                Identity::Ours => Some(identity(false)),
                Identity::Strange => Some(identity(true)),
            },
            creation: if question.open { Creation::Open } else { Creation::Closed },
            deletion_accepted: deleting,
            departure_announced: departing != Departing::No,
            departure_ours: question.ours,
            lost: false,
            spared: question.spared.then_some(last_applied),
            modifying: false,
            ready: false,
            settled: false,
            was_settled: false,
            held: question.held,
        };
        let here = self.arn(question.place);
        let account = match question.account {
            Account::Unasked => plan::Account::Unasked,
            Account::Known => plan::Account::Known(here.account().to_owned()),
            Account::Failed => plan::Account::Failed(fault()),
        };
        Observed {
            record,
            here: plan::Place { region: here.region().to_owned(), account },
            user: match question.user {
                Sight::Unseen => plan::Sight::Unseen,
                Sight::Absent => plan::Sight::Absent,
                Sight::Failed => plan::Sight::Failed(fault()),
                Sight::Seen(life, strange) => plan::Sight::Seen(remote(life, strange, here)),
            },
            tags: match question.tags {
                TagSight::Unread => plan::TagSight::Unread,
                TagSight::Unreadable => plan::TagSight::Unreadable,
                TagSight::Read(whose) => plan::TagSight::Read(match whose {
                    Whose::Ours => owner("app").tags("u"),
                    Whose::Anothers => owner("other").tags("u"),
                    Whose::Nobodys => Tags::new(),
                }),
            },
            remembered: question.remembered.map(|whose| match whose {
                Whose::Ours => Ownership::Ours,
                Whose::Anothers => Ownership::Anothers(owner("other")),
                Whose::Nobodys => Ownership::Nobodys,
            }),
            tags_due: false,
            other: Other::There,
            sent: None,
            definition: Definition::Stays,
            announced: question.announced,
            confirmed: question.confirmed,
        }
    }

    fn arn(&self, place: Place) -> Arn {
        let (region, account) = match (place, self.accounts) {
            (Place::Home, _) => ("us-east-1", "111111111111"),
            (Place::Abroad, true) => ("us-east-1", "222222222222"),
            (Place::Abroad, false) => ("eu-west-1", "111111111111"),
        };
        Arn::parse(&format!("arn:aws:elasticache:{region}:{account}:user:app")).unwrap()
    }
}

const ACCESS: &str = "on ~* +@all";

fn owner(name: &str) -> Owner {
    Owner { cluster: "c".into(), namespace: "n".into(), name: name.into() }
}

fn user_id() -> UserId {
    UserId::parse("app").unwrap()
}

fn fault() -> Fault {
    Fault::Unavailable(Said::new("InternalFailure", ""))
}

fn present() -> Goal {
    Goal::Present(Desired {
        user_id: user_id(),
        user_name: "app".into(),
        engine: Engine::Redis,
        access_string: ACCESS.into(),
        authentication: Authentication::Iam,
        tags: Tags::new(),
        owner: owner("app"),
        uid: "u".into(),
        adoption: Adoption::Never,
    })
}

fn gone() -> Goal {
    Goal::Gone(Departure {
        user_id: Some(user_id()),
        owner: owner("app"),
        uid: "u".into(),
        protected: false,
        policy: DeletionPolicy::Delete,
        observes: false,
        suspended: false,
    })
}

/// What tells our user from another of the same ID: nothing that a change could mend.
fn name(strange: bool) -> &'static str {
    if strange { "somebody" } else { "app" }
}

fn identity(strange: bool) -> Reported {
    Reported {
        user_name: name(strange).into(),
        engine: "redis".into(),
        authentication_type: "iam".into(),
        access_string: ACCESS.into(),
    }
}

fn remote(life: Life, strange: bool, arn: Arn) -> RemoteUser {
    let lifecycle = match life {
        Life::Active => Lifecycle::Active,
        Life::Modifying => Lifecycle::Modifying,
        Life::Deleting | Life::Condemned => Lifecycle::Deleting,
        Life::Late => panic!("nobody sees a user that is late"),
    };
    RemoteUser {
        user_id: "app".into(),
        user_name: name(strange).into(),
        lifecycle,
        engine: "redis".into(),
        minimum_engine_version: None,
        access_string: ACCESS.into(),
        user_group_ids: vec![],
        authentication_type: "iam".into(),
        password_count: None,
        arn,
    }
}

/// What status says of a wait or refusal: see `src/report.rs`.
fn told(action: &Action, question: &Question) -> Told {
    let standing = Standing { leaving: question.leaving, user_id: "app", ..Standing::default() };
    let verdict = verdict(action, &Outcome::Decided, &standing);
    let failed = matches!(action, Action::Wait(Wait::Failed(..)));
    Told {
        departing: if question.leaving { departing(verdict.reason) } else { Departing::No },
        ours: matches!(
            action,
            Action::Wait(Wait::UserNotActive(_) | Wait::Modifying | Wait::Creating | Wait::UserDeleting)
        ),
        elsewhere: matches!(action, Action::Wait(Wait::Elsewhere(_)) | Action::Refuse(Refusal::Elsewhere(_))),
        absence_in_doubt: failed && question.user == Sight::Absent,
        why: verdict.reason.as_str(),
    }
}

/// How `src/report.rs` reads the reason of `Deleting` in the next pass.
pub(crate) fn departing(reason: Reason) -> Departing {
    if reason.may_follow_a_departure() { Departing::Told } else { Departing::No }
}
