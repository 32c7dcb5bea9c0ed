//! I/O: the driver of a pass. It does what [`Pass`] asks for, and decides nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws::UserApi;
use kube::ResourceExt;
use plan::pass::{EventContent, Finish, PassResult, Request, Response, Settings};
use plan::verdict::Outcome;
use plan::{CredentialsId, Mutation, Pass};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;

use crate::account::{Class, Permit, RateLimited};
use crate::api::{ElastiCacheUser, full_name};
use crate::clock::PassClock;
use crate::groups::UserGroups;
use crate::kubernetes::{Kubernetes, RequestError, facts, status};
use crate::memories::Memories;
use crate::orphans::{Orphans, orphan};
use crate::queue::QueueTurn;
use crate::resolve::{Policy, passwords, resolve};
use crate::telemetry::write_log_line;

/// Shared by all passes.
pub(crate) struct Reconciler<U> {
    pub kubernetes: Kubernetes,
    pub users: RateLimited<U>,
    pub policy: Policy,
    pub settings: Arc<Settings>,
    pub memories: Memories,
    /// Each CreateUser, until a later write to its object was answered.
    pub orphans: Orphans,
    pub groups: UserGroups,
    /// Counts corrections of what somebody else changed in AWS.
    pub corrections: Counter,
    /// For each request of a pass, except a wait for the rate limiter.
    pub pass_timeout: Duration,
    pub clock: PassClock,
    /// True once the operator is ending.
    pub ending: watch::Receiver<bool>,
}

/// What the driver keeps during one pass.
struct Held<'a> {
    /// The version of the object that the pass decides on.
    object: ElastiCacheUser,
    turn: &'a QueueTurn,
    permits: Vec<Permit>,
    /// The pass has got a token.
    has_begun: bool,
}

impl<U: UserApi> Reconciler<U> {
    /// Runs one pass over the object. `cached` may be stale, because every write tests the resourceVersion.
    pub(crate) async fn reconcile(&self, cached: &ElastiCacheUser, turn: &QueueTurn) -> Finish {
        let uid = cached.uid().unwrap_or_default();
        let goal = resolve(cached, &self.policy);
        let (object, memory) = (facts(cached), self.memories.recall(&uid));
        let mut pass =
            Pass::new(self.settings.clone(), goal, object, memory, fastrand::u64(..), self.clock.now());
        self.groups.pass_begins(cached);
        let (finish, object) = self.drive(&mut pass, cached, turn).await;
        self.groups.pass_ended(&object, &finish.wishes, self.clock.now());
        match &finish.memory {
            Some(memory) => {
                self.memories.keep(&uid, &cached.namespace().unwrap_or_default(), memory.as_ref().clone())
            }
            None => {
                self.memories.forget(&uid);
                self.orphans.check_now(&uid);
            }
        }
        finish
    }

    async fn drive(
        &self,
        pass: &mut Pass,
        cached: &ElastiCacheUser,
        turn: &QueueTurn,
    ) -> (Finish, ElastiCacheUser) {
        let mut held = Held { object: cached.clone(), turn, permits: Vec::new(), has_begun: false };
        loop {
            let request = pass.next(self.clock.now());
            tracing::debug!(object = %full_name(cached), request = request.name(), "next");
            if *self.ending.borrow() && !pass.is_reporting() {
                return (pass.interrupt(PassResult::Ending, self.clock.now()), held.object);
            }
            if let Request::Finish(finish) = request {
                return (finish, held.object);
            }
            // A wait for a token may be long if AWS throttles.
            let limit = if request == Request::AcquireToken { Duration::MAX } else { self.pass_timeout };
            match tokio::time::timeout(limit, self.answer(request, &mut held)).await {
                Ok(answer) => {
                    pass.handle(answer.unwrap_or_else(RequestError::response), self.clock.now());
                }
                Err(_) => return (pass.interrupt(PassResult::TimedOut, self.clock.now()), held.object),
            }
        }
    }

