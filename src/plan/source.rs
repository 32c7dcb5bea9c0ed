use crate::Account;

/// A set of credentials. The process numbers the sets in the order of their first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialsId(pub u32);

/// Where an answer of AWS came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallSource {
    pub region: String,
    pub credentials: CredentialsId,
    pub account: Account,
}
