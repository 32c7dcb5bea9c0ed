//! What the answer to a call means for those who were part of it.

use std::time::Duration;

use super::batch::Trial;
use super::group::{Group, Part};
use super::wish::{Phase, Wish, is_about_a_name};
use crate::pace::{Pace, Requeue};
use crate::{Direction, Fault, GroupCall, GroupOutcome, GroupSize, MembershipState, Moment, Rejection, Swap};

/// If so many objects in a row are denied alone, the operator's role probably lacks the permission for all of them. The others are
/// asked for one by one, slowly.
const MOST_DENIALS: u32 = 3;

/// What a failed call was refused for.
enum RefusalCause {
    /// One of the users, at least.
    User,
    /// One of the users does not exist.
    UserGone,
    /// The group has no room for so many.
    Size,
    /// The group is not `active`.
    Busy,
    /// None of the users.
    Call,
}

fn refusal_cause(fault: &Fault) -> RefusalCause {
    match fault {
        Fault::Busy(_) => RefusalCause::Busy,
        Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Credentials(_) => RefusalCause::Call,
        // AWS may name the group although a condition on one of the users was not met. So its sentence decides nothing.
        Fault::Denied(_) => RefusalCause::User,
        Fault::Rejected(why, _) => match why {
            Rejection::MemberNotFound => RefusalCause::UserGone,
            Rejection::Quota => RefusalCause::Size,
            Rejection::ServiceLinkedRole => RefusalCause::Call,
            Rejection::ParameterValue
            | Rejection::ParameterCombination
            | Rejection::DuplicateUserName
            | Rejection::DefaultUserRequired
            | Rejection::DefaultUserInGroup
            | Rejection::Other => RefusalCause::User,
        },
    }
}

impl Group {
    pub(super) fn answered(&mut self, outcome: &GroupOutcome, pace: &Pace, now: Moment, roll: f64) {
        let Some(trial) = self.trial.take() else { return };
        let before = std::mem::take(&mut self.failures);
        match outcome {
            GroupOutcome::Accepted => self.accepted(&trial, pace, now, roll),
            GroupOutcome::NotFound => self.became_absent(pace, now, roll),
            GroupOutcome::CredentialsChanged => {
                self.failures = before;
                self.retry_later(Requeue::Backoff, pace, now, roll);
            }
            GroupOutcome::Failed(fault) => match refusal_cause(fault) {
                RefusalCause::Busy => self.became_busy(pace, now, roll),
                RefusalCause::Call => {
                    self.failures = before;
                    self.change_failed(fault, pace, now, roll);
                }
                RefusalCause::Size if self.needs_room(&trial) => {
                    self.too_many(&trial, fault, pace, now, roll)
                }
                RefusalCause::UserGone => self.user_gone(&trial, fault, pace, now, roll),
                RefusalCause::User | RefusalCause::Size => {
                    self.user_refused(&trial, fault, pace, now, roll);
                }
            },
        }
    }

    fn accepted(&mut self, trial: &Trial, pace: &Pace, now: Moment, roll: f64) {
        self.last_direction = Some(trial.direction);
        self.denials = 0;
        self.is_doubtful = false;
        self.resume_denied(now);
        if trial.direction == Direction::Join {
            self.room.full = None;
            self.room.again = None;
        }
        for uid in trial.uids.iter().chain(&trial.leaver) {
            if let Some(wish) = self.wishes.get_mut(uid) {
                wish.phase = Phase::Sent(trial.swap);
                wish.accepted = wish.accepted.saturating_add(1);
                wish.suspected = false;
            }
        }
        // The others of the part hold a user that AWS refuses.
        if let (Some(rest), Some(Part { fault, .. })) = (&trial.rest, self.take_part(trial)) {
            match rest.as_slice() {
                [uid] => self.hold(uid, trial, &fault, pace, now, roll),
                _ => self.parts.push(Part { uids: rest.clone(), fault }),
            }
        }
        self.became_busy(pace, now, roll);
    }

    /// The part that the call was about. Something else is known now.
    fn take_part(&mut self, trial: &Trial) -> Option<Part> {
        let at = self.parts.iter().position(|part| part.uids.iter().any(|uid| trial.uids.contains(uid)))?;
        Some(self.parts.remove(at))
    }

