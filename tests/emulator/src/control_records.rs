//! Users and groups in the control API: the whole truth of them, and changes that are stored as given.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::clock::{Millis, after};
use crate::groups::minimum_engine_version;
use crate::ids::{group_arn, user_arn};
use crate::json::{text, texts, time, unknown_member};
use crate::records::{Group, NO_PASSWORD, PASSWORD, Phase, Tags, User};
use crate::region::Region;

pub(crate) fn user_to_json(region: &Region, user: &User) -> Value {
    let mut authentication = json!({"Type": user.body.authentication});
    if user.body.authentication == PASSWORD {
        authentication["PasswordCount"] = user.body.passwords.len().into();
    }
    json!({
        "UserId": user.id,
        "UserName": user.name,
        "Status": user.phase.status,
        "Engine": user.body.engine,
        "MinimumEngineVersion": user.body.minimum_engine_version,
        "AccessString": user.body.access_string,
        "UserGroupIds": region.groups_of(&user.id).collect::<Vec<_>>(),
        "Authentication": authentication,
        "ARN": user_arn(&region.place, &user.id),
        "Tags": user.tags,
        "Passwords": user.body.passwords,
        "Version": user.version,
    })
}

pub(crate) fn group_to_json(region: &Region, group: &Group) -> Value {
    let mut json = json!({
        "UserGroupId": group.id,
        "Status": group.phase.status,
        "Engine": group.engine,
        "UserIds": group.user_ids,
        "MinimumEngineVersion": minimum_engine_version(region, group),
        "ReplicationGroups": group.replication_groups,
        "ServerlessCaches": [],
        "ARN": group_arn(&region.place, &group.id),
        "Tags": group.tags,
        "Version": group.version,
    });
    if let Some(pending) = &group.pending {
        json["PendingChanges"] = json!({"UserIdsToRemove": pending.remove, "UserIdsToAdd": pending.add});
    }
    json
}

/// A change of status: to a word, and for how long.
#[derive(Default)]
struct StatusChange {
    status: Option<String>,
    lasts: Option<Duration>,
}

impl StatusChange {
    /// What the status becomes; the error where there is a time alone.
    fn check(&self) -> Result<(), String> {
        match self {
            Self { status: None, lasts: Some(_) } => {
                Err("'For' says how long a 'Status' lasts: give both".to_owned())
            }
            Self { .. } => Ok(()),
        }
    }

    fn phase(self, now: Millis) -> Option<Phase> {
        let until = self.lasts.map(|lasts| after(now, lasts));
        self.status.map(|status| Phase { status, until })
    }
}

/// The members of a body for a user.
#[derive(Default)]
pub(crate) struct UserChange {
    status: StatusChange,
    name: Option<String>,
    engine: Option<String>,
    minimum_engine_version: Option<String>,
    access_string: Option<String>,
    passwords: Option<Vec<String>>,
    authentication: Option<String>,
    tags: Option<Tags>,
}

impl UserChange {
    /// Reads a body, all or nothing.
    pub(crate) fn read(members: &Map<String, Value>) -> Result<Self, String> {
        const KNOWN: [&str; 9] = [
            "Status",
            "For",
            "AccessString",
            "Tags",
            "Passwords",
            "Authentication",
            "Engine",
            "MinimumEngineVersion",
            "UserName",
        ];
        let mut change = Self::default();
        for (name, value) in members {
            match name.as_str() {
                "Status" => change.status.status = Some(text(name, value)?),
                "For" => change.status.lasts = Some(time(name, value)?),
                "AccessString" => change.access_string = Some(text(name, value)?),
                "Tags" => change.tags = Some(tags(value)?),
                "Passwords" => change.passwords = Some(texts(name, value)?),
                "Authentication" => change.authentication = Some(authentication(value)?),
                "Engine" => change.engine = Some(text(name, value)?),
                "MinimumEngineVersion" => change.minimum_engine_version = Some(text(name, value)?),
                "UserName" => change.name = Some(text(name, value)?),
                _ => return Err(unknown_member(name, "a user", &KNOWN)),
            }
        }
        change.status.check()?;
        Ok(change)
    }

