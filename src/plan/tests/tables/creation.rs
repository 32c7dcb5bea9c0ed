//! `plan` if the user should exist and does not, or is in another account or region.

use plan::*;

use crate::common::plans::*;
use crate::common::*;

#[test]
fn create_user_is_sent_after_its_intent_was_written() {
    let absent = || nothing_known().absent();
    let passwords = AuthenticationChange::to(&password()).unwrap();
    check! { goal: present();
        { claim: "the user is read first", seen: nothing_known(), plan: fetch_user() },
        { claim: "a read that fails is waited for", seen: nothing_known().failed(throttled()), plan: failed_read(throttled()) },
        { claim: "the intent is written before CreateUser", seen: absent(), plan: create_intent() },
        { claim: "CreateUser sends the owner tags and the spec's",
          seen: absent().intent_written(), plan: create_with(AuthenticationChange::Iam) },
        { claim: "CreateUser without a password",
          goal: present_with(Authentication::NoPassword), seen: absent().intent_written(), plan: create_with(AuthenticationChange::NoPassword) },
        { claim: "CreateUser with passwords",
          goal: present_with(password()), seen: absent().intent_written(), plan: create_with(passwords) },
        { claim: "CreateUser may be repeated while its outcome is unknown, because AWS allows one user of an ID",
          seen: absent().record(open_creation()), plan: create_intent() },
    }
}

#[test]
fn the_account_is_known_before_the_first_create_user_unless_aws_does_not_show_it() {
    let absent = |account| nothing_known().absent().account(account);
    let after_sts = |account| Observed { caller_asked: true, ..absent(account) };
    check! { goal: present();
        { claim: "STS is asked first", seen: absent(Account::NotAsked), plan: fetch(Fetch::Caller) },
        { claim: "ElastiCache is asked next", seen: after_sts(Account::NotAsked), plan: fetch(Fetch::Account) },
        { claim: "a fault that passes is waited for", seen: after_sts(Account::Failed(throttled())), plan: failed_read(throttled()) },
        { claim: "only the region counts if AWS does not tell the account", seen: after_sts(Account::Withheld), plan: create_intent() },
        { claim: "only the region counts if the role may not ask", seen: after_sts(Account::Failed(denied())), plan: create_intent() },
    }
}

#[test]
fn no_user_is_created_and_no_intent_is_written_without_the_passwords() {
    let (secret, key) = ("s".to_owned(), "k".to_owned());
    let key_missing = SecretProblem::KeyNotFound { secret: secret.clone(), key };
    let (forbidden, unreadable) = (
        SecretProblem::Forbidden { secret: secret.clone() },
        SecretProblem::Unreadable { secret, why: "500".into() },
    );
    for problem in [secret_not_found(), key_missing, forbidden, unreadable] {
        let goal = present_with(Authentication::Password(Err(problem.clone())));
        check! { goal: goal;
            { claim: "a Secret that cannot be read is waited for", seen: nothing_known().absent(), plan: wait(Wait::Secret(problem)) },
        }
    }
    check! { goal: present_with(Authentication::Password(Err(invalid_secret())));
        { claim: "a value that cannot be a password needs a person",
          seen: nothing_known().absent().intent_written(), plan: refuse(Refusal::InvalidPassword(invalid_secret())) },
    }
}

#[test]
fn a_user_that_somebody_deleted_is_created_again_and_that_is_drift() {
    let gone = || drift(&["the AWS user was missing"]);
    let was_ready = || Record { readiness: Readiness::WasReady, ..Record::default() };
    let rows = cases! {
        "the first user of an object": Record::default() => Cause::Edit,
        "the outcome of an earlier CreateUser is unknown": with_applied(keys_only()) => Cause::Edit,
        "an earlier pass has seen that the user is gone": Record { arn: None, ..managed() } => Cause::Edit,
        "the user was seen, and never managed": Record { last_applied: None, ..managed() } => Cause::Edit,
        "the user was managed": managed() => gone(),
        "the first attempt to create it again has failed": was_ready() => gone(),
        "AWS was seen deleting it": Record { deletion: accepted_by_another(), ..managed() } => gone(),
    };
    for Case { claim, given: record, expected } in rows {
        let seen = nothing_known().absent().record(record).intent_written().finalizer(true);
        let Action::Create(create) = plan(&present(), &seen) else { panic!("{claim}: no CreateUser") };
        assert_eq!(create.cause, expected, "{claim}");
    }
    let absent = || nothing_known().absent().record(managed());
    check! { goal: present();
        { claim: "the intent is written first", seen: absent(), plan: create_intent() },
        { claim: "the account must be known first", seen: absent().account(Account::NotAsked), plan: fetch(Fetch::Account) },
    }
}

