//! Mutations need the leader's token when they are sent. Reads need none.

use aws::UserApi;
use elasticache_user_operator::leader_election::Token;
use plan::Untag;
use serde_json::json;

use super::emulator_fixture::{Ended, Fixture, Method, SIGNER, arn};

#[tokio::test]
async fn without_a_token_no_mutation_reaches_aws() {
    let fixture = Fixture::start();
    fixture.control.put_user("app", json!({})).await;
    let aws = fixture.aws.clone().with_token(Token::none());
    for method in Method::ALL {
        let user = if method == Method::Create { "new" } else { "app" };
        let ended = method.call(&aws, user).await;
        let calls = fixture.calls().await;
        if ["DescribeUsers", "ListTagsForResource"].contains(&method.action()) {
            assert_eq!((ended, calls.len()), (Ended::Well, 1), "{method:?} is a read and needs no token");
        } else {
            assert_eq!(ended.words(), "Other NotSent", "{method:?}");
            assert!(calls.is_empty(), "{method:?}: {calls:?}");
        }
    }
    let untag = Untag { arn: arn("app"), keys: vec!["team".to_owned()] };
    assert_eq!(Ended::from(aws.untag(&untag, SIGNER).await).words(), "Other NotSent");
    assert!(fixture.calls().await.is_empty());
}

#[tokio::test]
async fn with_a_token_mutations_reach_aws() {
    let fixture = Fixture::start();
    let aws = fixture.aws.clone().with_token(Token::unlimited());
    assert_eq!(Method::Create.call(&aws, "app").await, Ended::Well);
    assert_eq!(Method::Tag.call(&aws, "app").await, Ended::Well);
    assert_eq!(fixture.calls().await.len(), 2);
}
