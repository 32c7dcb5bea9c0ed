//! The operator's process: it drives the real [`Pass`] as `src/reconcile.rs` does, with the model in place of the API server
//! and AWS.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plan::drift::{AtRest, Drift, SecretsShown, drift};
use plan::pace::Pace;
use plan::pass::{Finish, PassResult, Request, Response, Settings};
use plan::*;

use crate::events::Injection;
use crate::model::answer::Kind;
use crate::model::object::Object;
use crate::model::{Answers, Model, timestamp};

/// How much clocks differ. Because of the odd number, two clocks never show the same time.
const CLOCK_BEHIND: Duration = Duration::from_micros(4_000_007);

#[derive(Debug)]
pub(crate) struct Operator {
    number: u32,
    settings: Arc<Settings>,
    /// When the process began.
    started: Duration,
    memory: Memory,
    /// The accounts of credentials that the process knows.
    accounts: BTreeMap<CredentialsId, Account>,
    pass: Option<Pass>,
    /// When the next pass is due. `None`: when something changes.
    pub(crate) due: Option<Duration>,
    next_is_a_check: bool,
    passes: u64,
    /// The object as the last pass left it, if that pass found that it needs nothing, or waits for AWS.
    settled: Option<ObjectFacts>,
    /// The last pass waits for AWS.
    waits: bool,
    /// No pass of this process has looked at the object.
    is_new: bool,
}

impl Operator {
    pub(crate) fn start(number: u32, model: &mut Model) -> Self {
        let identity = format!("process-{number}");
        model.process.clone_from(&identity);
        model.answers = None;
        let settings = Settings {
            pace: Pace::default(),
            region: "us-east-1".to_owned(),
            identity,
            namespaces: Vec::new(),
        };
        Self {
            number,
            settings: Arc::new(settings),
            started: model.now,
            memory: Memory::default(),
            accounts: BTreeMap::new(),
            pass: None,
            due: Some(model.now),
            next_is_a_check: false,
            passes: 0,
            settled: None,
            waits: false,
            is_new: true,
        }
    }

    /// The process is killed, and another one begins.
    pub(crate) fn restart(&mut self, model: &mut Model) {
        model.trace.note(|| "the process is killed, and another one begins".to_owned());
        model.trace.end_chapter();
        model.history.forget_process();
        *self = Self::start(self.number + 1, model);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pass.is_none()
    }

    fn now(&self, model: &Model) -> Now {
        let moment = Moment::after_start(model.now - self.started);
        // The clock of every second process is slow.
        let behind = if self.number.is_multiple_of(2) { CLOCK_BEHIND } else { Duration::ZERO };
        Now { moment, utc: timestamp(model.now - behind) }
    }

    /// Begins a pass if none is under way.
    pub(crate) fn begin(&mut self, model: &mut Model) {
        if self.pass.is_some() {
            return;
        }
        let Some(object) = model.cached() else { return };
        model.trace.end_chapter();
        model.trace.note(|| format!("a pass begins, over version {}", object.version));
        self.passes += 1;
        let (goal, facts) = (object.goal(), object.facts());
        model.answers = Some(Answers::new(object));
        let seed = u64::from(self.number) << 32 | self.passes;
        let (settings, memory) = (self.settings.clone(), self.memory.clone());
        self.pass = Some(Pass::new(settings, goal, facts, memory, seed, self.now(model)));
    }

    /// The next request of the pass, what goes wrong with it, and its answer. Begins a pass if none is under way.
    pub(crate) fn request(&mut self, model: &mut Model, fault: &Injection) {
        self.begin(model);
        loop {
            let now = self.now(model);
            let Some(pass) = &mut self.pass else { return };
            let request = pass.next(now);
            match &request {
                Request::Finish(finish) => return self.finish(finish.clone(), model),
                Request::Log(line) => {
                    let event = line.event.unwrap_or(line.reason);
                    // Each call may fail for each reason, and the walks do not meet all of them. So the reason does not count.
                    let end = if line.code.is_some() { "failed" } else { event };
                    model.history.meet(&format!("{} {end}", line.step));
                    model.trace.note(|| format!("  so: {} {event}: {}", line.step, line.message));
                    pass.handle(Response::Done, now);
                }
                Request::Publish(_) | Request::Count(_) => pass.handle(Response::Done, now),
                _ => return self.answer(&request, fault, model),
            }
        }
    }

