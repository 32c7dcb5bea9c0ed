//! Answers that the emulator never gives: incomplete although the length is right, about another user, or from a proxy.

use std::sync::{Arc, Mutex};

use aws::{Aws, UserApi};
use plan::{Fault, TagsObservation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::emulator_fixture::{ACCOUNT, IMPATIENT, Method, PATIENT, REGION, arn, aws, tags};

pub(crate) const NS: &str = "xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\"";

/// A server that answers every request with the answer that the test set last.
pub(crate) struct Server {
    pub(crate) aws: Aws,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let answer = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&told)));
            }
        });
        Self { aws: aws(&url, PATIENT), answer }
    }

    /// Sets the status and the body of the next answers. Their length is that of the body.
    pub(crate) fn answers(&self, status: u16, body: &(impl AsRef<[u8]> + ?Sized)) {
        let body = body.as_ref();
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
        *self.answer.lock().expect("answer") = [head.as_bytes(), body].concat();
    }

    /// Calls this method with this answer, and returns how the call ended.
    async fn words(&self, method: Method, status: u16, body: &str) -> String {
        self.answers(status, body);
        method.call(&self.aws, "app").await.words()
    }

    /// Sets an answer without a length. It ends with the connection, as answers of old proxies do.
    fn answers_without_length(&self, body: &str) {
        let head = "HTTP/1.1 200 X\r\nConnection: close\r\n\r\n";
        *self.answer.lock().expect("answer") = [head.as_bytes(), body.as_bytes()].concat();
    }
}

/// Answers the requests of one connection.
async fn serve(mut stream: TcpStream, answer: Arc<Mutex<Vec<u8>>>) {
    let mut read = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        while let Some(end) = request_end(&read) {
            read.drain(..end);
            let answer = answer.lock().expect("answer").clone();
            if stream.write_all(&answer).await.is_err() || answer.windows(5).any(|part| part == b"close") {
                return;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => read.extend_from_slice(&buffer[..length]),
        }
    }
}

/// Where the first request in these bytes ends, if it is all there.
fn request_end(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length = text.split("content-length: ").nth(1)?.split("\r\n").next()?.parse::<usize>().ok()?;
    (bytes.len() >= head + length).then_some(head + length)
}

fn user(id: &str) -> String {
    format!(
        "<UserId>{id}</UserId><UserName>app</UserName><Status>active</Status><Engine>redis</Engine>\
         <MinimumEngineVersion>6.0</MinimumEngineVersion><AccessString>on ~* +@all</AccessString>\
         <UserGroupIds><member>blue</member></UserGroupIds><Authentication><Type>iam</Type></Authentication>\
         <ARN>arn:aws:elasticache:{REGION}:{ACCOUNT}:user:{id}</ARN>"
    )
}

