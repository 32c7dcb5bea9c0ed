//! I/O: reads all users of the AWS account and their tags, at the rate that the flags permit. It changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use aws::{Aws, UserPage};
use futures::{StreamExt, stream};
use plan::{
    Arn, AwsError, DEFAULT_USER, Fault, Lifecycle, RemoteUser, Tags, TagsObservation, UserId, UserObservation,
};

use super::progress::ProgressLines;
use super::row::counted;
use crate::account::{Class, RateLimited};

/// AWS calls that are under way at the same time.
const CALLS_AT_ONCE: usize = 8;
/// How often a call is made that AWS throttles or does not answer.
const ATTEMPTS: u32 = 6;
/// How often AWS is asked again for tags that it did not show.
const TAG_ROUNDS: u32 = 3;

#[derive(Clone, Copy, Debug)]
pub(crate) struct SurveyPace {
    /// AWS calls a second, as configured.
    rate: f64,
    /// Before the first repetition of a call. Each further pause is twice as long.
    retry: Duration,
    /// Before AWS is asked again for tags: AWS hides them for about 5 s after they changed.
    hidden_tags: Duration,
}

impl SurveyPace {
    pub(crate) fn new(rate: f64, divisor: u32) -> Self {
        let divisor = divisor.max(1);
        Self { rate, retry: Duration::from_secs(1) / divisor, hidden_tags: Duration::from_secs(6) / divisor }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Without AWS's own user and without those that AWS is deleting.
    pub(crate) users: Vec<SurveyedUser>,
    /// IDs of users that AWS did not describe completely.
    pub(crate) incomplete: Vec<String>,
    pub(crate) being_deleted: usize,
    /// Why the survey ended before its end.
    pub(crate) interruption: Option<Interruption>,
}

#[derive(Debug)]
pub(crate) struct SurveyedUser {
    pub(crate) user: RemoteUser,
    pub(crate) tags: SurveyedTags,
}

#[derive(Debug)]
pub(crate) enum SurveyedTags {
    NotAsked,
    Read(Tags),
    /// ListTagsForResource answered 404 each time: the user is not `active`, or its tags have just changed.
    Hidden,
    Denied(AwsError),
}

#[derive(Debug)]
pub(crate) struct Interruption {
    /// The IAM action of the call that failed.
    pub(crate) action: &'static str,
    pub(crate) fault: Fault,
}

pub(crate) struct Surveyor<'a, 'out> {
    aws: &'a RateLimited<Aws>,
    pace: SurveyPace,
    progress: &'a ProgressLines<'out>,
}

impl<'a, 'out> Surveyor<'a, 'out> {
    pub(crate) fn new(
        aws: &'a RateLimited<Aws>,
        pace: SurveyPace,
        progress: &'a ProgressLines<'out>,
    ) -> Self {
        Self { aws, pace, progress }
    }

    pub(crate) async fn survey(&self) -> Survey {
        let mut survey = self.list_users().await;
        self.read_tags(&mut survey).await;
        survey
    }

    async fn list_users(&self) -> Survey {
        let mut survey = Survey::default();
        let (mut user_ids, mut markers, mut marker) = (BTreeSet::new(), BTreeSet::new(), None);
        loop {
            let page = match self.page(marker.as_deref()).await {
                Ok(page) => page,
                Err(fault) => {
                    survey.interruption = Some(Interruption { action: "elasticache:DescribeUsers", fault });
                    return survey;
                }
            };
            marker = page.marker.clone();
            survey.add(page, &mut user_ids);
            match &marker {
                // If AWS returned a marker again, the survey would never end.
                Some(next) if markers.insert(next.clone()) => {}
                Some(_) | None => return survey,
            }
            self.progress.line(&format!("{} listed so far", counted(user_ids.len(), "AWS user")));
        }
    }

    async fn page(&self, marker: Option<&str>) -> Result<UserPage, Fault> {
        let call = async || self.aws.list(self.aws.permit(Class::Change, "").await, marker).await;
        self.with_retries("DescribeUsers", call).await
    }

