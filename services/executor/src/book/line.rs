//! The line before the venue, one for each symbol: first filed, first sent (TIF-8), with a window of calls in flight.
//!
//! Nobody in a line is overtaken by more than the window, however slow its own call is: an order goes out only if each
//! one before it that has no answer yet was overtaken by fewer. What cannot go yet is not in the line; it stands aside
//! until its time and then joins at its own place. What is in doubt has left the line, and stops nobody.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use bus::Position;
use domain::{OrderId, Symbol, Timestamp};

/// Orders of one symbol that are to be sent, or were and have no answer.
#[derive(Debug, Default)]
struct Line {
    waiting: BTreeMap<Position, OrderId>,
    /// In flight: by how many each was overtaken.
    out: BTreeMap<Position, usize>,
    /// Turned away, so waiting again: by how many each was overtaken meanwhile.
    back: BTreeMap<Position, usize>,
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
    /// It leaves the line without being sent, for this reason.
    Drop(&'static str),
    /// It stands aside until then, and holds up nobody.
    Wait(Timestamp),
}

impl Lines {
    /// Puts an order in its place.
    pub fn join(&mut self, symbol: &Symbol, filed: Position, order_id: OrderId) {
        let line = self.lines.entry(symbol.clone()).or_default();
        self.waiting += usize::from(line.waiting.insert(filed, order_id).is_none());
    }

    /// Takes an order out, wherever in its line it is.
    pub fn leave(&mut self, symbol: &Symbol, filed: Position) {
        self.edit(symbol, |line| {
            line.out.remove(&filed);
            line.back.remove(&filed);
            usize::from(line.waiting.remove(&filed).is_some())
        });
    }

    /// A call was made before this book was loaded, and is still out: nobody knows any more by how many it was
    /// overtaken, so nobody else does until it is back.
    pub fn is_out(&mut self, symbol: &Symbol, filed: Position) {
        let line = self.lines.entry(symbol.clone()).or_default();
        line.out.insert(filed, usize::MAX);
    }

    /// The venue let an order's call not in: it has its place again.
    pub fn turned_away(&mut self, symbol: &Symbol, filed: Position, order_id: OrderId) {
        let line = self.lines.entry(symbol.clone()).or_default();
        let overtaken = line.out.remove(&filed).unwrap_or_default();
        line.back.insert(filed, overtaken);
        self.waiting += usize::from(line.waiting.insert(filed, order_id).is_none());
    }

    /// Orders that wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes orders out of all lines, by bus position: up to `room` to be sent, none of them from a line whose window
    /// is full. Those to be dropped cost no room, but no more than `most` of both are taken; those that stand aside
    /// cost nothing.
    pub fn take(
        &mut self,
        room: usize,
        window: usize,
        most: usize,
        mut turn: impl FnMut(OrderId) -> Turn,
    ) -> Vec<(OrderId, Turn)> {
        let mut heads: BinaryHeap<Reverse<(Position, Symbol)>> = BinaryHeap::new();
        for (symbol, line) in &self.lines {
            heads.extend(line.head(window).map(|filed| Reverse((filed, symbol.clone()))));
        }
        let (mut taken, mut sent, mut leaving) = (Vec::new(), 0, 0);
        while leaving < most {
            let Some(Reverse((filed, symbol))) = heads.pop() else {
                break;
            };
            let line = self.lines.get_mut(&symbol).expect("heads come from these lines");
            let order_id = line.waiting[&filed];
            let turn = turn(order_id);
            match turn {
                // Its line stays as it is; others may have something to drop or to put aside.
                Turn::Send if sent == room => continue,
                Turn::Send => {
                    line.sent(filed);
                    sent += 1;
                }
                Turn::Drop(_) | Turn::Wait(_) => {}
            }
            leaving += usize::from(!matches!(turn, Turn::Wait(_)));
            taken.push((order_id, turn));
            line.waiting.remove(&filed);
            line.back.remove(&filed);
            self.waiting -= 1;
            heads.extend(line.head(window).map(|next| Reverse((next, symbol))));
        }
        self.lines.retain(|_, line| !line.is_empty());
        taken
    }

