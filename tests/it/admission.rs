//! Admission: which objects the API server accepts and refuses, and with which message. Each row of `admission/*.yaml` is a claim.

mod corpus;
mod upgrade;

use futures::{StreamExt, stream};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, Status};
use serde_json::{Value, json};

use crate::control_plane;
use corpus::Row;

/// How many requests are under way at once.
const AT_ONCE: usize = 16;

#[tokio::test]
async fn an_object_that_breaks_a_rule_is_refused_with_an_explanation() {
    let rows = corpus::rows(include_str!("admission/invalid.yaml"));
    assert!(rows.len() >= 60, "{} rows", rows.len());
    let users = users(control_plane::client().await, "default", &control_plane::resource());
    check(&rows, |_, row| {
        let users = users.clone();
        async move { check_refusal(row, users.create(&dry_run(), &row.object()).await) }
    })
    .await;
}

#[tokio::test]
async fn an_object_that_breaks_no_rule_is_stored_unchanged() {
    let rows = corpus::rows(include_str!("admission/valid.yaml"));
    assert!(rows.len() >= 25, "{} rows", rows.len());
    let users = users(control_plane::client().await, "default", &control_plane::resource());
    check(&rows, |_, row| {
        let users = users.clone();
        async move {
            let object = row.object();
            let stored = users.create(&dry_run(), &object).await.map_err(|error| error.to_string())?;
            let expected = row.stored.as_ref().unwrap_or(&object.data["spec"]);
            same("spec", &stored.data["spec"], expected)?;
            same("status", &stored.data["status"], &json!({ "observedGeneration": -1 }))
        }
    })
    .await;
}

#[tokio::test]
async fn an_update_that_breaks_a_rule_is_refused() {
    let rows = corpus::rows(include_str!("admission/updates.yaml"));
    let client = control_plane::client().await;
    check(&rows, |number, row| {
        let client = client.clone();
        // A namespace for each row: names matter, and these objects are stored.
        let namespace = format!("admission-update-{number}");
        async move {
            control_plane::create_namespace(&client, &namespace).await;
            let users = users(client, &namespace, &control_plane::resource());
            let stored = users.create(&PostParams::default(), &row.object()).await;
            stored.map_err(|error| error.to_string())?;
            update(users, row).await
        }
    })
    .await;
}

/// Makes the row's change to the object, as a dry run.
async fn update(users: Api<DynamicObject>, row: &Row) -> Result<(), String> {
    let dry_run = PatchParams { dry_run: true, ..PatchParams::default() };
    let after = row.after.as_ref().ok_or("the row has no `after`")?;
    let name = row.object().metadata.name.ok_or("the row has no name")?;
    let answer = users.patch(&name, &dry_run, &Patch::Merge(after)).await;
    if row.message.is_some() {
        return check_refusal(row, answer);
    }
    answer.map(drop).map_err(|error| error.to_string())
}

/// Checks every row, and then fails with all the rows that were wrong.
async fn check<'a, F>(rows: &'a [Row], judge: impl Fn(usize, &'a Row) -> F)
where
    F: Future<Output = Result<(), String>>,
{
    let wrong: Vec<String> = stream::iter(rows.iter().enumerate())
        .map(|(number, row)| {
            let verdict = judge(number, row);
            async move { verdict.await.err().map(|why| format!("{}:\n    {why}", row.claim)) }
        })
        .buffered(AT_ONCE)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// The refusal names only the field that is wrong, with the expected message.
fn check_refusal(row: &Row, answer: kube::Result<DynamicObject>) -> Result<(), String> {
    let (Some(path), Some(message)) = (&row.path, &row.message) else {
        return Err("the row has no `path` or no `message`".to_owned());
    };
    let status = match answer {
        Ok(_) => return Err("was taken".to_owned()),
        Err(kube::Error::Api(status)) => status,
        Err(error) => return Err(error.to_string()),
    };
    let causes = causes(&status);
    if causes.is_empty() || causes.iter().any(|(field, _)| field != path) {
        return Err(format!("names other fields: {causes:?}\n    expected: {path}"));
    }
    if causes.iter().any(|(_, sentence)| sentence.contains(">secret")) {
        return Err(format!("tells the password: {causes:?}"));
    }
    if !causes.iter().any(|(_, sentence)| sentence.contains(message.as_str())) {
        return Err(format!("says: {causes:?}\n    expected: {message}"));
    }
    Ok(())
}

/// Field and message of each cause, without the remark that further rules were not evaluated.
fn causes(status: &Status) -> Vec<(String, String)> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes
        .filter(|cause| !cause.message.contains("some validation rules were not checked"))
        .map(|cause| (cause.field.clone(), cause.message.clone()))
        .collect()
}

fn same(what: &str, got: &Value, expected: &Value) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what}: {got}\n    expected: {expected}")) }
}

fn dry_run() -> PostParams {
    PostParams { dry_run: true, ..PostParams::default() }
}

fn users(client: kube::Client, namespace: &str, resource: &ApiResource) -> Api<DynamicObject> {
    Api::namespaced_with(client, namespace, resource)
}
