//! I/O: one pass over one object. Finds out what `plan` asks for, does the one thing that it decides, and reports.
//!
//! `look` finds facts out, `act` announces and performs, `tell` reports.

mod act;
mod look;
mod tell;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws::UserApi;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt;
use plan::pace::{Pace, Visit};
use plan::{Account, Action, Definition, Goal, Observed, Other, Place, Sight, TagSight, plan};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;
use tokio::time::Instant;

use self::tell::step;
use crate::account::{Overdue, Permit, RateLimited, Urgency};
use crate::api::{ElastiCacheUser, FINALIZER, full_name};
use crate::clock;
use crate::memory::{Entry, Memory};
use crate::objects::{Interruption, Objects};
use crate::orphans::Orphans;
use crate::report::read;
use crate::resolve::{Policy, resolve};

/// Everything that a pass works with, shared by all of them.
pub struct Shell<U> {
    /// The API server.
    pub objects: Objects,
    /// AWS.
    pub users: RateLimited<U>,
    /// What the flags decide for every object.
    pub policy: Policy,
    /// How long to wait for what.
    pub pace: Pace,
    /// The region that AWS calls go to.
    pub region: String,
    /// What is remembered between passes.
    pub memory: Memory,
    /// CreateUser calls whose object may have vanished.
    pub orphans: Orphans,
    /// Namespaces whose objects are known; empty for all.
    pub namespaces: Vec<String>,
    /// Counts what was put right that somebody else had changed in AWS.
    pub corrections: Counter,
    /// The account, once any ARN told it.
    pub account: Mutex<Option<Account>>,
    /// True once the operator is ending.
    pub ending: watch::Receiver<bool>,
}

/// When to look at the object again; `None`: not before something changes.
pub type Next = Option<Duration>;

/// More looks than any pass needs: a plan that asks on is a defect, not a reason to call AWS for ever.
const MOST_STEPS: usize = 24;

impl<U: UserApi> Shell<U> {
    /// Looks at an object and does the next thing about it. `cached` may be stale: every write tests its version.
    ///
    /// # Errors
    /// Where the API server did not do its part; [`Shell::put_off`] says when to try again.
    pub async fn pass(&self, cached: &ElastiCacheUser) -> Result<Next, Interruption> {
        let uid = cached.uid().unwrap_or_default();
        let mut entry = self.memory.recall(&uid);
        let mut object = cached.clone();
        if read::version(cached) < entry.version {
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
        self.orphans.look(uid);
        None
    }

    async fn attempt(&self, object: ElastiCacheUser, entry: &mut Entry) -> Result<Ended, Interruption> {
        let goal = resolve(&object, &self.policy, &self.objects).await;
        let record = read::record(&object, entry, &self.pace, clock::now());
        let account = self.account.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let requested = read::is_requested(&object);
        let awaited = read::awaited(&object, &goal);
        let overdue = if !awaited && entry.is_overdue(&self.pace) { self.users.overdue() } else { None };
        let urgency = if awaited || overdue.is_some() { Urgency::Work } else { Urgency::Check };
        let generation = object.metadata.generation;
        let tags_due = entry.tags_due(generation, record.settled, &self.pace, fastrand::f64());
        let observed = Observed {
            remembered: None,
            record,
            here: Place { region: self.region.clone(), account: account.unwrap_or(Account::Unasked) },
            user: Sight::Unseen,
            tags: TagSight::Unread,
            tags_due: tags_due || requested,
            other: Other::Unasked,
            sent: entry.sent.clone(),
            definition: Definition::Unread,
            announced: false,
            confirmed: false,
        };
        let former_request = object.status.as_ref().and_then(|status| status.create_requested_at.clone());
        let mut pass = Pass {
            shell: self,
            entry,
            object,
            goal,
            observed,
            urgency,
            awaited,
            _overdue: overdue,
            permit: None,
            announced_at: None,
            owner_read_at: None,
            seen_at: None,
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
    /// Somebody waits for what comes of it.
    awaited: bool,
    /// Held until the pass ends, where a check goes as work.
    _overdue: Option<Overdue>,
    /// The rate limiter's token for the mutation that is about to come.
    permit: Option<Permit>,
    announced_at: Option<Instant>,
    owner_read_at: Option<Instant>,
    seen_at: Option<Instant>,
    former_request: Option<MicroTime>,
}

impl<U: UserApi> Pass<'_, U> {
    async fn run(&mut self) -> Result<Ended, Interruption> {
        for _ in 0..MOST_STEPS {
            self.go_on()?;
            let action = plan(&self.goal, &self.observed);
            tracing::debug!(object = %full_name(&self.object), step = step(&action), "planned");
            match &action {
                Action::Look(look) => self.look(look).await?,
                Action::AddFinalizer => self.hold().await?,
                Action::Announce(announcement) => self.announce(&action, announcement).await?,
                Action::Create(_) if self.announcement_is_old() => self.observed.announced = false,
                Action::Release(_) if matches!(self.goal, Goal::Compared(_)) => {
                    let released = self.shell.objects.release(&self.object).await?;
                    self.replace(released);
                }
                Action::Modify(_) | Action::Tag(_) | Action::Untag(_) | Action::Delete(_) => {
                    // With the token in hand, so that no wait lies between what was seen and the call.
                    self.take_permit().await;
                    if !self.doubts_owner(&action) {
                        return self.act(&action).await;
                    }
                }
                Action::Create(_)
                | Action::Release(_)
                | Action::Wait(_)
                | Action::Refuse(_)
                | Action::Rest
                | Action::Pause { .. }
                | Action::Compare(_) => return self.act(&action).await,
            }
        }
        tracing::error!(object = %full_name(&self.object), "a pass does not come to an end; this is a defect of the operator");
        Ok(Ended::Next(self.shell.pace.slow_cap))
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

    fn replace(&mut self, newer: ElastiCacheUser) {
        self.object = newer;
        let window = self.shell.pace.vanishing_window;
        self.shell.orphans.written(&self.object.uid().unwrap_or_default(), window);
        self.observed.record.held = is_held(&self.object);
        // What was read before is no longer the newest version.
        self.observed.confirmed = false;
        self.entry.version = read::version(&self.object);
        self.entry.departure.wrote(self.entry.version);
    }
}

/// Our finalizer is on the object.
pub fn is_held(object: &ElastiCacheUser) -> bool {
    object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}
