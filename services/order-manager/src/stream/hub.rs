//! Who listens to which account, and how far each account has been read.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chassis::metrics::count;
use chassis::step::Wake;
use domain::AccountId;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::update::Update;

/// The listeners of a process; clones share them.
#[derive(Clone)]
pub(super) struct Hub(Arc<Inner>);

struct Inner {
    feeds: Mutex<Feeds>,
    tail: Wake,
    queue: usize,
}

#[derive(Default)]
struct Feeds {
    of: HashMap<AccountId, Feed>,
    /// Accounts that may have events after their head.
    news: News,
    last_id: u64,
}

/// Accounts in line, each once: who has waited longest is first.
#[derive(Default)]
struct News {
    line: VecDeque<AccountId>,
    in_line: HashSet<AccountId>,
}

impl News {
    fn add(&mut self, account: AccountId) {
        if self.in_line.insert(account) {
            self.line.push_back(account);
        }
    }

    fn take(&mut self) -> Option<AccountId> {
        let account = self.line.pop_front()?;
        self.in_line.remove(&account);
        Some(account)
    }
}

/// One account that somebody listens to.
struct Feed {
    /// The last event that went into the queues.
    head: i64,
    listeners: Vec<(u64, Sender<Arc<Update>>)>,
}

/// One connection's queue. Dropped, it is taken off.
pub(super) struct Listener {
    hub: Hub,
    account: AccountId,
    id: u64,
    queue: Receiver<Arc<Update>>,
    /// Everything after this comes by the queue.
    pub(super) from: i64,
}

impl Listener {
    /// The next update; `None` when the queue was full and there will be no more.
    pub(super) async fn next(&mut self) -> Option<Arc<Update>> {
        self.queue.recv().await
    }

    /// Nothing waits, and nothing was lost.
    pub(super) fn keeps_up(&self) -> bool {
        self.queue.is_empty() && !self.queue.is_closed()
    }

    /// The next update, if it is there.
    pub(super) fn next_ready(&mut self) -> Option<Arc<Update>> {
        self.queue.try_recv().ok()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.hub.leave(self.account, self.id);
    }
}

impl Hub {
    /// Nobody listens. `tail` is rung when somebody does.
    pub(super) fn new(tail: Wake, queue: usize) -> Self {
        Hub(Arc::new(Inner {
            feeds: Mutex::default(),
            tail,
            queue: queue.max(1),
        }))
    }

    /// Listens to an account, for somebody who has everything up to `have`. What lies between that and
    /// [`Listener::from`] is for the caller to read.
    pub(super) fn listen(&self, account: AccountId, have: i64) -> Listener {
        let (sender, queue) = mpsc::channel(self.0.queue);
        let mut feeds = self.feeds();
        feeds.last_id += 1;
        let id = feeds.last_id;
        let feed = feeds.of.entry(account).or_insert(Feed {
            head: have,
            listeners: Vec::new(),
        });
        feed.listeners.push((id, sender));
        let (from, is_new) = (feed.head, feed.listeners.len() == 1);
        if is_new {
            // Whatever rang before now was not for anybody: the tail looks once by itself.
            feeds.news.add(account);
            self.0.tail.wake();
        }
        drop(feeds);
        Listener {
            hub: self.clone(),
            account,
            id,
            queue,
            from,
        }
    }

    /// Whether nobody listens.
    pub(super) fn is_empty(&self) -> bool {
        self.feeds().of.is_empty()
    }

    /// Something was said about events up to this number.
    pub(super) fn heard(&self, said: impl Iterator<Item = (AccountId, i64)>) {
        let mut feeds = self.feeds();
        for (account, seq) in said {
            if feeds.of.get(&account).is_some_and(|feed| feed.head < seq) {
                feeds.news.add(account);
            }
        }
    }

    /// The accounts with listeners, and the last event that each queue got.
    pub(super) fn heads(&self) -> Vec<(AccountId, i64)> {
        self.feeds()
            .of
            .iter()
            .map(|(account, feed)| (*account, feed.head))
            .collect()
    }

    /// Takes up to `most` accounts that may have news, and where to read on. Whoever nobody listens to any more is
    /// passed over.
    pub(super) fn take_news(&self, most: usize) -> Vec<(AccountId, i64)> {
        let mut feeds = self.feeds();
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(account) = feeds.news.take()
        {
            taken.extend(feeds.of.get(&account).map(|feed| (account, feed.head)));
        }
        taken
    }

    /// There is more to read of these.
    pub(super) fn more(&self, accounts: impl Iterator<Item = AccountId>) {
        let mut feeds = self.feeds();
        accounts.for_each(|account| feeds.news.add(account));
    }

