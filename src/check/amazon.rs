//! No I/O: what AWS's answers to a preflight mean.

use aws::{ConnectError, Identity, UnusableCredentials};
use plan::{Arn, Fault, Rejection};

use super::row::{Row, RowStatus, counted, named};

const CREDENTIALS: &str = "give the ServiceAccount an IAM role (IRSA or EKS Pod Identity), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; \
                           with the AWS CLI in the same environment: aws sts get-caller-identity";

#[must_use]
pub(crate) fn region_row(region: &Result<String, ConnectError>) -> Row {
    match region {
        Ok(region) => Row::ok("aws-region", format!("The operator calls AWS in {region}.")),
        Err(error) => Row::failed(
            "aws-region",
            error.to_string(),
            "export AWS_REGION=us-east-1, or the region of the caches",
        ),
    }
}

#[must_use]
pub(crate) fn credentials_row(found: &Result<(), UnusableCredentials>) -> Row {
    match found {
        Ok(()) => Row::ok("aws-credentials", "The standard chain gives credentials."),
        Err(error) => Row::failed("aws-credentials", error.to_string(), CREDENTIALS),
    }
}

/// The operator works without STS. So if STS does not answer but ElastiCache does, the row is only a warning.
#[must_use]
pub(crate) fn identity_row(answer: &Result<Identity, Fault>, describe: &Result<bool, Fault>) -> Row {
    const CHECK: &str = "aws-identity";
    let fault = match answer {
        Ok(Identity { account, arn }) => return Row::ok(CHECK, format!("Account {account}, as {arn}.")),
        Err(fault) => fault,
    };
    let (message, fix) = match fault {
        Fault::Credentials(said) => (format!("AWS does not accept the credentials. {said}"), CREDENTIALS.to_owned()),
        Fault::Busy(said) | Fault::Throttled(said) | Fault::Unavailable(said) => (
            format!("STS does not answer which account the credentials belong to. {said}"),
            "let the machine reach STS over HTTPS (in a closed VPC: an interface endpoint for sts), or set AWS_ENDPOINT_URL_STS; try: aws sts get-caller-identity".to_owned(),
        ),
        Fault::Denied(said) | Fault::Rejected(_, said) => (
            format!("STS refuses to answer which account the credentials belong to. {said}"),
            "find what denies sts:GetCallerIdentity: a service control policy, or the policy of the VPC endpoint; try: aws sts get-caller-identity".to_owned(),
        ),
    };
    let unreached = !matches!(fault, Fault::Credentials(_)) && describe.is_ok();
    let status = if unreached { RowStatus::Warning } else { RowStatus::Failed };
    Row { status, ..Row::failed(CHECK, message, fix) }
}

/// Whether the AWS users of objects (`namespace/name`) are in the account and region of the credentials.
#[must_use]
pub(crate) fn location_row(users: &[(String, Arn)], region: &str, account: Option<&str>) -> Option<Row> {
    const CHECK: &str = "aws-location";
    let here = |arn: &Arn| arn.region() == region && account.is_none_or(|account| account == arn.account());
    let elsewhere: Vec<&(String, Arn)> = users.iter().filter(|(_, arn)| !here(arn)).collect();
    let Some((_, arn)) = elsewhere.first() else {
        let message =
            format!("The AWS users of {} are in this account and region.", counted(users.len(), "object"));
        return (!users.is_empty()).then(|| Row::ok(CHECK, message));
    };
    let names: Vec<String> = elsewhere.iter().map(|(name, arn)| format!("{name} ({arn})")).collect();
    let account = account.map(|account| format!("account {account}, ")).unwrap_or_default();
    Some(Row::failed(
        CHECK,
        format!(
            "The AWS users of these objects are not in {account}region {region}, which the operator calls: {}. The objects would become WrongAWSAccount.",
            named(&names)
        ),
        format!("export AWS_REGION={}, with credentials of account {}", arn.region(), arn.account()),
    ))
}

#[must_use]
pub(crate) fn describe_row(user_id: &str, answer: &Result<bool, Fault>, caller: Option<&str>) -> Row {
    let described = answer.as_ref().map(|there| if *there { "" } else { ", of which there is none," });
    let ok = described.map(|none| format!("DescribeUsers of {user_id}{none} works."));
    call_row("aws-describe-users", "elasticache:DescribeUsers", ok, caller)
}

