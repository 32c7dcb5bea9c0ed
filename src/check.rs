//! I/O: the preflight. Asks the cluster and AWS what the operator will need of them, and tells what is missing and how to
//! mend it; `--uninstall` asks what would be lost without the operator.
//!
//! The parts below `check` judge facts and do no I/O, `cluster` apart.

mod amazon;
mod clocks;
mod cluster;
mod definition;
mod orphans;
mod permissions;
mod progress;
mod row;
mod survey;
mod uninstall;

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use aws::{Asked, Preflight, Timeouts};
use plan::Arn;
use serde_json::Value;

use crate::config::{Check, CheckMode, Output};
use crate::{api, clock};
use clocks::Reading;
use cluster::{Cluster, Unlisted};
use permissions::{Answered, Place, Rule};
use progress::Progress;
use row::{Row, Status};
use uninstall::Found;

/// The oldest Kubernetes that the operator is built for: 1.33.
const OLDEST: (u32, u32) = (1, 33);
/// The longest that one question may take. The operator itself may wait longer, but a person waits here.
const PATIENCE: Duration = Duration::from_secs(10);
const KUBECONFIG: &str = "set KUBECONFIG, or run in a pod with a ServiceAccount; try: kubectl version";

/// Checks, tells on `out`, and answers whether nothing failed.
///
/// # Errors
/// Where `out` cannot be written to.
pub async fn check(
    flags: &Check,
    mode: CheckMode,
    out: impl Write,
    progress: &mut dyn Write,
) -> anyhow::Result<bool> {
    let force = mode == CheckMode::Uninstall { force: true };
    let mut report = Report { out, output: flags.output, force, rows: Vec::new() };
    if flags.output == Output::Table {
        report.out.write_all(row::head().as_bytes())?;
    }
    let cluster = connect(flags, &mut report).await?;
    match (mode, cluster) {
        (CheckMode::Uninstall { .. }, Some((cluster, _))) => {
            uninstalling(flags, &cluster, &mut report).await?;
        }
        (CheckMode::Orphans, Some((cluster, _))) => {
            orphans::check(flags, &cluster, &mut report, &Progress::new(progress)).await?;
        }
        (CheckMode::Uninstall { .. } | CheckMode::Orphans, None) => {}
        (CheckMode::Preflight, Some((cluster, reading))) => {
            let objects = in_cluster(flags, &cluster, &mut report).await?;
            in_aws(flags, &objects, reading, &mut report).await?;
        }
        (CheckMode::Preflight, None) => in_aws(flags, &[], None, &mut report).await?,
    }
    report.end()
}

/// Tells each row as it comes, or all at the end.
struct Report<W> {
    out: W,
    output: Output,
    force: bool,
    rows: Vec<Row>,
}

impl<W: Write> Report<W> {
    fn tell(&mut self, row: Row) -> std::io::Result<()> {
        let row = if self.force { row.forced() } else { row };
        if self.output == Output::Table {
            self.out.write_all(row.lines().as_bytes())?;
            self.out.flush()?;
        }
        self.rows.push(row);
        Ok(())
    }

    fn end(mut self) -> anyhow::Result<bool> {
        let text = match self.output {
            Output::Table => row::foot(&self.rows),
            Output::Json => row::json(&self.rows)?,
        };
        self.out.write_all(text.as_bytes())?;
        self.out.flush()?;
        Ok(row::worst(&self.rows) != Status::Failed)
    }
}

async fn connect<W: Write>(
    flags: &Check,
    report: &mut Report<W>,
) -> anyhow::Result<Option<(Cluster, Option<Reading>)>> {
    let cluster = match Cluster::connect(flags.run.kubernetes_timeout.min(PATIENCE)).await {
        Ok(cluster) => cluster,
        Err(why) => {
            report.tell(Row::failed("cluster", why, KUBECONFIG))?;
            return Ok(None);
        }
    };
    match cluster.version().await {
        Ok((version, reading)) => {
            report.tell(supported(&version, &cluster.url))?;
            Ok(Some((cluster, reading)))
        }
        Err(why) => {
            let message = format!(
                "The API server at {} does not answer: {why}. Nothing else was asked of it.",
                cluster.url
            );
            report.tell(Row::failed("cluster", message, KUBECONFIG))?;
            Ok(None)
        }
    }
}

/// Whether the API server is new enough.
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
            format!("The API server at {url} does not tell its version."),
            format!("see that it is {major}.{minor} or newer: kubectl version"),
        ),
    }
}

