//! Rules of [`plan::Pass`] about the order and the age of its requests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm, reason = "a test may stop")]

#[path = "../common/mod.rs"]
#[macro_use]
mod common;
mod confirmed;
mod external;
mod handover;
mod kept;
mod lagging;
mod listed;
mod not_shown;
mod orphaned;
mod outage;
mod recent;
mod reminded;
mod reserved;
mod rewritten;
mod secrets;
mod texts;
mod unseen;
mod world;
