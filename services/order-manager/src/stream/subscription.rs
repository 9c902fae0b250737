//! A connection's place in its account's events: what it missed from the database, then what happens from the hub.
//!
//! One number, the last event that was given out, decides what comes next; an event whose number is not the next one
//! is never given out. A queue that overflows, or a gap, only means that the database is read on from there.

use std::sync::Arc;
use std::time::Duration;

use db::DbError;
use domain::AccountId;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, error};

use super::Streams;
use super::end::End;
use super::hub::Listener;
use super::update::Update;

/// Updates read, or taken from the queue, at a time: what a connection holds in memory while its client reads.
const PAGE: usize = 64;
/// Pauses between tries when the database is away.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

type Page = Result<Vec<Arc<Update>>, DbError>;

/// What comes next.
pub(super) struct Told {
    /// In order, right after those before.
    pub(super) updates: Vec<Arc<Update>>,
    /// These were the last ones stored a moment ago.
    pub(super) to_the_present: bool,
}

/// The rest of an account's updates, from some place on.
pub(super) struct Subscription {
    streams: Streams,
    account: AccountId,
    /// The last event given out.
    place: i64,
    listener: Option<Listener>,
    /// Stored events come first.
    behind: bool,
    /// The read under way. Kept here, so that a caller who stops waiting for it loses nothing; a task, so that it comes
    /// to its end and gives its turn back even when nobody waits for it.
    reading: Option<AbortOnDropHandle<Page>>,
    /// Since when the client cannot keep up.
    slow_since: Option<Instant>,
}

impl Subscription {
    pub(super) fn new(streams: Streams, account: AccountId, after: i64) -> Self {
        Subscription {
            streams,
            account,
            place: after,
            listener: None,
            behind: true,
            reading: None,
            slow_since: None,
        }
    }

    /// The last event given out.
    pub(super) fn place(&self) -> i64 {
        self.place
    }

    /// Has the database read once more before anything else. A read under way may have missed what matters.
    pub(super) fn look_again(&mut self) {
        self.reading = None;
        self.behind = true;
    }

    /// The next updates. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<Told, End> {
        loop {
            if self
                .slow_since
                .is_some_and(|since| since.elapsed() > self.streams.settings().behind_at_most)
            {
                return Err(End::Slow);
            }
            if self.behind {
                return self.stored().await;
            }
            let Some(listener) = &mut self.listener else {
                self.listen();
                continue;
            };
            if listener.keeps_up() {
                self.slow_since = None;
            }
            match listener.next().await {
                Some(update) if update.seq <= self.place => {}
                Some(update) if update.seq == self.place + 1 => return Ok(self.live(update)),
                Some(_) => self.behind = true,
                None => {
                    debug!(account.id = %self.account, "a listener of {} reads on from the database", self.account);
                    self.slow_since.get_or_insert_with(Instant::now);
                    self.listener = None;
                    self.behind = true;
                }
            }
        }
    }

    /// From here on updates come by themselves; what was stored meanwhile is read first.
    fn listen(&mut self) {
        let listener = self.streams.0.hub.listen(self.account, self.place);
        self.behind = listener.from > self.place;
        self.listener = Some(listener);
    }

    /// One update and what is there besides.
    fn live(&mut self, first: Arc<Update>) -> Told {
        self.place = first.seq;
        let mut updates = vec![first];
        while updates.len() < PAGE
            && let Some(update) = self.listener.as_mut().and_then(Listener::next_ready)
        {
            if update.seq != self.place + 1 {
                self.behind = true;
                break;
            }
            self.place = update.seq;
            updates.push(update);
        }
        Told {
            updates,
            to_the_present: false,
        }
    }

    /// A page from the database.
    async fn stored(&mut self) -> Result<Told, End> {
        let (streams, account, place) = (&self.streams, self.account, self.place);
        let reading = self
            .reading
            .get_or_insert_with(|| AbortOnDropHandle::new(tokio::spawn(page(streams.clone(), account, place))));
        let page = reading.await;
        self.reading = None;
        let page = page.map_err(|error| {
            error!(account.id = %account, %error, "a replay of {account} broke off: {error}");
            End::Broken
        })?;
        let updates = page.map_err(|error| {
            error!(account.id = %account, %error, "the events of {account} cannot be replayed: {error}");
            End::Broken
        })?;
        let follows = updates.iter().zip(place + 1..).all(|(update, seq)| update.seq == seq);
        if !follows {
            error!(account.id = %account, "the events of {account} after {place} have a gap");
            return Err(End::Broken);
        }
        if let Some(last) = updates.last() {
            self.place = last.seq;
        }
        metrics::counter!("daybook_order_manager_stream_replayed_total").increment(updates.len() as u64);
        let to_the_present = updates.len() < PAGE;
        self.behind = !to_the_present;
        Ok(Told {
            updates,
            to_the_present,
        })
    }
}

/// A page, whenever the database is there to give it.
async fn page(streams: Streams, account: AccountId, after: i64) -> Page {
    let mut pause = PAUSE;
    loop {
        match streams.page(account, after, PAGE as i64).await {
            Err(error) if error.is_transient() => debug!(%error, "a replay waits for the database: {error}"),
            done => return done,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
