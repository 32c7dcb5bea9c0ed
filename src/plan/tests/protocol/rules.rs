//! What may be switched off, and what may happen.

/// The guards of the deletion protocol. All are on in the operator; the model shows what each of them is for. Two are
/// assumptions about the world, and said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guards {
    /// Taking the finalizer off tests `resourceVersion`.
    pub(crate) release_tests_version: bool,
    /// Status writes test `resourceVersion`.
    pub(crate) status_tests_version: bool,
    /// `createRequestedAt` is heeded.
    pub(crate) creation_remembered: bool,
    /// A deletionTimestamp in the answer to the creation's announcement ends the pass.
    pub(crate) answer_heeded: bool,
    /// The ARN in status is compared with where AWS calls go.
    pub(crate) place_checked: bool,
    /// The tags are read as AWS shows them.
    pub(crate) owner_checked: bool,
    /// The object is read again right before DeleteUser.
    pub(crate) object_confirmed: bool,
    /// A write of this pass makes that reading out of date.
    pub(crate) confirmation_ages: bool,
    /// The tags are read with the rate limiter's token in hand, and again if that was longer ago than a user's whole life
    /// could take.
    pub(crate) owner_read_last: bool,
    /// Before owner tags are put back, the user is looked at again with the token in hand: only what it looks like tells ours
    /// that lost its tags from another one.
    pub(crate) user_seen_last: bool,
    /// An assumption, not a guard: the region does not change between a CreateUser and the status that shows what came of
    /// it. Nothing in status says where the call went, and the operator would not stand it.
    pub(crate) region_stays: bool,
    /// Status shows a user only where this pass knows it as ours.
    pub(crate) only_ours_shown: bool,
    /// The ARN stays in status while it is not known whether UserNotFound counts.
    pub(crate) doubt_keeps_arn: bool,
    /// A user closes the creation's window only where its tags show it as ours.
    pub(crate) only_ours_settles: bool,
    /// The announcement of a DeleteUser takes out of status what takes a user without our tags for ours.
    pub(crate) departure_forgets: bool,
    /// A process announces a DeleteUser before its first one, whatever status says of one before.
    pub(crate) departure_announced: bool,
    /// And in other words than the process that knows whether one may have been accepted.
    pub(crate) departure_told: bool,
    /// That no DeleteUser may have been accepted is worth nothing once somebody else wrote the object.
    pub(crate) departure_ages: bool,
    /// Before owner tags are put back by what this process knows alone, status says so.
    pub(crate) claim_told: bool,
    /// What is certain of a user is taken out of memory before DeleteUser, and comes back with a refusal alone.
    pub(crate) departure_doubted: bool,
    /// An assumption: a CreateUser is not overtaken by the whole life of another one: see `Nature`.
    pub(crate) prompt: bool,
}

impl Guards {
    pub(crate) const ALL: Self = Self {
        release_tests_version: true,
        status_tests_version: true,
        creation_remembered: true,
        answer_heeded: true,
        place_checked: true,
        owner_checked: true,
        object_confirmed: true,
        confirmation_ages: true,
        owner_read_last: true,
        user_seen_last: true,
        region_stays: true,
        only_ours_shown: true,
        doubt_keeps_arn: true,
        only_ours_settles: true,
        departure_forgets: true,
        departure_announced: true,
        departure_told: true,
        departure_ages: true,
        claim_told: true,
        departure_doubted: true,
        prompt: true,
    };
}

/// Which mishaps a run of the model knows, and how many of them one walk may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nature {
    pub(crate) budget: u8,
    /// A second process runs beside the first.
    pub(crate) fail_over: bool,
    /// A process is killed.
    pub(crate) crashes: bool,
    /// A pass begins on a version that is no longer the newest.
    pub(crate) stale: bool,
    /// Answers of mutations are lost, calls are refused, reads fail.
    pub(crate) faults: bool,
    /// AWS refuses DeleteUser again and again: no mishap of its own.
    pub(crate) blocked: bool,
    /// A user that was created shows late.
    pub(crate) late: bool,
    /// A person changes the region in the configuration.
    pub(crate) moves: bool,
    /// Abroad is another account of the same region, not another region.
    pub(crate) accounts: bool,
    /// A person creates the object again after it was gone.
    pub(crate) again: bool,
    /// Somebody else creates and deletes users of this ID, and changes users' groups.
    pub(crate) others: bool,
    /// Somebody else takes tags off.
    pub(crate) strips: bool,
}

impl Nature {
    /// Nothing but a person who deletes the object.
    pub(crate) const CALM: Self = Self {
        budget: 0,
        fail_over: false,
        crashes: false,
        stale: false,
        faults: false,
        blocked: false,
        late: false,
        moves: false,
        accounts: false,
        again: false,
        others: false,
        strips: false,
    };
}