    fn answer(&mut self, request: &Request, fault: &Injection, model: &mut Model) {
        model.history.meet(name(request));
        let answered = model.answer(request, fault);
        model.trace.note(|| told(request, fault, answered.as_ref()));
        let now = self.now(model);
        let Some(pass) = &mut self.pass else { return };
        match answered {
            Some(response) => pass.handle(learn(&mut self.accounts, response), now),
            None => self.restart(model),
        }
    }

    fn finish(&mut self, finish: Finish, model: &mut Model) {
        model.trace.note(|| format!("the pass is over: {:?}", finish.result));
        if finish.result == PassResult::Endless {
            model.breach("a pass does not end");
        }
        let due = finish.requeue.map(|pause| model.now + pause);
        // A pass that came early leaves the next one as it was.
        if due.is_none() || due != self.due {
            self.next_is_a_check = finish.requeue.is_none_or(|pause| pause > self.settings.pace.slow_cap);
        }
        if finish.is_settled != self.next_is_a_check && finish.result == PassResult::Done {
            model.breach("the queue is told a wrong class for the next pass");
        }
        self.memory = finish.memory.map(|memory| *memory).unwrap_or_default();
        self.settled = model.object.as_ref().map(Object::facts).filter(|_| finish.is_settled || finish.polls);
        self.waits = finish.polls;
        self.is_new = false;
        self.due = due;
        self.pass = None;
        model.answers = None;
        model.trace.end_chapter();
    }

    /// Looks at the object when that is due: if it is at rest, a listing may show that it needs no pass.
    pub(crate) fn look(&mut self, model: &mut Model) {
        if self.is_idle() && self.rests_by_listing(model) {
            let pace = &self.settings.pace;
            self.due = Some(model.now + if self.waits { pace.until_listing(1) } else { pace.resync });
        } else {
            self.finish_pass(model);
        }
    }

    fn rests_by_listing(&mut self, model: &mut Model) -> bool {
        let Some(object) = model.cached() else { return false };
        let is_as_left =
            || self.settled.as_ref().is_some_and(|settled| settled.decides_like(&object.facts()));
        // A Secret that was written since starts a pass.
        if !(self.is_new || is_as_left()) || !model.secrets_are_as_sent(&object) {
            return false;
        }
        let now = self.now(model);
        self.passes += 1;
        let at_rest = AtRest {
            settings: self.settings.clone(),
            goal: object.goal(),
            object: object.facts(),
            secrets: SecretsShown::AsSent,
            waits: self.waits,
            seed: u64::from(self.number) << 32 | self.passes,
        };
        // While users come and go, a listing may lack a user (B111) or show what was there a moment ago.
        let row = match self.passes % 4 {
            0 => None,
            1 => model.service().describe(true).ok(),
            _ => model.service().describe(false).ok(),
        };
        let drift = drift(at_rest, &mut self.memory, row.as_ref(), now);
        model.trace.note(|| format!("the listing is compared with version {}: {drift:?}", object.version));
        model.history.meet(match drift {
            Drift::Nothing => "at rest by a listing",
            Drift::Unlisted => "not in a listing",
            Drift::Pass { .. } => "woken by a listing",
        });
        drift == Drift::Nothing
    }

    /// Continues to the end of the pass, or runs a whole pass if none is under way.
    pub(crate) fn finish_pass(&mut self, model: &mut Model) {
        loop {
            self.request(model, &Injection::Fine);
            if self.is_idle() {
                return;
            }
        }
    }

