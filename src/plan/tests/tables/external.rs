//! `plan` if somebody else sets the passwords: they are sent only to a user that has none yet.

use plan::*;

use crate::common::plans::*;
use crate::common::*;

fn read(passwords: Result<Passwords, SecretProblem>) -> Goal {
    present_with(Authentication::ExternalPassword(FirstPassword::FromSecrets(passwords)))
}

fn given() -> Passwords {
    AuthenticationChange::to(&password()).unwrap().passwords().unwrap().clone()
}

#[test]
fn a_user_whose_passwords_others_set_is_created_with_given_or_random_ones() {
    let announced = || nothing_known().absent().intent_written();
    check! { goal: present_with(external());
        { claim: "the Secret is read", seen: nothing_known().absent(), plan: fetch(Fetch::Passwords) },
        { claim: "a missing Secret is waited for", goal: read(Err(secret_not_found())), seen: announced(),
          plan: wait(Wait::Secret(secret_not_found())) },
        { claim: "AWS is not asked again while the Secret is missing", goal: read(Err(secret_not_found())),
          seen: nothing_known().record(Record { waits_for_secret: true, ..Record::default() }), plan: wait(Wait::Secret(secret_not_found())) },
        { claim: "the passwords of the Secret", goal: read(Ok(given())), seen: announced(), plan: create_with(AuthenticationChange::FirstPassword(given())) },
        { claim: "a random password", goal: present_with(external_random()), seen: announced(), plan: create_with(AuthenticationChange::RandomPassword) },
    }
    for change in [AuthenticationChange::FirstPassword(given()), AuthenticationChange::RandomPassword] {
        assert_eq!(change.kind(), AuthenticationType::Password);
        assert_eq!(
            (change.password_versions(), change.passwords()),
            (&[][..], None),
            "nothing to compare later"
        );
    }
}

#[test]
fn neither_the_number_of_passwords_nor_a_secret_causes_a_call_if_others_set_them() {
    let seen = |count| {
        let record = reported_but(|reported| reported.authentication_type = "password".into());
        nothing_known().seen(password_user(count)).tagged(our_tags()).record(record)
    };
    let adopted = |user| nothing_known().seen(user).tagged(our_tags()).record(with_applied(keys_only()));
    let edit = |change| modify(authentication(change), Cause::Edit);
    let was_iam = || nothing_known().seen(active()).tagged(our_tags()).record(managed());
    let drifted = || {
        let record = Record {
            readiness: Readiness::Ready,
            ..reported_but(|reported| reported.authentication_type = "password".into())
        };
        nothing_known().seen(active()).tagged(our_tags()).record(record)
    };
    let drift = || {
        modify(
            authentication(AuthenticationChange::RandomPassword),
            drift(&["authentication type was iam instead of password"]),
        )
    };
    check! { goal: present_with(external());
        { claim: "as many as were sent", seen: seen(1), plan: Action::InSync },
        { claim: "Secrets Manager has left two", seen: seen(2), plan: Action::InSync },
        { claim: "another process sent passwords of Secrets before", seen: seen(2).sent(given()), plan: Action::InSync },
        { claim: "a Secret that is missing", goal: read(Err(secret_not_found())), seen: seen(1), plan: Action::InSync },
        { claim: "a Secret whose value cannot be a password", goal: read(Err(invalid_secret())), seen: seen(1), plan: Action::InSync },
        { claim: "an adopted user keeps its passwords", seen: adopted(password_user(1)), plan: Action::InSync },
        { claim: "other differences are sent without passwords",
          seen: seen(2).seen(RemoteUser { engine: "valkey".into(), ..password_user(2) }), plan: modify(engine(Engine::Redis), Cause::Edit) },
        { claim: "another type before: the Secret is read", seen: was_iam(), plan: fetch(Fetch::Passwords) },
        { claim: "another type before: a missing Secret is waited for", goal: read(Err(secret_not_found())), seen: was_iam(),
          plan: wait(Wait::Secret(secret_not_found())) },
        { claim: "another type before: the passwords of the Secret are sent", goal: read(Ok(given())), seen: was_iam(),
          plan: edit(AuthenticationChange::FirstPassword(given())) },
        { claim: "another type before: a random password is sent", goal: present_with(external_random()), seen: was_iam(),
          plan: edit(AuthenticationChange::RandomPassword) },
        { claim: "somebody changed the type", goal: present_with(external_random()), seen: drifted(), plan: drift() },
        { claim: "to IAM", goal: present(), seen: seen(2), plan: edit(AuthenticationChange::Iam) },
        { claim: "back to Secrets: status has no versions, so the passwords are sent once", goal: present_with(password()), seen: seen(1),
          plan: modify(authentication(AuthenticationChange::Password(given())), Cause::Rotation) },
    }
}
