//! `check` reports what is missing, and the commands that it prints repair it.

mod amazon;
mod orphans;
mod uninstalling;

use std::path::Path;
use std::process::{Command, Output};

use cluster::Cluster;
use serde_json::Value;

use crate::deployed::Deployed;
use crate::fixture::{Fixture, Setup, iam, manifest, until, with_password, with_passwords};
use crate::rights::{self, Rights};
use crate::{control_plane, repository};

/// The output of `check`.
pub(crate) struct Answer {
    code: Option<i32>,
    rows: Vec<Value>,
    /// The rows that name objects and operators of other tests too, because all tests share a control plane.
    shared: Vec<Value>,
    page: String,
    /// Standard error.
    errors: String,
}

impl Answer {
    /// The row of a check, by its name.
    fn row(&self, check: &str) -> &Value {
        self.find(check).unwrap_or_else(|| panic!("no row {check} in {}", self.page))
    }

    pub(crate) fn find(&self, check: &str) -> Option<&Value> {
        self.rows.iter().chain(&self.shared).find(|row| row["check"] == check)
    }

    /// The names of the rows with this status.
    fn with(&self, status: &str) -> Vec<&str> {
        let rows = self.rows.iter().filter(|row| row["status"] == status);
        rows.filter_map(|row| row["check"].as_str()).collect()
    }

    /// Fails unless the row has this status, and its message and fix contain these words.
    fn says(&self, check: &str, status: &str, message: &str, fix: &str) {
        let row = self.row(check);
        assert_eq!(row["status"], status, "{row:#}");
        assert!(row["message"].as_str().unwrap().contains(message), "{message}: {row:#}");
        assert!(row["fix"].as_str().unwrap_or_default().contains(fix), "{fix}: {row:#}");
        assert_eq!(row["fix"].is_null(), status == "ok", "{row:#}");
    }

    pub(crate) fn ok(&self, check: &str, message: &str) {
        self.says(check, "ok", message, "");
    }

    pub(crate) fn warns(&self, check: &str, message: &str, fix: &str) {
        self.says(check, "warning", message, fix);
    }

    pub(crate) fn fails(&self, check: &str, message: &str, fix: &str) {
        self.says(check, "failed", message, fix);
    }
}

/// The command with the environment of a fixture. Its AWS calls go to the fixture's emulator.
pub(crate) fn command(fixture: &Fixture) -> Command {
    let mut command = fixture.command();
    // An administrator runs it, unless the test says otherwise.
    command
        .env("KUBECONFIG", control_plane::shared().kubeconfig())
        .env_remove("ELASTICACHE_USERS_CLUSTER_ID");
    command
        .arg("check")
        .env_remove("ELASTICACHE_USERS_LOG")
        .env("AWS_ENDPOINT_URL", fixture.aws.url())
        .env_remove("AWS_ENDPOINT_URL_STS");
    command
}

/// Runs `check --output json` with more arguments and environment.
pub(crate) async fn check(fixture: &Fixture, args: &[&str], env: &[(&str, &str)]) -> Answer {
    let mut command = command(fixture);
    command.args(["--output", "json"]).args(args).envs(env.iter().copied());
    let Output { status, stdout, stderr } = control_plane::output(command).await;
    let (page, errors) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    let read: Value = serde_json::from_str(&page).unwrap_or_else(|error| panic!("{error}: {page}{errors}"));
    let rows = read["checks"].as_array().unwrap().clone();
    let of_others = |row: &Value| row["check"] == "other-operators" || row["check"] == "unwatched";
    let (shared, rows): (Vec<Value>, Vec<Value>) = rows.into_iter().partition(of_others);
    let failed = rows.iter().any(|row| row["status"] == "failed");
    assert_eq!(status.code(), Some(i32::from(failed)), "the exit code must be 1 if a row failed: {page}");
    assert_eq!(read["status"] == "failed", failed, "{page}");
    Answer { code: status.code(), rows, shared, page, errors }
}

/// Runs the commands of a fix as a person would.
pub(crate) async fn fix(cluster: &Cluster, row: &Value) {
    let lines: Vec<String> = row["fix"].as_str().unwrap().lines().map(str::to_owned).collect();
    for line in lines.iter().filter(|line| line.starts_with("kubectl") || line.starts_with("elasticache")) {
        run(cluster, line).await;
    }
}

