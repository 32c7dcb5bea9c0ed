//! How it may stand when a run begins: any object, with anything in its status, and any user.

use std::collections::BTreeSet;

use plan::verdict::{Progress, Reason};
use plan::*;
use proptest::option;
use proptest::prelude::*;

use crate::common::{arn, arn_in, odd, user};
use crate::judge::{managed, managed_look};
use crate::object::{Conditions, Object, Sense, Spec, Status, TAGS};
use crate::others::claimed;
use crate::schedule::{
    Claim, accesses, adoptions, authentications, claims, engines, others, policies, senses,
};
use crate::secrets::{Access, SOURCES, Secret, Secrets, VALUES, of_others};
use crate::service::{ACCESS, Habits, LATE, Service, User, form};
use crate::world::{FIRST_DAY, TICK};

#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) object: Object,
    pub(crate) secrets: Secrets,
    pub(crate) other: Other,
    pub(crate) service: Service,
}

pub(crate) fn starts() -> impl Strategy<Value = Start> {
    let user = option::weighted(0.8, users());
    let parts = (objects(), secrets(), others(), habits(), user, any::<bool>());
    parts.prop_map(|(mut object, secrets, other, habits, mut user, up_to_date)| {
        let status = &mut object.status;
        if let (Some(user), Some(last)) = (&mut user, &status.last_applied)
            && let (Some(sent), None) = (&last.access_string, &last.expanded_access_string)
        {
            // Not seen since it was sent, so that nobody would notice if it were something else.
            user.shown.access_string = form(sent);
        }
        if let (Some(user), true, Ok(passwords)) = (&mut user, up_to_date, secrets.read(object.spec.sources))
        {
            // What status says of passwords was so.
            let versions = passwords.versions().to_vec();
            if user.passwords.is_some() {
                user.shown.password_count = i32::try_from(passwords.values().len()).ok();
                user.passwords = Some(passwords);
            }
            if let Some(last) = &mut status.last_applied {
                last.password_versions = versions;
            }
        }
        let resembles = status.reported.is_some() && object.version % 3 > 0;
        if let (Some(user), true) = (&user, resembles) {
            // More often than by chance, status reports the user that is there.
            status.reported = Some(crate::status::identity(&user.shown));
        }
        if user.as_ref().is_some_and(|user| user.shows_in > 0) {
            // Whatever else was lost: a CreateUser that may show yet stands in status.
            status.request = Some(FIRST_DAY - TICK);
        }
        if let Some(user) = &mut user {
            user.was_ours |= managed(&object.status, &user.shown);
        }
        // Whoever looks like it, or is made to by somebody, cannot be told from the user that status tells of.
        let look = managed_look(&object.status, &arn());
        let service = Service::new(user, habits, look);
        Start { object, secrets, other, service }
    })
}

/// Our user with this access string, `active`, and its object with this status.
pub(crate) fn settled_but_for(status: Status, access: usize) -> Start {
    let user = User {
        shown: RemoteUser { access_string: form(ACCESS[access].0), ..user(Lifecycle::Active) },
        tags: claimed(Claim::Ours),
        put: BTreeSet::new(),
        was_ours: true,
        passwords: None,
        foreign_passwords: false,
        foreign_access: false,
        settles_in: 0,
        shows_in: 0,
        taggable_in: 0,
    };
    let spec = Spec {
        sense: Sense::Sound,
        engine: Engine::Redis,
        access,
        authentication: AuthenticationType::Iam,
        sources: 0,
        policy: DeletionPolicy::Delete,
        observes: false,
        suspended: false,
        adoption: Adoption::Never,
        tags: 0,
    };
    let object = Object {
        version: 1,
        generation: 1,
        spec,
        protected: false,
        requested: 0,
        terminating: false,
        held: true,
        status,
    };
    let habits = Habits { creates_slowly: false, answers_new: true, tells_account: true, pace: 1 };
    let secret = Secret { access: Access::Readable, value: 0, version: 1 };
    let service = Service::new(Some(user), habits, None);
    Start { object, secrets: Secrets([secret; 2]), other: Other::There, service }
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
                requested: 0,
                terminating: terminating || leaves,
                held: held || terminating || leaves,
                status,
            }
        },
    )
}

fn specs() -> impl Strategy<Value = Spec> {
    let user = (engines(), 0..ACCESS.len(), authentications(), 0..SOURCES.len(), 0..TAGS.len());
    // Simplest first, and most often: the user is managed.
    let seldom = || prop_oneof![5 => Just(false), 1 => Just(true)];
    (senses(), user, policies(), seldom(), seldom(), adoptions()).prop_map(
        |(sense, (engine, access, authentication, sources, tags), policy, observes, suspended, adoption)| {
            Spec {
                sense,
                engine,
                access,
                authentication,
                sources,
                policy,
                observes,
                suspended,
                adoption,
                tags,
            }
        },
    )
}

fn secrets() -> impl Strategy<Value = Secrets> {
    let secret = || (accesses(), 0..VALUES).prop_map(|(access, value)| Secret { access, value, version: 1 });
    (secret(), secret()).prop_map(|(first, second)| Secrets([first, second]))
}

fn statuses() -> impl Strategy<Value = Status> {
    let states = prop_oneof![Just(Lifecycle::Active), Just(Lifecycle::Modifying), Just(Lifecycle::Deleting)];
    let requests = (0_u32..12).prop_map(|age| FIRST_DAY - age * TICK);
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
            handled: 0,
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
        password_versions: vec!["uid-s0/0".to_owned()],
        tag_keys: vec!["team".to_owned()],
    })
}

fn conditions() -> impl Strategy<Value = Conditions> {
    use Progress::{Done, Leaving, PausedReady, PausedUnready, Reconciling, Stalled, Unknown};
    let all = vec![Done, Reconciling, Stalled, Unknown, Leaving, PausedReady, PausedUnready];
    let progress = prop::sample::select(all);
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
    let passwords = prop::collection::vec(0..VALUES, 1..3);
    let looks = (names, engines(), 0..ACCESS.len(), authentications(), passwords);
    (lifecycles, looks, claims(), ticks).prop_map(
        |(lifecycle, (name, engine, access, authentication, passwords), claim, ticks)| {
            let (settles_in, late, taggable_in) = ticks;
            let with_passwords = authentication == AuthenticationType::Password;
            let passwords = with_passwords.then(|| of_others(&passwords));
            let count = |passwords: &Passwords| i32::try_from(passwords.values().len()).ok();
            let password_count = passwords.as_ref().and_then(count);
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
                was_ours: claim == Claim::Ours,
                passwords,
                foreign_passwords: false,
                foreign_access: false,
                settles_in,
                shows_in: if created { late } else { 0 },
                taggable_in,
            }
        },
    )
}
