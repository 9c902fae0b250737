//! A listener and a router until the process drains.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use crate::shutdown::Shutdown;

/// How long connections may stay silent or unread.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// What was sent to a client has to be taken by it within this time, else the connection ends: its machine is gone,
    /// or the client does not read.
    pub unread: Duration,
    /// A quiet connection is asked this often, by the system, whether the other machine is still there.
    pub quiet: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            unread: Duration::from_secs(30),
            quiet: Duration::from_secs(30),
        }
    }
}

/// Serves until the process drains, then takes no new connection and finishes the requests under way. Handlers find the
/// other end's address in `ConnectInfo<SocketAddr>`.
/// Handlers of endless answers (streams) have to watch the shutdown themselves.
pub async fn serve(router: Router, listener: TcpListener, shutdown: Shutdown) -> Result<(), std::io::Error> {
    serve_with(Patience::default(), router, listener, shutdown).await
}

/// [`serve`], with a patience of one's own.
pub async fn serve_with(
    patience: Patience,
    router: Router,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), std::io::Error> {
    let listener = listener.tap_io(move |stream| {
        if let Err(error) = set_up(stream, patience) {
            tracing::debug!(%error, "an option of a connection was refused");
        }
    });
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move { shutdown.wait().await })
        .await
}

fn set_up(stream: &TcpStream, patience: Patience) -> std::io::Result<()> {
    // Answers are small and written at once: waiting to fill a packet would only add 40 ms.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(patience.unread))?;
    let asking = TcpKeepalive::new()
        .with_time(patience.quiet)
        .with_interval(patience.quiet / 3);
    socket.set_tcp_keepalive(&asking)
}
