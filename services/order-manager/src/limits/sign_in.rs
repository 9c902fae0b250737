//! Who calls, if they may ask at all: buckets first, then the key.

use std::net::IpAddr;
use std::sync::Arc;

use db::DbError;
use identity::limits::Class;
use identity::{AuthError, Caller, KeyId, KeyRing};
use tokio::sync::{Mutex, MutexGuard};

use super::Meter;
use super::meter::{By, Measured};

/// Lanes for cancels beyond their bucket; two accounts may share one.
const LANES: u64 = 64;

/// What the caller shows.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// The public half.
    pub(crate) key_id: String,
    /// The secret half.
    pub(crate) secret: String,
}

/// Who it is, and how the bucket stands.
#[derive(Debug)]
pub(crate) struct SignedIn {
    /// For the headers.
    pub(crate) measured: Measured,
    /// The caller, or why there is none.
    pub(crate) outcome: Result<Caller, Refused>,
}

/// Why nobody is signed in.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Too many requests.
    Limited,
    /// Unknown key, wrong secret or revoked: one answer for all.
    Denied,
    /// Nobody could look it up.
    Unavailable(DbError),
}

/// The one way in, for requests and for streams that sign in by a message.
#[derive(Clone)]
pub(crate) struct Entrance {
    meter: Arc<Meter>,
    keys: KeyRing,
    lanes: Arc<[Mutex<()>]>,
}

impl Entrance {
    /// An entrance with this meter in front of these keys.
    pub(crate) fn new(meter: Arc<Meter>, keys: KeyRing) -> Self {
        Entrance {
            meter,
            keys,
            lanes: (0..LANES).map(|_| Mutex::default()).collect(),
        }
    }

    /// Everybody's buckets.
    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Measures the request and looks the pair up. A key's bucket comes first; only where it says no, and what is known
    /// of the key is half a second old, the key is looked up before it is believed: its tier may have changed.
    pub(crate) async fn sign_in(&self, pair: &Pair, class: Class, from: IpAddr) -> SignedIn {
        let (meter, key_id) = (&self.meter, KeyId::parse(&pair.key_id));
        let known = key_id
            .as_ref()
            .and_then(|id| meter.known(id, &pair.secret, class, from));
        let measured = known.unwrap_or_else(|| meter.stranger(from));
        let is_due = || known.is_some() && key_id.as_ref().is_some_and(|id| meter.is_due(id));
        if !may_go_on(&measured, class) && !is_due() {
            return limited(measured);
        }
        match self.keys.authenticate(&pair.key_id, &pair.secret).await {
            Ok(caller) if known.is_some() && may_go_on(&measured, class) => {
                meter.learn(&caller, &pair.secret);
                SignedIn {
                    measured,
                    outcome: Ok(caller),
                }
            }
            Ok(caller) => {
                let measured = meter.welcome(&caller, &pair.secret, class, from);
                let outcome = may_go_on(&measured, class).then_some(caller).ok_or(Refused::Limited);
                SignedIn { measured, outcome }
            }
            Err(AuthError::Denied) => SignedIn {
                measured: meter.turned_away(key_id.as_ref(), &pair.secret, from),
                outcome: Err(Refused::Denied),
            },
            Err(AuthError::Unavailable(error)) => SignedIn {
                measured,
                outcome: Err(Refused::Unavailable(error)),
            },
        }
    }

    /// Where a cancel beyond its bucket waits for those of its account before it: it is done, one at a time.
    pub(crate) async fn lane(&self, caller: &Caller) -> MutexGuard<'_, ()> {
        let spread = caller.account.get().as_u64_pair().1 % LANES;
        self.lanes[usize::try_from(spread).unwrap_or(0)].lock().await
    }
}

/// A customer's cancel is never turned away (RSK-8).
fn may_go_on(measured: &Measured, class: Class) -> bool {
    measured.passes() || (class == Class::Cancel && measured.by == By::Key)
}

fn limited(measured: Measured) -> SignedIn {
    SignedIn {
        measured,
        outcome: Err(Refused::Limited),
    }
}
