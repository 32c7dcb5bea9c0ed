//! User IDs, passwords, ARNs, locations, owners and AWS's words: what is accepted, and what it means.

use crate::common::*;
use plan::*;

#[test]
fn a_user_id_is_parsed_as_aws_stores_it() {
    let (longest, too_long) = ("a".repeat(40), "a".repeat(41));
    let rows = cases! {
        "a plain one": "app" => Ok("app"),
        "one letter": "a" => Ok("a"),
        "with digits and hyphens": "app-1-b2" => Ok("app-1-b2"),
        "in lower case, as AWS lowers it": "App-User" => Ok("app-user"),
        "of the greatest length": &longest => Ok(longest.as_str()),
        "one more": &too_long => Err(InvalidUserId::Malformed),
        "empty": "" => Err(InvalidUserId::Malformed),
        "a digit first": "1app" => Err(InvalidUserId::Malformed),
        "a hyphen first": "-app" => Err(InvalidUserId::Malformed),
        "a hyphen last": "app-" => Err(InvalidUserId::Malformed),
        "two hyphens": "app--b" => Err(InvalidUserId::Malformed),
        "a dot": "app.b" => Err(InvalidUserId::Malformed),
        "white space": "app b" => Err(InvalidUserId::Malformed),
        "not ASCII": "appé" => Err(InvalidUserId::Malformed),
        "not ASCII first": "é" => Err(InvalidUserId::Malformed),
        "AWS's own user": "default" => Err(InvalidUserId::Reserved),
        "AWS's own user in capitals": "DEFAULT" => Err(InvalidUserId::Reserved),
        "only that very word": "default-2" => Ok("default-2"),
    };
    for Case { claim, given: text, expected } in rows {
        let read = UserId::parse(text);
        assert_eq!(read.as_ref().map(UserId::as_str), expected.as_ref().map(|id| *id), "{claim}");
        assert!(read.is_err() || read.unwrap().to_string() == expected.unwrap(), "{claim}: shown");
    }
}

#[test]
fn a_password_is_parsed_if_elasticache_would_accept_it() {
    // What is wrong, never what the value is: a failing row must not print it.
    let rows = cases! {
        "the shortest": vec![b'x'; 16] => None,
        "the longest": vec![b'x'; 128] => None,
        "counted in characters": "é".repeat(128).into_bytes() => None,
        "one too few": vec![b'x'; 15] => Some(InvalidPassword::TooShort),
        "none": vec![] => Some(InvalidPassword::TooShort),
        "too few, counted in characters": "é".repeat(15).into_bytes() => Some(InvalidPassword::TooShort),
        "one too many": vec![b'x'; 129] => Some(InvalidPassword::TooLong),
        "a newline last": b"sixteen-letters!\n".to_vec() => Some(InvalidPassword::TrailingNewline),
        "a carriage return last": b"sixteen-letters!\r".to_vec() => Some(InvalidPassword::TrailingNewline),
        "a newline alone": b"\n".to_vec() => Some(InvalidPassword::TrailingNewline),
        "a newline inside": b"sixteen\nletters!x".to_vec() => Some(InvalidPassword::NotPrintable('\n')),
        "a tab": b"sixteen\tletters!x".to_vec() => Some(InvalidPassword::NotPrintable('\t')),
        "a comma": b"sixteen,letters!x".to_vec() => Some(InvalidPassword::Forbidden(',')),
        "a quotation mark": b"sixteen\"letters!x".to_vec() => Some(InvalidPassword::Forbidden('"')),
        "a slash": b"sixteen/letters!x".to_vec() => Some(InvalidPassword::Forbidden('/')),
        "an at sign": b"sixteen@letters!x".to_vec() => Some(InvalidPassword::Forbidden('@')),
        "no text": vec![0xff; 20] => Some(InvalidPassword::NotText),
    };
    for Case { claim, given: bytes, expected: wrong } in rows {
        let read = Password::parse(&bytes);
        assert!(read.as_ref().err().copied() == wrong, "{claim}: {:?}", read.err());
        if let Ok(password) = read {
            assert!(password.expose().as_bytes() == bytes, "{claim}: the password must stay unchanged");
        }
    }
}

