//! A reverse proxy between the operator and the API server. It records the operator's requests and makes one of them fail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::fault::{Answer, How, When};
use super::operator::Operator;
use super::scenario::PASSWORDS;

/// Longer than any time-out of the operator's.
const SILENCE: Duration = Duration::from_secs(120);

/// What the operator watches.
const WATCHED: [&str; 2] = ["/elasticacheusers", "/secrets"];

/// The proxy of one operator.
pub(super) struct Proxy {
    client: Client,
    users: Api<DynamicObject>,
    operator: Arc<Operator>,
    state: Mutex<State>,
    /// A write was answered.
    pub(super) news: Notify,
    /// While this is true, lists and watches get no answer.
    hangs: AtomicBool,
    /// The API server takes so long for each event.
    event_delay: Mutex<Duration>,
    /// The next watch of each of these resources is told that its version is too old.
    expired: Mutex<Vec<&'static str>>,
    /// Every connection is to end.
    cut: Notify,
}

#[derive(Default)]
struct State {
    asked: Vec<String>,
    told: Vec<String>,
    /// The reasons of Ready that the operator wrote.
    shown: Vec<String>,
    offences: Vec<String>,
    armed: Option<Armed>,
}

struct Armed {
    asked: String,
    skip: usize,
    how: How,
    struck: bool,
}

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer")]
struct Cut;

impl Proxy {
    pub(super) fn new(client: Client, users: Api<DynamicObject>, operator: Arc<Operator>) -> Arc<Self> {
        Arc::new(Self {
            client,
            users,
            operator,
            state: Mutex::default(),
            news: Notify::new(),
            hangs: AtomicBool::new(false),
            event_delay: Mutex::default(),
            expired: Mutex::default(),
            cut: Notify::new(),
        })
    }

    /// Serves for ever. If the future is dropped, all connections end.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let proxy = self.clone();
                    let service = service_fn(move |request| proxy.clone().answer(request));
                    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    // It ends with an error after a fault, or if the operator ends.
                    connections.spawn(async { let _ = connection.await; });
                }
                Some(_) = connections.join_next() => {}
                () = self.cut.notified() => connections.abort_all(),
            }
        }
    }

    /// If `hangs`, lists and watches get no answer from now on, and open ones end. Otherwise new ones are answered again.
    pub(super) fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
        if hangs {
            self.cut.notify_one();
        }
    }

    /// The API server takes so long for each event from now on.
    pub(super) fn delay_events(&self, delay: Duration) {
        *self.event_delay.lock().unwrap() = delay;
    }

    /// Lists and watches are answered again, and the watches have to list anew, because their versions are too old.
    pub(super) fn answer_with_a_gap(&self) {
        *self.expired.lock().unwrap() = WATCHED.to_vec();
        self.hang(false);
    }

    fn is_expired(&self, head: &Parts) -> bool {
        let mut expired = self.expired.lock().unwrap();
        let watches = head.uri.query().is_some_and(|query| query.contains("watch=true"));
        let at = expired.iter().position(|watched| watches && head.uri.path().ends_with(watched));
        at.map(|at| expired.remove(at)).is_some()
    }

    /// /readyz lists one object, by a client of its own.
    fn is_left_hanging(&self, head: &Parts) -> bool {
        let asks_for_one =
            head.uri.query().is_some_and(|query| query.split('&').any(|part| part == "limit=1"));
        let is_watched = WATCHED.iter().any(|watched| head.uri.path().ends_with(watched));
        self.hangs.load(Ordering::SeqCst) && !asks_for_one && is_watched
    }

    /// Makes the request of this kind fail that comes after `skip` others.
    pub(super) fn arm(&self, asked: &str, skip: usize, how: &How) {
        let armed = Armed { asked: asked.to_owned(), skip, how: how.clone(), struck: false };
        self.state.lock().unwrap().armed = Some(armed);
    }

    /// Whether the fault has happened.
    pub(super) fn struck(&self) -> bool {
        self.state.lock().unwrap().armed.as_ref().is_some_and(|armed| armed.struck)
    }

    /// The requests so far, without lists and watches.
    pub(super) fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    /// The reasons of the events so far.
    pub(super) fn events(&self) -> Vec<String> {
        self.state.lock().unwrap().told.clone()
    }

    /// The reasons of Ready that the operator wrote so far.
    pub(super) fn shown(&self) -> Vec<String> {
        self.state.lock().unwrap().shown.clone()
    }

    /// Writes that should have been refused.
    pub(super) fn offences(&self) -> Vec<String> {
        self.state.lock().unwrap().offences.clone()
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(Body::new(body), usize::MAX).await.map_err(|_| Cut)?;
        let Some(asked) = asked(&head) else {
            return match self.is_left_hanging(&head) {
                true => give(Answer::Silence).await,
                false if self.is_expired(&head) => Ok(expired()),
                false => self.forward(&head, body).await,
            };
        };
        {
            let mut state = self.state.lock().unwrap();
            state.told.extend(event_reason(&asked, &body));
            state.shown.extend(ready_reason(&asked, &body));
        }
        if asked == "create events" {
            let delay = *self.event_delay.lock().unwrap();
            tokio::time::sleep(delay).await;
        }
        let spoilt = self.strike(&asked);
        let answer = match spoilt {
            None => self.forward(&head, body).await,
            Some(How::Kubernetes(when, answer)) => {
                if when == When::After {
                    self.forward_whole(&head, body).await?;
                }
                give(answer).await
            }
            Some(How::Overtaken) => {
                self.overtake().await;
                let answer = self.forward(&head, body).await?;
                if head.method == Method::PATCH && answer.status().is_success() {
                    let offence = format!("{asked}: decided on one version and written to another");
                    self.state.lock().unwrap().offences.push(offence);
                }
                Ok(answer)
            }
            Some(How::Kill(when)) => {
                if when == When::After {
                    self.forward_whole(&head, body).await?;
                }
                self.operator.restart().await;
                Err(Cut)
            }
            Some(How::Aws(_)) => Err(Cut),
        };
        if !asked.starts_with("get ") {
            self.news.notify_waiters();
        }
        answer
    }

    /// Records a request. Returns its fault, if it has one.
    fn strike(&self, asked: &str) -> Option<How> {
        let mut state = self.state.lock().unwrap();
        state.asked.push(asked.to_owned());
        let armed = state.armed.as_mut().filter(|armed| armed.asked == asked && !armed.struck)?;
        if armed.skip > 0 {
            armed.skip -= 1;
            return None;
        }
        armed.struck = true;
        Some(armed.how.clone())
    }

    async fn forward(&self, head: &Parts, body: Bytes) -> Result<Response<Body>, Cut> {
        let mut request = Request::builder().method(head.method.clone()).uri(head.uri.clone());
        for (name, value) in &head.headers {
            if ![HOST, CONTENT_LENGTH, CONNECTION, TRANSFER_ENCODING].contains(name) {
                request = request.header(name, value);
            }
        }
        let request = request.body(kube::client::Body::from(body)).map_err(|_| Cut)?;
        let (head, body) = self.client.send(request).await.map_err(|_| Cut)?.into_parts();
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        for name in [CONNECTION, TRANSFER_ENCODING] {
            response.headers_mut().remove(name);
        }
        Ok(response)
    }

    /// Forwards, and waits for the end of the answer: the request has taken effect.
    async fn forward_whole(&self, head: &Parts, body: Bytes) -> Result<(), Cut> {
        let answer = self.forward(head, body).await?;
        axum::body::to_bytes(answer.into_body(), usize::MAX).await.map_err(|_| Cut)?;
        Ok(())
    }

    /// Somebody else writes the object, if it still exists.
    async fn overtake(&self) {
        let theirs = json!({ "metadata": { "annotations": { "example.com/note": "theirs" } } });
        let written = self.users.patch("app", &PatchParams::default(), &Patch::Merge(theirs)).await;
        assert!(matches!(written, Ok(_) | Err(kube::Error::Api(_))), "failed to overtake the operator");
    }
}

