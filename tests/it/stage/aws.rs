//! The AWS of a stage: the emulator's truth and its levers.

use std::sync::Arc;

use elasticache_emulator::Emulator;
use serde_json::Value;

use super::{ACCOUNT, REGION, until};

/// The emulator's truth and its levers.
#[derive(Clone)]
pub(crate) struct Aws {
    emulator: Arc<Emulator>,
    http: reqwest::Client,
}

impl Aws {
    /// Those of a running emulator.
    pub(crate) fn new(emulator: Emulator) -> Self {
        Self { emulator: Arc::new(emulator), http: reqwest::Client::new() }
    }

    /// The endpoint.
    pub(crate) fn url(&self) -> String {
        self.emulator.url()
    }

    fn at(&self, path: &str) -> String {
        format!("{}/_emulator/{path}?account={ACCOUNT}&region={REGION}", self.url())
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.http.get(self.at(path)).send().await.unwrap().json().await.unwrap()
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{status}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The whole truth about all users.
    pub(crate) async fn users(&self) -> Vec<Value> {
        self.get("users").await.as_array().unwrap().clone()
    }

    /// The whole truth about a user.
    pub(crate) async fn user(&self, id: &str) -> Option<Value> {
        self.users().await.into_iter().find(|user| user["UserId"] == id)
    }

    /// Changes a user behind the operator's back, or makes one.
    pub(crate) async fn put_user(&self, id: &str, members: Value) -> Value {
        self.send(self.http.put(self.at(&format!("users/{id}"))).json(&members)).await
    }

    /// Takes a user away at once.
    pub(crate) async fn remove_user(&self, id: &str) {
        self.send(self.http.delete(self.at(&format!("users/{id}")))).await;
    }

    /// Changes a group, or makes one.
    pub(crate) async fn put_group(&self, id: &str, members: Value) {
        self.send(self.http.put(self.at(&format!("groups/{id}"))).json(&members)).await;
    }

    /// Takes a group away at once.
    pub(crate) async fn remove_group(&self, id: &str) {
        self.send(self.http.delete(self.at(&format!("groups/{id}")))).await;
    }

    /// Every call so far.
    pub(crate) async fn calls(&self) -> Vec<Value> {
        self.get("calls").await.as_array().unwrap().clone()
    }

    /// The calls of one action about one user.
    pub(crate) async fn calls_of(&self, action: &str, id: &str) -> Vec<Value> {
        let calls = self.calls().await;
        let about = |call: &Value| {
            let params = &call["Params"];
            params["UserId"] == id
                || params["ResourceName"].as_str().is_some_and(|arn| arn.ends_with(&format!(":{id}")))
        };
        calls.into_iter().filter(|call| call["Action"] == action && about(call)).collect()
    }

    /// How many calls of an action AWS accepted.
    pub(crate) async fn accepted(&self, action: &str, id: &str) -> usize {
        self.calls_of(action, id).await.iter().filter(|call| call["Code"].is_null()).count()
    }

    /// Adds a fault.
    pub(crate) async fn fault(&self, rule: Value) -> u64 {
        self.send(self.http.post(self.at("faults")).json(&rule)).await["Id"].as_u64().unwrap()
    }

    /// How often a fault struck.
    pub(crate) async fn fired(&self, id: u64) -> u64 {
        let rules = self.get("faults").await;
        rules.as_array().unwrap().iter().find(|rule| rule["Id"] == id).unwrap()["Fired"].as_u64().unwrap()
    }

    /// Waits until a fault has struck so often.
    pub(crate) async fn struck(&self, id: u64, times: u64) {
        until(&format!("fault {id} strikes {times} times"), || async {
            (self.fired(id).await >= times).then_some(())
        })
        .await;
    }

    /// Takes all faults back.
    pub(crate) async fn heal(&self) {
        self.send(self.http.delete(self.at("faults"))).await;
    }

    /// Changes settings.
    pub(crate) async fn settings(&self, settings: Value) {
        self.send(self.http.put(self.at("settings")).json(&settings)).await;
    }
}