#[test]
fn each_invalid_password_has_its_own_description() {
    use InvalidPassword::{Forbidden, NotPrintable, NotText, TooLong, TooShort, TrailingNewline};
    let rows = [
        (NotText, "UTF-8"),
        (TrailingNewline, "echo -n"),
        (NotPrintable('\u{7}'), "the character U+0007"),
        (Forbidden('/'), "the character `/`; ElastiCache accepts none of , \" / @"),
        (TooShort, "shorter than 16"),
        (TooLong, "longer than 128"),
    ];
    for (wrong, words) in rows {
        assert!(wrong.description().contains(words), "{wrong:?}");
    }
}

#[test]
fn debug_output_never_contains_a_password() {
    let shown = format!("{:?} {:#?}", present_with(password()), password());
    assert!(!shown.contains(SECRET_TEXT) && !shown.contains("horse"));
    assert_eq!(format!("{:?}", Password::parse(SECRET_TEXT.as_bytes()).unwrap()), "Password");
}

#[test]
fn passwords_are_equal_if_their_texts_are() {
    let read = |text: &str| Password::parse(text.as_bytes()).unwrap();
    assert!(read("sixteen-letters!") == read("sixteen-letters!"));
    assert!(read("sixteen-letters!") != read("sixteen-letters?"));
}

#[test]
fn equal_passwords_count_once_and_versions_are_sorted() {
    let read = |text: &str, version: &str| {
        (Password::parse(text.as_bytes()).unwrap(), SecretVersion::parse(version))
    };
    let (one, two) = ("sixteen-letters-1", "sixteen-letters-2");
    let pair = Passwords::new(vec![read(one, "b/2/k"), read(two, "a/1/k")]);
    assert_eq!(pair.values().len(), 2);
    assert!(pair.values()[0].expose() == one, "in the order of the spec");
    assert_eq!(pair.versions(), versions(&["a/1/k", "b/2/k"]), "versions are sorted");
    let twice = Passwords::new(vec![read(one, "a/1/k"), read(one, "b/2/k")]);
    assert_eq!((twice.values().len(), twice.versions().len()), (1, 2));
    let same_secret = Passwords::new(vec![read(one, "a/1/k"), read(two, "a/1/k")]);
    assert_eq!((same_secret.values().len(), same_secret.versions().len()), (2, 1));
}

#[test]
fn a_secret_version_is_parsed_without_loss_and_names_one_version_of_one_secret() {
    let read = SecretVersion::parse("a/1/k");
    let (uid, resource_version, key) = ("a".to_owned(), "1".to_owned(), "k".to_owned());
    assert_eq!(read, SecretVersion::Key { uid, resource_version, key });
    assert!(read.is_of("a", "1"));
    for (uid, resource_version) in [("a", "2"), ("b", "1"), ("a", ""), ("a", "1/k")] {
        assert!(!read.is_of(uid, resource_version), "{uid} {resource_version}");
    }
    for text in ["a/1/k", "a/1/", "a/1/k/k", "//", "a/1", "a", ""] {
        assert_eq!(SecretVersion::parse(text).to_string(), text);
    }
    let without_key = SecretVersion::parse("a/1");
    assert!(without_key != read && !without_key.is_of("a", "1"), "the passwords are sent again");
}

#[test]
fn an_arn_is_parsed_if_it_names_an_elasticache_user() {
    for good in [
        "arn:aws:elasticache:us-east-1:111111111111:user:app",
        "arn:aws-cn:elasticache:cn-north-1:2:user:a-b",
    ] {
        assert_eq!(Arn::parse(good).unwrap().to_string(), good);
    }
    let read = arn();
    assert_eq!((read.region(), read.account(), read.user()), ("us-east-1", "111111111111", "app"));
    let bad = [
        ("nothing", ""),
        ("a word", "app"),
        ("something else's prefix", "nra:aws:elasticache:us-east-1:1:user:app"),
        ("another service", "arn:aws:memorydb:us-east-1:1:user:app"),
        ("a user group", "arn:aws:elasticache:us-east-1:1:usergroup:app"),
        ("no user", "arn:aws:elasticache:us-east-1:1:user:"),
        ("too few parts", "arn:aws:elasticache:us-east-1:1:user"),
        ("no partition", "arn::elasticache:us-east-1:1:user:app"),
        ("no region", "arn:aws:elasticache::1:user:app"),
        ("no account", "arn:aws:elasticache:us-east-1::user:app"),
    ];
    for (claim, text) in bad {
        assert_eq!(Arn::parse(text), None, "{claim}");
    }
}

