use std::convert::Infallible;
use std::sync::Mutex;

use axum::body::to_bytes;
use axum::http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;
use crate::leader_election::Token;

const SECOND: Duration = Duration::from_secs(1);

/// The notes of the events that the API server has taken.
type Taken = Arc<Mutex<Vec<String>>>;

/// An API server that takes each event after this time, or refuses it with this status.
fn kubernetes(delay: Duration, refusal: Option<Value>, taken: &Taken) -> Kubernetes {
    let taken = taken.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (taken, refusal) = (taken.clone(), refusal.clone());
        async move {
            tokio::time::sleep(delay).await;
            let event = to_bytes(axum::body::Body::new(request.into_body()), usize::MAX).await.unwrap();
            let code = refusal.as_ref().map_or(201, |status| status["code"].as_u64().unwrap());
            let mut response = Response::new(axum::body::Body::from(match refusal {
                Some(status) => status.to_string().into_bytes(),
                None => {
                    let event: Value = serde_json::from_slice(&event).unwrap();
                    taken.lock().unwrap().push(event["note"].as_str().unwrap().to_owned());
                    event.to_string().into_bytes()
                }
            }));
            *response.status_mut() = u16::try_from(code).unwrap().try_into().unwrap();
            Ok::<_, Infallible>(response)
        }
    });
    Kubernetes::new(Client::new(service, "default"), Token::unlimited())
}

fn object(uid: &str) -> ElastiCacheUser {
    serde_json::from_value(json!({
        "apiVersion": "elasticache-users.dev/v1alpha1", "kind": "ElastiCacheUser",
        "metadata": { "name": "app", "namespace": "shop", "uid": uid }, "spec": {},
    }))
    .unwrap()
}

fn content(note: usize) -> EventContent {
    EventContent { warning: false, reason: "UserModified", action: "ModifyUser", note: note.to_string() }
}

fn numbers(until: usize) -> Vec<String> {
    (0..until).map(|number| number.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn events_of_one_object_keep_their_order_and_those_that_wait_at_the_end_are_written() {
    let (taken, dropped) = (Taken::default(), Counter::default());
    let (events, writers) = Events::start(&kubernetes(SECOND / 10, None, &taken), dropped.clone());
    let app = object("1");
    (0..8).for_each(|note| events.publish(&app, &content(note)));
    drop(events);
    writers.finish(Instant::now() + 2 * SECOND).await;
    assert_eq!(*taken.lock().unwrap(), numbers(8));
    assert_eq!(dropped.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn events_that_the_api_server_never_takes_are_dropped_and_counted_and_hold_up_nobody_for_long() {
    let (taken, dropped) = (Taken::default(), Counter::default());
    let (events, writers) = Events::start(&kubernetes(900 * SECOND, None, &taken), dropped.clone());
    let app = object("1");
    events.publish(&app, &content(0));
    tokio::time::sleep(TIMEOUT + SECOND).await;
    assert_eq!(dropped.get(), 1, "a writer waits for ever");
    let began = Instant::now();
    // One is under way, the lane is full, and three are too many.
    events.publish(&app, &content(0));
    tokio::time::sleep(SECOND / 10).await;
    (0..LANE_LENGTH + 3).for_each(|note| events.publish(&app, &content(note)));
    assert_eq!(dropped.get(), 4);
    assert!(began.elapsed() < SECOND, "whoever publishes has to wait");
    drop(events);
    writers.finish(Instant::now() + 2 * SECOND).await;
    assert!(began.elapsed() < 3 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_refused_event_is_counted_unless_its_namespace_is_being_deleted() {
    struct Row {
        code: u16,
        cause: &'static str,
        dropped: u64,
    }
    for Row { code, cause, dropped: expected } in [
        Row { code: 422, cause: "FieldValueInvalid", dropped: 1 },
        Row { code: 403, cause: "", dropped: 1 },
        Row { code: 500, cause: "", dropped: 1 },
        Row { code: 403, cause: "NamespaceTerminating", dropped: 0 },
        Row { code: 404, cause: "", dropped: 0 },
    ] {
        let refusal = json!({
            "kind": "Status", "status": "Failure", "code": code, "message": "by a test", "reason": "Refused",
            "details": { "causes": [{ "reason": cause, "message": "", "field": "" }] },
        });
        let (taken, dropped) = (Taken::default(), Counter::default());
        let (events, writers) = Events::start(&kubernetes(SECOND, Some(refusal), &taken), dropped.clone());
        events.publish(&object("1"), &content(0));
        drop(events);
        writers.finish(Instant::now() + 2 * SECOND).await;
        assert_eq!(dropped.get(), expected, "{code} {cause}");
    }
}

#[test]
fn the_name_of_an_event_is_a_dns_subdomain_however_long_the_name_of_its_object_is() {
    let now = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let of = |object: &str| event_name(object, now);
    assert_eq!(of("app"), "app.18fae27693b40000");
    for length in [235, 236, 237, 253] {
        let name = of(&"a".repeat(length));
        assert!(name.len() <= 253 && name.ends_with("a.18fae27693b40000"), "{length}: {name}");
    }
    // The cut lies behind a dot or a hyphen, which a dot must not follow.
    for end in [".", "-", "-.-"] {
        let object = format!("{}{end}{}", "a".repeat(236 - end.len()), "a".repeat(17));
        assert_eq!(of(&object), format!("{}.18fae27693b40000", "a".repeat(236 - end.len())), "{end}");
    }
}

#[test]
fn the_note_of_an_event_is_escaped_and_short_enough_for_the_api_server() {
    let note = |text: &str| {
        let content = EventContent { note: text.to_owned(), ..content(0) };
        event(&object("1"), &content, jiff::Timestamp::UNIX_EPOCH).note.unwrap()
    };
    assert_eq!(note("x\n2026 INFO forged\u{1b}[2J"), "x\\n2026 INFO forged\\u{1b}[2J");
    // The API server refuses more than 1,024 bytes.
    for text in ["x".repeat(5000), "\u{e9}".repeat(5000), "\u{1b}".repeat(900)] {
        assert!((900..=1024).contains(&note(&text).len()), "{}", note(&text).len());
    }
}
