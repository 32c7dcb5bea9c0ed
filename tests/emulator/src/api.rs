//! The calls of the service: who calls, in which order a call is checked, and where it goes.
//!
//! The order is: Authorization header, rate, permission, faults, service-linked role, the call itself.

use std::time::Duration;

use crate::calls::Outcome;
use crate::clock::Millis;
use crate::faults::{Fault, Spoil, When};
use crate::ids::is_account;
use crate::refusal::{
    Refusal, internal, invalid_value, no_service_linked_role, refuse, throttled, unauthenticated, unavailable,
};
use crate::region::Place;
use crate::state::State;
use crate::wire::Params;
use crate::xml::{Xml, error_response, response, sts_response};
use crate::{groups, permissions, tags, users};

pub(crate) const DEFAULT_ACCOUNT: &str = "000000000000";
pub(crate) const DEFAULT_REGION: &str = "us-east-1";

/// The calls that are answered: eleven of ElastiCache and one of STS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    CreateUser,
    ModifyUser,
    DeleteUser,
    DescribeUsers,
    CreateUserGroup,
    ModifyUserGroup,
    DeleteUserGroup,
    DescribeUserGroups,
    AddTagsToResource,
    RemoveTagsFromResource,
    ListTagsForResource,
    GetCallerIdentity,
}

impl Action {
    pub(crate) const ALL: [Self; 12] = [
        Self::CreateUser,
        Self::ModifyUser,
        Self::DeleteUser,
        Self::DescribeUsers,
        Self::CreateUserGroup,
        Self::ModifyUserGroup,
        Self::DeleteUserGroup,
        Self::DescribeUserGroups,
        Self::AddTagsToResource,
        Self::RemoveTagsFromResource,
        Self::ListTagsForResource,
        Self::GetCallerIdentity,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CreateUser => "CreateUser",
            Self::ModifyUser => "ModifyUser",
            Self::DeleteUser => "DeleteUser",
            Self::DescribeUsers => "DescribeUsers",
            Self::CreateUserGroup => "CreateUserGroup",
            Self::ModifyUserGroup => "ModifyUserGroup",
            Self::DeleteUserGroup => "DeleteUserGroup",
            Self::DescribeUserGroups => "DescribeUserGroups",
            Self::AddTagsToResource => "AddTagsToResource",
            Self::RemoveTagsFromResource => "RemoveTagsFromResource",
            Self::ListTagsForResource => "ListTagsForResource",
            Self::GetCallerIdentity => "GetCallerIdentity",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// A call by somebody whose account is known.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) place: Place,
    pub(crate) params: Params,
}

impl Call {
    fn action(&self) -> &str {
        self.params.get("Action").unwrap_or_default()
    }
}

/// An answer with its body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) request_id: String,
    pub(crate) body: String,
}

/// What the server has to do for a call; `seq` is its number in the record of calls.
#[derive(Debug)]
pub(crate) enum Step {
    Answer(Answer),
    /// Announce the whole answer, send half of it, close the connection.
    Truncate(Answer),
    /// Close the connection without an answer.
    Close {
        wait: Duration,
    },
    /// Wait, then [`finish`] whatever becomes of the client meanwhile.
    Slow {
        wait: Duration,
        call: Call,
        seq: u64,
    },
}

/// What the headers of a call say about who calls.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) authorization: Option<&'a str>,
    pub(crate) agent: &'a str,
}

/// Takes a call as far as it goes at once. Pure but for the state and the data file.
pub(crate) fn begin(state: &mut State, now: Millis, who: &Caller<'_>, params: Params) -> Step {
    let Some(authorization) = who.authorization else { return Step::Answer(refused(&unauthenticated())) };
    let call = Call { place: caller(authorization), params };
    let at = now.saturating_sub(state.started);
    let seq = state.calls.begin(at, call.action(), &call.params, &call.place, who.agent);
    let step = check(state, now, call, seq);
    match &step {
        Step::Answer(answer) | Step::Truncate(answer) => state.calls.answered(seq, answer.outcome.clone()),
        Step::Close { .. } | Step::Slow { .. } => {}
    }
    step
}

fn check(state: &mut State, now: Millis, call: Call, seq: u64) -> Step {
    // STS is another service, which has a rate of its own.
    let limited = call.action() != Action::GetCallerIdentity.name();
    if limited && !state.limiter.admits(state.settings.rate, &call.place, now) {
        return Step::Answer(refused(&throttled()));
    }
    let asked = permissions::asked(&call, state.region(&call.place, now).0);
    if let Some(refused_for) = asked.iter().find(|asked| !(state.permits)(asked)) {
        return Step::Answer(refused(&permissions::denied(refused_for, &call.place)));
    }
    match state.faults.take(call.action(), &call.params) {
        None => Step::Answer(finish(state, now, &call)),
        Some(Fault::Slow(wait)) => Step::Slow { wait, call, seq },
        Some(Fault::Truncate) => Step::Truncate(finish(state, now, &call)),
        Some(Fault::Spoilt(When::Before, spoil)) => spoilt(spoil),
        Some(Fault::Spoilt(When::After, spoil)) => {
            finish(state, now, &call);
            spoilt(spoil)
        }
    }
}

