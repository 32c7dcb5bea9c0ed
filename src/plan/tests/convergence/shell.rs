//! One pass, as `src/reconcile.rs` does it: asks `plan`, finds out what it asks for, does the one thing that it decides,
//! and reports.

use plan::classify::Answer;
use plan::verdict::{Outcome, Standing, Verdict, verdict};
use plan::*;

use crate::calls::Interrupted;
use crate::common::{arn, owner};
use crate::judge;
use crate::object::{Object, Request, Status};
use crate::schedule::Mishap;
use crate::service::{Service, Told};
use crate::status::{self, Done};
use crate::world::{WINDOW, World};

/// More looks than any pass needs.
const MOST_STEPS: usize = 24;
/// Passes in a row that count as long.
const LONG: u32 = 4;

/// What the process remembers between passes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    owner: Option<(Arn, Ownership)>,
    /// The `createRequestedAt` whose user was seen, or let go, since.
    settled: Option<u32>,
    account: Option<Account>,
    /// Passes in a row in which AWS did not tell the state, or denied.
    silent: u32,
    denied: u32,
}

/// One pass over the newest version, and over the next one where that was overtaken.
pub(crate) fn pass(world: &mut World, memory: &mut Memory) {
    if let Some(happening) = world.between.pop_front() {
        world.happen(&happening);
    }
    for _ in 0..3 {
        let Some(object) = world.object.clone() else {
            return;
        };
        if object.terminating && !object.held {
            return;
        }
        world.tell(|| "a pass begins");
        world.last_seen = None;
        let ended = Pass::new(world, memory, object).run();
        if let Err(why) = ended {
            world.tell(|| format!("  it is interrupted: {why:?}"));
        }
        match ended {
            Err(Interrupted::Overtaken) => {}
            Err(Interrupted::Killed) => return *memory = Memory::default(),
            Ok(()) | Err(Interrupted::Kubernetes) => return,
        }
    }
}

pub(crate) struct Pass<'a> {
    pub(crate) world: &'a mut World,
    memory: &'a mut Memory,
    /// The version that is decided on.
    pub(crate) object: Object,
    goal: Goal,
    pub(crate) observed: Observed,
    /// Status as the pass found it.
    found: Status,
    announced_at: Option<u32>,
}

impl<'a> Pass<'a> {
    fn new(world: &'a mut World, memory: &'a mut Memory, object: Object) -> Self {
        let goal = object.goal(world.secret);
        let found = object.status.clone();
        let open = |request: &&Request| memory.settled != Some(request.at) && world.now - request.at < WINDOW;
        let creation =
            if found.request.as_ref().filter(open).is_some() { Creation::Open } else { Creation::Closed };
        let account = memory.account.clone().unwrap_or(Account::Unasked);
        let observed = Observed {
            record: status::record(&object, creation),
            here: Place { region: arn().region().to_owned(), account },
            user: Sight::Unseen,
            tags: TagSight::Unread,
            remembered: None,
            definition: Definition::Unread,
            announced: false,
            confirmed: false,
        };
        Self { world, memory, object, goal, observed, found, announced_at: None }
    }

    fn run(&mut self) -> Result<(), Interrupted> {
        for _ in 0..MOST_STEPS {
            let action = plan(&self.goal, &self.observed);
            self.world.meet(&action);
            match &action {
                Action::Look(look) => self.look(look)?,
                Action::Announce(announcement) => self.announce(&action, announcement)?,
                Action::Create(_) if self.announced_at.is_none_or(|at| self.world.now - at > 1) => {
                    self.observed.announced = false;
                }
                Action::Create(_)
                | Action::Modify(_)
                | Action::Tag(_)
                | Action::Delete(_)
                | Action::Release(_)
                | Action::Wait(_)
                | Action::Refuse(_)
                | Action::Rest => {
                    let outcome = self.perform(&action)?;
                    return self.report(&action, &outcome);
                }
            }
        }
        self.world.breach("a pass does not come to an end");
        Ok(())
    }

