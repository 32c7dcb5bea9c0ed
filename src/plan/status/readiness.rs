//! Which generation the Ready condition is about.

use crate::{ConditionStatus, ConditionType, Status};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Readiness {
    /// No generation is Ready.
    #[default]
    NotReady,
    EarlierGeneration,
    /// This generation was Ready during this process. A difference is drift, even if an attempt to correct it failed and
    /// Ready is False.
    WasReady,
    /// Ready is True for this generation, or Unknown because AWS has not answered for a long time.
    Ready,
}

impl Readiness {
    /// `ready_generation` is the generation that this process last saw Ready.
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

    #[must_use]
    pub fn is_ready(self) -> bool {
        self == Self::Ready
    }

    #[must_use]
    pub fn was_ready(self) -> bool {
        matches!(self, Self::Ready | Self::WasReady)
    }

    #[must_use]
    pub fn any_generation(self) -> bool {
        matches!(self, Self::Ready | Self::EarlierGeneration)
    }
}
