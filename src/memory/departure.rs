//! No I/O: what a process knows of a deletion beyond what status says.

use plan::LastApplied;

/// The announcement of a DeleteUser takes `lastApplied` out of status, so that a user without our tags counts as another one
/// from then on, whoever looks. The process that did so knows better until it sends DeleteUser, and as long as AWS refuses. A
/// restart forgets that: a user that lost its tags meanwhile is then left, and told.
///
/// It holds only while nobody else has written the object: another process announces before its first DeleteUser, and in
/// other words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Departure {
    /// The object's version, where this process announced the deletion and nobody else has written since.
    version: Option<u64>,
    /// What was in status before; and no DeleteUser may have been accepted.
    last_applied: Option<LastApplied>,
}

impl Departure {
    /// A pass goes on with this version. Of one that cannot be told from others nothing is known.
    pub fn begin(&mut self, version: Option<u64>) {
        if self.version.is_none() || self.version != version {
            *self = Self::default();
        }
    }

    /// A DeleteUser is announced in this version, which took this out of status.
    pub fn announce(&mut self, version: Option<u64>, last_applied: Option<LastApplied>) {
        self.version = version;
        self.last_applied = last_applied.or_else(|| self.last_applied.take());
    }

    /// This process wrote this version.
    pub fn wrote(&mut self, version: Option<u64>) {
        if self.version.is_some() {
            self.version = version;
        }
    }

    /// DeleteUser is about to be sent: nothing is certain until its answer. Tells what was, for [`Departure::refused`].
    #[must_use]
    pub fn send(&mut self) -> Option<LastApplied> {
        self.last_applied.take()
    }

    /// AWS refused it: what was certain before is so again.
    pub fn refused(&mut self, before: Option<LastApplied>) {
        self.last_applied = before;
    }

    /// The user is gone, or on its way out: whatever comes after it is another one.
    pub fn end(&mut self) {
        self.last_applied = None;
    }

    /// This process announced a DeleteUser.
    #[must_use]
    pub fn is_announced(&self) -> bool {
        self.version.is_some()
    }

    /// What was applied to the user that status knows by its ARN, which is there still.
    #[must_use]
    pub fn last_applied(&self) -> Option<&LastApplied> {
        self.last_applied.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied() -> Option<LastApplied> {
        Some(LastApplied { access_string: Some("on ~* +@all".to_owned()), ..LastApplied::default() })
    }

    fn announced() -> Departure {
        let mut departure = Departure::default();
        departure.announce(Some(7), applied());
        departure
    }

    #[test]
    fn a_user_is_known_until_its_deletion_is_sent_and_once_that_was_refused() {
        let mut departure = announced();
        assert_eq!(departure.last_applied(), applied().as_ref());
        let before = departure.send();
        assert_eq!(departure.last_applied(), None);
        departure.refused(before);
        assert_eq!(departure, announced());
        departure.announce(Some(8), None);
        assert_eq!(
            departure.last_applied(),
            applied().as_ref(),
            "another announcement changes nothing of that"
        );
    }

    #[test]
    fn a_later_refusal_does_not_say_what_came_of_a_lost_answer() {
        let mut departure = announced();
        let _lost = departure.send();
        let before = departure.send();
        departure.refused(before);
        assert!(departure.is_announced() && departure.last_applied().is_none());
    }

    #[test]
    fn nor_does_it_bring_back_a_user_that_was_gone() {
        let mut departure = announced();
        departure.end();
        let before = departure.send();
        departure.refused(before);
        assert!(departure.is_announced() && departure.last_applied().is_none());
    }

    #[test]
    fn all_is_forgotten_once_somebody_else_wrote_the_object() {
        let mut departure = announced();
        departure.begin(Some(7));
        departure.wrote(Some(8));
        departure.begin(Some(8));
        assert!(departure.is_announced() && departure.last_applied().is_some());
        departure.begin(Some(9));
        assert_eq!(departure, Departure::default());
        departure.wrote(Some(10));
        assert!(!departure.is_announced());
        departure.announce(None, applied());
        departure.begin(None);
        assert_eq!(departure, Departure::default());
    }
}
