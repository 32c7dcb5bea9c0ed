//! A client of the control API: for this crate's own tests, for the operator's, and for demonstrations.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops if the emulator refuses what it asks")]

use reqwest::Client;
use serde_json::Value;

/// What tests steer and see of one account and region.
///
/// # Panics
/// All methods but [`Control::request`] and [`Control::list`] panic if the emulator cannot be asked, or refuses.
#[derive(Clone, Debug)]
pub struct Control {
    http: Client,
    url: String,
    place: String,
}

impl Control {
    /// The control API of the emulator at `url`.
    pub fn new(url: String, account: &str, region: &str) -> Self {
        Self { http: Client::new(), url, place: format!("?account={account}&region={region}") }
    }

    /// The endpoint for AWS clients.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of a collection in this account and region, for people.
    pub fn url_of(&self, collection: &str) -> String {
        format!("{}/_emulator/{collection}{}", self.url, self.place)
    }

    /// Status and body of a request. `path` has its own query.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        body: String,
    ) -> Result<(u16, String), reqwest::Error> {
        let method = method.parse().expect("an HTTP method");
        let url = format!("{}/_emulator/{path}", self.url);
        let answer = self.http.request(method, url).body(body).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let text = body.map(ToString::to_string).unwrap_or_default();
        let answer = self.request(method, &format!("{path}{}", self.place), text.clone()).await;
        let (status, answer) = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!((200..300).contains(&status), "{method} {path} {text}: {status} {answer}");
        if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer).expect("JSON") }
    }

    /// A collection: `users`, `groups`, `calls`, `faults`.
    ///
    /// # Errors
    /// If there is no answer, or no list.
    pub async fn list(&self, collection: &str) -> Result<Vec<Value>, reqwest::Error> {
        self.http.get(self.url_of(collection)).send().await?.error_for_status()?.json().await
    }

    /// The whole truth about all users.
    pub async fn users(&self) -> Vec<Value> {
        self.list("users").await.expect("the users")
    }

    /// The whole truth about a user.
    pub async fn user(&self, id: &str) -> Option<Value> {
        self.users().await.into_iter().find(|user| user["UserId"] == id)
    }

    /// Changes a user behind the service's back, or makes one, and answers the user.
    pub async fn put_user(&self, id: &str, members: Value) -> Value {
        self.ask("PUT", &format!("users/{id}"), Some(&members)).await
    }

    /// Takes a user away at once.
    pub async fn remove_user(&self, id: &str) {
        self.ask("DELETE", &format!("users/{id}"), None).await;
    }

    /// Changes a group, or makes one, and answers the group.
    pub async fn put_group(&self, id: &str, members: Value) -> Value {
        self.ask("PUT", &format!("groups/{id}"), Some(&members)).await
    }

    /// Takes a group away at once.
    pub async fn remove_group(&self, id: &str) {
        self.ask("DELETE", &format!("groups/{id}"), None).await;
    }

    /// Every call so far, of all accounts and regions.
    pub async fn calls(&self) -> Vec<Value> {
        self.list("calls").await.expect("the calls")
    }

    /// Every call so far that is no read, refused ones included.
    pub async fn mutations(&self) -> Vec<Value> {
        let reads = ["DescribeUsers", "DescribeUserGroups", "ListTagsForResource", "GetCallerIdentity"];
        let mut calls = self.calls().await;
        calls.retain(|call| reads.iter().all(|read| call["Action"] != *read));
        calls
    }

    /// The actions of [`Control::mutations`], in order.
    pub async fn changes(&self) -> Vec<String> {
        self.mutations().await.iter().map(action_of).collect()
    }

    /// The same about one user.
    pub async fn changes_of(&self, id: &str) -> Vec<String> {
        self.mutations().await.iter().filter(|call| user_of(call) == id).map(action_of).collect()
    }

    /// The same without those that the service refused.
    pub async fn accepted_changes_of(&self, id: &str) -> Vec<String> {
        let is_accepted = |call: &&Value| user_of(call) == id && call["Code"].is_null();
        self.mutations().await.iter().filter(is_accepted).map(action_of).collect()
    }

    /// The calls of one action about one user.
    pub async fn calls_of(&self, action: &str, id: &str) -> Vec<Value> {
        let about = |call: &Value| call["Action"] == action && user_of(call) == id;
        self.calls().await.into_iter().filter(about).collect()
    }

    /// How many calls of an action about one user the service accepted.
    pub async fn accepted(&self, action: &str, id: &str) -> usize {
        self.calls_of(action, id).await.iter().filter(|call| call["Code"].is_null()).count()
    }

    /// Forgets the calls so far.
    pub async fn forget_calls(&self) {
        self.ask("DELETE", "calls", None).await;
    }

    /// Adds a fault, and answers its ID.
    pub async fn fault(&self, rule: impl Into<Value>) -> u64 {
        self.ask("POST", "faults", Some(&rule.into())).await["Id"].as_u64().expect("an ID")
    }

    /// How often a fault struck.
    pub async fn fired(&self, id: u64) -> u64 {
        let rules = self.list("faults").await.expect("the faults");
        let rule = rules.iter().find(|rule| rule["Id"] == id);
        rule.unwrap_or_else(|| panic!("no fault {id}"))["Fired"].as_u64().expect("a count")
    }

    /// Takes all faults back.
    pub async fn clear_faults(&self) {
        self.ask("DELETE", "faults", None).await;
    }

    /// Changes settings, and answers all of them.
    pub async fn settings(&self, settings: Value) -> Value {
        self.ask("PUT", "settings", Some(&settings)).await
    }
}

fn action_of(call: &Value) -> String {
    call["Action"].as_str().unwrap_or_default().to_owned()
}

/// The user that a recorded call is about: `UserId`, or the last part of the ARN. Empty if it is about none.
pub fn user_of(call: &Value) -> &str {
    let params = &call["Params"];
    let arn = params["ResourceName"].as_str().and_then(|arn| arn.rsplit(':').next());
    params["UserId"].as_str().or(arn).unwrap_or_default()
}
