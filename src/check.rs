//! I/O: `check`. Asks the cluster and AWS for what the operator needs, and says what is missing and how to fix it. With
//! `--uninstall` it says what would be lost without the operator, with `--orphans` which AWS users lack their object.
//!
//! `cluster`, `survey`, `lease`, `secrets` and `orphans` do I/O. The other modules evaluate the answers.

mod amazon;
mod clocks;
mod cluster;
mod definition;
mod lease;
mod orphans;
mod permissions;
mod progress;
mod row;
mod rules;
mod secrets;
mod survey;
mod uninstall;

use std::io::Write;
use std::time::Duration;

use aws::{Asked, Preflight, Timeouts};
use plan::Arn;
use serde_json::Value;

use crate::config::{Check, CheckMode, OutputFormat, SecretWatch, credentials_provider};
use crate::resolve::in_namespace;
use crate::{api, clock};
use clocks::ClockReading;
use cluster::{Cluster, ListError};
use permissions::{Rule, Scope};
use progress::ProgressLines;
use row::{Row, RowStatus, capitalize};
use uninstall::ObjectSummary;

/// The oldest Kubernetes version that is supported.
const OLDEST: (u32, u32) = (1, 33);
/// The time-out of one request, at most. It is shorter than the operator's, because a person waits.
const PATIENCE: Duration = Duration::from_secs(10);
const KUBECONFIG: &str = "set KUBECONFIG, or run in a pod with a ServiceAccount; try: kubectl version";

/// Writes the rows to `out`, and how far a long check is to `progress`. True if no row failed.
///
/// # Errors
/// If `out` cannot be written to.
pub async fn check(
    flags: &Check,
    mode: CheckMode,
    out: impl Write,
    progress: &mut dyn Write,
) -> anyhow::Result<bool> {
    let force = mode == CheckMode::Uninstall { force: true };
    let mut report = CheckReport { out, output: flags.output, force, rows: Vec::new() };
    if flags.output == OutputFormat::Table {
        report.out.write_all(row::head().as_bytes())?;
    }
    let cluster = connect_to_cluster(flags, &mut report).await?;
    match (mode, cluster) {
        (CheckMode::Uninstall { .. }, Some((cluster, _))) => {
            uninstalling(flags, &cluster, &mut report).await?;
        }
        (CheckMode::Orphans, Some((cluster, _))) => {
            orphans::check_orphans(flags, &cluster, &mut report, &ProgressLines::new(progress)).await?;
        }
        (CheckMode::Uninstall { .. } | CheckMode::Orphans, None) => {}
        (CheckMode::Preflight, cluster) => check_needs(flags, cluster, &mut report).await?,
    }
    report.end()
}

async fn check_needs<W: Write>(
    flags: &Check,
    cluster: Option<(Cluster, Option<ClockReading>)>,
    report: &mut CheckReport<W>,
) -> anyhow::Result<()> {
    let timeouts = Timeouts::within(flags.run.aws_call_timeout.min(PATIENCE));
    let aws = Preflight::load(timeouts, &credentials_provider()).await;
    let Some((cluster, reading)) = cluster else { return in_aws(flags, &aws, &[], None, report).await };
    let objects = in_cluster(flags, &cluster, aws.region().ok().as_deref(), report).await?;
    in_aws(flags, &aws, &objects, reading, report).await
}

/// Writes each row of a table at once, and JSON at the end.
struct CheckReport<W> {
    out: W,
    output: OutputFormat,
    force: bool,
    rows: Vec<Row>,
}

impl<W: Write> CheckReport<W> {
    fn publish(&mut self, row: Row) -> std::io::Result<()> {
        let row = if self.force { row.forced() } else { row };
        if self.output == OutputFormat::Table {
            self.out.write_all(row.lines().as_bytes())?;
            self.out.flush()?;
        }
        self.rows.push(row);
        Ok(())
    }

