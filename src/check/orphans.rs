//! I/O: `check --orphans`. Lists the AWS users that lack their object: their owner tags name an object of this cluster that does
//! not exist.
//!
//! It reads the users first and the objects afterwards, because an object always exists before its user. It reads each orphan once
//! more at the end, because the user may have been deleted meanwhile. It writes nothing.

mod commands;
mod findings;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use aws::{Aws, Preflight, Timeouts};
use plan::Fault;

use self::findings::{Finding, KnownObjects};
use super::cluster::{Cluster, ListError};
use super::progress::ProgressLines;
use super::row::{Row, counted, named};
use super::survey::{Interruption, Survey, SurveyPace, SurveyedTags, Surveyor};
use super::{CheckReport, PATIENCE, amazon, permissions};
use crate::account::{Limiter, RateLimited};
use crate::config::{Check, credentials_provider};

pub(super) async fn check_orphans<W: Write>(
    flags: &Check,
    cluster: &Cluster,
    report: &mut CheckReport<W>,
    progress: &ProgressLines<'_>,
) -> anyhow::Result<()> {
    let (row, cluster_id) = super::cluster_id_row(flags, cluster).await;
    report.publish(row)?;
    let Some(cluster_id) = cluster_id else { return Ok(()) };
    let Some((aws, region)) = connect_to_aws(flags, report).await? else { return Ok(()) };
    let pace = SurveyPace::new(flags.run.aws_rate, flags.run.pace_divisor);
    let surveyor = Surveyor::new(&aws, pace, progress);
    let survey = surveyor.survey().await;
    survey_rows(&survey, &region).into_iter().try_for_each(|row| report.publish(row))?;
    let known = known_objects(flags, cluster, findings::namespaces(&survey, &cluster_id)).await;
    if let Some(row) = unread_row(cluster, &known).await {
        report.publish(row)?;
    }
    let mut found = Vec::new();
    for surveyed in &survey.users {
        let finding = findings::evaluate(surveyed, &cluster_id, &known);
        match confirm(&surveyor, &surveyed.user, &finding).await {
            Ok(false) => continue,
            Ok(true) => {}
            Err(fault) => report.publish(amazon::interrupted_row("elasticache:DescribeUsers", &fault, ""))?,
        }
        if let Some(row) = findings::finding_row(&surveyed.user, &finding) {
            report.publish(row)?;
        }
        found.push(finding);
    }
    report.publish(findings::summary_row(&found, known.definition_installed))?;
    Ok(())
}

async fn connect_to_aws<W: Write>(
    flags: &Check,
    report: &mut CheckReport<W>,
) -> anyhow::Result<Option<(RateLimited<Aws>, String)>> {
    let timeouts = Timeouts::within(flags.run.aws_call_timeout.min(PATIENCE));
    let aws = Preflight::load(timeouts, &credentials_provider()).await;
    let region = aws.region();
    report.publish(amazon::region_row(&region))?;
    let credentials = aws.credentials().await;
    report.publish(amazon::credentials_row(&credentials))?;
    let (Ok(region), Ok(())) = (region, credentials) else { return Ok(None) };
    let limiter = Limiter::new(flags.run.aws_rate, flags.run.aws_burst);
    Ok(Some((RateLimited::new(aws.users().clone(), limiter), region)))
}

/// Whether the finding still holds. A user may go, or begin to go, while the others are read.
async fn confirm(
    surveyor: &Surveyor<'_, '_>,
    user: &plan::RemoteUser,
    finding: &Finding<'_>,
) -> Result<bool, Fault> {
    match finding {
        Finding::Orphan(_) | Finding::PartlyTagged | Finding::UnknownObject { .. } | Finding::HiddenTags => {
            surveyor.exists(user).await
        }
        Finding::NotOurs | Finding::Owned | Finding::DeniedTags | Finding::NotAsked => Ok(true),
    }
}

/// The objects of the whole cluster if they may be listed, else those of the namespaces that the tags name.
async fn known_objects(flags: &Check, cluster: &Cluster, namespaces: BTreeSet<String>) -> KnownObjects {
    let policy = flags.run.policy(String::new());
    let mut known = KnownObjects { objects: Vec::new(), unread: BTreeMap::new(), definition_installed: true };
    match cluster.objects(&[None], flags.page_size, &policy).await {
        Ok(objects) => known.objects = objects,
        Err(ListError::NoDefinition) => known.definition_installed = false,
        Err(ListError::Cluster(_)) => {
            // A tag that is not a DNS label cannot be a namespace, so no object exists there.
            for namespace in namespaces.into_iter().filter(|namespace| plan::is_dns_label(namespace)) {
                match cluster.objects(&[Some(namespace.clone())], flags.page_size, &policy).await {
                    Ok(objects) => known.objects.extend(objects),
                    Err(error) => drop(known.unread.insert(namespace, error)),
                }
            }
        }
    }
    known
}

/// The row with the permissions that are missing for the namespaces that could not be read.
async fn unread_row(cluster: &Cluster, known: &KnownObjects) -> Option<Row> {
    let scopes: Vec<_> = known.unread.keys().cloned().map(Some).collect();
    if scopes.is_empty() {
        return None;
    }
    let caller = cluster.username().await;
    let row = super::granted(cluster, &permissions::LISTING, &scopes, caller.as_deref()).await;
    row.fix.is_some().then_some(row)
}

fn survey_rows(survey: &Survey, region: &str) -> Vec<Row> {
    let mut rows = vec![users_row(survey, region)];
    let denied = survey.users.iter().filter_map(|surveyed| match &surveyed.tags {
        SurveyedTags::Denied(said) => Some((surveyed.user.user_id.clone(), said)),
        SurveyedTags::NotAsked | SurveyedTags::Hidden | SurveyedTags::Read(_) => None,
    });
    let (user_ids, saids): (Vec<String>, Vec<_>) = denied.unzip();
    if let Some(said) = saids.first() {
        let about =
            format!(" It is not known which objects these AWS users belong to: {}.", named(&user_ids));
        let fault = Fault::Denied((*said).clone());
        let row = amazon::interrupted_row("elasticache:ListTagsForResource", &fault, &about);
        rows.push(Row { check: "aws-list-tags", ..row });
    }
    if !survey.incomplete.is_empty() {
        let message = format!(
            "AWS does not describe {} completely, so it is not known which objects these belong to: {}.",
            counted(survey.incomplete.len(), "user"),
            named(&survey.incomplete)
        );
        rows.push(Row::unknown("orphan-unknown", message));
    }
    rows
}

fn users_row(survey: &Survey, region: &str) -> Row {
    let total = survey.users.len();
    let Some(Interruption { action, fault }) = &survey.interruption else {
        let deleting = match survey.being_deleted {
            0 => String::new(),
            count => format!(" AWS is deleting {count} more."),
        };
        let account = survey.users.first().map(|surveyed| surveyed.user.arn.account());
        let account = account.map(|account| format!("account {account}, ")).unwrap_or_default();
        let message = format!(
            "{} and their tags were read in {account}region {region}.{deleting}",
            counted(total, "AWS user")
        );
        return Row::ok("aws-users", message);
    };
    let asked = survey.users.iter().filter(|surveyed| !matches!(surveyed.tags, SurveyedTags::NotAsked));
    let so_far = format!(
        " Before that, {} and the tags of {} of them were read, so the list below is not complete.",
        counted(total, "user"),
        asked.count()
    );
    amazon::interrupted_row(action, fault, &so_far)
}