    fn edit(&mut self, symbol: &Symbol, change: impl FnOnce(&mut Line) -> usize) {
        if let Some(line) = self.lines.get_mut(symbol) {
            self.waiting -= change(line);
            if line.is_empty() {
                self.lines.remove(symbol);
            }
        }
    }
}

impl Line {
    /// Who is next, if anybody may go.
    fn head(&self, window: usize) -> Option<Position> {
        let (filed, _) = self.waiting.first_key_value()?;
        let is_fair = self.out.range(..filed).all(|(_, overtaken)| *overtaken < window);
        (is_fair && self.out.len() < window).then_some(*filed)
    }

    /// It goes out, past all that were before it and have no answer.
    fn sent(&mut self, filed: Position) {
        for (_, overtaken) in self.out.range_mut(..filed) {
            *overtaken += 1;
        }
        let overtaken = self.back.remove(&filed).unwrap_or_default();
        self.out.insert(filed, overtaken);
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.out.is_empty()
    }
}

#[cfg(test)]
mod tests {
    //! Who goes next.
    use super::*;
    use chassis::clock::ManualClock;
    use chassis::ids::{Ids, SeededIds};
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use uuid::Uuid;

    const DROP: Turn = Turn::Drop("over");

    fn a() -> Symbol {
        Symbol::parse("A").expect("a symbol")
    }

    fn at(place: u32) -> Position {
        Position {
            xid: i64::from(place),
            id: 0,
        }
    }

    fn id(n: u32) -> OrderId {
        OrderId::new(Uuid::from_u128(u128::from(n)))
    }

    /// Files orders `(symbol, place)`; each order's id is its place.
    fn lines(orders: &[(&str, u32)]) -> Lines {
        let mut lines = Lines::default();
        for (symbol, place) in orders {
            let symbol = Symbol::parse(symbol).expect("a symbol");
            lines.join(&symbol, at(*place), id(*place));
        }
        lines
    }

    fn taken(lines: &mut Lines, room: usize, window: usize) -> Vec<u128> {
        let taken = lines.take(room, window, 99, |_| Turn::Send);
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
        lines.leave(&a(), at(1));
        assert_eq!(taken(&mut lines, 9, 2), [3]);
    }

    #[test]
    fn room_is_given_by_place() {
        let mut lines = lines(&[("A", 2), ("B", 1), ("C", 3)]);
        assert_eq!(taken(&mut lines, 2, 9), [1, 2]);
    }

    /// TIF-8: the window bounds by how many an order is overtaken, not only how many calls are out.
    #[test]
    fn nobody_is_overtaken_by_more_than_the_window() {
        let mut lines = lines(&[("A", 1), ("A", 2), ("A", 3), ("A", 4), ("A", 5), ("A", 6)]);
        assert_eq!(taken(&mut lines, 9, 3), [1, 2, 3]);
        lines.leave(&a(), at(2));
        assert_eq!(taken(&mut lines, 9, 3), [4], "the third that overtakes the first");
        lines.leave(&a(), at(3));
        lines.leave(&a(), at(4));
        assert_eq!(
            taken(&mut lines, 9, 3),
            Vec::<u128>::new(),
            "the first has waited long enough"
        );
        lines.turned_away(&a(), at(1), id(1));
        assert_eq!(
            taken(&mut lines, 9, 3),
            [1],
            "it keeps its place, and by how many it was overtaken"
        );
        lines.leave(&a(), at(1));
        assert_eq!(taken(&mut lines, 9, 3), [5, 6]);
    }

