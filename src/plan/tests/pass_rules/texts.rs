//! The text of others in what the operator writes.

use plan::pass::{Request, Response};
use plan::*;

use crate::common::aws_error;
use crate::world::world;

/// What Ready says if AWS denies DescribeUsers in these words.
fn message(words: &str) -> String {
    let mut world = world();
    let source =
        CallSource { region: "us-east-1".into(), credentials: CredentialsId(1), account: Account::NotAsked };
    let denied = UserObservation::Failed(Fault::Denied(aws_error("AccessDenied", words)));
    world.pass(|_, request| {
        matches!(request, Request::DescribeUser(_))
            .then(|| Response::Described(denied.clone(), source.clone()))
    });
    world.object.status.condition(ConditionType::Ready).unwrap().message.clone()
}

#[test]
fn the_message_of_a_condition_is_escaped_and_short_enough_for_the_api_server() {
    let shown = message("x\n2026 INFO forged\u{1b}[2J");
    assert!(shown.contains("x\\n2026 INFO forged\\u{1b}[2J"), "{shown}");
    // The API server refuses more than 32,768 bytes.
    for words in ["x".repeat(100_000), "\u{1b}".repeat(20_000)] {
        let shown = message(&words);
        assert!((20_000..=32_768).contains(&shown.len()), "{}", shown.len());
    }
}

#[test]
fn an_owner_cannot_exist_if_no_object_can_have_its_name() {
    let long = "a".repeat(254);
    let names = ["../../secrets", "a/b", "A", "-a", "a-", "a..b", "", "a_b", "\u{e9}", long.as_str()];
    let namespaces = ["../x", "a.b", "A", "", &long[..64]];
    let owner = |namespace: &str, name: &str| Owner {
        cluster: "c".into(),
        namespace: namespace.into(),
        name: name.into(),
    };
    let rows = names.map(|name| owner("shop", name)).into_iter();
    for owner in rows.chain(namespaces.map(|namespace| owner(namespace, "app"))) {
        assert!(!owner.can_exist(), "{owner}");
    }
    for (namespace, name) in [("shop", "app"), ("1-a", "a.b-c.1"), (&long[..63], &long[..253])] {
        assert!(owner(namespace, name).can_exist(), "{namespace}/{name}");
    }
}
