//! A Kubernetes operator that manages Amazon ElastiCache RBAC users.
//!
//! The operator is one pure function with a thin shell around it:
//! ```text
//! ElastiCacheUser + Secrets ──resolve──▶ Goal ┐
//!                                             ├─plan──▶ Action ──perform──▶ Outcome ──report──▶ status, event, next visit
//! AWS ─────────────────────────observe──▶ Observed ┘   (pure)     (one AWS mutation at most)
//! ```
//! [`plan`] decides, one fact and one step at a time; [`reconcile`] does what it says and asks again. What a person sees
//! (conditions, events, pace) follows from the last action and its outcome alone ([`plan::verdict`]).
//!
//! # Map
//! | module | I/O | what it is |
//! |---|---|---|
//! | [`api`] | no | the custom resource as users write it, and its CRD |
//! | [`plan`] (a crate) | no | what to do next, what to say about it, when to come back |
//! | [`resolve`] | Secrets | object to goal |
//! | [`connection`] | API server | how the cluster is reached |
//! | [`leader_election`] | API server | which of several replicas works, and its right to change something |
//! | [`aws`] (a crate) | AWS | the calls of AWS, and their metrics; the only crate that depends on the AWS SDK |
//! | [`account`] | AWS | one AWS account and region: the calls to it, and their rate limit |
//! | [`objects`] | API server | reads and writes about one object, each testing its version |
//! | [`reconcile`] | through these | one pass |
//! | [`report`] | no | the status that follows |
//! | [`memory`] | no | what one process remembers between passes |
//! | [`controller`] | API server | watches, schedule, shutdown |
//! | [`telemetry`] | HTTP | logs, metrics, health |
//! | [`run`] | all of it | the operator, put together from its flags |
//! | [`check`] | all of it | the preflight, and what an uninstall would lose |
//! | [`config`], [`clock`] | environment, time | their only readers |
//!
//! # Invariants, each held by tests
//! - The finalizer goes only when DescribeUsers says UserNotFound, the object is retained, or the user is not ours; its
//!   removal tests the resourceVersion that was decided on.
//! - No mutation of a user whose owner tags were not read in the same pass, at most 2 s before. What they say decides: ours;
//!   or nobody's, where it may be adopted or is the one that we managed.
//! - DeleteUser is sent only to a user that is `active`, after the object was read again.
//! - `createRequestedAt` is in status before CreateUser is called, tag keys before tags are sent, whatever a ModifyUser
//!   overwrites is unsaid before, and `lastApplied` is out of status before DeleteUser: a lost answer, or a kill, loses
//!   nothing.
//! - A process announces before its first DeleteUser, whatever another one wrote; later ones that AWS refuses write nothing.
//! - A pass that changes nothing writes nothing.
//! - A check that finds no token for its first call ends its pass: it holds no slot, and writes nothing.
//! - With `--leader-elect`, no mutation is sent and no object written without a valid token; no two replicas have one at a time.
//! - A password is never formatted.

pub mod account;
pub mod api;
pub mod check;
pub mod clock;
pub mod config;
pub mod connection;
pub mod controller;
pub mod kubernetes;
pub mod leader_election;
pub mod memories;
pub mod reconcile;
pub mod resolve;
pub mod run;
pub mod telemetry;

pub use aws;
pub use plan;
