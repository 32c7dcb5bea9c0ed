//! Users whose object is gone.

use super::*;

#[test]
fn a_user_of_an_object_that_is_gone_from_a_namespace_that_may_not_adopt_stays() {
    let tags = |claim| {
        let mut start = without_user();
        start.object.spec.adoption = Adoption::Allowed;
        start.other = OwnerObservation::Gone;
        let model = walk(&start, &[others(Others::Creates(claim, 0))]);
        mutations(&model).iter().filter(|(kind, _)| *kind == Kind::Claim).count()
    };
    assert_eq!((tags(Claim::Anothers), tags(Claim::Strangers)), (1, 0));
}
