//! Passwords go to AWS, and nowhere else.

use std::io;
use std::sync::{Arc, Mutex};

use aws::{Aws, Connection, UserApi};
use elasticache_emulator::Rule;
use plan::verdict::Outcome;
use plan::{Account, Changes, Create, Modify};
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::other_process;
use crate::secrecy::assert_silent;

use super::emulator_fixture::{Fixture, PATIENT, REGION, SIGNER, create, passwords, user_id};

const ONE: &str = "correct horse+battery%staple";
const OTHER: &str = "another-one-of-16-or-more";

/// The log lines of this process.
///
/// A process has one log, because which lines the subscriber of a thread gets depends on what other threads have logged before. So
/// each test that reads the log runs in a process of its own: see [`alone`].
struct Log(Arc<Mutex<Vec<u8>>>);

#[derive(Clone)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lines").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let writer = Lines(Arc::clone(&lines));
        let subscriber = tracing_subscriber::fmt()
            // All lines, except that the SDK logs at its default level.
            .with_env_filter(EnvFilter::new("trace,aws_=info"))
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("the first one");
        Self(lines)
    }

    /// The lines since the last `text`.
    fn text(&self) -> String {
        let lines = std::mem::take(&mut *self.0.lock().expect("lines"));
        String::from_utf8(lines).expect("text")
    }
}

/// Runs the body in a process of its own, with its log.
fn alone(test: &str, body: impl AsyncFnOnce(Log)) {
    let nothing = |_| Vec::<(_, String)>::new();
    other_process::run(&format!("aws::secrets::{test}"), nothing, async |_| body(Log::start()).await);
}

fn requests() -> (Create, Modify) {
    let create = Create { authentication: passwords(&[ONE, OTHER]), ..create("app") };
    let changes = Changes { authentication: Some(passwords(&[OTHER, ONE])), ..Changes::default() };
    (create, Modify { user_id: user_id("app"), changes, cause: plan::Cause::Edit })
}

#[test]
fn passwords_reach_aws_and_appear_nowhere_else() {
    alone("passwords_reach_aws_and_appear_nowhere_else", async |log| {
        let fault = Rule::any;
        let (value, both) = ("InvalidParameterValue", format!("{ONE} and {OTHER} are bad"));
        show_nowhere(&log, None).await;
        for fault in [
            fault().throttle(),
            fault().unavailable(),
            fault().reset(),
            fault().garbage(),
            fault().truncate(),
            fault().error(value, 400).message(both),
            fault().error(ONE, 400).message(format!("Request ID: {OTHER}")),
            fault().error("AccessDenied", 403).message(ONE),
        ] {
            show_nowhere(&log, Some(fault)).await;
        }
    });
}

async fn show_nowhere(log: &Log, fault: Option<Rule>) {
    let claim = fault.as_ref().map_or("no fault".to_owned(), ToString::to_string);
    let (create, modify) = requests();
    let fixture = Fixture::start();
    let strikes = async || {
        if let Some(fault) = &fault {
            fixture.control.fault(fault.clone()).await;
        }
    };
    strikes().await;
    let created = fixture.aws.create(&create, SIGNER).await;
    fixture.control.put_user("app", json!({})).await;
    strikes().await;
    let modified = fixture.aws.modify(&modify, SIGNER).await;
    let shown = format!("{create:?} {modify:?} {created:?} {modified:?} {:?}", fixture.aws);
    assert_silent(&format!("Debug, {claim}"), &shown);
    for outcome in [&created, &modified] {
        if let Outcome::Failed(failure) = outcome {
            assert_silent(&format!("Display, {claim}"), &failure.error().to_string());
        }
    }
    let logged = log.text();
    assert!(logged.contains("operation=\"CreateUser\""), "the log has no call:\n{logged}");
    assert_silent(&format!("log, {claim}"), &logged);
    if fault.is_none() {
        let truth = fixture.control.user("app").await.expect("the user");
        assert_eq!(truth["Authentication"]["PasswordCount"], json!(2), "AWS has them");
    }
}

#[tokio::test]
async fn a_password_that_aws_repeats_is_redacted() {
    let fixture = Fixture::start();
    let message = format!("Password '{ONE}' is bad, so is {OTHER}");
    fixture.control.fault(Rule::any().error("InvalidParameterValue", 400).message(message)).await;
    let Outcome::Failed(fault) = fixture.aws.create(&requests().0, SIGNER).await else { panic!("failed") };
    assert_eq!(fault.error().message, "Password '[redacted]' is bad, so is [redacted].");
}

#[test]
fn each_aws_call_is_one_line_of_the_debug_log() {
    alone("each_aws_call_is_one_line_of_the_debug_log", async |log| {
        let fixture = Fixture::start();
        let app = user_id("app");
        fixture.aws.describe(&app).await;
        fixture.aws.create(&create("app"), SIGNER).await;
        fixture.aws.describe(&app).await;
        fixture.control.fault(Rule::any().unavailable()).await;
        fixture.aws.describe(&app).await;
        fixture.control.fault(Rule::any().throttle()).await;
        fixture.aws.describe(&app).await;
        let parts = [
            "operation=\"DescribeUsers\" user_id=\"app\"",
            "operation=\"CreateUser\" user_id=\"app\"",
            "operation=\"DescribeUsers\" user_id=\"app\"",
            "code=\"ServiceUnavailable\"",
            "code=\"Throttling\"",
        ];
        // The emulator knows no account for this key, but answers.
        let key = "AKIAIOSFODNN7EXAMPLE";
        let other = Aws::with(&Connection {
            endpoint: fixture.emulator.url(),
            sts_endpoint: None,
            region: REGION.to_owned(),
            access_key_id: key.to_owned(),
            secret_access_key: "secret".into(),
            timeouts: PATIENT,
        });
        let text = log.text();
        let source = other.identify().await;
        fixture.control.fault(Rule::any().error("AccessDenied", 403)).await;
        other.describe(&app).await;
        assert!(matches!(source.account, Account::Known(_)), "the call was not signed: {source:?}");
        for shown in [log.text(), format!("{source:?} {other:?}")] {
            assert!(!shown.contains(key), "an access key ID shows: {shown}");
        }
        let of_level = |level: &str| {
            let target = format!(" {level} elasticache_user_operator::aws::call_log");
            text.lines().filter(|line| line.contains(&target)).collect::<Vec<_>>()
        };
        let lines = of_level("DEBUG");
        assert_eq!(lines.len(), parts.len(), "{lines:#?}");
        for (line, part) in lines.iter().zip(parts) {
            assert!(line.contains(part) && line.contains("duration_ms="), "{line} lacks {part}");
            assert!(line.contains("request_id="), "{line} lacks AWS's request ID");
        }
        // The port itself logs nothing at these levels, because the pass logs what a person on call needs.
        assert!(of_level("INFO").is_empty() && of_level("WARN").is_empty(), "{text}");
    });
}
