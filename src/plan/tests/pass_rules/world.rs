//! One object, its AWS user and one process. The hook of a test may change them while a request is under way.

use std::sync::Arc;
use std::time::Duration;

use plan::pace::Pace;
use plan::pass::{Finish, Request, Response, Settings};
use plan::verdict::Outcome;
use plan::*;

use crate::common::{active, id, managed, our_tags, present, secret_not_found};

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) object: ObjectFacts,
    pub(crate) goal: Goal,
    pub(crate) user: Option<RemoteUser>,
    pub(crate) tags: Tags,
    pub(crate) other: OwnerObservation,
    /// The object that has the name of one that may have vanished.
    pub(crate) namesake: Namesake,
    /// The result of reading the Secret.
    pub(crate) secret: Result<Passwords, SecretProblem>,
    pub(crate) memory: Memory,
    pub(crate) now: Duration,
    /// The version that the driver has. Its writes test it.
    pub(crate) held: ResourceVersion,
    /// The names of all requests so far. A mutation has AWS's name.
    pub(crate) asked: Vec<&'static str>,
    /// When each request was made.
    pub(crate) times: Vec<Duration>,
}

pub(crate) fn name(request: &Request) -> &'static str {
    match request {
        Request::Call { mutation, .. } => match **mutation {
            Mutation::Create(_) => "CreateUser",
            Mutation::Modify(_) => "ModifyUser",
            Mutation::Tag(_) => "AddTags",
            Mutation::Untag(_) => "RemoveTags",
            Mutation::Delete(_) => "DeleteUser",
        },
        request => request.name(),
    }
}

pub(crate) const MUTATIONS: [&str; 5] = ["CreateUser", "ModifyUser", "AddTags", "RemoveTags", "DeleteUser"];

/// An object that was Ready in an earlier generation. Its user matches the spec.
pub(crate) fn world() -> World {
    let Record { arn, location, last_applied, reported, .. } = managed();
    let reported = reported.unwrap();
    let status = Status {
        arn,
        location,
        last_applied,
        user_name: Some(reported.user_name),
        engine: Some(reported.engine),
        authentication_type: Some(reported.authentication_type),
        access_string: Some(reported.access_string),
        state: Some(Lifecycle::Active),
        ..Status::default()
    };
    let object = ObjectFacts {
        uid: "uid-1".into(),
        namespace: "shop".into(),
        name: "app".into(),
        version: ResourceVersion("1".into()),
        generation: Some(1),
        has_finalizer: true,
        status,
        ..ObjectFacts::default()
    };
    World {
        object,
        goal: present(),
        user: Some(active()),
        tags: our_tags(),
        other: OwnerObservation::Gone,
        namesake: Namesake::Absent,
        secret: Err(secret_not_found()),
        memory: Memory::default(),
        now: Duration::from_secs(1000),
        held: ResourceVersion::default(),
        asked: Vec::new(),
        times: Vec::new(),
    }
}

impl World {
    pub(crate) fn now(&self) -> Now {
        let utc = Timestamp(i64::try_from(self.now.as_micros()).unwrap());
        Now { moment: Moment::after_start(self.now), utc }
    }

