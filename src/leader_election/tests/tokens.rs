use tokio::time::{Instant, advance};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_token_ends_by_itself() {
    let token = Token::none();
    assert!(!token.is_valid() && token.send().is_none());
    assert!(token.extend(Instant::now() + 10 * SECOND));
    advance(Duration::from_millis(9_999)).await;
    assert!(token.is_valid() && token.send().is_some());
    advance(Duration::from_millis(1)).await;
    assert!(!token.is_valid() && token.send().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_refused_a_mutation_is_never_valid_again() {
    let token = Token::none();
    token.extend(Instant::now() + SECOND);
    advance(SECOND).await;
    assert!(
        token.clone().extend(Instant::now() + SECOND),
        "no mutation was refused, so a late answer may extend the token"
    );
    advance(SECOND).await;
    assert!(token.send().is_none());
    assert!(!token.extend(Instant::now() + SECOND));
    assert!(!token.is_valid());
}

#[tokio::test(start_paused = true)]
async fn a_token_knows_whether_a_mutation_was_cut() {
    for (claim, cut) in [("answered", false), ("cut", true)] {
        let token = Token::none();
        token.extend(Instant::now() + SECOND);
        let (one, other) = (token.send().unwrap(), token.send().unwrap());
        one.ended();
        if cut {
            drop(other)
        } else {
            other.ended()
        }
        assert_eq!(token.end(), !cut, "{claim}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_leader_election_the_token_never_ends() {
    let token = Token::unlimited();
    advance(1_000_000 * SECOND).await;
    assert!(token.is_valid() && token.send().is_some());
}

#[test]
fn each_process_of_a_pod_has_its_own_holder_identity() {
    let (one, other) = (identity("pod-0"), identity("pod-0"));
    assert!(one.starts_with("pod-0_") && one.len() > 16, "{one}");
    assert_ne!(one, other);
}
