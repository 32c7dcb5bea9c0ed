//! I/O: LIST requests whose pages fit into memory. An object may weigh 1.5 MB, so a page of 500 objects may weigh 750 MB. The
//! client gives up a page that is too heavy, and asks for fewer objects.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body as Answer, Bytes};
use axum::http::{Request, Response, Uri};
use futures::stream;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::Client;
use kube::client::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// In bytes. In memory a page takes twice as much while it is decoded. A page of one object may be heavier.
const HEAVIEST_PAGE: usize = 4 * 1024 * 1024;
/// After a page that is lighter, the next one may have twice as many objects.
const LIGHT_PAGE: usize = HEAVIEST_PAGE / 4;
/// So many objects has the first page.
const FIRST_LIMIT: u32 = 32;
const LARGEST_LIMIT: u32 = 500;
/// So many pages are read at the same time, however many namespaces are watched.
const PAGES_AT_ONCE: usize = 2;

/// What the client knows about the weight of objects. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct ListPages {
    /// How many objects to ask for, by the path of the LIST.
    limits: Arc<Mutex<BTreeMap<String, u32>>>,
    turns: Arc<Semaphore>,
}

/// The right to read a page. It ends when the page was taken.
pub(super) struct PageTurn {
    _permit: OwnedSemaphorePermit,
}

/// The server sent no complete page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    #[error(transparent)]
    Failed(Box<kube::Error>),
    #[error("the answer ended too early")]
    CutOff(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Default for ListPages {
    fn default() -> Self {
        Self { limits: Arc::default(), turns: Arc::new(Semaphore::new(PAGES_AT_ONCE)) }
    }
}

impl ListPages {
    pub(super) async fn turn(&self) -> Option<PageTurn> {
        // Nobody closes the semaphore.
        self.turns.clone().acquire_owned().await.ok().map(|permit| PageTurn { _permit: permit })
    }

    /// Asks for a page, with as few objects as are needed to bound its weight.
    pub(super) async fn read(
        &self,
        client: &Client,
        list: Request<Body>,
        turn: Option<PageTurn>,
    ) -> Result<Response<Answer>, PageError> {
        // A LIST has no body.
        let (list, _) = list.into_parts();
        let path = list.uri.path();
        loop {
            let limit = self.limit(path);
            let mut page = list.clone();
            page.uri = with_limit(&list.uri, limit);
            let answer = client.send(Request::from_parts(page, Body::empty())).await;
            let (head, body) = answer.map_err(|error| PageError::Failed(Box::new(error)))?.into_parts();
            let heaviest = if limit == 1 { usize::MAX } else { HEAVIEST_PAGE };
            match Limited::new(body, heaviest).collect().await {
                Ok(page) => {
                    let page = page.to_bytes();
                    if page.len() < LIGHT_PAGE {
                        self.set_limit(path, limit * 2);
                    }
                    return Ok(Response::from_parts(head, with_turn(page, turn)));
                }
                Err(error) if error.is::<LengthLimitError>() => self.set_limit(path, limit / 4),
                Err(error) => return Err(PageError::CutOff(error)),
            }
        }
    }

    fn limit(&self, path: &str) -> u32 {
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.get(path).copied().unwrap_or(FIRST_LIMIT)
    }

    fn set_limit(&self, path: &str, limit: u32) {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.insert(path.to_owned(), limit.clamp(1, LARGEST_LIMIT));
    }
}

/// A client that lists in pages that fit into memory.
pub(crate) fn paging(client: Client) -> Client {
    let (namespace, pages) = (client.default_namespace().to_owned(), ListPages::default());
    let service = tower::service_fn(move |list: Request<Body>| {
        let (client, pages) = (client.clone(), pages.clone());
        async move {
            let turn = pages.turn().await;
            pages.read(&client, list, turn).await
        }
    });
    Client::new(service, namespace)
}

fn with_turn(page: Bytes, turn: Option<PageTurn>) -> Answer {
    Answer::from_stream(stream::once(async move {
        drop(turn);
        Ok::<_, Infallible>(page)
    }))
}

/// The same LIST, with this limit if it is lower than the caller's.
fn with_limit(list: &Uri, limit: u32) -> Uri {
    let pairs = list.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let (limits, others): (Vec<&str>, Vec<&str>) = pairs.partition(|pair| pair.starts_with("limit="));
    let asked = limits.iter().filter_map(|pair| pair.strip_prefix("limit=")?.parse().ok()).min();
    let limit = format!("limit={}", asked.map_or(limit, |asked: u32| asked.min(limit)));
    let query: Vec<&str> = others.into_iter().chain([limit.as_str()]).collect();
    let mut parts = list.clone().into_parts();
    parts.path_and_query = format!("{}?{}", list.path(), query.join("&")).parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| list.clone())
}
