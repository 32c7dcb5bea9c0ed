//! The operator as a process: how it is started, what its log says, and how it ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster::Process;

use crate::wait::{PATIENCE, until};

/// The AWS account of the tests. It is also the access key ID, because that is how the emulator tells accounts apart.
pub const ACCOUNT: &str = "123456789012";
/// The AWS region of the tests.
pub const REGION: &str = "us-east-1";

/// The operator's command. Its environment is closed, because a developer's AWS profile or proxy must not reach it.
pub fn command(program: impl AsRef<Path>, kubeconfig: &Path, aws: &str) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env_clear().env("KUBECONFIG", kubeconfig).env("AWS_REGION", REGION);
    command.envs(environment(aws));
    command
}

/// An endpoint at which nobody listens.
pub const NO_STS: &str = "http://127.0.0.1:1";

/// Settings that a cluster provides in other ways: the endpoint `aws`, its credentials, and a free port.
///
/// STS is out of reach, so that the emulator's calls, faults and rate are those of ElastiCache alone.
pub fn environment(aws: &str) -> [(&'static str, String); 6] {
    [
        ("ELASTICACHE_USERS_HTTP_ADDR", "127.0.0.1:0".to_owned()),
        ("AWS_ENDPOINT_URL_ELASTICACHE", aws.to_owned()),
        ("AWS_ENDPOINT_URL_STS", NO_STS.to_owned()),
        ("AWS_ACCESS_KEY_ID", ACCOUNT.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

/// The address at which the operator serves HTTP, `HOST:PORT`, from its log of text or JSON.
pub fn address(log: &str) -> Option<&str> {
    let (_, rest) = log.rsplit_once(" http=").or_else(|| log.rsplit_once("\"http\":\""))?;
    rest.split_once([' ', '"', '\n']).map(|(address, _)| address)
}

/// The body of a successful GET. This uses HTTP/1.0, because its answer ends with the connection and is never chunked.
///
/// # Errors
/// If there is no answer of status 200.
pub fn get(address: &str, path: &str) -> Result<String> {
    let patience = Duration::from_secs(10);
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(patience))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().with_context(|| format!("failed to ask http://{address}{path}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is no HTTP")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.split(' ').nth(1) == Some("200"), "http://{address}{path} answered {status}: {body}");
    Ok(body.to_owned())
}

/// The last lines of a log.
pub fn tail(log: &str, lines: usize) -> String {
    let all: Vec<&str> = log.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

/// Waits for the end of a process, and returns its exit code.
///
/// # Errors
/// If the process does not end.
pub async fn exit_code(process: &mut Process) -> Result<Option<i32>> {
    let fact = format!("{} ends", process.name());
    let look = || std::future::ready(process.status().transpose());
    Ok(until(&fact, PATIENCE, look).await??.code())
}
