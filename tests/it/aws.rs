//! The port to AWS, with the real SDK over HTTP: against the emulator, and against servers that answer what it never would.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may stop")]

pub(crate) mod broken;
mod calls;
mod connecting;
pub(crate) mod credentials;
pub(crate) mod emulator_fixture;
mod faults;
mod identifying;
mod secrets;
mod token;
