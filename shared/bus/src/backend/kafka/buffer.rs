//! What came from the broker and is not handled yet, and the two rules that make up for whatever a broker does.
//!
//! - A message whose position is not beyond the last one seen is a *duplicate*: two relays, a repeated batch, a topic
//!   that was filled again. It is dropped.
//! - Each message tells the position of the row before it in its partition. If that is beyond a reader's place there
//!   is a *gap*: the broker has lost rows, or began in the middle. What is missing is read from the outbox.
//!
//! So nothing here has to be complete or in order: positions decide, and the outbox has every row.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::positions::Place;
use crate::{Event, Position};

/// Most messages of one partition: beyond them the broker has to wait, or the outbox is asked later.
pub(super) const ROOM: usize = 4_096;

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Carried {
    pub(super) event: Event,
    /// The row before it in its partition, as the relay knew it.
    pub(super) prev: Position,
    /// Its place at the broker.
    pub(super) offset: i64,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    Taken,
    Duplicate,
    /// There is no room. It will look like a gap, and be read from the outbox.
    NoRoom,
}

/// What follows a place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Next {
    pub(super) events: Vec<Event>,
    /// Rows are missing right behind the place.
    pub(super) gap: bool,
}

/// The messages of all partitions of a topic.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    partitions: BTreeMap<i16, Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// In order of their positions.
    queue: VecDeque<Carried>,
    /// The last one taken in.
    seen: Position,
}

impl Buffer {
    pub(super) fn push(&mut self, message: Carried) -> Pushed {
        let waiting = self.partitions.entry(message.event.partition).or_default();
        if message.event.position <= waiting.seen {
            return Pushed::Duplicate;
        }
        if waiting.queue.len() >= ROOM {
            return Pushed::NoRoom;
        }
        waiting.seen = message.event.position;
        waiting.queue.push_back(message);
        Pushed::Taken
    }

    /// What follows `place` without a gap, at most `limit`; it stays here until it is [`Buffer::done`].
    pub(super) fn next(&mut self, place: &Place, limit: usize) -> Next {
        self.done(place);
        let mut next = Next::default();
        let Some(waiting) = self.partitions.get(&place.partition) else {
            return next;
        };
        let mut last = place.position;
        for message in waiting.queue.iter().take(limit) {
            if message.prev > last {
                break;
            }
            last = message.event.position;
            next.events.push(message.event.clone());
        }
        next.gap = next.events.is_empty() && !waiting.queue.is_empty();
        next
    }

    /// Everything up to `place` was handled, whoever brought it. Answers where the broker may go on.
    pub(super) fn done(&mut self, place: &Place) -> Option<i64> {
        let waiting = self.partitions.get_mut(&place.partition)?;
        let rest = waiting
            .queue
            .partition_point(|message| message.event.position <= place.position);
        waiting.seen = waiting.seen.max(place.position);
        waiting
            .queue
            .drain(..rest)
            .next_back()
            .map(|message| message.offset + 1)
    }

    /// Forgets all other partitions.
    pub(super) fn keep(&mut self, partitions: &BTreeSet<i16>) {
        self.partitions.retain(|partition, _| partitions.contains(partition));
    }

    pub(super) fn clear(&mut self) {
        self.partitions.clear();
    }

    pub(super) fn is_empty(&self, partition: i16) -> bool {
        self.partitions
            .get(&partition)
            .is_none_or(|waiting| waiting.queue.is_empty())
    }

