//! What the service keeps: users and user groups. Plain data, as it also stands in the data file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// Tag values by key; a value may be null (B95).
pub(crate) type Tags = BTreeMap<String, Option<String>>;

pub(crate) const ACTIVE: &str = "active";
pub(crate) const CREATING: &str = "creating";
pub(crate) const MODIFYING: &str = "modifying";
pub(crate) const DELETING: &str = "deleting";

pub(crate) const REDIS: &str = "redis";
pub(crate) const VALKEY: &str = "valkey";

/// The output words for the type of authentication (B51).
pub(crate) const PASSWORD: &str = "password";
pub(crate) const NO_PASSWORD: &str = "no-password";
pub(crate) const IAM: &str = "iam";

/// A status and when it ends. Nothing waits for the end: whoever looks next applies it ([`crate::region::Region`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phase {
    /// A word of the service, or any word that the control API was given.
    pub(crate) status: String,
    /// When `deleting` turns to gone and any other status to `active`; `None`: never by itself.
    pub(crate) until: Option<Millis>,
}

impl Phase {
    pub(crate) fn active() -> Self {
        Self { status: ACTIVE.to_owned(), until: None }
    }

    pub(crate) fn until(status: &str, until: Millis) -> Self {
        Self { status: status.to_owned(), until: Some(until) }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.status == ACTIVE
    }

    /// `modifying` at least until `until`. A status that already ends later, never, or in being gone, stays.
    pub(crate) fn hold(&mut self, until: Millis) {
        if self.is_active() {
            *self = Self::until(MODIFYING, until);
        } else if self.status != DELETING {
            self.until = self.until.map(|earlier| earlier.max(until));
        }
    }
}

/// A user as the service keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    /// Lower case (B12).
    pub(crate) id: String,
    pub(crate) name: String,
    /// What ModifyUser changes.
    pub(crate) body: Body,
    /// The body before the ModifyUser that is still `modifying`.
    pub(crate) former: Option<Body>,
    pub(crate) tags: Tags,
    pub(crate) phase: Phase,
    /// Tag calls are refused before this time (B92).
    pub(crate) tags_closed_until: Millis,
    /// Goes up with each change, also over the re-creation of an id.
    pub(crate) version: u64,
}

/// The part of a user that ModifyUser changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) engine: String,
    pub(crate) minimum_engine_version: String,
    pub(crate) access_string: String,
    /// `password`, `no-password`, `iam`, or any word that the control API was given.
    pub(crate) authentication: String,
    /// Plain, for tests to compare. Never in an answer of the ElastiCache API (B57).
    pub(crate) passwords: Vec<String>,
}

impl User {
    /// A user as every region has it from the start (B20), under another id where the control API makes one.
    pub(crate) fn open(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            body: Body {
                engine: REDIS.to_owned(),
                minimum_engine_version: minimum_engine_version(NO_PASSWORD).to_owned(),
                access_string: "on ~* +@all".to_owned(),
                authentication: NO_PASSWORD.to_owned(),
                passwords: Vec::new(),
            },
            former: None,
            tags: Tags::new(),
            phase: Phase::active(),
            tags_closed_until: 0,
            version: 0,
        }
    }
}

/// The version that goes with a type of authentication (B30).
pub(crate) fn minimum_engine_version(authentication: &str) -> &'static str {
    if authentication == IAM { "7.0" } else { "6.0" }
}

/// A user group as the service keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Lower case (B12).
    pub(crate) id: String,
    pub(crate) engine: String,
    /// Ids of the members, in the order in which they were given.
    pub(crate) user_ids: Vec<String>,
    /// What becomes of the members when the group is `active` again (B76).
    pub(crate) pending: Option<Pending>,
    pub(crate) replication_groups: Vec<String>,
    pub(crate) tags: Tags,
    pub(crate) phase: Phase,
    /// Tag calls are refused before this time (B92).
    pub(crate) tags_closed_until: Millis,
    /// Goes up with each change, also over the re-creation of an id.
    pub(crate) version: u64,
}

/// The changes of membership that a group has accepted and not yet made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) add: Vec<String>,
    pub(crate) remove: Vec<String>,
}

impl Group {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            engine: REDIS.to_owned(),
            user_ids: Vec::new(),
            pending: None,
            replication_groups: Vec::new(),
            tags: Tags::new(),
            phase: Phase::active(),
            tags_closed_until: 0,
            version: 0,
        }
    }

    /// The members once what is pending has been made.
    pub(crate) fn members_to_be(&self) -> Vec<String> {
        let mut members = self.user_ids.clone();
        if let Some(pending) = &self.pending {
            members.retain(|id| !pending.remove.contains(id));
            members.extend(pending.add.iter().filter(|id| !self.user_ids.contains(id)).cloned());
        }
        members
    }
}