    fn end(mut self) -> anyhow::Result<bool> {
        let text = match self.output {
            OutputFormat::Table => row::foot(&self.rows),
            OutputFormat::Json => row::json(&self.rows)?,
        };
        self.out.write_all(text.as_bytes())?;
        self.out.flush()?;
        Ok(row::worst(&self.rows) != RowStatus::Failed)
    }
}

async fn connect_to_cluster<W: Write>(
    flags: &Check,
    report: &mut CheckReport<W>,
) -> anyhow::Result<Option<(Cluster, Option<ClockReading>)>> {
    let cluster = match Cluster::connect(flags.run.kubernetes_timeout.min(PATIENCE)).await {
        Ok(cluster) => cluster,
        Err(why) => {
            report.publish(Row::failed("cluster", capitalize(&why.to_string()), KUBECONFIG))?;
            return Ok(None);
        }
    };
    match cluster.version().await {
        Ok((version, reading)) => {
            report.publish(supported(&version, &cluster.url))?;
            Ok(Some((cluster, reading)))
        }
        Err(why) => {
            let message = format!(
                "The API server at {} does not answer: {why}. The other checks of the cluster were skipped.",
                cluster.url
            );
            report.publish(Row::failed("cluster", message, KUBECONFIG))?;
            Ok(None)
        }
    }
}

fn supported(version: &Value, url: &str) -> Row {
    let text = |name: &str| version.get(name).and_then(Value::as_str).unwrap_or_default();
    // Some providers write "33+".
    let number = |name| text(name).trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().ok();
    let found = text("gitVersion");
    let (major, minor) = OLDEST;
    match number("major").zip(number("minor")) {
        Some(version) if version >= OLDEST => Row::ok("cluster", format!("Kubernetes {found} at {url}.")),
        Some(_) => Row::failed(
            "cluster",
            format!(
                "Kubernetes {found} at {url} is older than {major}.{minor}, the oldest that is supported."
            ),
            format!("upgrade the cluster to Kubernetes {major}.{minor} or newer"),
        ),
        None => Row::warning(
            "cluster",
            format!("The API server at {url} does not show its version."),
            format!("check that it is {major}.{minor} or newer: kubectl version"),
        ),
    }
}

fn watched_scopes(flags: &Check) -> Vec<Scope> {
    match flags.run.namespaces() {
        none if none.is_empty() => vec![None],
        namespaces => namespaces.into_iter().map(Some).collect(),
    }
}

/// Checks what the operator needs of the cluster. Returns the objects, or none if they may not be listed.
async fn in_cluster<W: Write>(
    flags: &Check,
    cluster: &Cluster,
    region: Option<&str>,
    report: &mut CheckReport<W>,
) -> anyhow::Result<Vec<ObjectSummary>> {
    report.publish(definition::evaluate(&cluster.definition().await, &api::crd()))?;
    let (row, cluster_id) = cluster_id_row(flags, cluster).await;
    report.publish(row)?;
    let scopes = watched_scopes(flags);
    let caller = cluster.username().await;
    let caller = caller.as_deref();
    for rule in [permissions::OBJECTS, permissions::STATUS, permissions::FINALIZERS, permissions::EVENTS] {
        report.publish(granted(cluster, &rule, &scopes, caller).await)?;
    }
    let reviews = [permissions::TOKEN_REVIEWS, permissions::ACCESS_REVIEWS];
    let reviews = reviews.into_iter().filter(|_| flags.run.metrics_secure);
    for rule in [permissions::DEFINITION].into_iter().chain(reviews) {
        report.publish(granted(cluster, &rule, &[None], caller).await)?;
    }
    if flags.run.leader_elect {
        let installed = region.zip(cluster_id.as_deref());
        lease::rows(flags, cluster, installed, caller)
            .await
            .into_iter()
            .try_for_each(|row| report.publish(row))?;
    }
    lease::other_operators(flags, cluster).await.into_iter().try_for_each(|row| report.publish(row))?;
    let policy = flags.run.policy(String::new());
    let mut objects = cluster.objects(&scopes, flags.page_size, &policy).await.unwrap_or_default();
    objects.retain(|object| object.included);
    let rules = [rules::evaluate(&objects), rules::unjoinable_groups(&objects)];
    rules.into_iter().flatten().try_for_each(|row| report.publish(row))?;
    unwatched_row(flags, cluster).await.into_iter().try_for_each(|row| report.publish(row))?;
    report.publish(secrets::row(flags, cluster, &objects, caller).await)?;
    let scopes = match flags.run.secret_watch() {
        SecretWatch::WithObjects => scopes,
        SecretWatch::Listed(namespaces) => namespaces.into_iter().map(Some).collect(),
        // Whoever lets the operator read single Secrets decides that it does not watch them.
        SecretWatch::WhereAllowed => Vec::new(),
    };
    if !scopes.is_empty() {
        report.publish(granted(cluster, &permissions::SECRETS_WATCH, &scopes, caller).await)?;
    }
    Ok(objects)
}

