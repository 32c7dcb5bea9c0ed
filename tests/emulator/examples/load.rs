//! How many requests a second the emulator answers: a bounded load through loopback, four connections that each wait
//! for an answer before the next request.
//!
//! ```text
//! taskset -c 0 cargo run --release -p elasticache-emulator --example load -- [USERS [REQUESTS]]
//! ```
//!
//! Generator and emulator are threads of one process; `taskset` keeps both on one core, so that the figures are
//! lower than what the emulator alone could do there.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use elasticache_emulator::{Emulator, Settings};

const CONNECTIONS: usize = 4;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().map_err(io::Error::other));
    let users = arguments.next().transpose()?.unwrap_or(5_000);
    let requests = arguments.next().transpose()?.unwrap_or(20_000);
    let file = std::env::temp_dir().join(format!("elasticache-emulator-load-{}", std::process::id()));
    run("in memory", None, users, requests)?;
    let result = run("with --data", Some(file.clone()), users, requests);
    std::fs::remove_file(file)?;
    result
}

fn run(title: &str, data: Option<PathBuf>, users: usize, requests: usize) -> io::Result<()> {
    let settings = Settings { user_quota: users, modify_time: Duration::ZERO, data, ..Settings::default() };
    let emulator = Emulator::start(settings, "127.0.0.1:0")?;
    let addr = emulator.addr();
    println!("{title}, {users} users, {CONNECTIONS} connections:");
    let create = |number: usize| {
        format!(
            "Action=CreateUser&UserId=user-{number}&UserName=user-{number}&Engine=redis\
             &AccessString=on+~app%3A*+%2B%40read&Passwords.member.1=correct-horse-battery"
        )
    };
    measure("CreateUser", addr, users, create)?;
    let describe = |number: usize| format!("Action=DescribeUsers&UserId=user-{}", number % users);
    measure("DescribeUsers, one user", addr, requests, describe)?;
    measure("DescribeUsers, a page of 100", addr, requests / 10, |_| "Action=DescribeUsers".to_owned())?;
    let modify =
        |number: usize| format!("Action=ModifyUser&UserId=user-{}&AccessString=on+~*", number % users);
    measure("ModifyUser", addr, requests.min(users), modify)?;
    Ok(())
}

/// Sends `count` requests whose bodies `body` makes, and prints how many were answered a second.
fn measure(
    what: &str,
    addr: SocketAddr,
    count: usize,
    body: impl Fn(usize) -> String + Sync,
) -> io::Result<()> {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|first| {
                let body = &body;
                scope.spawn(move || {
                    let mut connection = BufReader::new(TcpStream::connect(addr)?);
                    connection.get_ref().set_nodelay(true)?;
                    (first..count)
                        .step_by(CONNECTIONS)
                        .try_for_each(|number| send(&mut connection, &body(number)))
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
        })
    })?;
    println!("  {what:<30} {:>8.0} requests/s", count as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

/// Sends one request and reads its whole answer, which must be 200.
fn send(connection: &mut BufReader<TcpStream>, body: &str) -> io::Result<()> {
    let request = format!(
        "POST / HTTP/1.1\r\nhost: load\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=000000000000/20260101/us-east-1/elasticache/aws4_request\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.get_mut().write_all(request.as_bytes())?;
    let (mut status, mut length, mut line) = (String::new(), 0, String::new());
    loop {
        line.clear();
        if connection.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            text if status.is_empty() => text.clone_into(&mut status),
            text => {
                if let Some(number) = text.strip_prefix("content-length: ") {
                    length = number.parse().map_err(io::Error::other)?;
                }
            }
        }
    }
    let mut answer = vec![0; length];
    connection.read_exact(&mut answer)?;
    if status.contains(" 200 ") {
        Ok(())
    } else {
        Err(io::Error::other(format!("{status}: {}", String::from_utf8_lossy(&answer))))
    }
}
