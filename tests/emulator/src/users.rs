//! CreateUser, ModifyUser, DeleteUser, DescribeUsers, and how a user looks in an answer.

use crate::access_string::canonical;
use crate::authentication::{Authentication, check_fit, not_allowed};
use crate::clock::{Millis, after};
use crate::ids::{new_id, user_arn, user_to_change};
use crate::listing::{Filters, Page, unsettled};
use crate::records::{
    Body, CREATING, DELETING, MODIFYING, PASSWORD, Pending, Phase, User, minimum_engine_version,
};
use crate::refusal::{
    Refusal, invalid_combination, invalid_value, refuse, required, user_not_active, user_not_found,
};
use crate::region::{DEFAULT, Region};
use crate::settings::{ModifyAnswer, Settings};
use crate::tags;
use crate::wire::Params;
use crate::xml::Xml;

/// Answers the new user; it is `active` at once unless `create-time` says otherwise (B58).
pub(crate) fn create(
    region: &mut Region,
    settings: &Settings,
    now: Millis,
    params: &Params,
) -> Result<Xml, Refusal> {
    let id = new_id(params, "UserId")?;
    // Free text of at least one character: a blank is one.
    let name = params.get("UserName").filter(|name| !name.is_empty()).ok_or_else(|| required("UserName"))?;
    let engine = params.engine()?.ok_or_else(|| required("Engine"))?;
    let access_string = read_access_string(params.required("AccessString")?)?;
    let authentication = Authentication::read(params)?.ok_or_else(|| not_allowed("null"))?;
    check_fit(authentication.word(), engine, &id, name)?;
    let tags = tags::read_new(params)?;
    // Also while the former user of this id is still `deleting` (B66).
    if region.user(&id).is_some() {
        return Err(refuse("UserAlreadyExists", format!("User {id} already exists.")));
    }
    if region.counted_users() >= settings.user_quota {
        let quota = settings.user_quota;
        return Err(refuse("UserQuotaExceeded", format!("The quota of {quota} users is exceeded.")));
    }
    let phase = if settings.create_time.is_zero() {
        Phase::active()
    } else {
        Phase::until(CREATING, after(now, settings.create_time))
    };
    region.put_user(User {
        name: name.to_owned(),
        body: Body {
            engine: engine.to_owned(),
            minimum_engine_version: minimum_engine_version(authentication.word()).to_owned(),
            access_string,
            authentication: authentication.word().to_owned(),
            passwords: authentication.into_passwords(),
        },
        tags,
        phase,
        ..User::open(&id)
    });
    answer(region, settings, &id)
}

/// Answers the user as `modifying`, also where nothing differs or it is in no group (B59). UserName is none of the
/// parameters: it cannot change (B18).
pub(crate) fn modify(
    region: &mut Region,
    settings: &Settings,
    now: Millis,
    params: &Params,
) -> Result<Xml, Refusal> {
    let engine = params.engine()?;
    let replace = params.get("AccessString");
    let append = params.get("AppendAccessString");
    let authentication = Authentication::read(params)?;
    if replace.is_some() && append.is_some() {
        return Err(invalid_combination("AccessString and AppendAccessString cannot be given together."));
    }
    if replace.or(append).is_some_and(|text| text.trim().is_empty()) {
        return Err(required(if replace.is_some() { "AccessString" } else { "AppendAccessString" }));
    }
    let access_string = replace.map(read_access_string).transpose()?;
    let user = user_to_change(region, params)?;
    if !user.phase.is_active() {
        return Err(user_not_active(&user.id, &user.phase.status, "modified"));
    }
    if engine.is_none() && replace.or(append).is_none() && authentication.is_none() {
        return Err(invalid_combination("At least one change must be given."));
    }
    let mut body = user.body.clone();
    if let Some(engine) = engine {
        body.engine = engine.to_owned();
    }
    if let Some(access_string) = access_string {
        body.access_string = access_string;
    }
    if let Some(append) = append {
        body.access_string = read_access_string(&format!("{} {append}", body.access_string))?;
    }
    if let Some(authentication) = authentication {
        body.authentication = authentication.word().to_owned();
        body.minimum_engine_version = minimum_engine_version(authentication.word()).to_owned();
        body.passwords = authentication.into_passwords();
    }
    check_fit(&body.authentication, &body.engine, &user.id, &user.name)?;
    let id = user.id.clone();
    if settings.modify_answer == ModifyAnswer::Never {
        body = user.body.clone();
    }
    region.edit_user(&id, |user| {
        user.former = Some(std::mem::replace(&mut user.body, body));
        user.phase = Phase::until(MODIFYING, after(now, settings.modify_time));
    });
    answer(region, settings, &id)
}

