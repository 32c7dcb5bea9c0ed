//! All rows about `verdict`. `tests/it/reference/reasons.rs` writes a page of the book from them.

mod faults;
mod groups;
mod living;
mod terminating;

use super::common;
use super::common::verdicts::Row;

pub(crate) fn all_rows() -> Vec<Row> {
    [
        living::rows(),
        living::other_goals(),
        terminating::rows(),
        faults::rows(),
        faults::refusals(),
        faults::silence(),
        groups::rows(),
    ]
    .concat()
}
