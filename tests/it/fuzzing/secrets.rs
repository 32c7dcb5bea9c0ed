//! Secrets, as the API server may answer them.

use elasticache_user_operator::kubernetes::Kubernetes;
use elasticache_user_operator::leader_election::Token;
use serde_json::json;
use std::sync::{Arc, Mutex};

use super::edits::{damage, damage_json, edits};
use super::{Driver, Log, fuzz};
use crate::secrecy;

const PASSWORD: &str = "a-password-that-nobody-may-see";

/// An API server in this process. It answers every request with what stands in `answer`.
pub(super) fn kubernetes(answer: Arc<Mutex<(u16, Vec<u8>)>>) -> Kubernetes {
    let answer = move || async move {
        let (status, body) = answer.lock().unwrap().clone();
        (axum::http::StatusCode::from_u16(status).unwrap(), body)
    };
    let router = axum::Router::new().fallback(answer);
    Kubernetes::new(kube::Client::new(router, "default"), Token::unlimited())
}

#[test]
fn any_secret_is_parsed_or_refused_without_a_panic() {
    secrecy::remember_password(PASSWORD);
    let (driver, (log, _logging)) = (Driver::new(), Log::capture());
    let answer = Arc::new(Mutex::new((200, Vec::new())));
    let kubernetes = driver.drive(async { kubernetes(answer.clone()) });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": "pw", "namespace": "a", "uid": "u-1", "resourceVersion": "7", "labels": { "a": "b" } },
        // The second password is the first one with a line break.
        "data": { "password": "YS1wYXNzd29yZC10aGF0LW5vYm9keS1tYXktc2Vl", "other": "YS1wYXNzd29yZC10aGF0LW5vYm9keS1tYXktc2VlCg==" },
    });
    let refusal = json!({ "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": "no" });
    fuzz("secrets", &(edits(), edits()), |((kind, members), (status, bytes))| {
        let mut body = if kind.is_multiple_of(8) { refusal.clone() } else { secret.clone() };
        damage_json(&mut body, &members);
        let mut body = body.to_string().into_bytes();
        if kind.is_multiple_of(2) {
            damage(&mut body, &bytes, &[]);
        }
        *answer.lock().unwrap() = ([200, 200, 200, 403, 404, 500][status % 6], body);
        let key = if kind.is_multiple_of(3) { "other" } else { "password" };
        let read = driver.drive(kubernetes.password("a", "pw", key));
        match read {
            // The version is not checked, because a damaged answer may have a piece of the password there.
            Ok((password, _)) => {
                log.assert_silent(&format!("{password:?}"));
                assert!((16..=128).contains(&password.expose().chars().count()));
            }
            Err(problem) => log.assert_silent(&format!("{problem:?}")),
        }
    });
}
