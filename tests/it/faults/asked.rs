//! The AWS calls of a run, and their effects.

use std::collections::BTreeMap;

use elasticache_emulator::user_of;
use serde_json::Value;

use super::case::Disturbance;
use super::fault::{Call, To};

/// The calls of a part of a run.
pub(super) fn called(aws: &[Value], kubernetes: &[String]) -> Vec<Call> {
    let to_aws = aws.iter().map(|call| To::Aws { action: action_of(call), user: user_of(call).to_owned() });
    Call::numbered(to_aws.chain(kubernetes.iter().cloned().map(To::Kubernetes)))
}

fn action_of(call: &Value) -> String {
    call["Action"].as_str().unwrap_or_default().to_owned()
}

/// The mutations of a run, by action. A call that had no effect because of the fault does not count. So the scenario's limit
/// holds for calls: if the operator is killed before AWS got the call, the call is made twice, and only one counts.
#[derive(Debug, Default)]
pub(super) struct Mutations {
    /// Mutations that took effect.
    pub(super) accepted: BTreeMap<String, usize>,
    /// Mutations that AWS refused without a fault. The operator should not have sent them.
    pub(super) refused: BTreeMap<String, usize>,
}

impl Mutations {
    /// Counts the calls of a run, without the one that had no effect because of the fault.
    pub(super) fn among(calls: &[Value], disturbance: Option<&Disturbance<'_>>) -> Self {
        let mut mutations = Self::default();
        for call in calls {
            let action = action_of(call);
            if action.starts_with("Describe") || action.starts_with("List") {
                continue;
            }
            let counts =
                if call["Code"].is_null() { &mut mutations.accepted } else { &mut mutations.refused };
            *counts.entry(action).or_default() += 1;
        }
        let Some(Disturbance { call: Call { to: To::Aws { action, .. }, .. }, fault }) = disturbance else {
            return mutations;
        };
        let accepted = mutations.accepted.get_mut(action);
        match accepted {
            // The test cannot see whether the call took effect later.
            Some(count) if fault.answers_without_effect() || fault.is_late() => {
                *count = count.saturating_sub(1)
            }
            Some(_) | None => {}
        }
        let refused = mutations.refused.get_mut(action);
        match refused {
            // A repeated call may be refused because the first one took effect.
            Some(count) if fault.is_late() => *count = 0,
            Some(count) if fault.is_refusal() => *count = count.saturating_sub(1),
            Some(_) | None => {}
        }
        mutations
    }
}
