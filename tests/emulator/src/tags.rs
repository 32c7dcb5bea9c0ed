//! AddTagsToResource, RemoveTagsFromResource, ListTagsForResource, and the tags of the create calls.

use crate::clock::{Millis, after};
use crate::ids::{Resource, parse_arn};
use crate::records::{Phase, Tags};
use crate::refusal::{
    Refusal, group_not_found, group_not_taggable, invalid_value, refuse, tag_not_found, user_not_found,
    user_not_taggable,
};
use crate::region::Region;
use crate::settings::{ModifyAnswer, Settings};
use crate::wire::Params;
use crate::xml::Xml;

const MOST_TAGS: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

/// The tags that a create call brings.
pub(crate) fn read_new(params: &Params) -> Result<Tags, Refusal> {
    let tags = read(params)?;
    check_count(&tags)?;
    Ok(tags)
}

/// Answers all tags that the resource then has (B86).
pub(crate) fn add(
    region: &mut Region,
    settings: &Settings,
    now: Millis,
    params: &Params,
) -> Result<Xml, Refusal> {
    let added = read(params)?;
    if added.is_empty() {
        return Err(invalid_value("At least one tag must be given."));
    }
    let (resource, mut tags) = open(region, now, params)?;
    if settings.modify_answer != ModifyAnswer::Never {
        tags.extend(added);
    }
    check_count(&tags)?;
    let xml = tag_list(&tags);
    store(region, settings, now, &resource, tags);
    Ok(xml)
}

/// Answers the tags that remain (B87). A key that is not there fails the whole call (B88).
pub(crate) fn remove(
    region: &mut Region,
    settings: &Settings,
    now: Millis,
    params: &Params,
) -> Result<Xml, Refusal> {
    let keys = params.list("TagKeys.member");
    if keys.is_empty() {
        return Err(invalid_value("At least one tag key must be given."));
    }
    keys.iter().try_for_each(|key| check_key(key))?;
    let (resource, mut tags) = open(region, now, params)?;
    if let Some(absent) = keys.iter().find(|key| !tags.contains_key(**key)) {
        return Err(tag_not_found(absent));
    }
    tags.retain(|key, _| !keys.contains(&key.as_str()));
    let xml = tag_list(&tags);
    store(region, settings, now, &resource, tags);
    Ok(xml)
}

pub(crate) fn list(region: &Region, now: Millis, params: &Params) -> Result<Xml, Refusal> {
    open(region, now, params).map(|(_, tags)| tag_list(&tags))
}

/// `Tags.Tag.N.Key` and, unless it is null (B95), `.Value`.
fn read(params: &Params) -> Result<Tags, Refusal> {
    let mut tags = Tags::new();
    for number in params.items("Tags.Tag") {
        let key = params.get(&format!("Tags.Tag.{number}.Key")).unwrap_or_default();
        let value = params.get(&format!("Tags.Tag.{number}.Value"));
        check_key(key)?;
        if value.is_some_and(|value| value.chars().count() > LONGEST_VALUE) {
            return Err(invalid_value(format!(
                "A tag value must be at most {LONGEST_VALUE} characters long."
            )));
        }
        tags.insert(key.to_owned(), value.map(str::to_owned));
    }
    Ok(tags)
}

fn check_key(key: &str) -> Result<(), Refusal> {
    if !(1..=LONGEST_KEY).contains(&key.chars().count()) {
        return Err(invalid_value(format!("A tag key must be between 1 and {LONGEST_KEY} characters long.")));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(invalid_value("A tag key must not begin with aws: which is reserved."));
    }
    Ok(())
}

fn check_count(tags: &Tags) -> Result<(), Refusal> {
    if tags.len() > MOST_TAGS {
        let message = format!("A resource must not have more than {MOST_TAGS} tags.");
        return Err(refuse("TagQuotaPerResourceExceeded", message));
    }
    Ok(())
}

/// What the call names, and its tags; not while it is changing, nor just after its tags changed (B91-B94).
fn open(region: &Region, now: Millis, params: &Params) -> Result<(Resource, Tags), Refusal> {
    let (place, resource) = parse_arn(params.required("ResourceName")?)?;
    let here = place == region.place;
    let is_open = |phase: &Phase, closed_until: Millis| phase.is_active() && now >= closed_until;
    let tags = match &resource {
        Resource::User(id) => {
            let user = region.user(id).filter(|_| here).ok_or_else(|| user_not_found(id))?;
            if !is_open(&user.phase, user.tags_closed_until) {
                return Err(user_not_taggable(id));
            }
            user.tags.clone()
        }
        Resource::Group(id) => {
            let group = region.group(id).filter(|_| here).ok_or_else(|| group_not_found(id))?;
            if !is_open(&group.phase, group.tags_closed_until) {
                return Err(group_not_taggable(id));
            }
            group.tags.clone()
        }
    };
    Ok((resource, tags))
}

fn store(region: &mut Region, settings: &Settings, now: Millis, resource: &Resource, tags: Tags) {
    let closed_until = after(now, settings.tag_window);
    match resource {
        Resource::User(id) => region.edit_user(id, |user| {
            user.tags = tags;
            user.tags_closed_until = closed_until;
        }),
        Resource::Group(id) => region.edit_group(id, |group| {
            group.tags = tags;
            group.tags_closed_until = closed_until;
        }),
    }
}

/// B04. A null value has no element.
fn tag_list(tags: &Tags) -> Xml {
    let mut xml = Xml::default();
    xml.element("TagList", |xml| {
        for (key, value) in tags {
            xml.element("Tag", |xml| {
                xml.text("Key", key);
                if let Some(value) = value {
                    xml.text("Value", value);
                }
            });
        }
    });
    xml
}
