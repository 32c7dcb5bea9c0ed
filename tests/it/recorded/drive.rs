//! A pass of this release over a recorded object, with its recorded user in AWS.

use std::sync::Arc;
use std::time::Duration;

use elasticache_user_operator::kubernetes::Kubernetes;
use elasticache_user_operator::leader_election::Token;
use elasticache_user_operator::resolve::{Lockdown, Patterns, Policy, passwords, resolve};
use plan::pace::Pace;
use plan::pass::{Finish, Request, Response, Settings};
use plan::verdict::Outcome;
use plan::*;
use serde_json::{Value, json};

use super::Recorded;
use crate::fixture::{ACCOUNT, REGION};

/// The process that drives the pass.
pub(super) const IDENTITY: &str = "this-process";

/// The requests of a pass that write or change something, in order.
pub(super) struct Driven {
    pub(super) effects: Vec<Request>,
    pub(super) finish: Finish,
}

/// Runs one pass. The process has just started, 10 s after the last write of the object, and its credentials belong to `account`. AWS
/// accepts every call.
pub(super) async fn drive(recorded: &Recorded, account: &str) -> Driven {
    let goal = resolve(&recorded.object, &policy(), None);
    let mut answers = Answers {
        passwords: read_passwords(recorded).await,
        account: account.to_owned(),
        ..Answers::new(recorded.facts.clone(), recorded.user.clone())
    };
    let settings = Settings {
        pace: Pace::default(),
        region: REGION.to_owned(),
        identity: IDENTITY.to_owned(),
        namespaces: Vec::new(),
    };
    let written = recorded.facts.status.conditions.iter().map(|condition| condition.last_transition_time.0);
    let utc = Timestamp(written.max().unwrap() + 10_000_000);
    let now = Now { moment: Moment::after_start(Duration::from_secs(1)), utc };
    let mut pass = Pass::new(Arc::new(settings), goal, recorded.facts.clone(), Memory::default(), 7, now);
    loop {
        let request = pass.next(now);
        if let Request::Finish(finish) = request {
            return Driven { effects: answers.effects, finish };
        }
        pass.handle(answers.answer(request), now);
    }
}

/// What the API server and AWS answer if nothing goes wrong.
pub(crate) struct Answers {
    facts: ObjectFacts,
    user: Value,
    account: String,
    pub(crate) passwords: Result<Passwords, SecretProblem>,
    effects: Vec<Request>,
}

impl Answers {
    pub(crate) fn new(facts: ObjectFacts, user: Value) -> Self {
        let passwords = Err(SecretProblem::NotFound { secret: "pw".to_owned() });
        Self { facts, user, account: ACCOUNT.to_owned(), passwords, effects: Vec::new() }
    }

    pub(crate) fn answer(&mut self, request: Request) -> Response {
        match &request {
            Request::AcquireToken => Response::Token,
            Request::DescribeUser(_) => Response::Described(self.sight(), self.source()),
            Request::ListTags(_) => Response::Tags(self.tags()),
            Request::Identify | Request::IdentifyCaller => Response::Identified(self.source()),
            Request::ReadOwner(_) => Response::Owner(OwnerObservation::Gone),
            Request::ReadPasswords => Response::Passwords(self.passwords.clone()),
            Request::ReadGroups(_) => Response::Groups(Default::default()),
            Request::ReadDefinition => Response::Definition(Definition::Kept),
            Request::ReadObject => Response::Object(Some(Box::new(self.facts.clone()))),
            Request::ReadNamesake(_) => Response::Namesake(Namesake::Itself),
            // As if the object were gone.
            Request::Resolve => Response::Resolved(None),
            Request::AddFinalizer => self.write(request, |facts| facts.has_finalizer = true),
            Request::RemoveFinalizer => self.write(request, |facts| facts.has_finalizer = false),
            Request::WriteStatus(status) => {
                let status = status.as_ref().clone();
                self.write(request, |facts| facts.status = status)
            }
            Request::Call { .. } => {
                self.effects.push(request);
                self.user["Status"] = json!("deleting");
                Response::Called(match self.sight() {
                    UserObservation::Found(user) => Outcome::Accepted(user),
                    // No test of this module creates a user.
                    UserObservation::Absent | UserObservation::Failed(_) | UserObservation::NotRead => {
                        Outcome::NotFound
                    }
                })
            }
            Request::Log(_) | Request::Publish(_) | Request::Count(_) | Request::Finish(_) => Response::Done,
        }
    }

