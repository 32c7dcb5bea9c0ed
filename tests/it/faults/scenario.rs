//! The scenarios: what exists, what a person does, and what AWS must have in the end.

use serde_json::{Value, json};

use crate::fixture::{iam, with, with_password, with_passwords};

/// The password under each label. Facts hold labels only.
pub(super) const PASSWORDS: [(&str, &str); 3] = [
    ("first", "the-first-passphrase-of-all"),
    ("second", "the-second-passphrase-of-all"),
    ("third", "the-third-passphrase-of-all"),
];

/// The password under this label.
pub(super) fn text_of(label: &str) -> &'static str {
    PASSWORDS.iter().find(|(known, _)| *known == label).expect("a label of a password").1
}

/// One wish of a person.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// The Secrets that exist, each with the label of its password.
    pub(super) secrets: Vec<(&'static str, &'static str)>,
    /// The Valkey groups that exist, without members.
    pub(super) groups: Vec<&'static str>,
    /// An AWS user that exists without an object.
    pub(super) user: Option<Value>,
    /// The object that is Ready before the step.
    pub(super) before: Option<Value>,
    /// What the person does.
    pub(super) step: Step,
    /// The user that AWS has in the end, with labels for passwords. Null if it has none.
    pub(super) wanted: Value,
    /// The expected events.
    pub(super) events: Vec<&'static str>,
    /// How often AWS accepts each mutation in the whole scenario, without a fault and at most with one. No other mutations are
    /// made.
    pub(super) accepted: Vec<Accepted>,
    /// Even `make test` tries every fault of the API server at every request to it.
    pub(super) every_kubernetes_fault: bool,
}

/// How often AWS accepts a mutation.
pub(super) struct Accepted {
    pub(super) action: &'static str,
    pub(super) undisturbed: usize,
    /// At most, whatever the fault is.
    pub(super) most: usize,
}

fn accepted(action: &'static str, undisturbed: usize, most: usize) -> Accepted {
    Accepted { action, undisturbed, most }
}

/// What a person does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Create(Value),
    Change(Value),
    Secret(&'static str, &'static str),
    Delete,
    /// The object is deleted as soon as CreateUser was called.
    CreateAndDelete(Value),
}

impl Step {
    /// The value of `reconcile-requested-at`, which status must echo.
    pub(super) fn request(&self) -> Option<&str> {
        match self {
            Self::Change(patch) => {
                patch["metadata"]["annotations"]["elasticache-users.dev/reconcile-requested-at"].as_str()
            }
            Self::Create(_) | Self::Secret(..) | Self::Delete | Self::CreateAndDelete(_) => None,
        }
    }
}

fn with_tags(tags: Value) -> Value {
    with(iam(), json!({ "tags": tags }))
}

pub(super) fn create() -> Scenario {
    let mut spec = with_password("one");
    spec["tags"] = json!({ "team": "orders" });
    Scenario {
        name: "create",
        secrets: vec![("one", "first")],
        groups: Vec::new(),
        user: None,
        before: None,
        step: Step::Create(spec),
        wanted: json!({ "Status": "active", "Engine": "redis", "Passwords": ["first"] }),
        events: vec!["UserCreated"],
        // Passwords cannot be read back. If nobody knows whether AWS has them, they are sent again.
        accepted: vec![accepted("CreateUser", 1, 1), accepted("ModifyUser", 0, 1)],
        every_kubernetes_fault: false,
    }
}

pub(super) fn modify() -> Scenario {
    Scenario {
        name: "modify",
        secrets: Vec::new(),
        groups: Vec::new(),
        user: None,
        before: Some(
            json!({ "engine": "redis", "accessString": "on ~* +@all", "authentication": { "type": "iam" } }),
        ),
        step: Step::Change(
            json!({ "spec": { "engine": "valkey", "accessString": "on ~app:* -@all +@read" } }),
        ),
        wanted: json!({ "Status": "active", "Engine": "valkey", "AccessString": "on ~app:* -@all +@read" }),
        events: vec!["UserModified"],
        accepted: vec![accepted("CreateUser", 1, 1), accepted("ModifyUser", 1, 1)],
        every_kubernetes_fault: false,
    }
}

pub(super) fn rotate() -> Scenario {
    Scenario {
        name: "rotate",
        secrets: vec![("one", "first"), ("two", "second")],
        groups: Vec::new(),
        user: None,
        before: Some(with_passwords(&["one", "two"])),
        step: Step::Secret("one", "third"),
        wanted: json!({ "Status": "active", "Passwords": ["second", "third"] }),
        events: vec!["PasswordRotated"],
        accepted: vec![accepted("CreateUser", 1, 1), accepted("ModifyUser", 1, 2)],
        every_kubernetes_fault: false,
    }
}

