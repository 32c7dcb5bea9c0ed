//! Measures what the operator costs: AWS calls and Kubernetes requests for each operation, time, memory and CPU.
//!
//! Counts come from the emulator's log and the API server's audit log, never from the operator itself.

mod load;
mod many;
mod objects;
mod report;
mod weight;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cluster::{AuditLevel, AuditLog, Options};
use serde_json::Value;
use support::repository::program;
use support::wait::{pause, until_blocking, when};

use self::load::Waits;
use crate::fixture::{Fixture, NAMESPACE, Setup};
use crate::kubernetes::{Kubernetes, Requests};
use crate::proc::{cpu_seconds, vm_rss};
use crate::shell::progress;

/// How long AWS takes for each deletion, unless a row says otherwise.
const DELETE_TIME: Duration = Duration::from_secs(2);
/// The operator's default of `--aws-rate`.
const DEFAULT_RATE: u32 = 10;

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Objects; half of them have a password, half use IAM
    #[arg(long, value_name = "N", default_value = "200", value_parser = clap::value_parser!(u32).range(2..=20_000))]
    objects: u32,
    /// The rows to measure; left out: all. What a row needs is done without being measured
    #[arg(long, value_name = "ROW", value_enum, value_delimiter = ',')]
    rows: Vec<Row>,
    /// For the row overload: objects that wait for a Secret
    #[arg(long, value_name = "N", default_value = "600", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    waiting: u32,
    /// For the row stuck: users that stay modifying
    #[arg(long, value_name = "N", default_value = "150", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    stuck: u32,
    /// For the row departing: users that are deleted at once
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    departing: u32,
    /// AWS calls a second that the operator may make; the rows from churn on have the operator's default
    #[arg(long, value_name = "N", default_value = "200", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    aws_rate: u32,
    /// Measure the release build, which memory and CPU are to be judged by: `cargo build --release` makes it
    #[arg(long)]
    release: bool,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Row {
    /// All objects are created at once
    Create,
    /// The access string of each is edited
    Change,
    /// The password of each second one is rotated
    Rotate,
    /// Nothing happens for a whole resync
    Idle,
    /// The operator starts again
    Restart,
    /// All objects are deleted at once
    Delete,
    /// A label of a Secret changes five times a second for 30 s
    Churn,
    /// 600 objects with 250 kB of annotations each: at a start, and while all of them change
    FatObjects,
    /// 400 Secrets of 1 MB that no object names
    FatSecrets,
    /// 500 connections with half a header of 390 kB
    Connections,
    /// Many objects wait for a Secret; meanwhile 8 are deleted and 4 are created
    Overload,
    /// The same while many users stay `modifying`
    Stuck,
    /// 100 objects are created at once, and their users join two groups
    Joining,
    /// Many objects are deleted at once, and AWS takes a minute for each user
    Departing,
}

impl Bench {
    fn has(&self, row: Row) -> bool {
        self.rows.is_empty() || self.rows.contains(&row)
    }

    /// A resync in which two thirds of the rate are enough to describe each object.
    fn resync(&self) -> Duration {
        Duration::from_secs(30.max(u64::from(self.objects) * 3 / u64::from(2 * self.aws_rate)))
    }
}

/// One line of the table.
struct Step {
    name: &'static str,
    /// The number of operations. The table divides the counts by this number.
    done: u32,
    seconds: f64,
    /// By the name of the action.
    calls: BTreeMap<String, usize>,
    requests: Requests,
    /// KiB.
    memory: u64,
    /// Seconds.
    cpu: f64,
    waits: Option<Waits>,
}

/// Where the counting begins. The emulator's calls are forgotten there.
struct Mark {
    at: Instant,
    log: AuditLog,
    cpu: f64,
}

