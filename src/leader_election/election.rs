//! Pure: what was seen of the Lease, and when, and what to do then. Times are those of the caller's monotonic clock; what
//! stands in the Lease is for people.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use super::record;
use super::store::Answer;

/// How long things take; client-go's own defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The Lease is taken when it has not changed for this long.
    pub lease: Duration,
    /// A leader whose renewals do not come through works on for this long at most, from the start of the last that did.
    pub deadline: Duration,
    /// From the start of a request to the next one; up to a tenth more.
    pub retry: Duration,
    /// How long one request may take.
    pub call: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { lease: seconds(15), deadline: seconds(10), retry: seconds(2), call: seconds(5) }
    }
}

/// What to do next.
#[derive(Clone, Debug)]
pub enum Next {
    /// Nothing before this moment.
    Wait(Instant),
    /// Read the Lease.
    Read,
    /// Write it.
    Write(Lease),
    /// Nothing any more: the lead is lost.
    Lost(Loss),
    /// Nothing any more: the Lease is given back, or was not ours.
    Left,
}

/// Why a leader is one no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// No renewal came through in time.
    #[error("the API server did not confirm it in time ({0})")]
    Unheard(String),
    /// Another one holds it.
    #[error("\"{0}\" holds it now")]
    Taken(String),
    /// Somebody took the holder out of it.
    #[error("somebody released it")]
    Released,
    /// Somebody deleted it.
    #[error("somebody deleted it")]
    Deleted,
}

/// A candidate, and later a leader, in the election.
#[derive(Clone, Debug)]
pub struct Election {
    me: String,
    timing: Timing,
    seen: Option<Seen>,
    /// A Lease was there once. One that is not there now was deleted, and whoever held it works until its token ends: it is put
    /// back for that one, so that everybody waits. No version could tell that nobody held it and lost it meanwhile.
    existed: bool,
    /// `seen` may no longer be the newest: it is read before anything is written.
    stale: bool,
    /// The last write met another version than the one it named.
    conflicted: bool,
    /// A write was sent: the Lease may be ours whatever was answered.
    wrote: bool,
    /// When the next request is due.
    due: Instant,
    /// Leading, and until when.
    until: Option<Instant>,
    loss: Option<Loss>,
    /// Why the last request did not do what it was for.
    trouble: Option<String>,
    leaving: Option<Leaving>,
}

/// The record as it was last seen.
#[derive(Clone, Debug)]
struct Seen {
    /// `None`: there is none.
    lease: Option<Lease>,
    /// When it was first seen so. It changed before.
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Asked,
    Left,
}

/// When a request began and was answered, and a random number from 0 to 1 for the pause after it.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// When it began.
    pub began: Instant,
    /// When its answer was there.
    pub now: Instant,
    /// The random number.
    pub roll: f64,
}

impl Election {
    /// A candidate that nobody else is called like.
    #[must_use]
    pub fn new(me: String, timing: Timing, now: Instant) -> Self {
        Self {
            me,
            timing,
            seen: None,
            existed: false,
            stale: true,
            conflicted: false,
            wrote: false,
            due: now,
            until: None,
            loss: None,
            trouble: None,
            leaving: None,
        }
    }

    /// What to do next. `wall` is the time that people read in the Lease.
    #[must_use]
    pub fn next(&self, now: Instant, wall: jiff::Timestamp) -> Next {
        if let Some(leaving) = self.leaving {
            return self.leave_on(leaving, now, wall);
        }
        if let Some(loss) = &self.loss {
            return Next::Lost(loss.clone());
        }
        if let Some(until) = self.until {
            return self.stay(until, now, wall);
        }
        let Some(seen) = self.newest() else { return self.when_due(self.due, now, Next::Read) };
        let free = self.free(seen);
        if free <= now {
            let (former, lasts) = (seen.lease.as_ref(), self.timing.lease);
            let deleted = former.is_none() && self.existed;
            let lease = if deleted {
                record::restored(lasts, wall)
            } else {
                record::taken(former, &self.me, lasts, wall)
            };
            return Next::Write(lease);
        }
        self.when_due(self.due.min(free), now, Next::Read)
    }

    /// A leader: renews, and gives up where that did not come through.
    fn stay(&self, until: Instant, now: Instant, wall: jiff::Timestamp) -> Next {
        if until <= now {
            let why = self.trouble.as_deref().unwrap_or("this process stood still");
            return Next::Lost(Loss::Unheard(why.to_owned()));
        }
        let step = match self.newest().and_then(|seen| seen.lease.as_ref()) {
            Some(lease) => Next::Write(record::renewed(lease, &self.me, self.timing.lease, wall)),
            None => Next::Read,
        };
        self.when_due(self.due.min(until), now, step)
    }

    /// Whoever leaves: gives back what is its own.
    fn leave_on(&self, leaving: Leaving, now: Instant, wall: jiff::Timestamp) -> Next {
        if leaving == Leaving::Left || !self.wrote {
            return Next::Left;
        }
        let Some(seen) = self.newest() else { return self.when_due(self.due, now, Next::Read) };
        match &seen.lease {
            Some(lease) if record::holder(lease) == Some(&self.me) => {
                Next::Write(record::released(lease, wall))
            }
            Some(_) | None => Next::Left,
        }
    }

