//! I/O: one pass over one object. Finds out what `plan` asks for, does the one thing that it decides, and reports.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt;
use plan::pace::{Pace, Visit};
use plan::verdict::{Done, Outcome, Progress, Standing, Verdict, verdict};
use plan::{
    Account, Action, Announcement, Creation, Definition, Goal, Look, Observed, Ownership, Place, Sight,
    TagSight, plan,
};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::{ElastiCacheUser, FINALIZER};
use crate::clock;
use crate::memory::{Entry, Memory};
use crate::objects::{Interruption, News, Objects};
use crate::report;
use crate::resolve::{Policy, resolve};
use crate::users::{Overdue, Paced, Permit, Urgency, Users};

/// Everything that a pass works with, shared by all of them.
pub struct Shell<U> {
    /// The API server.
    pub objects: Objects,
    /// AWS.
    pub users: Paced<U>,
    /// What the flags decide for every object.
    pub policy: Policy,
    /// How long to wait for what.
    pub pace: Pace,
    /// The region that AWS calls go to.
    pub region: String,
    /// What is remembered between passes.
    pub memory: Memory,
    /// The account, once any ARN told it.
    pub account: Mutex<Option<Account>>,
    /// True once the operator is ending.
    pub ending: watch::Receiver<bool>,
}

/// When to look at the object again; `None`: not before something changes.
pub type Next = Option<Duration>;

/// More looks than any pass needs: a plan that asks on is a defect, not a reason to call AWS for ever.
const MOST_STEPS: usize = 24;

impl<U: Users> Shell<U> {
    /// Looks at an object and does the next thing about it. `cached` may be stale: every write tests its version.
    ///
    /// # Errors
    /// Where the API server did not do its part; [`Shell::put_off`] says when to try again.
    pub async fn pass(&self, cached: &ElastiCacheUser) -> Result<Next, Interruption> {
        let uid = cached.uid().unwrap_or_default();
        let mut entry = self.memory.recall(&uid);
        let mut object = cached.clone();
        if version(cached) < entry.version {
            // The cache has not caught up with our own last write.
            match self.objects.read(cached).await? {
                Some(newer) => object = newer,
                None => return Ok(self.gone(&uid)),
            }
        }
        for _ in 0..3 {
            if object.metadata.deletion_timestamp.is_some() && !is_held(&object) {
                return Ok(None);
            }
            match self.attempt(object, &mut entry).await {
                Ok(Ended::Gone) => return Ok(self.gone(&uid)),
                Ok(Ended::Next(next)) => {
                    self.memory.keep(&uid, entry);
                    return Ok(Some(next));
                }
                Err(Interruption::Overtaken) => match self.objects.read(cached).await? {
                    Some(newer) => object = newer,
                    None => return Ok(self.gone(&uid)),
                },
                Err(Interruption::Crowded) => {
                    let pause = entry.postpone(&self.pace, fastrand::f64());
                    self.memory.keep(&uid, entry);
                    return Ok(Some(pause));
                }
                Err(error @ (Interruption::Kubernetes { .. } | Interruption::Ending)) => {
                    self.memory.keep(&uid, entry);
                    return Err(error);
                }
            }
        }
        self.memory.keep(&uid, entry);
        Ok(Some(self.pace.poll_floor))
    }

    /// The pause after a pass that the API server interrupted.
    pub fn put_off(&self, object: &ElastiCacheUser) -> Duration {
        let uid = object.uid().unwrap_or_default();
        let mut entry = self.memory.recall(&uid);
        let pause = entry.back_off(Visit::Backoff, &self.pace, fastrand::f64());
        self.memory.keep(&uid, entry);
        pause
    }

    fn gone(&self, uid: &str) -> Next {
        self.memory.forget(uid);
        None
    }

