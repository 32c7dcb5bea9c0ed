//! The policies of `deploy/iam`. The operator of every fixture works under the policy that people attach, with its conditions. The
//! emulator denies calls that the policy does not allow, and the fixture fails.

mod files;
mod groups;
pub(crate) mod policy;
mod role;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use elasticache_emulator::{Asked, Permits};
use serde_json::json;

use self::policy::Policy;
use crate::fixture::{
    ACCOUNT, Fixture, PASSWORD, REGION, Setup, iam, iam_user, message, until, with, with_password,
};

/// A call, and the statement that allowed it, if any.
type Answered = (Asked, Option<String>);

/// Records the calls that a policy allowed or refused.
#[derive(Clone, Default)]
pub(crate) struct Guard(Arc<Mutex<Vec<Answered>>>);

impl Guard {
    /// Decides by this policy, for users whose IDs have this prefix and whose objects are in this namespace, and by the policy for user
    /// groups. Records the calls. The policies allow any account and region here, because fixtures use several.
    pub(crate) fn permits(&self, policy: &str, prefix: &str, tenant: &str) -> Permits {
        let words =
            [("REGION", "*"), ("ACCOUNT_ID", "*"), ("PREFIX-", prefix), ("TENANT", tenant), ("GROUPS-", "")];
        let mut policy = Policy::of(policy, &words);
        policy.statements.extend(Policy::of("user-groups.json", &words).statements);
        let log = self.0.clone();
        Box::new(move |asked| {
            let allowed = policy.allows(asked).map(str::to_owned);
            let answer = allowed.is_some();
            log.lock().unwrap_or_else(PoisonError::into_inner).push((asked.clone(), allowed));
            answer
        })
    }

    fn log(&self) -> Vec<Answered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The calls that were refused.
    pub(crate) fn refused(&self) -> Vec<Asked> {
        self.log().into_iter().filter(|(_, allowed)| allowed.is_none()).map(|(asked, _)| asked).collect()
    }
}

/// A fixture for users whose IDs begin with `shop-`.
async fn shop(setup: Setup) -> Fixture {
    let env = vec![
        ("ELASTICACHE_USERS_RESYNC", "1s".to_owned()),
        ("ELASTICACHE_USERS_TAG_RESYNC_EVERY", "1".to_owned()),
    ];
    Fixture::without_operator(Setup { user_ids: "shop-", env, ..setup }).await
}

#[tokio::test]
async fn the_iam_policy_allows_exactly_what_the_operator_needs() {
    runs_under_policy("policy.json").await;
}

#[tokio::test]
async fn the_iam_policy_of_a_namespace_allows_exactly_what_the_operator_needs() {
    runs_under_policy("policy-of-a-namespace.json").await;
}

async fn runs_under_policy(file: &'static str) {
    let fixture = shop(Setup { policy: file, ..Setup::default() }).await;
    let adopters = ("ELASTICACHE_USERS_ADOPTION_NAMESPACE", fixture.ns.clone());
    fixture.start_with(&[adopters]);
    fixture.secret("pw", PASSWORD).await;
    let tags = json!({ "tags": { "team": "blue", "tier": "gold" } });
    fixture.ready("shop-app", with(with_password("pw"), tags)).await;
    let edit = json!({ "accessString": "on ~x:* +@all", "tags": { "team": "red", "tier": null } });
    fixture.patch("shop-app", json!({ "spec": edit })).await;
    fixture.wait_ready("shop-app").await;
    // Somebody removes one owner tag or all of them, and the operator restores them.
    let of_tenant = json!({ "elasticache-users.dev/cluster": fixture.cluster_id, "elasticache-users.dev/namespace": fixture.ns });
    for left in [json!({}), of_tenant] {
        fixture.aws.put_user("shop-app", json!({ "Tags": with(left, json!({ "team": "red" })) })).await;
        until("the owner tags are back", || async {
            let user = fixture.aws.user("shop-app").await?;
            user["Tags"]["elasticache-users.dev/name"].is_string().then_some(())
        })
        .await;
    }
    // The operator adopts a user without owner tags.
    fixture.aws.put_user("shop-old", iam_user()).await;
    fixture.ready("shop-old", with(iam(), json!({ "adoptionPolicy": "Adopt" }))).await;
    // The check for orphans works under the same policy, also for users without the prefix.
    fixture.aws.put_user("other", json!({})).await;
    let answer = crate::checking::check(&fixture, &["--orphans"], &[]).await;
    answer.ok("aws-users", "3 AWS users and their tags were read");
    fixture.deleted("shop-app").await;
    fixture.deleted("shop-old").await;

    let log = fixture.guard().log();
    let used: BTreeSet<(String, String)> = log
        .into_iter()
        .filter_map(|(asked, allowed)| Some((allowed?, format!("elasticache:{}", asked.action))))
        .collect();
    let policy = Policy::of(file, &[]);
    let granted: BTreeSet<(String, String)> = policy
        .statements
        .iter()
        .flat_map(|statement| statement.actions.iter().map(|action| (statement.sid.clone(), action.clone())))
        .collect();
    assert_eq!(used, granted, "each action of each statement is used, and none besides");
    fixture.end().await;
}

