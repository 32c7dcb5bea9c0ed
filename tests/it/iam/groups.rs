//! The policy of user groups.

use std::collections::BTreeSet;

use elasticache_emulator::Asked;
use serde_json::json;

use super::policy::Policy;
use super::{answers, asked, shop};
use crate::fixture::{ACCOUNT, REGION, Setup, iam, with};

const FILE: &str = "user-groups.json";

#[tokio::test]
async fn members_of_groups_need_all_that_the_policy_of_user_groups_allows_and_no_more() {
    let fixture = shop(Setup::default()).await;
    fixture.start();
    fixture.aws.put_group("cache", json!({ "UserIds": ["default"] })).await;
    let default = json!({ "userName": "default", "engine": "redis", "accessString": "off -@all",
        "authentication": { "type": "no-password-required" }, "userGroupIDs": ["cache"] });
    fixture.ready("shop-default", default).await;
    let member = json!({ "engine": "redis", "userGroupIDs": ["cache"] });
    fixture.ready("shop-app", with(iam(), member)).await;
    fixture.patch("shop-app", json!({ "spec": { "userGroupIDs": null } })).await;
    fixture.event("shop-app", "RemovedFromUserGroup").await;
    fixture.deleted("shop-default").await;
    fixture.deleted("shop-app").await;

    let granted = granted(&Policy::of(FILE, &[]));
    let sids: BTreeSet<&String> = granted.iter().map(|(sid, _)| sid).collect();
    let used = fixture.guard().log().into_iter().filter_map(|(asked, allowed)| {
        let sid = allowed.filter(|sid| sids.contains(sid))?;
        Some((sid, format!("elasticache:{}", asked.action)))
    });
    assert_eq!(
        used.collect::<BTreeSet<_>>(),
        granted,
        "each action of each statement is used, and none besides"
    );
    fixture.end().await;
}

fn granted(policy: &Policy) -> BTreeSet<(String, String)> {
    let statements = policy.statements.iter();
    statements.flat_map(|of| of.actions.iter().map(|action| (of.sid.clone(), action.clone()))).collect()
}

#[test]
fn the_policy_of_user_groups_lets_a_stolen_role_add_and_remove_only_users_of_its_cluster() {
    let words = [
        ("REGION", REGION),
        ("ACCOUNT_ID", ACCOUNT),
        ("CLUSTER_ID", "blue"),
        ("PREFIX", "shop"),
        ("GROUPS", "web"),
    ];
    let policy = Policy::of(FILE, &words);
    let group = |action: &str, id: &str| {
        let asked = asked(action, id, &[], &[]);
        Asked { resource: asked.resource.replace(":user:", ":usergroup:"), ..asked }
    };
    const MODIFY: &str = "ModifyUserGroup";
    let allowed = [
        ("reads a group", group("DescribeUserGroups", "other")),
        ("lists all groups", group("DescribeUserGroups", "*")),
        ("changes a group of the pattern", group(MODIFY, "web-a")),
        ("adds and removes its own users", asked(MODIFY, "shop-a", &[], &["blue"])),
        ("adds and removes AWS's own default user", asked(MODIFY, "default", &[], &[])),
    ];
    let refused = [
        ("changes no other group", group(MODIFY, "other")),
        ("adds and removes no other cluster's users", asked(MODIFY, "shop-a", &[], &["red"])),
        ("adds and removes nobody's users", asked(MODIFY, "shop-a", &[], &[])),
        ("adds and removes no users outside of the prefix", asked(MODIFY, "other", &[], &["blue"])),
        ("makes no groups", group("CreateUserGroup", "web-a")),
        ("deletes no groups", group("DeleteUserGroup", "web-a")),
        ("changes no user", asked("ModifyUser", "shop-a", &[], &["blue"])),
    ];
    answers(&policy, &allowed, &refused);
}
