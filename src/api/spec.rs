//! No I/O: the fields of `spec`, and the rules that the API server checks.
//!
//! The place of a rule decides when the API server checks it:
//! - Below the root, the API server skips a rule if an update leaves the value unchanged ("ratcheting").
//! - The root is never ratcheted, because it contains the finalizer. Rules that read `metadata.name` must be there, so they accept
//!   an unchanged spec explicitly.
//! - Rules with `oldSelf` are not ratcheted. An unchanged value satisfies them.
//! - A rule that ends in an error instead of `false` is not ratcheted either (measured on 1.37). So every rule reads a member that
//!   may be missing through `.?` or after `has()`, even if the member is required.
//!
//! The schema limits lengths, because its message is good and the limit bounds the cost of CEL. CEL checks forms, because the
//! message of a `pattern` is only a regular expression.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a function, `pub` included")]

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::enums::{
    AdoptionPolicy, AuthenticationType, DeletionPolicy, Engine, ManagementPolicy, PasswordSource,
};
use super::lenient::Fields;
use super::status::ElastiCacheUserStatus;
use plan::{USER_ID_MAX_LENGTH, USER_ID_PATTERN};

/// Matches a token that sets or resets passwords. A token begins at the start, after white space or after an opening parenthesis:
/// inside a token, such as `~a>b`, these characters belong to a pattern. Redis ignores the case of these words.
const PASSWORD_TOKEN: &str = r"(?i)(^|[\s\v])\(*([><#!]|(nopass|resetpass|reset)\)*([\s\v]|$))";

/// Matches characters that nobody sees, but that change how a line is shown: control, format, line and paragraph separators.
/// They would forge log lines, or hide what a name really is.
const INVISIBLE: &str = r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]";

/// The same without tab, line feed and carriage return, because a YAML block contains them.
const INVISIBLE_IN_RULES: &str = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\p{Cf}\p{Zl}\p{Zp}]";

