//! What the operator writes to the API server, according to the server's own audit log. It may write the list of finalizers, the
//! status and events, and with leader election its Lease. It must not write spec, labels or annotations, or what belongs to others.
//!
//! Each fixture checks this at its end.

use cluster::AuditLog;
use serde_json::{Value, json};

use crate::fixture::{Fixture, iam, with_password};
use crate::rights::Rights;

/// Only the operator's user agent begins with this.
const AGENT: &str = "elasticache-user-operator/";
/// The default name of the Lease, and the names that the chart gives to the Leases of the tests' releases.
const LEASES: [&str; 4] =
    ["elasticache-user-operator", "first-release", "second-release", "operator-elasticache-user-operator"];
const READS: [&str; 3] = ["get", "list", "watch"];

/// The number of the operator's requests of each kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Writes {
    /// All requests, reads included.
    pub(crate) requests: usize,
    pub(crate) secret_reads: usize,
    pub(crate) finalizers: usize,
    pub(crate) statuses: usize,
    pub(crate) events: usize,
    pub(crate) leases: usize,
    /// TokenReviews, SubjectAccessReviews and SelfSubjectAccessReviews.
    pub(crate) reviews: usize,
}

/// A write that the operator may make.
enum Write {
    Finalizers,
    Status,
    Event,
    Lease,
    Review,
}

/// Counts the requests of operators in this namespace, and those outside the namespaces of all fixtures. Fails if one of them is a
/// write that the operator must not make.
pub(crate) fn writes(log: &AuditLog, namespace: &str) -> Writes {
    let agent = format!("\"userAgent\":\"{AGENT}");
    let here = format!("/namespaces/{namespace}/");
    let wanted = |line: &str| {
        line.contains(&agent) && (line.contains(&here) || !line.contains("/namespaces/fixture-"))
    };
    let mut writes = Writes::default();
    for event in log.events_where(wanted).unwrap() {
        writes.requests += 1;
        writes.secret_reads +=
            usize::from(event["verb"] == "get" && event["objectRef"]["resource"] == "secrets");
        if READS.iter().any(|verb| event["verb"] == *verb) {
            continue;
        }
        if was_refused(&event) {
            continue;
        }
        match write(&event) {
            Ok(Write::Finalizers) => writes.finalizers += 1,
            Ok(Write::Status) => writes.statuses += 1,
            Ok(Write::Event) => writes.events += 1,
            Ok(Write::Lease) => writes.leases += 1,
            Ok(Write::Review) => writes.reviews += 1,
            Err(why) => panic!("the operator must not do this to a cluster: {why}\n{event:#}"),
        }
    }
    writes
}

/// RBAC refused a write of an object, so it wrote nothing. The audit log does not have its body.
fn was_refused(event: &Value) -> bool {
    event["objectRef"]["resource"] == "elasticacheusers"
        && event["responseStatus"]["code"] == 403
        && event["requestObject"].is_null()
}

/// The requests that RBAC denied to this user, and the writes of objects that an admission policy denied, one line for each.
pub(crate) fn refusals(log: &AuditLog, user: &str, rights: Rights) -> Vec<String> {
    let (named, forbidden) =
        (format!("\"username\":\"{user}\""), "\"authorization.k8s.io/decision\":\"forbid\"");
    // The operator makes no dry runs. A test makes some as its ServiceAccount.
    let (of_object, code, dry) = ("\"resource\":\"elasticacheusers\"", "\"code\":403", "dryRun=All");
    let by_policy = |line: &str| line.contains(of_object) && line.contains(code) && !line.contains(dry);
    let denied = |line: &str| line.contains(forbidden) || by_policy(line);
    let events = log.events_where(|line| line.contains(&named) && denied(line)).unwrap();
    let about =
        |event: &Value| format!("{} {}", event["verb"].as_str().unwrap_or_default(), event["requestURI"]);
    // Without rights for the whole cluster, the operator also makes one discovery request.
    let known = |event: &Value| {
        rights == Rights::RolesOnly && event["objectRef"]["resource"] == "customresourcedefinitions"
    };
    events.iter().filter(|event| !known(event)).map(about).collect()
}

/// Tests of the chart install a release in a namespace of the same name.
fn is_own_lease(name: &str, about: &Value) -> bool {
    LEASES.contains(&name) || about["namespace"] == name
}

