//! A listener and a router until the process drains.

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::shutdown::Shutdown;

/// Serves until the process drains, then takes no new connection and finishes the requests under way.
/// Handlers of endless answers (streams) have to watch the shutdown themselves.
pub async fn serve(router: Router, listener: TcpListener, shutdown: Shutdown) -> Result<(), std::io::Error> {
    let listener = listener.tap_io(|stream| {
        // Answers are small and written at once: waiting to fill a packet would only add 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.wait().await })
        .await
}
