//! Three replicas under whatever may happen to them: never do two of them have a right to change something at the same time, and
//! once all is well again one of them works.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use proptest::prelude::*;
use tokio::time::{Instant, sleep, sleep_until};

use super::server::Way;
use super::*;

const REPLICAS: usize = 3;

#[derive(Clone, Debug)]
enum Event {
    Way(usize, Way),
    /// Stopped, and continued after so many milliseconds.
    Stop(usize, u64),
    Kill(usize),
    /// Told to end, and started again.
    Leave(usize),
    /// Somebody writes a label.
    Touch,
    Delete,
}

fn way() -> impl Strategy<Value = Way> {
    let span = || (0_u64..7_000).prop_map(Duration::from_millis);
    prop_oneof![
        3 => Just(Way::Open),
        2 => (span(), span()).prop_map(|(there, back)| Way::Slow(there, back)),
        2 => Just(Way::Cut),
        2 => Just(Way::Deaf),
        1 => Just(Way::Broken),
        1 => Just(Way::Contended),
    ]
}

fn event() -> impl Strategy<Value = (u64, Event)> {
    let which = || 0..REPLICAS;
    let event = prop_oneof![
        6 => (which(), way()).prop_map(|(which, way)| Event::Way(which, way)),
        3 => (which(), 100_u64..40_000).prop_map(|(which, span)| Event::Stop(which, span)),
        1 => which().prop_map(Event::Kill),
        1 => which().prop_map(Event::Leave),
        1 => Just(Event::Touch),
        1 => Just(Event::Delete),
    ];
    (0_u64..9_000, event)
}

/// What all replicas share.
#[derive(Clone, Default)]
struct World {
    server: Server,
    /// The token of each replica that was ever started.
    tokens: Arc<Mutex<Vec<Token>>>,
    offences: Arc<Mutex<Vec<String>>>,
    changes: Arc<Mutex<Vec<Instant>>>,
}

impl World {
    /// The replica changes something now, if it may.
    fn change(&self, own: usize) {
        let tokens = self.tokens.lock().unwrap();
        let Some(sending) = tokens[own].send() else { return };
        sending.ended();
        self.changes.lock().unwrap().push(Instant::now());
        let others = tokens.iter().enumerate().filter(|(other, token)| *other != own && token.is_valid());
        let others: Vec<usize> = others.map(|(other, _)| other).collect();
        if !others.is_empty() {
            self.offences.lock().unwrap().push(format!("{own} changes something, and {others:?} may too"));
        }
    }

    /// One life of a replica, from its start to its end. It works on with whatever it has begun, before it learns anything.
    async fn life(&self, link: Link, leave: Arc<Mutex<bool>>) {
        link.forget();
        let own = self.tokens.lock().unwrap().len();
        let (mut candidate, token, _) = Replica::candidate(&link, &format!("replica-{own}"));
        self.tokens.lock().unwrap().push(token);
        let working = async {
            loop {
                self.change(own);
                sleep(Duration::from_millis(310)).await;
            }
        };
        let told = async {
            while !*leave.lock().unwrap() {
                sleep(Duration::from_millis(470)).await;
            }
        };
        let standing = async {
            candidate.win().await.unwrap();
            candidate.hold().await
        };
        tokio::select! {
            biased;
            () = working => {}
            _ = standing => return,
            () = told => {}
        }
        candidate.leave().await;
        *leave.lock().unwrap() = false;
    }
}

/// A replica's process, as the kernel has it.
#[derive(Clone)]
struct Process {
    link: Link,
    stopped: Arc<Mutex<Instant>>,
    leave: Arc<Mutex<bool>>,
}

impl Process {
    fn new(world: &World) -> Self {
        let stopped = Arc::new(Mutex::new(Instant::now()));
        Self { link: world.server.link(), stopped, leave: Arc::default() }
    }

    /// Lives, ends, and is started again a second later.
    fn run(&self, world: &World) -> JoinHandle<()> {
        let (world, process) = (world.clone(), self.clone());
        tokio::spawn(async move {
            loop {
                let life = world.life(process.link.clone(), process.leave.clone());
                while_running(life, &process.stopped).await;
                sleep(SECOND).await;
                // A new process cannot know of a Lease that was deleted just before it began: a gap that is documented.
                for _ in 0..11 {
                    if world.server.lease().is_none() {
                        sleep(SECOND).await;
                    }
                }
            }
        })
    }
}

/// Polls it only while it is not stopped.
async fn while_running(life: impl Future<Output = ()>, stopped: &Mutex<Instant>) {
    let mut life = pin!(life);
    loop {
        let until = *stopped.lock().unwrap();
        sleep_until(until).await;
        let step = poll_fn(|context| {
            if *stopped.lock().unwrap() > Instant::now() {
                return Poll::Ready(None);
            }
            life.as_mut().poll(context).map(Some)
        });
        if let Some(()) = step.await {
            return;
        }
    }
}

async fn play(events: Vec<(u64, Event)>) {
    let world = World::default();
    let processes: Vec<Process> = (0..REPLICAS).map(|_| Process::new(&world)).collect();
    let mut tasks: Vec<JoinHandle<()>> = processes.iter().map(|process| process.run(&world)).collect();
    sleep(5 * SECOND).await;
    for (millis, event) in events {
        sleep(Duration::from_millis(millis)).await;
        match event {
            Event::Way(which, way) => processes[which].link.set(way),
            Event::Stop(which, span) => {
                *processes[which].stopped.lock().unwrap() = Instant::now() + Duration::from_millis(span);
            }
            // Who never saw the deleted Lease cannot know of its leader.
            Event::Kill(_) | Event::Delete if processes.iter().any(|process| !process.link.has_seen()) => {}
            Event::Kill(which) if world.server.lease().is_some() => {
                tasks[which].abort();
                processes[which].link.forget();
                tasks[which] = processes[which].run(&world);
            }
            Event::Leave(which) => *processes[which].leave.lock().unwrap() = true,
            Event::Touch => world.server.touch(),
            Event::Delete => world.server.delete(),
            Event::Kill(_) => {}
        }
    }
    for process in &processes {
        process.link.set(Way::Open);
        *process.stopped.lock().unwrap() = Instant::now();
        *process.leave.lock().unwrap() = false;
    }
    sleep(60 * SECOND).await;
    let offences = world.offences.lock().unwrap().clone();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
    let last = world.changes.lock().unwrap().last().copied();
    let idle = last.map_or(Duration::MAX, |last| last.elapsed());
    assert!(idle < 25 * SECOND, "nobody has changed anything for {idle:?}");
    tasks.iter().for_each(JoinHandle::abort);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_two_replicas_may_change_something_at_the_same_time(
        events in proptest::collection::vec(event(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(play(events));
    }
}
