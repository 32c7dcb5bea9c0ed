//! An emulator of Amazon ElastiCache's user management: the eleven calls for users, user groups and tags of the Query
//! API (2015-02-02), and STS GetCallerIdentity, as the real service answers them, with its states and its errors.
//!
//! ```no_run
//! use elasticache_emulator::{Emulator, Settings};
//!
//! let emulator = Emulator::start(Settings::default(), "127.0.0.1:0")?;
//! println!("point an AWS client at {}", emulator.url());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Every answer is a function of three things: the state, the time, which is read once for each request, and the
//! request. States end by being looked at after their time, never by something that sleeps. B-numbers in this crate
//! are the behaviours of the real service that the README lists.
//!
//! | file | idea |
//! |---|---|
//! | `server` | HTTP, connections, waiting: all the I/O but the data file |
//! | `api` | order of checks, dispatch of calls |
//! | `users`, `groups`, `tags`, `listing`, `authentication`, [`access_string`], `ids` | the service's rules |
//! | `region`, `records`, `state` | what is kept, and what time does to it |
//! | `store` | the data file |
//! | `control`, `control_records`, `settings`, `faults`, `calls`, `limiter` | what tests steer and see |
//! | `client` | a client of that |
//! | `permissions` | what IAM would be asked about a call |
//! | `wire`, `xml`, `json`, `refusal`, `duration`, `clock` | forms in and out |

pub mod access_string;
mod api;
mod authentication;
mod calls;
mod client;
mod clock;
mod control;
mod control_records;
mod duration;
mod faults;
mod groups;
mod ids;
mod json;
mod limiter;
mod listing;
mod permissions;
mod records;
mod refusal;
mod region;
mod rule;
mod server;
mod settings;
mod state;
mod store;
mod tags;
mod users;
mod wire;
mod xml;

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

pub use client::{Control, user_of};
pub use permissions::{Asked, Permits};
pub use rule::Rule;
pub use settings::{ModifyAnswer, Rate, Settings};

use clock::Clock;
use server::Shared;
use state::State;

/// A running emulator; it stops when this is dropped.
///
/// It runs on a thread and a runtime of its own, so that a test's runtime may end, or pause its clock, without
/// disturbing it.
#[derive(Debug)]
pub struct Emulator {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts one; it accepts connections when this returns. Port 0 picks a free one.
    ///
    /// # Errors
    /// The address cannot be listened on, or the data file cannot be used: in both cases a sentence that names it.
    pub fn start(settings: Settings, addr: impl ToSocketAddrs) -> io::Result<Self> {
        Self::start_guarded(settings, addr, Box::new(|_| true))
    }

    /// The same, where `permits` is asked about every call, in place of IAM: what it says no to is AccessDenied. Asked
    /// after the rate and before the faults.
    ///
    /// # Errors
    /// Those of [`Emulator::start`].
    pub fn start_guarded(settings: Settings, addr: impl ToSocketAddrs, permits: Permits) -> io::Result<Self> {
        let clock = Clock::start();
        let listener = listen(addr)?;
        let addr = listener.local_addr()?;
        let state = State::start(settings, clock.now(), permits)?;
        let shared = Arc::new(Shared::new(state, clock));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = server::serve(listener, shared) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("elasticache-emulator".to_owned()).spawn(run)?;
        Ok(Self { addr, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens, such as `http://127.0.0.1:4510`: the endpoint for AWS clients, and before `/_emulator/..`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Both fail only where the thread is gone already.
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(addr: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let addrs: Vec<SocketAddr> = addr.to_socket_addrs()?.collect();
    let listener = TcpListener::bind(addrs.as_slice()).map_err(|error| {
        let names = addrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let sentence = if error.kind() == io::ErrorKind::AddrInUse {
            format!("another program is listening on {names} already; port 0 picks a free one")
        } else {
            format!("it is not possible to listen on {names}: {error}")
        };
        io::Error::new(error.kind(), sentence)
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
