//! What is due, by the clock and by kind, so that a step looks at no more than it has room for: at the close a hundred
//! thousand cancels are due at the same moment, and the look-ups behind them must not wait for each.

use std::collections::BTreeSet;

use domain::{OrderId, Timestamp};
use uuid::Uuid;

/// What is to be done about an order once it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Its time has come: it joins its line.
    Join,
    /// A saga's end is told.
    Tell,
    /// The venue is asked to end it.
    Cancel,
    /// The venue is asked about it.
    Ask,
    /// It is sent again, or its saga's next call is made.
    Call,
}

/// Orders by the time at which something is due.
#[derive(Debug, Default)]
pub struct Agenda {
    kinds: [BTreeSet<(Timestamp, OrderId)>; 5],
}

impl Agenda {
    /// Notes an order.
    pub fn insert(&mut self, task: Task, at: Timestamp, order_id: OrderId) {
        self.kinds[task as usize].insert((at, order_id));
    }

    /// Strikes it off.
    pub fn remove(&mut self, task: Task, at: Timestamp, order_id: OrderId) {
        self.kinds[task as usize].remove(&(at, order_id));
    }

    /// Up to `most` orders of one kind that are due, the longest due first.
    pub fn due(&self, task: Task, now: Timestamp, most: usize) -> Vec<OrderId> {
        let due = self.kinds[task as usize].range(..=last_of(now));
        due.take(most).map(|(_, order_id)| *order_id).collect()
    }

    /// All orders of one kind, due or not.
    pub fn all(&self, task: Task) -> impl Iterator<Item = OrderId> + '_ {
        self.kinds[task as usize].iter().map(|(_, order_id)| *order_id)
    }

    /// How many of one kind there are.
    pub fn len(&self, task: Task) -> usize {
        self.kinds[task as usize].len()
    }

    /// The next time something is due, after now.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let next = |kind: &BTreeSet<(Timestamp, OrderId)>| kind.range(last_of(now)..).next().map(|(at, _)| *at);
        self.kinds.iter().filter_map(next).min()
    }
}

/// No order has the greatest of all ids.
fn last_of(now: Timestamp) -> (Timestamp, OrderId) {
    (now, OrderId::new(Uuid::max()))
}

#[cfg(test)]
mod tests {
    //! Each kind by itself.
    use super::*;
    use chrono::TimeDelta;

    fn now() -> Timestamp {
        "2026-11-23T21:00:05Z".parse().expect("a time")
    }

    fn id(n: u32) -> OrderId {
        OrderId::new(Uuid::from_u128(u128::from(n)))
    }

    #[test]
    fn many_of_one_kind_hide_none_of_another() {
        let mut agenda = Agenda::default();
        for n in 1..=1_000 {
            agenda.insert(Task::Cancel, now() - TimeDelta::seconds(1), id(n));
        }
        agenda.insert(Task::Ask, now(), id(1_001));
        agenda.insert(Task::Ask, now() + TimeDelta::seconds(2), id(1_002));
        assert_eq!(agenda.due(Task::Ask, now(), 9), [id(1_001)]);
        assert_eq!(agenda.due(Task::Cancel, now(), 2), [id(1), id(2)]);
        assert_eq!(agenda.next_after(now()), Some(now() + TimeDelta::seconds(2)));
        agenda.remove(Task::Ask, now() + TimeDelta::seconds(2), id(1_002));
        assert_eq!((agenda.next_after(now()), agenda.len(Task::Ask)), (None, 1));
    }
}