#[must_use]
pub(crate) fn list_tags_row(arn: &str, answer: &Result<(), Fault>, caller: Option<&str>) -> Row {
    let ok = answer.as_ref().map(|()| format!("ListTagsForResource of {arn} works."));
    call_row("aws-list-tags", "elasticache:ListTagsForResource", ok, caller)
}

/// Only a change would show whether ModifyUserGroup is allowed.
#[must_use]
pub(crate) fn list_groups_row(answer: &Result<usize, Fault>, caller: Option<&str>) -> Row {
    let ok = answer.as_ref().map(|_| {
        "DescribeUserGroups works. ModifyUserGroup was not checked, because that would change a group."
            .to_owned()
    });
    let mut row = call_row("aws-user-groups", "elasticache:DescribeUserGroups", ok, caller);
    row.fix = row.fix.map(|fix| {
        fix.replace("deploy/iam/policy.json", "deploy/iam/user-groups.json")
            .replace("--policy-name elasticache-user-operator ", "--policy-name elasticache-user-groups ")
            .replace("describe-users", "describe-user-groups")
    });
    row
}

/// For a survey that stopped before all users were read. `so_far` says what is known.
#[must_use]
pub(crate) fn interrupted_row(action: &str, fault: &Fault, so_far: &str) -> Row {
    let mut row = Row { status: RowStatus::Failed, ..call_row("aws-users", action, Err(fault), None) };
    row.message.push_str(so_far);
    row
}

fn call_row(check: &'static str, action: &str, answer: Result<String, &Fault>, caller: Option<&str>) -> Row {
    let fault = match answer {
        Ok(message) => return Row::ok(check, message),
        Err(fault) => fault,
    };
    let policy = || match caller.and_then(role) {
        Some(role) => format!(
            "aws iam put-role-policy --role-name {role} --policy-name elasticache-user-operator --policy-document file://deploy/iam/policy.json"
        ),
        None => "attach deploy/iam/policy.json to the IAM identity of the operator".to_owned(),
    };
    match fault {
        Fault::Denied(said) => Row::failed(check, format!("{action} is not allowed. {said}"), policy()),
        Fault::Credentials(said) => {
            Row::failed(check, format!("AWS does not accept the credentials. {said}"), CREDENTIALS)
        }
        Fault::Throttled(said) => Row::warning(
            check,
            format!("AWS throttles this account's calls. {said}"),
            "check again later; the operator waits by itself, and makes fewer calls with a lower --aws-rate",
        ),
        Fault::Busy(said) | Fault::Unavailable(said) => Row::failed(
            check,
            format!("ElastiCache does not answer. {said}"),
            "let the machine reach ElastiCache over HTTPS (in a closed VPC: an interface endpoint for elasticache), or set AWS_ENDPOINT_URL_ELASTICACHE; look at https://health.aws.amazon.com",
        ),
        Fault::Rejected(Rejection::ServiceLinkedRole, said) => Row::failed(
            check,
            format!("The account lacks ElastiCache's service-linked role. {said}"),
            "aws iam create-service-linked-role --aws-service-name elasticache.amazonaws.com",
        ),
        Fault::Rejected(
            Rejection::ParameterValue
            | Rejection::ParameterCombination
            | Rejection::Quota
            | Rejection::DefaultUserInGroup
            | Rejection::DuplicateUserName
            | Rejection::DefaultUserRequired
            | Rejection::MemberNotFound
            | Rejection::Other,
            said,
        ) => Row::failed(
            check,
            format!("AWS refuses {action}. {said}"),
            "read AWS's answer above; the same with the AWS CLI: aws elasticache describe-users --max-records 20",
        ),
    }
}

/// The role of a session: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
fn role(arn: &str) -> Option<&str> {
    arn.split_once(":assumed-role/")?.1.split('/').next()
}

#[cfg(test)]
mod tests {
    use plan::AwsError;

    use super::*;

    const SESSION: Option<&str> = Some("arn:aws:sts::123456789012:assumed-role/operator/1700000000");

