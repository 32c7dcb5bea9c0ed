//! CreateUserGroup, ModifyUserGroup, DeleteUserGroup, DescribeUserGroups, and how a group looks in an answer.

use std::collections::BTreeSet;

use crate::clock::{Millis, after};
use crate::ids::{group_arn, group_to_change, new_id};
use crate::listing::{Filters, Page};
use crate::records::{
    CREATING, DELETING, Group, MODIFYING, NO_PASSWORD, Pending, Phase, REDIS, User, VALKEY,
};
use crate::refusal::{
    Refusal, group_not_active, group_not_found, invalid_combination, invalid_value, refuse, required,
    user_not_found,
};
use crate::region::{DEFAULT, Region};
use crate::settings::Settings;
use crate::tags;
use crate::wire::Params;
use crate::xml::Xml;

/// Answers the group as `creating` with the members as sent (B70); they are `modifying` as long (B85).
pub(crate) fn create(
    region: &mut Region,
    settings: &Settings,
    now: Millis,
    params: &Params,
) -> Result<Xml, Refusal> {
    let id = new_id(params, "UserGroupId")?;
    let engine = params.engine()?.ok_or_else(|| required("Engine"))?;
    let members = read_ids(params, "UserIds.member")?;
    let tags = tags::read_new(params)?;
    if region.group(&id).is_some() {
        return Err(refuse("UserGroupAlreadyExists", format!("User group {id} already exists.")));
    }
    if region.groups().count() >= settings.group_quota {
        let quota = settings.group_quota;
        return Err(refuse(
            "UserGroupQuotaExceeded",
            format!("The quota of {quota} user groups is exceeded."),
        ));
    }
    check_members(region, settings, engine, &members, &members)?;
    let until = after(now, settings.group_time);
    hold_members(region, &members, until);
    let phase = Phase::until(CREATING, until);
    region.put_group(Group { engine: engine.to_owned(), user_ids: members, tags, phase, ..Group::new(&id) });
    answer(region, &id)
}

/// Answers the group as `modifying` with the old members and what is pending (B76). The engine changes at once.
pub(crate) fn modify(
    region: &mut Region,
    settings: &Settings,
    now: Millis,
    params: &Params,
) -> Result<Xml, Refusal> {
    let engine = params.engine()?;
    let add = read_ids(params, "UserIdsToAdd.member")?;
    let remove = read_ids(params, "UserIdsToRemove.member")?;
    if let Some(id) = add.iter().find(|id| remove.contains(id)) {
        return Err(invalid_value(format!("User {id} cannot be both added and removed.")));
    }
    let group = group_to_change(region, params)?;
    if !group.phase.is_active() {
        return Err(group_not_active(&group.id, &group.phase.status, "modified"));
    }
    if engine.is_none() && add.is_empty() && remove.is_empty() {
        return Err(invalid_combination("At least one change must be given."));
    }
    // The whole call is refused, what it adds included (B78).
    if let Some(id) = remove.iter().find(|id| !group.user_ids.contains(id)) {
        return Err(invalid_value(format!("User {id} is not a member of user group {}.", group.id)));
    }
    if let Some(id) = add.iter().find(|id| group.user_ids.contains(id)) {
        return Err(invalid_value(format!("User {id} is already a member of user group {}.", group.id)));
    }
    let id = group.id.clone();
    let engine = engine.unwrap_or(&group.engine).to_owned();
    let kept = group.user_ids.iter().filter(|id| !remove.contains(id));
    let members: Vec<String> = kept.chain(&add).cloned().collect();
    check_members(region, settings, &engine, &members, &add)?;
    let until = after(now, settings.group_time);
    hold_members(region, add.iter().chain(&remove), until);
    region.edit_group(&id, |group| {
        group.engine = engine;
        group.phase = Phase::until(MODIFYING, until);
        if !(add.is_empty() && remove.is_empty()) {
            group.pending = Some(Pending { add, remove });
        }
    });
    answer(region, &id)
}

/// Answers the group as `deleting`; its users survive it (B84). Refused while replication groups use it (B83).
pub(crate) fn delete(
    region: &mut Region,
    settings: &Settings,
    now: Millis,
    params: &Params,
) -> Result<Xml, Refusal> {
    let group = group_to_change(region, params)?;
    if !group.phase.is_active() {
        return Err(group_not_active(&group.id, &group.phase.status, "deleted"));
    }
    if !group.replication_groups.is_empty() {
        return Err(refuse(
            "InvalidUserGroupState",
            format!(
                "User group {} is associated with replication groups: {}.",
                group.id,
                group.replication_groups.join(", ")
            ),
        ));
    }
    let (id, members) = (group.id.clone(), group.user_ids.clone());
    let until = after(now, settings.group_time);
    hold_members(region, &members, until);
    region.edit_group(&id, |group| group.phase = Phase::until(DELETING, until));
    answer(region, &id)
}