    /// A new version of the object.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut ObjectFacts)) {
        change(&mut self.object);
        let version = self.object.version.number().unwrap() + 1;
        self.object.version = ResourceVersion(version.to_string());
    }

    pub(crate) fn suspend(&mut self) {
        self.edit(|object| object.generation = object.generation.map(|generation| generation + 1));
        self.goal = Goal::Suspended(None);
    }

    pub(crate) fn begin(&mut self) -> Pass {
        self.held = self.object.version.clone();
        let settings = Settings {
            pace: Pace::default(),
            region: "us-east-1".into(),
            identity: "process-1".into(),
            namespaces: Vec::new(),
        };
        let (goal, object) = (self.goal.clone(), self.object.clone());
        Pass::new(Arc::new(settings), goal, object, self.memory.clone(), 1, self.now())
    }

    /// A whole pass. The hook gets each request first. If it returns a response, the request has no other effect.
    pub(crate) fn pass(&mut self, mut hook: impl FnMut(&mut Self, &Request) -> Option<Response>) -> Finish {
        let mut pass = self.begin();
        let mut tokens = 0_u32;
        loop {
            let request = pass.next(self.now());
            tokens = match &request {
                Request::AcquireToken => tokens + 1,
                Request::DescribeUser(_)
                | Request::ListTags(_)
                | Request::Identify
                | Request::Call { .. } => tokens
                    .checked_sub(1)
                    .unwrap_or_else(|| panic!("{} has no token: {:?}", request.name(), self.asked)),
                _ => tokens,
            };
            if let Request::Finish(finish) = request {
                self.memory = finish.memory.as_deref().cloned().unwrap_or_default();
                return finish;
            }
            self.asked.push(name(&request));
            self.times.push(self.now);
            let given = hook(self, &request);
            let response = given.unwrap_or_else(|| self.answer(&request));
            self.now += Duration::from_millis(1);
            pass.handle(response, self.now());
        }
    }

    pub(crate) fn quiet_pass(&mut self) -> Finish {
        self.pass(|_, _| None)
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.asked.iter().filter(|asked| **asked == name).count()
    }

    /// When this was last requested before the request at this index.
    pub(crate) fn last(&self, name: &str, before: usize) -> Option<Duration> {
        let at = self.asked[..before].iter().rposition(|asked| *asked == name)?;
        Some(self.times[at])
    }

    pub(crate) fn has_mutated(&self) -> bool {
        self.asked.iter().any(|asked| MUTATIONS.contains(asked))
    }

    fn source(&self) -> CallSource {
        let account = Account::Known("111111111111".into());
        CallSource { region: "us-east-1".into(), credentials: CredentialsId(1), account }
    }

    pub(crate) fn answer(&mut self, request: &Request) -> Response {
        match request {
            Request::AcquireToken => Response::Token,
            Request::DescribeUser(_) => {
                let user = self.user.clone().map_or(UserObservation::Absent, UserObservation::Found);
                Response::Described(user, self.source())
            }
            Request::ListTags(_) => Response::Tags(TagsObservation::Read(self.tags.clone())),
            Request::Identify | Request::IdentifyCaller => Response::Identified(self.source()),
            Request::ReadOwner(_) => Response::Owner(self.other),
            Request::ReadPasswords => Response::Passwords(self.secret.clone()),
            Request::ReadGroups(_) => Response::Groups(Default::default()),
            Request::ReadDefinition => Response::Definition(Definition::Kept),
            Request::ReadNamesake(_) => Response::Namesake(self.namesake),
            Request::ReadObject => {
                self.held = self.object.version.clone();
                Response::Object(Some(Box::new(self.object.clone())))
            }
            Request::Resolve => {
                self.held = self.object.version.clone();
                Response::Resolved(Some((self.goal.clone(), self.object.clone())))
            }
            Request::AddFinalizer => self.write(|object| object.has_finalizer = true),
            Request::RemoveFinalizer => self.write(|object| object.has_finalizer = false),
            Request::WriteStatus(status) => self.write(|object| object.status = (**status).clone()),
            Request::Call { mutation, .. } => Response::Called(self.call(mutation)),
            Request::Log(_) | Request::Publish(_) | Request::Count(_) | Request::Finish(_) => Response::Done,
        }
    }

    fn write(&mut self, change: impl FnOnce(&mut ObjectFacts)) -> Response {
        if self.held != self.object.version {
            return Response::Conflict;
        }
        self.edit(change);
        self.held = self.object.version.clone();
        Response::Written(self.object.clone())
    }

    fn call(&mut self, mutation: &Mutation) -> Outcome {
        if matches!(mutation, Mutation::Create(_)) && self.user.is_some() {
            return Outcome::AlreadyExists;
        }
        let mut user = self.user.clone().unwrap_or_else(active);
        match mutation {
            Mutation::Create(create) => {
                self.tags.clone_from(&create.tags);
                authenticate(&mut user, &create.authentication);
            }
            Mutation::Modify(modify) => {
                let Changes { access_string, engine, authentication } = &modify.changes;
                user.access_string = access_string.clone().unwrap_or(user.access_string);
                user.engine = engine.map_or(user.engine, |engine| engine.as_str().into());
                if let Some(change) = authentication {
                    authenticate(&mut user, change);
                }
            }
            Mutation::Tag(tag) => {
                self.tags.extend(tag.tags.clone());
                return Outcome::Tagged(self.tags.clone());
            }
            Mutation::Untag(untag) => {
                self.tags.retain(|key, _| !untag.keys.contains(key));
                return Outcome::Tagged(self.tags.clone());
            }
            Mutation::Delete(delete) => {
                assert_eq!(delete.user_id, id());
                user.lifecycle = Lifecycle::Deleting;
            }
        }
        self.user = Some(user.clone());
        Outcome::Accepted(user)
    }
}

fn authenticate(user: &mut RemoteUser, change: &AuthenticationChange) {
    user.authentication_type = change.kind().output().into();
    let count = change.passwords().map_or(1, |sent| sent.values().len());
    let has_passwords = change.kind() == AuthenticationType::Password;
    user.password_count = has_passwords.then(|| i32::try_from(count).unwrap());
}
