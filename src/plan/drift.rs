//! Whether an object at rest needs a pass. One listing of all users is compared with all objects at rest.
//!
//! No second set of rules compares them: the row of the listing answers a [`Pass`] on paper. If that pass would end without
//! another request, nothing has to be done. Otherwise the object gets a real pass, which looks at the user itself. So no
//! mutation and no release rests on a listing, and a user that the listing does not show is not taken for absent. One status
//! does: a row may show that AWS has applied a ModifyUser, and then the real pass only writes that.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::pass::{Finish, PassResult, Request, Response, Settings};
use crate::{
    Account, CallSource, CredentialsId, Definition, Goal, Memory, Now, ObjectFacts, Pass, RemoteUser,
    UserObservation,
};

/// An object that no pass is due for: its last pass left nothing to do, or waits for AWS.
#[derive(Clone, Debug)]
pub struct AtRest {
    pub settings: Arc<Settings>,
    pub goal: Goal,
    pub object: ObjectFacts,
    pub secrets: SecretsShown,
    /// The last pass waits for AWS to finish something, and the listing replaces the next look.
    pub waits: bool,
    /// For jitter.
    pub seed: u64,
}

/// What the watch of Secrets shows of those that the object names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretsShown {
    /// All are there, in the versions that status shows as sent.
    AsSent,
    /// All are there, and some were written since.
    Written,
    /// One is missing or not watched.
    Unknown,
}

/// What an object at rest needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// Nothing: a pass would only find that all is as it should be.
    Nothing,
    /// Its user has to be seen, and the listing does not show it.
    Unlisted,
    /// A pass.
    Pass {
        /// What the pass would ask for, for the log.
        wants: &'static str,
    },
}

/// Compares the object with its row in a listing. `None`: the listing does not show the user. If nothing has to be done, the
/// memory is that of the pass on paper.
pub fn drift(at_rest: AtRest, memory: &mut Memory, listed: Option<&RemoteUser>, now: Now) -> Drift {
    let AtRest { settings, goal, object, secrets, waits, seed } = at_rest;
    let unchanged = match secrets {
        SecretsShown::AsSent => true,
        // Each new version starts a pass. If it reads no Secret, because AWS is busy with the user, another one has to follow.
        SecretsShown::Written => memory.secrets_compared,
        SecretsShown::Unknown => false,
    };
    let source = CallSource {
        region: settings.region.clone(),
        credentials: CredentialsId(0),
        account: Account::NotAsked,
    };
    // Otherwise a pass would take itself for one that a Secret started, and only compare passwords.
    memory.pacing.take_planned();
    memory.keep_row(None, now.moment);
    let mut pass = Pass::new(settings, goal, object, memory.clone(), seed, now);
    if unchanged {
        pass.trust_secrets();
    }
    loop {
        let request = pass.next(now);
        let wants = request.name();
        let writes_status = matches!(request, Request::WriteStatus(_));
        let response = match (on_paper(request, waits), listed) {
            (Paper::Answered(response), _) => *response,
            (Paper::User, Some(user)) => {
                Response::Described(UserObservation::Found(user.clone()), source.clone())
            }
            (Paper::User, None) => return Drift::Unlisted,
            (Paper::AtRest(after), _) => {
                *memory = *after;
                return Drift::Nothing;
            }
            (Paper::Real, row) => {
                memory.keep_row(row.filter(|_| writes_status), now.moment);
                return Drift::Pass { wants };
            }
        };
        pass.handle(response, now);
    }
}

/// What becomes of a request of the pass on paper.
enum Paper {
    Answered(Box<Response>),
    /// The row of the listing answers it.
    User,
    /// Only a real pass may make it.
    Real,
    AtRest(Box<Memory>),
}

fn on_paper(request: Request, waits: bool) -> Paper {
    match request {
        Request::AcquireToken => Paper::Answered(Box::new(Response::Token)),
        Request::Log(_) => Paper::Answered(Box::new(Response::Done)),
        Request::DescribeUser(_) => Paper::User,
        // What the groups know only matters if a membership is missing, and then a pass has to say so.
        Request::ReadGroups(_) => Paper::Answered(Box::new(Response::Groups(BTreeMap::new()))),
        // While AWS deletes the user, it does not matter whether the definition goes too.
        Request::ReadDefinition if waits => Paper::Answered(Box::new(Response::Definition(Definition::Kept))),
        Request::Finish(Finish {
            memory: Some(after), is_settled, polls, result: PassResult::Done, ..
        }) if is_settled || waits && polls => Paper::AtRest(after),
        Request::ListTags(_)
        | Request::Identify
        | Request::IdentifyCaller
        | Request::ReadOwner(_)
        | Request::ReadPasswords
        | Request::ReadDefinition
        | Request::ReadObject
        | Request::ReadNamesake(_)
        | Request::Resolve
        | Request::AddFinalizer
        | Request::RemoveFinalizer
        | Request::WriteStatus(_)
        | Request::Call { .. }
        | Request::Publish(_)
        | Request::Count(_)
        | Request::Finish(_) => Paper::Real,
    }
}
