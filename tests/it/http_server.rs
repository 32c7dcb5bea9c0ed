//! Small servers in place of services that the emulator does not have: STS, a credentials agent, an AWS whose clock is wrong.

use std::net::TcpListener;

use axum::Router;
use axum::body::Bytes;
use axum::response::IntoResponse;

/// Answers every request, in a thread of its own, for as long as the process lives. Returns the URL.
pub(crate) fn serve<R: IntoResponse>(answer: impl Fn() -> R + Clone + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let router = Router::new().fallback(async move |_: Bytes| answer());
            axum::serve(listener, router).await.unwrap();
        });
    });
    url
}