    fn said() -> AwsError {
        AwsError::new("Code", "Why.")
    }

    #[test]
    fn each_failure_of_an_aws_call_has_its_own_fix() {
        let rows = [
            ("denied", Fault::Denied(said()), RowStatus::Failed, "--role-name operator "),
            ("unknown credentials", Fault::Credentials(said()), RowStatus::Failed, "IAM role"),
            ("silence", Fault::Unavailable(said()), RowStatus::Failed, "AWS_ENDPOINT_URL_ELASTICACHE"),
            ("too many calls", Fault::Throttled(said()), RowStatus::Warning, "--aws-rate"),
            (
                "no service-linked role",
                Fault::Rejected(Rejection::ServiceLinkedRole, said()),
                RowStatus::Failed,
                "create-service-linked-role",
            ),
            ("anything else", Fault::Rejected(Rejection::Other, said()), RowStatus::Failed, "AWS CLI"),
        ];
        for (claim, fault, status, fix) in rows {
            let row = describe_row("default", &Err(fault), SESSION);
            assert_eq!(row.status, status, "{claim}: {row:?}");
            assert!(row.message.ends_with("Code: Why."), "{claim}: {row:?}");
            assert!(row.fix.as_ref().is_some_and(|found| found.contains(fix)), "{claim}: {row:?}");
        }
        let user = list_tags_row(
            "arn",
            &Err(Fault::Denied(said())),
            Some("arn:aws:iam::123456789012:user/operator"),
        );
        assert_eq!(
            user.fix.as_deref(),
            Some("attach deploy/iam/policy.json to the IAM identity of the operator")
        );
    }

    #[test]
    fn a_user_in_another_account_or_region_fails() {
        let arn = |text: &str| Arn::parse(text).unwrap();
        let users = vec![
            ("shop/a".to_owned(), arn("arn:aws:elasticache:us-east-1:123456789012:user:a")),
            ("shop/b".to_owned(), arn("arn:aws:elasticache:eu-west-1:210987654321:user:b")),
        ];
        assert_eq!(location_row(&[], "us-east-1", None), None);
        assert_eq!(
            location_row(&users[..1], "us-east-1", Some("123456789012")).unwrap().status,
            RowStatus::Ok
        );
        assert_eq!(location_row(&users[..1], "us-east-1", None).unwrap().status, RowStatus::Ok);
        assert_eq!(
            location_row(&users[..1], "us-east-1", Some("210987654321")).unwrap().status,
            RowStatus::Failed
        );
        assert_eq!(
            location_row(&users[..1], "eu-west-1", Some("123456789012")).unwrap().status,
            RowStatus::Failed
        );
        let row = location_row(&users, "us-east-1", Some("123456789012")).unwrap();
        assert!(
            row.message.contains(
                "which the operator calls: shop/b (arn:aws:elasticache:eu-west-1:210987654321:user:b)."
            ),
            "{row:?}"
        );
        assert_eq!(row.fix.unwrap(), "export AWS_REGION=eu-west-1, with credentials of account 210987654321");
    }

    #[test]
    fn user_not_found_shows_that_describe_users_works() {
        assert_eq!(
            describe_row("a", &Ok(false), None).message,
            "DescribeUsers of a, of which there is none, works."
        );
        assert_eq!(describe_row("a", &Ok(true), None).status, RowStatus::Ok);
        assert_eq!(list_tags_row("arn", &Ok(()), None).status, RowStatus::Ok);
    }

    #[test]
    fn an_sts_that_does_not_answer_is_only_a_warning_if_elasticache_answers() {
        let silent = || Err(Fault::Unavailable(said()));
        assert_eq!(identity_row(&silent(), &Ok(true)).status, RowStatus::Warning);
        assert_eq!(identity_row(&silent(), &Err(Fault::Unavailable(said()))).status, RowStatus::Failed);
        assert_eq!(identity_row(&Err(Fault::Credentials(said())), &Ok(true)).status, RowStatus::Failed);
        let known = Identity { account: "123456789012".into(), arn: "arn".into() };
        assert_eq!(identity_row(&Ok(known), &Ok(true)).message, "Account 123456789012, as arn.");
    }
}
