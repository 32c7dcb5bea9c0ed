//! How it may stand when a run begins: any object, with anything in its status, and any user.

use std::collections::BTreeSet;

use plan::verdict::{Progress, Reason};
use plan::*;
use proptest::option;
use proptest::prelude::*;

use crate::common::{arn, arn_in, odd, user};
use crate::object::{Conditions, Object, Request, Secret, Sense, Spec, Status, TAGS};
use crate::schedule::{Claim, authentications, claims, engines, policies, secrets, senses};
use crate::service::{ACCESS, Habits, LATE, Service, User, form};
use crate::world::{FIRST_DAY, TICK, claimed};

#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) object: Object,
    pub(crate) secret: Secret,
    pub(crate) service: Service,
}

pub(crate) fn starts() -> impl Strategy<Value = Start> {
    let user = option::weighted(0.8, users());
    (objects(), secrets(), habits(), user).prop_map(|(mut object, secret, habits, mut user)| {
        let status = &mut object.status;
        if let (Some(user), Some(last)) = (&mut user, &status.last_applied)
            && let (Some(sent), None) = (&last.access_string, &last.expanded_access_string)
        {
            // Not seen since it was sent, so that nobody would notice if it were something else.
            user.shown.access_string = form(sent);
        }
        let resembles = status.reported.is_some() && object.version % 3 > 0;
        if let (Some(user), true) = (&user, resembles) {
            // More often than by chance, status reports the user that is there.
            status.reported = Some(crate::status::identity(&user.shown));
        }
        if user.as_ref().is_some_and(|user| user.shows_in > 0) {
            // Whatever else was lost: a CreateUser that may show yet stands in status.
            status.request = Some(Request { at: FIRST_DAY - TICK, place: arn() });
        }
        Start { object, secret, service: Service::new(user, habits) }
    })
}

/// Our user with this access string, `active`, and its object with this status.
pub(crate) fn settled_but_for(status: Status, access: usize) -> Start {
    let user = User {
        shown: RemoteUser { access_string: form(ACCESS[access].0), ..user(Lifecycle::Active) },
        tags: claimed(Claim::Ours),
        put: BTreeSet::new(),
        settles_in: 0,
        shows_in: 0,
        taggable_in: 0,
    };
    let spec = Spec {
        sense: Sense::Sound,
        engine: Engine::Redis,
        access,
        authentication: AuthenticationType::Iam,
        policy: DeletionPolicy::Delete,
        tags: 0,
    };
    let object =
        Object { version: 1, generation: 1, spec, protected: false, terminating: false, held: true, status };
    let habits = Habits { creates_slowly: false, answers_new: true, tells_account: true, pace: 1 };
    Start { object, secret: Secret::Readable, service: Service::new(Some(user), habits) }
}

fn objects() -> impl Strategy<Value = Object> {
    let state = (any::<bool>(), any::<bool>(), any::<bool>());
    (specs(), statuses(), state, 1_u32..100).prop_map(
        |(spec, status, (terminating, protected, held), version)| {
            let leaves = status.departing().is_some();
            let generation = status.conditions.as_ref().map_or(1, |conditions| conditions.generation);
            Object {
                version,
                // The conditions speak of this generation, or of the one before.
                generation: generation + version % 2,
                spec,
                protected: protected && version % 3 == 0,
                terminating: terminating || leaves,
                held: held || terminating || leaves,
                status,
            }
        },
    )
}

fn specs() -> impl Strategy<Value = Spec> {
    (senses(), engines(), 0..ACCESS.len(), authentications(), policies(), 0..TAGS.len()).prop_map(
        |(sense, engine, access, authentication, policy, tags)| Spec {
            sense,
            engine,
            access,
            authentication,
            policy,
            tags,
        },
    )
}

fn statuses() -> impl Strategy<Value = Status> {
    let states = prop_oneof![Just(Lifecycle::Active), Just(Lifecycle::Modifying), Just(Lifecycle::Deleting)];
    let requests =
        (0_u32..12, places()).prop_map(|(age, place)| Request { at: FIRST_DAY - age * TICK, place });
    (
        option::of(places()),
        option::of(states),
        option::of(users().prop_map(|user| crate::status::identity(&user.shown))),
        option::of(applied()),
        option::weighted(0.3, requests),
        option::of(conditions()),
    )
        .prop_map(|(arn, state, reported, last_applied, request, conditions)| Status {
            // The user is shown with all its members, or not at all.
            state: state.filter(|_| arn.is_some()),
            reported: reported.filter(|_| arn.is_some()),
            arn,
            last_applied,
            request,
            conditions,
        })
}

/// Mostly here.
fn places() -> impl Strategy<Value = Arn> {
    prop_oneof![
        8 => Just(arn()),
        1 => Just(arn_in("eu-west-1", "111111111111")),
        1 => Just(arn_in("us-east-1", "222222222222")),
    ]
}

fn applied() -> impl Strategy<Value = LastApplied> {
    let sent = option::weighted(0.8, 0..ACCESS.len());
    (sent, any::<bool>()).prop_map(|(sent, expanded)| LastApplied {
        access_string: sent.map(|at| ACCESS[at].0.to_owned()),
        expanded_access_string: sent.filter(|_| expanded).map(|at| ACCESS[at].1.to_owned()),
        password_versions: vec![],
        tag_keys: vec!["team".to_owned()],
    })
}

fn conditions() -> impl Strategy<Value = Conditions> {
    use Progress::{Done, Leaving, Reconciling, Stalled, Unknown};
    let progress = prop_oneof![Just(Done), Just(Reconciling), Just(Stalled), Just(Unknown), Just(Leaving)];
    let reason = prop::sample::select(Reason::ALL.to_vec());
    (progress, reason).prop_map(|(progress, reason)| Conditions {
        progress,
        reason,
        message: "as it was.".to_owned(),
        generation: 1,
    })
}

fn habits() -> impl Strategy<Value = Habits> {
    (any::<bool>(), any::<bool>(), any::<bool>(), 1_u8..4).prop_map(
        |(creates_slowly, answers_new, tells_account, pace)| Habits {
            creates_slowly,
            answers_new,
            tells_account,
            pace,
        },
    )
}

fn users() -> impl Strategy<Value = User> {
    let lifecycles = prop_oneof![
        6 => Just(Lifecycle::Active),
        1 => Just(Lifecycle::Creating),
        1 => Just(Lifecycle::Modifying),
        2 => Just(Lifecycle::Deleting),
        1 => Just(odd()),
    ];
    let names = prop_oneof![9 => Just("app"), 1 => Just("somebody")];
    let late = prop_oneof![9 => Just(0_u8), 1 => 1..LATE];
    let ticks = (1_u8..4, late, 0_u8..3);
    (lifecycles, names, engines(), 0..ACCESS.len(), authentications(), claims(), ticks).prop_map(
        |(lifecycle, name, engine, access, authentication, claim, (settles_in, late, taggable_in))| {
            let password_count = (authentication == AuthenticationType::Password).then_some(1);
            // Only a user that this object created can be one that does not show yet.
            let created = claim == Claim::Ours && lifecycle == Lifecycle::Active;
            User {
                shown: RemoteUser {
                    user_name: name.to_owned(),
                    engine: engine.as_str().to_owned(),
                    access_string: form(ACCESS[access].0),
                    authentication_type: authentication.output().to_owned(),
                    password_count,
                    ..user(lifecycle)
                },
                tags: claimed(claim),
                put: BTreeSet::new(),
                settles_in,
                shows_in: if created { late } else { 0 },
                taggable_in,
            }
        },
    )
}
