//! The calls of a pass, to AWS and to the API server: everything that befalls, befalls here.

use plan::classify::Answer;

use crate::common::unavailable;
use crate::judge;
use crate::object::Object;
use crate::schedule::{Happening, Mishap};
use crate::service::{Service, Told};
use crate::shell::Pass;

/// Why a pass ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// The object is not the version that was decided on.
    Overtaken,
    /// The API server did not do its part.
    Kubernetes,
    /// The process is no more.
    Killed,
}

/// A call that changes something in AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    Create,
    Modify,
    /// Owner tags, put there or put back.
    Claim,
    /// Tags of the spec.
    Tag,
    Untag,
    Delete,
}

impl Pass<'_> {
    /// What befalls the next call. Once the object is confirmed, the mutation follows too soon for anybody to come between.
    pub(crate) fn befalls(&mut self) -> Result<Mishap, Interrupted> {
        let mishap = self.world.calls.pop_front().unwrap_or(Mishap::Fine);
        if !matches!(mishap, Mishap::Fine) {
            self.world.tell(|| format!("  now: {mishap:?}"));
        }
        match mishap {
            Mishap::KilledBefore => Err(Interrupted::Killed),
            Mishap::Meanwhile(_) if self.observed.confirmed => Ok(Mishap::Fine),
            Mishap::Meanwhile(Happening::Restarts) => Err(Interrupted::Killed),
            Mishap::Meanwhile(happening) => {
                self.world.happen(&happening);
                Ok(Mishap::Fine)
            }
            other @ (Mishap::Fine
            | Mishap::Refused(_)
            | Mishap::Lost
            | Mishap::Late
            | Mishap::KilledAfter) => Ok(other),
        }
    }

    /// A look at AWS; `late` is what an answer of a moment ago says.
    pub(crate) fn read<T>(
        &mut self,
        call: impl FnOnce(&Service) -> Told<T>,
        late: impl FnOnce(&Service) -> Told<T>,
    ) -> Result<Told<T>, Interrupted> {
        judge::call(self.world, &self.object);
        let mishap = self.befalls()?;
        let service = &self.world.service;
        match mishap {
            Mishap::KilledAfter => Err(Interrupted::Killed),
            Mishap::Refused(fault) => Ok(Err(Answer::Fault(fault))),
            Mishap::Lost => Ok(Err(Answer::Fault(unavailable()))),
            Mishap::Late => Ok(late(service)),
            Mishap::Fine | Mishap::KilledBefore | Mishap::Meanwhile(_) => Ok(call(service)),
        }
    }

    /// A mutation. Nobody comes between here: the decision was made, and the call is on its way.
    pub(crate) fn mutate<T>(
        &mut self,
        kind: Mutation,
        call: impl FnOnce(&mut Service, bool) -> Told<T>,
    ) -> Result<Told<T>, Interrupted> {
        judge::call(self.world, &self.object);
        let mishap = self.world.calls.pop_front().unwrap_or(Mishap::Fine);
        if !matches!(mishap, Mishap::Fine) {
            self.world.tell(|| format!("  now: {mishap:?}"));
        }
        self.world.mutations.push((kind, false));
        let refused = match &mishap {
            Mishap::KilledBefore => return Err(Interrupted::Killed),
            Mishap::Refused(fault) => Some(fault.clone()),
            Mishap::Fine | Mishap::Lost | Mishap::Late | Mishap::KilledAfter | Mishap::Meanwhile(_) => None,
        };
        if let Some(fault) = refused {
            return Ok(Err(Answer::Fault(fault)));
        }
        let told = call(&mut self.world.service, matches!(mishap, Mishap::Late));
        if let (Ok(_), Some((_, accepted))) = (&told, self.world.mutations.last_mut()) {
            *accepted = true;
            if kind == Mutation::Delete {
                self.world.departed = None;
            }
            self.world.gone_seen &= kind != Mutation::Create;
            self.world.in_flight |= matches!(kind, Mutation::Create | Mutation::Modify);
        }
        match mishap {
            Mishap::KilledAfter => Err(Interrupted::Killed),
            Mishap::Lost => Ok(Err(Answer::Fault(unavailable()))),
            Mishap::Fine
            | Mishap::Late
            | Mishap::Refused(_)
            | Mishap::KilledBefore
            | Mishap::Meanwhile(_) => Ok(told),
        }
    }

    /// A write of the version that is decided on.
    pub(crate) fn write(&mut self, change: impl FnOnce(&mut Object)) -> Result<(), Interrupted> {
        let mishap = self.befalls()?;
        if let Mishap::Refused(_) = mishap {
            return Err(Interrupted::Kubernetes);
        }
        let written = self.world.write(self.object.version, change);
        match mishap {
            Mishap::KilledAfter => return Err(Interrupted::Killed),
            Mishap::Lost => return Err(Interrupted::Kubernetes),
            Mishap::Fine
            | Mishap::Late
            | Mishap::Refused(_)
            | Mishap::KilledBefore
            | Mishap::Meanwhile(_) => {}
        }
        // What was read before the write may be out of date with it.
        self.observed.confirmed = false;
        self.object = written.ok_or(Interrupted::Overtaken)?;
        self.observed.record.held = self.object.held;
        if let (Some(version), _) = &mut self.memory.departure {
            *version = self.object.version;
        }
        Ok(())
    }
}