/// The namespaces that are watched, or the whole cluster.
fn scope(flags: &Check) -> Vec<Place> {
    match flags.run.namespaces() {
        none if none.is_empty() => vec![None],
        namespaces => namespaces.into_iter().map(Some).collect(),
    }
}

/// What the operator needs of the cluster. Answers the objects, as far as they may be read.
async fn in_cluster<W: Write>(
    flags: &Check,
    cluster: &Cluster,
    report: &mut Report<W>,
) -> anyhow::Result<Vec<Found>> {
    report.tell(definition::judge(&cluster.definition().await, &api::crd()))?;
    report.tell(cluster_id(flags, cluster).await.0)?;
    let places = scope(flags);
    let who = cluster.who().await;
    let who = who.as_deref();
    for rule in [permissions::OBJECTS, permissions::STATUS, permissions::FINALIZERS, permissions::EVENTS] {
        report.tell(granted(cluster, &rule, &places, who).await)?;
    }
    report.tell(granted(cluster, &permissions::DEFINITION, &[None], who).await)?;
    if flags.run.leader_elect {
        let lease = [Some(flags.run.lease_namespace().unwrap_or(&cluster.namespace).to_owned())];
        report.tell(granted(cluster, &permissions::LEASE, &lease, who).await)?;
    }
    let default = flags.run.default_deletion_policy.into();
    let objects = cluster.objects(&places, flags.page_size, default).await.unwrap_or_default();
    let read = secrets(flags, cluster, &objects).await;
    report.tell(permissions::judge(&permissions::SECRETS, &read, who))?;
    let places = match flags.run.secret_namespaces() {
        None => places,
        Some(namespaces) => namespaces.into_iter().map(Some).collect(),
    };
    if !places.is_empty() {
        report.tell(granted(cluster, &permissions::SECRETS_WATCH, &places, who).await)?;
    }
    Ok(objects)
}

/// Whether a rule is granted to `who` in all these places.
async fn granted(cluster: &Cluster, rule: &Rule, places: &[Place], who: Option<&str>) -> Row {
    permissions::judge(rule, &cluster.may(rule, places).await, who)
}

/// Whether Secrets may be read in the whole scope; else in the namespaces that are named for it, and those that have users
/// with passwords.
async fn secrets(flags: &Check, cluster: &Cluster, objects: &[Found]) -> Vec<Answered> {
    let rule = permissions::SECRETS;
    let with_passwords = objects.iter().filter(|object| object.with_passwords);
    let mut needed: BTreeSet<String> = with_passwords.map(|object| object.namespace.clone()).collect();
    let named = flags.run.secret_namespaces().unwrap_or_default();
    let answers = cluster.may(&rule, &scope(flags)).await;
    let everywhere = answers.iter().all(|answer| answer.allowed == Ok(true));
    // Each namespace of a list is told by itself.
    let listed = named.is_empty() && !flags.run.namespaces().is_empty();
    needed.extend(named);
    if everywhere || listed || needed.is_empty() {
        return answers;
    }
    let needed: Vec<Place> = needed.into_iter().map(Some).collect();
    cluster.may(&rule, &needed).await
}

/// How owner tags name this cluster, if that can be known.
async fn cluster_id(flags: &Check, cluster: &Cluster) -> (Row, Option<String>) {
    const CHECK: &str = "cluster-id";
    if let Some(id) = &flags.run.cluster_id {
        let message = format!("Owner tags name this cluster {id}, by --cluster-id.");
        return (Row::ok(CHECK, message), Some(id.clone()));
    }
    match cluster.cluster_uid().await {
        Ok(uid) => {
            let message =
                format!("Owner tags name this cluster {uid}, the UID of the namespace kube-system.");
            (Row::ok(CHECK, message), Some(uid))
        }
        Err(why) => {
            let who = cluster.who().await;
            let row = granted(cluster, &permissions::KUBE_SYSTEM, &[None], who.as_deref()).await;
            let allow = row.mend.map(|allow| allow + "\n").unwrap_or_default();
            let message = format!(
                "The UID of the namespace kube-system names the cluster in owner tags, and cannot be read: {why}"
            );
            let mend = allow + "or give the cluster a name that stays: --cluster-id NAME";
            (Row::failed(CHECK, message, mend), None)
        }
    }
}

