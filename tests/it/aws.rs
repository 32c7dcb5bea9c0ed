//! The port to AWS, with the real SDK over HTTP. The server is the emulator, or a small server that returns what the emulator never
//! returns.

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