    async fn answer(&self, request: Request, held: &mut Held<'_>) -> Result<Response, RequestError> {
        let (kubernetes, users) = (&self.kubernetes, &self.users);
        Ok(match request {
            Request::AcquireToken => match self.token(held).await {
                Some(permit) => {
                    held.permits.push(permit);
                    Response::Token
                }
                None => Response::Ending,
            },
            Request::DescribeUser(id) => {
                let (user, source) = users.describe(self.permit(held).await, &id).await;
                Response::Described(user, source)
            }
            Request::ListTags(arn) => Response::Tags(users.list_tags(self.permit(held).await, &arn).await),
            Request::Identify => Response::Identified(users.identify(self.permit(held).await).await),
            Request::IdentifyCaller => Response::Identified(users.identify_caller().await),
            Request::Call { mutation, credentials } => {
                Response::Called(self.call(&mutation, credentials, held).await)
            }
            Request::ReadOwner(owner) => Response::Owner(kubernetes.owner_exists(&owner).await?),
            Request::ReadPasswords => Response::Passwords(passwords(&held.object, kubernetes).await),
            Request::ReadDefinition => Response::Definition(kubernetes.definition().await),
            Request::ReadGroups(groups) => Response::Groups(self.groups.states(&held.object, &groups)),
            Request::ReadObject => {
                let found = kubernetes.read(&held.object).await?;
                let read = found.as_ref().map(|found| Box::new(facts(found)));
                held.object = found.unwrap_or_else(|| held.object.clone());
                Response::Object(read)
            }
            Request::Resolve => match kubernetes.read(&held.object).await? {
                Some(object) => {
                    let goal = resolve(&object, &self.policy);
                    held.object = object;
                    Response::Resolved(Some((goal, facts(&held.object))))
                }
                None => Response::Resolved(None),
            },
            Request::AddFinalizer => self.keep_written(kubernetes.add_finalizer(&held.object).await?, held),
            Request::RemoveFinalizer => {
                self.keep_written(kubernetes.remove_finalizer(&held.object).await?, held)
            }
            Request::WriteStatus(next) => {
                self.keep_written(kubernetes.apply_status(&held.object, &status(&next)).await?, held)
            }
            Request::Log(line) => {
                write_log_line(&full_name(&held.object), &line);
                Response::Done
            }
            Request::Publish(event) => self.publish(&held.object, &event).await,
            Request::Finish(_) => Response::Done,
        })
    }

    async fn call(&self, mutation: &Mutation, signer: CredentialsId, held: &mut Held<'_>) -> Outcome {
        let permit = self.permit(held).await;
        let call = self.users.call(permit, mutation, signer);
        match mutation {
            Mutation::Create(create) => {
                let orphan = orphan(&held.object, &create.user_id, &self.policy);
                self.orphans.follow(orphan, self.settings.pace.creation_window, call).await
            }
            Mutation::Modify(_) | Mutation::Tag(_) | Mutation::Untag(_) | Mutation::Delete(_) => call.await,
        }
    }

    /// Keeps the version that a write to the object returned.
    fn keep_written(&self, object: ElastiCacheUser, held: &mut Held<'_>) -> Response {
        self.orphans.written(&object.uid().unwrap_or_default(), self.settings.pace.vanishing_window);
        held.object = object;
        Response::Written(facts(&held.object))
    }

    /// Waits for a token without a slot. `None` if the operator ends meanwhile.
    async fn token(&self, held: &mut Held<'_>) -> Option<Permit> {
        let mut ending = self.ending.clone();
        tokio::select! {
            permit = held.turn.without_slot(self.wait(held.turn, held.has_begun)) => {
                held.has_begun = true;
                Some(permit)
            }
            _ = ending.wait_for(|ending| *ending) => None,
        }
    }

    /// A change lifts the pass while it waits. A check that has begun continues as work, because its calls would otherwise be
    /// wasted.
    async fn wait(&self, turn: &QueueTurn, has_begun: bool) -> Permit {
        let mut lifted = turn.class();
        loop {
            let class = *lifted.borrow_and_update();
            let class = if has_begun { class.min(Class::Repeat) } else { class };
            tokio::select! {
                biased;
                permit = self.users.permit(class, turn.namespace()) => return permit,
                Ok(()) = lifted.changed() => {}
            }
        }
    }

    /// The permit that the pass acquired for this call. If the pass acquired none, waits for one.
    async fn permit(&self, held: &mut Held<'_>) -> Permit {
        match held.permits.pop() {
            Some(permit) => permit,
            None => held.turn.without_slot(self.wait(held.turn, true)).await,
        }
    }

    /// To be called with the uids of a complete list of the objects of a namespace (`None`: of all).
    pub(crate) fn listed(&self, namespace: Option<&str>, uids: &HashSet<String>) {
        self.memories.sweep(namespace, uids);
    }

    /// To be called if the watch shows that the object was deleted. `last` is its last version.
    pub(crate) fn vanished(&self, last: &ElastiCacheUser) {
        self.memories.forget(&last.uid().unwrap_or_default());
        self.groups.forget(&last.uid().unwrap_or_default());
        self.orphans.vanished(last, &self.policy);
    }

    async fn publish(&self, object: &ElastiCacheUser, event: &EventContent) -> Response {
        if event.corrects_drift {
            self.corrections.inc();
        }
        self.kubernetes.publish(object, event).await;
        Response::Done
    }
}
