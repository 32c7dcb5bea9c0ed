//! I/O: the driver of a pass. It does what [`Pass`] asks for, and decides nothing.

mod held;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use aws::UserApi;
use kube::ResourceExt;
use plan::pass::{Counted, Finish, Request, Response, Settings};
use plan::{Goal, Pass};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;
use tokio::time::timeout;

pub(crate) use self::held::Held;
use crate::account::RateLimited;
use crate::api::{ElastiCacheUser, full_name};
use crate::clock::PassClock;
use crate::groups::UserGroups;
use crate::kubernetes::{Events, Kubernetes, RequestError, facts, status};
use crate::memories::Memories;
use crate::orphans::Orphans;
use crate::places::Places;
use crate::queue::QueueTurn;
use crate::resolve::{Policy, passwords, resolve};
use crate::telemetry::{Corrections, write_log_line};

/// Shared by all passes.
pub(crate) struct Reconciler<U> {
    pub kubernetes: Kubernetes,
    pub events: Events,
    pub users: RateLimited<U>,
    pub policy: Policy,
    pub settings: Arc<Settings>,
    pub memories: Memories,
    pub places: Places,
    /// Each CreateUser, until a later write to its object was answered.
    pub orphans: Orphans,
    pub groups: UserGroups,
    /// Counts corrections of what somebody else changed in AWS.
    pub corrections: Corrections,
    /// Counts users that are deleted because their object vanished.
    pub orphans_removed: Counter,
    /// For each request of a pass, except a wait for the rate limiter.
    pub pass_timeout: Duration,
    pub clock: PassClock,
    /// True once the operator is ending.
    pub ending: watch::Receiver<bool>,
}

impl<U: UserApi> Reconciler<U> {
    /// Runs one pass over the object. `cached` may be stale, because every write tests the resourceVersion.
    pub(crate) async fn reconcile(&self, cached: &ElastiCacheUser, turn: &QueueTurn) -> Finish {
        let (uid, namespace) = (cached.uid().unwrap_or_default(), cached.namespace().unwrap_or_default());
        let goal = self.goal(cached);
        let (object, memory) = (facts(cached), self.memories.recall(&uid, &namespace));
        let mut pass =
            Pass::new(self.settings.clone(), goal, object, memory, fastrand::u64(..), self.clock.now());
        self.groups.pass_begins(cached);
        let mut held = Held::new(cached, turn);
        let finish = self.drive(&mut pass, &mut held).await;
        self.groups.pass_ended(&held.object, &finish.wishes, self.clock.now());
        match &finish.memory {
            Some(memory) => self.memories.keep(&uid, &namespace, memory.clone()),
            None => {
                self.memories.forget(&uid, &namespace);
                self.orphans.check_now(&uid);
            }
        }
        finish
    }

    pub(crate) fn goal(&self, object: &ElastiCacheUser) -> Goal {
        let limit = self.policy.max_users(&object.namespace().unwrap_or_default());
        resolve(object, &self.policy, limit.filter(|_| self.places.are_taken(object)))
    }

    pub(crate) async fn drive(&self, pass: &mut Pass, held: &mut Held<'_>) -> Finish {
        loop {
            let request = pass.next(self.clock.now());
            tracing::debug!(object = %full_name(&held.object), request = request.name(), "next");
            if *self.ending.borrow()
                && let Some(finish) = pass.stop(self.clock.now())
            {
                return finish;
            }
            if let Request::Finish(finish) = request {
                return finish;
            }
            // A wait for a token may be long if AWS throttles.
            let limit = if request == Request::AcquireToken { Duration::MAX } else { self.pass_timeout };
            let response = match timeout(limit, self.answer(request, held)).await {
                Ok(answer) => answer.unwrap_or_else(RequestError::response),
                Err(_) => Response::TimedOut,
            };
            pass.handle(response, self.clock.now());
        }
    }

    async fn answer(&self, request: Request, held: &mut Held<'_>) -> Result<Response, RequestError> {
        let (kubernetes, users) = (&self.kubernetes, &self.users);
        Ok(match request {
            Request::AcquireToken => self.acquire_token(held).await,
            Request::DescribeUser(id) => {
                let (user, source) = users.describe(self.permit(held).await, &id).await;
                Response::Described(user, source)
            }
            Request::ListTags(arn) => Response::Tags(users.list_tags(self.permit(held).await, &arn).await),
            Request::Identify => Response::Identified(users.identify(self.permit(held).await).await),
            Request::IdentifyCaller => Response::Identified(users.identify_caller().await),
            Request::Call { mutation, credentials } => self.call(&mutation, credentials, held).await,
            Request::ReadOwner(owner) => Response::Owner(kubernetes.owner_exists(&owner).await?),
            Request::ReadPasswords => Response::Passwords(passwords(&held.object, kubernetes).await),
            Request::ReadDefinition => Response::Definition(kubernetes.definition().await),
            Request::ReadGroups(groups) => Response::Groups(self.groups.states(&held.object, &groups)),
            Request::ReadObject => self.read_object(held).await?,
            Request::ReadNamesake(orphan) => Response::Namesake(kubernetes.namesake(&orphan).await?),
            Request::Resolve => self.resolve_again(held).await?,
            Request::AddFinalizer => self.written(kubernetes.add_finalizer(&held.object).await?, held),
            Request::RemoveFinalizer => self.remove_finalizer(held).await?,
            Request::WriteStatus(next) => {
                self.written(kubernetes.apply_status(&held.object, &status(&next)).await?, held)
            }
            Request::Log(line) => {
                write_log_line(&full_name(&held.object), &line);
                Response::Done
            }
            Request::Publish(event) => {
                self.events.publish(&held.object, &event);
                Response::Done
            }
            Request::Count(counted) => {
                match counted {
                    Counted::Correction => {
                        self.corrections.count(&held.object.uid().unwrap_or_default());
                    }
                    Counted::OrphanRemoved => {
                        self.orphans_removed.inc();
                    }
                }
                Response::Done
            }
            Request::Finish(_) => Response::Done,
        })
    }
}
