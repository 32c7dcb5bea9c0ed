//! The record of all calls, for tests to look at.

use serde_json::{Value, json};

use crate::clock::Millis;
use crate::region::Place;
use crate::wire::Params;

/// Every call since the last reset, in the order in which they came in.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// The number of the last call; it goes on after a reset, so that two readers cannot mistake calls for others.
    last: u64,
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    seq: u64,
    at: Millis,
    action: String,
    params: Params,
    place: Place,
    agent: String,
    outcome: Option<Outcome>,
}

/// The HTTP status and error code of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
}

impl Calls {
    /// Notes a call `at` milliseconds after the start, as yet without an answer; gives its number.
    pub(crate) fn begin(
        &mut self,
        at: Millis,
        action: &str,
        params: &Params,
        place: &Place,
        agent: &str,
    ) -> u64 {
        self.last += 1;
        self.calls.push(Call {
            seq: self.last,
            at,
            action: action.to_owned(),
            params: params.clone(),
            place: place.clone(),
            agent: agent.to_owned(),
            outcome: None,
        });
        self.last
    }

    /// Notes how a call was answered, unless it has been dropped by a reset.
    pub(crate) fn answered(&mut self, seq: u64, outcome: Outcome) {
        if let Ok(index) = self.calls.binary_search_by_key(&seq, |call| call.seq) {
            self.calls[index].outcome = Some(outcome);
        }
    }

    pub(crate) fn reset(&mut self) {
        self.calls.clear();
    }

    pub(crate) fn to_json(&self) -> Value {
        let call = |call: &Call| {
            json!({
                "Seq": call.seq,
                "At": call.at,
                "Action": call.action,
                "Params": call.params.as_map(),
                "Status": call.outcome.as_ref().map(|outcome| outcome.status),
                "Code": call.outcome.as_ref().and_then(|outcome| outcome.code.as_deref()),
                "Account": call.place.account,
                "Region": call.place.region,
                "UserAgent": call.agent,
            })
        };
        self.calls.iter().map(call).collect()
    }
}
