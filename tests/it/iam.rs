//! The policies of `deploy/iam`: every operator of every fixture works under the one that people attach, with its conditions.
//! Whoever needs more is refused as AWS refuses, and the fixture fails.

mod files;
pub(crate) mod policy;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use elasticache_emulator::{Asked, Permits};
use serde_json::json;

use self::policy::Policy;
use crate::fixture::{
    ACCOUNT, Fixture, PASSWORD, REGION, Setup, iam, iam_user, message, until, with, with_password,
};

/// What was asked, and the statement that allowed it, or none.
type Answered = (Asked, Option<String>);

/// What was asked of a policy.
#[derive(Clone, Default)]
pub(crate) struct Guard(Arc<Mutex<Vec<Answered>>>);

impl Guard {
    /// Answers by the policy, for users whose IDs begin like this, and notes what was asked. Any account and any region: that
    /// is what fixtures are about.
    pub(crate) fn permits(&self, prefix: &str) -> Permits {
        let words = [("REGION", "*"), ("ACCOUNT_ID", "*"), ("PREFIX-", prefix), ("GROUPS-", "")];
        let mut policy = Policy::of("policy.json", &words);
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

    /// What was refused.
    pub(crate) fn refused(&self) -> Vec<Asked> {
        self.log().into_iter().filter(|(_, allowed)| allowed.is_none()).map(|(asked, _)| asked).collect()
    }
}

/// A fixture for users whose IDs begin with `shop-`.
async fn shop(setup: Setup) -> Fixture {
    let env = vec![("RESYNC", "1s".to_owned()), ("TAG_RESYNC_EVERY", "1".to_owned())];
    Fixture::without_operator(Setup { user_ids: "shop-", env, ..setup }).await
}

#[tokio::test]
async fn a_life_needs_all_that_the_policy_allows_and_no_more() {
    let fixture = shop(Setup::default()).await;
    let adopters = ("ADOPTION_NAMESPACE", fixture.ns.clone());
    fixture.start_with(&[adopters]);
    fixture.secret("pw", PASSWORD).await;
    let tags = json!({ "tags": { "team": "blue", "tier": "gold" } });
    fixture.ready("shop-app", with(with_password("pw"), tags)).await;
    let edit = json!({ "accessString": "on ~x:* +@all", "tags": { "team": "red", "tier": null } });
    fixture.patch("shop-app", json!({ "spec": edit })).await;
    fixture.wait_ready("shop-app").await;
    // Somebody takes the owner tags off: they are put back.
    fixture.aws.put_user("shop-app", json!({ "Tags": { "team": "red" } })).await;
    until("the owner tags are back", || async {
        let user = fixture.aws.user("shop-app").await?;
        user["Tags"]["elasticache-users.dev/cluster"].is_string().then_some(())
    })
    .await;
    // One that nobody's tags claim is taken over.
    fixture.aws.put_user("shop-old", iam_user()).await;
    fixture.ready("shop-old", with(iam(), json!({ "adoptionPolicy": "Adopt" }))).await;
    // The check for orphans works under the same policy, for users outside of the prefix too.
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
    let policy = Policy::of("policy.json", &[]);
    let granted: BTreeSet<(String, String)> = policy
        .statements
        .iter()
        .flat_map(|statement| statement.actions.iter().map(|action| (statement.sid.clone(), action.clone())))
        .collect();
    assert_eq!(used, granted, "each action of each statement is used, and none besides");
    fixture.end().await;
}

#[tokio::test]
async fn a_user_id_that_the_policy_does_not_know_is_refused_and_told() {
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

fn asked(action: &str, id: &str, request: &[&str], has: &[&str]) -> Asked {
    let tags = |clusters: &[&str]| -> BTreeMap<String, String> {
        clusters
            .iter()
            .map(|cluster| ("elasticache-users.dev/cluster".to_owned(), (*cluster).to_owned()))
            .collect()
    };
    Asked {
        action: action.to_owned(),
        resource: format!("arn:aws:elasticache:{REGION}:{ACCOUNT}:user:{id}"),
        tag_keys: tags(request).into_keys().collect(),
        request_tags: tags(request),
        resource_tags: tags(has),
    }
}

/// RemoveTagsFromResource of these keys of a user of the cluster blue.
fn untagged(keys: &[&str]) -> Asked {
    let tag_keys = keys.iter().map(|key| (*key).to_owned()).collect();
    Asked { tag_keys, ..asked("RemoveTagsFromResource", "shop-a", &[], &["blue"]) }
}

#[test]
fn the_policy_bounds_what_a_stolen_role_could_do() {
    let words = [("REGION", REGION), ("ACCOUNT_ID", ACCOUNT), ("CLUSTER_ID", "blue"), ("PREFIX", "shop")];
    let policy = Policy::of("policy.json", &words);
    let (none, blue, red): (&[&str], &[&str], &[&str]) = (&[], &["blue"], &["red"]);
    let allowed = [
        ("reads", asked("DescribeUsers", "shop-a", none, red)),
        ("reads the user that tells the account", asked("DescribeUsers", "default", none, none)),
        ("lists all users", asked("DescribeUsers", "*", none, none)),
        ("reads the tags of all users", asked("ListTagsForResource", "other", none, red)),
        ("creates as this cluster", asked("CreateUser", "shop-a", blue, none)),
        ("creates with tags", asked("AddTagsToResource", "shop-a", blue, none)),
        ("changes its own", asked("ModifyUser", "shop-a", none, blue)),
        ("deletes its own", asked("DeleteUser", "shop-a", none, blue)),
        ("tags its own", asked("AddTagsToResource", "shop-a", none, blue)),
        ("tags its own as its own", asked("AddTagsToResource", "shop-a", blue, blue)),
        ("takes other tags off", untagged(&["team"])),
    ];
    let refused = [
        ("creates nothing without a tag", asked("CreateUser", "shop-a", none, none)),
        ("creates nothing as another cluster", asked("CreateUser", "shop-a", red, none)),
        ("creates nothing outside of the prefix", asked("CreateUser", "other-a", blue, none)),
        ("changes no other's", asked("ModifyUser", "shop-a", none, red)),
        ("changes nobody's", asked("ModifyUser", "shop-a", none, none)),
        ("deletes no other's", asked("DeleteUser", "shop-a", none, red)),
        ("deletes nobody's", asked("DeleteUser", "shop-a", none, none)),
        ("claims no other's", asked("AddTagsToResource", "shop-a", blue, red)),
        ("tags nobody's as another's", asked("AddTagsToResource", "shop-a", red, none)),
        ("hands its own to no other cluster", asked("AddTagsToResource", "shop-a", red, blue)),
        ("gives its own up to nobody", untagged(&["team", "elasticache-users.dev/cluster"])),
        ("untags no other's", asked("RemoveTagsFromResource", "shop-a", none, red)),
        ("touches the default user in no way", asked("ModifyUser", "default", none, none)),
        ("makes no groups", asked("CreateUserGroup", "shop-a", none, none)),
    ];
    for (claim, asked) in allowed {
        assert!(policy.allows(&asked).is_some(), "{claim}");
    }
    for (claim, asked) in refused {
        assert!(policy.allows(&asked).is_none(), "{claim}");
    }
    let other = |part: (&str, &str)| {
        let mut asked = asked("ModifyUser", "shop-a", none, blue);
        asked.resource = asked.resource.replace(part.0, part.1);
        policy.allows(&asked).is_some()
    };
    assert!(!other((REGION, "eu-west-1")), "another region");
    assert!(!other((ACCOUNT, "999999999999")), "another account");
    assert!(!other((":user:", ":usergroup:")), "another kind");
}
