//! I/O: the client of the watches. kube's watcher waits for ever for the answer to a LIST, and for a watch to be opened. Here both
//! have a time-out, and /readyz learns whether the watches work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body as Answer;
use axum::http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::time::{Instant, timeout};

use super::pages::{ListPages, PageError};

/// The server ends a watch after this time, in seconds, and kube's watcher gives up a silent one 5 s later. So a watch that died
/// without a word is noticed within 5 minutes.
pub(crate) const WATCH_SECONDS: u32 = 240;
/// A page of a LIST may take this many times as long as another request.
const LIST_FACTOR: u32 = 4;

/// Whether each LIST and watch is answered. Clones share their state.
#[derive(Clone, Debug, Default)]
pub(crate) struct WatchHealth(Arc<Mutex<BTreeMap<String, WatchState>>>);

#[derive(Clone, Copy, Debug, Default)]
struct WatchState {
    /// When the request was sent that has no answer yet.
    unanswered_since: Option<Instant>,
    /// The last answer was no success.
    failed: bool,
}

/// The API server did not answer in time, or refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    #[error("no answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error(transparent)]
    Failed(#[from] PageError),
}

impl WatchHealth {
    fn change(&self, path: &str, change: impl FnOnce(&mut WatchState)) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(states.entry(path.to_owned()).or_default());
    }

    /// The last request of the watch at this path was answered with success.
    pub(crate) fn works(&self, path: &str) -> bool {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(path).is_some_and(|state| !state.failed)
    }

    /// The path of a watch that does not work. A request may be without an answer for `patience`. A refused watch of anything
    /// else than ElastiCacheUsers is no trouble, because RBAC may not allow it.
    pub(crate) fn trouble(&self, patience: Duration) -> Option<String> {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hangs =
            |state: &WatchState| state.unanswered_since.is_some_and(|since| since.elapsed() > patience);
        let fails = |path: &str, state: &WatchState| state.failed && path.ends_with("/elasticacheusers");
        states.iter().find(|(path, state)| hangs(state) || fails(path, state)).map(|(path, _)| path.clone())
    }
}

/// A client for watches alone. `client` needs no read time-out.
pub(crate) fn watching(client: Client, health: WatchHealth, patience: Duration) -> Client {
    let (namespace, pages) = (client.default_namespace().to_owned(), ListPages::default());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, health, pages) = (client.clone(), health.clone(), pages.clone());
        async move { send(&client, &health, &pages, patience, request).await }
    });
    Client::new(service, namespace)
}

/// Waits for a whole page of a LIST. The answer to a watch ends with the watch.
async fn send(
    client: &Client,
    health: &WatchHealth,
    pages: &ListPages,
    patience: Duration,
    request: Request<Body>,
) -> Result<Response<Answer>, WatchError> {
    let path = request.uri().path().to_owned();
    let opens_watch = opens_watch(&request);
    let turn = if opens_watch { None } else { pages.turn().await };
    health.change(&path, |state| state.unanswered_since = Some(Instant::now()));
    let unanswered = Unanswered { health, path: &path };
    let answer = if opens_watch {
        timeout(patience, open(client, request)).await.unwrap_or(Err(WatchError::TimedOut(patience)))
    } else {
        let patience = patience * LIST_FACTOR;
        match timeout(patience, pages.read(client, request, turn)).await {
            Ok(page) => page.map_err(WatchError::Failed),
            Err(_) => Err(WatchError::TimedOut(patience)),
        }
    };
    drop(unanswered);
    let works = answer.as_ref().is_ok_and(|answer| answer.status().is_success());
    health.change(&path, |state| *state = WatchState { unanswered_since: None, failed: !works });
    answer
}

/// A request under way. If it is dropped, because nobody needs the watch any more, nobody waits for the answer.
struct Unanswered<'a> {
    health: &'a WatchHealth,
    path: &'a str,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.health.change(self.path, |state| state.unanswered_since = None);
    }
}

