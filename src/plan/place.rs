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
    let Some(recorded) = &observed.record.arn else {
        return Absence::Here;
    };
    let region = &observed.here.region;
    let elsewhere = |account: Option<&String>| {
        Absence::Elsewhere(Elsewhere {
            recorded: recorded.clone(),
            region: region.clone(),
            account: account.cloned(),
        })
    };
    if recorded.region() != region {
        return elsewhere(None);
    }
    match &observed.here.account {
        Account::Known(account) if recorded.account() != account => elsewhere(Some(account)),
        Account::Known(_) => Absence::Here,
        Account::Unasked => Absence::Ask(Action::Look(Look::Account)),
        // A role that may not describe `default` will not tell tomorrow either: nothing waits for ever.
        Account::Untold | Account::Failed(Fault::Denied(_) | Fault::Rejected(..) | Fault::Busy(_)) => {
            Absence::Here
        }
        Account::Failed(fault @ (Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Credentials(_))) => {
            Absence::Ask(Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone())))
        }
    }
}

/// The user that AWS shows is not in the place that status remembers.
pub(crate) fn elsewhere(record: &Record, user: &RemoteUser) -> Option<Elsewhere> {
    record.arn.as_ref().filter(|recorded| !recorded.same_place(&user.arn)).map(|recorded| Elsewhere {
        recorded: recorded.clone(),
        region: user.arn.region().to_owned(),
        account: (recorded.region() == user.arn.region()).then(|| user.arn.account().to_owned()),
    })
}
