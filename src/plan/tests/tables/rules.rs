//! `plan` and the rules of the operator's administrator: they hold when a user would be created or adopted.

use plan::*;

use crate::common::plans::*;
use crate::common::*;

fn rule() -> BrokenRule {
    BrokenRule::Forbidden(Feature::Retain)
}

#[test]
fn an_administrators_rule_prevents_new_users_but_not_the_management_of_existing_ones() {
    let broken = || Desired { broken_rules: vec![rule()], adoption: Adoption::Allowed, ..desired() };
    let full = || Desired { full: Some(2), adoption: Adoption::Allowed, ..desired() };
    let elsewhere = || active_seen().tagged(owner_named("other").tags("uid-9"));
    let rows =
        [(broken(), refuse(Refusal::BreaksRule(rule()))), (full(), wait(Wait::NamespaceFull { limit: 2 }))];
    for (desired, barred) in rows {
        let goal = || Goal::Present(desired.clone());
        let plan = || barred.clone();
        check! { goal: goal();
            { claim: "AWS shows first whether there is a user of ours", seen: nothing_known(), plan: fetch_user() },
            { claim: "no user is created, and no Secret is read", seen: nothing_known().absent(), plan: plan() },
            { claim: "nobody's user is not adopted", seen: active_seen().tagged(Tags::new()), plan: plan() },
            { claim: "another's user is no concern: its object is not read", seen: elsewhere(), plan: plan() },
            { claim: "a user on its way out is no concern", seen: in_state(Lifecycle::Deleting), plan: plan() },
            { claim: "a user of ours stays managed", seen: ours().record(managed()), plan: Action::InSync },
            { claim: "also if it lost its owner tags",
              seen: active_seen().tagged(Tags::new()).record(managed()).confirmed(), plan: restore_tags() },
        }
    }
}