#[tokio::test]
async fn a_user_id_that_the_iam_policy_does_not_cover_is_denied_and_reported() {
    let fixture = shop(Setup { refuses: true, ..Setup::default() }).await;
    fixture.start();
    fixture.create("other", iam()).await;
    let object = fixture.reason("other", "AccessDenied").await;
    let says = message(&object);
    assert!(says.contains("elasticache:CreateUser") && says.contains(":user:other"), "{says}");
    fixture.patch("other", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    fixture.deleted("other").await;
    fixture.end().await;
}

/// The owner tags that name this cluster and this namespace.
fn tags_of(owner: &[&str]) -> BTreeMap<String, String> {
    let keys = ["elasticache-users.dev/cluster", "elasticache-users.dev/namespace"].map(str::to_owned);
    keys.into_iter().zip(owner.iter().map(|part| (*part).to_owned())).collect()
}

fn asked(action: &str, id: &str, request: &[&str], has: &[&str]) -> Asked {
    Asked {
        action: action.to_owned(),
        resource: format!("arn:aws:elasticache:{REGION}:{ACCOUNT}:user:{id}"),
        tag_keys: tags_of(request).into_keys().collect(),
        request_tags: tags_of(request),
        resource_tags: tags_of(has),
    }
}

/// A tagging call about these keys. None of them is the tag of the cluster.
fn keyed(action: &str, keys: &[&str], has: &[&str]) -> Asked {
    let tag_keys = keys.iter().map(|key| (*key).to_owned()).collect();
    Asked { tag_keys, ..asked(action, "shop-a", &[], has) }
}

const ADD: &str = "AddTagsToResource";
const REMOVE: &str = "RemoveTagsFromResource";

#[test]
fn the_iam_policy_limits_what_a_stolen_role_can_do() {
    let words = [("REGION", REGION), ("ACCOUNT_ID", ACCOUNT), ("CLUSTER_ID", "blue"), ("PREFIX", "shop")];
    let policy = Policy::of("policy.json", &words);
    let (none, blue, red): (&[&str], &[&str], &[&str]) = (&[], &["blue"], &["red"]);
    let allowed = [
        ("reads", asked("DescribeUsers", "shop-a", none, red)),
        ("reads the user that tells the account", asked("DescribeUsers", "default", none, none)),
        ("lists all users", asked("DescribeUsers", "*", none, none)),
        ("reads the tags of all users", asked("ListTagsForResource", "other", none, red)),
        ("creates as this cluster", asked("CreateUser", "shop-a", blue, none)),
        ("creates with tags", asked(ADD, "shop-a", blue, none)),
        ("changes its own", asked("ModifyUser", "shop-a", none, blue)),
        ("deletes its own", asked("DeleteUser", "shop-a", none, blue)),
        ("tags its own", keyed(ADD, &["team"], blue)),
        ("tags its own as its own", asked(ADD, "shop-a", blue, blue)),
        ("takes other tags off", keyed(REMOVE, &["team"], blue)),
    ];
    let refused = [
        ("creates nothing without a tag", asked("CreateUser", "shop-a", none, none)),
        ("creates nothing as another cluster", asked("CreateUser", "shop-a", red, none)),
        ("creates nothing outside of the prefix", asked("CreateUser", "other-a", blue, none)),
        ("changes no other's", asked("ModifyUser", "shop-a", none, red)),
        ("changes nobody's", asked("ModifyUser", "shop-a", none, none)),
        ("deletes no other's", asked("DeleteUser", "shop-a", none, red)),
        ("deletes nobody's", asked("DeleteUser", "shop-a", none, none)),
        ("claims no other's", asked(ADD, "shop-a", blue, red)),
        ("tags no other's", keyed(ADD, &["team"], red)),
        ("tags nobody's", keyed(ADD, &["team"], none)),
        ("tags nobody's as another's", asked(ADD, "shop-a", red, none)),
        ("hands its own to no other cluster", asked(ADD, "shop-a", red, blue)),
        (
            "hands its own to no other, whatever IAM knows of the values",
            keyed(ADD, &["elasticache-users.dev/cluster"], blue),
        ),
        ("hands nothing over if IAM knows no keys", keyed(ADD, &[], blue)),
        (
            "moves its own to no other object without the cluster's tag",
            keyed(ADD, &["elasticache-users.dev/name"], blue),
        ),
        ("gives its own up to nobody", keyed(REMOVE, &["team", "elasticache-users.dev/cluster"], blue)),
        ("untags no other's", keyed(REMOVE, &["team"], red)),
        ("untags nothing if IAM knows no keys", keyed(REMOVE, &[], blue)),
        ("touches the default user in no way", asked("ModifyUser", "default", none, none)),
        ("makes no groups", asked("CreateUserGroup", "shop-a", none, none)),
    ];
    answers(&policy, &allowed, &refused);
    let other = |part: (&str, &str)| {
        let mut asked = asked("ModifyUser", "shop-a", none, blue);
        asked.resource = asked.resource.replace(part.0, part.1);
        policy.allows(&asked).is_some()
    };
    assert!(!other((REGION, "eu-west-1")), "another region");
    assert!(!other((ACCOUNT, "999999999999")), "another account");
    assert!(!other((":user:", ":usergroup:")), "another kind");
}

#[test]
fn the_iam_policy_of_a_namespace_allows_changes_of_its_own_users_only() {
    let words = [
        ("REGION", REGION),
        ("ACCOUNT_ID", ACCOUNT),
        ("CLUSTER_ID", "blue"),
        ("PREFIX", "shop"),
        ("TENANT", "team"),
    ];
    let policy = Policy::of("policy-of-a-namespace.json", &words);
    let (none, own, other): (&[&str], &[&str], &[&str]) = (&[], &["blue", "team"], &["blue", "x"]);
    let allowed = [
        ("creates as this namespace", asked("CreateUser", "shop-a", own, none)),
        ("creates with tags", asked(ADD, "shop-a", own, none)),
        ("changes its own", asked("ModifyUser", "shop-a", none, own)),
        ("deletes its own", asked("DeleteUser", "shop-a", none, own)),
        ("tags its own as its own", asked(ADD, "shop-a", own, own)),
        ("tags its own", keyed(ADD, &["a"], own)),
        ("takes other tags off", keyed(REMOVE, &["a"], own)),
    ];
    let refused = [
        ("creates nothing as another namespace", asked("CreateUser", "shop-a", other, none)),
        (
            "creates nothing as the same namespace elsewhere",
            asked("CreateUser", "shop-a", &["red", "team"], none),
        ),
        ("tags nobody's as another namespace's", asked(ADD, "shop-a", other, none)),
        ("changes no other namespace's", asked("ModifyUser", "shop-a", none, other)),
        ("changes no other cluster's", asked("ModifyUser", "shop-a", none, &["red", "team"])),
        ("deletes no other namespace's", asked("DeleteUser", "shop-a", none, other)),
        ("claims no other namespace's", asked(ADD, "shop-a", own, other)),
        ("hands its own to no other namespace", asked(ADD, "shop-a", other, own)),
        (
            "hands its own to nobody by half of the tags",
            keyed(ADD, &["elasticache-users.dev/namespace"], own),
        ),
        ("tags no other namespace's", keyed(ADD, &["a"], other)),
        ("untags no other namespace's", keyed(REMOVE, &["a"], other)),
    ];
    answers(&policy, &allowed, &refused);
}

fn answers(policy: &Policy, allowed: &[(&str, Asked)], refused: &[(&str, Asked)]) {
    for (claim, asked) in allowed {
        assert!(policy.allows(asked).is_some(), "{claim}");
    }
    for (claim, asked) in refused {
        assert!(policy.allows(asked).is_none(), "{claim}");
    }
}
