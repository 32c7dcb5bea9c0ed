//! Objects that the CRD of any version may have admitted, and passes over them with any answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use elasticache_user_operator::api::{ElastiCacheUser, PackedUser, TrimmedUser, full_name, user_id};
use elasticache_user_operator::kubernetes::{Kubernetes, facts, status};
use elasticache_user_operator::resolve::{passwords, resolve, secrets_named};
use plan::pace::Pace;
use plan::pass::{PassResult, Request, Response, Settings};
use plan::verdict::Outcome;
use plan::*;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::edits::{damage, damage_json, edits};
use super::{Driver, Log, fuzz, secrets};
use crate::fixture::REGION;
use crate::recorded::Recorded;
use crate::recorded::drive::{Answers, policy};
use crate::secrecy;

const PASSWORD: &str = "a-passphrase-in-a-fuzzed-secret";
/// More requests than any pass needs: `MOST_STEPS` for each of three attempts, with some requests each.
const MOST_REQUESTS: usize = 500;

/// Damages the parts of the object that a schema describes. The API server itself checks the metadata.
fn damaged(recorded: &Recorded, edits: &[super::edits::Edit]) -> Value {
    let mut parts = json!({ "spec": recorded.raw["spec"], "status": recorded.raw["status"] });
    damage_json(&mut parts, edits);
    let mut object = recorded.raw.clone();
    for part in ["spec", "status"] {
        match parts.get(part) {
            Some(value) => object[part] = value.clone(),
            None => drop(object.as_object_mut().unwrap().remove(part)),
        }
    }
    object
}

/// What goes wrong with a request.
fn failure(request: &Request, roll: u16, goal: &Goal, facts: &ObjectFacts) -> Option<Response> {
    let fault = || {
        let error = AwsError::new("Odd", "Odd.");
        match roll % 5 {
            0 => Fault::Busy(error),
            1 => Fault::Throttled(error),
            2 => Fault::Unavailable(error),
            3 => Fault::Denied(error),
            _ => Fault::Rejected(Rejection::Quota, error),
        }
    };
    let kubernetes = [Response::Conflict, Response::Ending, Response::Object(None), Response::Resolved(None)];
    let asked = request.name();
    Some(match asked {
        "AcquireToken" if roll.is_multiple_of(8) => Response::Token,
        "AcquireToken" => Response::Ending,
        "DescribeUser" => {
            let source = CallSource {
                region: REGION.to_owned(),
                credentials: CredentialsId(u32::from(roll % 3)),
                account: if roll.is_multiple_of(2) { Account::Withheld } else { Account::Failed(fault()) },
            };
            let user = if roll.is_multiple_of(3) {
                UserObservation::Absent
            } else {
                UserObservation::Failed(fault())
            };
            Response::Described(user, source)
        }
        "ListTags" if roll.is_multiple_of(2) => Response::Tags(TagsObservation::Unreadable),
        "ListTags" => Response::Tags(TagsObservation::Failed(fault())),
        "ReadOwner" if roll.is_multiple_of(2) => Response::Owner(OwnerObservation::Exists),
        "ReadOwner" => Response::Owner(OwnerObservation::Unknown),
        "ReadDefinition" if roll.is_multiple_of(2) => Response::Definition(Definition::BeingDeleted),
        "ReadDefinition" => Response::Definition(Definition::Unreadable),
        "ReadObject" | "AddFinalizer" | "RemoveFinalizer" | "WriteStatus" | "Resolve" => match roll % 6 {
            4 => Response::KubernetesFailed { what: "do it", why: "no".to_owned() },
            5 if asked == "Resolve" => Response::Resolved(Some((goal.clone(), facts.clone()))),
            index => kubernetes.get(usize::from(index % 4)).cloned()?,
        },
        "Call" => Response::Called(match roll % 4 {
            0 => Outcome::NotFound,
            1 => Outcome::AlreadyExists,
            2 => Outcome::CredentialsChanged,
            _ => Outcome::Failed(fault()),
        }),
        _ => return None,
    })
}

