//! I/O: the tokens of the rate limiter that a pass waits for and holds.

use aws::UserApi;
use plan::pass::Response;

use super::Reconciler;
use super::held::Held;
use crate::account::{Class, Permit};
use crate::queue::QueueTurn;

pub(super) struct HeldTokens<'a> {
    turn: PassTurn<'a>,
    permits: Vec<Permit>,
    /// The pass has got a token.
    has_begun: bool,
}

#[derive(Clone, Copy)]
pub(super) enum PassTurn<'a> {
    Queued(&'a QueueTurn),
    /// In the name of this namespace. The pass holds no slot.
    Unqueued(&'a str),
}

impl<'a> HeldTokens<'a> {
    pub(super) fn new(turn: PassTurn<'a>) -> Self {
        Self { turn, permits: Vec::new(), has_begun: false }
    }
}

impl<U: UserApi> Reconciler<U> {
    /// Waits for a token, or until the operator ends.
    pub(super) async fn acquire_token(&self, held: &mut Held<'_>) -> Response {
        let tokens = &mut held.tokens;
        let mut ending = self.ending.clone();
        tokio::select! {
            permit = self.wait(tokens.turn, tokens.has_begun) => {
                tokens.has_begun = true;
                tokens.permits.push(permit);
                Response::Token
            }
            _ = ending.wait_for(|ending| *ending) => Response::Ending,
        }
    }

    /// The permit that the pass acquired for this call. If the pass acquired none, waits for one.
    pub(super) async fn permit(&self, held: &mut Held<'_>) -> Permit {
        let tokens = &mut held.tokens;
        match tokens.permits.pop() {
            Some(permit) => permit,
            None => self.wait(tokens.turn, true).await,
        }
    }

    async fn wait(&self, turn: PassTurn<'_>, has_begun: bool) -> Permit {
        match turn {
            PassTurn::Queued(turn) => turn.without_slot(self.wait_queued(turn, has_begun)).await,
            PassTurn::Unqueued(namespace) => self.users.permit(Class::Progress, namespace).await,
        }
    }

    /// A change lifts the pass while it waits. A check that has begun continues as work, because its calls would otherwise be
    /// wasted.
    async fn wait_queued(&self, turn: &QueueTurn, has_begun: bool) -> Permit {
        let mut lifted = turn.class();
        loop {
            let class = *lifted.borrow_and_update();
            let class = if has_begun { class.min(Class::Repeat) } else { class };
            tokio::select! {
                biased;
                permit = self.users.permit(class, turn.namespace()) => return permit,
                Ok(()) = lifted.changed() => {}
            }
        }
    }
}