/// Measures, prints a table, and writes JSON where that is asked for.
pub(crate) fn measure(bench: &Bench) -> Result<()> {
    let folder = if bench.release { "../release/" } else { "" };
    let rate = bench.aws_rate.to_string();
    let resync = format!("{}s", bench.resync().as_secs());
    let flags = ["--aws-rate", &rate, "--aws-burst", &rate, "--resync", &resync].map(str::to_owned);
    let setup = Setup {
        operator: program(&format!("{folder}elasticache-user-operator"))?,
        flags: &flags,
        variables: &[],
        modify_time: Duration::from_secs(2),
        delete_time: DELETE_TIME,
        quota: [bench.waiting, bench.stuck, bench.departing, 1000].into_iter().fold(bench.objects, u32::max)
            + 100,
    };
    let options = Options { audit: Some(AuditLevel::Metadata), ..Options::default() };
    let mut fixture = Fixture::set(&setup, options)?;
    let kubernetes = Kubernetes::connect(fixture.cluster().kubeconfig())?;
    let mut measurement = Measurement { fixture: &mut fixture, kubernetes, bench, steps: Vec::new() };
    let measured = measurement.all(&setup);
    let steps = measurement.steps;
    report::tell(&steps, bench);
    measured.map_err(|error| fixture.failed(error))?;
    fixture.end_operator()?;
    fixture.clear()?;
    match &bench.json {
        Some(file) => fs::write(file, format!("{:#}\n", report::as_json(&steps, bench)))
            .with_context(|| format!("failed to write {}", file.display())),
        None => Ok(()),
    }
}

struct Measurement<'a> {
    fixture: &'a mut Fixture,
    kubernetes: Kubernetes,
    bench: &'a Bench,
    steps: Vec<Step>,
}