/// Runs a line of shell against the cluster.
pub(crate) async fn run(cluster: &Cluster, line: &str) {
    let here = Path::new(env!("CARGO_BIN_EXE_elasticache-user-operator")).parent().unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .env_clear()
        .env("HOME", home.path())
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("PATH", format!("{}:{}:/usr/bin:/bin", cluster.bin_dir().display(), here.display()));
    let Output { status, stderr, .. } = control_plane::output(shell).await;
    assert!(status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
}

/// Every row, if the cluster has one of our users, and leader election and secured metrics are on.
const ALL: [&str; 23] = [
    "cluster",
    "crd",
    "cluster-id",
    "permission-objects",
    "permission-status",
    "permission-finalizers",
    "permission-events",
    "permission-crd",
    "permission-token-reviews",
    "permission-access-reviews",
    "permission-lease",
    "lease",
    "permission-secrets",
    "permission-secrets-watch",
    "aws-region",
    "aws-credentials",
    "aws-identity",
    "aws-location",
    "aws-describe-users",
    "aws-list-tags",
    "aws-user-groups",
    "clock-aws",
    "clock-api-server",
];

#[tokio::test]
async fn check_reports_no_missing_permission_to_an_administrator() {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    let answer = check(&fixture, &["--leader-elect", "--metrics-secure"], &[]).await;
    assert_eq!(answer.code, Some(0));
    assert_eq!(answer.with("ok"), ALL, "{}", answer.page);
    answer.ok("aws-list-tags", ":user:app works");
    answer.ok("aws-identity", "Account 123456789012, as arn:aws:iam::");

    // The table for people has the same rows, without the rows of leader election and of secured metrics.
    let Output { status, stdout, stderr } = control_plane::output(command(&fixture)).await;
    let table = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{table}");
    for check in ALL {
        let line = table.lines().find(|line| line.split_whitespace().nth(1) == Some(check));
        let of_flags = check.ends_with("lease") || check.ends_with("-reviews");
        assert_eq!(line.is_some(), !of_flags, "{check}: {table}");
        assert!(line.is_none_or(|line| line.starts_with("ok ")), "{table}");
    }
    // Other tests have leaders without a class, and objects in other namespaces.
    let mut warnings = table.lines().filter(|line| line.starts_with("warning "));
    let of_others = |line: &str| line.contains("other-operators") || line.contains("unwatched");
    assert!(warnings.all(of_others), "{table}");
    assert!(table.contains("\n19 ok, ") && table.ends_with(", 0 failed\n"), "{table}");
    assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    fixture.end().await;
}

#[tokio::test]
async fn check_reports_no_missing_permission_with_the_rights_of_the_chart() {
    let rights = Some(Rights::Namespaced);
    let fixture = Fixture::without_operator(Setup { rights, ..Setup::default() }).await;
    let env = [
        ("KUBECONFIG", fixture.kubeconfig()),
        ("ELASTICACHE_USERS_LEADER_ELECT", "true"),
        ("POD_NAMESPACE", rights::HOME),
        ("ELASTICACHE_USERS_LEASE_NAME", &*fixture.ns),
    ];
    let answer = check(&fixture, &[], &env).await;
    assert!(answer.rows.iter().all(|row| row["status"] == "ok"), "{}", answer.page);
    answer.ok("lease", "Nobody holds the Lease");
    fixture.end().await;
}

/// The chart's values `secrets.named` and `metrics.secure`.
#[tokio::test]
async fn check_reports_nothing_missing_if_a_role_names_the_secrets_that_objects_name() {
    let cluster = control_plane::shared();
    let fixture = Fixture::without_operator(Setup::default()).await;
    let (ns, home) = (&fixture.ns, format!("{}-home", fixture.ns));
    let named = format!("secrets.named.{ns}={{api,web}}");
    let values = [format!("watch.namespaces={{{ns},elsewhere}}"), named];
    let secure = ["metrics.secure.enabled=true", "metrics.secure.certSecret=tls"].map(str::to_owned);
    let values = [&values[..], &secure].concat();
    let release = Deployed::apply(cluster, &fixture.client, &home, ns, &values).await;
    let env = release.environment("operator-0");
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (&**name, &**value)).collect();

    let bare = check(&fixture, &[], &env).await;
    bare.warns("permission-secrets", "unless a Role allows the Secrets that they name", "create role");
    fixture.create("app", with_passwords(&["api", "web"])).await;
    let answer = check(&fixture, &[], &env).await;
    assert!(answer.rows.iter().all(|row| row["status"] == "ok"), "{}", answer.page);
    answer.ok("permission-secrets", &format!("May get secrets/api, secrets/web in the namespace {ns}."));
    answer.ok("permission-token-reviews", "May create tokenreviews in the whole cluster.");

    // One that the Role does not name.
    fixture.create("another", with_password("batch")).await;
    let answer = check(&fixture, &[], &env).await;
    let missing = format!("May not get secrets/batch in the namespace {ns}.");
    answer.warns("permission-secrets", &missing, "--resource-name=batch");
    fix(cluster, answer.row("permission-secrets")).await;
    let status = async || check(&fixture, &[], &env).await.row("permission-secrets")["status"].clone();
    until("the third Secret may be read", async || status().await == "ok").await;
    fixture.end().await;
}