    fn when_due(&self, due: Instant, now: Instant, step: Next) -> Next {
        if due <= now { step } else { Next::Wait(due) }
    }

    /// A request is about to be made, and may be dropped before its answer.
    pub fn asking(&mut self, next: &Next) {
        self.stale = true;
        self.wrote |= matches!(next, Next::Write(_));
    }

    /// A reading request was answered.
    pub fn read(&mut self, answer: Answer, times: Times) {
        self.due = self.pause(times);
        match answer {
            Answer::Lease(lease) => {
                self.note(Some(lease), times.now);
                if self.until.is_some() || self.leaving.is_some() {
                    // It was read to be written.
                    self.due = times.now;
                }
            }
            Answer::Absent => self.note(None, times.now),
            Answer::Conflict => self.trouble = Some("a conflict".to_owned()),
            Answer::Forbidden(why) | Answer::Failed(why) => self.trouble = Some(why),
        }
    }

    /// A writing request was answered.
    pub fn written(&mut self, answer: Answer, times: Times) {
        self.due = self.pause(times);
        let conflicted = std::mem::take(&mut self.conflicted);
        match answer {
            Answer::Lease(lease) => {
                let ours = record::holder(&lease) == Some(&self.me);
                self.note(Some(lease), times.now);
                self.trouble = None;
                let until = times.began + self.timing.deadline;
                if self.leaving.is_some() {
                    self.leaving = Some(Leaving::Left);
                } else if ours && (self.until.is_some() || times.now < until) {
                    self.until = Some(until);
                }
            }
            Answer::Absent => self.note(None, times.now),
            Answer::Conflict => {
                self.conflicted = true;
                self.trouble = Some("others write the Lease all the time".to_owned());
                if !conflicted {
                    // Somebody wrote it, which a look explains. Only whoever meets that twice in a row waits.
                    self.due = times.now;
                }
            }
            Answer::Forbidden(why) | Answer::Failed(why) => self.trouble = Some(why),
        }
    }

    /// Leads no more, of its own will.
    pub fn leave(&mut self, now: Instant) {
        self.until = None;
        self.due = now;
        self.leaving.get_or_insert(Leaving::Asked);
    }

    /// Until when it leads; `None` where it does not.
    #[must_use]
    pub fn leads_until(&self) -> Option<Instant> {
        self.until
    }

    /// Who holds the Lease, as last seen; `None` where nobody does, or nothing was seen yet.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.seen.as_ref()?.lease.as_ref().and_then(record::holder)
    }

    /// What the Lease is like was read at least once.
    #[must_use]
    pub fn has_seen(&self) -> bool {
        self.seen.is_some()
    }

    /// How long one request may take that begins now.
    #[must_use]
    pub fn patience(&self, now: Instant) -> Duration {
        let left = self.until.map_or(self.timing.call, |until| until.saturating_duration_since(now));
        self.timing.call.min(left)
    }

    /// Its own name.
    #[must_use]
    pub fn me(&self) -> &str {
        &self.me
    }

    /// A record that differs from the one before is seen now for the first time. What others write beside it, such as labels,
    /// does not make it younger, or they could keep a dead leader's alive.
    fn note(&mut self, lease: Option<Lease>, now: Instant) {
        let same = |seen: &Seen| match (&seen.lease, &lease) {
            (Some(one), Some(other)) => one.spec == other.spec && one.metadata.uid == other.metadata.uid,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let since = self.seen.as_ref().filter(|seen| same(seen)).map_or(now, |seen| seen.since);
        self.existed |= lease.is_some();
        self.seen = Some(Seen { lease, since });
        self.stale = false;
        self.loss = if self.until.is_some() { self.deposed() } else { None };
    }

    fn deposed(&self) -> Option<Loss> {
        let Some(lease) = self.seen.as_ref()?.lease.as_ref() else { return Some(Loss::Deleted) };
        match record::holder(lease) {
            Some(holder) if holder == self.me => None,
            Some(other) => Some(Loss::Taken(other.to_owned())),
            None => Some(Loss::Released),
        }
    }

    fn newest(&self) -> Option<&Seen> {
        self.seen.as_ref().filter(|_| !self.stale)
    }

    /// From when on the record may be taken.
    fn free(&self, seen: &Seen) -> Instant {
        match &seen.lease {
            None => seen.since,
            Some(lease) => match record::holder(lease) {
                Some(holder) if holder != self.me => seen.since + record::lasts(lease, self.timing.lease),
                Some(_) | None => seen.since,
            },
        }
    }

    fn pause(&self, times: Times) -> Instant {
        let pause = self.timing.retry.mul_f64(1.0 + 0.1 * times.roll.clamp(0.0, 1.0));
        times.now.max(times.began + pause)
    }
}