/// One group by its id, or a page of all (B96, B101).
pub(crate) fn describe(region: &Region, params: &Params) -> Result<Xml, Refusal> {
    let page = Page::read(params)?;
    Filters::refuse_any(params)?;
    let (groups, marker) = match params.get("UserGroupId").filter(|id| !id.is_empty()).map(str::to_lowercase)
    {
        Some(id) => (vec![region.group(&id).ok_or_else(|| group_not_found(&id))?], None),
        None => page.of(region.groups(), |group| &group.id),
    };
    let mut xml = Xml::default();
    xml.element("UserGroups", |xml| {
        for group in groups {
            xml.element("member", |xml| write(xml, region, group));
        }
    });
    if let Some(marker) = marker {
        xml.text("Marker", &marker);
    }
    Ok(xml)
}

/// A list of user ids in lower case.
fn read_ids(params: &Params, list: &str) -> Result<Vec<String>, Refusal> {
    let ids: Vec<String> = params.list(list).into_iter().map(str::to_lowercase).collect();
    let mut seen = BTreeSet::new();
    match ids.iter().find(|id| !seen.insert(*id)) {
        Some(id) => Err(invalid_value(format!("User {id} is given more than once."))),
        None => Ok(ids),
    }
}

/// Whether a group of this engine may have these members, of whom `added` are new to it (B71-B75, B79, B80, B99).
fn check_members(
    region: &Region,
    settings: &Settings,
    engine: &str,
    members: &[String],
    added: &[String],
) -> Result<(), Refusal> {
    for id in added {
        let user =
            region.user(id).filter(|user| user.phase.status != DELETING).ok_or_else(|| user_not_found(id))?;
        // Only here: a member that turns to valkey later may stay (section 2).
        if engine == REDIS && user.body.engine == VALKEY {
            return Err(invalid_value(format!(
                "User {id} with engine valkey cannot be added to a redis user group."
            )));
        }
    }
    let users: Vec<&User> = members.iter().filter_map(|id| region.user(id)).collect();
    let mut names = BTreeSet::new();
    if let Some(user) = users.iter().find(|user| !names.insert(&user.name)) {
        return Err(refuse(
            "DuplicateUserName",
            format!("Two users of the user group would have the user name {}.", user.name),
        ));
    }
    if engine == REDIS && !users.iter().any(|user| user.name == DEFAULT) {
        return Err(refuse(
            "DefaultUserRequired",
            "Redis user group needs to contain a user with the user name default.",
        ));
    }
    let open = users.iter().find(|user| user.body.authentication == NO_PASSWORD);
    if let Some(user) = open.filter(|_| engine == VALKEY) {
        return Err(invalid_value(format!(
            "No password user {} cannot be added to user group with engine Valkey",
            user.id
        )));
    }
    if members.len() > settings.users_per_group_quota {
        let quota = settings.users_per_group_quota;
        return Err(refuse(
            "UserGroupQuotaExceeded",
            format!("The quota of {quota} users in a user group is exceeded."),
        ));
    }
    Ok(())
}

/// Members whom a change of the group concerns are `modifying` while it lasts (B85).
fn hold_members<'a>(region: &mut Region, ids: impl IntoIterator<Item = &'a String>, until: Millis) {
    for id in ids {
        region.edit_user(id, |user| user.phase.hold(until));
    }
}

/// The highest of its members' versions: 7.0 with an iam member, else 6.0 (B30).
pub(crate) fn minimum_engine_version<'a>(region: &'a Region, group: &Group) -> &'a str {
    let number = |text: &str| text.split('.').map(str::parse::<u32>).collect::<Result<Vec<_>, _>>().ok();
    group
        .user_ids
        .iter()
        .filter_map(|id| region.user(id))
        .map(|user| user.body.minimum_engine_version.as_str())
        .chain(["6.0"])
        .max_by_key(|text| number(text))
        .unwrap_or("6.0")
}

fn answer(region: &Region, id: &str) -> Result<Xml, Refusal> {
    let group = region.group(id).ok_or_else(|| group_not_found(id))?;
    let mut xml = Xml::default();
    write(&mut xml, region, group);
    Ok(xml)
}

fn write(xml: &mut Xml, region: &Region, group: &Group) {
    xml.text("UserGroupId", &group.id);
    xml.text("Status", &group.phase.status);
    xml.text("Engine", &group.engine);
    xml.members("UserIds", group.user_ids.iter().map(String::as_str));
    xml.text("MinimumEngineVersion", minimum_engine_version(region, group));
    if let Some(pending) = &group.pending {
        xml.element("PendingChanges", |xml| {
            xml.members("UserIdsToRemove", pending.remove.iter().map(String::as_str));
            xml.members("UserIdsToAdd", pending.add.iter().map(String::as_str));
        });
    }
    xml.members("ReplicationGroups", group.replication_groups.iter().map(String::as_str));
    xml.members("ServerlessCaches", []);
    xml.text("ARN", &group_arn(&region.place, &group.id));
}