/// Checks this claim for an object that stays and for one that terminates.
fn check_both(claim: &'static str, seen: Observed, living: Action, terminating: Action) {
    check! { goal: present();
        { claim: claim, seen: seen.clone(), plan: living },
        { claim: claim, goal: gone(), seen: seen.kept(), plan: terminating },
    }
}

#[test]
fn user_not_found_counts_only_in_the_account_and_region_of_status() {
    let absent = |arn: Arn| nothing_known().absent().record(placed(arn));
    let (west, other) = (arn_in("eu-west-1", "111111111111"), arn_in("us-east-1", "222222222222"));
    let in_west = || Some(elsewhere(arn_in("eu-west-1", "111111111111"), "us-east-1", None));
    let in_other = Some(elsewhere(other.clone(), "us-east-1", Some("111111111111")));
    let rows = cases! {
        "another region: the message does not name the account, because some processes do not know it":
            absent(west.clone()) => in_west(),
        "another account": absent(other.clone()) => in_other,
        "another region counts before the account is asked for": absent(west.clone()).account(Account::NotAsked) => in_west(),
        "another region counts if AWS does not tell the account": absent(west.clone()).account(Account::Withheld) => in_west(),
        "another region counts if the account cannot be asked for": absent(west).account(Account::Failed(throttled())) => in_west(),
        "the same account and region": absent(arn()) => None,
        "only the region counts if AWS does not tell the account": absent(other).account(Account::Withheld) => None,
        "only the region counts if the role may not ask": absent(arn()).account(Account::Failed(denied())) => None,
        "only the region counts if AWS refuses to tell":
            absent(arn()).account(Account::Failed(rejected(Rejection::Other))) => None,
        "the state of the user `default` does not matter": absent(arn()).account(Account::Failed(busy())) => None,
    };
    for Case { claim, given: seen, expected } in rows {
        let (living, terminating) = match expected {
            Some(place) => (refuse(Refusal::WrongLocation(place.clone())), wait(Wait::WrongLocation(place))),
            None => (create_intent(), release(ReleaseReason::UserGone)),
        };
        check_both(claim, seen, living, terminating);
    }
    for fault in [throttled(), unavailable(), credentials()] {
        let seen = absent(arn()).account(Account::Failed(fault.clone()));
        check_both(
            "an account that cannot be asked for now is waited for",
            seen,
            failed_read(fault.clone()),
            failed_read(fault),
        );
    }
    let unasked = absent(arn()).account(Account::NotAsked);
    check_both("the account is asked for", unasked, fetch(Fetch::Account), fetch(Fetch::Account));
}

#[test]
fn a_user_seen_in_another_account_or_region_than_status_is_not_changed() {
    for (region, account, told) in
        [("eu-west-1", "111111111111", None), ("us-east-1", "222222222222", Some("111111111111"))]
    {
        let recorded = arn_in(region, account);
        let seen = ours().record(placed(recorded.clone())).kept().intent_written().confirmed();
        let place = elsewhere(recorded, "us-east-1", told);
        let living = refuse(Refusal::WrongLocation(place.clone()));
        check_both("whatever its tags say", seen.clone(), living, wait(Wait::WrongLocation(place)));
        let kept = release(ReleaseReason::Retained { deletion_accepted: false });
        assert_eq!(plan(&retained(), &seen), kept, "Retain needs no user");
    }
}
