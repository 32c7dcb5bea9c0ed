//! One pass, as `src/reconcile.rs` does it: asks `plan`, finds out what it asks for, does the one thing that it decides,
//! and reports.

use plan::classify::Answer;
use plan::verdict::{Outcome, Progress, Standing, Verdict, verdict};
use plan::*;

use crate::calls::{Interrupted, Mutation};
use crate::common::{arn, owner};
use crate::judge;
use crate::memory::Memory;
use crate::object::{Object, Status};
use crate::schedule::Happening;
use crate::service::Told;
use crate::status::{self, Done};
use crate::world::{TICK, WINDOW, World};

/// More looks than any pass needs.
const MOST_STEPS: usize = 24;
/// Passes in a row that count as long.
const LONG: u32 = 4;

/// One pass over the newest version, and over the next one where that was overtaken.
pub(crate) fn pass(world: &mut World, memory: &mut Memory) {
    match world.between.pop_front() {
        Some(Happening::Restarts) => memory.end(world),
        Some(happening) => world.happen(&happening),
        None => {}
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
        world.raced = false;
        let ended = Pass::new(world, memory, object).run();
        world.in_flight = false;
        if let Err(why) = ended {
            world.tell(|| format!("  it is interrupted: {why:?}"));
        }
        match ended {
            Err(Interrupted::Overtaken) => {}
            Err(Interrupted::Killed) => return memory.end(world),
            Ok(()) | Err(Interrupted::Kubernetes) => return,
        }
    }
}

pub(crate) struct Pass<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) memory: &'a mut Memory,
    /// The version that is decided on.
    pub(crate) object: Object,
    pub(crate) goal: Goal,
    pub(crate) observed: Observed,
    /// Status as the pass found it.
    found: Status,
    announced_at: Option<u32>,
    pub(crate) owner_read_at: Option<u32>,
    pub(crate) seen_at: Option<u32>,
}

impl<'a> Pass<'a> {
    fn new(world: &'a mut World, memory: &'a mut Memory, object: Object) -> Self {
        let goal = object.goal(&world.secrets);
        let found = object.status.clone();
        let open = |at: &u32| memory.settled != Some(*at) && world.now - at < WINDOW;
        let creation = if found.request.filter(open).is_some() { Creation::Open } else { Creation::Closed };
        let requested = object.requested != found.handled;
        let tags_due = memory.tags_due(object.generation, object.settled());
        if object.settled() {
            memory.ready = Some(object.generation);
        }
        let record = memory.record(&object, creation);
        let account = memory.account.clone().unwrap_or(Account::Unasked);
        let observed = Observed {
            record,
            here: Place { region: arn().region().to_owned(), account },
            user: Sight::Unseen,
            tags: TagSight::Unread,
            tags_due: tags_due || requested,
            other: Other::Unasked,
            sent: memory.sent.clone(),
            remembered: None,
            definition: Definition::Unread,
            announced: false,
            confirmed: false,
        };
        Self {
            world,
            memory,
            object,
            goal,
            observed,
            found,
            announced_at: None,
            owner_read_at: None,
            seen_at: None,
        }
    }

    fn run(&mut self) -> Result<(), Interrupted> {
        for _ in 0..MOST_STEPS {
            let action = plan(&self.goal, &self.observed);
            self.world.meet(&action);
            match &action {
                Action::Look(look) => self.look(look)?,
                Action::AddFinalizer => self.hold()?,
                Action::Announce(announcement) => self.announce(&action, announcement)?,
                Action::Create(_) if self.announced_at.is_none_or(|at| self.world.now - at > TICK) => {
                    self.observed.announced = false;
                }
                Action::Release(_) if matches!(self.goal, Goal::Compared(_)) => {
                    self.world.tell(|| format!("  {action:?}"));
                    self.write(|object| object.held = false)?;
                }
                Action::Modify(_) | Action::Tag(_) | Action::Untag(_) | Action::Delete(_)
                    if self.doubts_owner(&action) => {}
                Action::Create(_)
                | Action::Modify(_)
                | Action::Tag(_)
                | Action::Untag(_)
                | Action::Delete(_)
                | Action::Release(_)
                | Action::Wait(_)
                | Action::Refuse(_)
                | Action::Rest
                | Action::Pause { .. }
                | Action::Compare(_) => {
                    let outcome = self.perform(&action)?;
                    return self.report(&action, &outcome);
                }
            }
        }
        self.world.breach("a pass does not come to an end");
        Ok(())
    }