fn spoilt(spoil: Spoil) -> Step {
    Step::Answer(match spoil {
        Spoil::Error { code, message, status } => refused(&Refusal { status, code, message }),
        Spoil::Throttle => refused(&throttled()),
        Spoil::Unavailable => refused(&unavailable()),
        Spoil::Garbage => Answer {
            outcome: Outcome { status: 200, code: None },
            request_id: request_id(),
            body: "}{ this is no XML & never was <".to_owned(),
        },
        Spoil::Reset => return Step::Close { wait: Duration::ZERO },
        Spoil::Hang(wait) => return Step::Close { wait },
    })
}

/// The call itself, and its true answer. What it changed is in the data file before the answer is given.
pub(crate) fn finish(state: &mut State, now: Millis, call: &Call) -> Answer {
    let result = perform(state, now, call);
    let result = state.save().map_err(internal).and(result);
    match result {
        Ok(body) => {
            let request_id = request_id();
            let body = match Action::parse(call.action()) {
                Some(Action::GetCallerIdentity) => sts_response(call.action(), &body, &request_id),
                Some(_) | None => response(call.action(), &body, &request_id),
            };
            Answer { outcome: Outcome { status: 200, code: None }, request_id, body }
        }
        Err(refusal) => refused(&refusal),
    }
}

fn perform(state: &mut State, now: Millis, call: &Call) -> Result<Xml, Refusal> {
    let params = &call.params;
    let action = Action::parse(params.required("Action")?)
        .ok_or_else(|| refuse("InvalidAction", "The action is not one that this emulator knows."))?;
    // STS needs no role of ElastiCache's.
    if state.settings.no_service_linked_role && action != Action::GetCallerIdentity {
        return Err(no_service_linked_role());
    }
    let (region, settings) = state.region(&call.place, now);
    match action {
        Action::CreateUser => users::create(region, settings, now, params),
        Action::ModifyUser => users::modify(region, settings, now, params),
        Action::DeleteUser => users::delete(region, settings, now, params),
        Action::DescribeUsers => users::describe(region, settings, params),
        Action::CreateUserGroup => groups::create(region, settings, now, params),
        Action::ModifyUserGroup => groups::modify(region, settings, now, params),
        Action::DeleteUserGroup => groups::delete(region, settings, now, params),
        Action::DescribeUserGroups => groups::describe(region, params),
        Action::AddTagsToResource => tags::add(region, settings, now, params),
        Action::RemoveTagsFromResource => tags::remove(region, settings, now, params),
        Action::ListTagsForResource => tags::list(region, now, params),
        Action::GetCallerIdentity => Ok(caller_identity(&call.place)),
    }
}

/// The request could not be read at all.
pub(crate) fn unreadable(sentence: &str) -> Answer {
    refused(&invalid_value(sentence))
}

fn refused(refusal: &Refusal) -> Answer {
    let request_id = request_id();
    let body = error_response(refusal, &request_id);
    Answer { outcome: Outcome { status: refusal.status, code: Some(refusal.code.clone()) }, request_id, body }
}

fn request_id() -> String {
    let hex = format!("{:032x}", fastrand::u128(..));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Account and region of a SigV4 `Authorization` header: the access key id, where it is 12 digits, and the scope.
fn caller(authorization: &str) -> Place {
    let credential = authorization.split_once("Credential=").map_or("", |(_, rest)| rest);
    let credential = credential.split([',', ' ']).next().unwrap_or_default();
    let mut scope = credential.split('/');
    let account = scope.next().filter(|key| is_account(key)).unwrap_or(DEFAULT_ACCOUNT);
    let region = scope.nth(1).filter(|region| !region.is_empty()).unwrap_or(DEFAULT_REGION);
    Place { account: account.to_owned(), region: region.to_owned() }
}

fn caller_identity(Place { account, .. }: &Place) -> Xml {
    let mut xml = Xml::default();
    xml.text("Arn", &format!("arn:aws:iam::{account}:user/emulator"));
    xml.text("UserId", "AIDAEMULATOR");
    xml.text("Account", account);
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_read_from_the_credential() {
        for (authorization, account, region) in [
            (
                "AWS4-HMAC-SHA256 Credential=123456789012/20250101/eu-west-1/elasticache/aws4_request, SignedHeaders=host, Signature=0",
                "123456789012",
                "eu-west-1",
            ),
            (
                "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20250101/eu-west-1/sts/aws4_request,Signature=0",
                DEFAULT_ACCOUNT,
                "eu-west-1",
            ),
            ("AWS4-HMAC-SHA256 Credential=123456789012", "123456789012", DEFAULT_REGION),
            ("Bearer x", DEFAULT_ACCOUNT, DEFAULT_REGION),
            ("", DEFAULT_ACCOUNT, DEFAULT_REGION),
        ] {
            let place = Place { account: account.to_owned(), region: region.to_owned() };
            assert_eq!(caller(authorization), place, "{authorization}");
        }
    }
}