    fn look(&mut self, look: &Look) -> Result<(), Interrupted> {
        match look {
            Look::User(_) => {
                let told = self.read(Service::describe, Service::describe_late)?;
                self.world.last_seen = told.as_ref().ok().map(|user| user.lifecycle.clone());
                self.observed.user = match told {
                    Ok(user) => Sight::Seen(user),
                    Err(Answer::NotFound | Answer::AlreadyExists) => Sight::Absent,
                    Err(Answer::Fault(fault)) => Sight::Failed(fault),
                };
                self.learn_from_sight();
            }
            Look::Tags(arn) => {
                self.observed.tags = match self.read(Service::list_tags, |_| Err(Answer::NotFound))? {
                    Ok(tags) => TagSight::Read(tags),
                    Err(Answer::NotFound | Answer::AlreadyExists) => TagSight::Unreadable,
                    Err(Answer::Fault(fault)) => TagSight::Failed(fault),
                };
                if let TagSight::Read(tags) = &self.observed.tags {
                    let ownership = owner().judge(tags);
                    if ownership == Ownership::Ours {
                        self.settle_creation();
                    }
                    self.memory.owner = Some((arn.clone(), ownership.clone()));
                    self.observed.remembered = Some(ownership);
                }
            }
            Look::Account => {
                let account =
                    match self.read(|service| Ok(service.account()), |service| Ok(service.account()))? {
                        Ok(account) => account,
                        Err(Answer::Fault(fault)) => Account::Failed(fault),
                        Err(Answer::NotFound | Answer::AlreadyExists) => Account::Untold,
                    };
                self.learn_account(account);
            }
            Look::Definition => self.observed.definition = self.definition()?,
            Look::Object => self.confirm()?,
        }
        self.world.tell(|| format!("  {look:?}"));
        Ok(())
    }

    fn definition(&mut self) -> Result<Definition, Interrupted> {
        Ok(match self.befalls()? {
            Mishap::KilledAfter => return Err(Interrupted::Killed),
            Mishap::Refused(_) | Mishap::Lost => Definition::Unreadable,
            Mishap::Fine | Mishap::Late | Mishap::KilledBefore | Mishap::Meanwhile(_) => {
                self.world.definition
            }
        })
    }

    /// The token is in hand: the object is read again, and whose the user is as well.
    fn confirm(&mut self) -> Result<(), Interrupted> {
        self.observed.definition = self.definition()?;
        match &self.world.object {
            Some(object) if object.version == self.object.version => {}
            Some(_) | None => return Err(Interrupted::Overtaken),
        }
        self.observed.confirmed = true;
        self.observed.user = Sight::Unseen;
        self.observed.tags = TagSight::Unread;
        Ok(())
    }

    fn learn_from_sight(&mut self) {
        let user = match &self.observed.user {
            Sight::Seen(user) => user.clone(),
            Sight::Absent => {
                self.memory.silent = 0;
                self.memory.owner = None;
                self.observed.remembered = None;
                return;
            }
            Sight::Failed(fault) => {
                self.memory.silent = if fault.tells_nothing() { self.memory.silent + 1 } else { 0 };
                return;
            }
            Sight::Unseen => return,
        };
        self.memory.silent = 0;
        let known = self.memory.owner.as_ref().filter(|(arn, _)| *arn == user.arn);
        self.observed.remembered = known.map(|(_, owner)| owner.clone());
        if user.lifecycle == Lifecycle::Deleting {
            self.memory.owner = None;
        }
        self.learn_account(Account::Known(user.arn.account().to_owned()));
    }

    fn learn_account(&mut self, account: Account) {
        match &account {
            Account::Known(_) | Account::Unasked => self.memory.account = Some(account.clone()),
            Account::Untold => {
                self.memory.account = Some(account.clone());
                self.world.account_untold = true;
            }
            Account::Failed(Fault::Denied(_) | Fault::Rejected(..) | Fault::Busy(_)) => {
                self.world.account_untold = true;
            }
            Account::Failed(Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Credentials(_)) => {}
        }
        self.observed.here.account = account;
    }

    fn settle_creation(&mut self) {
        self.memory.settled = self.object.status.request.as_ref().map(|request| request.at);
        self.observed.record.creation = Creation::Closed;
    }

    fn announce(&mut self, action: &Action, announcement: &Announcement) -> Result<(), Interrupted> {
        if matches!(announcement, Announcement::Creation { .. }) {
            self.hold()?;
            self.announced_at = Some(self.world.now);
        }
        let verdict = verdict(action, &Outcome::Decided, &self.standing());
        self.write_status(action, &Outcome::Decided, &verdict)?;
        self.world.tell(|| format!("  announced: {announcement:?}"));
        if matches!(announcement, Announcement::Creation { .. }) && self.object.terminating {
            return Err(Interrupted::Overtaken);
        }
        self.observed.announced = true;
        Ok(())
    }

