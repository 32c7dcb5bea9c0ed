//! Tests of the chart and of the files that are generated from it, with the programs that people use and a real control plane.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where something is wrong"
)]

mod files;
mod fixture;
mod image;
mod installing;
mod judges;
mod permissions;
mod protecting;
mod refusing;
mod releasing;
mod rendering;
#[path = "../../../../src/plan/tests/access_string/usefulness.rs"]
mod usefulness;
mod warning;