    async fn attempt(&self, object: ElastiCacheUser, entry: &mut Entry) -> Result<Ended, Interruption> {
        let goal = resolve(&object, &self.policy, &self.objects).await;
        let record = report::record(&object, entry, &self.pace, clock::now());
        let account = self.account.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let observed = Observed {
            remembered: None,
            record,
            here: Place { region: self.region.clone(), account: account.unwrap_or(Account::Unasked) },
            user: Sight::Unseen,
            tags: TagSight::Unread,
            definition: Definition::Unread,
            announced: false,
            confirmed: false,
        };
        let awaited = report::awaited(&object, &goal);
        let overdue = if !awaited && entry.is_overdue(&self.pace) { self.users.overdue() } else { None };
        let urgency = if awaited || overdue.is_some() { Urgency::Work } else { Urgency::Check };
        let former_request = object.status.as_ref().and_then(|status| status.create_requested_at.clone());
        let mut pass = Pass {
            shell: self,
            entry,
            object,
            goal,
            observed,
            urgency,
            _overdue: overdue,
            permit: None,
            announced_at: None,
            owner_read_at: None,
            former_request,
        };
        pass.run().await
    }
}

/// How a pass ended.
enum Ended {
    /// The object is there no more.
    Gone,
    /// It is looked at again after this.
    Next(Duration),
}

struct Pass<'a, U> {
    shell: &'a Shell<U>,
    entry: &'a mut Entry,
    /// The version that is decided on; replaced by the answer of each write of this pass.
    object: ElastiCacheUser,
    goal: Goal,
    observed: Observed,
    urgency: Urgency,
    /// Held until the pass ends, where a check goes as work.
    _overdue: Option<Overdue>,
    /// The rate limiter's token for the mutation that is about to come.
    permit: Option<Permit>,
    announced_at: Option<Instant>,
    owner_read_at: Option<Instant>,
    former_request: Option<MicroTime>,
}