/// The API server says this in the stream of a watch, not with the answer's status.
fn expired() -> Response<Body> {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": "by a test", "reason": "Expired", "code": 410,
    });
    Response::new(Body::from(format!("{}\n", json!({ "type": "ERROR", "object": status }))))
}

async fn give(answer: Answer) -> Result<Response<Body>, Cut> {
    let (code, body) = match answer {
        Answer::Reset => return Err(Cut),
        Answer::Silence => {
            tokio::time::sleep(SILENCE).await;
            return Err(Cut);
        }
        // It has a password, which no error may repeat.
        Answer::Garbage => {
            (200, json!({ "kind": "Secret", "data": PASSWORDS[0].1, "spec": PASSWORDS[0].1 }).to_string())
        }
        Answer::Refusal(code, reason) => {
            let status = json!({
                "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
                "message": "by a test", "reason": reason, "code": code,
            });
            (code, status.to_string())
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(code).map_err(|_| Cut)?;
    response.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Verb and resource of a request for one object; `None` for lists, watches and discovery.
fn asked(head: &Parts) -> Option<String> {
    let segments: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
    let rest = match segments.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        _ => return None,
    };
    let rest = match rest {
        ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
        rest => rest,
    };
    let verb = match head.method {
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => return None,
    };
    match (verb, rest) {
        ("create", [resource]) => Some(format!("{verb} {resource}")),
        (_, [resource, _]) => Some(format!("{verb} {resource}")),
        (_, [resource, _, part]) => Some(format!("{verb} {resource}/{part}")),
        _ => None,
    }
}

/// Of an event that is about to be created.
fn event_reason(asked: &str, body: &[u8]) -> Option<String> {
    let event: Value = serde_json::from_slice(body).ok().filter(|_| asked == "create events")?;
    event["reason"].as_str().map(str::to_owned)
}

/// Of a status that is about to be written.
fn ready_reason(asked: &str, body: &[u8]) -> Option<String> {
    let written: Value =
        serde_json::from_slice(body).ok().filter(|_| asked == "patch elasticacheusers/status")?;
    let conditions = written["status"]["conditions"].as_array()?.clone();
    let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready")?;
    ready["reason"].as_str().map(str::to_owned)
}
