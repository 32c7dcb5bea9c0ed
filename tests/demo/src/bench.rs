//! What the operator costs: AWS calls and Kubernetes writes for each thing that it does, time, memory and CPU.
//!
//! Counts come from the emulator's log and the API server's audit log, never from the operator itself.

mod objects;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cluster::{AuditLevel, Options};
use serde_json::{Value, json};
use support::command::run;
use support::repository::program;
use support::wait::{until_blocking, when};

use crate::fixture::{Fixture, Setup};
use crate::proc::{cpu_seconds, mib, vm_rss};
use crate::shell::say;

/// Drift checks come this often, so that a sweep is soon over.
const RESYNC: Duration = Duration::from_secs(30);

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Objects; half of them have a password, half use IAM
    #[arg(long, value_name = "N", default_value = "200", value_parser = clap::value_parser!(u32).range(2..=20_000))]
    objects: u32,
    /// AWS calls a second that the operator may make
    #[arg(long, value_name = "N", default_value = "200", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    aws_rate: u32,
    /// Measure the release build, which memory and CPU are to be judged by: `cargo build --release` makes it
    #[arg(long)]
    release: bool,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One line of the table.
struct Step {
    name: &'static str,
    /// How many things were done: what the counts are divided by.
    done: u32,
    seconds: f64,
    /// By the name of the action.
    calls: BTreeMap<String, usize>,
    /// Finalizers and statuses.
    writes: usize,
    events: usize,
    /// KiB.
    memory: u64,
    /// Seconds.
    cpu: f64,
}

/// Where the counting begins.
struct Mark {
    at: Instant,
    calls: usize,
    writes: usize,
    events: usize,
    cpu: f64,
}

/// Measures, prints a table, and writes JSON where that is asked for.
pub(crate) fn measure(bench: &Bench) -> Result<()> {
    let folder = if bench.release { "../release/" } else { "" };
    let rate = bench.aws_rate.to_string();
    let flags = ["--aws-rate", &rate, "--aws-burst", &rate, "--resync", &format!("{}s", RESYNC.as_secs())]
        .map(str::to_owned);
    let setup = Setup {
        operator: program(&format!("{folder}elasticache-user-operator"))?,
        flags: &flags,
        modify_time: Duration::from_secs(2),
        delete_time: Duration::from_secs(2),
        quota: bench.objects.max(1000),
    };
    let options = Options { audit: Some(AuditLevel::Metadata), ..Options::default() };
    let mut fixture = Fixture::set_on(&setup, options)?;
    let steps = Measurement { fixture: &mut fixture, setup: &setup, bench }.steps();
    let steps = steps.map_err(|error| fixture.failed(error))?;
    fixture.end_operator()?;
    fixture.clear()?;
    tell(&steps, bench);
    match &bench.json {
        Some(file) => fs::write(file, format!("{:#}\n", as_json(&steps, bench)))
            .with_context(|| format!("failed to write {}", file.display())),
        None => Ok(()),
    }
}

struct Measurement<'a> {
    fixture: &'a mut Fixture,
    setup: &'a Setup<'a>,
    bench: &'a Bench,
}

