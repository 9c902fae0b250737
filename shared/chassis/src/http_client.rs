//! The one way to build an HTTP client: deadlines always set, one TLS provider, no surprises from outside.

use std::sync::Once;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};

/// Connections kept open to one host: a few hundred calls side by side, without new handshakes.
const IDLE_PER_HOST: usize = 512;

/// Deadlines and name of a client.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Until the connection stands, TLS included.
    pub connect_timeout: Duration,
    /// Until the last byte of the answer, so that slow bytes cannot hold a call for ever.
    pub total_timeout: Duration,
    /// `User-Agent` of every call.
    pub user_agent: String,
}

impl Default for ClientSettings {
    fn default() -> Self {
        ClientSettings {
            connect_timeout: Duration::from_secs(2),
            total_timeout: Duration::from_secs(10),
            user_agent: concat!("daybook/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Makes ring the TLS provider of this process; again and again does no harm.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that somebody installed one before, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A client for HTTP/1.1, one call a connection at a time.
///
/// Redirects are not followed (they would carry API keys to another host), and proxies of the environment
/// are not used (they would catch calls to an exchange on the same machine).
pub fn client(settings: ClientSettings) -> Client {
    install_crypto();
    builder(&settings).build().unwrap_or_else(|error| {
        // A machine without any root certificate can still talk plain HTTP to the bundled exchange.
        tracing::warn!(%error, "no root certificates, https calls will be refused");
        builder(&settings)
            .tls_certs_only([])
            .build()
            .expect("without certificates there is nothing left to load")
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a client is made, with its deadlines"
)]
fn builder(settings: &ClientSettings) -> ClientBuilder {
    Client::builder()
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.total_timeout)
        .user_agent(&settings.user_agent)
        .http1_only()
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .tcp_nodelay(true)
        .redirect(redirect::Policy::none())
        .no_proxy()
}
