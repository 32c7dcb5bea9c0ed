//! HTTP: the one place that waits. Requests come in here, are answered by functions of state, time and request, and
//! go out whole, cut, late or not at all.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::api::{self, Answer, Step};
use crate::clock::Clock;
use crate::control::{self, PREFIX, Reply};
use crate::state::State;
use crate::wire::Params;

/// The longest body that is read, in bytes. The largest true one, a group with many members, is far below.
const LONGEST_BODY: usize = 1 << 20;

/// How long to rest after a failure to accept, as when there are no file descriptors left.
const REST: Duration = Duration::from_millis(50);

/// What all connections share.
pub(crate) struct Shared {
    state: Mutex<State>,
    clock: Clock,
}

impl Shared {
    pub(crate) fn new(state: State, clock: Clock) -> Self {
        Self { state: Mutex::new(state), clock }
    }

    /// A panic under the lock would be a defect; the state is still the best that there is.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections until it is dropped.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, Arc::clone(&shared)))),
            Err(_) => tokio::time::sleep(REST).await,
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Answers are small; none should wait for the acknowledgement of another. Without it they are only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| handle(Arc::clone(&shared), request));
    let mut builder = http1::Builder::new();
    // An idle connection stays: a client that keeps it for later would meet a closed one.
    builder.header_read_timeout(None);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // It ends in an error when a client leaves, and when a fault wants it to: both are ordinary.
    let _ = connection.await;
}

/// The connection is to end without an answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed without an answer")
    }
}

impl std::error::Error for Closed {}

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Payload>, Closed> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LONGEST_BODY).collect().await.map(|body| body.to_bytes());
    let query = head.uri.query().unwrap_or_default();
    if let Some(path) = head.uri.path().strip_prefix(PREFIX) {
        let Ok(body) = body else { return Ok(control_response(Reply::error(413, "the body is too long"))) };
        let request = control::Request { method: head.method.as_str(), path, query, body: &body };
        let now = shared.clock.now();
        return Ok(control_response(control::answer(&mut shared.lock(), now, &request)));
    }
    let Ok(body) = body else { return Ok(api_response(api::unreadable("The request is too long."), false)) };
    let mut params = Params::default();
    params.read(query.as_bytes());
    params.read(&body);
    let header = |name: &str| head.headers.get(name).map(|header| String::from_utf8_lossy(header.as_bytes()));
    let authorization = header(AUTHORIZATION.as_str());
    // AWS's SDKs tell all about themselves in the first, and some of it in the second.
    let agent = header("x-amz-user-agent").or_else(|| header(USER_AGENT.as_str())).unwrap_or_default();
    let who = api::Caller { authorization: authorization.as_deref(), agent: &agent };
    let now = shared.clock.now();
    let step = api::begin(&mut shared.lock(), now, &who, params);
    match step {
        Step::Answer(answer) => Ok(api_response(answer, false)),
        Step::Truncate(answer) => Ok(api_response(answer, true)),
        Step::Close { wait } => {
            tokio::time::sleep(wait).await;
            Err(Closed)
        }
        Step::Slow { wait, call, seq } => {
            // A task of its own: hyper drops this future when the client leaves, but the call takes effect.
            let late = tokio::spawn({
                let shared = Arc::clone(&shared);
                async move {
                    tokio::time::sleep(wait).await;
                    let now = shared.clock.now();
                    api::finish(&mut shared.lock(), now, &call)
                }
            });
            let answer = late.await.map_err(|_| Closed)?;
            shared.lock().calls.answered(seq, answer.outcome.clone());
            Ok(api_response(answer, false))
        }
    }
}

fn api_response(answer: Answer, cut: bool) -> Response<Payload> {
    let mut response =
        Response::new(if cut { Payload::cut(answer.body) } else { Payload::whole(answer.body) });
    *response.status_mut() = status(answer.outcome.status);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(id) = HeaderValue::from_str(&answer.request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

fn control_response(reply: Reply) -> Response<Payload> {
    let mut response =
        Response::new(Payload::whole(reply.body.as_ref().map(ToString::to_string).unwrap_or_default()));
    *response.status_mut() = status(reply.status);
    if reply.body.is_some() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

/// Every status in this program is one; the fallback is for the type.
fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A body that is sent whole, or announced whole and sent half.
struct Payload {
    /// What is still to be sent.
    bytes: Option<Bytes>,
    announced: u64,
    end: End,
}

/// How a body ends.
#[derive(Clone, Copy)]
enum End {
    Whole,
    /// One turn for hyper to send the half that it has, then an error, which closes the connection.
    CutAfterSending,
    Cut,
}

impl Payload {
    fn whole(body: String) -> Self {
        let announced = body.len() as u64;
        Self {
            bytes: Some(body.into()).filter(|bytes: &Bytes| !bytes.is_empty()),
            announced,
            end: End::Whole,
        }
    }

    fn cut(body: String) -> Self {
        let announced = body.len() as u64;
        let bytes = Bytes::from(body);
        Self { bytes: Some(bytes.slice(..bytes.len() / 2)), announced, end: End::CutAfterSending }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match (self.bytes.take(), self.end) {
            (Some(bytes), _) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            (None, End::Whole) => Poll::Ready(None),
            (None, End::CutAfterSending) => {
                self.end = End::Cut;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            (None, End::Cut) => Poll::Ready(Some(Err(io::Error::other("cut in half")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && matches!(self.end, End::Whole)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