    /// Puts updates, which are in order within each account, into the queues. A queue that is full is given up: its
    /// owner reads on from the database.
    pub(super) fn deliver(&self, updates: &[Arc<Update>]) {
        let mut feeds = self.feeds();
        for update in updates {
            let Some(feed) = feeds.of.get_mut(&update.account) else {
                continue;
            };
            if update.seq == feed.head + 1 {
                feed.head = update.seq;
                feed.listeners
                    .retain(|(_, queue)| queue.try_send(update.clone()).is_ok());
            } else if update.seq > feed.head {
                // The feed is another one than was read for.
                feeds.news.add(update.account);
            }
        }
    }

    /// The account cannot be read: its listeners find out why by themselves.
    pub(super) fn give_up(&self, account: AccountId) {
        self.feeds().of.remove(&account);
    }

    fn leave(&self, account: AccountId, id: u64) {
        let mut feeds = self.feeds();
        let Some(feed) = feeds.of.get_mut(&account) else {
            return;
        };
        feed.listeners.retain(|(other, _)| *other != id);
        if feed.listeners.is_empty() {
            feeds.of.remove(&account);
        }
    }

    /// Says how many accounts there are.
    pub(super) fn observe(&self) {
        let accounts = self.feeds().of.len();
        metrics::gauge!("daybook_order_manager_stream_accounts_size").set(count(accounts));
    }

    /// Nothing in here can be half done, so a poisoned lock is as good as another.
    fn feeds(&self) -> MutexGuard<'_, Feeds> {
        self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    //! Queues, heads, and what becomes of those who do not read.
    use super::*;
    use uuid::Uuid;

    fn account(n: u128) -> AccountId {
        AccountId::new(Uuid::from_u128(n))
    }

    fn hub(queue: usize) -> Hub {
        Hub::new(Wake::new(), queue)
    }

    fn updates(of: u128, numbers: std::ops::RangeInclusive<i64>) -> Vec<Arc<Update>> {
        numbers.map(|seq| Update::bare(account(of), seq)).collect()
    }

    fn got(listener: &mut Listener) -> Vec<i64> {
        std::iter::from_fn(|| listener.next_ready())
            .map(|update| update.seq)
            .collect()
    }

    #[test]
    fn listeners_of_an_account_share_its_updates_and_strangers_get_none() {
        let hub = hub(8);
        let (mut first, mut second, mut other) = (
            hub.listen(account(1), 5),
            hub.listen(account(1), 3),
            hub.listen(account(2), 0),
        );
        assert_eq!(
            (first.from, second.from),
            (5, 5),
            "the second one reads 4 and 5 by itself"
        );
        hub.deliver(&updates(1, 6..=7));
        assert_eq!(
            (got(&mut first), got(&mut second), got(&mut other)),
            (vec![6, 7], vec![6, 7], vec![])
        );
    }

    #[test]
    fn a_first_listener_has_its_account_looked_at_and_so_does_what_is_said_of_a_later_event() {
        let hub = hub(8);
        let listener = hub.listen(account(1), 5);
        assert_eq!(hub.take_news(10), [(account(1), 5)]);
        assert_eq!(hub.take_news(10), []);
        hub.heard([(account(1), 5), (account(2), 9)].into_iter());
        assert_eq!(hub.take_news(10), [], "known already, or nobody listens");
        hub.heard([(account(1), 6)].into_iter());
        drop(listener);
        assert_eq!(hub.take_news(10), [], "nobody listens any more");
    }

    #[test]
    fn an_update_that_is_not_the_next_one_is_not_delivered() {
        let hub = hub(8);
        let mut listener = hub.listen(account(1), 5);
        hub.take_news(10);
        hub.deliver(&updates(1, 4..=5));
        hub.deliver(&updates(1, 8..=9));
        assert_eq!(got(&mut listener), [0; 0]);
        assert_eq!(
            hub.take_news(10),
            [(account(1), 5)],
            "it is read again from where it stands"
        );
    }

    #[test]
    fn a_full_queue_is_given_up_and_the_others_go_on() {
        let hub = hub(2);
        let (mut slow, mut quick) = (hub.listen(account(1), 0), hub.listen(account(1), 0));
        hub.deliver(&updates(1, 1..=2));
        assert_eq!(got(&mut quick), [1, 2]);
        hub.deliver(&updates(1, 3..=4));
        assert_eq!(got(&mut quick), [3, 4]);
        assert_eq!(got(&mut slow), [1, 2], "what was in it is still good");
        assert!(slow.queue.is_closed(), "and then it learns that there was more");
    }

    #[test]
    fn busy_accounts_do_not_keep_others_waiting() {
        let hub = hub(8);
        let _all: Vec<Listener> = (1..=50).map(|n| hub.listen(account(n), 0)).collect();
        let mut served = Vec::new();
        for _ in 0..5 {
            let taken: Vec<AccountId> = hub.take_news(10).into_iter().map(|(account, _)| account).collect();
            // They have more at once, and their place behind the others.
            hub.more(taken.iter().copied());
            served.extend(taken);
        }
        assert_eq!(served, (1..=50).map(account).collect::<Vec<_>>());
    }
}
