//! Endless response bodies from AWS's endpoint, or from a server that pretends to be AWS.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws::UserApi;
use plan::{Fault, UserObservation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::aws::broken::NS;
use crate::aws::emulator_fixture::{ACCOUNT, PATIENT, REGION, aws, user_id};
use crate::fixture::until;

const MIB: usize = 1 << 20;
/// The most bytes that both sockets may buffer, in addition to the bytes that the operator has read. By default Linux gives a sender
/// 4 MiB and a receiver 6 MiB.
const IN_SOCKETS: usize = 16 * MIB;

/// The beginning of a body, a letter that is repeated to the wanted length, and the end.
struct Body {
    status: u16,
    before: String,
    length: usize,
    after: String,
}

/// Answers one request, and counts the bytes that the client has read or that the sockets buffer. Returns true if the whole body
/// was sent.
async fn serve(mut stream: TcpStream, body: &Body, sent: &AtomicUsize) -> std::io::Result<()> {
    let mut request = vec![0; 8192];
    let _ = stream.read(&mut request).await?;
    let length = body.before.len() + body.length + body.after.len();
    let head = format!("HTTP/1.1 {} X\r\nContent-Length: {length}\r\n\r\n{}", body.status, body.before);
    stream.write_all(head.as_bytes()).await?;
    let part = vec![b'x'; 64 << 10];
    let mut left = body.length;
    while left > 0 {
        let count = stream.write(&part[..left.min(part.len())]).await?;
        sent.fetch_add(count, Ordering::Relaxed);
        left -= count;
    }
    stream.write_all(body.after.as_bytes()).await
}

/// Calls DescribeUsers with this answer. Returns the observation, and how many bytes left the server until the connection ended.
async fn described(body: Body) -> (UserObservation, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let aws = aws(&format!("http://{}", listener.local_addr().unwrap()), PATIENT);
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let _ = serve(stream, &body, &counter).await;
    });
    let (user, _) = aws.describe(&user_id("app")).await;
    drop(aws);
    until("the server is done", async || serving.is_finished().then_some(())).await;
    (user, sent.load(Ordering::Relaxed))
}

/// An answer about one user whose access string has this length.
fn user_with_access_string(length: usize) -> Body {
    let before = format!(
        "<DescribeUsersResponse {NS}><DescribeUsersResult><Users><member><UserId>app</UserId><UserName>app</UserName><Status>active</Status><Engine>redis</Engine><Authentication><Type>iam</Type></Authentication><ARN>arn:aws:elasticache:{REGION}:{ACCOUNT}:user:app</ARN><AccessString>"
    );
    let after = "</AccessString></member></Users></DescribeUsersResult></DescribeUsersResponse>".to_owned();
    Body { status: 200, before, length, after }
}

fn error_of(length: usize) -> Body {
    let before =
        format!("<ErrorResponse {NS}><Error><Type>Sender</Type><Code>InvalidParameterValue</Code><Message>");
    Body { status: 400, before, length, after: "</Message></Error></ErrorResponse>".to_owned() }
}

#[tokio::test]
async fn an_answer_of_aws_of_more_than_4_mib_is_cut_off_as_unreadable() {
    for body in [error_of(60 * MIB), user_with_access_string(60 * MIB), user_with_access_string(8 * MIB)] {
        let what = format!("{} bytes with status {}", body.length, body.status);
        let (user, sent) = described(body).await;
        let UserObservation::Failed(Fault::Unavailable(error)) = user else { panic!("{what}: it was read") };
        assert_eq!(error.code, "UnreadableAnswer", "{what}");
        assert!(sent < 4 * MIB + IN_SOCKETS, "{what}: the operator read {sent} bytes");
    }
}

#[tokio::test]
async fn an_answer_of_aws_of_less_than_4_mib_is_read() {
    let (user, _) = described(user_with_access_string(3 * MIB)).await;
    let UserObservation::Found(user) = user else { panic!("{user:?}") };
    assert_eq!(user.access_string.len(), 3 * MIB);
}