/// A complete answer to this method, with these users or tags in it.
fn answer(method: Method, content: &str) -> String {
    let action = method.action();
    let content = match method {
        Method::Describe => format!("<Users>{content}</Users>"),
        Method::ListTags | Method::Tag => format!("<TagList>{content}</TagList>"),
        Method::Create | Method::Modify | Method::Delete => content.to_owned(),
    };
    format!(
        "<{action}Response {NS}><{action}Result>{content}</{action}Result>\
         <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    )
}

pub(crate) fn good(method: Method) -> String {
    let content = match method {
        Method::Describe => format!("<member>{}</member>", user("app")),
        Method::ListTags | Method::Tag => {
            "<Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag>".to_owned()
        }
        Method::Create | Method::Modify | Method::Delete => user("app"),
    };
    answer(method, &content)
}

/// How a call ends whose answer does not come from AWS or is incomplete.
const UNREADABLE: &str = "Unavailable UnreadableAnswer";

#[tokio::test]
async fn an_answer_that_is_cut_anywhere_is_unreadable() {
    let server = Server::start().await;
    for method in Method::ALL {
        let whole = good(method);
        assert_eq!(server.words(method, 200, &whole).await, "Well", "{method:?}: the complete answer");
        for length in 0..whole.len() {
            let cut = &whole[..length];
            assert_eq!(server.words(method, 200, cut).await, UNREADABLE, "{method:?}, cut after {cut}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_a_length_is_read_only_if_its_xml_is_complete() {
    let server = Server::start().await;
    let whole = good(Method::ListTags);
    server.answers_without_length(&whole);
    let read = TagsObservation::Read(tags(&[("a", "1"), ("b", "2")]));
    assert_eq!(server.aws.list_tags(&arn("app")).await, read);
    for length in (0..whole.len()).step_by(7) {
        server.answers_without_length(&whole[..length]);
        let words = Method::ListTags.call(&server.aws, "app").await.words();
        assert_eq!(words, UNREADABLE, "cut after {length}");
    }
}

fn error(code: &str, message: &str, request_id: &str) -> String {
    format!(
        "<ErrorResponse {NS}><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>"
    )
}

#[tokio::test]
async fn an_error_answer_that_is_cut_anywhere_is_unreadable() {
    let server = Server::start().await;
    let whole = error("UserNotFound", "No.", "1");
    assert_eq!(server.words(Method::Describe, 404, &whole).await, "NotFound");
    for length in 0..whole.len() {
        let words = server.words(Method::Describe, 404, &whole[..length]).await;
        assert_eq!(words, UNREADABLE, "cut after {length}");
    }
}

#[tokio::test]
async fn an_answer_that_lacks_a_required_field_of_the_user_is_unreadable() {
    let server = Server::start().await;
    let users = [Method::Describe, Method::Create, Method::Modify, Method::Delete];
    let lacking = |member: &str| {
        let whole = user("app");
        let (before, after) = whole.split_once(&format!("<{member}>")).expect("a member");
        let (_, after) = after.split_once(&format!("</{member}>")).expect("its end");
        format!("{before}{after}")
    };
    let mut rows = vec![
        ("another user".to_owned(), user("shop")),
        ("an ARN of another user".to_owned(), user("app").replace(":user:app", ":user:shop")),
        ("an ARN of something else".to_owned(), user("app").replace(":user:app", ":usergroup:app")),
        ("no user at all".to_owned(), String::new()),
    ];
    for member in ["UserId", "UserName", "Status", "Engine", "AccessString", "Authentication", "Type", "ARN"]
    {
        rows.push((format!("no {member}"), lacking(member)));
    }
    let content = |method, user: &str| match method {
        Method::Describe => answer(method, &format!("<member>{user}</member>")),
        Method::ListTags | Method::Create | Method::Modify | Method::Tag | Method::Delete => {
            answer(method, user)
        }
    };
    for method in users {
        for (claim, user) in &rows {
            let words = server.words(method, 200, &content(method, user)).await;
            assert_eq!(words, UNREADABLE, "{claim}, {method:?}");
        }
        for member in ["MinimumEngineVersion", "UserGroupIds"] {
            let words = server.words(method, 200, &content(method, &lacking(member))).await;
            assert_eq!(words, "Well", "{method:?} without {member}");
        }
    }
}

#[tokio::test]
async fn an_empty_list_of_users_does_not_mean_that_the_user_is_absent() {
    let server = Server::start().await;
    for content in ["", "<member/>"] {
        let words = server.words(Method::Describe, 200, &answer(Method::Describe, content)).await;
        assert_eq!(words, UNREADABLE, "{content}");
    }
}

#[tokio::test]
async fn the_right_user_is_picked_from_several() {
    let server = Server::start().await;
    let content = format!("<member>{}</member><member>{}</member>", user("application"), user("app"));
    assert_eq!(server.words(Method::Describe, 200, &answer(Method::Describe, &content)).await, "Well");
}

#[tokio::test]
async fn a_tag_may_lack_its_value_and_a_list_its_tags() {
    let server = Server::start().await;
    let rows = [
        ("a key alone (B95)", answer(Method::ListTags, "<Tag><Key>a</Key></Tag>"), tags(&[("a", "")])),
        ("an empty list", answer(Method::ListTags, ""), tags(&[])),
        ("no list", answer(Method::ListTags, "").replace("<TagList></TagList>", ""), tags(&[])),
    ];
    for (claim, body, read) in rows {
        server.answers(200, &body);
        assert_eq!(server.aws.list_tags(&arn("app")).await, TagsObservation::Read(read), "{claim}");
    }
    let keyless = answer(Method::ListTags, "<Tag><Value>1</Value></Tag>");
    assert_eq!(server.words(Method::ListTags, 200, &keyless).await, UNREADABLE, "a tag without a key");
}

#[tokio::test]
async fn an_answer_of_a_proxy_is_not_taken_for_an_answer_of_aws() {
    let server = Server::start().await;
    let html = "<html><body>Blocked by policy</body></html>";
    let no_code = "<ErrorResponse><Error><Message>Odd</Message></Error></ErrorResponse>";
    let rows = [
        ("a captive portal", 200, html, UNREADABLE),
        ("another service", 200, "<GetUserResponse></GetUserResponse>", UNREADABLE),
        ("an empty 200", 200, "", UNREADABLE),
        ("a redirection", 302, "", UNREADABLE),
        ("a proxy that refuses", 403, html, UNREADABLE),
        ("a proxy that asks for a password", 407, html, UNREADABLE),
        ("a 404 that is none of AWS's", 404, html, UNREADABLE),
        ("a front end that throttles", 429, "slow down", "Throttled UnknownError"),
        ("a front end that is down", 503, html, "Unavailable UnknownError"),
        ("an error without a code", 400, no_code, UNREADABLE),
    ];
    for method in Method::ALL {
        for (claim, status, body, words) in rows {
            assert_eq!(server.words(method, status, body).await, words, "{claim}, {method:?}");
        }
    }
}

#[tokio::test]
async fn a_call_whose_answer_never_ends_is_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let aws = aws(&format!("http://{}", listener.local_addr().expect("an address")), IMPATIENT);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 8192]).await;
                let _ =
                    stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n<DescribeUsers").await;
                while stream.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            });
        }
    });
    let ended = Method::Describe.call(&aws, "app").await;
    assert_eq!(ended.words(), "Unavailable TimedOut");
}