    /// What the mutation's right rests on was seen before the last tick: it is forgotten, and looked at anew.
    fn doubts_owner(&mut self, action: &Action) -> bool {
        let old = |at: Option<u32>| at.is_none_or(|at| self.world.now / TICK > at / TICK);
        let restores = matches!(action, Action::Tag(tag) if restores_owner(tag));
        let (unseen, unread) = (restores && old(self.seen_at), !restores && old(self.owner_read_at));
        if unseen {
            self.observed.user = Sight::Unseen;
        }
        if unread {
            self.observed.tags = TagSight::Unread;
        }
        unseen || unread
    }

    fn announce(&mut self, action: &Action, announcement: &Announcement) -> Result<(), Interrupted> {
        let leaves = matches!(announcement, Announcement::Departure { .. } | Announcement::Claim { .. });
        if !leaves {
            self.announced_at = Some(self.world.now);
        }
        let verdict = verdict(action, &Outcome::Decided, &self.standing());
        self.write_status(action, &Outcome::Decided, &verdict)?;
        self.world.tell(|| format!("  announced: {announcement:?}"));
        if !leaves && self.object.terminating {
            return Err(Interrupted::Overtaken);
        }
        self.observed.announced = !matches!(announcement, Announcement::Claim { .. });
        if leaves {
            self.departs(announcement);
        }
        Ok(())
    }

    /// Status says something else now of whose the user is.
    fn departs(&mut self, announcement: &Announcement) {
        if matches!(announcement, Announcement::Departure { .. }) {
            let before = self.observed.record.last_applied.clone().filter(LastApplied::manages);
            let kept = self.memory.departure.1.take();
            self.memory.departure = (Some(self.object.version), before.or(kept));
        } else {
            self.memory.departure = (None, None);
        }
        self.observed.record = self.memory.record(&self.object, self.observed.record.creation);
    }

    fn hold(&mut self) -> Result<(), Interrupted> {
        self.world.tell(|| "  the finalizer goes on");
        self.write(|object| object.held = true)?;
        if self.object.terminating { Err(Interrupted::Overtaken) } else { Ok(()) }
    }

    fn perform(&mut self, action: &Action) -> Result<Outcome, Interrupted> {
        let mutation = action.mutation();
        self.world.tell(|| format!("  {action:?}"));
        match mutation {
            Some(mutation) => self.send(mutation),
            None if matches!(action, Action::Release(_)) => {
                self.write(|object| object.held = false)?;
                Ok(Outcome::Released)
            }
            None => Ok(Outcome::Decided),
        }
    }

    fn send(&mut self, mutation: plan::Mutation<'_>) -> Result<Outcome, Interrupted> {
        Ok(match mutation {
            plan::Mutation::Create(create) => {
                judge::create(self.world, &self.goal, create);
                accepted(self.mutate(Mutation::Create, |service, late| service.create(create, late))?)
            }
            plan::Mutation::Modify(Modify { changes, .. }) => {
                judge::modify(self.world, &self.goal, &self.observed, changes);
                accepted(self.mutate(Mutation::Modify, |service, _| service.modify(changes))?)
            }
            plan::Mutation::Tag(tag) => {
                judge::tag(self.world, &self.object, &self.observed, &self.found, tag);
                let claims = tag.tags.contains_key(CLUSTER_TAG);
                let kind = if claims { Mutation::Claim } else { Mutation::Tag };
                self.mutate(kind, |service, _| service.tag(&tag.tags))?.map_or_else(failed, Outcome::Tagged)
            }
            plan::Mutation::Untag(Untag { keys, .. }) => {
                judge::untag(self.world, &self.goal, &self.observed, keys);
                let told = self.mutate(Mutation::Untag, |service, _| service.untag(keys))?;
                told.map_or_else(failed, Outcome::Tagged)
            }
            plan::Mutation::Delete(_) => {
                judge::delete(self.world, &self.observed);
                let before = self.memory.departure.1.take();
                let outcome = accepted(self.mutate(Mutation::Delete, |service, _| {
                    let told = service.delete()?;
                    service.forget_looks();
                    Ok(told)
                })?);
                if outcome.is_refusal() && outcome != Outcome::NotFound {
                    self.memory.departure.1 = before;
                }
                outcome
            }
        })
    }

