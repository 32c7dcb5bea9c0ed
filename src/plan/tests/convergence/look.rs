//! The looks of a pass, and what the process learns from them beyond it: as `src/reconcile/look.rs`.

use plan::classify::Answer;
use plan::verdict::Outcome;
use plan::*;

use crate::calls::Interrupted;
use crate::common::owner;
use crate::schedule::Mishap;
use crate::service::Service;
use crate::shell::Pass;

impl Pass<'_> {
    pub(crate) fn look(&mut self, look: &Look) -> Result<(), Interrupted> {
        match look {
            Look::User(_) => {
                let told = self.read(Service::describe, Service::describe_late)?;
                self.world.raced &= self.observed.tags != TagSight::Unread;
                self.seen_at = Some(self.world.now);
                self.world.last_seen = told.as_ref().ok().map(|user| user.lifecycle.clone());
                self.observed.user = match told {
                    Ok(user) => Sight::Seen(user),
                    Err(Answer::NotFound | Answer::AlreadyExists) => Sight::Absent,
                    Err(Answer::Fault(fault)) => Sight::Failed(fault),
                };
                self.learn_from_sight();
                self.world.gone_seen |= self.observed.user == Sight::Absent;
            }
            Look::Tags(arn) => {
                self.observed.tags = match self.read(Service::list_tags, |_| Err(Answer::NotFound))? {
                    Ok(tags) => TagSight::Read(tags),
                    Err(Answer::NotFound | Answer::AlreadyExists) => TagSight::Unreadable,
                    Err(Answer::Fault(fault)) => TagSight::Failed(fault),
                };
                self.world.raced = false;
                self.world.retagged &= !matches!(self.observed.tags, TagSight::Read(_));
                self.owner_read_at = Some(self.world.now);
                if let TagSight::Read(tags) = self.observed.tags.clone() {
                    let ownership = owner().judge(&tags);
                    self.note_tags(&tags);
                    if ownership == Ownership::Ours {
                        self.settle_creation();
                    } else {
                        self.memory.sent = None;
                    }
                    self.memory.owner = Some((arn.clone(), ownership.clone()));
                    self.observed.remembered = Some(ownership);
                }
            }
            Look::Account => {
                let account =
                    match self.read(|service| Ok(service.account()), |service| Ok(service.account()))? {
                        Ok(account) => account,
                        Err(Answer::Fault(fault)) => Account::Failed(fault),
                        Err(Answer::NotFound | Answer::AlreadyExists) => Account::Untold,
                    };
                self.learn_account(account);
            }
            Look::Other(_) => self.observed.other = self.other()?,
            Look::Definition => self.observed.definition = self.definition()?,
            Look::Object => self.confirm()?,
            Look::ObjectAndDefinition => {
                self.confirm()?;
                self.observed.definition = self.definition()?;
            }
        }
        self.world.tell(|| format!("  {look:?}"));
        Ok(())
    }

    pub(crate) fn definition(&mut self) -> Result<Definition, Interrupted> {
        Ok(match self.befalls()? {
            Mishap::KilledAfter => return Err(Interrupted::Killed),
            Mishap::Refused(_) | Mishap::Lost => Definition::Unreadable,
            Mishap::Fine | Mishap::Late | Mishap::KilledBefore | Mishap::Meanwhile(_) => {
                self.world.definition
            }
        })
    }

    /// The token is in hand: the object is read again.
    pub(crate) fn confirm(&mut self) -> Result<(), Interrupted> {
        match self.befalls()? {
            Mishap::KilledAfter => return Err(Interrupted::Killed),
            Mishap::Refused(_) | Mishap::Lost => return Err(Interrupted::Kubernetes),
            Mishap::Fine | Mishap::Late | Mishap::KilledBefore | Mishap::Meanwhile(_) => {}
        }
        match &self.world.object {
            Some(object) if object.version == self.object.version => {}
            Some(_) | None => return Err(Interrupted::Overtaken),
        }
        self.observed.confirmed = true;
        Ok(())
    }

    pub(crate) fn learn_from_sight(&mut self) {
        let user = match &self.observed.user {
            Sight::Seen(user) => user.clone(),
            Sight::Absent => {
                self.memory.owner = None;
                self.memory.departure.1 = None;
                self.memory.gone = true;
                self.memory.sent = None;
                self.observed.sent = None;
                self.observed.remembered = None;
                return;
            }
            Sight::Failed(_) | Sight::Unseen => return,
        };
        let known = self.memory.owner.as_ref().filter(|(arn, _)| *arn == user.arn);
        self.observed.remembered = known.map(|(_, owner)| owner.clone());
        if self.observed.remembered == Some(Ownership::Ours) {
            self.settle_creation();
        }
        if user.lifecycle == Lifecycle::Deleting {
            self.memory.owner = None;
            self.memory.departure.1 = None;
        }
        self.learn_account(Account::Known(user.arn.account().to_owned()));
    }

    pub(crate) fn learn_account(&mut self, account: Account) {
        match &account {
            Account::Known(_) | Account::Unasked => self.memory.account = Some(account.clone()),
            Account::Untold => {
                self.memory.account = Some(account.clone());
                self.world.account_untold = true;
            }
            Account::Failed(Fault::Denied(_) | Fault::Rejected(..) | Fault::Busy(_)) => {
                self.world.account_untold = true;
            }
            Account::Failed(Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Credentials(_)) => {}
        }
        self.observed.here.account = account;
    }

    pub(crate) fn settle_creation(&mut self) {
        self.memory.settled = self.object.status.request;
        self.observed.record.creation = Creation::Closed;
    }

    /// Whether the object that another owner's tags name is there.
    pub(crate) fn other(&mut self) -> Result<Other, Interrupted> {
        Ok(match self.befalls()? {
            Mishap::KilledAfter => return Err(Interrupted::Killed),
            Mishap::Refused(_) | Mishap::Lost => Other::Unknown,
            Mishap::Fine | Mishap::Late | Mishap::KilledBefore | Mishap::Meanwhile(_) => self.world.other,
        })
    }

    pub(crate) fn note_tags(&mut self, tags: &Tags) {
        let Goal::Present(desired) = &self.goal else { return };
        if owner().judge(tags) == Ownership::Ours && tags_match(desired, tags, &self.observed.record) {
            self.memory.tags_match(self.object.generation);
        } else {
            self.memory.tags_differ();
        }
    }

    pub(crate) fn learn_from_modify(&mut self, modify: &Modify, outcome: &Outcome) {
        if *outcome == Outcome::NotFound {
            self.memory.owner = None;
        }
        let Some(authentication) = &modify.changes.authentication else { return };
        if let Outcome::Accepted(_) = outcome {
            self.memory.sent = authentication.passwords().cloned();
        } else if !outcome.is_refusal() {
            self.memory.sent = None;
        }
    }
}