    fn hold(&mut self) -> Result<(), Interrupted> {
        if self.object.held {
            return Ok(());
        }
        self.write(|object| object.held = true)?;
        if self.object.terminating { Err(Interrupted::Overtaken) } else { Ok(()) }
    }

    fn perform(&mut self, action: &Action) -> Result<Outcome, Interrupted> {
        let mutates = matches!(action, Action::Create(_) | Action::Modify(_) | Action::Tag(_));
        if (mutates || *action == Action::Rest) && matches!(self.goal, Goal::Present(_)) {
            self.hold()?;
        }
        self.world.tell(|| format!("  {action:?}"));
        let outcome = match action {
            Action::Create(create) => {
                judge::create(self.world, &self.goal, create);
                accepted(self.mutate(|service, late| service.create(create, late))?)
            }
            Action::Modify(modify) => {
                judge::modify(self.world, &self.goal);
                // A gap: see `the_last_edit_wins_though_the_report_of_the_one_before_is_lost`.
                if modify.changes.access_string.is_some() {
                    self.world.note_change();
                }
                accepted(self.mutate(|service, _| service.modify(&modify.changes))?)
            }
            Action::Tag(tag) => {
                judge::tag(self.world, &self.found);
                self.mutate(|service, _| service.tag(&tag.tags))?.map_or_else(failed, Outcome::Tagged)
            }
            Action::Delete(_) => {
                judge::delete(self.world);
                accepted(self.mutate(|service, _| service.delete())?)
            }
            Action::Release(_) => {
                self.write(|object| object.held = false)?;
                Outcome::Released
            }
            Action::Look(_) | Action::Announce(_) | Action::Wait(_) | Action::Refuse(_) | Action::Rest => {
                Outcome::Decided
            }
        };
        Ok(outcome)
    }

    fn report(&mut self, action: &Action, outcome: &Outcome) -> Result<(), Interrupted> {
        match (action, outcome) {
            (Action::Create(_), Outcome::Accepted(user)) => {
                self.memory.owner = Some((user.arn.clone(), Ownership::Ours));
            }
            (Action::Delete(_), Outcome::Accepted(_)) => self.settle_creation(),
            (Action::Create(_), outcome)
                if outcome.is_refusal() && self.observed.record.creation == Creation::Closed =>
            {
                self.settle_creation();
            }
            (Action::Tag(_), _) | (_, Outcome::NotFound) => self.memory.owner = None,
            _ => {}
        }
        if *outcome == Outcome::Released && self.world.object.is_none() {
            return Ok(());
        }
        let verdict = verdict(action, outcome, &self.standing());
        self.memory.denied =
            if verdict.reason == verdict::Reason::AccessDenied { self.memory.denied + 1 } else { 0 };
        self.world.tell(|| format!("  so: {:?}", verdict.reason));
        self.write_status(action, outcome, &verdict)
    }

    fn write_status(
        &mut self,
        action: &Action,
        outcome: &Outcome,
        verdict: &Verdict,
    ) -> Result<(), Interrupted> {
        let status = status::status(&Done {
            object: &self.object,
            goal: &self.goal,
            observed: &self.observed,
            action,
            outcome,
            verdict,
            former: self.found.request.as_ref(),
            now: self.world.now,
            here: arn(),
        });
        match status {
            Some(status) => self.write(|object| object.status = status),
            None => Ok(()),
        }
    }

    fn standing(&self) -> Standing<'_> {
        let user = match &self.observed.user {
            Sight::Seen(user) => Some(user),
            Sight::Unseen | Sight::Absent | Sight::Failed(_) => None,
        };
        Standing {
            leaving: matches!(self.goal, Goal::Gone(_)),
            user_id: "app",
            arn: user.map(|user| &user.arn).or(self.observed.record.arn.as_ref()),
            user,
            settled: self.object.settled(),
            stale: self.memory.silent >= LONG,
            denied_for_long: self.memory.denied >= LONG,
        }
    }
}

fn accepted(told: Told<RemoteUser>) -> Outcome {
    told.map_or_else(failed, Outcome::Accepted)
}

fn failed(answer: Answer) -> Outcome {
    match answer {
        Answer::NotFound => Outcome::NotFound,
        Answer::AlreadyExists => Outcome::AlreadyExists,
        Answer::Fault(fault) => Outcome::Failed(fault),
    }
}