impl Measurement<'_> {
    fn steps(&mut self) -> Result<Vec<Step>> {
        let all = self.bench.objects;
        let passwords = objects::with_password(all);
        let mut steps = Vec::new();
        self.apply("secrets", &objects::secrets(all, "first"))?;

        let mark = self.mark()?;
        self.apply("objects", &objects::users(all, "on ~orders:* -@all +@read"))?;
        self.all_ready(1)?;
        steps.push(self.step("create", all, &mark)?);

        let mark = self.mark()?;
        self.apply("objects", &objects::users(all, "on ~orders:* -@all +@read +@write"))?;
        self.all_ready(2)?;
        steps.push(self.step("change", all, &mark)?);

        let mark = self.mark()?;
        self.apply("secrets", &objects::secrets(all, "second"))?;
        self.all_rotated()?;
        self.all_ready(2)?;
        steps.push(self.step("rotate", passwords, &mark)?);

        let mark = self.mark()?;
        self.all_described("a drift check of everything", mark.calls)?;
        steps.push(self.step("idle sweep", all, &mark)?);

        self.fixture.end_operator()?;
        let mark = Mark { cpu: 0.0, ..self.mark_without_operator()? };
        self.fixture.restart_operator(self.setup)?;
        self.all_described("everything after a restart", mark.calls)?;
        steps.push(self.step("restart", all, &mark)?);

        let mark = self.mark()?;
        run(self.fixture.kubectl().args(["delete", "ecu", "--all", "--wait=false"]))?;
        self.count_to("gone", 0, |fixture| Ok(statuses(fixture)?.len()))?;
        steps.push(self.step("delete", all, &mark)?);
        Ok(steps)
    }

    fn apply(&self, name: &str, list: &Value) -> Result<()> {
        let file = self.fixture.cluster().dir().join(format!("{name}.json"));
        fs::write(&file, list.to_string()).with_context(|| format!("failed to write {}", file.display()))?;
        run(self.fixture.kubectl().args(["apply", "--server-side", "--force-conflicts", "-f"]).arg(&file))?;
        Ok(())
    }

    fn mark(&self) -> Result<Mark> {
        let cpu = cpu_seconds(self.fixture.operator_pid())?;
        Ok(Mark { cpu, ..self.mark_without_operator()? })
    }

    fn mark_without_operator(&self) -> Result<Mark> {
        let (writes, events) = self.fixture.writes()?;
        let calls = self.fixture.aws().calls()?.len();
        Ok(Mark { at: Instant::now(), calls, writes, events, cpu: 0.0 })
    }

    fn step(&self, name: &'static str, done: u32, mark: &Mark) -> Result<Step> {
        let seconds = mark.at.elapsed().as_secs_f64();
        let mut calls = BTreeMap::new();
        for call in self.fixture.aws().calls()?.iter().skip(mark.calls) {
            *calls.entry(call["Action"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        let (writes, events) = self.fixture.writes()?;
        let pid = self.fixture.operator_pid();
        let (memory, cpu) = (vm_rss(pid)?, cpu_seconds(pid)? - mark.cpu);
        let (writes, events) = (writes - mark.writes, events - mark.events);
        say(&format!("  {name}: {seconds:.1} s"));
        Ok(Step { name, done, seconds, calls, writes, events, memory, cpu })
    }

    fn all_ready(&mut self, generation: u64) -> Result<()> {
        let all = self.bench.objects as usize;
        let ready = format!("{generation} {generation} True");
        self.count_to("Ready", all, |fixture| {
            Ok(statuses(fixture)?.iter().filter(|line| **line == ready).count())
        })
    }

    fn all_rotated(&mut self) -> Result<()> {
        let passwords = objects::with_password(self.bench.objects) as usize;
        let has_new = |user: &Value| {
            let first = user["Passwords"][0].as_str().unwrap_or_default();
            first.starts_with("second")
        };
        self.count_to("rotated", passwords, |fixture| {
            Ok(fixture.aws().users()?.into_iter().filter(has_new).count())
        })
    }

    /// Waits until each user was looked at since the call of this number.
    fn all_described(&mut self, what: &str, since: usize) -> Result<()> {
        say(&format!("Waiting for {what}, at most {} s ..", RESYNC.as_secs() * 2));
        let all = self.bench.objects as usize;
        self.count_to("looked at", all, |fixture| {
            let calls = fixture.aws().calls()?.into_iter().skip(since);
            let described = calls.filter(|call| call["Action"] == "DescribeUsers");
            let ids = described.map(|call| call["Params"]["UserId"].as_str().unwrap_or_default().to_owned());
            Ok(ids.collect::<HashSet<_>>().len())
        })
    }

    /// Waits until so many things are as they should be, and tells how far it is.
    fn count_to(
        &mut self,
        what: &str,
        goal: usize,
        mut count: impl FnMut(&Fixture) -> Result<usize>,
    ) -> Result<()> {
        // Three calls for each object at half of the rate, and a minute for whatever else the machine is at.
        let patience =
            Duration::from_secs(60 + u64::from(self.bench.objects * 6 / self.bench.aws_rate)) + RESYNC * 2;
        let mut told = Instant::now();
        until_blocking(what, patience, || {
            self.fixture.check_alive()?;
            let found = count(self.fixture)?;
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                say(&format!("  {what}: {found} of {goal}"));
            }
            Ok(when(found, |found| *found == goal).map(drop))
        })
    }
}

/// `generation observedGeneration Ready` of each object.
fn statuses(fixture: &Fixture) -> Result<Vec<String>> {
    let path = "jsonpath={range .items[*]}{.metadata.generation} {.status.observedGeneration} \
                {.status.conditions[?(@.type=='Ready')].status}{'\\n'}{end}";
    let text = run(fixture.kubectl().args(["get", "ecu", "-o", path]))?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn tell(steps: &[Step], bench: &Bench) {
    let build = if bench.release { "release" } else { "dev" };
    say(&format!(
        "\n{} objects, at most {} AWS calls a second, {build} build. For each thing done:\n",
        bench.objects, bench.aws_rate
    ));
    say(
        "  step          things   AWS calls   writes   events   seconds   memory MiB   CPU ms   calls by action",
    );
    for step in steps {
        let each = |count: usize| count as f64 / f64::from(step.done);
        let calls: usize = step.calls.values().sum();
        let by_action: Vec<String> =
            step.calls.iter().map(|(action, count)| format!("{action} {:.2}", each(*count))).collect();
        say(&format!(
            "  {:<12} {:>7} {:>11.2} {:>8.2} {:>8.2} {:>9.1} {:>12} {:>8.1}   {}",
            step.name,
            step.done,
            each(calls),
            each(step.writes),
            each(step.events),
            step.seconds,
            mib(step.memory),
            step.cpu * 1000.0 / f64::from(step.done),
            by_action.join(", ")
        ));
    }
    say(
        "\nWrites are finalizers and statuses, from the API server's audit log; seconds, memory and CPU are of this machine.",
    );
}

fn as_json(steps: &[Step], bench: &Bench) -> Value {
    let steps: Vec<Value> = steps
        .iter()
        .map(|step| {
            json!({
                "step": step.name, "things": step.done, "seconds": step.seconds, "awsCalls": step.calls,
                "writes": step.writes, "events": step.events, "residentKiB": step.memory, "cpuSeconds": step.cpu,
            })
        })
        .collect();
    json!({ "objects": bench.objects, "awsRate": bench.aws_rate, "release": bench.release, "steps": steps })
}
