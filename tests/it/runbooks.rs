//! The runbooks, as the person on call uses them. A test makes the fault, runs the commands of the page, and finds the cause in what they
//! print.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use elasticache_emulator::Rule;
use regex::Regex;
use serde_json::json;
use tempfile::TempDir;

use crate::book::markdown::Page;
use crate::fixture::{Fixture, PASSWORD, Setup, iam, prevent_deletion, until, with_password};
use crate::rights::{self, Rights};
use crate::rotating::allow;
use crate::{control_plane, repository};

/// The words that the pages have for what the reader knows. `app` is the object in every test, and `pw` its Secret.
fn words(fixture: &Fixture) -> [(&'static str, &str); 8] {
    [
        ("OPERATOR_NAMESPACE", rights::HOME),
        ("SERVICEACCOUNT", &fixture.ns),
        ("NAMESPACE", &fixture.ns),
        ("NAME", "app"),
        ("SECRET", "pw"),
        ("LEASE", "elasticache-user-operator"),
        ("POD", "operator"),
        ("ID", "app"),
    ]
}

/// The person on call, with the runbook of an alert.
struct OnCall<'a> {
    fixture: &'a Fixture,
    page: Page,
    words: Vec<(&'static str, String)>,
    folder: TempDir,
}

impl<'a> OnCall<'a> {
    fn reads(alert: &str, fixture: &'a Fixture) -> Self {
        let page = Page::parse(&repository::read(&format!("docs/src/runbooks/{alert}.md")));
        let words = words(fixture).map(|(word, value)| (word, value.to_owned())).to_vec();
        let folder = tempfile::tempdir().unwrap();
        // There is no kubelet, so this kubectl has the log of the operator's process.
        let kubectl = control_plane::shared().bin_dir().join("kubectl");
        let script = format!(
            "#!/bin/sh\ncase \" $* \" in *' logs '*) exec cat \"$(dirname \"$0\")/log\" ;; *) exec {} \"$@\" ;; esac\n",
            kubectl.display()
        );
        let file = folder.path().join("kubectl");
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        Self { fixture, page, words, folder }
    }

    /// The alert is about this object.
    fn about(mut self, name: &str) -> Self {
        let of_object = |(word, _): &&mut (&str, String)| ["NAME", "ID"].contains(word);
        self.words.iter_mut().filter(of_object).for_each(|(_, known)| name.clone_into(known));
        self
    }

    /// The reader's ServiceAccount is this one of the fixture's namespace.
    fn with_account(mut self, name: &str) -> Self {
        for (word, value) in [("OPERATOR_NAMESPACE", self.fixture.ns.as_str()), ("SERVICEACCOUNT", name)] {
            self.words
                .iter_mut()
                .filter(|(known, _)| *known == word)
                .for_each(|(_, known)| value.clone_into(known));
        }
        self
    }

    /// The commands in the blocks and in the text.
    fn commands(&self) -> Vec<String> {
        let mut commands: Vec<String> = Vec::new();
        for line in
            self.page.blocks.iter().filter(|(kind, _)| kind == "console").flat_map(|(_, text)| text.lines())
        {
            match commands.last_mut() {
                Some(last) if !["kubectl ", "aws "].iter().any(|program| line.starts_with(program)) => {
                    last.push('\n');
                    last.push_str(line);
                }
                _ => commands.push(line.to_owned()),
            }
        }
        let in_text = self.page.codes.iter().filter(|code| code.starts_with("kubectl "));
        commands.extend(in_text.cloned());
        commands
    }

    /// The only command of the page that contains this text, with the reader's names.
    fn command(&self, text: &str) -> String {
        let mut found = self.commands();
        found.retain(|command| command.contains(text));
        let [command] = found.as_slice() else { panic!("not one command with {text:?}: {found:?}") };
        self.words.iter().fold(command.clone(), |command, (word, value)| {
            Regex::new(&format!(r"\b{word}\b")).unwrap().replace_all(&command, value.as_str()).into_owned()
        })
    }

    /// Runs the command of the page that contains this text. Returns what it prints.
    async fn sees(&self, text: &str) -> String {
        fs::write(self.folder.path().join("log"), self.fixture.logs()).unwrap();
        let command = self.command(text);
        let plane = control_plane::shared();
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &command]).current_dir(self.folder.path());
        shell.env("PATH", format!("{}:/usr/bin:/bin", self.folder.path().display()));
        shell.envs(plane.kubectl().get_envs().filter_map(|(name, value)| Some((name, value?))));
        let Output { stdout, stderr, .. } = control_plane::output(shell).await;
        let stderr = String::from_utf8_lossy(&stderr);
        // `kubectl auth can-i` warns about resources without a namespace.
        assert!(!stderr.to_lowercase().contains("error"), "{command}: {stderr}");
        String::from_utf8(stdout).unwrap()
    }

    /// Runs the command until it prints these words: the log and the list of events may be a moment behind.
    async fn sees_words(&self, text: &str, wanted: &[&str]) {
        until(&format!("{text:?} shows {wanted:?}"), async || {
            let seen = self.sees(text).await;
            if wanted.iter().all(|word| seen.contains(word)) { Ok(()) } else { Err(seen) }
        })
        .await;
    }
}