/// The desired user in ElastiCache. The operator sends a change to AWS at once, and the user stays usable
/// meanwhile. userID and userName cannot be changed.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize)]
#[kube(
    group = "elasticache-users.dev",
    version = "v1alpha1",
    kind = "ElastiCacheUser",
    plural = "elasticacheusers",
    singular = "elasticacheuser",
    shortname = "ecu",
    category = "aws",
    category = "elasticache",
    namespaced,
    status = "ElastiCacheUserStatus",
    derive = "PartialEq",
    doc = "A user of Amazon ElastiCache (Redis OSS or Valkey): apply it and the AWS user exists, delete \
           it and the AWS user is deleted before the object is.",
    selectable = ".spec.engine",
    selectable = ".spec.authentication.type",
    selectable = ".status.userID",
    printcolumn(name = "User ID", type_ = "string", json_path = ".status.userID", description = "The ID in ElastiCache"),
    printcolumn(name = "Auth", type_ = "string", json_path = ".spec.authentication.type", description = "How the user proves who it is"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "True: the AWS user exists, matches the spec and is active"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "Why it is ready, or why not"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Since when the object exists"),
    printcolumn(name = "User Name", type_ = "string", json_path = ".status.userName", description = "The name that clients log in with", priority = 1),
    printcolumn(name = "Engine", type_ = "string", json_path = ".status.engine", description = "The engine that ElastiCache reports", priority = 1),
    printcolumn(name = "Groups", type_ = "string", json_path = ".status.userGroupIDs", description = "The user groups that the user is a member of", priority = 1),
    printcolumn(name = "Policy", type_ = "string", json_path = ".spec.deletionPolicy", description = "What becomes of the AWS user on deletion; empty: the operator's default", priority = 1),
    printcolumn(name = "ARN", type_ = "string", json_path = ".status.arn", description = "The Amazon resource name", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", description = "What happened and what to do", priority = 1),
    // Not `required`, because the API server checks that at every update, and the finalizer of an object without a spec could
    // never be removed. Removing the spec is refused, because it would bypass the rules on immutable fields.
    validation = Rule::new("has(self.spec) || (oldSelf.hasValue() && !has(oldSelf.value().spec))")
        .optional_old_self(true)
        .field_path(".spec")
        .reason(Reason::FieldValueRequired)
        .message("an ElastiCacheUser needs a spec with engine, accessString and authentication; it can not be taken away, only the object deleted"),
    validation = Rule::new("oldSelf.hasValue() || !has(self.spec) || has(self.spec.userID) || self.metadata.name != 'default'")
        .optional_old_self(true)
        .field_path(".metadata.name")
        .message("the user ID is metadata.name where spec.userID is left out, and the user \"default\" is AWS's own: name the object otherwise or set spec.userID, for example to orders-default"),
    validation = Rule::new(format!("oldSelf.hasValue() || !has(self.spec) || has(self.spec.userID) || (self.metadata.name.size() <= {USER_ID_MAX_LENGTH} && self.metadata.name.matches('{USER_ID_PATTERN}'))"))
        .optional_old_self(true)
        .field_path(".metadata.name")
        .message("the user ID is metadata.name where spec.userID is left out, so it must be at most 40 lower case letters, digits and single hyphens, beginning with a letter and not ending with a hyphen, for example orders-api: name the object so or set spec.userID"),
    validation = Rule::new("self.?spec.?authentication.?type.orValue('') != 'iam' || oldSelf.?spec.?authentication.?type.orValue('') == 'iam' || !has(self.spec.userName) || self.spec.userName == self.spec.?userID.orValue(self.metadata.name)")
        .optional_old_self(true)
        .field_path(".spec.userName")
        .message("with authentication.type iam the user name must be the user ID (spec.userID, or metadata.name where that is left out): leave userName out, or make both the same, for example orders-api"),
    validation = Rule::new("!has(oldSelf.status) || !has(oldSelf.status.location) || !has(self.spec) || !has(oldSelf.spec) || (has(self.spec.class) && has(oldSelf.spec.class) ? self.spec.class == oldSelf.spec.class : (!has(self.spec.class) || self.spec.class == '') && (!has(oldSelf.spec.class) || oldSelf.spec.class == ''))")
        .field_path(".spec.class")
        .message("class can not be changed, added or removed any more: the operator of the present class has created the AWS user, or is about to. Set deletionPolicy: Retain, delete this object, and apply it again with the other class"),
)]
#[x_kube(
    validation = Rule::new("has(self.userID) == has(oldSelf.userID)")
        .field_path(".userID")
        .message("userID can not be added or removed later: AWS can not rename a user. Make a new ElastiCacheUser with the other ID and delete this one"),
    validation = Rule::new("has(self.userName) == has(oldSelf.userName)")
        .field_path(".userName")
        .message("userName can not be added or removed later: AWS can not rename a user. Delete this object and make it again with the other name: both have the same user ID, so they can not exist at the same time"),
    validation = Rule::new("self.?authentication.?type.orValue('') != 'no-password-required' || self.?engine.orValue('') != 'valkey' || (oldSelf.?authentication.?type.orValue('') == 'no-password-required' && oldSelf.?engine.orValue('') == 'valkey')")
        .optional_old_self(true)
        .field_path(".authentication.type")
        .message("no-password-required works only with engine redis: Valkey has no users without a password. Use password or iam, or engine: redis"),
)]
#[serde(rename_all = "camelCase")]
pub struct ElastiCacheUserSpec {
    /// The ID of the user in ElastiCache, unique in the AWS account and region, for example orders-api:
    /// at most 40 lower case letters, digits and single hyphens, beginning with a letter. Default:
    /// metadata.name. It can not be changed, added or removed later; "default" is AWS's own user.
    #[serde(rename = "userID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("userID can not be changed: AWS can not rename a user. Make a new ElastiCacheUser with the other ID and delete this one"))]
    #[x_kube(validation = Rule::new("self != 'default'").message("the user \"default\" is AWS's own and can be neither created nor deleted: choose another ID, for example orders-default"))]
    #[x_kube(validation = Rule::new(format!("self.matches('{USER_ID_PATTERN}')")).message("userID must be lower case letters, digits and single hyphens, beginning with a letter and not ending with a hyphen, for example orders-api"))]
    pub user_id: Option<String>,

    /// The name that clients log in with (AUTH name password), for example orders. 1 to 128 characters.
    /// Default: the user ID; with authentication.type iam it must be the user ID. It can not be changed,
    /// added or removed later. Members of one user group must have different names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("userName can not be changed: AWS can not rename a user. Delete this object and make it again with the other name: both have the same user ID, so they can not exist at the same time"))]
    #[x_kube(validation = Rule::new("self.size() > 0").message("userName must have 1 to 128 characters, for example orders; leave it out and it is the user ID"))]
    #[x_kube(validation = Rule::new(format!("!self.matches(r'{INVISIBLE}')")).message("userName must not have control, format or line separator characters: nobody sees them, and they forge lines in logs"))]
    pub user_name: Option<String>,

    /// redis or valkey. The user can only join user groups of its engine, except that a redis user may
    /// join a valkey group too. It may be changed later; the user is changed in place.
    #[schemars(required)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,