    fn write(&mut self, request: Request, change: impl FnOnce(&mut ObjectFacts)) -> Response {
        self.effects.push(request);
        change(&mut self.facts);
        let version = self.facts.version.number().unwrap() + 1;
        self.facts.version = ResourceVersion(version.to_string());
        Response::Written(self.facts.clone())
    }

    fn source(&self) -> CallSource {
        let account = Account::Known(self.account.clone());
        CallSource { region: REGION.to_owned(), credentials: CredentialsId(1), account }
    }

    /// The user as AWS shows it, if the credentials belong to its account.
    fn sight(&self) -> UserObservation {
        let text = |name: &str| self.user[name].as_str().map(str::to_owned);
        let arn = text("ARN").and_then(|arn| Arn::parse(&arn));
        let Some(arn) = arn.filter(|arn| arn.account() == self.account) else {
            return UserObservation::Absent;
        };
        let groups = self.user["UserGroupIds"].as_array().unwrap().iter();
        UserObservation::Found(RemoteUser {
            user_id: text("UserId").unwrap(),
            user_name: text("UserName").unwrap(),
            lifecycle: Lifecycle::parse(&text("Status").unwrap()),
            engine: text("Engine").unwrap(),
            minimum_engine_version: text("MinimumEngineVersion"),
            access_string: text("AccessString").unwrap(),
            user_group_ids: groups.map(|id| id.as_str().unwrap().to_owned()).collect(),
            authentication_type: self.user["Authentication"]["Type"].as_str().unwrap().to_owned(),
            password_count: self.user["Authentication"]["PasswordCount"]
                .as_i64()
                .and_then(|count| count.try_into().ok()),
            arn,
        })
    }

    fn tags(&self) -> TagsObservation {
        // Like AWS (B92).
        match self.user["Status"].as_str() {
            Some("active") => {
                TagsObservation::Read(serde_json::from_value(self.user["Tags"].clone()).unwrap())
            }
            Some(_) | None => TagsObservation::Unreadable,
        }
    }
}

pub(crate) fn policy() -> Policy {
    Policy {
        cluster_id: "recorded".to_owned(),
        default_deletion_policy: DeletionPolicy::Delete,
        adoption_namespaces: Patterns::default(),
        required_prefix: None,
        allowed_user_groups: Vec::new(),
        lockdown: Lockdown::default(),
        class: String::new(),
    }
}

async fn read_passwords(recorded: &Recorded) -> Result<Passwords, SecretProblem> {
    let versions = recorded.raw["status"]["lastApplied"]["passwordVersions"][0].as_str();
    let server = secrets_server(versions.map(str::to_owned)).await;
    let config = kube::Config::new(server.parse().unwrap());
    let kubernetes = Kubernetes::new(kube::Client::try_from(config).unwrap(), Token::unlimited());
    passwords(&recorded.object, &kubernetes).await
}

/// An API server with two Secrets: `pw` in the version that was sent to AWS, and `short`, whose password is too short.
async fn secrets_server(sent: Option<String>) -> String {
    let (uid, version) = match sent.as_deref().map(|sent| sent.split('/').collect::<Vec<_>>()).as_deref() {
        Some([uid, version, _key]) => ((*uid).to_owned(), (*version).to_owned()),
        Some(_) | None => ("u-1".to_owned(), "1".to_owned()),
    };
    let answer = move |axum::extract::Path(name): axum::extract::Path<String>| async move {
        // a-long-enough-passphrase, too-short
        let password =
            if name.ends_with("/pw") { "YS1sb25nLWVub3VnaC1wYXNzcGhyYXNl" } else { "dG9vLXNob3J0" };
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "pw", "uid": uid, "resourceVersion": version },
            "data": { "password": password },
        })
        .to_string()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/{*path}", axum::routing::get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
