//! Ten minutes of everything at once: edits, deletions, rotations, drift, faults of AWS, restarts of the API server, kills of the
//! leader. Afterwards everything must converge, nothing may be left, and the operator's memory must not have grown.

mod disturb;
mod world;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use cluster::{Options, Process};
use support::command::run;
use support::operator::tail;
use support::repository::program;
use support::wait::pause;

use self::world::World;
use crate::fixture::{Fixture, NAMESPACE, Setup, start_operator};
use crate::kubernetes::Kubernetes;
use crate::proc::{mib, vm_rss};
use crate::shell::{progress, say};

/// The time between two disturbances.
const PACE: Duration = Duration::from_millis(200);
/// How long all objects may take to converge after the last disturbance.
const PATIENCE: Duration = Duration::from_secs(300);
/// The most that memory may grow from the first to the last quarter, in KiB. An allocator can cause that much.
const GROWTH: u64 = 8 * 1024;

#[derive(clap::Args)]
pub(crate) struct Soak {
    /// For how long everything is disturbed
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    seconds: u64,
    /// Objects, in ten namespaces
    #[arg(long, value_name = "N", default_value = "300")]
    objects: usize,
    /// Decides what is done, and when; left out: a new one, which is printed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// One of two replicas of the operator.
struct Replica {
    name: &'static str,
    process: Process,
    log: PathBuf,
    kills: usize,
}

struct Run {
    fixture: Fixture,
    replicas: Vec<Replica>,
    kubernetes: Kubernetes,
    world: World,
    rng: fastrand::Rng,
    began: Instant,
    time: Duration,
    /// Resident memory of all replicas each second, in KiB.
    memory: Vec<u64>,
    done: usize,
}

/// Runs the soak. An error names the seed, what did not converge, and the end of the logs.
pub(crate) fn soak(soak: &Soak) -> Result<()> {
    let seed = soak.seed.unwrap_or_else(|| fastrand::u64(..));
    say(&format!("seed {seed}"));
    let operator = program("elasticache-user-operator")?;
    let flags = flags("first");
    // This operator ends before the soak begins, because the replicas of the soak have names and logs of their own.
    let setup = setup(operator, &flags, soak.objects);
    let mut fixture = Fixture::set(&setup, Options::default())?;
    fixture.end_operator()?;
    let kubernetes = Kubernetes::connect(fixture.cluster().kubeconfig())?;
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut run = Run {
        world: World::new(soak.objects, &mut rng),
        replicas: Vec::new(),
        fixture,
        kubernetes,
        rng,
        began: Instant::now(),
        time: Duration::from_secs(soak.seconds),
        memory: Vec::new(),
        done: 0,
    };
    let ended = run.all();
    match ended {
        Ok(()) => {
            run.replicas.clear();
            run.fixture.clear()
        }
        Err(error) => {
            let logs: Vec<String> = run.replicas.iter().map(Replica::last_lines).collect();
            Err(run.fixture.with_logs(anyhow!("--seed {seed}: {error:#}\n{}", logs.join("\n"))))
        }
    }
}

fn flags(name: &str) -> Vec<String> {
    let flags = ["--leader-elect", "--pod-namespace", NAMESPACE, "--pod-name", name];
    let pace = ["--aws-rate", "50", "--aws-burst", "50", "--resync", "30s", "--tag-resync-every", "2"];
    flags.into_iter().chain(pace).map(str::to_owned).collect()
}

fn setup(operator: PathBuf, flags: &[String], objects: usize) -> Setup<'_> {
    let (modify_time, delete_time) = (Duration::from_secs(2), Duration::from_secs(2));
    Setup { operator, flags, variables: &[], modify_time, delete_time, quota: objects as u32 * 2 + 100 }
}

impl Replica {
    fn last_lines(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        format!("--- end of the log of replica {}\n{}", self.name, tail(&log, 40))
    }
}

