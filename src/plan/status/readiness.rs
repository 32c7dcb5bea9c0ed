//! Pure: how the Ready condition stands to the generation at hand.

use crate::{ConditionStatus, ConditionType, Status};

/// How the Ready condition stands to the generation at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Readiness {
    /// No generation is Ready.
    #[default]
    NotReady,
    /// Ready is True, of another generation.
    EarlierGeneration,
    /// This generation was Ready while this process ran. A difference is nobody's edit, though an attempt to correct it
    /// may have failed.
    WasReady,
    /// This generation is Ready (or Ready is Unknown, because AWS has not answered for long).
    Ready,
}

impl Readiness {
    /// Reads status. `ready_generation` is the generation that this process last saw Ready.
    #[must_use]
    pub fn of(status: &Status, generation: Option<i64>, ready_generation: Option<i64>) -> Self {
        let ready = status.condition(ConditionType::Ready);
        let is_true = ready.is_some_and(|ready| ready.status == ConditionStatus::True);
        let current = ready.filter(|ready| ready.observed_generation == generation);
        if current.is_some_and(|ready| ready.status != ConditionStatus::False) {
            Self::Ready
        } else if ready_generation.is_some() && ready_generation == generation {
            Self::WasReady
        } else if is_true {
            Self::EarlierGeneration
        } else {
            Self::NotReady
        }
    }

    /// The generation at hand is Ready.
    #[must_use]
    pub fn is_ready(self) -> bool {
        self == Self::Ready
    }

    /// The generation at hand is Ready, or was while this process ran.
    #[must_use]
    pub fn was_ready(self) -> bool {
        matches!(self, Self::Ready | Self::WasReady)
    }

    /// Status says Ready=True or Unknown, of whatever generation.
    #[must_use]
    pub fn any_generation(self) -> bool {
        matches!(self, Self::Ready | Self::EarlierGeneration)
    }
}
