//! Large objects, Secrets and connections that could fill the operator's memory. The row shows the most memory that the operator had.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Measurement, objects};
use crate::fixture::{NAMESPACE, Setup};
use crate::proc::vm_hwm;
use crate::shell::progress;

const OBJECTS: u32 = 600;
/// Kubernetes allows 256 KiB of annotations.
const ANNOTATION: usize = 250_000;
const SECRETS: u32 = 400;
/// Kubernetes allows 1 MiB of data.
const DATA: usize = 1_000_000;
const CONNECTIONS: u32 = 500;
const HALF_A_HEADER: usize = 390_000;

fn fat_object(number: u32, letter: &str) -> Value {
    let mut object = objects::iam(&format!("fat-{number}"));
    object["spec"]["suspend"] = json!(true);
    object["metadata"]["annotations"] = json!({ "example.com/fat": letter.repeat(ANNOTATION) });
    object
}

impl Measurement<'_> {
    pub(super) fn fat_objects(&mut self, setup: &Setup<'_>) -> Result<()> {
        progress(&format!("{OBJECTS} objects with {ANNOTATION} bytes of annotations .."));
        self.apply((0..OBJECTS).map(|number| fat_object(number, "a")).collect())?;
        self.count_to("suspended", OBJECTS as usize, |this| {
            Ok(this.kubernetes.seen().values().filter(|object| object.reason == "Suspended").count())
        })?;
        let mark = self.mark()?;
        self.restart(setup)?;
        self.apply((0..OBJECTS).map(|number| fat_object(number, "b")).collect())?;
        self.idle(Duration::from_secs(5))?;
        self.ended_at_most("fat objects", OBJECTS, &mark)?;
        self.kubernetes.delete_all("ElastiCacheUser", NAMESPACE)?;
        self.count_to("gone", 0, |this| Ok(this.kubernetes.seen().len()))
    }

    pub(super) fn fat_secrets(&mut self, setup: &Setup<'_>) -> Result<()> {
        progress(&format!("{SECRETS} Secrets of {DATA} bytes that no object names .."));
        let fat = |number| objects::secret(&format!("fat-{number}"), &"a".repeat(DATA));
        self.apply((0..SECRETS).map(fat).collect())?;
        let mark = self.mark()?;
        self.restart(setup)?;
        self.idle(Duration::from_secs(5))?;
        self.ended_at_most("fat Secrets", SECRETS, &mark)?;
        self.kubernetes.delete_all("Secret", NAMESPACE)
    }

    pub(super) fn connections(&mut self, setup: &Setup<'_>) -> Result<()> {
        progress(&format!("{CONNECTIONS} connections with half a header .."));
        self.restart(setup)?;
        let (mark, address) = (self.mark()?, self.fixture.operator_address()?);
        let begun = format!("GET /metrics HTTP/1.1\r\nx: {}", "a".repeat(HALF_A_HEADER));
        let mut open = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut connection = TcpStream::connect(&address)?;
            connection.set_nonblocking(true)?;
            // The operator closes most of these connections.
            let _ = connection.write(begun.as_bytes());
            open.push(connection);
        }
        self.idle(Duration::from_secs(2))?;
        self.ended_at_most("connections", CONNECTIONS, &mark)?;
        ensure!(open.len() == CONNECTIONS as usize, "some were not opened");
        Ok(())
    }

    /// A row with the most memory that the operator ever had, in place of its memory now.
    fn ended_at_most(&mut self, name: &'static str, done: u32, mark: &super::Mark) -> Result<()> {
        self.ended(name, done, &super::Mark { cpu: 0.0, log: mark.log.clone(), ..*mark }, None)?;
        let most = vm_hwm(self.fixture.operator_pid())?;
        self.steps.last_mut().into_iter().for_each(|step| step.memory = most);
        Ok(())
    }
}