#[tokio::test]
async fn a_fault_contains_no_request_id_that_changes_from_call_to_call() {
    let server = Server::start().await;
    let mut said = Vec::new();
    for serial in ["6ad6b4c1-9f8a-4a3e-9d8b-0123456789ab", "7be7c5d2-9f8a-4a3e-9d8b-0123456789ab"] {
        let message = format!("No\n way (Service: ElastiCache, Status Code: 403, Request ID: {serial})");
        server.answers(403, &error("AccessDenied", &message, serial));
        said.push(server.aws.list_tags(&arn("app")).await);
    }
    assert_eq!(said[0], said[1]);
    let TagsObservation::Failed(Fault::Denied(said)) = &said[0] else { panic!("denied: {said:?}") };
    assert_eq!(said.to_string(), "AccessDenied: No way (Service: ElastiCache, Status Code: 403).");
}

#[tokio::test]
async fn a_page_of_a_listing_names_the_users_that_it_does_not_describe_completely() {
    let server = Server::start().await;
    let odd = "<member><UserId>odd</UserId><Status>active</Status></member>";
    server.answers(200, &answer(Method::Describe, &format!("<member>{}</member>{odd}", user("app"))));
    let page = server.aws.list(None).await.expect("a page");
    assert_eq!((page.users.len(), page.incomplete), (1, vec!["odd".to_owned()]));

    server.answers(200, &answer(Method::Describe, "").replace("<Users></Users>", ""));
    assert!(matches!(server.aws.list(None).await, Err(Fault::Unavailable(_))), "an answer without a list");
}
