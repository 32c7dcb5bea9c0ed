//! I/O: finds out which AWS account the credentials belong to.
//!
//! STS GetCallerIdentity needs no permission. If STS cannot be reached or refuses, the ARN of the user `default` shows the
//! account, because every account has this user (B20).

use std::sync::Arc;

use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;
use plan::classify::Answer;
use plan::{Account, AwsError, CallSource, CredentialsId, DEFAULT_USER, Fault, Rejection, RemoteUser, Tags};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::adapter::fault_in;
use crate::call_log::{Call, CallFacts, Operation};
use crate::credentials::StsRecord;
use crate::{Aws, Identity, UserPage};

/// One caller asks at a time. Callers that waited meanwhile take over the result of the same question.
pub(crate) type IdentifyTurn = Arc<Mutex<LastAttempts>>;

#[derive(Default)]
pub(crate) struct LastAttempts {
    by_any_call: Option<IdentifyAttempt>,
    by_sts: Option<IdentifyAttempt>,
}

struct IdentifyAttempt {
    ended: Instant,
    source: CallSource,
}

impl IdentifyAttempt {
    fn new(source: &CallSource) -> Self {
        Self { ended: Instant::now(), source: source.clone() }
    }
}

/// The result of an attempt that ended while the caller waited for its turn.
fn shared_result(last: Option<&IdentifyAttempt>, arrived: Instant) -> Option<CallSource> {
    last.filter(|last| last.ended > arrived).map(|last| last.source.clone())
}

/// An answer may show the account of the credentials that signed the call.
pub(crate) trait AccountInAnswer {
    fn account(&self) -> Option<&str>;
}

impl AccountInAnswer for RemoteUser {
    fn account(&self) -> Option<&str> {
        Some(self.arn.account())
    }
}

impl AccountInAnswer for UserPage {
    fn account(&self) -> Option<&str> {
        self.users.first()?.account()
    }
}

impl AccountInAnswer for Identity {
    fn account(&self) -> Option<&str> {
        Some(&self.account)
    }
}

impl AccountInAnswer for Tags {
    fn account(&self) -> Option<&str> {
        None
    }
}

impl AccountInAnswer for () {
    fn account(&self) -> Option<&str> {
        None
    }
}

impl Aws {
    pub(crate) async fn identify_account(&self) -> CallSource {
        let arrived = Instant::now();
        let mut turn = self.identifying.lock().await;
        if let Some(source) = self.latest_if_settled() {
            return source;
        }
        if let Some(source) = shared_result(turn.by_any_call.as_ref(), arrived) {
            return source;
        }
        let mut source = self.ask_for_account().await;
        if matches!(&source.account, Account::Failed(fault) if !is_passing(fault)) {
            // Both refused and it is not settled: the credentials changed between the two questions.
            source = self.ask_for_account().await;
        }
        turn.by_any_call = Some(IdentifyAttempt::new(&source));
        source
    }

    /// Asks STS, unless it was silent or refused before.
    pub(crate) async fn identify_by_sts(&self) -> CallSource {
        let arrived = Instant::now();
        let mut turn = self.identifying.lock().await;
        match self.credentials.latest() {
            Some((_, Account::NotAsked, StsRecord::Open)) | None => {}
            Some((credentials, account, _)) => {
                return CallSource { region: self.region.clone(), credentials, account };
            }
        }
        if let Some(source) = shared_result(turn.by_sts.as_ref(), arrived) {
            return source;
        }
        let (source, _) = self.ask_sts().await;
        turn.by_sts = Some(IdentifyAttempt::new(&source));
        source
    }

    fn latest_if_settled(&self) -> Option<CallSource> {
        let (credentials, account, _) = self.credentials.latest()?;
        let settled = is_final(&account);
        settled.then(|| CallSource { region: self.region.clone(), credentials, account })
    }

