//! Who goes into the next call of a group, and when.

use std::collections::BTreeSet;

use super::group::Group;
use super::wish::{Phase, Wish};
use super::{Member, MemberObject, RESTORE_DEFAULT_USER};
use crate::pace::{Pace, Requeue};
use crate::{
    DEFAULT_USER, Direction, GroupChange, GroupWishes, MembershipState, Moment, Swap, Timestamp, UserGroup,
    UserGroupId,
};

/// A group has so many members at most, as long as AWS does not say otherwise. So many go into one call.
const MOST_MEMBERS: usize = 100;

/// A call that is about to be made or under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trial {
    /// The objects, by uid.
    pub(super) uids: Vec<String>,
    /// The object whose default user makes way in the same call.
    pub(super) leaver: Option<String>,
    pub(super) direction: Direction,
    /// The call is about a part of objects that AWS refused together. These are the others of the part.
    pub(super) rest: Option<Vec<String>>,
    pub(super) swap: Swap,
    /// How many members the group has.
    pub(super) members: usize,
    /// What is known about them.
    pub(super) objects: Vec<MemberObject>,
    add: Vec<String>,
    remove: Vec<String>,
}

impl Trial {
    pub(super) fn call(&self, id: &UserGroupId) -> GroupChange {
        GroupChange { group: id.clone(), add: self.add.clone(), remove: self.remove.clone() }
    }

    /// The object of another member of the user's name goes or leaves the group, so the name will be free.
    pub(super) fn namesake_is_leaving(&self, wish: &Wish) -> bool {
        let GroupWishes { user_id, user_name, .. } = &wish.member.wishes;
        let mut namesakes = self.objects.iter().filter(|other| other.user_name == *user_name);
        namesakes.any(|other| other.user_id != *user_id && other.is_leaving())
    }

    /// The users whose membership the call changes.
    pub(super) fn users(&self) -> &[String] {
        match self.direction {
            Direction::Join => &self.add,
            Direction::Leave => &self.remove,
        }
    }
}

/// When the next call is due. `coming`: more objects may soon want to join.
pub(super) fn due(group: &Group, coming: bool, undecided: &BTreeSet<String>, pace: &Pace) -> Option<Moment> {
    let patience = if coming { pace.group_gather_most } else { pace.group_gather };
    // While AWS worked on the group, nobody could gather.
    let open_since = group.open_since.filter(|_| coming).map(|since| since + pace.group_gather_most);
    let open = group.wishes.iter().filter(|(uid, wish)| may_go(uid, wish, undecided));
    let moment = |wish: &Wish| match &wish.phase {
        Phase::Waiting { alone: false, after } => {
            Some((wish.queued_at + patience).max(*after).max(open_since.unwrap_or_default()))
        }
        Phase::Waiting { alone: true, after } => Some(*after),
        Phase::Held { again, .. } => Some(*again),
        Phase::Unseen { .. } | Phase::Sent(_) | Phase::Settled(_) => None,
    };
    let within_room = |wish: &Wish, at: Moment| match (wish.direction, group.room.again) {
        (Direction::Join, Some(again)) if !wish.is_default() => at.max(again),
        (Direction::Join | Direction::Leave, _) => at,
    };
    open.filter_map(|(_, wish)| Some(within_room(wish, moment(wish)?))).min()
}

/// A user that moves from one group to another joins before it leaves.
fn may_go(uid: &str, wish: &Wish, undecided: &BTreeSet<String>) -> bool {
    wish.direction == Direction::Join || !undecided.contains(uid)
}

/// The objects, by uid, that go into the next call if they still wish it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    direction: Direction,
    pub(super) uids: Vec<String>,
    /// The others of the part, if AWS refused them together.
    rest: Option<Vec<String>>,
    /// The object whose default user makes way for that of `uids` in the same call.
    pub(super) leaver: Option<String>,
}

impl Group {
    pub(super) fn members_of(&self, choice: &Choice) -> Vec<Member> {
        let all = choice.uids.iter().chain(&choice.leaver);
        all.filter_map(|uid| self.wishes.get(uid)).map(|wish| wish.member.clone()).collect()
    }

    /// A default user that wants to leave the group, and cannot before another one takes its place.
    fn leaving_default(&self) -> Option<&String> {
        self.wishes
            .iter()
            .find(|(_, wish)| wish.direction == Direction::Leave && wish.is_open_default())
            .map(|(uid, _)| uid)
    }

    /// A default user that wants to join the group. AWS refuses it at most because of its name.
    fn joining_default(&self) -> Option<&String> {
        self.wishes
            .iter()
            .find(|(_, wish)| wish.direction == Direction::Join && wish.is_open_default())
            .map(|(uid, _)| uid)
    }
}