    /// Reads the tags of all users, and again those that AWS did not show, until they are read or it was tried often enough.
    async fn read_tags(&self, survey: &mut Survey) {
        self.announce(survey.users.len());
        for round in 0..=TAG_ROUNDS {
            let pending = survey.pending_tags();
            if pending.is_empty() {
                return;
            }
            if round > 0 {
                let users = counted(pending.len(), "AWS user");
                let again = self.pace.hidden_tags;
                self.progress
                    .line(&format!("AWS does not show the tags of {users}; trying again in {again:?}"));
                tokio::time::sleep(again).await;
            }
            if let Err(fault) = self.read_tags_once(survey, pending).await {
                let interruption = Interruption { action: "elasticache:ListTagsForResource", fault };
                survey.interruption.get_or_insert(interruption);
                return;
            }
        }
    }

    fn announce(&self, users: usize) {
        let (users, rate) = (counted(users, "AWS user"), self.pace.rate);
        self.progress.line(&format!(
            "reading the tags of {users}, one call each, at {rate} calls a second (--aws-rate)"
        ));
    }

    async fn read_tags_once(&self, survey: &mut Survey, pending: Vec<(usize, Arn)>) -> Result<(), Fault> {
        let (total, mut done) = (pending.len(), 0);
        let calls = pending.into_iter().map(|(index, arn)| async move { (index, self.tags(&arn).await) });
        let mut answers = std::pin::pin!(stream::iter(calls).buffer_unordered(CALLS_AT_ONCE));
        while let Some((index, answer)) = answers.next().await {
            let tags = answer?;
            if let Some(surveyed) = survey.users.get_mut(index) {
                surveyed.tags = tags;
            }
            done += 1;
            let text = || format!("tags of {done} of {}", counted(total, "AWS user"));
            if done == total { self.progress.line(&text()) } else { self.progress.sometimes(text) }
        }
        Ok(())
    }

    async fn tags(&self, arn: &Arn) -> Result<SurveyedTags, Fault> {
        let call = async || match self.aws.list_tags(self.aws.permit(Class::Change, "").await, arn).await {
            TagsObservation::Read(tags) => Ok(SurveyedTags::Read(tags)),
            TagsObservation::NotRead | TagsObservation::Unreadable => Ok(SurveyedTags::Hidden),
            TagsObservation::Failed(Fault::Denied(said)) => Ok(SurveyedTags::Denied(said)),
            TagsObservation::Failed(fault) => Err(fault),
        };
        self.with_retries("ListTagsForResource", call).await
    }

    /// Whether the user exists now and AWS is not deleting it.
    pub(crate) async fn exists(&self, user: &RemoteUser) -> Result<bool, Fault> {
        // The operator never uses such an ID, so it cannot ask for this user alone. Believe the listing.
        let Ok(user_id) = UserId::parse(&user.user_id) else { return Ok(true) };
        let call =
            async || match self.aws.describe(self.aws.permit(Class::Change, "").await, &user_id).await.0 {
                UserObservation::Found(user) => Ok(user.lifecycle != Lifecycle::Deleting),
                UserObservation::Absent => Ok(false),
                UserObservation::NotRead => Ok(true),
                UserObservation::Failed(fault) => Err(fault),
            };
        self.with_retries("DescribeUsers", call).await
    }

    /// Makes the call again while AWS throttles it or does not answer.
    async fn with_retries<T>(
        &self,
        operation: &str,
        call: impl AsyncFn() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut pause = self.pace.retry;
        for _ in 1..ATTEMPTS {
            match call().await {
                Err(fault) if fault.passes_by_itself() => self
                    .progress
                    .sometimes(|| format!("{operation}: {} Trying again in {pause:?}.", fault.error())),
                ended => return ended,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        call().await
    }
}

impl Survey {
    fn add(&mut self, page: UserPage, user_ids: &mut BTreeSet<String>) {
        for user in page.users {
            // AWS may show a user on two pages if users are created or deleted meanwhile.
            if !user_ids.insert(user.user_id.clone()) || user.user_id == DEFAULT_USER {
                continue;
            }
            if user.lifecycle == Lifecycle::Deleting {
                self.being_deleted += 1;
            } else {
                self.users.push(SurveyedUser { user, tags: SurveyedTags::NotAsked });
            }
        }
        self.incomplete.extend(page.incomplete.into_iter().filter(|id| user_ids.insert(id.clone())));
    }

    fn pending_tags(&self) -> Vec<(usize, Arn)> {
        let pending = self.users.iter().enumerate().filter(|(_, surveyed)| match surveyed.tags {
            SurveyedTags::NotAsked | SurveyedTags::Hidden => true,
            SurveyedTags::Read(_) | SurveyedTags::Denied(_) => false,
        });
        pending.map(|(index, surveyed)| (index, surveyed.user.arn.clone())).collect()
    }
}
