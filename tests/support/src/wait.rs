//! Waits until a fact is true, with a deadline. A failure shows the last value that was seen.

use std::fmt::{self, Debug, Display};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Long enough for any fact on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The result of one check: the fact, or the value that was seen instead. `Option` and `bool` have no value to show.
pub trait Look {
    /// The fact.
    type Fact;
    /// The value that was seen instead.
    type Seen: Debug;

    /// The fact, or the value that was seen instead.
    ///
    /// # Errors
    /// The value that was seen instead.
    fn look(self) -> Result<Self::Fact, Self::Seen>;
}

impl<T> Look for Option<T> {
    type Fact = T;
    type Seen = ();

    fn look(self) -> Result<T, ()> {
        self.ok_or(())
    }
}

impl Look for bool {
    type Fact = ();
    type Seen = ();

    fn look(self) -> Result<(), ()> {
        self.then_some(()).ok_or(())
    }
}

impl<T, S: Debug> Look for Result<T, S> {
    type Fact = T;
    type Seen = S;

    fn look(self) -> Result<T, S> {
        self
    }
}

/// The value as a fact if `holds` is true. Otherwise the value as one that was seen instead.
///
/// # Errors
/// The value if `holds` is false.
pub fn when<T>(value: T, holds: impl FnOnce(&T) -> bool) -> Result<T, T> {
    if holds(&value) { Ok(value) } else { Err(value) }
}

/// The fact did not hold before the deadline.
#[derive(Debug)]
pub struct TimedOut<S> {
    fact: String,
    within: Duration,
    /// The last value seen.
    pub last: S,
}

impl<S: Debug> Display for TimedOut<S> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "not seen within {} s: {}", self.within.as_secs(), self.fact)?;
        if size_of::<S>() > 0 { write!(to, "\nthe last value seen: {:#?}", self.last) } else { Ok(()) }
    }
}

impl<S: Debug> std::error::Error for TimedOut<S> {}

struct Deadline<'a> {
    fact: &'a str,
    within: Duration,
    since: Instant,
}

impl<'a> Deadline<'a> {
    fn new(fact: &'a str, within: Duration) -> Self {
        Self { fact, within, since: Instant::now() }
    }

    /// The outcome if this check ends the wait. `None` if another check follows.
    fn outcome<L: Look>(&self, look: L) -> Option<Result<L::Fact, TimedOut<L::Seen>>> {
        match look.look() {
            Ok(fact) => Some(Ok(fact)),
            Err(last) if self.since.elapsed() >= self.within => {
                Some(Err(TimedOut { fact: self.fact.to_owned(), within: self.within, last }))
            }
            Err(_) => None,
        }
    }
}

/// Waits until `look` returns the fact. It checks every 50 ms.
///
/// # Errors
/// If the fact does not hold within the deadline.
pub async fn until<L: Look, F: Future<Output = L>>(
    fact: &str,
    within: Duration,
    look: impl FnMut() -> F,
) -> Result<L::Fact, TimedOut<L::Seen>> {
    until_notified(fact, within, (&Notify::new(), Duration::from_millis(50)), look).await
}

/// Waits until `look` returns the fact. It checks at each notification, and after a pause without one.
///
/// # Errors
/// If the fact does not hold within the deadline.
pub async fn until_notified<L: Look, F: Future<Output = L>>(
    fact: &str,
    within: Duration,
    (news, pause): (&Notify, Duration),
    mut look: impl FnMut() -> F,
) -> Result<L::Fact, TimedOut<L::Seen>> {
    let deadline = Deadline::new(fact, within);
    loop {
        // The wait registers before the check, because a notification during the check must count.
        let mut notified = std::pin::pin!(news.notified());
        notified.as_mut().enable();
        if let Some(outcome) = deadline.outcome(look().await) {
            return outcome;
        }
        // A pause without news is no error.
        let _ = tokio::time::timeout(pause, notified).await;
    }
}

/// Waits without an async runtime. An error of `look` ends the wait.
///
/// # Errors
/// If `look` fails, or the fact does not hold within the deadline.
pub fn until_blocking<L: Look>(
    fact: &str,
    within: Duration,
    mut look: impl FnMut() -> anyhow::Result<L>,
) -> anyhow::Result<L::Fact> {
    let deadline = Deadline::new(fact, within);
    loop {
        if let Some(outcome) = deadline.outcome(look()?) {
            return outcome.map_err(|late| anyhow::anyhow!("{late}"));
        }
        pause(Duration::from_millis(50));
    }
}

/// The pause between two checks.
#[allow(clippy::disallowed_methods, reason = "every caller looks at a fact again afterwards")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(120);

    #[tokio::test]
    async fn a_wait_returns_the_fact_or_fails_with_the_last_value_seen() {
        let mut looks = 0;
        let counted = until("three looks", PATIENCE, || {
            looks += 1;
            std::future::ready(when(looks, |looks| *looks == 3))
        });
        assert_eq!(counted.await.unwrap(), 3);
        let late = until("a fourth", SOON, || async { when("a third", |seen| *seen == "a fourth") });
        let late = late.await.unwrap_err().to_string();
        assert_eq!(late, "not seen within 0 s: a fourth\nthe last value seen: \"a third\"");
    }

    #[tokio::test]
    async fn a_notification_during_a_check_is_not_lost() {
        let news = Notify::new();
        let mut looks = 0;
        let pause = Duration::from_secs(3600);
        let found = until_notified("the second look", PATIENCE, (&news, pause), || {
            looks += 1;
            news.notify_waiters();
            std::future::ready((looks == 2).then_some(()))
        });
        found.await.unwrap();
    }

    #[test]
    fn a_blocking_wait_fails_with_the_error_of_its_check() {
        let broken = until_blocking("anything", PATIENCE, || -> anyhow::Result<Option<()>> {
            anyhow::bail!("the process ended")
        });
        assert_eq!(broken.unwrap_err().to_string(), "the process ended");
        let late = until_blocking("a fact", SOON, || Ok(None::<()>)).unwrap_err().to_string();
        assert_eq!(late, "not seen within 0 s: a fact");
    }
}
