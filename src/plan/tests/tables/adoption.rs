//! `plan` and a user that existed before its object: adoption, and owners that no longer exist.

use plan::*;

use crate::common::plans::*;
use crate::common::*;

fn with(adoption: Adoption) -> Goal {
    Goal::Present(Desired { adoption, ..desired() })
}

fn adopts() -> Goal {
    with(Adoption::Allowed)
}

/// A user without any tag.
fn bare() -> Observed {
    active_seen().tagged(Tags::new())
}

fn of(owner: &Owner) -> Observed {
    active_seen().tagged(owner.tags("uid-9"))
}

fn not_allowed(namespace: &str, former: Option<Owner>) -> Action {
    refuse(Refusal::AdoptionNotAllowed { namespace: namespace.into(), former })
}

fn adopt(tags: Tags) -> Action {
    Action::Tag(Tag { arn: arn(), tags, cause: Cause::Adoption })
}

#[test]
fn an_unowned_user_is_adopted_only_if_the_object_and_the_namespace_allow_it() {
    let named = || nothing_known().seen(user_with(|user| user.user_name = "x".into()));
    let untagged = || Goal::Present(Desired { tags: Tags::new(), adoption: Adoption::Allowed, ..desired() });
    let busy = |lifecycle| in_state(lifecycle).remembering(Ownership::Unowned);
    let object = || fetch(Fetch::Object);
    let former = || {
        with_applied(LastApplied { password_versions: versions(&["uid-s/7/key"]), ..applied(WANTED, None) })
    };
    check! { goal: adopts();
        { claim: "the object does not ask for it", goal: with(Adoption::Never), seen: bare(), plan: already_exists() },
        { claim: "the namespace does not allow it",
          goal: with(Adoption::NotAllowed), seen: bare(), plan: not_allowed("shop", None) },
        { claim: "the administrator forbids it",
          goal: with(Adoption::Forbidden), seen: bare(), plan: refuse(Refusal::AdoptionForbidden) },
        { claim: "the keys of the spec's tags are recorded first", seen: bare(), plan: tags_intent(&["team"]) },
        { claim: "the object is read again after that", seen: bare().intent_written(), plan: object() },
        { claim: "then one call sets the owner tags and the spec's", seen: bare().intent_written().confirmed(), plan: adopt(our_tags()) },
        { claim: "without tags in the spec no intent is needed", goal: untagged(), seen: bare(), plan: object() },
        { claim: "without tags in the spec only the owner tags are set", goal: untagged(), seen: bare().confirmed(), plan: adopt(owner_tags()) },
        { claim: "a user with some of our owner tags and none of another's is unowned",
          seen: active_seen().tagged(tags(&[(CLUSTER_TAG, "prod")])), plan: tags_intent(&["team"]) },
        { claim: "the versions of passwords that a former user had leave status first",
          seen: bare().record(former()), plan: tags_and_passwords_intent(&["team"]) },
        { claim: "so they do if the keys are recorded already",
          seen: bare().record(with_applied(LastApplied { tag_keys: texts(&["team"]), ..former().last_applied.unwrap() })),
          plan: tags_and_passwords_intent(&["team"]) },
        { claim: "other tags of the user stay",
          seen: active_seen().tagged(tags(&[("cost-center", "7")])).intent_written().confirmed(), plan: adopt(our_tags()) },
        { claim: "a user with another user name is not tagged", seen: named().tagged(Tags::new()), plan: other_name("x") },
        { claim: "this pass must read the tags", seen: busy(Lifecycle::Active), plan: fetch_tags() },
        { claim: "tags that AWS does not show are waited for", seen: active_seen().unreadable(), plan: owner_unknown(Lifecycle::Active) },
        { claim: "a modifying user is waited for", seen: busy(Lifecycle::Modifying), plan: not_active(Lifecycle::Modifying) },
        { claim: "a user in an unknown state is waited for", seen: busy(odd()), plan: not_active(odd()) },
        { claim: "a user that AWS deletes is waited for", seen: busy(Lifecycle::Deleting), plan: wait(Wait::PreviousUser) },
        { claim: "a user of ours that lost its owner tags is not adopted: they are restored",
          seen: bare().record(managed()).confirmed(), plan: restore_tags() },
    }
}