/// A row if objects outside of `--namespace` have our finalizer. No row if the caller may not list all objects.
async fn unwatched_row(flags: &Check, cluster: &Cluster) -> Option<Row> {
    let namespaces = flags.run.namespaces();
    if namespaces.is_empty() || !cluster.allows(&permissions::LISTING).await {
        return None;
    }
    let policy = flags.run.policy(String::new());
    let objects = cluster.objects(&[None], flags.page_size, &policy).await.unwrap_or_default();
    rules::unwatched(&objects, &namespaces)
}

async fn granted(cluster: &Cluster, rule: &Rule<'_>, scopes: &[Scope], caller: Option<&str>) -> Row {
    permissions::evaluate(rule, &cluster.may(rule, scopes).await, caller)
}

/// The cluster's name in owner tags, if it can be read.
async fn cluster_id_row(flags: &Check, cluster: &Cluster) -> (Row, Option<String>) {
    const CHECK: &str = "cluster-id";
    if let Some(id) = &flags.run.cluster_id {
        let message = format!("Owner tags name this cluster {id}, because --cluster-id is set.");
        return (Row::ok(CHECK, message), Some(id.clone()));
    }
    match cluster.cluster_uid().await {
        Ok(uid) => {
            let message =
                format!("Owner tags name this cluster {uid}, the UID of the namespace kube-system.");
            (Row::ok(CHECK, message), Some(uid))
        }
        Err(why) => {
            let caller = cluster.username().await;
            let row = granted(cluster, &permissions::KUBE_SYSTEM, &[None], caller.as_deref()).await;
            let allow = row.fix.map(|allow| allow + "\n").unwrap_or_default();
            let message = format!(
                "The UID of the namespace kube-system names the cluster in owner tags, and cannot be read: {why}"
            );
            let fix = allow + "or set a name for the cluster, and never change it: --cluster-id NAME";
            (Row::failed(CHECK, message, fix), None)
        }
    }
}

async fn in_aws<W: Write>(
    flags: &Check,
    aws: &Preflight,
    objects: &[ObjectSummary],
    api_server: Option<ClockReading>,
    report: &mut CheckReport<W>,
) -> anyhow::Result<()> {
    let region = aws.region();
    report.publish(amazon::region_row(&region))?;
    let credentials = aws.credentials().await;
    report.publish(amazon::credentials_row(&credentials))?;
    let mut reading = None;
    if let (Ok(region), Ok(())) = (&region, &credentials) {
        let (rows, found) = asked_of_aws(flags, aws, region, objects).await;
        rows.into_iter().try_for_each(|row| report.publish(row))?;
        reading = found;
    }
    clocks::evaluate(reading.as_ref(), api_server.as_ref())
        .into_iter()
        .try_for_each(|row| report.publish(row))?;
    Ok(())
}

