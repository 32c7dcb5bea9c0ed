//! An object whose user belongs to another object of the cluster: GitOps tools create before they delete.

use std::time::Duration;

use plan::*;

use crate::common::{anothers_tags, desired};
use crate::world::{World, world};

struct Row {
    claim: &'static str,
    other: OwnerObservation,
    /// Seconds since the object was created.
    age: i64,
    adoption: Adoption,
    reason: &'static str,
    stalled: bool,
}

const DEFAULT: Row = Row {
    claim: "",
    other: OwnerObservation::Exists,
    age: 59,
    adoption: Adoption::Never,
    reason: "WaitingForPreviousUser",
    stalled: false,
};

#[test]
fn an_object_whose_user_has_another_owner_is_stalled_after_a_minute_unless_that_owner_is_terminating() {
    let rows = [
        Row { claim: "a new object", ..DEFAULT },
        Row { claim: "by a clock that is ahead", age: -2, ..DEFAULT },
        Row { claim: "a new object that adopts", adoption: Adoption::Allowed, ..DEFAULT },
        Row { claim: "an old one", age: 60, reason: "UserOwnedByAnother", stalled: true, ..DEFAULT },
        Row { claim: "the other object goes", age: 600, other: OwnerObservation::Leaving, ..DEFAULT },
        Row {
            claim: "nobody knows the other object",
            other: OwnerObservation::Unknown,
            reason: "UserOwnedByAnother",
            stalled: true,
            ..DEFAULT
        },
    ];
    for Row { claim, other, age, adoption, reason, stalled } in rows {
        let goal = Goal::Present(Desired { adoption, ..desired() });
        let mut world = World { goal, other, tags: anothers_tags(), ..world() };
        world.object.status = Status::default();
        world.object.has_finalizer = false;
        let created = world.now().utc.0 - age * 1_000_000;
        world.object.created_at = Some(Timestamp(created));
        let finish = world.quiet_pass();
        let status = &world.object.status;
        assert_eq!(status.condition(ConditionType::Ready).unwrap().reason, reason, "{claim}");
        assert_eq!(status.condition(ConditionType::Stalled).is_some(), stalled, "{claim}");
        assert_eq!(status.condition(ConditionType::Reconciling).is_some(), !stalled, "{claim}");
        assert_eq!(world.tags, anothers_tags(), "{claim}: {:?}", world.asked);
        assert!(!world.object.has_finalizer, "{claim}: {:?}", world.asked);
        let soon = finish.requeue.is_some_and(|pause| pause < Duration::from_secs(2));
        assert_eq!(soon, !stalled, "{claim}: {finish:?}");
    }
}
