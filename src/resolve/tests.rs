use serde_json::json;

use super::*;

#[test]
fn a_reserved_tag_key_is_an_invalid_spec_and_the_object_can_still_be_deleted() {
    let policy = Policy {
        cluster_id: "prod".to_owned(),
        default_deletion_policy: DeletionPolicy::Delete,
        adoption_namespaces: Patterns::default(),
        required_prefix: None,
        allowed_user_groups: Vec::new(),
        lockdown: Lockdown::default(),
        class: String::new(),
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

/// An object in this namespace that uses everything that can be forbidden.
fn using_all(namespace: &str) -> ElastiCacheUser {
    let object = json!({
        "apiVersion": "elasticache-users.dev/v1alpha1", "kind": "ElastiCacheUser",
        "metadata": { "name": "app", "namespace": namespace, "annotations": { PREVENT_DELETION: "true" } },
        "spec": {
            "engine": "valkey", "accessString": "on", "authentication": { "type": "iam" },
            "tags": { "team": "a", "odd": "b" }, "deletionPolicy": "Retain", "adoptionPolicy": "Adopt",
        },
    });
    serde_json::from_value(object).unwrap()
}

#[test]
fn a_forbidden_feature_is_ignored_except_in_privileged_namespaces() {
    let patterns = |all: &[&str]| Patterns::new(all.iter().map(|one| (*one).to_owned()).collect());
    let policy = Policy {
        cluster_id: "prod".to_owned(),
        default_deletion_policy: DeletionPolicy::Delete,
        adoption_namespaces: patterns(&["*"]),
        required_prefix: None,
        allowed_user_groups: Vec::new(),
        lockdown: Lockdown {
            forbidden: Feature::ALL.to_vec(),
            privileged: patterns(&["platform-*"]),
            tag_keys: patterns(&["te*"]),
            max_users: Some(3),
        },
        class: String::new(),
    };
    let Goal::Present(tenant) = resolve(&using_all("shop"), &policy, Some(3)) else { panic!("present") };
    let forbidden = BrokenRule::Forbidden;
    let keys = BrokenRule::TagKeys(vec!["odd".to_owned()]);
    assert_eq!(tenant.broken_rules, [keys, forbidden(Feature::Retain), forbidden(Feature::PreventDeletion)]);
    assert_eq!(tenant.tags.keys().collect::<Vec<_>>(), ["team"]);
    assert_eq!((tenant.adoption, tenant.full), (Adoption::Forbidden, Some(3)));
    let Goal::Present(free) = resolve(&using_all("platform-x"), &policy, None) else { panic!("present") };
    assert_eq!((free.broken_rules, free.tags.len(), free.adoption), (vec![], 2, Adoption::Allowed));
    assert_eq!([policy.max_users("shop"), policy.max_users("platform-x")], [Some(3), None]);

    let mut leaving = using_all("shop");
    leaving.spec.suspend = Some(true);
    leaving.spec.management_policy = Some(api::ManagementPolicy::Observe);
    let goal = deletion_goal(&leaving, &policy);
    assert!(!goal.protected && !goal.observes && !goal.suspended && goal.policy == DeletionPolicy::Delete);
    assert_eq!(goal.ignored, [Feature::Retain, Feature::Observe, Feature::Suspend, Feature::PreventDeletion]);
    let retains = Policy { default_deletion_policy: DeletionPolicy::Retain, ..policy.clone() };
    assert_eq!(
        deletion_goal(&leaving, &retains).policy,
        DeletionPolicy::Retain,
        "the administrator's default policy must hold"
    );
    leaving.metadata.namespace = Some("platform-x".to_owned());
    let goal = deletion_goal(&leaving, &policy);
    assert!(goal.protected && goal.observes && goal.suspended && goal.policy == DeletionPolicy::Retain);
    assert!(goal.ignored.is_empty());
}
