//! What IAM would be asked about a call. Who answers is not the emulator's affair: [`Permits`].

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{Action, Call};
use crate::ids::{Resource, group_arn, parse_arn, user_arn};
use crate::refusal::Refusal;
use crate::region::{Place, Region};
use crate::wire::Params;

/// Says whether a call may be made.
pub type Permits = Box<dyn Fn(&Asked) -> bool + Send>;

/// One thing that a call needs leave for. Some calls ask for several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Without the service's prefix, for example `CreateUser`.
    pub action: String,
    /// The ARN of a user or group; its ID is `*` where the call is about all of them.
    pub resource: String,
    /// `aws:RequestTag/..`: the tags that the call brings.
    pub request_tags: BTreeMap<String, String>,
    /// `aws:TagKeys`: the keys that the call sets or removes.
    pub tag_keys: BTreeSet<String>,
    /// `aws:ResourceTag/..`: the tags that the resource has. None where it is not there.
    pub resource_tags: BTreeMap<String, String>,
}

/// Everything that `call` needs leave for.
pub(crate) fn asked(call: &Call, region: &Region) -> Vec<Asked> {
    let Call { place, params } = call;
    let Some(action) = params.get("Action").and_then(Action::parse) else { return Vec::new() };
    let named = |name: &str| params.get(name).unwrap_or("*").to_lowercase();
    let user = || user_arn(place, &named("UserId"));
    let group = || group_arn(place, &named("UserGroupId"));
    let ask = |action: Action, resource: String| Asked {
        action: action.name().to_owned(),
        request_tags: request_tags(params),
        tag_keys: request_tags(params)
            .into_keys()
            .chain(params.list("TagKeys.member").into_iter().map(str::to_owned))
            .collect(),
        resource_tags: resource_tags(&resource, region),
        resource,
    };
    let members = || members(params).map(|id| ask(action, user_arn(place, &id.to_lowercase())));
    // Tags on a create call need leave of their own.
    let tagged = |resource: String| {
        let tags = !request_tags(params).is_empty();
        tags.then(|| ask(Action::AddTagsToResource, resource))
    };
    match action {
        Action::CreateUser => std::iter::once(ask(action, user())).chain(tagged(user())).collect(),
        Action::ModifyUser | Action::DeleteUser | Action::DescribeUsers => vec![ask(action, user())],
        Action::CreateUserGroup => {
            std::iter::once(ask(action, group())).chain(members()).chain(tagged(group())).collect()
        }
        Action::ModifyUserGroup => std::iter::once(ask(action, group())).chain(members()).collect(),
        Action::DeleteUserGroup | Action::DescribeUserGroups => vec![ask(action, group())],
        Action::AddTagsToResource | Action::RemoveTagsFromResource | Action::ListTagsForResource => {
            vec![ask(action, params.get("ResourceName").unwrap_or_default().to_lowercase())]
        }
        // Everybody may ask who they are.
        Action::GetCallerIdentity => Vec::new(),
    }
}

/// The users that a call on a group names.
fn members(params: &Params) -> impl Iterator<Item = &str> {
    ["UserIds.member", "UserIdsToAdd.member", "UserIdsToRemove.member"]
        .into_iter()
        .flat_map(|list| params.list(list))
}

fn request_tags(params: &Params) -> BTreeMap<String, String> {
    let tag = |number| {
        let part =
            |part: &str| params.get(&format!("Tags.Tag.{number}.{part}")).unwrap_or_default().to_owned();
        (part("Key"), part("Value"))
    };
    params.items("Tags.Tag").into_iter().map(tag).collect()
}

fn resource_tags(resource: &str, region: &Region) -> BTreeMap<String, String> {
    let tags = match parse_arn(resource) {
        Ok((place, Resource::User(id))) if place == region.place => region.user(&id).map(|user| &user.tags),
        Ok((place, Resource::Group(id))) if place == region.place => {
            region.group(&id).map(|group| &group.tags)
        }
        Ok(_) | Err(_) => None,
    };
    let texts = |(key, value): (&String, &Option<String>)| (key.clone(), value.clone().unwrap_or_default());
    tags.into_iter().flatten().map(texts).collect()
}

/// In IAM's words.
pub(crate) fn denied(Asked { action, resource, .. }: &Asked, Place { account, .. }: &Place) -> Refusal {
    let message = format!(
        "User: arn:aws:iam::{account}:user/emulator is not authorized to perform: elasticache:{action} on resource: \
         {resource} because no identity-based policy allows the elasticache:{action} action"
    );
    Refusal { status: 403, code: "AccessDenied".to_owned(), message }
}
