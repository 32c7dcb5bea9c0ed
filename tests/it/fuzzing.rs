//! The operator reads any input from outside without a panic, without a hang and without a password in its output: AWS's answers,
//! objects that any CRD admitted, and Secrets. `make test` fuzzes each target for a second from a fixed seed. `make fuzz` runs
//! longer, from a seed that it prints.

mod answers;
mod edits;
mod objects;
mod secrets;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use elasticache_user_operator::telemetry::may_be_logged;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;

use crate::secrecy;

/// The most that one case may take on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);
/// Cases between two looks at the clock.
const BATCH: u32 = 32;
/// The seed of `make test`, so that it tries the same cases each time.
const SEED: u64 = 11;

fn variable(name: &str) -> Option<u64> {
    std::env::vars().find(|(variable, _)| variable == name).and_then(|(_, value)| value.parse().ok())
}

/// Tries `case` with inputs of this strategy until the time is over. A failure shows a minimal input and the seed of its batch.
fn fuzz<S: Strategy>(target: &str, inputs: &S, case: impl Fn(S::Value)) {
    let time = variable("FUZZ_SECONDS");
    let first = variable("FUZZ_SEED").unwrap_or_else(|| time.map_or(SEED, |_| fastrand::u64(..)));
    let (began, mut seed) = (Instant::now(), first);
    let alive = Watchdog::start(target, first);
    loop {
        let rng_seed = RngSeed::Fixed(seed);
        let config = Config {
            cases: BATCH,
            rng_seed,
            failure_persistence: None,
            max_shrink_iters: 200,
            ..Config::default()
        };
        let tried = TestRunner::new(config).run(inputs, |input| {
            alive.begins();
            case(input);
            Ok(())
        });
        match tried {
            Ok(()) => seed = seed.wrapping_add(1),
            Err(TestError::Fail(why, input)) => {
                let (why, input) =
                    (secrecy::redacted(&why.to_string()), secrecy::redacted(&format!("{input:#?}")));
                panic!("{target}: FUZZ_SEED={seed}: {why}\n{input}");
            }
            Err(TestError::Abort(why)) => panic!("{target}: FUZZ_SEED={seed}: {why}"),
        }
        if began.elapsed() >= Duration::from_secs(time.unwrap_or(1)) {
            break;
        }
    }
    let executions = seed.wrapping_sub(first) * u64::from(BATCH);
    println!("{target}: {executions} executions in {} s, seed {first}", began.elapsed().as_secs());
}

/// Ends the whole test program if a case hangs in an endless loop, because nothing else can end that.
struct Watchdog(Arc<Mutex<Instant>>);

impl Watchdog {
    fn start(target: &str, seed: u64) -> Self {
        let began = Arc::new(Mutex::new(Instant::now()));
        let (watched, target) = (Arc::downgrade(&began), target.to_owned());
        std::thread::spawn(move || {
            while let Some(began) = watched.upgrade() {
                if began.lock().unwrap().elapsed() > LONGEST * 2 {
                    eprintln!("{target}: FUZZ_SEED={seed}: a case hangs");
                    std::process::abort();
                }
                drop(began);
                support::wait::pause(Duration::from_millis(200));
            }
        });
        Self(began)
    }

    fn begins(&self) {
        *self.0.lock().unwrap() = Instant::now();
    }
}

/// The log of this thread, at the most detailed level that an operator can be told to log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Captures the log of this thread until the guard is dropped.
    fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let all = tracing_subscriber::registry().with(filter_fn(may_be_logged)).with(lines);
        (log, tracing::subscriber::set_default(all))
    }

    /// The log since the last `take`.
    fn take(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut *self.0.lock().unwrap())).into_owned()
    }

    /// Fails if this text or the log shows a password.
    fn assert_silent(&self, text: &str) {
        secrecy::assert_silent("an answer", text);
        secrecy::assert_silent("a log", &self.take());
    }
}

/// Drives one case to its end, on this thread.
struct Driver(tokio::runtime::Runtime);

impl Driver {
    fn new() -> Self {
        Self(tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap())
    }

    fn drive<T>(&self, case: impl Future<Output = T>) -> T {
        let bounded = async { tokio::time::timeout(LONGEST, case).await };
        self.0.block_on(bounded).expect("a case that ends in time")
    }
}