/// Additions and removals take turns, because each accepted call makes the group busy for minutes.
pub(super) fn choose(group: &Group, undecided: &BTreeSet<String>, now: Moment) -> Option<Choice> {
    let directions = match group.last_direction {
        Some(Direction::Join) => [Direction::Leave, Direction::Join],
        Some(Direction::Leave) | None => [Direction::Join, Direction::Leave],
    };
    directions.into_iter().find_map(|direction| choose_for(group, direction, undecided, now))
}

/// Chooses the objects of the next call. First: all new wishes together. If there are none: half of a batch that AWS refused (a
/// `Part`). Then: objects of refused calls that are in no `Part`. Last: one object alone.
fn choose_for(
    group: &Group,
    direction: Direction,
    undecided: &BTreeSet<String>,
    now: Moment,
) -> Option<Choice> {
    let is_full = direction == Direction::Join && group.room.again.is_some_and(|again| again > now);
    let mut open: Vec<(&String, &Wish)> = group
        .wishes
        .iter()
        .filter(|(uid, wish)| {
            wish.direction == direction && may_go(uid, wish, undecided) && (!is_full || wish.is_default())
        })
        .collect();
    open.sort_by_key(|(uid, wish)| (age(wish), uid.as_str()));
    let together: Vec<(&String, &Wish)> =
        open.iter().copied().filter(|(_, wish)| is_due(wish, false, now) && !wish.is_default()).collect();
    let in_part = |uid: &String| group.parts.iter().any(|part| part.uids.contains(uid));
    let loose = |suspected: bool| -> Vec<String> {
        let all = together.iter().filter(|(uid, wish)| wish.suspected == suspected && !in_part(uid));
        all.take(MOST_MEMBERS).map(|(uid, _)| (*uid).clone()).collect()
    };
    let choice = |uids, rest| Some(Choice { direction, uids, rest, leaver: None });
    let fresh = loose(false);
    if !fresh.is_empty() {
        return choice(fresh, None);
    }
    let is_together = |uid: &String| together.iter().any(|(other, _)| *other == uid);
    if let Some(part) = group.parts.iter().rev().find(|part| part.uids.iter().all(is_together)) {
        let (half, rest) = halves(&part.uids, group);
        return choice(half, Some(rest));
    }
    let suspected = loose(true);
    if !suspected.is_empty() {
        return choice(suspected, None);
    }
    // One that leaves waits for one that joins, so that AWS's own default user is in the group at no time.
    let waits_for_another =
        |wish: &Wish| direction == Direction::Leave && wish.is_default() && group.joining_default().is_some();
    let (uid, wish) = open.iter().find(|(_, wish)| {
        (is_due(wish, true, now) || wish.is_default() && is_due(wish, false, now)) && !waits_for_another(wish)
    })?;
    let leaver =
        group.leaving_default().filter(|_| direction == Direction::Join && wish.is_default()).cloned();
    Some(Choice { direction, uids: vec![(*uid).clone()], rest: None, leaver })
}

fn is_due(wish: &Wish, alone: bool, now: Moment) -> bool {
    match &wish.phase {
        Phase::Waiting { alone: is_alone, after } => *is_alone == alone && *after <= now,
        Phase::Held { again, .. } => alone && *again <= now,
        Phase::Unseen { .. } | Phase::Sent(_) | Phase::Settled(_) => false,
    }
}

/// The oldest objects come first.
fn age(wish: &Wish) -> Timestamp {
    wish.member.created_at.unwrap_or_default()
}

/// The larger half, because a refused call costs less than an accepted one, which makes the group busy. Objects of one namespace stay
/// together if that costs no further call.
fn halves(part: &[String], group: &Group) -> (Vec<String>, Vec<String>) {
    let namespace = |uid: &String| group.wishes.get(uid).map(|wish| wish.member.namespace.as_str());
    let mut sorted = part.to_vec();
    sorted.sort_by(|one, other| namespace(one).cmp(&namespace(other)));
    let middle = sorted.len().div_ceil(2);
    let most = middle.next_power_of_two();
    let boundaries = (1..sorted.len()).filter(|&at| namespace(&sorted[at]) != namespace(&sorted[at - 1]));
    let near = boundaries.filter(|&at| at.max(sorted.len() - at) <= most);
    let at = near.min_by_key(|&at| at.abs_diff(middle)).unwrap_or(middle);
    let rest = sorted.split_off(at);
    (sorted, rest)
}

