//! AWS refuses ModifyUser, or its answer or the status write after it is lost. Nevertheless AWS gets what the spec says.

use elasticache_emulator::Rule;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{access, assert_in_sync, modifications, with_high_rate};
use crate::fixture::{PASSWORD, condition, iam, is_observed, message, until, with_password};

/// A rejection of ModifyUser, and what the object reports.
struct Rejection {
    code: &'static str,
    sentence: &'static str,
    reason: &'static str,
    /// The field to change.
    field: &'static str,
}

#[tokio::test]
async fn an_edit_that_aws_rejects_stalls_the_object_until_the_spec_or_a_secret_changes() {
    let (value, combination) = ("InvalidParameterValue", "InvalidParameterCombination");
    let category = "Access string contains invalid category(s)";
    let length = "Passwords length must be between 16-128 characters.";
    let same = "User Id and User name must be same.";
    let row = |code, sentence, reason, field| Rejection { code, sentence, reason, field };
    let rows = [
        row(value, category, "InvalidAccessString", "spec.accessString"),
        row(value, length, "InvalidPassword", "Secret"),
        row(combination, same, "AuthenticationConflict", "spec.authentication"),
        row(value, "Something else is odd.", "InvalidSpec", "spec"),
    ];
    let fixture = with_high_rate().await;
    for (index, Rejection { code, sentence, .. }) in rows.iter().enumerate() {
        let name = format!("app-{index}");
        fixture.secret(&name, PASSWORD).await;
        fixture.ready(&name, with_password(&name)).await;
        let rule = Rule::on("ModifyUser").user(&name).error(code, 400).message(*sentence);
        fixture.aws.fault(rule.always()).await;
        fixture.patch(&name, access("on ~one:* +get")).await;
    }
    for (index, Rejection { code, sentence, reason, field }) in rows.iter().enumerate() {
        let name = format!("app-{index}");
        let stalled = |object: &Value| {
            condition(object, "Stalled").is_some_and(|stalled| stalled["reason"] == *reason)
                && is_observed(object)
        };
        let object = fixture.shows(&name, reason, stalled).await;
        for part in [code, sentence, field] {
            assert!(message(&object).contains(part), "{part} is not in: {}", message(&object));
        }
        fixture.event(&name, reason).await;
        // A new edit is sent at once, and refused.
        fixture.patch(&name, access("on ~two:* +get")).await;
        fixture.shows(&name, "stalled again", stalled).await;
        assert_eq!(modifications(&fixture, &name).await.len(), 2, "{name}");
    }
    fixture.aws.clear_faults().await;
    for (index, Rejection { reason, .. }) in rows.iter().enumerate() {
        let name = format!("app-{index}");
        if index % 2 == 0 {
            fixture.secret(&name, &format!("{PASSWORD}-2")).await;
        } else {
            fixture.patch(&name, access("on ~three:* +get")).await;
        }
        // The object was not Ready since the first edit.
        fixture.wait_ready(&name).await;
        assert_eq!(modifications(&fixture, &name).await.len(), 3, "{name}, after {reason}");
    }
    let both = json!({
        "AccessString": "on ~two:* +get", "AuthenticationMode.Type": "password", "Passwords": ["password-2"],
    });
    assert_eq!(modifications(&fixture, "app-0").await[2], both);
    fixture.end().await;
}

#[tokio::test]
async fn an_access_string_that_aws_rejects_is_reported_and_can_be_edited_back() {
    let fixture = with_high_rate().await;
    fixture.ready("app", iam()).await;
    fixture.patch("app", access("on ~* +@nonsense")).await;
    let object = fixture.reason("app", "InvalidAccessString").await;
    assert!(condition(&object, "Stalled").is_some());
    assert_eq!(object["status"]["lastApplied"]["accessString"], "on ~* +@all", "it was not applied");
    // After the edit is reverted, AWS has what the spec says.
    fixture.patch("app", access("on ~* +@all")).await;
    fixture.wait_ready("app").await;
    assert_eq!(fixture.aws.calls_of("ModifyUser", "app").await.len(), 1);
    fixture.end().await;
}

#[tokio::test]
async fn a_status_that_was_deleted_costs_at_most_one_modify_user() {
    for (wiped, restarts) in [
        (json!({ "status": null }), false),
        (json!({ "status": null }), true),
        (json!({ "status": { "lastApplied": null } }), true),
    ] {
        let fixture = with_high_rate().await;
        fixture.secret("pw", PASSWORD).await;
        fixture.ready("app", with_password("pw")).await;
        // After this pass, status says that AWS has shown the user, so that CreateUser is settled.
        fixture.reconcile_now("app").await;
        if restarts {
            fixture.kill();
        }
        fixture.users().patch_status("app", &PatchParams::default(), &Patch::Merge(&wiped)).await.unwrap();
        if restarts {
            fixture.start();
        }
        fixture.reconcile_now("app").await;
        let sent = modifications(&fixture, "app").await;
        assert!(sent.len() <= usize::from(restarts), "{wiped}: {sent:#?}");
        let object = until("lastApplied is there again", || async {
            let object = serde_json::to_value(fixture.users().get("app").await.unwrap()).unwrap();
            object["status"]["lastApplied"]["accessString"].is_string().then_some(object)
        })
        .await;
        assert_in_sync(&object, &fixture.aws.user("app").await.unwrap());
        fixture.reconcile_now("app").await;
        fixture.kill();
        fixture.start();
        fixture.reconcile_now("app").await;
        assert_eq!(modifications(&fixture, "app").await, sent, "{wiped}: another ModifyUser was sent");
        assert_eq!(fixture.aws.accepted("CreateUser", "app").await, 1);
        fixture.deleted("app").await;
        fixture.end().await;
    }
}
