//! The measured figures, as a table for people and as JSON.

use serde_json::{Value, json};

use super::load::Spread;
use super::{Bench, Step};
use crate::proc::mib;
use crate::shell::say;

pub(super) fn tell(steps: &[Step], bench: &Bench) {
    let build = if bench.release { "release" } else { "dev" };
    say(&format!(
        "\n{} objects, at most {} AWS calls a second, {build} build. For each thing done:\n",
        bench.objects, bench.aws_rate
    ));
    say(
        "  step          things   AWS calls    reads   writes   events   seconds   memory MiB   CPU ms   calls by action",
    );
    for step in steps {
        let each = |count: usize| count as f64 / f64::from(step.done);
        let calls: usize = step.calls.values().sum();
        let by_action: Vec<String> =
            step.calls.iter().map(|(action, count)| format!("{action} {:.2}", each(*count))).collect();
        say(&format!(
            "  {:<12} {:>7} {:>11.2} {:>8.2} {:>8.2} {:>8.2} {:>9.1} {:>12} {:>8.1}   {}",
            step.name,
            step.done,
            each(calls),
            each(step.requests.reads),
            each(step.requests.writes),
            each(step.requests.events),
            step.seconds,
            mib(step.memory),
            step.cpu * 1000.0 / f64::from(step.done),
            by_action.join(", ")
        ));
        if let Some(waits) = &step.waits {
            let row = |what: &str, spread: &Spread| {
                let Spread { median, longest, never } = spread;
                say(&format!(
                    "    {what}: median {median:.1} s, longest {longest:.1} s, {never} not in time"
                ));
            };
            row("until the first AWS call", &waits.first_call);
            row("until done", &waits.done);
        }
    }
    say(
        "\nWrites are finalizers and statuses. Reads and writes are from the API server's audit log, without watches.",
    );
    say(
        "Seconds, memory and CPU are of this machine. The operator has its default flags from Secret churn on. Memory of fat objects, fat Secrets and connections: the most since the start.",
    );
}

pub(super) fn as_json(steps: &[Step], bench: &Bench) -> Value {
    let spread = |spread: &Spread| json!({ "median": spread.median, "longest": spread.longest, "never": spread.never });
    let step = |step: &Step| {
        let mut row = json!({
            "step": step.name, "things": step.done, "seconds": step.seconds, "awsCalls": step.calls,
            "reads": step.requests.reads, "writes": step.requests.writes, "events": step.requests.events,
            "residentKiB": step.memory, "cpuSeconds": step.cpu,
        });
        if let Some(waits) = &step.waits {
            row["firstCallSeconds"] = spread(&waits.first_call);
            row["doneSeconds"] = spread(&waits.done);
        }
        row
    };
    let steps: Vec<Value> = steps.iter().map(step).collect();
    json!({
        "objects": bench.objects, "waiting": bench.waiting, "stuck": bench.stuck, "departing": bench.departing, "awsRate": bench.aws_rate, "release": bench.release,
        "steps": steps,
    })
}