    /// What the user may do, as Redis ACL rules, for example "on ~orders:* -@all +@read +@write".
    /// "on" lets the user log in, "~pattern" names keys, "&pattern" channels, "+@category" and "+command"
    /// what it may run. 1 to 2048 characters. Passwords do not belong here: nopass, resetpass, reset and
    /// words that begin with >, <, # or ! are refused. It may be changed later, and the change also applies
    /// to open connections.
    #[schemars(required, length(max = 2048))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new(r"self.matches(r'[^\s\v]')").message("accessString must not be blank: say what the user may do, for example \"on ~orders:* -@all +@read\", or \"off\" for a user that can not log in"))]
    #[x_kube(validation = Rule::new(format!("!self.matches(r'{PASSWORD_TOKEN}')")).reason(Reason::FieldValueForbidden).message("accessString must not set passwords: ElastiCache refuses nopass, resetpass, reset and every word that begins with >, <, # or !. Passwords come from authentication.passwords; write for example \"on ~orders:* -@all +@read\""))]
    #[x_kube(validation = Rule::new(format!("!self.matches(r'{INVISIBLE_IN_RULES}')")).message("accessString must not have control, format or line separator characters, except tabs and line ends: nobody sees them, and they forge lines in logs"))]
    pub access_string: Option<String>,

    /// How the user proves who it is. It may be changed later.
    #[schemars(required)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<AuthenticationSpec>,

    /// The user groups that the user must be a member of, for example [orders-cache]. A user can log in only
    /// to caches of its groups. Whatever makes the caches makes the groups; the operator only adds and
    /// removes this user. At most 50. A group that is removed from the list is left. The operator's
    /// administrator must allow the groups (--allowed-user-group).
    #[serde(rename = "userGroupIDs", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 40)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = Rule::new("self.all(id, id != 'default')").message("a user group can not have the ID \"default\": name the group of your cache, for example orders-cache"))]
    #[x_kube(validation = Rule::new(format!("self.all(id, id.matches('{USER_ID_PATTERN}'))")).message("the ID of a user group must be lower case letters, digits and single hyphens, beginning with a letter and not ending with a hyphen, for example orders-cache"))]
    pub user_group_ids: Option<Vec<String>>,

    /// Tags of the AWS user, for example team: orders. At most 40. A key has 1 to 128 characters and must
    /// not begin with aws: or elasticache-users.dev/, because the operator marks its own users with those
    /// tags. A value has at most 256 characters. A tag that is removed from the spec is removed from the
    /// user. Tags that others set on the user stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 40, "additionalProperties" = tag_value()))]
    #[x_kube(validation = Rule::new("self.all(key, key.size() >= 1 && key.size() <= 128)").message("a tag key must have 1 to 128 characters, for example team"))]
    #[x_kube(validation = Rule::new(format!("self.all(key, !key.matches(r'{INVISIBLE}'))")).message("a tag key must not have control, format or line separator characters: nobody sees them, and they forge lines in logs"))]
    #[x_kube(validation = Rule::new("self.all(key, !key.trim().lowerAscii().startsWith('aws:'))").message("tag keys that begin with aws: are AWS's own: choose another, for example team"))]
    #[x_kube(validation = Rule::new("self.all(key, !key.trim().lowerAscii().startsWith('elasticache-users.dev/'))").message("tag keys that begin with elasticache-users.dev/ say which object owns the AWS user, and the operator sets them: choose another, for example team"))]
    pub tags: Option<BTreeMap<String, String>>,

    /// What happens to the AWS user when this object is deleted. Delete: it is deleted first. Retain: it
    /// stays as it is, with its owner tags, and if the same object is applied again, it manages the user
    /// again. Default: the operator's --default-deletion-policy (Delete). It may be changed even while the
    /// object is being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// Whether this object may take over an AWS user that exists already and has no owner tags. Never: the
    /// user is not changed, and this object reports it. Adopt: the user gets this object's owner tags and
    /// is changed to match the spec, including its passwords. The operator's administrator must allow it
    /// for this namespace (--adoption-namespace). Preview it with managementPolicy: Observe. Default: Never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,

    /// Manage: the AWS user is created, changed and deleted with this object. Observe: the operator reads
    /// AWS and never changes it. Ready says whether the user matches, and its message lists what would be
    /// changed. Deleting such an object leaves the AWS user as it is. Use it for previews and hand-overs.
    /// Default: Manage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_policy: Option<ManagementPolicy>,

    /// Which operator looks after this object: the one with the same --class, for example blue. Left out: the
    /// operator without a class. At most 63 lower case letters, digits and hyphens. It can not be changed once
    /// the object has an AWS user (status.location).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new("self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("class must be lower case letters, digits and hyphens, beginning and ending with a letter or digit, for example blue"))]
    pub class: Option<String>,

