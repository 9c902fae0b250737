//! Over a real socket: what only shows with a client that sends faster than it reads.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use chassis::http::{JsonBody, serve};
use chassis::http_client::{ClientSettings, client};
use chassis::shutdown::Shutdown;
use serde_json::Value;
use tokio::net::TcpListener;
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
