//! The state at the beginning of a walk: any object with any status, and any user.

use std::time::Duration;

use plan::verdict::Reason;
use plan::*;
use proptest::option;
use proptest::prelude::*;

use crate::common::{arn, arn_in, odd, user};
use crate::events::{Claim, accesses, adoptions, authentications, claims, engines, others, policies, senses};
use crate::judge::{managed, managed_look};
use crate::model::aws::{ACCESS, ACCOUNTS, Habits, LATE, Service, User, form, identity};
use crate::model::object::{Object, Sense, Spec, TAGS};
use crate::model::secrets::{Access, SOURCES, Secret, Secrets, VALUES, of_others};
use crate::model::{BEGIN, claimed, timestamp};

#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) object: Object,
    pub(crate) secrets: Secrets,
    pub(crate) other: OwnerObservation,
    pub(crate) services: [Service; ACCOUNTS.len()],
    /// At the end of the walk people lift the protection, repair the Secrets and give the operator its first account back.
    pub(crate) fixed: bool,
}

pub(crate) fn starts() -> impl Strategy<Value = Start> {
    let users = (option::weighted(0.8, users()), option::weighted(0.2, users()));
    let parts = (objects(), secrets(), others(), habits(), users, any::<[bool; 2]>());
    parts.prop_map(|(mut object, secrets, other, habits, (mut user, second), [up_to_date, fixed])| {
        let resembles = object.status.engine.is_some() && object.version % 3 > 0;
        if let Some(user) = &mut user {
            relate(user, &mut object, &secrets, up_to_date, resembles);
        }
        // Only a user of this object may be hidden by AWS for now.
        let second = second.filter(|user| user.shows_at <= BEGIN).map(|mut user| {
            user.shown.arn = arn_in("us-east-1", ACCOUNTS[1]);
            user
        });
        let service = |account: usize, mut user: Option<User>| {
            if let Some(user) = &mut user {
                user.was_ours |= managed(&object.status, &user.shown);
            }
            // Nobody can distinguish a user that looks like the one in status from that user.
            let look = managed_look(&object.status, &arn_in("us-east-1", ACCOUNTS[account]));
            Service::new(ACCOUNTS[account], user, habits, look.as_ref())
        };
        let services = [service(0, user), service(1, second)];
        Start { object, secrets, other, services, fixed }
    })
}

/// Makes status and user agree more often than random values would.
fn relate(user: &mut User, object: &mut Object, secrets: &Secrets, up_to_date: bool, resembles: bool) {
    let status = &mut object.status;
    if let Some(last) = &status.last_applied
        && let (Some(sent), None) = (&last.access_string, &last.expanded_access_string)
    {
        // Status does not have AWS's form of this access string yet, so the user must have it. Nobody could notice another one.
        user.shown.access_string = form(sent);
    }
    if let (true, Ok(passwords)) = (up_to_date, secrets.read(object.spec.sources)) {
        // The passwords in status are those of the user.
        let versions = passwords.versions().to_vec();
        if user.passwords.is_some() {
            user.shown.password_count = i32::try_from(passwords.values().len()).ok();
            user.passwords = Some(passwords);
        }
        if let Some(last) = &mut status.last_applied {
            last.password_versions = versions;
        }
    }
    if resembles {
        report(status, &user.shown);
    }
    if user.shows_at > BEGIN {
        // Status always has the CreateUser of a user that AWS does not show yet.
        status.create_requested_at = Some(before_begin(1));
        status.location.get_or_insert_with(|| Location::of(&arn()));
    }
}

/// Status shows this user.
pub(crate) fn report(status: &mut Status, user: &RemoteUser) {
    let Reported { user_name, engine, authentication_type, access_string } = identity(user);
    status.user_name = Some(user_name);
    status.engine = Some(engine);
    status.authentication_type = Some(authentication_type);
    status.access_string = Some(access_string);
}

fn before_begin(seconds: u64) -> Timestamp {
    // No write of the walk has this time.
    timestamp(BEGIN - Duration::from_secs(seconds) - Duration::from_micros(1))
}

/// Our user with this access string, `active`, and its object, which is Ready with this status.
pub(crate) fn settled_but_for(status: Status, access: usize) -> Start {
    let shown = RemoteUser { access_string: form(ACCESS[access].0), ..user(Lifecycle::Active) };
    let user = User::new(shown, claimed(Claim::Ours), true, BEGIN);
    let spec = Spec {
        sense: Sense::Sound,
        engine: Engine::Redis,
        access,
        authentication: AuthenticationType::Iam,
        external: false,
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
        has_finalizer: true,
        status,
    };
    let pace = Duration::from_secs(3);
    let habits = Habits { creates_slowly: false, answers_new: true, tells_account: true, pace };
    let secret = Secret { access: Access::Readable, value: 0, version: 1 };
    let services = [Some(user), None];
    let mut account = ACCOUNTS.iter();
    let services = services.map(|user| {
        let account = account.next().copied().unwrap_or_default();
        Service::new(account, user, habits, None)
    });
    Start { object, secrets: Secrets([secret; 2]), other: OwnerObservation::Exists, services, fixed: false }
}

fn objects() -> impl Strategy<Value = Object> {
    let state = (any::<bool>(), any::<bool>(), any::<bool>());
    (specs(), statuses(), state, 1_u64..100).prop_map(
        |(spec, status, (terminating, protected, has_finalizer), version)| {
            let leaves = status.condition(ConditionType::Deleting).is_some();
            let ready = status.condition(ConditionType::Ready);
            let generation = ready.and_then(|ready| ready.observed_generation).unwrap_or(1);
            Object {
                version,
                // The conditions are about this generation, or about the one before.
                generation: generation + i64::from(version % 2 == 1),
                spec,
                protected: protected && version % 3 == 0,
                requested: 0,
                terminating: terminating || leaves,
                has_finalizer: has_finalizer || terminating || leaves,
                status,
            }
        },
    )
}