    /// Makes the change, on a new user where there is none of this id.
    pub(crate) fn apply(self, region: &mut Region, now: Millis, id: &str) {
        if region.user(id).is_none() {
            region.put_user(User::open(id));
        }
        region.edit_user(id, |user| self.edit(user, now));
    }

    fn edit(self, user: &mut User, now: Millis) {
        let body = user.body.clone();
        if let Some(phase) = self.status.phase(now) {
            user.phase = phase;
        }
        if let Some(name) = self.name {
            user.name = name;
        }
        if let Some(tags) = self.tags {
            user.tags = tags;
        }
        if let Some(engine) = self.engine {
            user.body.engine = engine;
        }
        if let Some(version) = self.minimum_engine_version {
            user.body.minimum_engine_version = version;
        }
        if let Some(access_string) = self.access_string {
            user.body.access_string = access_string;
        }
        if let Some(passwords) = self.passwords {
            let word = if passwords.is_empty() { NO_PASSWORD } else { PASSWORD };
            user.body.authentication = word.to_owned();
            user.body.passwords = passwords;
        }
        if let Some(authentication) = self.authentication {
            user.body.authentication = authentication;
        }
        // What somebody set by hand is to be seen at once, whatever `modify-answer` says.
        if user.body != body {
            user.former = None;
        }
    }
}

/// The members of a body for a group.
#[derive(Default)]
pub(crate) struct GroupChange {
    status: StatusChange,
    user_ids: Option<Vec<String>>,
    engine: Option<String>,
    tags: Option<Tags>,
    replication_groups: Option<Vec<String>>,
}

impl GroupChange {
    /// Reads a body, all or nothing.
    pub(crate) fn read(members: &Map<String, Value>) -> Result<Self, String> {
        const KNOWN: [&str; 6] = ["Status", "For", "UserIds", "Engine", "Tags", "ReplicationGroups"];
        let mut change = Self::default();
        for (name, value) in members {
            match name.as_str() {
                "Status" => change.status.status = Some(text(name, value)?),
                "For" => change.status.lasts = Some(time(name, value)?),
                "UserIds" => {
                    let ids = texts(name, value)?;
                    change.user_ids = Some(ids.into_iter().map(|id| id.to_lowercase()).collect());
                }
                "Engine" => change.engine = Some(text(name, value)?),
                "Tags" => change.tags = Some(tags(value)?),
                "ReplicationGroups" => change.replication_groups = Some(texts(name, value)?),
                _ => return Err(unknown_member(name, "a group", &KNOWN)),
            }
        }
        change.status.check()?;
        Ok(change)
    }

    /// Makes the change, on a new group where there is none of this id.
    pub(crate) fn apply(self, region: &mut Region, now: Millis, id: &str) {
        if region.group(id).is_none() {
            region.put_group(Group::new(id));
        }
        region.edit_group(id, |group| self.edit(group, now));
    }

    fn edit(self, group: &mut Group, now: Millis) {
        if let Some(phase) = self.status.phase(now) {
            group.phase = phase;
        }
        if let Some(user_ids) = self.user_ids {
            group.user_ids = user_ids;
            group.pending = None;
        }
        if let Some(engine) = self.engine {
            group.engine = engine;
        }
        if let Some(tags) = self.tags {
            group.tags = tags;
        }
        if let Some(replication_groups) = self.replication_groups {
            group.replication_groups = replication_groups;
        }
    }
}

/// A map of strings; null is a value (B95).
fn tags(value: &Value) -> Result<Tags, String> {
    let tag = |(key, value): (&String, &Value)| match value {
        Value::Null => Some((key.clone(), None)),
        Value::String(text) => Some((key.clone(), Some(text.clone()))),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let tags = value.as_object().and_then(|map| map.iter().map(tag).collect());
    tags.ok_or_else(|| format!("'Tags' must be a map of strings or nulls, not {value}"))
}

/// `{"Type": ..}` and nothing else.
fn authentication(value: &Value) -> Result<String, String> {
    let wrong = || format!("'Authentication' must be {{\"Type\": ..}} with a string, not {value}");
    let members = value.as_object().ok_or_else(wrong)?;
    if let Some(name) = members.keys().find(|name| *name != "Type") {
        return Err(unknown_member(name, "'Authentication'", &["Type"]));
    }
    members.get("Type").and_then(Value::as_str).map(str::to_owned).ok_or_else(wrong)
}