/// The next call, after the group was seen `active`. Those of the choice that do not wait any more are left out.
pub(super) fn trial(
    group: &mut Group,
    choice: Choice,
    seen: &UserGroup,
    pace: &Pace,
    now: Moment,
    roll: f64,
) -> Option<Trial> {
    let Choice { direction, mut uids, mut rest, leaver } = choice;
    let still_due = |uid: &String| {
        group.wishes.get(uid).is_some_and(|wish| {
            wish.direction == direction && (is_due(wish, false, now) || is_due(wish, true, now))
        })
    };
    uids.retain(still_due);
    if uids.is_empty() {
        return None;
    }
    // If one of them is left out, the others may not be refused any more.
    if !group.parts.iter().any(|part| uids.iter().all(|uid| part.uids.contains(uid))) {
        rest = None;
    }
    if let [uid] = uids.as_slice()
        && group.wishes.get(uid).is_some_and(Wish::is_default)
    {
        return default_trial(group, uid, leaver, seen, pace, now, roll);
    }
    if direction == Direction::Join {
        let room = room(group, seen.user_ids.len());
        if room < uids.len() {
            // The others of a part are tried with what is left.
            rest = None;
            uids.truncate(room.max(1));
        }
    }
    let users: Vec<String> = uids
        .iter()
        .filter_map(|uid| group.wishes.get(uid))
        .map(|wish| wish.member.wishes.user_id.clone())
        .collect();
    let (add, remove) = match direction {
        Direction::Join => (users, Vec::new()),
        Direction::Leave => (Vec::new(), users),
    };
    let (members, objects) = (seen.user_ids.len(), Vec::new());
    Some(Trial { uids, leaver: None, direction, rest, swap: Swap::No, members, objects, add, remove })
}

/// How many more members AWS takes, as far as is known. AWS's quota is not known: it can be raised.
fn room(group: &Group, members: usize) -> usize {
    match group.room.refused {
        Some(refused) => (refused - 1).saturating_sub(members).div_ceil(2),
        None if members > MOST_MEMBERS => MOST_MEMBERS,
        None => MOST_MEMBERS.saturating_sub(members),
    }
}

/// A Redis group needs a member that is named `default`. So ours takes the place of AWS's own in one call, and gives it back in
/// one call.
fn default_trial(
    group: &mut Group,
    uid: &str,
    leaver: Option<String>,
    seen: &UserGroup,
    pace: &Pace,
    now: Moment,
    roll: f64,
) -> Option<Trial> {
    let user_of = |uid: &String| group.wishes.get(uid).map(|wish| wish.member.wishes.user_id.clone());
    let leaving = leaver.and_then(|leaver| Some((user_of(&leaver)?, leaver)));
    let leaving = leaving.filter(|(user, _)| seen.has(user));
    let wish = group.wishes.get_mut(uid)?;
    let user = wish.member.wishes.user_id.clone();
    let is_redis = seen.engine.eq_ignore_ascii_case(crate::Engine::Redis.as_str());
    let has_awss = seen.has(DEFAULT_USER);
    let (uids, members, objects) = (vec![uid.to_owned()], seen.user_ids.len(), Vec::new());
    if let (Direction::Join, Some((former, leaver))) = (wish.direction, leaving) {
        let (add, remove, leaver) = (vec![user], vec![former], Some(leaver));
        let (direction, swap) = (Direction::Join, Swap::No);
        return Some(Trial { uids, leaver, direction, rest: None, swap, members, objects, add, remove });
    }
    let (add, remove) = match (wish.direction, is_redis, has_awss) {
        (Direction::Join, true, true) => (vec![user], vec![DEFAULT_USER.to_owned()]),
        (Direction::Join, _, _) => (vec![user], Vec::new()),
        (Direction::Leave, true, false) => {
            if !seen.caches.is_empty() && !may_restore(wish, &seen.id) {
                wish.refusals = wish.refusals.saturating_add(1);
                let again = now + pace.until(Requeue::Slow, wish.refusals, std::time::Duration::ZERO, roll);
                let state = MembershipState::DefaultInUse { caches: seen.caches.clone() };
                wish.phase = Phase::Held { state, again };
                return None;
            }
            (vec![DEFAULT_USER.to_owned()], vec![user])
        }
        (Direction::Leave, _, _) => (Vec::new(), vec![user]),
    };
    let swap = if add.is_empty() || remove.is_empty() { Swap::No } else { Swap::Yes };
    let direction = wish.direction;
    Some(Trial { uids, leaver: None, direction, rest: None, swap, members, objects, add, remove })
}

fn may_restore(wish: &Wish, group: &UserGroupId) -> bool {
    let listed = wish.member.annotations.get(RESTORE_DEFAULT_USER).map(String::as_str).unwrap_or_default();
    listed.split(',').any(|id| id.trim().eq_ignore_ascii_case(group.as_str()))
}
