//! The files of `deploy/iam`. People write those of the partition `aws`, and a test derives the others from them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::policy::{read, texts};
use crate::{repository, written};

/// The files of each partition.
const FILES: [&str; 5] = [
    "policy.json",
    "policy-of-a-namespace.json",
    "user-groups.json",
    "trust-irsa.json",
    "trust-pod-identity.json",
];
/// The partitions besides `aws`, and the ends of their host names.
const PARTITIONS: [(&str, &str); 4] = [
    ("aws-cn", "amazonaws.com.cn"),
    ("aws-us-gov", "amazonaws.com"),
    ("aws-iso", "c2s.ic.gov"),
    ("aws-iso-b", "sc2s.sgov.gov"),
];
/// The actions that exist. With a spelling mistake a permission would never be granted.
const ACTIONS: [&str; 12] = [
    "elasticache:AddTagsToResource",
    "elasticache:CreateUser",
    "elasticache:DeleteUser",
    "elasticache:DescribeUserGroups",
    "elasticache:DescribeUsers",
    "elasticache:ListTagsForResource",
    "elasticache:ModifyUser",
    "elasticache:ModifyUserGroup",
    "elasticache:RemoveTagsFromResource",
    "sts:AssumeRole",
    "sts:AssumeRoleWithWebIdentity",
    "sts:TagSession",
];

/// The actions that change nothing.
const READS: [&str; 3] =
    ["elasticache:DescribeUserGroups", "elasticache:DescribeUsers", "elasticache:ListTagsForResource"];

fn text(file: &str) -> String {
    repository::read(&format!("deploy/iam/{file}"))
}

#[test]
fn the_iam_policies_of_other_partitions_are_derived_from_those_of_aws() {
    for (partition, hosts) in PARTITIONS {
        for file in FILES {
            // The service principals and STS's audience are the same in every partition.
            let expected = text(file)
                .replace("arn:aws:", &format!("arn:{partition}:"))
                .replace("oidc.eks.REGION.amazonaws.com/", &format!("oidc.eks.REGION.{hosts}/"));
            written::file(&format!("deploy/iam/{partition}/{file}"), &expected);
        }
    }
}

#[test]
fn each_iam_policy_is_valid() {
    for (partition, folder) in PARTITIONS
        .map(|(partition, _)| (partition, format!("{partition}/")))
        .into_iter()
        .chain([("aws", String::new())])
    {
        for file in FILES {
            let name = format!("{folder}{file}");
            let policy = read(&name);
            assert_eq!(policy["Version"], "2012-10-17", "{name}");
            let mut sids = BTreeSet::new();
            for statement in policy["Statement"].as_array().unwrap() {
                let sid = statement["Sid"].as_str().unwrap();
                assert!(sids.insert(sid), "{name}: {sid} twice");
                assert!(sid.chars().all(|sign| sign.is_ascii_alphanumeric()), "{name}: {sid}");
                assert_eq!(statement["Effect"], "Allow", "{name}");
                for action in texts(&statement["Action"]) {
                    assert!(ACTIONS.contains(&action.as_str()), "{name}: {action} does not exist");
                }
                is_scoped(&name, statement, file.starts_with("trust-"));
            }
            let arns = text(&name);
            for (at, _) in arns.match_indices("arn:") {
                let of = arns[at..].split(':').nth(1).unwrap();
                assert_eq!(of, partition, "{name}");
            }
            // The size limit of a managed policy, without white space.
            assert!(policy.to_string().len() < 6144, "{name}");
        }
    }
}

/// Fails unless the statement covers only users and groups with a prefix. Only reads may cover all users, because AWS lists users
/// only for a role that may read all of them.
fn is_scoped(name: &str, statement: &Value, trusts: bool) {
    if trusts {
        assert!(statement["Resource"].is_null() && statement["Principal"].is_object(), "{name}");
        assert!(statement["Condition"]["StringEquals"].is_object(), "{name}: everybody may assume the role");
        return;
    }
    let reads = texts(&statement["Action"]).iter().all(|action| READS.contains(&action.as_str()));
    let kinds: &[&str] = if reads {
        &["user:*", "usergroup:*"]
    } else {
        &["user:PREFIX-*", "user:default", "usergroup:GROUPS-*"]
    };
    for resource in texts(&statement["Resource"]) {
        let kind = resource.split(':').skip(5).collect::<Vec<_>>().join(":");
        assert!(kinds.contains(&kind.as_str()), "{name}: {resource}");
        assert!(resource.contains(":elasticache:REGION:ACCOUNT_ID:"), "{name}: {resource}");
    }
}

/// The owner tags that each policy about users requires.
const OWNERS: [(&str, &[(&str, &str)]); 2] = [
    ("policy.json", &[("cluster", "CLUSTER_ID")]),
    ("policy-of-a-namespace.json", &[("cluster", "CLUSTER_ID"), ("namespace", "TENANT")]),
];

#[test]
fn every_iam_statement_that_allows_a_change_requires_the_owner_tags() {
    for (file, owner) in OWNERS {
        for statement in read(file)["Statement"].as_array().unwrap() {
            let conditions = &statement["Condition"];
            let equals = |kind: &str| {
                let of = |(tag, value): &(&str, &str)| {
                    conditions["StringEquals"][format!("aws:{kind}Tag/elasticache-users.dev/{tag}")] == *value
                };
                owner.iter().all(of)
            };
            let actions = texts(&statement["Action"]);
            let changes = actions.iter().any(|action| !READS.contains(&action.as_str()));
            assert_eq!(changes, equals("Request") || equals("Resource"), "{file}: {statement}");
            // ForAllValues is true if the key is missing.
            let no_owner_tags = conditions["ForAllValues:StringNotLike"]["aws:TagKeys"]
                == "elasticache-users.dev/*"
                && conditions["Null"]["aws:TagKeys"] == "false";
            let tags = actions.iter().any(|action| action == "elasticache:AddTagsToResource");
            assert!(!tags || equals("Request") || no_owner_tags, "{file}: {statement}");
        }
    }
}