    /// TIF-8 over many mixes of times, slow calls and calls that are turned away: from the moment an order may go until
    /// its call is back, no more than the window of later ones go out.
    #[test]
    fn nobody_is_overtaken_by_more_than_the_window_whatever_happens() {
        const ORDERS: u32 = 60;
        for seed in 0..200 {
            let clock = Arc::new(ManualClock::new("2026-11-23T15:00:00Z".parse().expect("a time")));
            let dice = SeededIds::new(seed, clock);
            let roll = |n: u64| u32::try_from(dice.jitter(n)).expect("small");
            let window = 1 + roll(5) as usize;
            // By place: the round in which it may go, and the later ones that went since.
            let ready: Vec<u32> = (0..ORDERS).map(|_| if roll(3) == 0 { roll(40) } else { 0 }).collect();
            let mut passed = vec![BTreeSet::new(); ORDERS as usize];
            let (mut lines, mut out, mut left) = (Lines::default(), Vec::new(), ORDERS);
            for round in 0.. {
                for place in (0..ORDERS).filter(|place| ready[*place as usize] == round) {
                    lines.join(&a(), at(place), id(place));
                }
                let room = 1 + roll(6) as usize;
                for (order_id, _) in lines.take(room, window, 99, |_| Turn::Send) {
                    let sent = u32::try_from(order_id.get().as_u128()).expect("small");
                    let open = |place: &u32| ready[*place as usize] <= round && passed[*place as usize].len() <= 99;
                    let earlier: Vec<u32> = (0..sent).filter(open).collect();
                    for place in earlier {
                        passed[place as usize].insert(sent);
                    }
                    out.push(sent);
                }
                while !out.is_empty() && roll(3) > 0 {
                    let back = out.swap_remove(roll(out.len() as u64) as usize);
                    if roll(6) == 0 {
                        lines.turned_away(&a(), at(back), id(back));
                        continue;
                    }
                    lines.leave(&a(), at(back));
                    let by = passed[back as usize].len();
                    assert!(by <= window, "seed {seed}: order {back} by {by}, window {window}");
                    // Marks it as done.
                    passed[back as usize].extend(1_000..1_100);
                    left -= 1;
                }
                if left == 0 {
                    break;
                }
                assert!(round < 5_000, "seed {seed}: {left} orders never go");
            }
        }
    }

    #[test]
    fn who_comes_late_takes_its_own_place() {
        let mut lines = lines(&[("A", 3), ("A", 4), ("A", 5)]);
        assert_eq!(taken(&mut lines, 9, 2), [3, 4]);
        lines.join(&a(), at(1), id(1));
        lines.leave(&a(), at(3));
        assert_eq!(taken(&mut lines, 9, 2), [1]);
        lines.leave(&a(), at(4));
        assert_eq!(taken(&mut lines, 9, 2), [5]);
    }

    #[test]
    fn a_call_of_before_is_overtaken_by_nobody() {
        let mut lines = lines(&[("A", 2), ("A", 1), ("A", 4)]);
        lines.is_out(&a(), at(3));
        assert_eq!(taken(&mut lines, 9, 9), [1, 2]);
        lines.leave(&a(), at(3));
        assert_eq!(taken(&mut lines, 9, 9), [4]);
    }

    #[test]
    fn who_cannot_go_yet_stands_aside_and_holds_up_nobody() {
        let mut lines = lines(&[("A", 1), ("A", 2), ("B", 3)]);
        let later = Turn::Wait("2026-11-23T15:00:00Z".parse().expect("a time"));
        let turn = |order_id| if order_id == id(1) { later } else { Turn::Send };
        let got = lines.take(9, 9, 99, turn);
        assert_eq!(got, [(id(1), later), (id(2), Turn::Send), (id(3), Turn::Send)]);
        assert_eq!(lines.waiting(), 0, "it is no longer in the line");
    }

    #[test]
    fn what_is_dropped_costs_no_room() {
        let mut lines = lines(&[("A", 1), ("A", 2), ("A", 3), ("B", 4)]);
        let is_over = |order_id| order_id == id(1) || order_id == id(4);
        let turn = |order_id| if is_over(order_id) { DROP } else { Turn::Send };
        let got = lines.take(1, 9, 99, turn);
        assert_eq!(got, [(id(1), DROP), (id(2), Turn::Send), (id(4), DROP)]);
        assert_eq!(lines.waiting(), 1);
    }

    #[test]
    fn no_more_than_so_many_leave_at_once() {
        let mut lines = lines(&[("A", 1), ("B", 2), ("A", 3)]);
        assert_eq!(lines.take(9, 9, 2, |_| DROP).len(), 2);
        assert_eq!(lines.take(9, 9, 2, |_| DROP), [(id(3), DROP)]);
        assert_eq!(lines.waiting(), 0);
    }
}
