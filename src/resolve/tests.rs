use serde_json::json;

use super::*;

#[test]
fn a_reserved_tag_key_is_an_invalid_spec_and_the_object_can_still_be_deleted() {
    let policy = Policy {
        cluster_id: "prod".to_owned(),
        default_deletion_policy: DeletionPolicy::Delete,
        adoption_namespaces: Vec::new(),
        required_prefix: None,
        allowed_user_groups: Vec::new(),
    };
    let with_tag = |key: &str| {
        let object = json!({
            "apiVersion": "elasticache-users.dev/v1alpha1", "kind": "ElastiCacheUser",
            "metadata": { "name": "app", "namespace": "shop", "uid": "uid-1" },
            "spec": { "tags": { key: "mine", "team": "shop" } },
        });
        serde_json::from_value::<ElastiCacheUser>(object).unwrap()
    };
    for key in ["elasticache-users.dev/cluster", " Elasticache-Users.dev/x", "AWS:a"] {
        let object = with_tag(key);
        let Refusal::InvalidSpec(why) = tags(&object).unwrap_err().into() else { panic!("{key}") };
        assert!(why.contains(key), "{why}");
        let goal = deletion_goal(&object, &policy);
        assert_eq!((goal.user_id, goal.policy), (UserId::parse("app").ok(), DeletionPolicy::Delete), "{key}");
    }
    assert_eq!(tags(&with_tag("cluster")).unwrap().len(), 2);
}
