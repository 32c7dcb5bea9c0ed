use super::*;

fn signed(access_key_id: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential={access_key_id}/20261130/eu-west-1/sts/aws4_request, Signature=0")
}

#[test]
fn credentials_are_numbered_in_the_order_of_first_use() {
    let known = KnownCredentials::default();
    let rows = [("AKIAONE", 1), ("ASIATWO", 2), ("AKIAONE", 1), ("ASIATHREE", 3), ("ASIATWO", 2)];
    for (access_key_id, number) in rows {
        assert_eq!(known.that_signed(&signed(access_key_id)), CredentialsId(number), "{access_key_id}");
    }
    assert_eq!(known.latest().map(|(id, ..)| id), Some(CredentialsId(2)));
}

#[test]
fn an_account_belongs_to_one_set_of_credentials() {
    let known = KnownCredentials::default();
    let one = known.that_signed(&signed("AKIAONE"));
    let two = known.that_signed(&signed("AKIATWO"));
    known.learn_account(one, "111122223333");
    assert_eq!(known.account(one), Account::Known("111122223333".to_owned()));
    assert_eq!(known.account(two), Account::NotAsked);
}

#[test]
fn credentials_that_were_forgotten_get_a_new_number() {
    let known = KnownCredentials::default();
    let first = known.that_signed(&signed("AKIAFIRST"));
    known.learn_account(first, "111122223333");
    for number in 0..REMEMBERED {
        known.that_signed(&signed(&format!("ASIA{number}")));
    }
    assert_eq!(known.account(first), Account::NotAsked);
    let again = known.that_signed(&signed("AKIAFIRST"));
    assert_ne!(again, first, "a number never means two accounts");
    assert_eq!(known.account(again), Account::NotAsked);
}

#[test]
fn credentials_in_use_are_not_forgotten() {
    let known = KnownCredentials::default();
    let used = known.that_signed(&signed("AKIAUSED"));
    known.learn_account(used, "111122223333");
    for number in 0..3 * REMEMBERED {
        known.that_signed(&signed(&format!("ASIA{number}")));
        assert_eq!(known.that_signed(&signed("AKIAUSED")), used);
    }
    assert_eq!(known.account(used), Account::Known("111122223333".to_owned()));
}

#[test]
fn an_access_key_id_is_never_formatted() {
    let known = KnownCredentials::default();
    known.that_signed(&signed("AKIASECRET"));
    assert!(!format!("{known:?} {:?}", known.latest()).contains("SECRET"));
}
