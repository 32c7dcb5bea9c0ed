//! A Kubernetes operator that manages Amazon ElastiCache RBAC users.
//!
//! # Architecture
//! One pass over one object is a pure state machine, [`plan::Pass`]. It asks for one thing at a time, and `reconcile`, the
//! driver, does what it asks for:
//! ```text
//!            ┌────────────────────────── plan (a crate: no kube, SDK, tokio, clock, randomness) ───────────────────────────┐
//! object ──▶ │ Pass::new(settings, goal, facts of the object, memory, seed, now)                                            │
//!            │   loop { Pass::next(now) -> Request          fetch a fact, write an intent, make the one AWS call, ..        │
//! driver ──▶ │          Pass::handle(response, now) }       .. write status, publish an event, finish                       │
//!            └─────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//! Five verbs, in this order, name functions and files: **resolve** (object to goal), **observe** (fetch facts), **plan** (decide
//! the next action), **perform** (write intents and make the call), **report** (status, events, requeue). The tests drive the
//! same machine, with a model in place of the API server and AWS. Why: `docs/design/2026-11-30-sans-io-pass.md`.
//!
//! # Map
//! | module | I/O | what it is |
//! |---|---|---|
//! | [`api`] | no | the custom resource as users write it, and its CRD |
//! | [`plan`] (a crate) | no | the pass: what to do next, what to say about it, when to come back |
//! | [`resolve`] | Secrets | object to goal |
//! | `reconcile` | through these | the driver of a pass |
//! | [`kubernetes`] | API server | requests about one object; each write tests its version |
//! | [`aws`] (a crate) | AWS | the AWS calls and their metrics; the only crate that depends on the AWS SDK |
//! | [`account`] | AWS | one AWS account and region: the calls to it, their rate limit, and walks over all users |
//! | `objects` | no | the objects that a watch shows |
//! | `places` | no | which objects may have a user, if a namespace may have only so many |
//! | `memories` | no | what one process remembers of each object between passes |
//! | `groups` | through these | the driver of the coordinator of user groups, [`plan::groups`] |
//! | `orphans` | through these | notices that an object may have vanished right after CreateUser, and runs a pass that deletes its AWS user |
//! | `queue` | no | whose pass begins next, and when |
//! | `controller` | API server | watches: which change asks for a pass |
//! | [`leader_election`] | API server | which replica works, and its right to change something |
//! | `connection` | API server | how the cluster is reached |
//! | [`telemetry`] | HTTP | logs, metrics, health |
//! | [`check`] | all of it | the preflight, and what an uninstall would lose |
//! | [`run`] | all of it | the operator, assembled from its flags |
//! | [`config`], `clock` | environment, time | the only readers of each |
//!
//! # Glossary
//! | word | meaning |
//! |---|---|
//! | object | an `ElastiCacheUser` in Kubernetes |
//! | user | a user in ElastiCache, named by its user ID in one account and region |
//! | owner | the object that the owner tags of a user name (cluster, namespace, name) |
//! | ours | the user's owner tags name this object |
//! | unowned | the user carries no owner tags |
//! | goal | what the object asks for, after its Secrets were read |
//! | fact, observation | what AWS or the API server answered in this pass |
//! | record | what status and this process remember from earlier passes |
//! | pass | one run of the machine over one object |
//! | action | what `plan` decides: fetch a fact, write an intent, make one call, wait, refuse, .. |
//! | intent | a status write that has to come before a mutation, so that a lost answer or a kill loses nothing |
//! | mutation | an AWS call that changes something |
//! | outcome | how a mutation ended |
//! | verdict | what an action and its outcome mean for conditions, events and the next pass |
//! | drift | a difference that somebody else made in AWS, not an edit of the spec |
//! | to release | to remove the finalizer, so that the object may go |
//! | token | the right to make one AWS call (rate limit), or to change anything at all (leader election) |
//!
//! # Invariants, each held by tests
//! - The finalizer is on the object before the first AWS mutation, and as soon as AWS shows a user that is or may be ours.
//! - The finalizer is removed only if DescribeUsers answers UserNotFound, the object is retained, or the user is not ours. The
//!   removal tests the resourceVersion that was decided on.
//! - No user is changed unless its owner tags were read in the same pass, at most 2 s before the call, and they name this object
//!   (or nobody, and the user may be adopted or is the one that status shows as managed).
//! - No mutation is signed by other credentials than the DescribeUsers that it rests on, or the answer of STS if CreateUser needs no
//!   look: they may belong to another account.
//! - The object is read again before every mutation, once the token is in hand. Only the write of CreateUser's intent replaces
//!   this read, if it was quick.
//! - DeleteUser is sent only to a user that is `active`.
//! - Intents come first: `createRequestedAt` and `location` before CreateUser, tag keys before tags, `deleteRequestedAt` without
//!   `lastApplied` before DeleteUser.
//! - An absence counts only if it came from the account and region that status names.
//! - A listing of all users only wakes objects. No mutation and no release rests on it, and no status but this: a row may show that
//!   AWS has applied a ModifyUser.
//! - A pass that changes nothing writes nothing.
//! - With `--leader-elect`, nothing is changed without a valid token, and no two replicas have one at the same time.
//! - A password is never formatted.

pub mod account;
pub mod api;
pub mod check;
pub mod config;
pub mod kubernetes;
pub mod leader_election;
pub mod resolve;
pub mod run;
pub mod telemetry;

mod clock;
mod connection;
mod controller;
mod groups;
mod memories;
mod objects;
mod orphans;
mod places;
mod queue;
mod reconcile;

pub use aws;
pub use plan;
