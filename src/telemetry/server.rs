//! I/O: the HTTP server. Anybody who reaches the port can open connections, so each of them is bounded in size and time, and all
//! of them in number.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::Certificate;

/// At most so many connections are open at once. If one more comes, the oldest one is closed, so that a probe always gets in.
const MOST_CONNECTIONS: usize = 64;
/// A connection that takes longer than this to send the header of a request is closed. It is also the longest pause between
/// two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// No connection lives longer than this. Prometheus and the kubelet open a new one.
const LIFETIME: Duration = Duration::from_secs(60);
/// The largest header of a request, and the buffer of a connection, in bytes.
const MOST_HEADER_BYTES: usize = 16 * 1024;
/// After a failure to accept, because descriptors are short for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the pages until the process ends, with TLS if there is a certificate.
///
/// # Errors
/// Never: a failure to accept a connection is tried again.
pub(super) async fn accept_connections(
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    pages: axum::Router,
) -> std::io::Result<()> {
    let mut connections = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::with_capacity(MOST_CONNECTIONS);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    oldest_first.retain(|connection| !connection.is_finished());
                    if oldest_first.len() >= MOST_CONNECTIONS && let Some(oldest) = oldest_first.pop_front() {
                        oldest.abort();
                    }
                    oldest_first.push_back(connections.spawn(serve_connection(stream, certificate.clone(), pages.clone())));
                }
                Err(error) => {
                    tracing::debug!(%error, "failed to accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, certificate: Option<Arc<Certificate>>, pages: axum::Router) {
    let served = async {
        let Some(certificate) = certificate else { return serve_pages(stream, pages).await };
        match tokio::time::timeout(HEADER_TIMEOUT, certificate.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => serve_pages(stream, pages).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake with the HTTP server failed"),
            Err(_) => {}
        }
    };
    // Its end at the latest is no failure.
    let _ = tokio::time::timeout(LIFETIME, served).await;
}

async fn serve_pages<S: AsyncRead + AsyncWrite + Unpin>(stream: S, pages: axum::Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MOST_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection to the HTTP server failed");
    }
}
