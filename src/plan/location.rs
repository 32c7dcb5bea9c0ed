//! Whether AWS calls go to the account and region of the user in status.

use crate::{
    Account, Action, Creation, Fault, Fetch, Location, Observed, Read, Record, RemoteUser, UserObservation,
    Wait, WrongLocation,
};

pub(crate) enum NotFoundMeaning {
    Absent,
    /// The user may exist in another account or region.
    WrongLocation(WrongLocation),
    Unknown(Action),
}

/// UserNotFound proves that the user is gone. If it does not, neither status nor memory may forget the user.
pub(crate) fn is_gone(observed: &Observed) -> bool {
    observed.user == UserObservation::Absent
        && observed.record.creation == Creation::Closed
        && matches!(not_found_meaning(observed), NotFoundMeaning::Absent)
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
        // Credentials that may not read the account now will not read it later. A deletion must not wait for ever, so only
        // the region counts.
        (
            Some(_),
            Account::Known(_)
            | Account::Withheld
            | Account::Failed(Fault::Denied(_) | Fault::Rejected(..) | Fault::Busy(_)),
        )
        | (None, _) => NotFoundMeaning::Absent,
    }
}

/// AWS shows the user in another account or region than status has.
pub(crate) fn wrong_location(record: &Record, user: &RemoteUser) -> Option<WrongLocation> {
    let (recorded, called) = (record.location.as_ref()?, Location::of(&user.arn));
    let account = called.account.clone().filter(|_| recorded.region == called.region);
    (!recorded.may_be(&called)).then(|| wrong(record, recorded, Location { account, ..called }))
}

fn wrong(record: &Record, recorded: &Location, called: Location) -> WrongLocation {
    WrongLocation { arn: record.arn.clone(), recorded: recorded.clone(), called }
}