impl Run {
    fn all(&mut self) -> Result<()> {
        for name in ["one", "two"] {
            let replica = self.start(name, 0)?;
            self.replicas.push(replica);
        }
        self.kubernetes.apply(NAMESPACE, self.world.namespaces())?;
        self.kubernetes.apply(NAMESPACE, self.world.manifests())?;
        self.converge("all are created")?;
        self.disturb()?;
        self.calm()?;
        self.converge("all have converged")?;
        self.assert_memory_flat()?;
        for namespace in self.world.remove_all() {
            self.kubernetes.delete_all("ElastiCacheUser", &namespace)?;
        }
        self.converge("nothing is left")?;
        self.assert_logs_silent()
    }

    fn start(&self, name: &'static str, kills: usize) -> Result<Replica> {
        let operator = program("elasticache-user-operator")?;
        let flags = flags(name);
        let setup = setup(operator, &flags, self.world.len());
        let log = self.fixture.cluster().logs_dir().join(format!("operator-{name}-{kills}.log"));
        let process = start_operator(self.fixture.cluster(), self.fixture.aws(), &setup, &log)?;
        Ok(Replica { name, process, log, kills })
    }

    /// Kills the replica that holds the Lease, and starts it again.
    fn kill_leader(&mut self) -> Result<()> {
        let holder = "jsonpath={.items[*].spec.holderIdentity}";
        let holder = run(self.fixture.kubectl().args(["get", "leases", "-n", NAMESPACE, "-o", holder]))?;
        let leader = self.replicas.iter().position(|replica| holder.contains(replica.name)).unwrap_or(0);
        let mut killed = self.replicas.remove(leader);
        progress(&format!("  kills replica {}, of which the Lease says {holder:?}", killed.name));
        killed.process.kill();
        let successor = self.start(killed.name, killed.kills + 1)?;
        self.replicas.push(successor);
        Ok(())
    }

    /// Waits until all objects and users are as the last edit wants them.
    fn converge(&mut self, fact: &str) -> Result<()> {
        let (began, mut told) = (Instant::now(), Instant::now());
        loop {
            self.check_alive()?;
            let users = self.fixture.aws().users()?;
            let wrong = self.world.wrong(&self.kubernetes.seen(), &users);
            if wrong.is_empty() {
                progress(&format!("{fact}, after {:.1} s", began.elapsed().as_secs_f64()));
                return Ok(());
            }
            let list = || wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
            ensure!(began.elapsed() < PATIENCE, "not so: {fact}; {} are wrong:\n{}", wrong.len(), list());
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                progress(&format!("  {} of {} are not as they should be", wrong.len(), self.world.len()));
            }
            pause(Duration::from_millis(500));
        }
    }

    fn check_alive(&mut self) -> Result<()> {
        self.replicas.iter_mut().try_for_each(|replica| replica.process.check_alive())
    }

    fn sample_memory(&mut self) -> Result<()> {
        let each = self.replicas.iter().map(|replica| vm_rss(replica.process.pid()));
        let all = each.sum::<Result<u64>>()?;
        self.memory.push(all);
        Ok(())
    }

    fn assert_memory_flat(&self) -> Result<()> {
        let median = |samples: &[u64]| {
            let mut sorted = samples.to_vec();
            sorted.sort_unstable();
            sorted.get(sorted.len() / 2).copied().unwrap_or_default()
        };
        let quarter = self.memory.len() / 4;
        let first = median(self.memory.get(..quarter).unwrap_or_default());
        let last = median(self.memory.get(self.memory.len() - quarter..).unwrap_or_default());
        let figures = format!("{} MiB in the first quarter, {} MiB in the last", mib(first), mib(last));
        progress(&format!("memory of both replicas: {figures}"));
        ensure!(last <= first + first / 4 + GROWTH, "memory grew: {figures}");
        Ok(())
    }

    fn assert_logs_silent(&self) -> Result<()> {
        for file in std::fs::read_dir(self.fixture.cluster().logs_dir())? {
            let path = file?.path();
            let is_operator =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("operator-"));
            let shows = is_operator && std::fs::read_to_string(&path)?.contains(world::PASSWORD);
            ensure!(!shows, "a password shows in {}", path.display());
        }
        say(&format!("{} disturbances, and everything converged", self.done));
        Ok(())
    }
}
