//! Ids and ARNs.

use crate::records::{Group, User};
use crate::refusal::{Refusal, group_not_found, malformed_id, refuse, service_managed, user_not_found};
use crate::region::{DEFAULT, Place, Region};
use crate::wire::Params;

/// The longest id. The model has no bound; this is the console's for groups.
const LONGEST: usize = 40;

/// Whether a customer may create this id (B14, B15).
fn is_well_formed(id: &str) -> bool {
    id.len() <= LONGEST
        && id.starts_with(|first: char| first.is_ascii_alphabetic())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !id.ends_with('-')
        && !id.contains("--")
}

/// The id for something new, in lower case (B12).
pub(crate) fn new_id(params: &Params, parameter: &str) -> Result<String, Refusal> {
    let id = params.required(parameter)?;
    if is_well_formed(id) { Ok(id.to_ascii_lowercase()) } else { Err(malformed_id(parameter)) }
}

/// The user that a call names in order to change it. Ids that no customer could have created are found all the same:
/// the control API may have put them there.
pub(crate) fn user_to_change<'a>(region: &'a Region, params: &Params) -> Result<&'a User, Refusal> {
    let id = params.required("UserId")?.to_lowercase();
    if is_service_managed(&id) {
        return Err(service_managed(&id));
    }
    match region.user(&id) {
        Some(user) => Ok(user),
        None if is_well_formed(&id) => Err(user_not_found(&id)),
        None => Err(malformed_id("UserId")),
    }
}

/// The group that a call names in order to change it, as [`user_to_change`].
pub(crate) fn group_to_change<'a>(region: &'a Region, params: &Params) -> Result<&'a Group, Refusal> {
    let id = params.required("UserGroupId")?.to_lowercase();
    if is_service_managed(&id) {
        return Err(service_managed(&id));
    }
    match region.group(&id) {
        Some(group) => Ok(group),
        None if is_well_formed(&id) => Err(group_not_found(&id)),
        None => Err(malformed_id("UserGroupId")),
    }
}

/// `default` and `default.*` are the service's own (B21-B23).
fn is_service_managed(id: &str) -> bool {
    id == DEFAULT || id.starts_with("default.")
}

/// B19.
pub(crate) fn user_arn(place: &Place, id: &str) -> String {
    arn(place, "user", id)
}

/// B19.
pub(crate) fn group_arn(place: &Place, id: &str) -> String {
    arn(place, "usergroup", id)
}

fn arn(Place { account, region }: &Place, kind: &str, id: &str) -> String {
    format!("arn:{}:elasticache:{region}:{account}:{kind}:{id}", partition(region))
}

fn partition(region: &str) -> &'static str {
    [("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("us-isob-", "aws-iso-b"), ("us-iso-", "aws-iso")]
        .into_iter()
        .find_map(|(prefix, partition)| region.starts_with(prefix).then_some(partition))
        .unwrap_or("aws")
}

/// What an ARN names, with the id in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    User(String),
    Group(String),
}

/// Reads the ARN of a user or user group; anything else is malformed (B93).
pub(crate) fn parse_arn(text: &str) -> Result<(Place, Resource), Refusal> {
    let invalid = || refuse("InvalidARN", "The ARN is not that of a user or user group.");
    let parts: Vec<&str> = text.split(':').collect();
    let [scheme, partition, service, region, account, kind, id] = parts.as_slice() else {
        return Err(invalid());
    };
    let place = Place { account: (*account).to_owned(), region: (*region).to_owned() };
    let right = *scheme == "arn"
        && (*partition == "aws" || partition.starts_with("aws-"))
        && *service == "elasticache"
        && !region.is_empty()
        && is_account(account)
        && !id.is_empty();
    match *kind {
        "user" if right => Ok((place, Resource::User(id.to_lowercase()))),
        "usergroup" if right => Ok((place, Resource::Group(id.to_lowercase()))),
        _ => Err(invalid()),
    }
}

/// Whether `text` is an AWS account id.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_ids_are_accepted_and_invalid_ones_refused() {
        for id in ["a", "App-1", "a-b-c", &"a".repeat(40)] {
            assert!(is_well_formed(id), "{id}");
        }
        for id in ["", "1a", "-a", "a_b", "a.b", "a b", "ä", "a-", "a--b", &"a".repeat(41)] {
            assert!(!is_well_formed(id), "{id}");
        }
    }

    #[test]
    fn arns_are_parsed_as_they_are_written() {
        for (region, partition) in
            [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
        {
            let place = Place { account: "123456789012".to_owned(), region: region.to_owned() };
            let arn = user_arn(&place, "app");
            assert_eq!(arn, format!("arn:{partition}:elasticache:{region}:123456789012:user:app"));
            assert_eq!(parse_arn(&arn), Ok((place.clone(), Resource::User("app".to_owned()))));
            assert_eq!(parse_arn(&group_arn(&place, "g")), Ok((place, Resource::Group("g".to_owned()))));
        }
        for text in [
            "",
            "app",
            "arn:aws:elasticache:eu-west-1:123456789012:user",
            "arn:aws:elasticache:eu-west-1:123456789012:user:",
            "arn:aws:elasticache:eu-west-1:123456789012:user:a:b",
            "arn:aws:elasticache:eu-west-1:1234:user:a",
            "arn:aws:elasticache::123456789012:user:a",
            "arn:aws:iam:eu-west-1:123456789012:user:a",
            "arn:aws:elasticache:eu-west-1:123456789012:cluster:a",
            "arn:awsome:elasticache:eu-west-1:123456789012:user:a",
        ] {
            assert_eq!(parse_arn(text).unwrap_err().code, "InvalidARN", "{text}");
        }
    }
}