/// What the operator needs of AWS.
async fn in_aws<W: Write>(
    flags: &Check,
    objects: &[Found],
    api_server: Option<Reading>,
    report: &mut Report<W>,
) -> anyhow::Result<()> {
    let aws = Preflight::load(Timeouts::within(flags.run.aws_call_timeout.min(PATIENCE))).await;
    let region = aws.region();
    report.tell(amazon::region(&region))?;
    let credentials = aws.credentials().await;
    report.tell(amazon::credentials(&credentials))?;
    let mut reading = None;
    if let (Ok(region), Ok(())) = (&region, &credentials) {
        let (rows, found) = asked_of_aws(flags, &aws, region, objects).await;
        rows.into_iter().try_for_each(|row| report.tell(row))?;
        reading = found;
    }
    clocks::judge(reading.as_ref(), api_server.as_ref()).into_iter().try_for_each(|row| report.tell(row))?;
    Ok(())
}

async fn asked_of_aws(
    flags: &Check,
    aws: &Preflight,
    region: &str,
    objects: &[Found],
) -> (Vec<Row>, Option<Reading>) {
    let users: Vec<(String, Arn)> = objects.iter().filter_map(Found::user).collect();
    let ours = users.iter().map(|(_, arn)| arn).find(|arn| arn.region() == region);
    let user_id = ours.map_or_else(|| probed(flags), |arn| arn.user().to_owned());
    let ((identity, by_sts), (describe, by_elasticache)) =
        tokio::join!(timed(aws.identity()), timed(aws.describe(&user_id)));
    let known = identity.as_ref().ok();
    let (account, who) = (known.map(|known| known.account.as_str()), known.map(|known| known.arn.as_str()));
    let mut rows = vec![amazon::identity(&identity, &describe)];
    rows.extend(amazon::place(&users, region, account));
    let mut described = amazon::describe(&user_id, &describe, who);
    match ours {
        Some(arn) if describe.is_ok() => {
            let (tags, _) = timed(aws.list_tags(arn)).await;
            rows.extend([described, amazon::list_tags(&arn.to_string(), &tags, who)]);
        }
        Some(_) | None => {
            described.message.push_str(" ListTagsForResource was not checked");
            described.message.push_str(if ours.is_none() { ": there is no user of ours yet." } else { "." });
            rows.push(described);
        }
    }
    (rows, by_elasticache.or(by_sts))
}

/// The user that is asked for while there is none of ours: AWS's own, or one that a policy for `--required-user-id-prefix`
/// lets the operator see.
fn probed(flags: &Check) -> String {
    let Some(template) = &flags.run.required_user_id_prefix else { return "default".to_owned() };
    let namespace = flags.run.namespaces().into_iter().next().unwrap_or_else(|| "default".to_owned());
    let prefix = template.replace("{namespace}", &namespace);
    let id = format!("{prefix}check");
    id.chars().take(plan::USER_ID_MAX_LENGTH).collect::<String>().trim_end_matches('-').to_owned()
}

/// How a call ended, and what its answer says of AWS's clock.
async fn timed<T>(call: impl Future<Output = Asked<T>>) -> (Result<T, plan::Fault>, Option<Reading>) {
    let asked = clock::now();
    let Asked { answer, date } = call.await;
    let reading = Reading::new(asked, date.as_deref(), clock::now());
    (answer, reading)
}

/// Whether the operator may go.
async fn uninstalling<W: Write>(
    flags: &Check,
    cluster: &Cluster,
    report: &mut Report<W>,
) -> anyhow::Result<()> {
    let default = flags.run.default_deletion_policy.into();
    match cluster.objects(&scope(flags), flags.page_size, default).await {
        Ok(objects) => uninstall::judge(&objects).into_iter().try_for_each(|row| report.tell(row))?,
        Err(error @ Unlisted::NoDefinition) => {
            report.tell(Row::ok("objects", format!("There are no objects: {error}.")))?;
        }
        Err(Unlisted::Refused(why)) => {
            let who = cluster.who().await;
            let mend = granted(cluster, &permissions::LISTING, &scope(flags), who.as_deref()).await.mend;
            report.tell(Row::failed(
                "objects",
                format!(
                    "Whether an AWS user would be lost is not known, as the objects cannot be listed: {why}"
                ),
                mend.unwrap_or_else(|| "kubectl get ecu --all-namespaces".to_owned()),
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
            (version("1", "33"), Status::Ok),
            (version("1", "34+"), Status::Ok),
            (version("2", "0"), Status::Ok),
            (version("1", "32+"), Status::Failed),
            (version("", ""), Status::Warning),
            (json!(null), Status::Warning),
        ];
        for (version, status) in rows {
            assert_eq!(supported(&version, "url").status, status, "{version}");
        }
    }
}
