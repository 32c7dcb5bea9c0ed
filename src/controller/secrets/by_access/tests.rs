//! The clock is paused, and a script replaces the API server.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use axum::body::Body as Answer;
use axum::http::{Request, Response};
use futures::channel::mpsc::{Receiver, channel};
use kube::client::Body;
use serde_json::json;

use super::*;
use crate::api::ElastiCacheUser;
use crate::connection::WatchHealth;
use crate::leader_election::Token;

const PAUSE: Duration = Duration::from_secs(30);
const SPACING: Duration = Duration::from_secs(1);
/// The server ends a watch after this time, and kube's watcher gives up a silent one a little later.
const END_OF_WATCH: Duration = Duration::from_secs(250);
const LIST: &str = r#"{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":"7"},"items":[
    {"metadata":{"namespace":"shop","name":"pw","uid":"u","resourceVersion":"3"}}]}"#;

/// An API server with one Secret, which may be listed and watched or not.
#[derive(Clone, Default)]
struct Script(Arc<ScriptState>);

#[derive(Default)]
struct ScriptState {
    allows: AtomicBool,
    asked: AtomicUsize,
    listed: AtomicUsize,
    refused: AtomicUsize,
}

impl Script {
    fn client(&self) -> Client {
        let state = self.0.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let answer = state.answer(&request);
            async { Ok::<_, Infallible>(answer) }
        });
        Client::new(service, "default")
    }

    /// How often the operator asked for access, listed Secrets, and was refused, since the last time.
    fn counts(&self) -> [usize; 3] {
        let ScriptState { asked, listed, refused, .. } = &*self.0;
        [asked, listed, refused].map(|count| count.swap(0, Relaxed))
    }
}

impl ScriptState {
    fn answer(&self, request: &Request<Body>) -> Response<Answer> {
        let allows = self.allows.load(Relaxed);
        let answer = |code, body: String| Response::builder().status(code).body(Answer::from(body)).unwrap();
        if request.uri().path().ends_with("/selfsubjectaccessreviews") {
            self.asked.fetch_add(1, Relaxed);
            return answer(201, json!({ "spec": {}, "status": { "allowed": allows } }).to_string());
        }
        assert_eq!(request.uri().path(), "/api/v1/namespaces/shop/secrets");
        if !allows {
            self.refused.fetch_add(1, Relaxed);
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "message": "no", "code": 403,
            });
            return answer(403, status.to_string());
        }
        if request.uri().query().unwrap_or_default().contains("watch=true") {
            return Response::new(Answer::from_stream(
                futures::stream::pending::<Result<String, Infallible>>(),
            ));
        }
        self.listed.fetch_add(1, Relaxed);
        answer(200, LIST.to_owned())
    }
}

fn user() -> ElastiCacheUser {
    serde_json::from_value(json!({
        "apiVersion": "elasticache-users.dev/v1alpha1", "kind": "ElastiCacheUser",
        "metadata": { "namespace": "shop", "name": "app", "uid": "u" },
        "spec": { "authentication": { "type": "password", "passwords": [{ "secretKeyRef": { "name": "pw", "key": "k" } }] } },
    }))
    .unwrap()
}

struct Following {
    script: Script,
    objects: Objects,
    secrets: WatchedSecrets,
    changed: Receiver<TrimmedSecret>,
}

/// Follows the access to the Secrets of the namespace `shop`, in which one object names a Secret.
fn following() -> Following {
    let (script, objects) = (Script::default(), Objects::default());
    objects.follow(&Event::Apply(user()));
    let secrets = WatchedSecrets::new([], 1, WatchHealth::default());
    let (sender, changed) = channel(8);
    tokio::spawn({
        let (script, objects, secrets) = (script.clone(), objects.clone(), secrets.clone());
        async move {
            let kubernetes = Kubernetes::new(script.client(), Token::unlimited());
            let metadata = script.client();
            let follower = AccessFollower {
                secrets,
                objects,
                kubernetes: &kubernetes,
                metadata,
                pause: PAUSE,
                spacing: SPACING,
            };
            follower.run(sender).await;
        }
    });
    Following { script, objects, secrets, changed }
}

/// The name of a Secret that changed.
fn told(changed: &mut Receiver<TrimmedSecret>) -> Option<String> {
    changed.try_recv().ok()?.metadata.name
}

#[tokio::test(start_paused = true)]
async fn access_is_asked_for_at_a_calm_pace_and_secrets_are_listed_only_once_it_is_there() {
    let Following { script, mut changed, .. } = following();
    sleep(PAUSE * 4 + SPACING).await;
    assert_eq!(script.counts(), [5, 0, 0]);
    script.0.allows.store(true, Relaxed);
    sleep(PAUSE + SPACING * 2).await;
    assert_eq!(script.counts(), [1, 1, 0]);
    assert_eq!(told(&mut changed).as_deref(), Some("pw"));
    // While the watch is open, nobody asks.
    sleep(PAUSE * 4).await;
    assert_eq!(script.counts(), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn access_is_asked_for_at_once_if_an_object_of_the_namespace_changes() {
    let Following { script, secrets, mut changed, .. } = following();
    sleep(SPACING * 2).await;
    assert_eq!(script.counts(), [1, 0, 0]);
    script.0.allows.store(true, Relaxed);
    secrets.note_need("shop");
    sleep(SPACING * 3).await;
    assert_eq!(script.counts(), [1, 1, 0]);
    assert_eq!(told(&mut changed).as_deref(), Some("pw"));
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_takes_the_access_back_is_asked_again_and_one_without_objects_is_not_watched() {
    let Following { script, objects, mut changed, .. } = following();
    script.0.allows.store(true, Relaxed);
    sleep(PAUSE + SPACING * 2).await;
    assert_eq!((script.counts()[1], told(&mut changed).as_deref()), (1, Some("pw")));
    script.0.allows.store(false, Relaxed);
    sleep(END_OF_WATCH + PAUSE * 2).await;
    let [asked, listed, refused] = script.counts();
    assert!((1..=4).contains(&asked) && listed == 0 && refused == 1, "{asked} {listed} {refused}");
    script.0.allows.store(true, Relaxed);
    sleep(PAUSE + SPACING * 2).await;
    assert_eq!((script.counts()[1], told(&mut changed).as_deref()), (1, Some("pw")));
    objects.follow(&Event::Delete(user()));
    sleep(END_OF_WATCH * 2).await;
    assert_eq!(script.counts(), [0, 0, 0]);
}