#[test]
fn the_documentation_of_check_has_each_row_and_no_other() {
    let page = repository::read("docs/src/reference/check.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let rows = rows.filter(|first| !first.starts_with("--"));
    let uninstall = ["objects", "objects-delete", "objects-deleting", "objects-finalizer"];
    let orphans = ["aws-users", "orphan", "orphan-partly-tagged", "orphan-unknown", "orphans"];
    // The rows that `ALL` lacks appear only if they have something to report.
    let expected: Vec<&str> = ALL
        .into_iter()
        .chain(["rules", "user-groups", "other-operators", "unwatched"])
        .chain(uninstall)
        .chain(orphans)
        .collect();
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}

/// The status of a row if its RBAC rule is missing.
const RULES: [(&str, &str); 11] = [
    ("cluster-id", "failed"),
    ("permission-objects", "failed"),
    ("permission-status", "failed"),
    ("permission-finalizers", "warning"),
    ("permission-events", "warning"),
    ("permission-crd", "warning"),
    ("permission-token-reviews", "warning"),
    ("permission-access-reviews", "warning"),
    ("permission-lease", "failed"),
    ("permission-secrets", "warning"),
    ("permission-secrets-watch", "warning"),
];

#[tokio::test]
async fn check_reports_each_missing_permission_and_its_fix_grants_only_that() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let cluster = control_plane::shared();
    let account = fixture.service_account("lean").await;
    let env = [
        ("KUBECONFIG", &*account),
        ("ELASTICACHE_USERS_LEADER_ELECT", "true"),
        ("ELASTICACHE_USERS_METRICS_SECURE", "true"),
    ];
    let bare = check(&fixture, &[], &env).await;
    for (rule, status) in RULES {
        bare.says(rule, status, "", "--serviceaccount=");
    }
    bare.warns("permission-secrets", "SecretForbidden", "create role");
    bare.warns("permission-secrets-watch", "--resync", "create role");
    bare.warns("crd", "is not known", "permission-crd");
    bare.fails("cluster-id", "kube-system", "--cluster-id NAME");
    let named = check(&fixture, &["--cluster-id", "shop"], &env).await;
    named.ok("cluster-id", "shop");

    let mut missing: Vec<&str> = RULES.iter().map(|(rule, _)| *rule).collect();
    for (rule, _) in RULES {
        fix(cluster, bare.row(rule)).await;
        missing.retain(|other| *other != rule);
        until(&format!("{rule} is granted, and no other"), || async {
            let answer = check(&fixture, &[], &env).await;
            let still = RULES.iter().map(|(rule, _)| *rule).filter(|rule| answer.row(rule)["status"] != "ok");
            (still.collect::<Vec<_>>() == missing).then_some(())
        })
        .await;
    }
    let whole = check(&fixture, &[], &env).await;
    assert_eq!((whole.code, whole.with("warning").len()), (Some(0), 0), "{}", whole.page);
    for kind in ["clusterrolebinding", "clusterrole"] {
        let rules = ["cluster-id", "permission-crd", "permission-token-reviews", "permission-access-reviews"];
        let names = rules.map(|rule| format!("elasticache-user-operator-{rule}")).join(" ");
        run(cluster, &format!("kubectl delete {kind} {names}")).await;
    }
}

