//! No I/O: which sets of credentials have signed calls, and which account each set belongs to.
//!
//! The credentials of a running process can change, and the account with them. An access key ID names one set of
//! credentials: two sets never share one. It stays in this file, and nothing formats it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plan::{Account, CredentialsId};

/// The number of sets that are remembered. The set that was unused for the longest time is forgotten first. A process rarely has
/// more than two.
const REMEMBERED: usize = 16;
/// After this many calls without an answer, STS is not asked about these credentials any more.
const SILENCES: u8 = 2;

/// Clones share what they know.
#[derive(Clone, Default)]
pub(crate) struct KnownCredentials(Arc<Mutex<CredentialSets>>);

#[derive(Default)]
struct CredentialSets {
    /// The set that was used last is the last one.
    recent: Vec<CredentialSet>,
    /// How many numbers were given. The first set gets 1.
    numbered: u32,
}

struct CredentialSet {
    access_key_id: String,
    id: CredentialsId,
    /// Never `Failed`, because a failure that may pass shows nothing about the account.
    account: Account,
    sts: StsRecord,
    /// AWS will not describe the user `default` to these credentials.
    default_user_refused: bool,
}

/// How STS has answered a set of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StsRecord {
    /// It was not asked, or its failure may pass.
    Open,
    /// It could not be reached, or did not answer, this many times.
    Silent(u8),
    /// It will not answer, or has been silent too often.
    Closed,
}

impl KnownCredentials {
    /// The number of the credentials that this `Authorization` header names.
    pub(crate) fn that_signed(&self, authorization: &str) -> CredentialsId {
        let mut sets = self.sets();
        let access_key_id = access_key_id(authorization);
        let known = sets.recent.iter().position(|set| set.access_key_id == access_key_id);
        let set = match known {
            Some(index) => sets.recent.remove(index),
            None => {
                sets.numbered = sets.numbered.saturating_add(1);
                CredentialSet::new(access_key_id, CredentialsId(sets.numbered))
            }
        };
        let id = set.id;
        if sets.recent.len() == REMEMBERED {
            sets.recent.remove(0);
        }
        sets.recent.push(set);
        id
    }

    /// The credentials that signed the last call, and what is known of them.
    pub(crate) fn latest(&self) -> Option<(CredentialsId, Account, StsRecord)> {
        self.sets().recent.last().map(|set| (set.id, set.account.clone(), set.sts))
    }

    pub(crate) fn account(&self, id: CredentialsId) -> Account {
        let sets = self.sets();
        let set = sets.recent.iter().find(|set| set.id == id);
        set.map_or(Account::NotAsked, |set| set.account.clone())
    }

    pub(crate) fn learn_account(&self, id: CredentialsId, account: &str) {
        self.change(id, |set| set.account = Account::Known(account.to_owned()));
    }

    pub(crate) fn sts_was_silent(&self, id: CredentialsId) {
        self.change(id, |set| {
            set.sts = match set.sts {
                StsRecord::Open => StsRecord::Silent(1),
                StsRecord::Silent(times) if times + 1 < SILENCES => StsRecord::Silent(times + 1),
                StsRecord::Silent(_) | StsRecord::Closed => StsRecord::Closed,
            };
        });
    }

    pub(crate) fn sts_refused(&self, id: CredentialsId) {
        self.change(id, |set| set.sts = StsRecord::Closed);
    }

    pub(crate) fn default_user_refused(&self, id: CredentialsId) {
        self.change(id, |set| set.default_user_refused = true);
    }

    fn change(&self, id: CredentialsId, change: impl FnOnce(&mut CredentialSet)) {
        let mut sets = self.sets();
        let Some(set) = sets.recent.iter_mut().find(|set| set.id == id) else { return };
        change(set);
        if set.account == Account::NotAsked && set.sts == StsRecord::Closed && set.default_user_refused {
            set.account = Account::Withheld;
        }
    }

    fn sets(&self) -> MutexGuard<'_, CredentialSets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CredentialSet {
    fn new(access_key_id: &str, id: CredentialsId) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            id,
            account: Account::NotAsked,
            sts: StsRecord::Open,
            default_user_refused: false,
        }
    }
}

impl fmt::Debug for KnownCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownCredentials")
    }
}

/// From `AWS4-HMAC-SHA256 Credential=ID/20261130/us-east-1/elasticache/aws4_request, SignedHeaders=..`.
fn access_key_id(authorization: &str) -> &str {
    let scope = authorization.split_once("Credential=").map_or("", |(_, scope)| scope);
    scope.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
