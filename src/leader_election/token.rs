//! No I/O: the right to change something, which ends by itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// Asked directly before each change. Clones share one right.
///
/// Once it was found to have ended it never comes back, also not by an answer that was late: whoever was refused can count on
/// the process ending.
#[derive(Clone, Debug)]
pub struct Token(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    right: Right,
    /// Mutations that were begun and have no answer. One that is cut stays among them.
    sending: usize,
}

#[derive(Clone, Copy, Debug)]
enum Right {
    /// There is no election.
    Unlimited,
    /// It does not lead yet.
    None,
    Until(Instant),
    Over,
}

impl Token {
    /// The right of the only replica.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(Right::Unlimited)
    }

    /// That of a replica that does not lead yet.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Right::None)
    }

    fn new(right: Right) -> Self {
        Self(Arc::new(Mutex::new(State { right, sending: 0 })))
    }

    /// Whether something may be changed now.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.state().is_valid()
    }

    /// The right to send one mutation now, if there is one.
    #[must_use]
    pub fn send(&self) -> Option<Sending> {
        let mut state = self.state();
        state.is_valid().then(|| {
            state.sending += 1;
            Sending(self.clone())
        })
    }

    /// Valid until then; false where it has ended.
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

    /// Ends it. True where every mutation that was begun has been answered.
    pub(super) fn end(&self) -> bool {
        let mut state = self.state();
        state.right = Right::Over;
        state.sending == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
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

impl State {
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

/// A mutation on its way. Dropped without its end it was cut, and may take effect at any time.
#[derive(Debug)]
#[must_use = "whether a mutation was answered decides on the release of the Lease"]
pub struct Sending(Token);

impl Sending {
    /// It was answered, or given up after its own time-out.
    pub fn ended(self) {
        let mut state = self.0.state();
        state.sending = state.sending.saturating_sub(1);
    }
}
