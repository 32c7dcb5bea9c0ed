//! What may go wrong in a run of the model, and what the product relies on.

/// What the API server, AWS and the driver guarantee. With any of them off, a bad trace appears. The guards of the product
/// itself are not here: see `mutants.sh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guarantees {
    /// A write that removes the finalizer is refused unless the object is the version that was decided on.
    pub(crate) release_tests_version: bool,
    /// A status write is refused unless the object is the version that was decided on.
    pub(crate) status_tests_version: bool,
    /// A call reaches AWS soon after the pass asked for it: sooner than AWS lets a user go.
    pub(crate) calls_start_at_once: bool,
    /// A mutation is sent only with the credentials that the last DescribeUsers of the pass was signed with.
    pub(crate) calls_keep_credentials: bool,
    /// A user that was created shows before the creation's window ends.
    pub(crate) users_show_in_time: bool,
}

impl Guarantees {
    pub(crate) const ALL: Self = Self {
        release_tests_version: true,
        status_tests_version: true,
        calls_start_at_once: true,
        calls_keep_credentials: true,
        users_show_in_time: true,
    };
}

/// Which faults a run of the model knows, and how many of them one trace may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    pub(crate) budget: u8,
    /// A second replica runs beside the first.
    pub(crate) two_replicas: bool,
    /// A replica is killed, between any two requests.
    pub(crate) crashes: bool,
    /// A pass begins on a version that is no longer the newest.
    pub(crate) stale: bool,
    /// Answers are lost, calls are refused, reads fail.
    pub(crate) failures: bool,
    /// AWS refuses DeleteUser again and again: this costs nothing.
    pub(crate) blocked: bool,
    /// A user that was created shows late.
    pub(crate) late: bool,
    /// A person changes the region, or the account, that the operator works in.
    pub(crate) moves: bool,
    /// Abroad is another account of the same region, not another region. Credentials may change under a running process.
    pub(crate) accounts: bool,
    /// A person creates the object again after it was gone.
    pub(crate) again: bool,
    /// Somebody else creates and deletes users of this ID, and changes users' groups.
    pub(crate) others: bool,
    /// Somebody else takes tags off.
    pub(crate) strips: bool,
    /// The object has `deletionPolicy: Retain`.
    pub(crate) retain: bool,
    /// The user of the ID has another owner, which may go and come back, and the object may adopt it.
    pub(crate) owners: bool,
    /// A person deletes the CustomResourceDefinition.
    pub(crate) definition: bool,
    /// STS does not answer before a creation.
    pub(crate) sts: bool,
}

impl Faults {
    /// Nothing but a person who deletes the object.
    pub(crate) const NONE: Self = Self {
        budget: 0,
        two_replicas: false,
        crashes: false,
        stale: false,
        failures: false,
        blocked: false,
        late: false,
        moves: false,
        accounts: false,
        again: false,
        others: false,
        strips: false,
        retain: false,
        owners: false,
        definition: false,
        sts: false,
    };

    /// Everything that may happen to one replica.
    pub(crate) const ALONE: Self = Self {
        budget: 3,
        crashes: true,
        stale: true,
        failures: true,
        late: true,
        moves: true,
        again: true,
        others: true,
        strips: true,
        ..Self::NONE
    };

    /// Two replicas at work at the same time, and one fault.
    pub(crate) const BESIDE: Self = Self { budget: 1, two_replicas: true, ..Self::NONE };

    /// Two replicas, one of which may know that AWS refused each DeleteUser.
    pub(crate) const BLOCKED: Self = Self { blocked: true, ..Self::BESIDE };
}