#[test]
fn a_user_of_another_object_is_unowned_once_that_object_is_known_to_be_gone() {
    let other = || owner_named("other");
    let seen = || of(&other());
    let was_gone = || seen().other_owner(OwnerObservation::Gone);
    let abroad = || Owner { cluster: "staging".into(), ..other() };
    let moved = || Owner { namespace: "web".into(), ..owner() };
    let path = || Owner { name: "../../../../api/v1/namespaces/shop/secrets/a".into(), ..owner() };
    let far = || Owner { namespace: "web/elasticacheusers/..".into(), ..owner() };
    let without = |owner: Owner, key: &str| {
        let tags = owner.tags("uid-9").into_iter().filter(|(tag, _)| tag != key).collect();
        active_seen().tagged(tags).other_owner(OwnerObservation::Gone)
    };
    let owned_by = |owner| refuse(Refusal::UserOwnedByAnother(owner));
    let missing = || Owner::MISSING.to_owned();
    check! { goal: adopts();
        { claim: "the object that the tags name is read", seen: seen(), plan: fetch(Fetch::Owner(other())) },
        { claim: "the object is read without adoption too, because the message differs",
          goal: with(Adoption::Never), seen: seen(), plan: fetch(Fetch::Owner(other())) },
        { claim: "the object exists", seen: seen().other_owner(OwnerObservation::Exists), plan: owned_by_another() },
        { claim: "nobody knows whether the object exists", seen: seen().other_owner(OwnerObservation::Unknown), plan: owned_by_another() },
        { claim: "the object is gone: the keys are recorded first", seen: was_gone(), plan: tags_intent(&["team"]) },
        { claim: "the object is gone: the user is adopted", seen: was_gone().intent_written().confirmed(), plan: adopt(our_tags()) },
        { claim: "without adoption the former owner is named", goal: with(Adoption::Never), seen: was_gone(),
          plan: refuse(Refusal::UserAlreadyExists { former: Some(other()) }) },
        { claim: "the namespace does not allow adoption",
          goal: with(Adoption::NotAllowed), seen: was_gone(), plan: not_allowed("shop", Some(other())) },
        { claim: "an object of the same name is looked for in the namespace of the tags",
          seen: of(&moved()), plan: fetch(Fetch::Owner(moved())) },
        { claim: "an object of another cluster cannot be read", seen: of(&abroad()), plan: owned_by(abroad()) },
        { claim: "an object of another cluster is not believed to be gone",
          seen: of(&abroad()).other_owner(OwnerObservation::Gone), plan: owned_by(abroad()) },
        { claim: "tags without a namespace name no object",
          seen: without(other(), NAMESPACE_TAG), plan: owned_by(Owner { namespace: missing(), ..other() }) },
        { claim: "tags without a cluster name no object",
          seen: without(other(), CLUSTER_TAG), plan: owned_by(Owner { cluster: missing(), ..other() }) },
        { claim: "tags without a name name no object", seen: without(moved(), NAME_TAG), plan: owned_by(Owner { name: missing(), ..moved() }) },
        { claim: "a name that is a path names no object",
          seen: of(&path()).other_owner(OwnerObservation::Gone), plan: owned_by(path()) },
        { claim: "a namespace that is a path names no object",
          seen: of(&far()).other_owner(OwnerObservation::Gone), plan: owned_by(far()) },
        { claim: "a busy user is waited for", plan: not_active(Lifecycle::Modifying),
          seen: in_state(Lifecycle::Modifying).remembering(another()).other_owner(OwnerObservation::Gone) },
        { claim: "a terminating object leaves another's user, although its owner is gone",
          goal: gone(), seen: was_gone().kept(), plan: release(ReleaseReason::LeftToOwner(other())) },
        { claim: "another object has adopted a user that was ours",
          seen: seen().record(managed()).other_owner(OwnerObservation::Exists), plan: owned_by_another() },
    }
}

#[test]
fn a_user_of_a_gone_object_of_another_namespace_is_adopted_only_if_that_namespace_may_adopt_too() {
    let in_namespace = |namespace: &str| Owner { namespace: namespace.into(), ..owner_named("other") };
    let gone_from = |namespace| of(&in_namespace(namespace)).other_owner(OwnerObservation::Gone);
    let adopts_from = |namespace: &str| {
        let adoption_namespaces = Patterns::new(vec![namespace.into()]);
        Goal::Present(Desired { adoption: Adoption::Allowed, adoption_namespaces, ..desired() })
    };
    check! { goal: adopts();
        { claim: "the object moved from a namespace that may adopt too",
          seen: gone_from("web").intent_written().confirmed(), plan: adopt(our_tags()) },
        { claim: "the former object's namespace may not adopt",
          seen: gone_from("den").intent_written().confirmed(), plan: not_allowed("den", Some(in_namespace("den"))) },
        { claim: "the name of a namespace is no pattern",
          seen: gone_from("we"), plan: not_allowed("we", Some(in_namespace("we"))) },
        { claim: "the former object's namespace may not adopt, and neither may this one",
          goal: with(Adoption::NotAllowed), seen: gone_from("den"), plan: not_allowed("shop", Some(in_namespace("den"))) },
        { claim: "all namespaces may adopt", goal: adopts_from("*"),
          seen: gone_from("den").intent_written().confirmed(), plan: adopt(our_tags()) },
        { claim: "in its own namespace the object needs no permission but its own", goal: adopts_from("none"),
          seen: gone_from("shop").intent_written().confirmed(), plan: adopt(our_tags()) },
        { claim: "the former object is being deleted in a namespace that may not adopt: it may come back",
          seen: gone_from("den").other_owner(OwnerObservation::Leaving), plan: wait(Wait::PreviousOwner(in_namespace("den"))) },
    }
}

#[test]
fn an_adopted_user_is_changed_to_match_and_its_passwords_are_sent() {
    let adopted = |user| nothing_known().seen(user).tagged(our_tags()).record(with_applied(keys_only()));
    let with_password = Desired { authentication: password(), adoption: Adoption::Allowed, ..desired() };
    let change = AuthenticationChange::to(&password()).unwrap();
    check! { goal: adopts();
        { claim: "its passwords cannot be read, so they are sent",
          goal: Goal::Present(with_password), seen: adopted(password_user(1)), plan: modify(authentication(change), Cause::Edit) },
        { claim: "a difference is an edit, not drift",
          seen: adopted(user_with(|user| user.engine = "valkey".into())), plan: modify(engine(Engine::Redis), Cause::Edit) },
        { claim: "it matches", seen: adopted(active()), plan: Action::InSync },
    }
}