/// The reasons in a cell of the page of reasons with one of these states.
fn reasons_with(states: &[&str]) -> Vec<String> {
    let page = repository::read("docs/src/reference/reasons.md");
    let rows = page.lines().filter(|line| line.starts_with("| [`"));
    let rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    let matching = rows.filter(|cells| cells[2].split(", ").any(|state| states.contains(&state)));
    matching.map(|cells| cells[0].split('`').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn each_runbook_has_a_row_for_every_reason_for_which_its_alert_fires() {
    let secrets = ["SecretNotFound", "SecretKeyNotFound", "SecretForbidden"];
    let by_intent = ["Differs", "UserMissing", "Suspended"];
    let mut not_ready = reasons_with(&["waiting", "unknown"]);
    not_ready.retain(|reason| !secrets.contains(&reason.as_str()) && !by_intent.contains(&reason.as_str()));
    let mut deleting = reasons_with(&["Deleting"]);
    // With this reason the object is gone.
    deleting.retain(|reason| reason != "Retained");
    let pages = [
        ("ElastiCacheUserNotReady", not_ready),
        ("ElastiCacheUserStalled", reasons_with(&["Stalled"])),
        ("ElastiCacheUserDeletionStuck", deleting),
        ("ElastiCacheUserSecretMissing", secrets.map(str::to_owned).to_vec()),
    ];
    for (alert, reasons) in pages {
        assert!(
            reasons.len() > 2,
            "{alert}: only {reasons:?}: does this test still know the page of reasons?"
        );
        let page = repository::read(&format!("docs/src/runbooks/{alert}.md"));
        let cells =
            page.lines().filter(|line| line.starts_with("| `")).filter_map(|row| row.split(" | ").next());
        let named: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
        let missing: Vec<_> = reasons.iter().filter(|reason| !named.contains(&reason.as_str())).collect();
        assert!(missing.is_empty(), "{alert} has no row for {missing:?}");
        let other: Vec<_> =
            named.iter().filter(|name| !reasons.iter().any(|reason| reason == *name)).collect();
        assert!(other.is_empty(), "{alert} does not fire for {other:?}");
    }
}

#[tokio::test]
async fn the_runbook_of_denied_calls_shows_the_missing_action_and_makes_the_operator_try_at_once() {
    let fixture = Fixture::new().await;
    let denied = Rule::on("CreateUser").error("AccessDenied", 403);
    let denied = denied.message("not authorized to perform: elasticache:CreateUser").always();
    fixture.aws.fault(denied).await;
    fixture.create("app", iam()).await;
    fixture.reason("app", "AccessDenied").await;
    let on_call = OnCall::reads("ElastiCacheUserAWSAccessDenied", &fixture);
    on_call.sees_words("get ecu -A", &["app", "perform: elasticache:CreateUser"]).await;
    on_call.sees_words("logs", &["AccessDenied", "perform: elasticache:CreateUser"]).await;
    fixture.aws.clear_faults().await;
    on_call.sees("annotate").await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_denied_calls_shows_that_there_are_no_credentials() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let mut command = fixture.command();
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token")
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/operator");
    fixture.run(command);
    fixture.create("app", iam()).await;
    fixture.reason("app", "CredentialsUnavailable").await;
    let on_call = OnCall::reads("ElastiCacheUserAWSAccessDenied", &fixture);
    on_call.sees_words("get ecu -A", &["app", "NoCredentials"]).await;
    on_call.sees_words("logs", &["NoCredentials", "AWS_WEB_IDENTITY_TOKEN_FILE"]).await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_throttling_shows_how_far_the_operator_has_slowed_down() {
    let fixture = Fixture::new().await;
    fixture.aws.fault(Rule::any().throttle().times(3)).await;
    fixture.create("app", iam()).await;
    let on_call = OnCall::reads("ElastiCacheUserAWSThrottled", &fixture);
    on_call.sees_words("logs", &["slowed down to", "calls a second", "wait"]).await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_stuck_deletions_frees_what_a_person_holds() {
    let fixture = Fixture::with(Setup::leaving_users()).await;
    let suspend = json!({ "spec": { "suspend": true } });
    let rows = [
        ("held", prevent_deletion(true), "DeletionProtected", "The annotation", "prevent-deletion-"),
        ("paused", suspend.clone(), "Suspended", "spec.suspend is true", "\"suspend\":false"),
        ("kept", suspend, "Suspended", "set deletionPolicy to Retain", "\"Retain\""),
    ];
    for (name, hold, reason, message, way_out) in rows {
        let on_call = OnCall::reads("ElastiCacheUserDeletionStuck", &fixture).about(name);
        fixture.ready(name, iam()).await;
        fixture.patch(name, hold).await;
        fixture.delete(name).await;
        fixture.reason(name, reason).await;
        on_call.sees_words("get ecu NAME -o jsonpath", &[message]).await;
        on_call.sees_words("describe ecu", &[reason, message]).await;
        on_call.sees(way_out).await;
        fixture.gone(name).await;
        assert_eq!(fixture.aws.user(name).await.is_some(), name == "kept");
    }
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_stuck_deletions_removes_the_finalizer_if_the_operator_is_gone() {
    let fixture = Fixture::with(Setup::leaving_users()).await;
    fixture.ready("app", iam()).await;
    fixture.kill();
    fixture.delete("app").await;
    let on_call = OnCall::reads("ElastiCacheUserDeletionStuck", &fixture);
    on_call.sees("\"op\": \"test\"").await;
    fixture.gone("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_users_that_are_not_ready_shows_awss_code_and_makes_the_operator_try_at_once() {
    let fixture = Fixture::new().await;
    let faults = [
        (
            Rule::on("CreateUser").error("ServiceLinkedRoleNotFoundFault", 400),
            "ServiceLinkedRoleMissing",
            "ServiceLinkedRoleNotFoundFault",
        ),
        (Rule::on("CreateUser").error("UserQuotaExceeded", 400), "QuotaExceeded", "UserQuotaExceeded"),
        (Rule::on("CreateUser").unavailable(), "AWSUnavailable", "ServiceUnavailable"),
    ];
    for (index, (fault, reason, code)) in faults.into_iter().enumerate() {
        let name = format!("app-{index}");
        let on_call = OnCall::reads("ElastiCacheUserNotReady", &fixture).about(&name);
        fixture.aws.fault(fault.always()).await;
        fixture.create(&name, iam()).await;
        fixture.reason(&name, reason).await;
        on_call.sees_words("get ecu NAME -o jsonpath", &[code]).await;
        on_call.sees_words("describe ecu", &[reason, code]).await;
        fixture.aws.clear_faults().await;
        on_call.sees("annotate").await;
        fixture.wait_ready(&name).await;
        fixture.deleted(&name).await;
    }
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_stalled_users_shows_what_to_change() {
    let fixture = Fixture::new().await;
    let on_call = OnCall::reads("ElastiCacheUserStalled", &fixture);
    fixture.secret("pw", "tiny-x9").await;
    fixture.create("app", with_password("pw")).await;
    fixture.reason("app", "InvalidPassword").await;
    let says = ["InvalidPassword", "Key \"password\" of Secret \"pw\" is shorter than 16 characters"];
    on_call.sees_words("describe ecu", &says).await;
    fixture.secret("pw", PASSWORD).await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_missing_secrets_shows_the_secret_and_its_keys() {
    let fixture = Fixture::new().await;
    let on_call = OnCall::reads("ElastiCacheUserSecretMissing", &fixture);
    fixture.create("app", with_password("pw")).await;
    fixture.reason("app", "SecretNotFound").await;
    on_call.sees_words("describe ecu", &["Secret \"pw\" does not exist"]).await;
    fixture.secret_with("pw", json!({ "passwort": PASSWORD })).await;
    fixture.reason("app", "SecretKeyNotFound").await;
    on_call.sees_words("describe ecu", &["Secret \"pw\" has no key \"password\""]).await;
    let keys = on_call.sees("describe secret").await;
    assert!(keys.contains("passwort:") && !keys.contains(PASSWORD), "the keys of the Secret are not shown");
    assert_eq!(on_call.sees("can-i").await.trim(), "yes");
    fixture.secret("pw", PASSWORD).await;
    on_call.sees("annotate").await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.end().await;
}

/// A fixture with an operator that runs as a ServiceAccount with these rules alone.
async fn restricted(env: &[(&'static str, String)]) -> Fixture {
    let setup = Setup { rights: Some(Rights::Administrator), ..Setup::leaving_users() };
    let fixture = Fixture::without_operator(setup).await;
    let kubeconfig = fixture.service_account("restricted").await;
    let rules = json!([{
        "apiGroups": ["elasticache-users.dev"],
        "resources": ["elasticacheusers"],
        "verbs": ["get", "list", "watch", "patch"],
    }]);
    allow(&fixture, "operator", rules).await;
    let own = [("KUBECONFIG", kubeconfig), ("ELASTICACHE_USERS_CLUSTER_ID", "test".to_owned())];
    fixture.start_with(&own.iter().chain(env).cloned().collect::<Vec<_>>());
    fixture
}

#[tokio::test]
async fn the_runbook_of_failing_passes_shows_the_permission_that_is_missing() {
    let fixture = restricted(&[]).await;
    fixture.create("app", iam()).await;
    let on_call = OnCall::reads("ElastiCacheUserReconcileErrorRate", &fixture).with_account("restricted");
    on_call.sees_words("logs", &["trying again", "forbidden", "elasticacheusers/status"]).await;
    assert_eq!(on_call.sees("can-i").await.trim(), "no");
    fixture.kill();
    fixture.patch("app", json!({ "metadata": { "finalizers": null } })).await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_missing_leaders_shows_that_the_lease_is_forbidden() {
    let fixture = restricted(&[("ELASTICACHE_USERS_LEADER_ELECT", "true".to_owned())]).await;
    assert_eq!(fixture.exit_code().await, Some(1));
    let on_call = OnCall::reads("ElastiCacheUserOperatorNoLeader", &fixture).with_account("restricted");
    on_call.sees_words("logs", &["allow get, create and update on leases", &fixture.ns]).await;
    assert_eq!(on_call.sees("can-i").await.trim(), "no");
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_an_operator_that_is_down_shows_what_is_missing_in_the_last_line() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let mut command = fixture.command();
    command.env_remove("AWS_REGION");
    fixture.run(command);
    assert_ne!(fixture.exit_code().await, Some(0));
    let on_call = OnCall::reads("ElastiCacheUserOperatorDown", &fixture);
    let seen = on_call.sees("logs").await;
    let last = seen.lines().last().unwrap_or_default();
    assert!(last.starts_with("error:") && last.contains("AWS_REGION"), "{seen}");
    fixture.end().await;
}