    /// Whether the users of the call wait for room. A user that leaves and a default user do not, so each is held by itself if AWS
    /// refuses it because of the quota.
    fn needs_room(&self, trial: &Trial) -> bool {
        let is_default = |uid: &String| self.wishes.get(uid).is_some_and(Wish::is_default);
        trial.direction == Direction::Join && !trial.uids.iter().any(is_default)
    }

    fn too_many(&mut self, trial: &Trial, fault: &Fault, pace: &Pace, now: Moment, roll: f64) {
        let asked = trial.users().len();
        self.room.refused = Some(trial.members + asked);
        if asked == 1 {
            self.room.attempts = self.room.attempts.saturating_add(1);
            self.room.full = Some(GroupSize { members: trial.members, fault: Some(fault.clone()) });
            self.room.again = Some(now + pace.until(Requeue::Slow, self.room.attempts, Duration::ZERO, roll));
        }
    }

    /// Only the user's own DescribeUsers shows that it is absent, so the passes look at all of them.
    fn user_gone(&mut self, trial: &Trial, fault: &Fault, pace: &Pace, now: Moment, roll: f64) {
        let named = self.named(trial, fault);
        let unseen = if named.is_empty() { trial.uids.clone() } else { named };
        let is_known = |uid: &String| self.wishes.get(uid).is_some_and(|wish| wish.suspected);
        if unseen.iter().all(is_known) {
            // They were looked at before.
            return self.user_refused(trial, fault, pace, now, roll);
        }
        for uid in &unseen {
            self.see_again(uid);
            if let Some(wish) = self.wishes.get_mut(uid) {
                wish.suspected = true;
            }
        }
    }

    fn user_refused(&mut self, trial: &Trial, fault: &Fault, pace: &Pace, now: Moment, roll: f64) {
        self.take_part(trial);
        if let [uid] = trial.uids.as_slice() {
            return self.hold(uid, trial, fault, pace, now, roll);
        }
        for uid in &trial.uids {
            if let Some(wish) = self.wishes.get_mut(uid) {
                wish.suspected = true;
            }
        }
        if let [uid] = self.named(trial, fault).as_slice() {
            // Nothing is known about the others.
            return self.hold(uid, trial, fault, pace, now, roll);
        }
        self.parts.push(Part { uids: trial.uids.clone(), fault: fault.clone() });
    }

    /// AWS refuses this object's user.
    fn hold(&mut self, uid: &str, trial: &Trial, fault: &Fault, pace: &Pace, now: Moment, roll: f64) {
        let Some(wish) = self.wishes.get_mut(uid) else { return };
        // B78: the user is no member any more.
        let is_gone = wish.direction == Direction::Leave
            && matches!(fault, Fault::Rejected(Rejection::ParameterValue, _));
        wish.refusals = wish.refusals.saturating_add(1);
        let refusals = wish.refusals;
        if refusals == 1 && (is_gone || self.is_doubtful) {
            wish.phase = Phase::Waiting { alone: true, after: now };
            return self.look_soon(pace, now, roll);
        }
        let after = |requeue| now + pace.until(requeue, refusals, Duration::ZERO, roll);
        let slowly =
            (MembershipState::Failed(GroupCall::ModifyUserGroup, fault.clone()), after(Requeue::Slow));
        let refused = (MembershipState::Refused(fault.clone()), after(Requeue::Resync));
        let (state, again) = match (wish.direction, fault) {
            (Direction::Join, Fault::Rejected(Rejection::DuplicateUserName, _)) => {
                let end = wish.first_seen + pace.handover;
                let taken = MembershipState::NameTaken(fault.clone());
                match trial.namesake_is_leaving(wish) {
                    _ if now < end => (taken, after(Requeue::Busy).min(end)),
                    true => (taken, after(Requeue::Busy)),
                    false => refused,
                }
            }
            (
                Direction::Join,
                Fault::Rejected(
                    Rejection::ParameterValue
                    | Rejection::ParameterCombination
                    | Rejection::DefaultUserRequired
                    | Rejection::DefaultUserInGroup,
                    _,
                ),
            ) => refused,
            (Direction::Leave, Fault::Rejected(Rejection::DefaultUserRequired, _))
                if trial.swap == Swap::No =>
            {
                (MembershipState::DefaultInUse { caches: Vec::new() }, after(Requeue::Slow))
            }
            (Direction::Join | Direction::Leave, Fault::Rejected(Rejection::Quota, _)) => {
                let size = GroupSize { members: trial.members, fault: Some(fault.clone()) };
                (MembershipState::Full(size), after(Requeue::Slow))
            }
            (Direction::Join | Direction::Leave, _) => slowly,
        };
        wish.phase = Phase::Held { state, again };
        if matches!(fault, Fault::Denied(_)) && refusals == 1 {
            self.note_denial(fault, pace, now, roll);
        }
    }

