use plan::{Departure, Engine, Owner, Password, Passwords, UserId};
use serde_json::{Value, json};

use super::*;

/// An object that is Ready, with its request handled and its password sent.
fn ready() -> Value {
    let condition = |type_: &str, status: &str| {
        json!({
            "type": type_, "status": status, "reason": "Active", "message": "", "observedGeneration": 3,
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        })
    };
    json!({
        "apiVersion": "elasticache-users.dev/v1alpha1",
        "kind": "ElastiCacheUser",
        "metadata": {
            "name": "app", "namespace": "shop", "generation": 3,
            "annotations": { (RECONCILE_REQUESTED_AT): "noon" },
        },
        "spec": { "engine": "valkey", "accessString": "on ~* +@all", "authentication": { "type": "iam" } },
        "status": {
            "conditions": [condition("Ready", "True")],
            "lastHandledReconcileAt": "noon",
            "lastApplied": { "passwordVersions": ["uid/7"] },
        },
    })
}

fn owner() -> Owner {
    Owner { cluster: "c".to_owned(), namespace: "shop".to_owned(), name: "app".to_owned() }
}

fn present(authentication: Authentication) -> Goal {
    Goal::Present(desired(authentication))
}

fn desired(authentication: Authentication) -> Desired {
    Desired {
        user_id: UserId::parse("app").unwrap(),
        user_name: "app".to_owned(),
        engine: Engine::Valkey,
        access_string: "on ~* +@all".to_owned(),
        authentication,
        tags: plan::Tags::new(),
        owner: owner(),
        uid: "uid".to_owned(),
        adoption: plan::Adoption::Never,
    }
}

fn with_password(version: &str) -> Goal {
    let password = Password::parse(b"a-long-enough-passphrase").unwrap();
    present(Authentication::Password(Ok(Passwords::new(vec![(password, version.to_owned())]))))
}

#[test]
fn a_pass_is_a_check_only_where_nobody_waits_for_it() {
    let leaving = Goal::Gone(Departure {
        user_id: UserId::parse("app").ok(),
        owner: owner(),
        uid: "uid".to_owned(),
        protected: false,
        policy: plan::DeletionPolicy::Delete,
        observes: false,
        suspended: false,
    });
    let unreadable =
        present(Authentication::Password(Err(plan::SecretProblem::NotFound { secret: "s".to_owned() })));
    let sent = with_password("uid/7");
    let observed = Goal::Compared(desired(Authentication::Iam));
    let differs = json!([{
        "type": "Ready", "status": "False", "reason": "Differs", "message": "", "observedGeneration": 3,
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }]);
    let rows: [(&str, &str, Value, &Goal, bool); 9] = [
        ("what is observed was told", "/status/conditions", differs, &observed, false),
        ("nothing changed", "/metadata/name", json!("app"), &sent, false),
        ("there is no password", "/metadata/name", json!("app"), &present(Authentication::Iam), false),
        ("the password cannot be read", "/metadata/name", json!("app"), &unreadable, false),
        ("the password changed", "/metadata/name", json!("app"), &with_password("uid/8"), true),
        ("the spec changed", "/metadata/generation", json!(4), &sent, true),
        ("it is not Ready", "/status/conditions/0/status", json!("False"), &sent, true),
        ("somebody asked for a pass", "/status/lastHandledReconcileAt", json!("before noon"), &sent, true),
        ("it is on its way out", "/metadata/name", json!("app"), &leaving, true),
    ];
    for (claim, pointer, value, goal, expected) in rows {
        let mut object = ready();
        *object.pointer_mut(pointer).unwrap() = value;
        let object: ElastiCacheUser = serde_json::from_value(object).unwrap();
        assert_eq!(awaited(&object, goal), expected, "{claim}");
    }
}

#[test]
fn what_status_says_of_a_user_that_was_seen_gone_counts_for_nothing_until_status_says_so_itself() {
    let unmanaged: ElastiCacheUser = serde_json::from_value(ready()).unwrap();
    let mut managed = unmanaged.clone();
    let last = managed.status.as_mut().and_then(|status| status.last_applied.as_mut());
    last.unwrap().access_string = Some("on ~* +@all".to_owned());
    let mut memory = Entry::default();
    memory.gone = true;
    let pace = plan::pace::Pace::default();
    let mut read = |object| {
        let record = record(object, &mut memory, &pace, jiff::Timestamp::UNIX_EPOCH);
        (record.lost, record.manages())
    };
    assert_eq!(read(&managed), (true, false));
    assert_eq!(read(&unmanaged), (false, false));
    assert_eq!(read(&managed), (false, true), "that is about another user");
}