/// Answers the user as `deleting`, still with its groups (B62), which set out to lose it (B67).
pub(crate) fn delete(
    region: &mut Region,
    settings: &Settings,
    now: Millis,
    params: &Params,
) -> Result<Xml, Refusal> {
    let user = user_to_change(region, params)?;
    // Before the status: it holds until the group is gone, and its members are `modifying` while it goes.
    if user.name == DEFAULT && region.groups_of(&user.id).next().is_some() {
        return Err(refuse(
            "DefaultUserAssociatedToUserGroup",
            "User is associated to user group(s) as a default user and can't be deleted.",
        ));
    }
    if !user.phase.is_active() {
        return Err(user_not_active(&user.id, &user.phase.status, "deleted"));
    }
    let id = user.id.clone();
    region.edit_user(&id, |user| user.phase = Phase::until(DELETING, after(now, settings.delete_time)));
    let xml = answer(region, settings, &id)?;
    let groups: Vec<String> = region.groups_of(&id).map(str::to_owned).collect();
    for group_id in groups {
        region.edit_group(&group_id, |group| {
            group.phase.hold(after(now, settings.group_time));
            let pending = group.pending.get_or_insert_with(Pending::default);
            if !pending.remove.contains(&id) {
                pending.remove.push(id.clone());
            }
        });
    }
    Ok(xml)
}

/// One user by its id, or a page of all, each only where the filters take it (B96-B98, B101).
pub(crate) fn describe(region: &Region, settings: &Settings, params: &Params) -> Result<Xml, Refusal> {
    let page = Page::read(params)?;
    let filters = Filters::read(params)?;
    let engine = params.engine()?;
    let shown = |user: &User| body_to_show(user, settings.modify_answer).engine.clone();
    let accepted = |user: &&User| {
        engine.is_none_or(|engine| shown(user) == engine) && filters.accept(user, &shown(user))
    };
    let (users, marker) = match params.get("UserId").filter(|id| !id.is_empty()).map(str::to_lowercase) {
        Some(id) => {
            let user = region.user(&id).ok_or_else(|| user_not_found(&id))?;
            (Some(user).into_iter().filter(accepted).collect(), None)
        }
        None => {
            let (users, marker) = page.of(region.users().filter(accepted), |user| &user.id);
            match settings.restless_listing {
                true => (unsettled(users, region.users().filter(accepted)), marker),
                false => (users, marker),
            }
        }
    };
    let mut xml = Xml::default();
    xml.element("Users", |xml| {
        for user in users {
            xml.element("member", |xml| write(xml, region, settings, user));
        }
    });
    if let Some(marker) = marker {
        xml.text("Marker", &marker);
    }
    Ok(xml)
}

fn read_access_string(text: &str) -> Result<String, Refusal> {
    canonical(text).map_err(|invalid| invalid_value(invalid.to_string()))
}

fn answer(region: &Region, settings: &Settings, id: &str) -> Result<Xml, Refusal> {
    let user = region.user(id).ok_or_else(|| user_not_found(id))?;
    let mut xml = Xml::default();
    write(&mut xml, region, settings, user);
    Ok(xml)
}

/// What a `modifying` user shows is not known of AWS, so it is a setting.
fn body_to_show(user: &User, which: ModifyAnswer) -> &Body {
    match (which, &user.former) {
        (ModifyAnswer::Old, Some(former)) if user.phase.status == MODIFYING => former,
        (ModifyAnswer::Old | ModifyAnswer::New | ModifyAnswer::Never, _) => &user.body,
    }
}

fn write(xml: &mut Xml, region: &Region, settings: &Settings, user: &User) {
    let body = body_to_show(user, settings.modify_answer);
    xml.text("UserId", &user.id);
    xml.text("UserName", &user.name);
    xml.text("Status", &user.phase.status);
    xml.text("Engine", &body.engine);
    xml.text("MinimumEngineVersion", &body.minimum_engine_version);
    xml.text("AccessString", &body.access_string);
    xml.members("UserGroupIds", region.groups_of(&user.id));
    xml.element("Authentication", |xml| {
        xml.text("Type", &body.authentication);
        // Only where the type is password (B50, B52).
        if body.authentication == PASSWORD {
            xml.text("PasswordCount", &body.passwords.len().to_string());
        }
    });
    xml.text("ARN", &user_arn(&region.place, &user.id));
}