#[tokio::test]
async fn check_reports_a_missing_or_old_crd_and_its_fix_updates_it() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let cluster = control_plane::bare().await;
    let env = [("KUBECONFIG", cluster.kubeconfig().to_str().unwrap()), ("ELASTICACHE_USERS_NAMESPACE", "")];
    let answer = check(&fixture, &[], &env).await;
    answer.fails("crd", "is not installed", "crd | kubectl apply --server-side");
    assert_eq!(answer.with("failed"), ["crd"], "{}", answer.page);
    let uninstall = check(&fixture, &["--uninstall"], &env).await;
    uninstall.ok("objects", "There are no objects");

    // An older definition, which accepted everything.
    let lax = uninstalling::lax_definition();
    let file = cluster.dir().join("lax.json");
    std::fs::write(&file, lax.to_string()).unwrap();
    run(&cluster, &format!("kubectl apply --server-side -f {}", file.display())).await;
    cluster.established(control_plane::DEFINITION).unwrap();
    let old = check(&fixture, &[], &env).await;
    old.warns("crd", "older than this binary. It lacks metadata, spec, status", "kubectl apply");
    uninstalling::odd_objects_count(&fixture, &cluster, &env).await;
    in_namespaces_with_passwords(&fixture, &cluster).await;

    fix(&cluster, old.row("crd")).await;
    until("the new definition", async || check(&fixture, &[], &env).await.row("crd")["status"] == "ok").await;
}

/// If the operator watches the whole cluster, it needs to read Secrets only in namespaces that have users with passwords.
async fn in_namespaces_with_passwords(fixture: &Fixture, cluster: &Cluster) {
    for line in [
        "kubectl create namespace shop",
        "kubectl create clusterrole lists --verb=list --resource=elasticacheusers.elasticache-users.dev",
        "kubectl create serviceaccount lean",
        "kubectl create clusterrolebinding lists --clusterrole=lists --serviceaccount=default:lean",
    ] {
        run(cluster, line).await;
    }
    let object = manifest("app", with_password("app"));
    let file = cluster.dir().join("app.json");
    std::fs::write(&file, object.to_string()).unwrap();
    run(cluster, &format!("kubectl --namespace shop create -f {}", file.display())).await;
    let account = cluster.service_account_kubeconfig("default", "lean").unwrap();
    let env = [("KUBECONFIG", account.to_str().unwrap()), ("ELASTICACHE_USERS_NAMESPACE", "")];
    let answer = check(fixture, &[], &env).await;
    answer.warns("permission-secrets", "in the namespace shop.", "--namespace shop create role");
    fix(cluster, answer.row("permission-secrets")).await;
    let status = async || check(fixture, &[], &env).await.row("permission-secrets")["status"].clone();
    until("Secrets may be read in shop", async || status().await == "ok").await;
}

#[tokio::test]
async fn check_reports_in_bounded_time_that_the_cluster_does_not_answer() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    // This server accepts connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let kubeconfig = control_plane::kubeconfig(&format!("http://{}", silent.local_addr().unwrap()));
    std::fs::write(file.path(), kubeconfig).unwrap();
    let began = std::time::Instant::now();
    let env = [("KUBECONFIG", file.path().to_str().unwrap()), ("ELASTICACHE_USERS_KUBERNETES_TIMEOUT", "1s")];
    let answer = check(&fixture, &[], &env).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    answer.fails("cluster", "does not answer", "kubectl version");
    assert!(answer.find("permission-objects").is_none(), "without the cluster no permission is known");
    assert_eq!(
        answer.row("aws-describe-users")["status"],
        "ok",
        "AWS is checked although the cluster does not answer"
    );
    let refused = check(&fixture, &["--uninstall"], &env).await;
    assert_eq!((refused.code, refused.with("failed")), (Some(1), vec!["cluster"]));

    let mut none = command(&fixture);
    none.env_remove("KUBECONFIG").env("HOME", "/nonexistent");
    let Output { status, stdout, .. } = control_plane::output(none).await;
    let table = String::from_utf8(stdout).unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(table.lines().any(|line| line.starts_with("failed   cluster")), "{table}");
    assert!(table.contains("fix: set KUBECONFIG"), "{table}");
}