    fn report(&mut self, action: &Action, outcome: &Outcome) -> Result<(), Interrupted> {
        self.memory.gone &= !applies(action, outcome);
        match (action, outcome) {
            (Action::Create(create), Outcome::Accepted(user)) => {
                self.memory.owner = Some((user.arn.clone(), Ownership::Ours));
                self.memory.sent = create.authentication.passwords().cloned();
                self.memory.tags_match(self.object.generation);
            }
            (Action::Modify(modify), outcome) => self.learn_from_modify(modify, outcome),
            (Action::Tag(Tag { arn, .. }) | Action::Untag(Untag { arn, .. }), outcome) => {
                self.memory.owner = None;
                if let Outcome::Tagged(tags) = outcome {
                    self.memory.owner = Some((arn.clone(), owner().judge(tags)));
                    self.note_tags(tags);
                }
            }
            (Action::Delete(_), Outcome::Accepted(_)) => self.settle_creation(),
            (Action::Create(_), outcome)
                if outcome.is_refusal() && self.observed.record.creation == Creation::Closed =>
            {
                self.settle_creation();
            }
            (_, Outcome::NotFound) => self.memory.owner = None,
            _ => {}
        }
        if *outcome == Outcome::Released && self.world.object.is_none() {
            return Ok(());
        }
        // DescribeUsers alone does not tell the whole state.
        let silent = matches!(action, Action::Wait(Wait::Failed(_, fault)) if fault.tells_nothing());
        self.memory.silent = if silent { self.memory.silent + 1 } else { 0 };
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
            former: self.found.request,
            now: self.world.moment(),
        });
        match status {
            Some(status) => self.write(|object| object.status = status),
            None => Ok(()),
        }
    }

    fn stalled_by_denial(&self) -> bool {
        let told = self.object.status.conditions.as_ref();
        told.is_some_and(|told| {
            told.progress == Progress::Stalled && told.reason == verdict::Reason::AccessDenied
        })
    }

    fn standing(&self) -> Standing<'_> {
        let user = match &self.observed.user {
            Sight::Seen(user) => Some(user),
            Sight::Unseen | Sight::Absent | Sight::Failed(_) => None,
        };
        Standing {
            leaving: matches!(self.goal, Goal::Gone(_)),
            namespace: "",
            name: "",
            user_id: "app",
            arn: user.map(|user| &user.arn).or(self.observed.record.arn.as_ref()),
            user,
            settled: self.object.settled(),
            differs: differs(&self.goal, &self.observed),
            stale: self.memory.silent >= LONG,
            denied_for_long: self.memory.denied >= LONG || self.stalled_by_denial(),
        }
    }
}

/// The call puts owner tags back that a user of ours lost.
fn restores_owner(tag: &Tag) -> bool {
    tag.cause != Cause::Adoption && tag.tags.contains_key(CLUSTER_TAG)
}

/// AWS has what the spec says, or will have: from now on status speaks of this user.
fn applies(action: &Action, outcome: &Outcome) -> bool {
    let sends = matches!(action, Action::Create(_) | Action::Modify(_));
    *action == Action::Rest || sends && matches!(outcome, Outcome::Accepted(_))
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