#[test]
fn locations_are_equal_by_region_and_account() {
    let rows = cases! {
        "the same": ("us-east-1", "111111111111") => true,
        "another region": ("eu-west-1", "111111111111") => false,
        "another account": ("us-east-1", "222222222222") => false,
        "another region and account": ("eu-west-1", "222222222222") => false,
    };
    for Case { claim, given: (region, account), expected } in rows {
        let other = Location::of(&arn_in(region, account));
        assert_eq!(Location::of(&arn()).may_be(&other), expected, "{claim}");
    }
    let neighbour = Arn::parse("arn:aws:elasticache:us-east-1:111111111111:user:other").unwrap();
    assert!(
        Location::of(&arn()).may_be(&Location::of(&neighbour)) && arn() != neighbour,
        "another user of the same place"
    );
}

#[test]
fn three_owner_tags_decide_who_owns_a_user() {
    let whose = |cluster: &str, namespace: &str, name: &str| {
        Ownership::Another(Owner { cluster: cluster.into(), namespace: namespace.into(), name: name.into() })
    };
    let (c, ns, n) = (CLUSTER_TAG, NAMESPACE_TAG, NAME_TAG);
    let full = |cluster, namespace, name| tags(&[(c, cluster), (ns, namespace), (n, name), (UID_TAG, "u")]);
    let rows = cases! {
        "all three are ours": full("prod", "shop", "app") => Ownership::Ours,
        "the uid is for people": tags(&[(c, "prod"), (ns, "shop"), (n, "app")]) => Ownership::Ours,
        "other tags mean nothing": tags(&[(c, "prod"), (ns, "shop"), (n, "app"), ("x", "y")]) => Ownership::Ours,
        "another cluster": full("test", "shop", "app") => whose("test", "shop", "app"),
        "another namespace": full("prod", "web", "app") => whose("prod", "web", "app"),
        "another name": full("prod", "shop", "api") => whose("prod", "shop", "api"),
        "case matters": full("prod", "shop", "App") => whose("prod", "shop", "App"),
        "no tags": Tags::new() => Ownership::Unowned,
        "other people's tags only": tags(&[("team", "shop")]) => Ownership::Unowned,
        "a uid alone": tags(&[(UID_TAG, "u")]) => Ownership::Unowned,
        "some of ours and none of another's": tags(&[(c, "prod"), (n, "app")]) => Ownership::Unowned,
        "one of another's is enough": tags(&[(n, "api")]) => whose("?", "?", "api"),
        "an empty value is another's": full("prod", "shop", "") => whose("prod", "shop", ""),
    };
    for Case { claim, given: tags, expected } in rows {
        assert_eq!(owner().evaluate(&tags), expected, "{claim}");
    }
    assert_eq!(owner().evaluate(&owner().tags("any")), Ownership::Ours);
    assert_eq!(
        owner_tags(),
        tags(&[
            ("elasticache-users.dev/cluster", "prod"),
            ("elasticache-users.dev/namespace", "shop"),
            ("elasticache-users.dev/name", "app"),
            ("elasticache-users.dev/uid", "uid-1"),
        ])
    );
    assert!(owner_tags().keys().all(|key| key.starts_with(OWNER_TAG_PREFIX)));
    assert_eq!(owner().to_string(), "ElastiCacheUser \"app\" in namespace \"shop\" of cluster \"prod\"");
}

#[test]
fn the_words_of_aws_are_parsed_and_written() {
    let states = [
        ("creating", Lifecycle::Creating),
        ("active", Lifecycle::Active),
        ("modifying", Lifecycle::Modifying),
        ("deleting", Lifecycle::Deleting),
        ("hibernating", odd()),
        ("Active", Lifecycle::Unrecognized("Active".into())),
        ("", Lifecycle::Unrecognized(String::new())),
    ];
    for (word, state) in states {
        assert_eq!(Lifecycle::parse(word), state);
        assert_eq!(state.as_str(), word);
    }
    assert_eq!((Engine::Redis.as_str(), Engine::Valkey.as_str()), ("redis", "valkey"));
    let types = [
        (AuthenticationType::Password, "password", "password"),
        (AuthenticationType::Iam, "iam", "iam"),
        (AuthenticationType::NoPassword, "no-password-required", "no-password"),
    ];
    for (kind, input, output) in types {
        assert_eq!((kind.input(), kind.output()), (input, output));
    }
}
