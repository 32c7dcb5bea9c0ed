//! Tables about the pure functions of the crate: each row is a claim, with what is given and what must follow. The fields that
//! a row does not name are those of its table.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]
#![allow(clippy::needless_update, reason = "a row may name all fields")]

#[path = "../common/mod.rs"]
#[macro_use]
mod common;
mod adoption;
mod changes;
mod classify;
mod corrections;
mod create_intent;
mod creation;
mod external;
mod finalize;
mod finalizer;
mod last_applied;
mod model;
mod observe_only;
mod orphan;
mod ownership;
mod rules;
mod seen_gone;
mod status_user;
mod verdict;
mod verdict_rows;