    /// Continues until the pass is about to make such a request. `false` if the pass ended before.
    pub(crate) fn reach(&mut self, model: &mut Model, wanted: impl Fn(&str) -> bool) -> bool {
        self.begin(model);
        while let Some(next) = self.upcoming(model) {
            if wanted(next) {
                return true;
            }
            self.request(model, &Injection::Fine);
        }
        false
    }

    /// The request that the pass is about to make.
    pub(crate) fn upcoming(&self, model: &Model) -> Option<&'static str> {
        let (mut pass, now) = (self.pass.clone()?, self.now(model));
        loop {
            match pass.next(now) {
                Request::Log(_) | Request::Publish(_) | Request::Count(_) => pass.handle(Response::Done, now),
                request => return Some(name(&request)),
            }
        }
    }
}

/// Fills in the account that the process has learnt for the credentials, and learns from what AWS says.
fn learn(accounts: &mut BTreeMap<CredentialsId, Account>, response: Response) -> Response {
    match response {
        Response::Described(sight, source) => {
            let account = match &sight {
                UserObservation::Found(user) => Account::Known(user.arn.account().to_owned()),
                UserObservation::NotRead | UserObservation::Absent | UserObservation::Failed(_) => {
                    accounts.get(&source.credentials).cloned().unwrap_or(Account::NotAsked)
                }
            };
            if matches!(account, Account::Known(_)) {
                accounts.insert(source.credentials, account.clone());
            }
            Response::Described(sight, CallSource { account, ..source })
        }
        Response::Identified(source) => {
            if matches!(source.account, Account::Known(_) | Account::Withheld) {
                accounts.insert(source.credentials, source.account.clone());
            }
            Response::Identified(source)
        }
        other => other,
    }
}

/// A request's name; a mutation's is AWS's name of the call.
pub(crate) fn name(request: &Request) -> &'static str {
    match request {
        Request::Call { mutation, .. } => match Kind::of(mutation) {
            Kind::Create => "CreateUser",
            Kind::Modify => "ModifyUser",
            Kind::Claim => "AddTagsToResource (owner)",
            Kind::Tag => "AddTagsToResource",
            Kind::Untag => "RemoveTagsFromResource",
            Kind::Delete => "DeleteUser",
        },
        request => request.name(),
    }
}

/// A request and its answer in one line.
fn told(request: &Request, fault: &Injection, answered: Option<&Response>) -> String {
    let answer = match answered {
        Some(Response::Written(object)) => format!("version {}", object.version.0),
        Some(Response::Object(object)) => {
            format!("version {}", object.as_ref().map_or("none", |object| &object.version.0))
        }
        Some(Response::Resolved(resolved)) => {
            format!("version {}", resolved.as_ref().map_or("none", |(_, object)| &object.version.0))
        }
        Some(Response::Described(UserObservation::Found(user), source)) => format!(
            "{}, {}, {}, {} ({source:?})",
            user.lifecycle.as_str(),
            user.engine,
            user.authentication_type,
            user.access_string
        ),
        Some(response) => format!("{response:?}"),
        None => "none".to_owned(),
    };
    let what = match request {
        Request::WriteStatus(status) => status_line(status),
        Request::Call { mutation, .. } => format!("{mutation:?}"),
        _ => String::new(),
    };
    let fault = if *fault == Injection::Fine { String::new() } else { format!(" [{fault:?}]") };
    format!("  {} {what}{fault} -> {answer}", name(request))
}

fn status_line(status: &Status) -> String {
    let conditions: Vec<String> = status
        .conditions
        .iter()
        .map(|condition| format!("{}={:?} {}", condition.kind.as_str(), condition.status, condition.reason))
        .collect();
    format!(
        "{conditions:?} arn {:?}, location {:?}, state {:?}, lastApplied {:?}, createRequestedAt {:?}, deleteRequestedBy {:?}",
        status.arn.as_ref().map(ToString::to_string),
        status.location,
        status.state,
        status.last_applied,
        status.create_requested_at,
        status.delete_requested_by,
    )
}