impl<U: Users> Pass<'_, U> {
    async fn run(&mut self) -> Result<Ended, Interruption> {
        for _ in 0..MOST_STEPS {
            self.go_on()?;
            let action = plan(&self.goal, &self.observed);
            tracing::debug!(object = %self.name(), step = step(&action), "planned");
            match &action {
                Action::Look(look) => self.look(look).await?,
                Action::Announce(announcement) => self.announce(&action, announcement).await?,
                Action::Create(_) if self.announcement_is_old() => self.observed.announced = false,
                Action::Delete(_) if self.owner_is_old() => self.observed.tags = TagSight::Unread,
                Action::Create(_)
                | Action::Modify(_)
                | Action::Tag(_)
                | Action::Delete(_)
                | Action::Release(_)
                | Action::Wait(_)
                | Action::Refuse(_)
                | Action::Rest => {
                    let outcome = self.perform(&action).await?;
                    return self.report(&action, &outcome).await;
                }
            }
        }
        tracing::error!(object = %self.name(), "a pass does not come to an end; this is a defect of the operator");
        Ok(Ended::Next(self.shell.pace.slow_cap))
    }

    /// Finds out one fact.
    async fn look(&mut self, look: &Look) -> Result<(), Interruption> {
        let users = &self.shell.users;
        match look {
            Look::User(user_id) => {
                self.observed.user = users.describe(self.turn().await?, user_id).await;
                self.learn_from_sight();
            }
            Look::Tags(arn) => {
                if matches!(self.goal, Goal::Gone(_)) {
                    // What is read now decides on a DeleteUser, which then need not wait for its token any more.
                    self.take_permit().await;
                }
                let permit = self.turn().await?;
                self.owner_read_at = Some(Instant::now());
                self.observed.tags = users.list_tags(permit, arn).await;
                if let (TagSight::Read(tags), Some(owner)) = (&self.observed.tags, self.goal.owner()) {
                    let ownership = owner.judge(tags);
                    if ownership == Ownership::Ours {
                        // Another's user says nothing about the one that we asked for.
                        self.settle_creation();
                    }
                    self.entry.owner = Some((arn.clone(), ownership.clone()));
                    self.observed.remembered = Some(ownership);
                }
            }
            Look::Account => {
                let account = users.account(self.turn().await?).await;
                if !matches!(account, Account::Failed(_)) {
                    self.learn_account(account.clone());
                }
                self.observed.here.account = account;
            }
            Look::Definition => self.observed.definition = self.shell.objects.definition().await,
            Look::Object => {
                self.take_permit().await;
                match self.shell.objects.read(&self.object).await? {
                    Some(found)
                        if found.metadata.resource_version == self.object.metadata.resource_version => {}
                    Some(_) | None => return Err(Interruption::Overtaken),
                }
                self.observed.definition = self.shell.objects.definition().await;
                self.observed.confirmed = true;
            }
        }
        Ok(())
    }

    /// What DescribeUsers tells beyond this pass.
    fn learn_from_sight(&mut self) {
        let user = match &self.observed.user {
            Sight::Seen(user) => user.clone(),
            Sight::Absent => {
                self.entry.heard(false);
                self.entry.owner = None;
                self.observed.remembered = None;
                return;
            }
            Sight::Failed(fault) => return self.entry.heard(fault.tells_nothing()),
            Sight::Unseen => return,
        };
        self.entry.heard(false);
        self.observed.remembered =
            self.entry.owner.as_ref().filter(|(arn, _)| *arn == user.arn).map(|(_, owner)| owner.clone());
        if self.observed.remembered == Some(Ownership::Ours) {
            self.settle_creation();
        }
        if user.lifecycle == plan::Lifecycle::Deleting {
            // Whatever comes after it under this ID is another user.
            self.entry.owner = None;
        }
        let account = Account::Known(user.arn.account().to_owned());
        self.observed.here.account = account.clone();
        self.learn_account(account);
    }

    fn learn_account(&self, account: Account) {
        *self.shell.account.lock().unwrap_or_else(PoisonError::into_inner) = Some(account);
    }

    /// The user of the last CreateUser was seen, or let go: from now on UserNotFound means what it says.
    fn settle_creation(&mut self) {
        let requested = self.object.status.as_ref().and_then(|status| status.create_requested_at.clone());
        self.entry.creation_settled = requested;
        self.observed.record.creation = Creation::Closed;
    }

    /// The write that has to stand in status before a mutation.
    async fn announce(&mut self, action: &Action, announcement: &Announcement) -> Result<(), Interruption> {
        match announcement {
            Announcement::Creation { .. } => {
                self.hold().await?;
                self.take_permit().await;
                self.announced_at = Some(Instant::now());
            }
            Announcement::Departure => {}
        }
        let verdict = verdict(action, &Outcome::Decided, &self.standing());
        self.write(action, &Outcome::Decided, &verdict).await?;
        match announcement {
            Announcement::Creation { .. } if self.object.metadata.deletion_timestamp.is_some() => {
                Err(Interruption::Overtaken)
            }
            Announcement::Creation { .. } | Announcement::Departure => {
                self.observed.announced = true;
                Ok(())
            }
        }
    }

    /// A CreateUser starts soon after its `createRequestedAt`, or that is written anew.
    fn announcement_is_old(&self) -> bool {
        self.announced_at.is_none_or(|at| at.elapsed() > self.shell.pace.announcement_valid)
    }

    /// A DeleteUser starts soon after its user's owner was read, or that is read anew.
    fn owner_is_old(&self) -> bool {
        self.owner_read_at.is_none_or(|at| at.elapsed() > self.shell.pace.owner_valid)
    }

    /// The finalizer is there before the first mutation.
    async fn hold(&mut self) -> Result<(), Interruption> {
        if is_held(&self.object) {
            return Ok(());
        }
        let held = self.shell.objects.hold(&self.object).await?;
        self.replace(held);
        match self.object.metadata.deletion_timestamp {
            Some(_) => Err(Interruption::Overtaken),
            None => Ok(()),
        }
    }

    fn go_on(&self) -> Result<(), Interruption> {
        if *self.shell.ending.borrow() { Err(Interruption::Ending) } else { Ok(()) }
    }

    /// The right to make one reading call. Work waits for it; a check ends its pass, so that its slot is free for work. One
    /// that has begun goes on as work: it would only have to make the same call again.
    async fn turn(&mut self) -> Result<Permit, Interruption> {
        let users = &self.shell.users;
        match self.urgency {
            Urgency::Work => Ok(users.permit(Urgency::Work).await),
            Urgency::Check => {
                let permit = users.try_permit(Urgency::Check).ok_or(Interruption::Crowded)?;
                self.urgency = Urgency::Work;
                Ok(permit)
            }
        }
    }

    async fn take_permit(&mut self) {
        if self.permit.is_none() {
            self.permit = Some(self.shell.users.permit(Urgency::Work).await);
        }
    }

    async fn perform(&mut self, action: &Action) -> Result<Outcome, Interruption> {
        let mutates = matches!(action, Action::Create(_) | Action::Modify(_) | Action::Tag(_));
        // On the way out it is there, or there would be no pass.
        if (mutates || *action == Action::Rest) && matches!(self.goal, Goal::Present(_)) {
            self.hold().await?;
        }
        let users = &self.shell.users;
        let permit = match action {
            Action::Create(_) | Action::Modify(_) | Action::Tag(_) | Action::Delete(_) => {
                self.take_permit().await;
                self.go_on()?;
                self.permit.take()
            }
            Action::Look(_)
            | Action::Announce(_)
            | Action::Release(_)
            | Action::Wait(_)
            | Action::Refuse(_)
            | Action::Rest => None,
        };
        Ok(match (action, permit) {
            (Action::Create(create), Some(permit)) => users.create(permit, create).await,
            (Action::Modify(modify), Some(permit)) => users.modify(permit, modify).await,
            (Action::Tag(tag), Some(permit)) => users.tag(permit, tag).await,
            (Action::Delete(delete), Some(permit)) => users.delete(permit, delete).await,
            (Action::Release(_), _) => {
                let released = self.shell.objects.release(&self.object).await?;
                self.replace(released);
                Outcome::Released
            }
            _ => Outcome::Decided,
        })
    }

    /// Status, event and the next visit, all from the same action and outcome.
    async fn report(&mut self, action: &Action, outcome: &Outcome) -> Result<Ended, Interruption> {
        self.learn_from_outcome(action, outcome);
        let verdict = verdict(action, outcome, &self.standing());
        self.log(action, outcome, &verdict);
        let shown = report::shown_reason(&self.object);
        let gone = *outcome == Outcome::Released && self.object.finalizers().is_empty();
        if gone {
            self.tell_done(action, &verdict).await;
            return Ok(Ended::Gone);
        }
        let written = self.write(action, outcome, &verdict).await;
        let next = self.entry.schedule(&verdict, &self.shell.pace, fastrand::f64());
        written?;
        self.tell_done(action, &verdict).await;
        if let Some(reason) = self.entry.tell(verdict.warning(), shown, &self.shell.pace) {
            let action = step(action);
            let note = verdict.message.clone();
            self.tell(News { warning: true, reason: reason.as_str(), action, note }).await;
        }
        Ok(Ended::Next(next))
    }

    fn learn_from_outcome(&mut self, action: &Action, outcome: &Outcome) {
        match (action, outcome) {
            (Action::Create(create), Outcome::Accepted(user)) => {
                if let Some(owner) = self.goal.owner() {
                    self.entry.owner = Some((user.arn.clone(), owner.judge(&create.tags)));
                }
                self.learn_account(Account::Known(user.arn.account().to_owned()));
            }
            (Action::Delete(_), Outcome::Accepted(_)) => self.settle_creation(),
            // Should the status write that takes it back not come through: this request opens no window.
            (Action::Create(_), outcome)
                if outcome.is_refusal() && self.observed.record.creation == Creation::Closed =>
            {
                self.settle_creation();
            }
            // What these say about the tags is read again.
            (Action::Tag(_), _) | (_, Outcome::NotFound) => self.entry.owner = None,
            _ => {}
        }
    }

    /// Writes the status where it changed, to the very version that was decided on.
    async fn write(
        &mut self,
        action: &Action,
        outcome: &Outcome,
        verdict: &Verdict,
    ) -> Result<(), Interruption> {
        let status = report::status(&report::Pass {
            object: &self.object,
            goal: &self.goal,
            observed: &self.observed,
            action,
            outcome,
            verdict,
            former_request: self.former_request.as_ref(),
            now: clock::now(),
        });
        if let Some(status) = status {
            let written = self.shell.objects.apply_status(&self.object, &status).await?;
            self.replace(written);
            // What was read before is no longer the newest version.
            self.observed.confirmed = false;
        }
        Ok(())
    }

    fn replace(&mut self, newer: ElastiCacheUser) {
        self.object = newer;
        self.entry.version = version(&self.object);
    }

    fn standing(&self) -> Standing<'_> {
        let user = match &self.observed.user {
            Sight::Seen(user) => Some(user),
            Sight::Unseen | Sight::Absent | Sight::Failed(_) => None,
        };
        let user_id = match &self.goal {
            Goal::Present(desired) => Some(desired.user_id.as_str()),
            Goal::Gone(departure) => departure.user_id.as_ref().map(plan::UserId::as_str),
            Goal::Unattainable(_) => None,
        };
        Standing {
            leaving: matches!(self.goal, Goal::Gone(_)),
            user_id: user_id.unwrap_or_default(),
            arn: user.map(|user| &user.arn).or(self.observed.record.arn.as_ref()),
            user,
            settled: report::settled(&self.object),
            stale: self.entry.silence() >= self.shell.pace.stale_after,
            denied_for_long: self.entry.denial() >= self.shell.pace.denied_patience
                || report::stalled_by_denial(&self.object),
        }
    }

    async fn tell_done(&self, action: &Action, verdict: &Verdict) {
        if let Some(done) = &verdict.done {
            let warning = matches!(done, Done::Left(_));
            let note = told(done, action, verdict);
            self.tell(News { warning, reason: done.reason(), action: step(action), note }).await;
        }
    }

    async fn tell(&self, news: News) {
        self.shell.objects.publish(&self.object, &news).await;
    }

    fn log(&self, action: &Action, outcome: &Outcome, verdict: &Verdict) {
        let (object, reason) = (self.name(), verdict.reason.as_str());
        let user_id = self.standing().user_id.to_owned();
        let step = step(action);
        match verdict.progress {
            _ if verdict.done.is_some() => {
                tracing::info!(%object, user_id, step, reason, "{}", verdict.message)
            }
            Progress::Done => tracing::debug!(%object, user_id, step, reason, "{}", verdict.message),
            Progress::Unknown | Progress::Unchanged | Progress::Stalled => {
                tracing::warn!(%object, user_id, step, reason, "{}", verdict.message);
            }
            Progress::Reconciling | Progress::Leaving if matches!(outcome, Outcome::Failed(_)) => {
                tracing::warn!(%object, user_id, step, reason, "{}", verdict.message);
            }
            Progress::Reconciling | Progress::Leaving => {
                tracing::info!(%object, user_id, step, reason, "{}", verdict.message);
            }
        }
    }

    fn name(&self) -> String {
        format!("{}/{}", self.object.namespace().unwrap_or_default(), self.object.name_any())
    }
}

