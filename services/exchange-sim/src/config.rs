//! Settings, all with defaults that suit a local run.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use domain::calendar::Calendar;

/// How the exchange runs. Its database is the pool of [`crate::Deps`].
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The one key pair of the omnibus account.
    pub keys: KeyPair,
    /// How many symbols trade: 20 known names, then generated ones.
    pub symbols: usize,
    /// Fixes the walks and the sizes of quotes.
    pub seed: u64,
    /// How often the market maker quotes; `None` leaves it to [`crate::Exchange::step`].
    pub tick: Option<Duration>,
    /// Most shares of one quote.
    pub largest_quote: i64,
    /// When it trades.
    pub calendar: Calendar,
    /// Most commands of one transaction.
    pub batch_max: usize,
    /// Most orders that one transaction releases at the open or ends at the close.
    pub round_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            keys: KeyPair::new("exchange-key", "exchange-secret"),
            symbols: 20,
            seed: 1,
            tick: Some(Duration::from_millis(250)),
            largest_quote: 100,
            calendar: Calendar::always_open(),
            batch_max: 512,
            round_max: 2_000,
        }
    }
}

/// A key id and its secret. Does not print the secret.
#[derive(Clone)]
pub struct KeyPair {
    id: String,
    secret: String,
}

impl KeyPair {
    /// A pair.
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: secret.into(),
        }
    }

    /// Whether these are the ones. Takes as long for a wrong secret as for the right one.
    pub(crate) fn opens(&self, id: &str, secret: &str) -> bool {
        let (mine, given) = (self.secret.as_bytes(), secret.as_bytes());
        let differing = mine.iter().zip(given).fold(0, |differing, (a, b)| differing | (a ^ b));
        self.id == id && mine.len() == given.len() && differing == 0
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("id", &self.id).finish_non_exhaustive()
    }
}
