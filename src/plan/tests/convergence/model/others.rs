//! What somebody else does in AWS.

use std::time::Duration;

use plan::*;

use super::Model;
use super::aws::{ACCESS, Service, User, form, identity};
use super::object::TAGS;
use super::secrets::of_others;
use crate::common::{anothers_tags, arn_in, owner_named, owner_tags, tags};
use crate::events::{Claim, Others};

impl Model {
    pub(crate) fn others(&mut self, others: &Others) {
        let before = self.looks();
        let user = self.user().map(|user| user.shown.clone());
        self.have_a_hand(others);
        self.history.changed |= self.user().map(|user| &user.shown) != user.as_ref();
        self.history.raced |= self.looks() != before;
    }

    /// What decides who owns the user.
    fn looks(&self) -> Option<(Tags, Reported)> {
        self.user().map(|user| (user.tags.clone(), identity(&user.shown)))
    }

    fn have_a_hand(&mut self, others: &Others) {
        // The operator takes the first access string that it sees after its call for AWS's form of its own.
        let last = self.object.as_ref().and_then(|object| object.status.last_applied.as_ref());
        let sent = last.filter(|last| last.access_string.is_some());
        let unseen = self.history.in_flight || sent.is_some_and(|last| last.expanded_access_string.is_none());
        let now = self.now;
        let service = &mut self.services[self.credentials.account];
        match (others, &mut service.user) {
            (Others::Creates(claim, access), None) => {
                let reported = self.object.as_ref().map(|object| object.status.clone());
                let made = stranger(*claim, *access, unseen, now, service);
                service.user = Some(with_passwords_of_others(made, *claim, reported));
                self.history.retagged = true;
            }
            (Others::Deletes, Some(_)) => drop(service.delete()),
            (Others::ChangesAccess(at), Some(_)) => {
                let access_string = Some(ACCESS[*at].0.to_owned());
                let told = service.modify(&Changes { access_string, ..Changes::default() });
                if let (Ok(_), Some(user)) = (told, &mut service.user) {
                    user.foreign_access = unseen;
                }
            }
            (Others::ChangesEngine(engine), Some(_)) => {
                drop(service.modify(&Changes { engine: Some(*engine), ..Changes::default() }));
            }
            (Others::OpensIt(to), Some(_)) => {
                let authentication = Some(match to {
                    AuthenticationType::Iam => AuthenticationChange::Iam,
                    AuthenticationType::NoPassword | AuthenticationType::Password => {
                        AuthenticationChange::NoPassword
                    }
                });
                drop(service.modify(&Changes { authentication, ..Changes::default() }));
            }
            (Others::ChangesPasswords(values), Some(_)) => {
                let authentication = Some(AuthenticationChange::Password(of_others(values)));
                let told = service.modify(&Changes { authentication, ..Changes::default() });
                if let (Ok(_), Some(user)) = (told, &mut service.user) {
                    user.foreign_passwords = true;
                }
            }
            (Others::Hibernates, Some(user)) if user.shown.lifecycle == Lifecycle::Active => {
                user.shown.lifecycle = crate::common::odd();
                user.settles_at = now + service.habits.pace;
            }
            (Others::Retags(claim), Some(user)) if user.shows_at <= now => {
                retag(user, *claim);
                self.history.retagged = true;
            }
            (Others::Labels(at), Some(user)) if user.shows_at <= now => {
                user.tags.retain(|key, _| key.starts_with(OWNER_TAG_PREFIX));
                user.tags.extend(tags(TAGS[*at]));
                user.put.clear();
            }
            (Others::Creates(..) | Others::Retags(_) | Others::Labels(_) | Others::Hibernates, Some(_))
            | (_, None) => {}
        }
    }
}

fn retag(user: &mut User, claim: Claim) {
    user.tags = claimed(claim);
    user.put.clear();
    // Nobody can see that a user with our tags is another one.
    user.foreign_passwords |= claim == Claim::Ours && !user.was_ours;
    user.was_ours |= claim == Claim::Ours;
}

/// The tags for this claim, and one tag that no spec has.
pub(crate) fn claimed(claim: Claim) -> Tags {
    let mut all = tags(&[("team", "shop"), ("cost", "7")]);
    all.extend(match claim {
        Claim::Ours => owner_tags(),
        Claim::PartlyOurs => tags(&[(CLUSTER_TAG, "prod"), (NAMESPACE_TAG, "shop")]),
        Claim::Anothers => anothers_tags(),
        Claim::Strangers => Owner { namespace: "den".into(), ..owner_named("other") }.tags("uid-8"),
        Claim::PartlyAnothers => tags(&[(NAME_TAG, "other")]),
        Claim::Elsewheres => Owner { cluster: "stage".to_owned(), ..crate::common::owner() }.tags("uid-7"),
        Claim::Nobodys => Tags::new(),
    });
    all
}

fn stranger(claim: Claim, access: usize, foreign_access: bool, now: Duration, service: &Service) -> User {
    let arn = arn_in("us-east-1", service.account);
    let access_string = form(ACCESS[access].0);
    let shown = RemoteUser { access_string, arn, ..crate::common::user(Lifecycle::Modifying) };
    let user = User::new(shown, claimed(claim), claim == Claim::Ours, now);
    User { foreign_access, settles_at: now + service.habits.pace, ..user }
}

/// If status reports a user with passwords, the stranger has as many, of its own.
fn with_passwords_of_others(stranger: User, claim: Claim, reported: Option<Status>) -> User {
    let count = reported
        .filter(|status| status.authentication_type.as_deref() == Some(AuthenticationType::Password.output()))
        .and_then(|status| status.password_count);
    let Some(count) = count else { return stranger };
    let values: Vec<usize> = (0..usize::try_from(count).unwrap()).collect();
    let shown = RemoteUser {
        authentication_type: AuthenticationType::Password.output().to_owned(),
        password_count: Some(count),
        ..stranger.shown
    };
    let (passwords, foreign_passwords) = (Some(of_others(&values)), claim == Claim::Ours);
    User { shown, passwords, foreign_passwords, ..stranger }
}
