//! The demonstration: two users are created. One is edited, and deleted while AWS still applies the edit.

use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use cluster::{Options, Scope};
use elasticache_emulator::user_of;
use serde_json::Value;
use support::command::run;
use support::repository::program;
use support::wait::{PATIENCE, until_blocking};

use crate::Times;
use crate::aws::Aws;
use crate::fixture::{Fixture, Setup};
use crate::shell::{heading, say, show};

/// Where the manifests are, from the repository's folder.
const SAMPLES: &str = "deploy/samples";
/// The access string after the edit.
const EDITED: &str = "on ~orders:* -@all +@read +@write";

/// An object and its user.
struct User {
    /// `ecu/NAME`.
    object: String,
    /// The ID in AWS.
    id: String,
}

/// Runs the demonstration, and cleans up.
pub(crate) fn tell(times: &Times, use_cluster: bool) -> Result<()> {
    let begin = Instant::now();
    say(
        "Two users of ElastiCache live and die here, with the real programs, on this machine alone: there is no AWS",
    );
    say("account behind it. It takes about half a minute, and everything is removed at its end.");
    heading("1. A Kubernetes control plane, an ElastiCache emulator and the operator");
    let setup = Setup {
        operator: program("elasticache-user-operator")?,
        flags: &[],
        variables: &[],
        modify_time: times.modify_time,
        delete_time: times.delete_time,
        quota: 1000,
    };
    let options = Options { scope: Scope::Api, use_cluster, ..Options::default() };
    let mut fixture = Fixture::set(&setup, options).context("step 1, starting everything")?;
    match play(&mut fixture) {
        Ok(()) => fixture.clear()?,
        Err(error) => {
            let error = with_objects(&fixture, error);
            return Err(fixture.failed(error));
        }
    }
    say(&format!("Everything has ended, and nothing is left behind. {} s.", begin.elapsed().as_secs()));
    Ok(())
}

/// Adds the objects to the error, because a wait that timed out does not show the reason.
fn with_objects(fixture: &Fixture, error: anyhow::Error) -> anyhow::Error {
    let ready = r#"status.conditions[?(@.type=="Ready")]"#;
    let columns =
        format!("-o=custom-columns=NAME:metadata.name,STATUS:{ready}.reason,MESSAGE:{ready}.message");
    match run(fixture.kubectl().args(["get", "ecu", &columns, "--request-timeout=5s"])) {
        Ok(objects) if !objects.is_empty() => anyhow!("{error:#}\n\n{}\n", objects.trim_end()),
        Ok(_) | Err(_) => error,
    }
}

fn play(fixture: &mut Fixture) -> Result<()> {
    heading("2. Two users: one with a password, one with IAM");
    let (password, iam) = create(fixture).context("step 2, creating two users")?;
    heading("3. An edit, and a deletion while AWS is still busy with it");
    edit_and_delete(fixture, &password).context("step 3, deleting a busy user")?;
    heading("4. The wait, and its end");
    watch_it_go(fixture, &password).context("step 4, the end of the deletion")?;
    heading("5. Cleaning up");
    clean_up(fixture, &iam).context("step 5, cleaning up")
}

fn create(fixture: &Fixture) -> Result<(User, User)> {
    let password = apply(fixture, "password.yaml")?;
    let iam = apply(fixture, "iam.yaml")?;
    let both = [&password.object, &iam.object];
    say("");
    show(fixture.kubectl().args(["wait", "--for=condition=Ready", "--timeout=60s"]).args(both))?;
    say("");
    show(fixture.kubectl().args(["get", "ecu"]))?;
    say("\nWhat the emulator has, asked past the ElastiCache API:");
    tell_users(fixture.aws())?;
    for user in [&password, &iam] {
        ensure!(fixture.aws().user(&user.id)?.is_some(), "the emulator has no user {}", user.id);
    }
    Ok((password, iam))
}

/// Applies a sample, and returns the user that it asks for.
fn apply(fixture: &Fixture, file: &str) -> Result<User> {
    let file = format!("{SAMPLES}/{file}");
    show(fixture.kubectl().args(["apply", "-f", &file]))?;
    let found = run(fixture.kubectl().args(["get", "-f", &file, "-o", "json"]))?;
    let found: Value = serde_json::from_str(&found)?;
    let one = std::slice::from_ref(&found);
    let objects = found["items"].as_array().map_or(one, Vec::as_slice);
    let object = objects.iter().find(|object| object["kind"] == "ElastiCacheUser");
    let object = object.with_context(|| format!("{file} holds no ElastiCacheUser"))?;
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let id = object["spec"]["userID"].as_str().unwrap_or(name);
    Ok(User { object: format!("ecu/{name}"), id: id.to_owned() })
}

