//! What a run asked of AWS, and what came of it.

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

/// The mutations of a run, by action. With the call that a fault kept from its effect left out, a scenario's bound on what is
/// accepted is a bound on calls: after a kill before the call it is made twice, after a kill behind it once.
#[derive(Debug, Default)]
pub(super) struct Mutations {
    /// Those that took effect.
    pub(super) accepted: BTreeMap<String, usize>,
    /// Those that AWS refused by itself: the operator should have known better.
    pub(super) refused: BTreeMap<String, usize>,
}

impl Mutations {
    /// Of all calls of a run, the one that the disturbance struck apart where it had no effect.
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
            // Whether it took effect in the end is not told.
            Some(count) if fault.hides_no_effect() || fault.is_late() => *count = count.saturating_sub(1),
            Some(_) | None => {}
        }
        let refused = mutations.refused.get_mut(action);
        match refused {
            // One that repeats it may meet it.
            Some(count) if fault.is_late() => *count = 0,
            Some(count) if fault.is_refusal() => *count = count.saturating_sub(1),
            Some(_) | None => {}
        }
        mutations
    }
}
