//! Pure: whether the user that status remembers can be seen from here at all.

use crate::{
    Account, Action, Fault, Fetch, Location, Observed, Read, Record, RemoteUser, Wait, WrongLocation,
};

/// What UserNotFound means.
pub(crate) enum NotFoundMeaning {
    /// The user is not there.
    Absent,
    /// It may well be there, in another account or region.
    WrongLocation(WrongLocation),
    /// Not known yet.
    Unknown(Action),
}

pub(crate) fn not_found_meaning(observed: &Observed) -> NotFoundMeaning {
    let Some(recorded) = &observed.record.location else {
        return NotFoundMeaning::Absent;
    };
    let called = |account: Option<&String>| Location {
        account: account.cloned(),
        region: observed.source.region.clone(),
    };
    let wrong = |called| NotFoundMeaning::WrongLocation(wrong(&observed.record, recorded, called));
    if recorded.region != observed.source.region {
        return wrong(called(None));
    }
    match (&recorded.account, &observed.source.account) {
        (Some(recorded), Account::Known(account)) if recorded != account => wrong(called(Some(account))),
        (Some(_), Account::NotAsked) => NotFoundMeaning::Unknown(Action::Fetch(Fetch::Account)),
        (
            Some(_),
            Account::Failed(fault @ (Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Credentials(_))),
        ) => NotFoundMeaning::Unknown(Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone()))),
        // Credentials that may not ask will not be told tomorrow either. Nothing waits for ever.
        (
            Some(_),
            Account::Known(_)
            | Account::Withheld
            | Account::Failed(Fault::Denied(_) | Fault::Rejected(..) | Fault::Busy(_)),
        )
        | (None, _) => NotFoundMeaning::Absent,
    }
}

/// The user that AWS shows is not in the place that status remembers.
pub(crate) fn wrong_location(record: &Record, user: &RemoteUser) -> Option<WrongLocation> {
    let (recorded, called) = (record.location.as_ref()?, Location::of(&user.arn));
    let account = called.account.clone().filter(|_| recorded.region == called.region);
    (!recorded.may_be(&called)).then(|| wrong(record, recorded, Location { account, ..called }))
}

fn wrong(record: &Record, recorded: &Location, called: Location) -> WrongLocation {
    WrongLocation { arn: record.arn.clone(), recorded: recorded.clone(), called }
}
