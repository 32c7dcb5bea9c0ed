//! AWS's answers, through the SDK.

use ::aws::{Aws, UserApi};
use plan::{Changes, Create, Modify};

use super::edits::{damage, edits};
use super::{Driver, Log, fuzz};
use crate::aws::broken::{NS, Server, good};
use crate::aws::emulator_fixture::{Ended, Method, SIGNER, create, modify, passwords};

const PASSWORDS: [&str; 2] = ["correct horse+battery&staple%", "another=long passphrase <1>"];
const STATUSES: [u16; 9] = [200, 200, 301, 400, 403, 404, 409, 429, 503];

fn refusal(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse {NS}><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>6ad6b4c1-9f8a-4a3e-9d8b-0123456789ab</RequestId></ErrorResponse>"
    )
}

/// HTTP status and body. The first ones are good answers.
fn corpus(method: Method) -> Vec<(u16, String)> {
    let refusals = [
        (404, refusal("UserNotFound", "User app was not found.")),
        // An earlier version read this as UserNotFound, because it dropped characters that no code has.
        (404, refusal("U serNotFound", "User app was not found.")),
        (400, refusal("UserAlreadyExists", "User app already exists.")),
        (400, refusal("InvalidParameterValue", "The password is not valid.")),
        (400, refusal("Throttling", "Rate exceeded")),
        (
            403,
            refusal(
                "AccessDenied",
                "User: arn:aws:sts::1:assumed-role/a/b is not authorized (Request ID: 1)",
            ),
        ),
        (403, refusal("SignatureDoesNotMatch", "It does not match. The Canonical String should have been x")),
        (500, refusal("InternalFailure", "We failed.")),
        (503, "<html><body>Service Unavailable</body></html>".to_owned()),
    ];
    [(200, good(method)), (200, good(method))].into_iter().chain(refusals).collect()
}

/// The forms in which a refusal may repeat a password: unchanged, and as a request or a log encodes it.
fn echoes() -> Vec<String> {
    let encoded = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    PASSWORDS
        .iter()
        .flat_map(|text| {
            [escaped(text), encoded(text), encoded(text).replace("%20", "+"), escaped(&escaped(text))]
        })
        .collect()
}

async fn call(method: Method, aws: &Aws) -> Ended {
    let authentication = passwords(&PASSWORDS);
    match method {
        Method::Create => {
            let create = Create { authentication, ..create("app") };
            aws.create(&create, SIGNER).await.into()
        }
        Method::Modify => {
            let changes = Changes { authentication: Some(authentication), ..modify("app").changes };
            aws.modify(&Modify { changes, ..modify("app") }, SIGNER).await.into()
        }
        Method::Describe | Method::ListTags | Method::Tag | Method::Delete => method.call(aws, "app").await,
    }
}

#[test]
fn any_answer_of_aws_is_parsed_or_refused_without_a_panic() {
    let (driver, (log, _logging)) = (Driver::new(), Log::capture());
    let server = driver.drive(Server::start());
    let echoes = echoes();
    let strategy = (0..Method::ALL.len(), 0..STATUSES.len() * 3, edits());
    fuzz("aws answers", &strategy, |(method, other_status, (index, edits))| {
        let (method, corpus) = (Method::ALL[method], corpus(Method::ALL[method]));
        let (status, body) = &corpus[index % corpus.len()];
        // Most cases have the status that belongs to the body.
        let status = STATUSES.get(other_status).copied().unwrap_or(*status);
        let mut body = body.clone().into_bytes();
        // Only the refusal of a call that carried passwords may repeat one.
        let may_echo = index % corpus.len() >= 2 && matches!(method, Method::Create | Method::Modify);
        damage(&mut body, &edits, if may_echo { &echoes } else { &[] });
        server.answers(status, &body);
        let ended = driver.drive(call(method, &server.aws));
        let text = String::from_utf8_lossy(&body);
        match &ended {
            Ended::NotFound => assert!(status >= 300 && text.contains("UserNotFound"), "{status}: {text}"),
            Ended::AlreadyExists => {
                assert!(status >= 300 && text.contains("UserAlreadyExists"), "{status}: {text}")
            }
            Ended::Well => assert!(status < 300, "{status}: {text}"),
            Ended::Failed(fault) => {
                let (code, message) = (&fault.error().code, &fault.error().message);
                assert!(code.len() <= 64 && message.len() <= 512, "{code}: {message}");
                assert!(message.ends_with(['.', '!', '?']), "{message:?}");
                assert!(!message.chars().any(char::is_control), "{message:?}");
            }
            Ended::CredentialsChanged | Ended::Strange => panic!("{ended:?}"),
        }
        log.assert_silent(&format!("{ended:?}"));
    });
}
