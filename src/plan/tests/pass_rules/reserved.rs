//! Tag keys that a spec must not use. An earlier CRD may have admitted them.

use plan::*;

use crate::common::{desired, our_tags, tags};
use crate::world::{World, world};

#[test]
fn tag_keys_are_reserved_whatever_their_case_and_blanks() {
    let reserved = ["aws:a", " AWS:a", "elasticache-users.dev/name", "\tElastiCache-Users.dev/x "];
    let free = ["team", "aws", "a/aws:", "elasticache-users.dev", "x.elasticache-users.dev/name"];
    for (keys, expected) in [(&reserved[..], true), (&free[..], false)] {
        for key in keys {
            assert_eq!(is_reserved_tag_key(key), expected, "{key:?}");
        }
    }
}

#[test]
fn owner_tags_stay_although_status_says_that_the_spec_once_had_them() {
    let goal = Goal::Present(Desired { tags: tags(&[("team", "shop")]), ..desired() });
    let mut world = World { goal, ..world() };
    let last = world.object.status.last_applied.as_mut().unwrap();
    last.tag_keys = vec![CLUSTER_TAG.into(), NAME_TAG.into(), "old".into(), "team".into()];
    world.tags.insert("old".into(), "x".into());
    world.quiet_pass();
    world.quiet_pass();
    assert_eq!(world.tags, our_tags(), "{:?}", world.asked);
    assert_eq!((world.count("RemoveTags"), world.count("AddTags")), (1, 0), "{:?}", world.asked);
}
