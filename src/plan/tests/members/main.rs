//! Several objects, their passes and the coordinator of the user groups, all real, against a model of the API server and of AWS. Specs
//! change, objects go with and without their users and come again, status is lost, others change the groups, and the process is
//! killed at any moment. Every wish is fulfilled or told. Nobody is removed from a group that the spec of its object never named.
#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm, reason = "a test may stop")]

#[path = "../common/mod.rs"]
#[macro_use]
mod common;
mod cluster;
mod service;
mod walk;