    /// If everybody is denied, the search for those who are denied asks about each user. So it continues slowly.
    fn note_denial(&mut self, fault: &Fault, pace: &Pace, now: Moment, roll: f64) {
        self.denials = self.denials.saturating_add(1);
        if self.denials < MOST_DENIALS {
            return;
        }
        self.parts.clear();
        let suspects = self.wishes.values_mut().filter(|wish| wish.suspected);
        let unasked = suspects.filter(|wish| matches!(wish.phase, Phase::Waiting { .. }));
        let mut again = now;
        for (wish, attempts) in unasked.zip(1..) {
            again = again + pace.until(Requeue::Slow, attempts, Duration::ZERO, roll);
            wish.phase = Phase::Held { state: MembershipState::DeniedTogether(fault.clone()), again };
        }
    }

    /// AWS allows the call now, at least for some users.
    fn resume_denied(&mut self, now: Moment) {
        for wish in self.wishes.values_mut() {
            if matches!(wish.phase, Phase::Held { state: MembershipState::DeniedTogether(_), .. }) {
                wish.phase = Phase::Waiting { alone: false, after: now };
            }
        }
    }

    /// The object of this member is gone. Those that AWS refused because of a name are tried again.
    pub(super) fn name_may_be_free(&mut self, user_id: &str, now: Moment) {
        if self.seen.as_ref().is_some_and(|group| group.has(user_id)) {
            self.retry_names(now);
        }
    }

    pub(super) fn retry_names(&mut self, now: Moment) {
        for wish in self.wishes.values_mut() {
            if let Phase::Held { state, again } = &mut wish.phase
                && is_about_a_name(state)
            {
                *again = (*again).min(now);
            }
        }
    }

    /// The objects whose user AWS's sentence names.
    fn named(&self, trial: &Trial, fault: &Fault) -> Vec<String> {
        let sentence = fault.error().message.to_lowercase();
        let is_named = |uid: &&String| {
            self.wishes.get(*uid).is_some_and(|wish| names_user(&sentence, &wish.member.wishes.user_id))
        };
        trial.uids.iter().filter(is_named).cloned().collect()
    }
}

/// The sentence has the ID as a whole word, and not as one of AWS's own words: an ID such as `user` counts only behind the word
/// "user".
fn names_user(sentence: &str, user_id: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_plain = user_id.bytes().all(|byte| byte.is_ascii_lowercase());
    let follows_user = ["group", "groups", "name", "names"];
    sentence.match_indices(user_id).any(|(at, _)| {
        let (before, after) = (&sentence[..at], &sentence[at + user_id.len()..]);
        let is_word = !before.ends_with(is_part) && !after.starts_with(is_part);
        let is_user = [":user:", "\""].iter().any(|word| before.ends_with(word))
            || format!(" {before}").ends_with(" user ") && !follows_user.contains(&user_id);
        is_word && (!is_plain || is_user)
    })
}

#[cfg(test)]
mod tests {
    use super::names_user;

    #[test]
    fn a_message_of_aws_names_a_user_only_if_the_whole_id_stands_there_as_a_user() {
        let rows = [
            ("user app-1 is not a member of user group g", "app-1", true),
            ("user app-10 is not a member of user group g", "app-1", false),
            ("no password user open cannot be added to user group with engine valkey", "open", true),
            ("no password user open cannot be added to user group with engine valkey", "engine", false),
            ("two users of the user group would have the user name x.", "group", false),
            ("user user is not found", "user", true),
            ("is not authorized on resource: arn:aws:elasticache:r:1:user:orders because", "orders", true),
        ];
        for (sentence, id, expected) in rows {
            assert_eq!(names_user(sentence, id), expected, "{id} in {sentence:?}");
        }
    }
}
