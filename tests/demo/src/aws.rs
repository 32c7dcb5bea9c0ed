//! The emulator's whole truth, past the ElastiCache API.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The account, which is the access key id too: that is how the emulator tells accounts apart.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The region.
pub(crate) const REGION: &str = "us-east-1";

/// Where the emulator listens.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    address: String,
}

impl Aws {
    /// An emulator at `url`, `http://HOST:PORT`.
    pub(crate) fn at(url: &str) -> Result<Self> {
        let address = url.strip_prefix("http://").with_context(|| format!("{url} is no http URL"))?;
        Ok(Self { address: address.to_owned() })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of a list of the control API: `users`, or `calls`.
    pub(crate) fn list_url(&self, list: &str) -> String {
        format!("{}{}", self.url(), path(list))
    }

    /// All users, the user `default` among them.
    pub(crate) fn users(&self) -> Result<Vec<Value>> {
        self.list("users")
    }

    /// A user, where there is one.
    pub(crate) fn user(&self, id: &str) -> Result<Option<Value>> {
        Ok(self.users()?.into_iter().find(|user| user["UserId"] == id))
    }

    /// All calls about one user so far.
    pub(crate) fn calls(&self, id: &str) -> Result<Vec<Value>> {
        let calls = self.list("calls")?.into_iter();
        Ok(calls.filter(|call| call["Params"]["UserId"] == id).collect())
    }

    /// All calls so far, in order.
    pub(crate) fn every_call(&self) -> Result<Vec<Value>> {
        self.list("calls")
    }

    fn list(&self, list: &str) -> Result<Vec<Value>> {
        let body = get(&self.address, &path(list))?;
        serde_json::from_str(&body).with_context(|| format!("the emulator's list of {list} is no JSON list"))
    }
}

fn path(list: &str) -> String {
    format!("/_emulator/{list}?account={ACCOUNT}&region={REGION}")
}

/// The body of a successful GET. A client of one request to a neighbour: HTTP/1.0 closes after the answer and is never
/// chunked.
pub(crate) fn get(address: &str, path: &str) -> Result<String> {
    let answer = request(address, path).with_context(|| format!("failed to ask http://{address}{path}"))?;
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { bail!("{address} does not speak HTTP") };
    let status = head.lines().next().unwrap_or_default();
    if status.split_whitespace().nth(1) != Some("200") {
        bail!("http://{address}{path} answered {status}: {}", body.trim());
    }
    Ok(body.to_owned())
}

fn request(address: &str, path: &str) -> Result<String> {
    let patience = Some(Duration::from_secs(10));
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(patience)?;
    stream.set_write_timeout(patience)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