    /// Messages of these partitions.
    pub(super) fn len(&self, partitions: &BTreeSet<i16>) -> usize {
        let waiting = |partition| self.partitions.get(partition).map_or(0, |waiting| waiting.queue.len());
        partitions.iter().map(waiting).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Topic;
    use domain::{OrderId, RequestId};
    use uuid::Uuid;

    fn at(id: i64) -> Position {
        Position { xid: 100, id }
    }

    fn place(id: i64) -> Place {
        Place {
            partition: 3,
            epoch: 1,
            position: at(id),
        }
    }

    fn message(id: i64, prev: i64) -> Carried {
        let event = Event {
            topic: Topic::Orders,
            partition: 3,
            position: at(id),
            order_id: OrderId::new(Uuid::nil()),
            kind: "a".into(),
            payload: "{}".into(),
            request_id: RequestId::new("r-1").expect("a short text"),
            created_at: "2026-11-23T15:00:00Z".parse().expect("a literal of this file"),
        };
        Carried {
            event,
            prev: at(prev),
            offset: id * 10,
        }
    }

    /// Messages as (position, the one before), and which come after `from`: their positions, or "gap".
    fn check(messages: &[(i64, i64)], from: i64, expected: &[i64], gap: bool) {
        let mut buffer = Buffer::default();
        for (id, prev) in messages {
            buffer.push(message(*id, *prev));
        }
        let next = buffer.next(&place(from), 100);
        let ids: Vec<i64> = next.events.iter().map(|event| event.position.id).collect();
        assert_eq!((ids.as_slice(), next.gap), (expected, gap), "{messages:?} after {from}");
    }

    #[test]
    fn what_follows_a_place_comes_up_to_the_first_gap() {
        check(&[], 5, &[], false);
        check(&[(6, 5), (7, 6), (9, 7)], 5, &[6, 7, 9], false);
        check(&[(6, 5), (9, 8), (10, 9)], 5, &[6], false);
        check(&[(9, 8), (10, 9)], 5, &[], true);
    }

    #[test]
    fn what_was_handled_already_does_not_come_again() {
        check(&[(3, 2), (4, 3), (6, 4)], 4, &[6], false);
        check(&[(3, 2), (4, 3)], 9, &[], false);
    }

    /// relay::two_relays, and a topic that is filled again.
    #[test]
    fn a_message_that_comes_twice_is_dropped() {
        let mut buffer = Buffer::default();
        let came = [(6, 5), (7, 6), (6, 5), (7, 6), (8, 7)];
        let pushed = came.map(|(id, prev)| buffer.push(message(id, prev)));
        use Pushed::{Duplicate, Taken};
        assert_eq!(pushed, [Taken, Taken, Duplicate, Duplicate, Taken]);
        assert_eq!(buffer.next(&place(5), 100).events.len(), 3);
        buffer.done(&place(8));
        assert_eq!(buffer.push(message(8, 7)), Duplicate, "handled meanwhile");
    }

    #[test]
    fn a_relay_that_was_set_back_makes_no_gap_for_who_is_ahead() {
        check(&[(6, 2), (7, 6)], 5, &[6, 7], false);
    }

    #[test]
    fn what_was_not_done_comes_again_and_the_limit_holds() {
        let mut buffer = Buffer::default();
        for id in 1..=5 {
            buffer.push(message(id, id - 1));
        }
        let ids = |next: Next| next.events.iter().map(|event| event.position.id).collect::<Vec<_>>();
        assert_eq!(ids(buffer.next(&place(0), 2)), [1, 2]);
        assert_eq!(ids(buffer.next(&place(0), 2)), [1, 2]);
        assert_eq!(buffer.done(&place(2)), Some(21), "the broker's next");
        assert_eq!(ids(buffer.next(&place(2), 9)), [3, 4, 5]);
    }

    #[test]
    fn a_reader_that_falls_behind_keeps_a_bounded_part() {
        let mut buffer = Buffer::default();
        let room = i64::try_from(ROOM).expect("a few thousand");
        let pushed: Vec<Pushed> = (1..=room + 2).map(|id| buffer.push(message(id, id - 1))).collect();
        assert_eq!(pushed[ROOM..], [Pushed::NoRoom, Pushed::NoRoom]);
        buffer.done(&place(room));
        buffer.push(message(room + 3, room + 2));
        assert!(
            buffer.next(&place(room), 9).gap,
            "what had no room is a gap, which the outbox fills"
        );
    }
}
