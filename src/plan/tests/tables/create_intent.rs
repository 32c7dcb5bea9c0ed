//! Which tag keys the intent of a CreateUser writes.

use plan::*;

use crate::common::*;

#[test]
fn the_intent_of_a_create_user_keeps_the_tag_keys_of_an_earlier_one_that_is_open() {
    for (creation, expected) in [(Creation::Open, vec!["former", "team"]), (Creation::Closed, vec!["team"])] {
        let last_applied = LastApplied { tag_keys: vec!["former".into()], ..LastApplied::default() };
        let record =
            Record { creation, last_applied: Some(last_applied), has_finalizer: true, ..Record::default() };
        let observed = Observed { record, user: UserObservation::Absent, ..nothing_known() };
        let tag_keys = expected.into_iter().map(str::to_owned).collect();
        let intent = Action::WriteIntent(WriteIntent::Create { tag_keys });
        assert_eq!(plan(&present(), &observed), intent, "{creation:?}");
    }
}