pub(super) fn retag() -> Scenario {
    Scenario {
        name: "retag",
        secrets: Vec::new(),
        groups: Vec::new(),
        user: None,
        before: Some(with_tags(json!({ "team": "orders", "stage": "test" }))),
        step: Step::Change(json!({ "spec": { "tags": { "team": "billing", "stage": null, "cost": "7" } } })),
        wanted: json!({ "Status": "active", "Tags": { "team": "billing", "cost": "7" } }),
        events: Vec::new(),
        accepted: vec![
            accepted("CreateUser", 1, 1),
            accepted("AddTagsToResource", 1, 1),
            accepted("RemoveTagsFromResource", 1, 1),
        ],
        every_kubernetes_fault: false,
    }
}

pub(super) fn adopt() -> Scenario {
    let mut spec = with_password("one");
    spec["adoptionPolicy"] = json!("Adopt");
    spec["tags"] = json!({ "team": "orders" });
    Scenario {
        name: "adopt",
        secrets: vec![("one", "first")],
        groups: Vec::new(),
        user: Some(
            json!({ "AccessString": "on ~old:* +@all", "Passwords": ["second"], "Tags": { "theirs": "kept" } }),
        ),
        before: None,
        step: Step::Create(spec),
        wanted: json!({ "Status": "active", "Passwords": ["first"], "Tags": { "team": "orders", "theirs": "kept" } }),
        events: vec!["UserModified"],
        accepted: vec![accepted("AddTagsToResource", 1, 1), accepted("ModifyUser", 1, 2)],
        every_kubernetes_fault: false,
    }
}

pub(super) fn delete() -> Scenario {
    Scenario {
        name: "delete",
        secrets: vec![("one", "first")],
        groups: Vec::new(),
        user: None,
        before: Some(with_password("one")),
        step: Step::Delete,
        wanted: Value::Null,
        events: vec!["UserDeleted"],
        accepted: vec![accepted("CreateUser", 1, 1), accepted("DeleteUser", 1, 1)],
        every_kubernetes_fault: false,
    }
}

pub(super) fn withdraw() -> Scenario {
    Scenario {
        name: "withdraw",
        secrets: Vec::new(),
        groups: Vec::new(),
        user: None,
        before: None,
        step: Step::CreateAndDelete(iam()),
        wanted: Value::Null,
        events: vec!["UserDeleted"],
        accepted: vec![accepted("CreateUser", 1, 1), accepted("DeleteUser", 1, 1)],
        every_kubernetes_fault: false,
    }
}

/// The operator must change nothing.
pub(super) fn observe() -> Scenario {
    Scenario {
        name: "look",
        secrets: vec![("one", "first")],
        groups: Vec::new(),
        user: None,
        before: Some(with_password("one")),
        step: Step::Change(
            json!({ "metadata": { "annotations": { "elasticache-users.dev/reconcile-requested-at": "now" } } }),
        ),
        wanted: json!({ "Status": "active", "Passwords": ["first"] }),
        events: Vec::new(),
        accepted: vec![accepted("CreateUser", 1, 1), accepted("ModifyUser", 0, 0)],
        every_kubernetes_fault: true,
    }
}

/// The user's former owner has to be read.
pub(super) fn adopt_from_gone_owner() -> Scenario {
    let mut spec = iam();
    spec["adoptionPolicy"] = json!("Adopt");
    Scenario {
        name: "inherit",
        secrets: Vec::new(),
        groups: Vec::new(),
        user: Some(
            json!({ "Engine": "valkey", "AccessString": "on ~* +@all", "Authentication": { "Type": "iam" }, "Tags": {
                "elasticache-users.dev/cluster": "here", "elasticache-users.dev/namespace": "NAMESPACE", "elasticache-users.dev/name": "former",
            }}),
        ),
        before: None,
        step: Step::Create(spec),
        wanted: json!({ "Status": "active", "Tags": { "elasticache-users.dev/name": "app" } }),
        events: vec!["Adopted"],
        accepted: vec![accepted("AddTagsToResource", 1, 1)],
        every_kubernetes_fault: true,
    }
}

fn member() -> Value {
    with(iam(), json!({ "userGroupIDs": ["cache"] }))
}

pub(super) fn join() -> Scenario {
    Scenario {
        name: "join",
        secrets: Vec::new(),
        groups: vec!["cache"],
        step: Step::Create(member()),
        wanted: json!({ "Status": "active", "UserGroupIds": ["cache"] }),
        events: vec!["UserCreated", "AddedToUserGroup"],
        accepted: vec![accepted("CreateUser", 1, 1), accepted("ModifyUserGroup", 1, 1)],
        ..create()
    }
}

pub(super) fn leave() -> Scenario {
    Scenario {
        name: "leave",
        groups: vec!["cache"],
        before: Some(member()),
        step: Step::Change(json!({ "spec": { "userGroupIDs": null } })),
        wanted: json!({ "Status": "active", "UserGroupIds": [] }),
        events: vec!["RemovedFromUserGroup"],
        accepted: vec![accepted("CreateUser", 1, 1), accepted("ModifyUserGroup", 2, 2)],
        ..modify()
    }
}
