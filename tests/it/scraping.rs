//! Who can read /metrics, and on which port: a separate port for probes, TLS, and the API server's review of each token.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Resource};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use support::operator;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore};

use crate::fixture::{Fixture, Setup, until};
use crate::rights::Rights;

/// The addresses of /metrics and of the probes.
async fn addresses(fixture: &Fixture) -> (String, String) {
    until("both addresses are in the log", async || {
        let log = fixture.logs();
        let (_, health) = log.rsplit_once(" health=")?;
        Some((operator::address(&log)?.to_owned(), health.split_whitespace().next()?.to_owned()))
    })
    .await
}

async fn status(url: String) -> u16 {
    reqwest::get(url).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_separate_probe_address_serves_probes_and_no_metrics() {
    let fixture = Fixture::with(Setup::env(&[("ELASTICACHE_USERS_HEALTH_ADDR", "127.0.0.1:0")])).await;
    let (http, health) = addresses(&fixture).await;
    until("the operator is ready", async || status(format!("http://{health}/readyz")).await == 200).await;
    let rows = [
        (&health, "livez", 200),
        (&health, "metrics", 404),
        (&http, "metrics", 200),
        (&http, "livez", 404),
        (&http, "readyz", 404),
    ];
    for (address, page, expected) in rows {
        assert_eq!(status(format!("http://{address}/{page}")).await, expected, "{page} at {address}");
    }
    fixture.end().await;
}

/// Writes a new certificate with its key, and returns it.
fn certify(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("tls.key"), signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("tls.crt"), cert.pem()).unwrap();
    cert.der().clone()
}

/// Status and text of /metrics, from a server that must have exactly this certificate.
fn scrape(
    address: &str,
    certificate: &CertificateDer<'static>,
    token: Option<&str>,
) -> Option<(u16, String)> {
    use std::io::{Read, Write};
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    let header = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: localhost\r\n{header}\r\n").ok()?;
    let mut answer = Vec::new();
    // The server may close the connection without TLS's close_notify.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().unwrap(), body.to_owned()))
}

async fn token(fixture: &Fixture, account: &str) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(fixture.client.clone(), &fixture.ns);
    let new = json!({ "metadata": { "name": account } });
    accounts.create(&PostParams::default(), &serde_json::from_value(new).unwrap()).await.unwrap();
    let request = TokenRequest::default();
    let request = accounts.create_token_request(account, &PostParams::default(), &request).await.unwrap();
    request.status.unwrap().token
}

async fn created<K>(fixture: &Fixture, object: Value)
where
    K: Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned,
{
    let api: Api<K> = Api::all(fixture.client.clone());
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

/// Lets the ServiceAccount read /metrics. The role and the binding have the name of the namespace.
async fn allow_metrics(fixture: &Fixture, account: &str) {
    let metadata = json!({ "name": fixture.ns });
    let rules = json!([{ "nonResourceURLs": ["/metrics"], "verbs": ["get"] }]);
    created::<ClusterRole>(fixture, json!({ "metadata": metadata, "rules": rules })).await;
    let subjects = json!([{ "kind": "ServiceAccount", "name": account, "namespace": fixture.ns }]);
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": fixture.ns });
    let binding = json!({ "metadata": metadata, "roleRef": role, "subjects": subjects });
    created::<ClusterRoleBinding>(fixture, binding).await;
}

async fn no_longer_allow_metrics(fixture: &Fixture) {
    let (params, name) = (DeleteParams::default(), &fixture.ns);
    let bindings: Api<ClusterRoleBinding> = Api::all(fixture.client.clone());
    bindings.delete(name, &params).await.unwrap();
    let roles: Api<ClusterRole> = Api::all(fixture.client.clone());
    roles.delete(name, &params).await.unwrap();
}

/// A fixture whose operator serves /metrics with TLS, with the certificate in this folder.
async fn secured(folder: &Path) -> Fixture {
    let env = [
        ("ELASTICACHE_USERS_HEALTH_ADDR", "127.0.0.1:0"),
        ("ELASTICACHE_USERS_METRICS_SECURE", "true"),
        ("ELASTICACHE_USERS_METRICS_CERT_DIR", folder.to_str().unwrap()),
    ];
    Fixture::with(Setup { rights: Some(Rights::Administrator), ..Setup::env(&env) }).await
}

#[tokio::test]
async fn secured_metrics_are_served_only_to_clients_that_may_get_them() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let fixture = secured(folder.path()).await;
    let (http, health) = addresses(&fixture).await;
    until("the operator is ready", async || status(format!("http://{health}/readyz")).await == 200).await;
    assert!(reqwest::get(format!("http://{http}/metrics")).await.is_err(), "it speaks TLS alone");

    let (prometheus, stranger) = (token(&fixture, "prometheus").await, token(&fixture, "stranger").await);
    allow_metrics(&fixture, "prometheus").await;
    let page = until("the permission is known", async || {
        scrape(&http, &certificate, Some(&prometheus)).filter(|(status, _)| *status == 200)
    })
    .await;
    assert!(page.1.contains("elasticache_user_build_info"), "{}", page.1);
    for (token, expected) in [(None, 401), (Some("made-up"), 401), (Some(&*stranger), 403)] {
        let (status, text) = scrape(&http, &certificate, token).unwrap();
        assert_eq!(status, expected, "{text}");
        assert!(!text.contains("elasticache_user"), "{text}");
    }

    // Known readers cost no review, and others only a few, however often they ask.
    let reviews = || fixture.writes().map(|writes| writes.reviews);
    let before = reviews();
    for _ in 0..50 {
        assert_eq!(scrape(&http, &certificate, Some(&prometheus)).unwrap().0, 200);
    }
    assert_eq!(reviews(), before);
    let guesses =
        (0..50).map(|index| scrape(&http, &certificate, Some(&format!("guess-{index}"))).unwrap().0);
    let busy = guesses.filter(|status| *status == 429).count();
    assert!(busy > 0, "every unknown token was reviewed, although reviews are limited");
    no_longer_allow_metrics(&fixture).await;
    fixture.end().await;
}

#[tokio::test]
async fn a_new_certificate_of_the_metrics_server_is_used_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = certify(folder.path());
    let fixture = secured(folder.path()).await;
    let (http, _) = addresses(&fixture).await;
    assert_eq!(scrape(&http, &first, None).unwrap().0, 401);
    let second = certify(folder.path());
    until("the new certificate is in use", async || scrape(&http, &second, None).is_some()).await;
    assert!(scrape(&http, &first, None).is_none(), "the former one is not");

    std::fs::write(folder.path().join("tls.crt"), "nonsense").unwrap();
    until("the log says that the file cannot be used", async || {
        assert!(scrape(&http, &second, None).is_some(), "the certificate stays");
        fixture.logs().contains("the former certificate of the HTTP server stays in use")
    })
    .await;
    fixture.end().await;
}