async fn asked_of_aws(
    flags: &Check,
    aws: &Preflight,
    region: &str,
    objects: &[ObjectSummary],
) -> (Vec<Row>, Option<ClockReading>) {
    let users: Vec<(String, Arn)> = objects.iter().filter_map(ObjectSummary::user).collect();
    let ours = users.iter().map(|(_, arn)| arn).find(|arn| arn.region() == region);
    let user_id = ours.map_or_else(|| probed(flags), |arn| arn.user().to_owned());
    let ((identity, by_sts), (describe, by_elasticache)) =
        tokio::join!(timed(aws.identity()), timed(aws.describe(&user_id)));
    let known = identity.as_ref().ok();
    let (account, caller) =
        (known.map(|known| known.account.as_str()), known.map(|known| known.arn.as_str()));
    let mut rows = vec![amazon::identity_row(&identity, &describe)];
    rows.extend(amazon::location_row(&users, region, account));
    let mut described = amazon::describe_row(&user_id, &describe, caller);
    match ours {
        Some(arn) if describe.is_ok() => {
            let (tags, _) = timed(aws.list_tags(arn)).await;
            rows.extend([described, amazon::list_tags_row(&arn.to_string(), &tags, caller)]);
        }
        Some(_) | None => {
            described.message.push_str(" ListTagsForResource was not checked");
            described.message.push_str(if ours.is_none() { ": there is no user of ours yet." } else { "." });
            rows.push(described);
        }
    }
    if !flags.run.allowed_user_group.is_empty() {
        rows.push(amazon::list_groups_row(&aws.list_groups().await, caller));
    }
    (rows, by_elasticache.or(by_sts))
}

/// The user to ask AWS for if no object has one yet: AWS's own, or an ID with the required prefix, because the IAM policy may
/// allow only those.
fn probed(flags: &Check) -> String {
    let Some(template) = &flags.run.required_user_id_prefix else { return plan::DEFAULT_USER.to_owned() };
    let namespace = flags.run.namespaces().into_iter().next().unwrap_or_else(|| "default".to_owned());
    let prefix = in_namespace(template, &namespace);
    let id = format!("{prefix}check");
    id.chars().take(plan::USER_ID_MAX_LENGTH).collect::<String>().trim_end_matches('-').to_owned()
}

/// The answer of a call, and the time on AWS's clock.
async fn timed<T>(call: impl Future<Output = Asked<T>>) -> (Result<T, plan::Fault>, Option<ClockReading>) {
    let asked = clock::now();
    let Asked { answer, date } = call.await;
    let reading = ClockReading::new(asked, date.as_deref(), clock::now());
    (answer, reading)
}

async fn uninstalling<W: Write>(
    flags: &Check,
    cluster: &Cluster,
    report: &mut CheckReport<W>,
) -> anyhow::Result<()> {
    let policy = flags.run.policy(String::new());
    match cluster.objects(&watched_scopes(flags), flags.page_size, &policy).await {
        Ok(mut objects) => {
            objects.retain(|object| object.included);
            let unwatched = unwatched_row(flags, cluster).await;
            let rows = uninstall::evaluate(&objects).into_iter().chain(unwatched);
            rows.into_iter().try_for_each(|row| report.publish(row))?;
        }
        Err(error @ ListError::NoDefinition) => {
            report.publish(Row::ok("objects", format!("There are no objects: {error}.")))?;
        }
        Err(ListError::Cluster(why)) => {
            let caller = cluster.username().await;
            let fix =
                granted(cluster, &permissions::LISTING, &watched_scopes(flags), caller.as_deref()).await.fix;
            report.publish(Row::failed(
                "objects",
                format!(
                    "The operator's objects cannot be listed, so it is not known whether an AWS user would be lost: {why}"
                ),
                fix.unwrap_or_else(|| "kubectl get ecu --all-namespaces".to_owned()),
            ))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_that_is_too_old_is_refused() {
        let version =
            |major: &str, minor: &str| json!({ "major": major, "minor": minor, "gitVersion": "v0" });
        let rows = [
            (version("1", "33"), RowStatus::Ok),
            (version("1", "34+"), RowStatus::Ok),
            (version("2", "0"), RowStatus::Ok),
            (version("1", "32+"), RowStatus::Failed),
            (version("", ""), RowStatus::Warning),
            (json!(null), RowStatus::Warning),
        ];
        for (version, status) in rows {
            assert_eq!(supported(&version, "url").status, status, "{version}");
        }
    }
}