/// Which allowed write the event is, or why the operator must not make it.
fn write(event: &Value) -> Result<Write, &'static str> {
    let about = &event["objectRef"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let body = &event["requestObject"];
    let (verb, group, resource, part) = (
        text(&event["verb"]),
        text(&about["apiGroup"]),
        text(&about["resource"]),
        text(&about["subresource"]),
    );
    match (verb.as_str(), group.as_str(), resource.as_str(), part.as_str()) {
        ("patch", "elasticache-users.dev", "elasticacheusers", "") => {
            only(body, &["metadata"], "a patch of the object may hold metadata alone")?;
            let members = ["finalizers", "resourceVersion", "uid"];
            only(
                &body["metadata"],
                &members,
                "this patch may only have the finalizers and the version that the API server tests",
            )?;
            Ok(Write::Finalizers)
        }
        ("patch", "elasticache-users.dev", "elasticacheusers", "status") => {
            only(body, &["apiVersion", "kind", "metadata", "status"], "it may hold the status alone")?;
            let members = ["name", "resourceVersion"];
            only(
                &body["metadata"],
                &members,
                "the only metadata of this patch may be the version that the API server tests",
            )?;
            let applied = text(&event["requestURI"]).contains("fieldManager=elasticache-user-operator");
            if applied { Ok(Write::Status) } else { Err("the status is applied under the operator's name") }
        }
        ("create", "events.k8s.io", "events", "") => Ok(Write::Event),
        // The audit log has no body of a refused request, and the URI of a create has no name.
        ("create", "coordination.k8s.io", "leases", "")
            if is_own_lease(&text(&body["metadata"]["name"]), about) =>
        {
            Ok(Write::Lease)
        }
        ("update", "coordination.k8s.io", "leases", "") if is_own_lease(&text(&about["name"]), about) => {
            Ok(Write::Lease)
        }
        ("create", "authentication.k8s.io", "tokenreviews", "")
        | ("create", "authorization.k8s.io", "subjectaccessreviews" | "selfsubjectaccessreviews", "") => {
            Ok(Write::Review)
        }
        _ => Err("it writes finalizers, status, events and its Lease"),
    }
}

/// The object has exactly these members.
fn only(object: &Value, members: &[&str], why: &'static str) -> Result<(), &'static str> {
    let mut found: Vec<&str> =
        object.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    found.sort_unstable();
    if found == members { Ok(()) } else { Err(why) }
}

#[tokio::test]
async fn an_object_takes_few_writes_of_three_kinds_from_creation_to_deletion() {
    let fixture = Fixture::new().await;
    fixture.secret("pw", "a-passphrase-of-some-length").await;
    fixture.ready("app", with_password("pw")).await;
    fixture.patch("app", json!({ "spec": { "accessString": "on ~x:* +@all" } })).await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.event("app", "UserDeleted").await;
    if let Some(writes) = fixture.writes() {
        assert_eq!(writes.finalizers, 2, "on and off: {writes:?}");
        assert!(writes.statuses > 2 && writes.events > 2, "{writes:?}");
        assert_eq!(writes.leases, 0, "leader election is off");
    }
    fixture.end().await;
}

#[tokio::test]
async fn labels_annotations_and_finalizers_of_others_stay() {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    let theirs = json!({ "metadata": {
        "labels": { "team": "orders" }, "annotations": { "note": "ours" }, "finalizers": ["example.com/theirs", "elasticache-users.dev/user-cleanup"],
    }});
    fixture.patch("app", theirs).await;
    fixture.delete("app").await;
    let released = |object: &Value| object["metadata"]["finalizers"] == json!(["example.com/theirs"]);
    let object = fixture.shows("app", "released", released).await;
    assert_eq!(object["metadata"]["labels"], json!({ "team": "orders" }));
    assert_eq!(object["metadata"]["annotations"], json!({ "note": "ours" }));
    fixture.patch("app", json!({ "metadata": { "finalizers": [] } })).await;
    fixture.gone("app").await;
    fixture.end().await;
}

#[test]
fn the_audit_reports_any_write_that_the_operator_should_not_make() {
    let patch = |part: Value, body: Value| {
        json!({
            "verb": "patch",
            "requestURI": "/x?fieldManager=elasticache-user-operator&force=true",
            "objectRef": { "apiGroup": "elasticache-users.dev", "resource": "elasticacheusers", "subresource": part },
            "requestObject": body,
        })
    };
    let version = json!({ "uid": "1", "resourceVersion": "1", "finalizers": [] });
    let with = |name: &str, value: Value| {
        let mut metadata = version.clone();
        metadata[name] = value;
        metadata
    };
    let status =
        |metadata: Value| json!({ "apiVersion": "v", "kind": "k", "metadata": metadata, "status": {} });
    let named = json!({ "name": "app", "resourceVersion": "1" });
    assert!(write(&patch(Value::Null, json!({ "metadata": version }))).is_ok());
    assert!(write(&patch(json!("status"), status(named.clone()))).is_ok());
    let other = |verb: &str, group: &str, resource: &str| json!({ "verb": verb, "objectRef": { "apiGroup": group, "resource": resource } });
    let mut spec = status(named);
    spec["spec"] = json!({});
    let offences = [
        patch(Value::Null, json!({ "metadata": version, "spec": {} })),
        patch(Value::Null, json!({ "metadata": with("labels", json!({})) })),
        patch(Value::Null, json!({ "metadata": with("annotations", json!({})) })),
        patch(Value::Null, json!({ "metadata": { "uid": "1", "finalizers": [] } })),
        patch(Value::Null, json!([{ "op": "add", "path": "/metadata/labels/a", "value": "b" }])),
        patch(json!("status"), status(json!({ "name": "app" }))),
        patch(json!("status"), spec),
        other("update", "elasticache-users.dev", "elasticacheusers"),
        other("delete", "elasticache-users.dev", "elasticacheusers"),
        other("patch", "events.k8s.io", "events"),
        other("create", "", "events"),
        other("create", "", "secrets"),
        other("deletecollection", "events.k8s.io", "events"),
    ];
    for offence in offences {
        assert!(write(&offence).is_err(), "{offence:#}");
    }
}
