//! The API server answers status writes slowly.
#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm, reason = "a test may stop")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{id, present};
use plan::pace::Pace;
use plan::pass::{Request, Response, Settings};
use plan::*;

/// A pass on a clock of its own, for an object without a user.
struct Slow {
    pass: Pass,
    object: ObjectFacts,
    elapsed: Duration,
    writes: usize,
}

impl Slow {
    fn now(&self) -> Now {
        let utc = Timestamp(1_800_000_000_000_000) + self.elapsed;
        Now { moment: Moment::after_start(self.elapsed), utc }
    }

    fn new() -> Self {
        let settings = Settings {
            pace: Pace::default(),
            region: "us-east-1".to_owned(),
            identity: "operator-1".to_owned(),
            namespaces: Vec::new(),
        };
        let object = ObjectFacts {
            uid: "uid-1".to_owned(),
            namespace: "shop".to_owned(),
            name: "app".to_owned(),
            version: ResourceVersion("1".to_owned()),
            generation: Some(1),
            terminating: false,
            has_finalizer: true,
            has_other_finalizers: false,
            reconcile_requested_at: None,
            status: Status::default(),
        };
        let now = Now { utc: Timestamp(1_800_000_000_000_000), ..Now::default() };
        let pass = Pass::new(Arc::new(settings), present(), object.clone(), Memory::default(), 1, now);
        Self { pass, object, elapsed: Duration::ZERO, writes: 0 }
    }

    /// Runs to CreateUser; each status write takes `write(number)`. The time that CreateUser starts after the
    /// `createRequestedAt` in status, in microseconds.
    fn until_create(&mut self, write: impl Fn(usize) -> Duration) -> i64 {
        let account = Account::Known("111111111111".to_owned());
        let source = CallSource { region: "us-east-1".to_owned(), credentials: CredentialsId(0), account };
        loop {
            let response = match self.pass.next(self.now()) {
                Request::AcquireToken(_) => Response::Token(true),
                Request::DescribeUser(user) => {
                    assert_eq!(user, id());
                    Response::Described(UserObservation::Absent, source.clone())
                }
                Request::Identify | Request::IdentifyCaller => Response::Identified(source.clone()),
                Request::ReadObject => Response::Object(Some(Box::new(self.object.clone()))),
                Request::WriteStatus(status) => {
                    self.writes += 1;
                    self.elapsed += write(self.writes);
                    self.object.status = *status;
                    self.object.version = ResourceVersion((self.writes + 1).to_string());
                    Response::Written(self.object.clone())
                }
                Request::Call { mutation, .. } => {
                    assert!(matches!(*mutation, Mutation::Create(_)));
                    return self.now().utc.0 - self.object.status.create_requested_at.unwrap().0;
                }
                other => panic!("{} after {} writes", other.name(), self.writes),
            };
            self.pass.handle(response, self.now());
        }
    }
}

#[test]
fn a_user_is_created_however_slow_status_writes_are_and_its_create_request_is_recent() {
    let valid = i64::try_from(Pace::default().intent_valid.as_micros()).unwrap();
    // Longer than any time-out of the API server's client.
    for tenths in 0..=300 {
        let mut slow = Slow::new();
        let age = slow.until_create(|_| Duration::from_millis(100 * tenths));
        assert!(age <= valid, "{tenths}: CreateUser starts {age} us after createRequestedAt");
        assert_eq!(slow.writes, if tenths <= 50 { 1 } else { 2 }, "{tenths}");
    }
}

#[test]
fn a_create_request_is_repeated_while_writes_become_slower_by_more_than_it_is_valid() {
    let mut slow = Slow::new();
    let age = slow.until_create(|number| Duration::from_secs([5, 6, 14][number.min(3) - 1]));
    assert_eq!((slow.writes, age), (1, 5_000_000));
    let mut slow = Slow::new();
    let age = slow.until_create(|number| Duration::from_secs([6, 12, 15][number.min(3) - 1]));
    assert_eq!((slow.writes, age), (3, 3_000_000));
}

/// A process that reads the create request later reckons with the CreateUser for as long as if it had been sent at the last
/// moment.
#[test]
fn the_creation_stays_open_for_as_long_after_the_call_as_with_a_fast_write() {
    let pace = Pace::default();
    for seconds in [0, 6, 15] {
        let age = Slow::new().until_create(|_| Duration::from_secs(seconds));
        let open =
            pace.creation_window + pace.call_timeout - Duration::from_micros(age.max(0).unsigned_abs());
        assert!(open >= pace.creation_window + pace.call_timeout - pace.intent_valid, "{seconds}");
    }
}
