//! Attacks by a client that reaches the port of health and metrics.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::fixture::{Fixture, iam, until};

/// More than the connections that the server keeps and everything else that the operator opens meanwhile.
const MOST_DESCRIPTORS: usize = 150;

async fn address(fixture: &Fixture) -> String {
    let address = until("the address in the log", || async {
        support::operator::address(&fixture.logs()).map(str::to_owned)
    });
    address.await
}

fn descriptors(fixture: &Fixture) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", fixture.pid())).unwrap().count()
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Waits until the server has answered or closed the connection, and returns what it sent.
fn received(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset connection is closed too.
    let received = stream.read_to_end(&mut answer);
    let closed =
        received.or_else(|error| if error.kind() == ErrorKind::ConnectionReset { Ok(0) } else { Err(error) });
    closed.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn idle_connections_block_neither_probes_nor_the_operator() {
    let fixture = Fixture::new().await;
    let address = address(&fixture).await;
    let before = descriptors(&fixture);
    let idle: Vec<TcpStream> = (0..300).map(|_| connect(&address)).collect();
    let livez = support::operator::get(&address, "/livez").unwrap();
    assert_eq!(livez, "ok\n");
    let more = descriptors(&fixture).saturating_sub(before);
    assert!(more < MOST_DESCRIPTORS, "{more} descriptors more are open");
    fixture.ready("app", iam()).await;
    drop(idle);
    fixture.end().await;
}

#[tokio::test]
async fn a_request_whose_header_is_large_or_slow_is_cut_off() {
    let fixture = Fixture::new().await;
    let address = address(&fixture).await;
    let mut slow = connect(&address);
    slow.write_all(b"GET /livez HTTP/1.1\r\n").unwrap();
    let asked = Instant::now();
    let mut large = connect(&address);
    // The server closes the connection before everything is sent.
    let _ = large.write_all(format!("GET /livez HTTP/1.1\r\nx: {}", "a".repeat(390_000)).as_bytes());
    assert!(!received(large).contains("200 OK"));
    assert!(!received(slow).contains("200 OK"));
    assert!(asked.elapsed() < Duration::from_secs(15), "cut off after {:?}", asked.elapsed());
    fixture.end().await;
}

#[tokio::test]
async fn any_number_of_readiness_probes_asks_the_api_server_once_in_two_seconds() {
    let fixture = Fixture::new().await;
    let address = format!("http://{}", address(&fixture).await);
    fixture.ready("app", iam()).await;
    let requests = || fixture.writes().map(|writes| writes.requests);
    let (before, asked) = (requests(), Instant::now());
    let http = reqwest::Client::new();
    for _ in 0..300 {
        http.get(format!("{address}/readyz")).send().await.unwrap().error_for_status().unwrap();
    }
    // The requests for the probes, and the operator's own requests meanwhile.
    let allowed = usize::try_from(asked.elapsed().as_secs() / 2).unwrap() + 30;
    if let (Some(before), Some(after)) = (before, requests()) {
        assert!(after - before <= allowed, "{} requests for 300 probes", after - before);
    }
    fixture.end().await;
}