    /// true: the operator makes no AWS call for this object, not even to delete it, until this is false
    /// again. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// The schema of a tag's value. A rule at the map itself could not read a value that is null.
fn tag_value() -> serde_json::Value {
    serde_json::json!({
        "type": "string",
        "maxLength": 256,
        "x-kubernetes-validations": [{
            "rule": format!("!self.matches(r'{INVISIBLE}')"),
            "message": "a tag value must not have control, format or line separator characters: nobody sees them, and they forge lines in logs",
        }],
    })
}

/// How a user proves who it is.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[x_kube(
    validation = Rule::new("self.?type.orValue('') != 'password' || self.?passwordSource.orValue('Secrets') != 'Secrets' || (has(self.passwords) && self.passwords.size() > 0)")
        .field_path(".passwords")
        .reason(Reason::FieldValueRequired)
        .message("type password needs one or two passwords: name a Secret of this namespace, for example passwords: [{secretKeyRef: {name: orders-api, key: password}}]. If somebody else sets the passwords at AWS, set passwordSource: External"),
    validation = Rule::new("self.?passwordSource.orValue('Secrets') == 'Secrets' || !has(self.passwords) || self.passwords.size() > 0")
        .field_path(".passwords")
        .message("passwords must not be empty: with passwordSource External leave it out, or name the Secret of the first password"),
    validation = Rule::new("self.?type.orValue('') == 'password' || !has(self.passwordSource)")
        .field_path(".passwordSource")
        .reason(Reason::FieldValueForbidden)
        .message("passwordSource goes only with type password: leave it out, or set type: password"),
    validation = Rule::new("self.?type.orValue('') == 'password' || !has(self.passwords)")
        .field_path(".passwords")
        .reason(Reason::FieldValueForbidden)
        .message("passwords go only with type password: leave them out, or set type: password"),
)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationSpec {
    /// password: one or two passwords from Secrets. iam: short-lived tokens of AWS IAM, for Redis OSS 7 and
    /// Valkey. no-password-required: everybody can log in; only with engine redis. It may be changed later.
    #[schemars(required)]
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<AuthenticationType>,

    /// Who sets the passwords. Secrets: the operator, from the Secrets of passwords. External: somebody else
    /// sets them at AWS, for example the rotation of AWS Secrets Manager, or Vault. The operator then sends
    /// passwords only to a user that has none: when it creates the user, and when type becomes password.
    /// Only with type password. Default: Secrets. It may be changed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_source: Option<PasswordSource>,

    /// One or two passwords. Required if type is password, forbidden otherwise. Each is valid by itself.
    /// To rotate, add the new one, move the clients, and then remove the old one. The operator notices a
    /// change of the Secret and sends it to ElastiCache. A password has 16 to 128 printable characters
    /// without , " / and @. With passwordSource External they are optional and sent only to a user that has
    /// none; left out, that user gets a random password that nobody learns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub passwords: Option<Vec<PasswordReference>>,
}

/// Where one password comes from.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PasswordReference {
    /// A key of a Secret in the namespace of this object. There is no way to name another namespace.
    #[schemars(required)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
}

/// A key of a Secret in the same namespace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The name of the Secret, for example orders-api. The Secret may come later than this object.
    #[schemars(required, length(max = 253))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("the name of a Secret is lower case letters, digits, hyphens and dots, beginning and ending with a letter or digit, for example orders-api"))]
    pub name: Option<String>,

    /// The key in the Secret's data, for example password. Its value is the password, without a newline
    /// at the end.
    #[schemars(required, length(max = 253))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message("a key of a Secret is letters, digits, hyphens, underscores and dots, for example password"))]
    pub key: Option<String>,
}

impl<'de> Deserialize<'de> for ElastiCacheUserSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::of_anything(deserializer)?;
        Ok(Self {
            user_id: fields.take("userID"),
            user_name: fields.take("userName"),
            engine: fields.take("engine"),
            access_string: fields.take("accessString"),
            authentication: fields.take("authentication"),
            user_group_ids: fields.take("userGroupIDs"),
            tags: fields.take_entries("tags"),
            deletion_policy: fields.take("deletionPolicy"),
            adoption_policy: fields.take("adoptionPolicy"),
            management_policy: fields.take("managementPolicy"),
            class: fields.take("class"),
            suspend: fields.take("suspend"),
        })
    }
}

impl<'de> Deserialize<'de> for AuthenticationSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::of_object(deserializer)?;
        Ok(Self {
            type_: fields.take("type"),
            password_source: fields.take("passwordSource"),
            passwords: fields.take("passwords"),
        })
    }
}

impl<'de> Deserialize<'de> for PasswordReference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Never fails, because a broken reference must stay in the list: two passwords must not become one.
        let mut fields = Fields::of_anything(deserializer)?;
        Ok(Self { secret_key_ref: fields.take("secretKeyRef") })
    }
}

impl<'de> Deserialize<'de> for SecretKeyRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::of_object(deserializer)?;
        Ok(Self { name: fields.take("name"), key: fields.take("key") })
    }
}
