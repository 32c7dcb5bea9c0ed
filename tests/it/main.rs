//! Tests of the operator as a process: one test binary, with a module for each subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops where something is wrong"
)]

mod accounts;
mod admission;
mod adopting;
mod architecture;
mod argocd;
mod attacks;
mod audit;
mod aws;
mod book;
mod changing;
mod checking;
mod classes;
mod clusterwide;
mod control_plane;
mod creating;
mod definition;
mod deleting;
mod delivering;
mod deployed;
mod drifting;
mod external;
mod faults;
mod fixture;
mod following;
mod fuzzing;
mod gitops;
mod grouping;
mod handing_over;
mod http_server;
mod iam;
mod idling;
mod kstatus;
mod leading;
mod limited;
mod load;
mod lockdown;
mod not_shown;
mod other_process;
mod passwords;
mod policies;
mod program;
mod recorded;
mod reference;
mod restless;
mod retagging;
mod rewriting;
mod rights;
mod rotating;
mod runbooks;
mod samples;
mod scraping;
mod secrecy;
mod secretless;
mod taken_back;
mod throttling;
mod transcript;
mod upgrading;
mod vanishing;
mod waiting;
mod watching;
mod written;

use support::repository;