fn edit_and_delete(fixture: &Fixture, user: &User) -> Result<()> {
    let aws = fixture.aws();
    let patch = format!(r#"{{"spec":{{"accessString":"{EDITED}"}}}}"#);
    show(fixture.kubectl().args(["patch", &user.object, "--type=merge", "-p", &patch]))?;
    until_blocking("the emulator has the user in `modifying`", PATIENCE, || {
        Ok((status(aws, &user.id)?.as_deref() == Some("modifying")).then_some(()))
    })?;
    say("\nThe operator has sent ModifyUser, and AWS works on it: the user is `modifying`.");
    say("AWS refuses to delete a user in that state. It is deleted all the same:\n");
    show(fixture.kubectl().args(["delete", &user.object, "--wait=false"]))?;
    say("\nkubectl says so when the deletion is asked for. The object stays until its user is gone:");
    until_blocking("the object says what its deletion waits for", PATIENCE, || {
        let object = object(fixture, user)?.context("the object went before its AWS user")?;
        Ok(deleting(&object).map(|_| ()))
    })?;
    say("");
    show(fixture.kubectl().args(["get", &user.object]))?;
    say("\nWhy it is still there stands in its condition Deleting, and in its events:\n");
    let described = show(fixture.kubectl().args(["describe", &user.object]))?;
    ensure!(described.contains("WaitingForUserActive"), "the wait for `active` does not show");
    Ok(())
}

/// Prints each change of the object and of the user until both are gone, and checks the order.
fn watch_it_go(fixture: &mut Fixture, user: &User) -> Result<()> {
    say("Both sides, whenever one of them changes:\n");
    say("  after      in AWS       in Kubernetes");
    let begin = Instant::now();
    let mut told = None;
    until_blocking("the object is gone", PATIENCE, || {
        fixture.check_alive()?;
        // The object is read before the user. If the user exists after the object was gone, the operator has left it behind.
        let object = object(fixture, user)?;
        let remote = status(fixture.aws(), &user.id)?;
        let in_aws = remote.as_deref().unwrap_or("gone").to_owned();
        let in_kubernetes = match &object {
            None => "gone".to_owned(),
            Some(object) => format!("Deleting: {}", deleting(object).unwrap_or("not told")),
        };
        if object.is_none() && remote.is_some() {
            bail!("the object {} went while AWS still had its user as {in_aws}", user.object);
        }
        let now = (in_aws, in_kubernetes);
        if told.as_ref() != Some(&now) {
            say(&format!("  {:>5.1} s    {:<12} {}", begin.elapsed().as_secs_f32(), now.0, now.1));
            told = Some(now);
        }
        Ok(object.is_none().then_some(()))
    })?;
    say("\nThe object went after its AWS user, not before. What is left at AWS:");
    tell_users(fixture.aws())?;
    tell_calls(&user.id, fixture.aws().calls()?)?;
    say("\nThe story as events, which outlive the object:");
    let events = show(fixture.kubectl().args(["get", "events", "--sort-by=.metadata.creationTimestamp"]))?;
    ensure!(events.contains("UserDeleted"), "no event says that the user was deleted");
    Ok(())
}

fn clean_up(fixture: &mut Fixture, iam: &User) -> Result<()> {
    for file in ["iam.yaml", "password.yaml"] {
        let file = format!("{SAMPLES}/{file}");
        show(fixture.kubectl().args(["delete", "-f", &file, "--ignore-not-found", "--timeout=60s"]))?;
    }
    ensure!(fixture.aws().user(&iam.id)?.is_none(), "the object went, and its user {} is left", iam.id);
    say("\nkubectl came back when the AWS user was gone:");
    tell_users(fixture.aws())?;
    let end = fixture.end_operator()?;
    ensure!(end.success(), "the operator ended with {end}");
    say("\nThe operator was told to end (SIGTERM), and did.");
    Ok(())
}

fn tell_users(aws: &Aws) -> Result<()> {
    say(&format!("$ curl -s '{}'    # in short", aws.users_url()));
    for user in aws.users()? {
        let word = |member: &str| user[member].as_str().unwrap_or_default().to_owned();
        let kind = user["Authentication"]["Type"].as_str().unwrap_or_default();
        let (id, status) = (word("UserId"), word("Status"));
        say(&format!("  {id:<14} {status:<10} {kind:<12} {}", word("AccessString")));
    }
    Ok(())
}

/// Prints the calls about a user, with equal calls in a row as one line, and checks them.
fn tell_calls(id: &str, calls: Vec<Value>) -> Result<()> {
    say("\nEvery call about this user:");
    let calls: Vec<Value> = calls.into_iter().filter(|call| user_of(call) == id).collect();
    let mut lines: Vec<(String, usize)> = Vec::new();
    for call in &calls {
        let action = call["Action"].as_str().unwrap_or_default();
        let line = format!("{action:<14} {}", call["Code"].as_str().unwrap_or("accepted"));
        match lines.last_mut() {
            Some((last, times)) if *last == line => *times += 1,
            Some(_) | None => lines.push((line, 1)),
        }
    }
    for (line, times) in &lines {
        let repeated = if *times > 1 { format!("  ({times} times)") } else { String::new() };
        say(&format!("  {line}{repeated}"));
    }
    let sent = calls.iter().filter(|call| call["Action"] == "DeleteUser").count();
    ensure!(sent == 1, "DeleteUser was sent {sent} times");
    Ok(())
}

/// The status of the user in AWS, if the user exists.
fn status(aws: &Aws, id: &str) -> Result<Option<String>> {
    Ok(aws.user(id)?.map(|user| user["Status"].as_str().unwrap_or_default().to_owned()))
}

fn object(fixture: &Fixture, user: &User) -> Result<Option<Value>> {
    let text = run(fixture.kubectl().args(["get", &user.object, "--ignore-not-found", "-o", "json"]))?;
    let object = (!text.trim().is_empty()).then(|| serde_json::from_str(&text)).transpose();
    object.context("kubectl did not print JSON")
}

/// What the deletion waits for, if the object says it.
fn deleting(object: &Value) -> Option<&str> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == "Deleting")?["reason"].as_str()
}
