//! The line before the venue, one for each symbol: first filed, first sent (TIF-8), with a window of calls in flight.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use bus::Position;
use domain::{OrderId, Symbol, Timestamp};

/// Orders of one symbol that wait to be sent.
#[derive(Debug, Default)]
struct Line {
    waiting: BTreeMap<Position, OrderId>,
    in_flight: usize,
    closed_until: Option<Timestamp>,
}

/// All lines.
#[derive(Debug, Default)]
pub struct Lines {
    lines: HashMap<Symbol, Line>,
    waiting: usize,
}

/// What the head of a line may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Go.
    Send,
    /// It leaves the line without being sent.
    Drop,
    /// Its session opens then; so the whole line waits, since nobody overtakes.
    Wait(Timestamp),
}

impl Lines {
    /// Puts an order in its place.
    pub fn join(&mut self, symbol: &Symbol, filed: Position, order_id: OrderId) {
        let line = self.lines.entry(symbol.clone()).or_default();
        self.waiting += usize::from(line.waiting.insert(filed, order_id).is_none());
        line.closed_until = None;
    }

    /// Takes an order out.
    pub fn leave(&mut self, symbol: &Symbol, filed: Position) {
        if let Some(line) = self.lines.get_mut(symbol) {
            self.waiting -= usize::from(line.waiting.remove(&filed).is_some());
            self.tidy(symbol);
        }
    }

    /// A call of this symbol is out.
    pub fn sent(&mut self, symbol: &Symbol) {
        self.lines.entry(symbol.clone()).or_default().in_flight += 1;
    }

    /// A call of this symbol came back.
    pub fn returned(&mut self, symbol: &Symbol) {
        if let Some(line) = self.lines.get_mut(symbol) {
            line.in_flight = line.in_flight.saturating_sub(1);
            self.tidy(symbol);
        }
    }

    /// Orders that wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The next time a closed line opens.
    pub fn opens_at(&self) -> Option<Timestamp> {
        self.lines.values().filter_map(|line| line.closed_until).min()
    }

    /// Takes up to `room` orders out of all lines, by bus position, none from a line whose window is full. Those to be
    /// dropped are taken too and cost no room, but no more than `most` are taken in all.
    pub fn take(
        &mut self,
        room: usize,
        window: usize,
        most: usize,
        now: Timestamp,
        mut turn: impl FnMut(OrderId) -> Turn,
    ) -> Vec<(OrderId, Turn)> {
        let mut heads: BinaryHeap<Reverse<(Position, Symbol)>> = BinaryHeap::new();
        for (symbol, line) in &mut self.lines {
            line.closed_until = line.closed_until.filter(|until| *until > now);
            if line.closed_until.is_none() && line.in_flight < window {
                heads.extend(line.head().map(|filed| Reverse((filed, symbol.clone()))));
            }
        }
        let (mut taken, mut sent) = (Vec::new(), 0);
        while sent < room && taken.len() < most {
            let Some(Reverse((filed, symbol))) = heads.pop() else {
                break;
            };
            let line = self.lines.get_mut(&symbol).expect("heads come from these lines");
            let order_id = line.waiting[&filed];
            match turn(order_id) {
                Turn::Wait(until) => {
                    line.closed_until = Some(until);
                    continue;
                }
                Turn::Send => {
                    sent += 1;
                    line.in_flight += 1;
                    taken.push((order_id, Turn::Send));
                }
                Turn::Drop => taken.push((order_id, Turn::Drop)),
            }
            line.waiting.remove(&filed);
            self.waiting -= 1;
            if line.in_flight < window {
                heads.extend(line.head().map(|next| Reverse((next, symbol))));
            }
        }
        taken
    }

    fn tidy(&mut self, symbol: &Symbol) {
        if self
            .lines
            .get(symbol)
            .is_some_and(|line| line.waiting.is_empty() && line.in_flight == 0)
        {
            self.lines.remove(symbol);
        }
    }
}

impl Line {
    fn head(&self) -> Option<Position> {
        self.waiting.first_key_value().map(|(filed, _)| *filed)
    }
}

#[cfg(test)]
mod tests {
    //! Who goes next.
    use super::*;
    use uuid::Uuid;

    fn now() -> Timestamp {
        "2026-11-23T15:00:00Z".parse().expect("a time")
    }

    fn id(n: u32) -> OrderId {
        OrderId::new(Uuid::from_u128(u128::from(n)))
    }

    /// Files orders `(symbol, place)`; each order's id is its place.
    fn lines(orders: &[(&str, u32)]) -> Lines {
        let mut lines = Lines::default();
        for (symbol, place) in orders {
            let symbol = Symbol::parse(symbol).expect("a symbol");
            lines.join(
                &symbol,
                Position {
                    xid: i64::from(*place),
                    id: 0,
                },
                id(*place),
            );
        }
        lines
    }

    fn taken(lines: &mut Lines, room: usize, window: usize) -> Vec<u128> {
        let taken = lines.take(room, window, 99, now(), |_| Turn::Send);
        taken.iter().map(|(order_id, _)| order_id.get().as_u128()).collect()
    }

    #[test]
    fn first_filed_is_first_sent_over_all_symbols() {
        let mut lines = lines(&[("B", 4), ("A", 3), ("B", 1), ("A", 2)]);
        assert_eq!(taken(&mut lines, 9, 9), [1, 2, 3, 4]);
        assert_eq!(lines.waiting(), 0);
    }

    #[test]
    fn a_full_window_holds_its_own_symbol_only() {
        let mut lines = lines(&[("A", 1), ("A", 2), ("A", 3), ("B", 4)]);
        assert_eq!(taken(&mut lines, 9, 2), [1, 2, 4]);
        assert_eq!(taken(&mut lines, 9, 2), Vec::<u128>::new());
        lines.returned(&Symbol::parse("A").expect("a symbol"));
        assert_eq!(taken(&mut lines, 9, 2), [3]);
    }

    #[test]
    fn room_is_given_by_place() {
        let mut lines = lines(&[("A", 2), ("B", 1), ("C", 3)]);
        assert_eq!(taken(&mut lines, 2, 9), [1, 2]);
    }

    #[test]
    fn nobody_overtakes_a_head_that_waits_for_its_session() {
        let mut lines = lines(&[("A", 1), ("A", 2), ("B", 3)]);
        let later = now() + chrono::TimeDelta::hours(1);
        let turn = |order_id| {
            if order_id == id(1) {
                Turn::Wait(later)
            } else {
                Turn::Send
            }
        };
        let got = lines.take(9, 9, 99, now(), turn);
        assert_eq!(got, [(id(3), Turn::Send)]);
        assert_eq!(lines.opens_at(), Some(later));
        assert_eq!(lines.take(9, 9, 99, later, |_| Turn::Send).len(), 2);
    }

    #[test]
    fn what_is_dropped_costs_no_room() {
        let mut lines = lines(&[("A", 1), ("A", 2)]);
        let got = lines.take(
            1,
            1,
            99,
            now(),
            |order_id| if order_id == id(1) { Turn::Drop } else { Turn::Send },
        );
        assert_eq!(got, [(id(1), Turn::Drop), (id(2), Turn::Send)]);
    }

    #[test]
    fn no_more_than_so_many_leave_at_once() {
        let mut lines = lines(&[("A", 1), ("B", 2), ("A", 3)]);
        assert_eq!(lines.take(9, 9, 2, now(), |_| Turn::Drop).len(), 2);
        assert_eq!(lines.take(9, 9, 2, now(), |_| Turn::Drop), [(id(3), Turn::Drop)]);
        assert_eq!(lines.waiting(), 0);
    }
}
