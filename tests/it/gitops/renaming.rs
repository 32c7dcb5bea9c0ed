//! Users get another name in Git. Flux creates the new objects before it prunes the former ones.

use serde_json::{Value, json};

use super::flux::Flux;
use super::{SHOP, Shop};
use crate::fixture::{Fixture, Setup, condition, iam, with};

const COUNT: usize = 8;

/// The users of the test, in objects with this prefix.
fn users(prefix: &str, changes: &Value) -> Vec<(String, Value)> {
    let spec = |number: usize| with(iam(), json!({ "userID": format!("user-{number}") }));
    (0..COUNT).map(|number| (format!("{prefix}-{number}"), with(spec(number), changes.clone()))).collect()
}

/// Renames all users in one commit. Flux must be ready after its first attempt, and no new object may have been Stalled.
async fn rename(shop: &Shop<'_>, changes: &Value) {
    for prefix in ["old", "new"] {
        let users = users(prefix, changes);
        let named: Vec<(&str, Value)> =
            users.iter().map(|(name, spec)| (name.as_str(), spec.clone())).collect();
        let revision = shop.push(&named).await;
        shop.flux.ready(SHOP, &revision).await;
        assert_eq!(shop.flux.failures(), [""; 0]);
    }
    for number in 0..COUNT {
        let versions = shop.fixture.versions(&format!("new-{number}"));
        assert!(versions.iter().all(|version| condition(version, "Stalled").is_none()), "new-{number}");
        shop.fixture.gone(&format!("old-{number}")).await;
    }
}

/// At the real pace, so that a minute of the operator lasts a minute. Objects may adopt.
async fn shop() -> Shop<'static> {
    let env = vec![("ELASTICACHE_USERS_PACE_DIVISOR", "1".to_owned())];
    let fixture = Fixture::without_operator(Setup { env, ..Setup::leaving_users() }).await;
    fixture.start_with(&[("ELASTICACHE_USERS_ADOPTION_NAMESPACE", fixture.ns.clone())]);
    let flux = Flux::new(&fixture.client, &fixture.ns).await;
    Shop::of(fixture, flux, json!({})).await
}

#[tokio::test]
#[ignore = "make gitops"]
async fn retained_users_are_taken_over_by_the_objects_of_the_new_names() {
    let shop = shop().await;
    rename(&shop, &json!({ "deletionPolicy": "Retain", "adoptionPolicy": "Adopt" })).await;
    for number in 0..COUNT {
        let id = format!("user-{number}");
        assert_eq!(shop.fixture.aws.accepted("CreateUser", &id).await, 1, "{id} was made again");
        assert_eq!(shop.fixture.aws.accepted("DeleteUser", &id).await, 0, "{id}");
    }
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn without_retain_each_user_is_deleted_and_made_again() {
    let shop = shop().await;
    rename(&shop, &json!({})).await;
    for number in 0..COUNT {
        let id = format!("user-{number}");
        assert_eq!(shop.fixture.aws.accepted("CreateUser", &id).await, 2, "{id}");
        assert_eq!(shop.fixture.aws.accepted("DeleteUser", &id).await, 1, "{id}");
    }
    shop.end().await;
}
