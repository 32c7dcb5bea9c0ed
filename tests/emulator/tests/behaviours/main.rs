//! The behaviours of the real service. Each test is named after the number of its behaviour. The tests use HTTP: through the AWS SDK
//! for Rust, or directly if the SDK would hide the behaviour. Other tests check the emulator's own contract: faults, control API, data
//! file, program.

// Clippy does not recognize the helpers of tests as test code.
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
