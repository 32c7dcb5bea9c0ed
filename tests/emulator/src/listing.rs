//! Pages (B96) and filters (B98) of the two describe calls.

use crate::records::User;
use crate::refusal::{Refusal, invalid_value};
use crate::wire::Params;

const MAX_RECORDS: std::ops::RangeInclusive<usize> = 20..=100;

/// What comes before the id in a marker: markers are opaque, and what is none is refused.
const MARKER_PREFIX: &str = "after:";

/// Which part of a list is asked for.
#[derive(Debug)]
pub(crate) struct Page {
    max_records: usize,
    /// The last id of the page before.
    after: Option<String>,
}

impl Page {
    pub(crate) fn read(params: &Params) -> Result<Self, Refusal> {
        let max_records = match params.get("MaxRecords") {
            None => *MAX_RECORDS.end(),
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| MAX_RECORDS.contains(number))
                .ok_or_else(|| invalid_value("The parameter MaxRecords must be between 20 and 100."))?,
        };
        let after = match params.get("Marker") {
            None | Some("") => None,
            Some(marker) => Some(
                marker
                    .strip_prefix(MARKER_PREFIX)
                    .ok_or_else(|| invalid_value("The parameter Marker is not one that this service gave."))?
                    .to_owned(),
            ),
        };
        Ok(Self { max_records, after })
    }

    /// The page of `all`, and the marker of the next page if there is one. `all` is in an order that depends on the
    /// ids alone: `default`, then the others by id; so what is deleted between two pages moves nothing.
    pub(crate) fn of<'a, T>(
        &self,
        all: impl Iterator<Item = &'a T>,
        id: impl Fn(&T) -> &String,
    ) -> (Vec<&'a T>, Option<String>) {
        let order = |id: &str| (id != crate::region::DEFAULT, id.to_owned());
        let after = self.after.as_deref().map(order);
        let mut rest = all.skip_while(|item| after.as_ref().is_some_and(|after| order(id(item)) <= *after));
        let page: Vec<&T> = rest.by_ref().take(self.max_records).collect();
        let marker = rest.next().and(page.last()).map(|last| format!("{MARKER_PREFIX}{}", id(last)));
        (page, marker)
    }
}

/// What a page may show if users come and go meanwhile (B111): its rows in any order, without about a fifth of them, and with about
/// a tenth of all users besides.
pub(crate) fn unsettled<'a, T>(page: Vec<&'a T>, all: impl Iterator<Item = &'a T>) -> Vec<&'a T> {
    let kept = page.into_iter().filter(|_| fastrand::u8(..5) > 0);
    let mut rows: Vec<&T> = kept.chain(all.filter(|_| fastrand::u8(..10) == 0)).collect();
    fastrand::shuffle(&mut rows);
    rows
}

/// `Filters.member.N.Name` and `.Values.member.M`: all filters must accept, each by any of its values.
#[derive(Debug)]
pub(crate) struct Filters(Vec<(Property, Vec<String>)>);

#[derive(Clone, Copy, Debug)]
enum Property {
    UserId,
    UserName,
    Status,
    Engine,
}

impl Filters {
    /// A name that is not known is refused, never ignored.
    pub(crate) fn read(params: &Params) -> Result<Self, Refusal> {
        let filter = |number: u64| {
            let property = match params.required(&format!("Filters.member.{number}.Name"))? {
                "UserId" => Property::UserId,
                "UserName" => Property::UserName,
                "Status" => Property::Status,
                "Engine" => Property::Engine,
                name => {
                    let known = "UserId, UserName, Status and Engine";
                    return Err(invalid_value(format!("Unknown filter {name}: there are {known}.")));
                }
            };
            let values = params.list(&format!("Filters.member.{number}.Values.member"));
            if values.is_empty() {
                return Err(invalid_value("A filter must have at least one value."));
            }
            Ok((property, values.into_iter().map(str::to_owned).collect()))
        };
        params.items("Filters.member").into_iter().map(filter).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a user that shows this engine is among what is asked for.
    pub(crate) fn accept(&self, user: &User, engine: &str) -> bool {
        self.0.iter().all(|(property, values)| {
            values.iter().any(|value| match property {
                Property::UserId => value.to_lowercase() == user.id,
                Property::UserName => *value == user.name,
                Property::Status => *value == user.phase.status,
                Property::Engine => value.eq_ignore_ascii_case(engine),
            })
        })
    }

    /// The model gives DescribeUserGroups none.
    pub(crate) fn refuse_any(params: &Params) -> Result<(), Refusal> {
        if params.items("Filters.member").is_empty() {
            Ok(())
        } else {
            Err(invalid_value("This call takes no Filters."))
        }
    }
}