fn specs() -> impl Strategy<Value = Spec> {
    let user = (engines(), 0..ACCESS.len(), authentications(), 0..SOURCES.len(), 0..TAGS.len());
    // The first and most frequent start is the simplest: the user is managed.
    let seldom = || prop_oneof![5 => Just(false), 1 => Just(true)];
    let flags = (seldom(), seldom(), seldom());
    (senses(), user, policies(), flags, adoptions()).prop_map(
        |(sense, (engine, access, authentication, sources, tags), policy, flags, adoption)| {
            let (observes, suspended, external) = flags;
            Spec {
                sense,
                engine,
                access,
                authentication,
                external,
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
    let user = (option::of(places()), option::of(states), option::of(users()));
    let requests = (0_u64..70).prop_map(before_begin);
    let intents = (option::weighted(0.3, requests), option::weighted(0.1, Just(before_begin(60))));
    (user, option::of(applied()), intents, option::of(conditions()), 0..4).prop_map(
        |((arn, state, reported), last_applied, (create, delete), conditions, located)| {
            let mut status = Status {
                last_applied,
                create_requested_at: create,
                delete_requested_at: delete,
                delete_requested_by: delete.map(|_| "another process".to_owned()),
                conditions: conditions.unwrap_or_default(),
                ..Status::default()
            };
            status.observed_generation = status.conditions.first().and_then(|one| one.observed_generation);
            // Status has all fields of the user, or none.
            if let Some(arn) = arn {
                if let Some(user) = reported {
                    report(&mut status, &user.shown);
                }
                let has_passwords = status.authentication_type.as_deref() == Some("password");
                status.passwords_applied_at = create.filter(|_| has_passwords).map(Timestamp::to_seconds);
                status.state = state;
                // An object of an earlier release has no location.
                status.location = (located > 0).then(|| Location::of(&arn));
                status.arn = Some(arn);
            } else if create.is_some() && located > 0 {
                // The account is missing if AWS did not tell it.
                let account = (located > 1).then(|| ACCOUNTS[0].to_owned());
                status.location = Some(Location { account, region: "us-east-1".to_owned() });
            }
            status
        },
    )
}

/// In most cases the account and region that are called.
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
        password_versions: vec![SecretVersion::parse("uid-s0/0/key")],
        tag_keys: vec!["team".to_owned()],
    })
}

/// All conditions have the same reason and message, because the operator writes them so.
fn conditions() -> impl Strategy<Value = Vec<Condition>> {
    use ConditionStatus::{False, True, Unknown};
    use ConditionType::{Deleting, Ready, Reconciling, Stalled};
    let shapes: Vec<Vec<(ConditionType, ConditionStatus)>> = vec![
        vec![(Ready, True)],
        vec![(Ready, False), (Reconciling, True)],
        vec![(Ready, False), (Stalled, True)],
        vec![(Ready, Unknown), (Reconciling, True)],
        vec![(Ready, False), (Reconciling, True), (Deleting, True)],
        vec![(Ready, False)],
    ];
    (prop::sample::select(shapes), prop::sample::select(Reason::ALL.to_vec())).prop_map(|(shape, reason)| {
        let condition = |(kind, status)| Condition {
            kind,
            status,
            reason: reason.as_str().to_owned(),
            message: "as it was.".to_owned(),
            observed_generation: Some(1),
            last_transition_time: before_begin(100).to_seconds(),
        };
        shape.into_iter().map(condition).collect()
    })
}

fn habits() -> impl Strategy<Value = Habits> {
    (any::<bool>(), any::<bool>(), any::<bool>(), 3_u64..13).prop_map(
        |(creates_slowly, answers_new, tells_account, seconds)| Habits {
            creates_slowly,
            answers_new,
            tells_account,
            pace: Duration::from_secs(seconds),
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
    let late = prop_oneof![9 => Just(0), 1 => 1..LATE.as_secs()];
    let times = (3_u64..13, late, 0_u64..5).prop_map(|(settles, shows, taggable)| {
        [settles, shows, taggable].map(|seconds| BEGIN + Duration::from_secs(seconds))
    });
    let passwords = prop::collection::vec(0..VALUES, 1..3);
    let looks = (names, engines(), 0..ACCESS.len(), authentications(), passwords);
    (lifecycles, looks, claims(), times).prop_map(
        |(lifecycle, (name, engine, access, authentication, passwords), claim, times)| {
            let [settles_at, shows_at, taggable_at] = times;
            let with_passwords = authentication == AuthenticationType::Password;
            let passwords = with_passwords.then(|| of_others(&passwords));
            let count = |passwords: &Passwords| i32::try_from(passwords.values().len()).ok();
            let password_count = passwords.as_ref().and_then(count);
            // Only a user of this object may be hidden by AWS for now.
            let created = claim == Claim::Ours && lifecycle == Lifecycle::Active;
            let shown = RemoteUser {
                user_name: name.to_owned(),
                engine: engine.as_str().to_owned(),
                access_string: form(ACCESS[access].0),
                authentication_type: authentication.output().to_owned(),
                password_count,
                ..user(lifecycle)
            };
            let settled = User::new(shown, claimed(claim), claim == Claim::Ours, BEGIN);
            let shows_at = if created { shows_at } else { BEGIN };
            User { passwords, settles_at, shows_at, taggable_at, ..settled }
        },
    )
}