impl Measurement<'_> {
    fn all(&mut self, setup: &Setup<'_>) -> Result<()> {
        let bench = self.bench;
        if [Row::Create, Row::Change, Row::Rotate, Row::Idle, Row::Restart, Row::Delete]
            .into_iter()
            .any(|row| bench.has(row))
        {
            self.of_many(setup)?;
        }
        // The following rows have the settings that most people use.
        let default = Setup { flags: &[], operator: setup.operator.clone(), ..*setup };
        if bench.has(Row::Churn) {
            self.restart(&default)?;
            self.churn()?;
        }
        if bench.has(Row::FatObjects) {
            self.fat_objects(&default)?;
        }
        if bench.has(Row::FatSecrets) {
            self.fat_secrets(&default)?;
        }
        if bench.has(Row::Connections) {
            self.connections(&default)?;
        }
        if bench.has(Row::Joining) {
            self.joining(&default)?;
        }
        if bench.has(Row::Departing) {
            self.restart(&default)?;
            self.departing()?;
        }
        if bench.has(Row::Overload) {
            self.restart(&default)?;
            self.overload()?;
            self.delete_all()?;
        }
        if bench.has(Row::Stuck) {
            self.restart(&default)?;
            self.stuck()?;
        }
        Ok(())
    }

    fn of_many(&mut self, setup: &Setup<'_>) -> Result<()> {
        let (bench, all) = (self.bench, self.bench.objects);
        self.apply(objects::secrets(all, "first"))?;
        self.row(Row::Create, "create", all, |this| {
            this.apply(objects::users(all, "on ~orders:* -@all +@read"))?;
            this.all_ready()
        })?;
        if bench.has(Row::Change) {
            self.row(Row::Change, "change", all, |this| {
                this.apply(objects::users(all, "on ~orders:* -@all +@read +@write"))?;
                this.all_ready()
            })?;
        }
        if bench.has(Row::Rotate) {
            self.row(Row::Rotate, "rotate", objects::with_password(all), |this| {
                this.apply(objects::secrets(all, "second"))?;
                this.all_rotated()?;
                this.all_ready()
            })?;
        }
        if bench.has(Row::Idle) {
            self.row(Row::Idle, "idle sweep", all, |this| this.idle(bench.resync() + bench.resync() / 10))?;
        }
        if bench.has(Row::Restart) {
            self.fixture.end_operator()?;
            let mark = Mark { cpu: 0.0, ..self.mark()? };
            self.fixture.restart_operator(setup)?;
            self.all_looked_at()?;
            self.ended("restart", all, &mark, None)?;
        }
        let needs_none = [Row::Delete, Row::Overload, Row::Stuck, Row::Churn, Row::Joining, Row::Departing];
        if !needs_none.into_iter().any(|row| bench.has(row)) {
            return Ok(());
        }
        self.row(Row::Delete, "delete", all, Self::delete_all)
    }

    fn delete_all(&mut self) -> Result<()> {
        self.kubernetes.delete_all("ElastiCacheUser", NAMESPACE)?;
        self.count_to("gone", 0, |this| Ok(this.kubernetes.seen().len()))
    }

    /// Does what belongs to a row, and measures it if it was asked for.
    fn row(
        &mut self,
        row: Row,
        name: &'static str,
        done: u32,
        act: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        progress(&format!("{name} ({done}) .."));
        let mark = self.mark()?;
        act(self)?;
        if self.bench.has(row) { self.ended(name, done, &mark, None) } else { Ok(()) }
    }

    fn restart(&mut self, setup: &Setup<'_>) -> Result<()> {
        self.fixture.end_operator()?;
        self.fixture.restart_operator(setup)
    }

    fn apply(&self, manifests: Vec<Value>) -> Result<()> {
        self.kubernetes.apply(NAMESPACE, manifests)
    }

    fn mark(&self) -> Result<Mark> {
        self.fixture.aws().forget_calls();
        let log = self.fixture.cluster().audit_log()?.from_now()?;
        // If the operator has ended, its CPU time cannot be read and counts as zero.
        let cpu = cpu_seconds(self.fixture.operator_pid()).unwrap_or_default();
        Ok(Mark { at: Instant::now(), log, cpu })
    }

    fn ended(&mut self, name: &'static str, done: u32, mark: &Mark, waits: Option<Waits>) -> Result<()> {
        let seconds = mark.at.elapsed().as_secs_f64();
        let mut calls = BTreeMap::new();
        for call in self.fixture.aws().calls()? {
            *calls.entry(call["Action"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        let requests = Requests::of(&mark.log)?;
        let pid = self.fixture.operator_pid();
        let (memory, cpu) = (vm_rss(pid)?, cpu_seconds(pid)? - mark.cpu);
        progress(&format!("{name}: {seconds:.1} s"));
        self.steps.push(Step { name, done, seconds, calls, requests, memory, cpu, waits });
        Ok(())
    }

    fn all_ready(&mut self) -> Result<()> {
        let all = self.bench.objects as usize;
        self.count_to("Ready", all, |this| {
            Ok(this.kubernetes.seen().values().filter(|object| object.ready).count())
        })
    }

    fn all_rotated(&mut self) -> Result<()> {
        let passwords = objects::with_password(self.bench.objects) as usize;
        let has_new = |user: &Value| user["Passwords"][0].as_str().unwrap_or_default().starts_with("second");
        self.count_to("rotated", passwords, |this| {
            Ok(this.fixture.aws().users()?.into_iter().filter(has_new).count())
        })
    }

    /// Waits until the operator has described each user since the mark, alone or in a listing of all.
    fn all_looked_at(&mut self) -> Result<()> {
        let all = self.bench.objects as usize;
        self.count_to("looked at", all, |this| {
            let mut described = this.fixture.aws().calls()?;
            described.retain(|call| call["Action"] == "DescribeUsers");
            let ids = described.iter().filter_map(|call| call["Params"]["UserId"].as_str());
            let pages = described.iter().filter(|call| call["Params"]["UserId"].is_null()).count();
            Ok(if pages * 100 > all { all } else { ids.collect::<HashSet<_>>().len() })
        })
    }

    /// Waits, to measure what the operator does by itself in this time.
    fn idle(&mut self, time: Duration) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < time {
            self.fixture.check_alive()?;
            pause(Duration::from_secs(1).min(time.saturating_sub(began.elapsed())));
        }
        Ok(())
    }

    /// Waits until this many objects are as they should be, and prints the progress.
    fn count_to(
        &mut self,
        what: &str,
        goal: usize,
        mut count: impl FnMut(&Self) -> Result<usize>,
    ) -> Result<()> {
        // Three calls for each object at half of the rate, and the same time again for a busy machine.
        let slow = self.bench.departing * 6 / DEFAULT_RATE;
        let patience =
            Duration::from_secs(120 + u64::from((self.bench.objects * 12 / self.bench.aws_rate).max(slow)));
        let mut told = Instant::now();
        until_blocking(what, patience, || {
            self.fixture.check_alive()?;
            let looked = Instant::now();
            let found = count(self)?;
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                progress(&format!("  {what}: {found} of {goal}"));
            }
            // The measurement itself must not load the machine.
            pause(looked.elapsed() * 3);
            Ok(when(found, |found| *found == goal).map(drop))
        })
    }
}