/// The note of a Normal event: what was done, in the past tense where the condition speaks of what follows.
fn told(done: &Done, action: &Action, verdict: &Verdict) -> String {
    match done {
        _ if matches!(action, Action::Release(_)) => verdict.message.clone(),
        Done::Created => "CreateUser was accepted by AWS.".to_owned(),
        Done::Modified => "ModifyUser was accepted by AWS, which applies it now.".to_owned(),
        Done::DeletionStarted => "DeleteUser was accepted by AWS.".to_owned(),
        Done::Deleted | Done::Retained | Done::Left(_) => verdict.message.clone(),
    }
}

/// One word for what the pass does: in logs, and as an event's `action`.
fn step(action: &Action) -> &'static str {
    match action {
        Action::Look(_) => "Look",
        Action::Announce(_) => "Announce",
        Action::Create(_) => "CreateUser",
        Action::Modify(_) => "ModifyUser",
        Action::Tag(_) => "AddTagsToResource",
        Action::Delete(_) => "DeleteUser",
        Action::Release(_) => "Release",
        Action::Wait(_) => "Wait",
        Action::Refuse(_) => "Refuse",
        Action::Rest => "Rest",
    }
}

/// Our finalizer is on the object.
pub fn is_held(object: &ElastiCacheUser) -> bool {
    object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Versions are comparable as numbers since Kubernetes 1.35; where one is no number, nothing is said about its age.
fn version(object: &ElastiCacheUser) -> Option<u64> {
    object.metadata.resource_version.as_deref().and_then(|version| version.parse().ok())
}