/// Fails if the API server would refuse the status.
fn assert_writable(status: &Status) {
    for condition in &status.conditions {
        let reason = condition.reason.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(reason && !condition.reason.is_empty() && condition.message.len() <= 32_768, "{condition:?}");
    }
    let written = serde_json::to_value(self::status(status)).unwrap();
    let read: elasticache_user_operator::api::ElastiCacheUserStatus =
        serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), written);
}

/// Runs a pass to its end. Each roll decides whether a request fails, and how much time passes.
async fn pass(object: &ElastiCacheUser, user: &Value, kubernetes: &Kubernetes, rolls: &[u16]) -> String {
    let (goal, facts) = (resolve(object, &policy(), None), facts(object));
    let settings = Settings {
        pace: Pace::default(),
        region: REGION.to_owned(),
        identity: "this-process".to_owned(),
        namespaces: Vec::new(),
    };
    let mut answers = Answers::new(facts.clone(), user.clone());
    answers.passwords = passwords(object, kubernetes).await;
    let now = |passed: u64| Now {
        moment: Moment::after_start(Duration::from_millis(passed)),
        utc: Timestamp(1_796_000_000_000_000 + i64::try_from(passed).unwrap() * 1000),
    };
    let (mut said, mut passed) = (format!("{goal:?} {facts:?}"), 0);
    let mut pass =
        Pass::new(Arc::new(settings), goal.clone(), facts.clone(), Memory::default(), 7, now(passed));
    for step in 0..MOST_REQUESTS {
        let request = pass.next(now(passed));
        said += &format!("{request:?}\n");
        if let Request::WriteStatus(status) = &request {
            assert_writable(status);
        }
        if let Request::Finish(finish) = request {
            assert!(finish.result != PassResult::Endless, "{said}");
            return said;
        }
        let roll = rolls.get(step).copied().unwrap_or_default();
        passed += u64::from(roll) / 8 % 4000;
        let odd = (roll % 4 == 1).then(|| failure(&request, roll / 4, &goal, &facts)).flatten();
        let response = odd.unwrap_or_else(|| answers.answer(request));
        pass.handle(response, now(passed));
    }
    panic!("a pass asks for ever: {said}");
}

#[test]
fn any_stored_object_is_parsed_kept_as_it_is_and_gets_a_pass_without_a_panic() {
    secrecy::remember_password(PASSWORD);
    let (driver, (log, _logging)) = (Driver::new(), Log::capture());
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "pw", "uid": "u-1", "resourceVersion": "7" },
        "data": { "password": "YS1wYXNzcGhyYXNlLWluLWEtZnV6emVkLXNlY3JldA==" },
    });
    let answer = Arc::new(Mutex::new((200, secret.to_string().into_bytes())));
    let kubernetes = driver.drive(async { secrets::kubernetes(answer) });
    let corpus: Vec<Recorded> = Recorded::names().iter().map(|name| Recorded::read(name)).collect();
    let strategy = (edits(), edits(), vec(any::<u16>(), 0..60));
    fuzz("objects", &strategy, |((index, members), (other, bytes), rolls)| {
        let recorded = &corpus[index % corpus.len()];
        let value = damaged(recorded, &members);
        let object: ElastiCacheUser =
            serde_json::from_value(value.clone()).expect("every stored object is read");
        let _ = (full_name(&object), user_id(&object), secrets_named(&object).count());
        let watched: ElastiCacheUser = serde_json::from_value::<TrimmedUser>(value.clone()).unwrap().into();
        assert_eq!(json!(PackedUser::new(&watched).unpack()), json!(watched));
        let said = driver.drive(pass(&object, &corpus[other % corpus.len()].user, &kubernetes, &rolls));
        log.assert_silent(&said);
        // A body that is no JSON must be refused.
        let mut document = value.to_string().into_bytes();
        damage(&mut document, &bytes, &[]);
        let _ = serde_json::from_slice::<ElastiCacheUser>(&document).map(|object| facts(&object));
    });
}
