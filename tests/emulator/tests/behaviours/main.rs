//! The behaviours of the real service, each a test that is named after its number, over HTTP: through the AWS SDK for
//! Rust, or raw where the SDK would hide the rule. And the emulator's own contract: faults, control API, data file,
//! program.

// In an integration test everything is test code, but clippy knows only the functions with the attribute.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access_string;
mod authentication;
mod complete;
mod control_api;
mod control_records;
mod data_file;
mod engine;
mod faults;
mod fixture;
mod groups;
mod identity;
mod listing;
mod permissions;
mod program;
mod tags;
mod user_states;
mod wire;