    async fn ask_for_account(&self) -> CallSource {
        let sts = self.credentials.latest().map_or(StsRecord::Open, |(_, _, sts)| sts);
        if sts == StsRecord::Open {
            let (source, failed) = self.ask_sts().await;
            if is_final(&source.account) {
                return source;
            }
            let (source, fault) = self.ask_for_default_user().await;
            return unless_settled(source, [failed, fault]);
        }
        let (source, fault) = self.ask_for_default_user().await;
        let refused = fault.as_ref().is_some_and(|fault| !is_passing(fault));
        if is_final(&source.account) || !refused || sts == StsRecord::Closed {
            return unless_settled(source, [None, fault]);
        }
        // STS was silent once, which may have been passing trouble. No other call can show the account.
        let (source, failed) = self.ask_sts().await;
        unless_settled(source, [failed, fault])
    }

    async fn ask_sts(&self) -> (CallSource, Option<Fault>) {
        let (answer, facts) = self.caller_identity(&self.sts).await;
        let fault = answer.err().map(fault_in);
        if let (Some(fault), Some(id)) = (&fault, facts.credentials) {
            if facts.status.is_none() || !facts.whole {
                self.credentials.sts_was_silent(id);
            } else if !is_passing(fault) {
                self.credentials.sts_refused(id);
            }
        }
        (self.source(&facts), fault)
    }

    async fn ask_for_default_user(&self) -> (CallSource, Option<Fault>) {
        let (answer, facts) = self.describe_one(DEFAULT_USER).await;
        let fault = answer.err().map(|answer| match answer {
            Answer::NotFound => {
                let error = AwsError::new("UserNotFound", "AWS does not show the user `default`.");
                Fault::Rejected(Rejection::Other, error)
            }
            Answer::AlreadyExists | Answer::Fault(_) => fault_in(answer),
        });
        let refused = fault.as_ref().is_some_and(|fault| !is_passing(fault));
        if let Some(id) = facts.credentials.filter(|_| refused) {
            self.credentials.default_user_refused(id);
        }
        (self.source(&facts), fault)
    }

    /// GetCallerIdentity.
    pub(crate) async fn caller_identity(
        &self,
        sts: &aws_sdk_sts::Client,
    ) -> (Result<Identity, Answer>, CallFacts) {
        let seen = self.interceptor(Operation::GetCallerIdentity);
        let call = Call::new(Operation::GetCallerIdentity, "", &[]);
        let sent = sts.get_caller_identity().customize().interceptor(seen.clone()).send();
        let read =
            |answer: GetCallerIdentityOutput| Some(Identity { account: answer.account?, arn: answer.arn? });
        let answer = self.finish(call, &seen, sent, read).await;
        (answer, seen.ended())
    }

    /// Where the answer to a call came from. `CredentialsId(0)`: the call was not signed.
    pub(crate) fn source(&self, facts: &CallFacts) -> CallSource {
        let credentials = facts.credentials.unwrap_or(CredentialsId(0));
        let account = self.credentials.account(credentials);
        CallSource { region: self.region.clone(), credentials, account }
    }
}

/// Asking again would give the same result.
fn is_final(account: &Account) -> bool {
    match account {
        Account::Known(_) | Account::Withheld => true,
        Account::NotAsked | Account::Failed(_) => false,
    }
}

/// Asking again later may help.
fn is_passing(fault: &Fault) -> bool {
    match fault {
        Fault::Denied(_) | Fault::Rejected(..) => false,
        Fault::Busy(_) | Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Credentials(_) => true,
    }
}

/// If the account is not settled, the fault says why: one that may pass, if there is one.
fn unless_settled(source: CallSource, faults: [Option<Fault>; 2]) -> CallSource {
    if is_final(&source.account) {
        return source;
    }
    let faults: Vec<Fault> = faults.into_iter().flatten().collect();
    let fault = faults.iter().rfind(|fault| is_passing(fault)).or(faults.last()).cloned();
    CallSource { account: fault.map_or(Account::NotAsked, Account::Failed), ..source }
}
