//! Pure: where an answer of AWS came from.

use crate::Account;

/// Which set of credentials signed a call: a number that the process gives each set in the order of first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialsId(pub u32);

/// Where an answer of AWS came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallSource {
    /// The region that the call was sent to.
    pub region: String,
    /// The credentials that signed the call.
    pub credentials: CredentialsId,
    /// The account of these credentials.
    pub account: Account,
}
