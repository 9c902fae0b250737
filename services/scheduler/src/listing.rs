//! What the venue lists as open. An order that ended there while nobody listened, on a stream without replay or a silent
//! one, is missing in the list; nothing else would ever tell of a good-till-canceled one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use domain::{OrderId, Timestamp};
use tokio::task::{JoinError, JoinSet};
use tracing::{debug, warn};
use venue::{Fault, Venue, VenueOrderView};

use crate::Config;

/// An answer is waited for this long before the sweep goes on without it; a later run takes it.
const WAIT: Duration = Duration::from_millis(200);
/// A list that takes long, of very many orders, is asked for that much more seldom than it takes.
const REST: i32 = 4;

/// The keys that the venue listed.
#[derive(Debug)]
struct Listing {
    /// From before the question: whatever was open there then and still is, is in it.
    asked_at: Timestamp,
    open: HashSet<OrderId>,
}

type Answer = (Timestamp, Result<Vec<VenueOrderView>, Fault>);

/// The last list, and the call for the next one. The call has a task of its own, so that a slow venue keeps neither the
/// sweep nor its lease waiting.
pub(crate) struct Listings<V> {
    venue: Option<Arc<V>>,
    calls: JoinSet<Answer>,
    due: Option<Timestamp>,
    last: Option<Listing>,
}

impl<V: Venue> Listings<V> {
    pub(crate) fn new(venue: Option<Arc<V>>) -> Self {
        Listings {
            venue,
            calls: JoinSet::new(),
            due: None,
            last: None,
        }
    }

    /// Asks when the time has come, and takes an answer that is there.
    pub(crate) async fn refresh(&mut self, now: Timestamp, config: &Config) {
        if self.calls.is_empty() && self.due.is_none_or(|due| due <= now) {
            self.ask(now, config);
        }
        if let Ok(Some(ended)) = tokio::time::timeout(WAIT, self.calls.join_next()).await {
            self.take(ended, now, config);
        }
    }

    fn ask(&mut self, now: Timestamp, config: &Config) {
        let Some(venue) = self.venue.clone() else { return };
        let limit = config.listing_within;
        self.calls.spawn(async move {
            let answer = tokio::time::timeout(limit, venue.open_orders()).await;
            (now, answer.unwrap_or(Err(Fault::Timeout)))
        });
    }

    fn take(&mut self, ended: Result<Answer, JoinError>, now: Timestamp, config: &Config) {
        let (asked_at, answer) = match ended {
            Ok(answer) => answer,
            // Half a process is worse than none: a panic there ends all of it.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return,
        };
        let every = TimeDelta::from_std(config.listing_every).unwrap_or(TimeDelta::MAX);
        self.due = Some(now + every.max((now - asked_at) * REST));
        self.last = match answer {
            Ok(views) => {
                debug!(open = views.len(), "the venue lists {} open orders", views.len());
                let open = views.iter().filter_map(|view| view.key).collect();
                Some(Listing { asked_at, open })
            }
            Err(fault) => {
                metrics::counter!("daybook_scheduler_listing_failed_total", "fault" => fault.word()).increment(1);
                warn!("the venue does not list its open orders: {fault}");
                None
            }
        };
    }

    /// Whether an order that did not change since `unchanged_since` should have been listed and was not. Without a list
    /// nothing is missing.
    pub(crate) fn lacks(&self, order: OrderId, unchanged_since: Timestamp, margin: Duration) -> bool {
        let margin = TimeDelta::from_std(margin).unwrap_or(TimeDelta::MAX);
        self.last
            .as_ref()
            .is_some_and(|list| list.asked_at - unchanged_since > margin && !list.open.contains(&order))
    }

    /// Somebody else sweeps now.
    pub(crate) fn forget(&mut self) {
        self.calls.abort_all();
        self.calls.detach_all();
        self.due = None;
        self.last = None;
    }
}
