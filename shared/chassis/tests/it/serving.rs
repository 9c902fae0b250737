//! Over a real socket: what only shows with a client that sends faster than it reads.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use chassis::http::{JsonBody, Patience, serve, serve_with};
use chassis::http_client::{ClientSettings, client};
use chassis::shutdown::Shutdown;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::app;

const SECOND: Duration = Duration::from_secs(1);

async fn start(router: Router, shutdown: &Shutdown) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    shutdown.spawn("http", serve(router, listener, shutdown.clone()));
    address
}

#[tokio::test]
async fn a_body_of_two_megabytes_gets_to_read_its_413() {
    let shutdown = Shutdown::new();
    let echo = |JsonBody(_): JsonBody<Value>| async { "read" };
    let address = start(app(Router::new().route("/", post(echo))), &shutdown).await;
    let client = client(ClientSettings::default());
    for _ in 0..5 {
        let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(2_000_000));
        let answer = client
            .post(format!("http://{address}/"))
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 413);
    }
}

#[tokio::test]
async fn draining_finishes_the_request_under_way() {
    let shutdown = Shutdown::new();
    let (entered, is_entered) = oneshot::channel();
    let entered = std::sync::Mutex::new(Some(entered));
    let switch = shutdown.clone();
    let slow = move || {
        let _ = entered.lock().unwrap().take().unwrap().send(());
        let switch = switch.clone();
        async move {
            switch.wait().await;
            "done"
        }
    };
    let slow = std::sync::Arc::new(slow);
    let address = start(Router::new().route("/", get(move || slow())), &shutdown).await;
    let call = tokio::spawn(
        client(ClientSettings::default())
            .get(format!("http://{address}/"))
            .send(),
    );
    is_entered.await.unwrap();
    shutdown.drain(5 * SECOND).await.unwrap();
    assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "done");
    let refused = client(ClientSettings::default())
        .get(format!("http://{address}/"))
        .send()
        .await;
    assert!(refused.is_err(), "nobody listens any more");
}

/// Tells when an endless answer is given up.
struct Dropped(Option<oneshot::Sender<()>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.take().unwrap().send(());
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let shutdown = Shutdown::new();
    let (dropped, is_dropped) = oneshot::channel();
    let dropped = std::sync::Arc::new(std::sync::Mutex::new(Some(Dropped(Some(dropped)))));
    let endless = move || async move {
        let guard = dropped.lock().unwrap().take();
        let parts = futures::stream::unfold(guard, |guard| async move {
            Some((Ok::<_, std::io::Error>(vec![b'x'; 64 * 1024]), guard))
        });
        axum::body::Body::from_stream(parts)
    };
    let router = Router::new().route("/", get(endless));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let patience = Patience {
        unread: SECOND,
        ..Patience::default()
    };
    shutdown.spawn("http", serve_with(patience, router, listener, shutdown.clone()));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let given_up = tokio::time::timeout(60 * SECOND, is_dropped).await;
    assert!(
        given_up.is_ok(),
        "the answer is still kept for a client that does not read it"
    );
    drop(client);
}

#[tokio::test]
async fn a_client_gives_up_after_its_total_time() {
    let shutdown = Shutdown::new();
    let never = || async { std::future::pending::<()>().await };
    let address = start(Router::new().route("/", get(never)), &shutdown).await;
    let hasty = client(ClientSettings {
        total_timeout: SECOND / 20,
        ..ClientSettings::default()
    });
    let outcome = hasty.get(format!("http://{address}/")).send().await;
    assert!(outcome.unwrap_err().is_timeout());
}
