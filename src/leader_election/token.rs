//! No I/O: the right to change something. It ends by itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// Must be checked directly before each change. Clones share one right.
///
/// After any check found that the token has ended, it stays ended, even if a late answer would extend it. If a check refuses, the caller can
/// rely on it that this process ends.
#[derive(Clone, Debug)]
pub struct Token(Arc<Mutex<TokenState>>);

#[derive(Debug)]
struct TokenState {
    right: Right,
    /// Mutations that were sent and not answered. A mutation that was cut is counted for ever.
    sending: usize,
}

#[derive(Clone, Copy, Debug)]
enum Right {
    /// Without leader election.
    Unlimited,
    /// Before this replica leads.
    None,
    Until(Instant),
    Over,
}

impl Token {
    /// For a single replica without leader election.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(Right::Unlimited)
    }

    /// For a replica that does not lead yet.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Right::None)
    }

    fn new(right: Right) -> Self {
        Self(Arc::new(Mutex::new(TokenState { right, sending: 0 })))
    }

    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.state().is_valid()
    }

    /// The permission to send one mutation now; `None` if the token is not valid.
    #[must_use]
    pub fn send(&self) -> Option<Sending> {
        let mut state = self.state();
        state.is_valid().then(|| {
            state.sending += 1;
            Sending(self.clone())
        })
    }

    /// False if the token has ended.
    pub(super) fn extend(&self, until: Instant) -> bool {
        let mut state = self.state();
        match state.right {
            Right::None | Right::Until(_) => {
                state.right = Right::Until(until);
                true
            }
            Right::Unlimited => true,
            Right::Over => false,
        }
    }

    /// True if every mutation that was sent has been answered.
    pub(super) fn end(&self) -> bool {
        let mut state = self.state();
        state.right = Right::Over;
        state.sending == 0
    }

    fn state(&self) -> MutexGuard<'_, TokenState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl aws::MutationGuard for Token {
    fn begin(&self) -> Option<Box<dyn aws::SentMutation>> {
        Some(Box::new(self.send()?))
    }
}

impl aws::SentMutation for Sending {
    fn answered(self: Box<Self>) {
        self.ended();
    }
}

impl TokenState {
    fn is_valid(&mut self) -> bool {
        match self.right {
            Right::Unlimited => true,
            Right::Until(until) if Instant::now() < until => true,
            Right::Until(_) => {
                self.right = Right::Over;
                false
            }
            Right::None | Right::Over => false,
        }
    }
}

/// A mutation in flight. If this is dropped without [`Sending::ended`], the mutation was cut and may still take effect.
#[derive(Debug)]
#[must_use = "the Lease is released only if every mutation was answered"]
pub struct Sending(Token);

impl Sending {
    /// The mutation was answered, or its own time-out passed.
    pub fn ended(self) {
        let mut state = self.0.state();
        state.sending = state.sending.saturating_sub(1);
    }
}
