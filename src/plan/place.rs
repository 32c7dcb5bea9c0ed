//! Pure: whether the user that status remembers can be seen from here at all.

use crate::*;

/// What UserNotFound means.
pub(crate) enum Absence {
    /// The user is not there.
    Here,
    /// It may well be there, in another account or region.
    Elsewhere(Elsewhere),
    /// Not known yet.
    Ask(Action),
}

pub(crate) fn absence(observed: &Observed) -> Absence {
    let Some(recorded) = &observed.record.location else {
        return Absence::Here;
    };
    let called = |account: Option<&String>| Location {
        account: account.cloned(),
        region: observed.source.region.clone(),
    };
    let elsewhere = |called| Absence::Elsewhere(wrong(&observed.record, recorded, called));
    if recorded.region != observed.source.region {
        return elsewhere(called(None));
    }
    match (&recorded.account, &observed.source.account) {
        (Some(recorded), Account::Known(account)) if recorded != account => elsewhere(called(Some(account))),
        (Some(_), Account::Unasked) => Absence::Ask(Action::Look(Look::Account)),
        (
            Some(_),
            Account::Failed(fault @ (Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Credentials(_))),
        ) => Absence::Ask(Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone()))),
        // Credentials that may not ask will not be told tomorrow either. Nothing waits for ever.
        (
            Some(_),
            Account::Known(_)
            | Account::Untold
            | Account::Failed(Fault::Denied(_) | Fault::Rejected(..) | Fault::Busy(_)),
        )
        | (None, _) => Absence::Here,
    }
}

/// The user that AWS shows is not in the place that status remembers.
pub(crate) fn elsewhere(record: &Record, user: &RemoteUser) -> Option<Elsewhere> {
    let (recorded, called) = (record.location.as_ref()?, Location::of(&user.arn));
    let account = called.account.clone().filter(|_| recorded.region == called.region);
    (!recorded.may_be(&called)).then(|| wrong(record, recorded, Location { account, ..called }))
}

fn wrong(record: &Record, recorded: &Location, called: Location) -> Elsewhere {
    Elsewhere { arn: record.arn.clone(), recorded: recorded.clone(), called }
}