pub(super) fn opens_watch(request: &Request<Body>) -> bool {
    request.uri().query().is_some_and(|query| query.contains("watch=true"))
}

async fn open(client: &Client, request: Request<Body>) -> Result<Response<Answer>, WatchError> {
    let answer = client.send(request).await.map_err(|error| PageError::Failed(Box::new(error)))?;
    Ok(answer.map(Answer::new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ElastiCacheUser;

    const PATIENCE: Duration = Duration::from_secs(15);
    const LIST: &str = r#"{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":"7"},"items":[]}"#;

    /// The server's answer: a status and a body, or `None` if it does not answer.
    type Script = Arc<Mutex<Option<(u16, &'static str)>>>;

    fn watched(script: &Script, health: &WatchHealth) -> kube::Api<ElastiCacheUser> {
        let script = script.clone();
        let server = tower::service_fn(move |_: Request<Body>| {
            let answer = *script.lock().unwrap();
            async move {
                match answer {
                    Some((code, body)) => Ok::<_, std::io::Error>(
                        Response::builder().status(code).body(Answer::from(body)).unwrap(),
                    ),
                    None => std::future::pending().await,
                }
            }
        });
        kube::Api::all(watching(Client::new(server, "default"), health.clone(), PATIENCE))
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_or_watch_that_hangs_is_cut_and_reported_until_one_is_answered() {
        let (script, health) = (Script::default(), WatchHealth::default());
        let users = watched(&script, &health);
        let (list, watch) = (kube::api::ListParams::default(), kube::api::WatchParams::default());
        for (what, most) in [("LIST", 60), ("watch", 15)] {
            *script.lock().unwrap() = None;
            let began = Instant::now();
            let hangs = async {
                match what {
                    "LIST" => users.list(&list).await.map(drop),
                    _ => users.watch(&watch, "7").await.map(drop),
                }
            };
            let late = async {
                tokio::time::sleep(PATIENCE / 2).await;
                assert_eq!(health.trouble(PATIENCE), None, "{what}: the request may still be answered");
                tokio::time::sleep(PATIENCE / 2 - Duration::from_millis(1)).await;
                tokio::time::sleep(Duration::from_millis(1001)).await;
                assert!(health.trouble(PATIENCE).is_some(), "{what}: a request that hangs must be reported");
            };
            let (ended, ()) = tokio::join!(hangs, late);
            assert!(ended.is_err() && began.elapsed() <= Duration::from_secs(most) + PATIENCE, "{what}");
            assert!(
                health.trouble(PATIENCE).is_some(),
                "{what}: the report must stay until a request is answered"
            );
            *script.lock().unwrap() = Some((200, LIST));
            users.list(&list).await.unwrap();
            assert_eq!(health.trouble(PATIENCE), None, "{what}: the report must end with an answer");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_nobody_needs_any_more_is_no_trouble() {
        let (script, health) = (Script::default(), WatchHealth::default());
        let users = watched(&script, &health);
        let list = kube::api::ListParams::default();
        timeout(Duration::from_secs(1), users.list(&list)).await.unwrap_err();
        tokio::time::advance(PATIENCE * 100).await;
        assert_eq!(health.trouble(PATIENCE), None);
    }

    #[tokio::test]
    async fn a_refused_list_is_reported_if_it_is_of_objects_and_not_if_it_is_of_secrets() {
        let (script, health) = (Script::default(), WatchHealth::default());
        *script.lock().unwrap() = Some((403, "{}"));
        let users = watched(&script, &health);
        let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> = kube::Api::all(users.into_client());
        secrets.list(&kube::api::ListParams::default()).await.unwrap_err();
        assert_eq!(health.trouble(PATIENCE), None);
        let users: kube::Api<ElastiCacheUser> = kube::Api::all(secrets.into_client());
        users.list(&kube::api::ListParams::default()).await.unwrap_err();
        let path = "/apis/elasticache-users.dev/v1alpha1/elasticacheusers";
        assert_eq!(health.trouble(PATIENCE).as_deref(), Some(path));
    }
}
