//! ORD-6: whatever the order and however often the same reports arrive, an order ends the same.
//!
//! A history that a venue can really have is drawn, then told in any order with any repeats to a receiver that keeps
//! what the status-updater keeps. The end is compared with what the history itself adds up to.

use domain::order::{
    EndKind, ExecEffect, ExecFact, ExecState, IllegalMove, OrderEvent, OrderState, StreamEvent, absorb,
};
use domain::{Money, OrderStatus, Price, Qty};
use proptest::prelude::*;
use proptest::sample::subsequence;
use std::collections::BTreeMap;

/// One report as the venue sends it; executions carry their id.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Report {
    Doubt,
    Ack,
    Exec {
        id: usize,
        fact: ExecFact,
        qty: Qty,
        price: Price,
    },
    End {
        why: EndKind,
        filled: Qty,
    },
}

/// What happened at the venue: the reports in their true order, and which executions stand.
#[derive(Debug, Clone)]
struct History {
    ordered: Qty,
    reports: Vec<Report>,
    live: Vec<(usize, Qty, Price)>,
    next_id: usize,
}

/// One choice of the generator: a fill or a bust, and numbers to pick its size, price or victim from.
type Choice = (bool, u64, u64);

impl History {
    fn filled(&self) -> Qty {
        sum(self.live.iter().map(|(_, qty, _)| *qty))
    }

    fn trade(&mut self, (bust, size, pick): Choice) {
        let index = usize::try_from(pick).unwrap_or(0);
        let leaves = whole(self.ordered) - whole(self.filled());
        let (fact, (id, qty, price)) = if bust && !self.live.is_empty() {
            (ExecFact::Bust, self.live.remove(index % self.live.len()))
        } else if leaves > 0 {
            self.next_id += 1;
            let fill = (self.next_id, shares(1 + size % leaves), dollars(1 + pick));
            self.live.push(fill);
            (ExecFact::Fill, fill)
        } else {
            return;
        };
        self.reports.push(Report::Exec { id, fact, qty, price });
    }

    /// A venue ends what still has something left, and refuses only what never traded.
    fn end(&mut self, why: EndKind, more: &[Choice]) {
        let filled = self.filled();
        let traded = self.next_id > 0 || !more.is_empty();
        let why = if why == EndKind::Rejected && traded {
            EndKind::Canceled
        } else {
            why
        };
        if filled < self.ordered {
            self.reports.push(Report::End { why, filled });
        }
    }

    /// What the order must come to, straight from what happened.
    fn adds_up_to(&self) -> (OrderStatus, Qty, Money) {
        let filled = self.filled();
        let notional = self.live.iter().fold(Money::ZERO, |sum, (_, qty, price)| {
            price
                .notional(*qty)
                .and_then(|cost| sum.plus(cost))
                .unwrap_or(Money::ZERO)
        });
        let end = self.reports.iter().find_map(|report| match report {
            Report::End { why, .. } => Some(why.status()),
            _ => None,
        });
        let status = match end {
            _ if filled == self.ordered => OrderStatus::Filled,
            Some(ended) => ended,
            None if !filled.is_zero() => OrderStatus::PartiallyFilled,
            None if self.next_id > 0 || self.reports.contains(&Report::Ack) => OrderStatus::New,
            None if self.reports.contains(&Report::Doubt) => OrderStatus::PendingNew,
            None => OrderStatus::Accepted,
        };
        (status, filled, notional)
    }
}

/// What keeps an order: its state, what is known of each execution, and the fills that found no room.
struct Receiver {
    state: OrderState,
    known: BTreeMap<usize, ExecState>,
    aside: BTreeMap<usize, (Qty, Price)>,
    words: Vec<StreamEvent>,
}

impl Receiver {
    fn of(ordered: Qty, reports: &[Report]) -> Result<Self, IllegalMove> {
        let state = OrderState::accepted(ordered);
        let mut receiver = Self {
            state,
            known: BTreeMap::new(),
            aside: BTreeMap::new(),
            words: vec![],
        };
        reports.iter().try_for_each(|report| receiver.hear(*report))?;
        Ok(receiver)
    }

    fn hear(&mut self, report: Report) -> Result<(), IllegalMove> {
        match report {
            Report::Doubt => self.apply(OrderEvent::InDoubt),
            Report::Ack => self.apply(OrderEvent::Acknowledged),
            Report::End { why, filled } => self.apply(OrderEvent::Ended { why, filled }),
            Report::Exec { id, fact, qty, price } => self.execution(id, fact, qty, price),
        }
    }

    fn execution(&mut self, id: usize, fact: ExecFact, qty: Qty, price: Price) -> Result<(), IllegalMove> {
        let known = self.known.get(&id).copied().unwrap_or(ExecState::Unknown);
        let (now_known, effect) = absorb(known, fact);
        let applied = match effect {
            ExecEffect::Add => self.apply(OrderEvent::Filled { qty, price }),
            ExecEffect::Remove => self.apply(OrderEvent::Busted { qty, price }),
            ExecEffect::RememberBust => self.apply(OrderEvent::BustedUnseen { qty }),
            ExecEffect::Nothing => return Ok(()),
        };
        if let Err(IllegalMove::OverFill { .. }) = applied {
            self.aside.insert(id, (qty, price));
            return Ok(());
        }
        applied?;
        self.aside.remove(&id);
        self.known.insert(id, now_known);
        if fact == ExecFact::Bust {
            self.offer_again()
        } else {
            Ok(())
        }
    }

    /// A bust may have made room for what came too early.
    fn offer_again(&mut self) -> Result<(), IllegalMove> {
        let waiting = self.aside.clone();
        waiting
            .into_iter()
            .try_for_each(|(id, (qty, price))| self.execution(id, ExecFact::Fill, qty, price))
    }

    fn apply(&mut self, event: OrderEvent) -> Result<(), IllegalMove> {
        let (next, words) = self.state.after(event)?;
        self.state = next;
        self.words.extend(words);
        Ok(())
    }

    fn said(&self, word: StreamEvent) -> usize {
        self.words.iter().filter(|said| **said == word).count()
    }
}

fn histories() -> impl Strategy<Value = History> {
    let choices = |most| prop::collection::vec((any::<bool>(), 0..20_u64, 0..5_u64), 0..most);
    let ends = prop::option::of(prop::sample::select(vec![
        EndKind::Canceled,
        EndKind::Expired,
        EndKind::Rejected,
    ]));
    (1..12_u64, any::<(bool, bool)>(), choices(7), ends, choices(3)).prop_map(|(ordered, first, before, end, after)| {
        let mut history = History {
            ordered: shares(ordered),
            reports: vec![],
            live: vec![],
            next_id: 0,
        };
        history.reports.extend(first.0.then_some(Report::Doubt));
        history.reports.extend(first.1.then_some(Report::Ack));
        before.into_iter().for_each(|choice| history.trade(choice));
        if let Some(why) = end {
            history.end(why, &after);
        }
        after.into_iter().for_each(|choice| history.trade(choice));
        history
    })
}

/// A history and one way its reports may arrive: any order, some of them repeatedly.
fn arrivals() -> impl Strategy<Value = (History, Vec<Report>)> {
    histories().prop_flat_map(|history| {
        let all = history.reports.clone();
        let repeats = subsequence(all.clone(), 0..=all.len());
        let arriving = repeats
            .prop_map(move |again| [all.clone(), again].concat())
            .prop_shuffle();
        (Just(history), arriving)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ord_6_any_order_of_arrival_comes_to_the_same((history, arriving) in arrivals()) {
        let (status, filled, notional) = history.adds_up_to();
        let expected = OrderState { status, filled, notional, ..OrderState::accepted(history.ordered) };
        for reports in [&history.reports, &arriving] {
            let receiver = Receiver::of(history.ordered, reports);
            prop_assert!(receiver.is_ok(), "{:?}", receiver.err());
            let Ok(receiver) = receiver else { continue };
            let state = receiver.state;
            prop_assert_eq!((state.status, state.filled, state.notional), (status, filled, notional));
            prop_assert_eq!(state.average_price(), expected.average_price());
            prop_assert!(receiver.aside.is_empty(), "a fill that had its place was left aside");
        }
    }

    #[test]
    fn the_stream_never_says_an_end_twice((history, arriving) in arrivals()) {
        let Ok(receiver) = Receiver::of(history.ordered, &arriving) else { return Err(TestCaseError::fail("refused")) };
        let ends = [StreamEvent::Canceled, StreamEvent::Expired, StreamEvent::Rejected, StreamEvent::Replaced];
        let said: usize = ends.into_iter().map(|word| receiver.said(word)).sum();
        prop_assert!(said <= 1, "{:?}", receiver.words);
        prop_assert!(receiver.said(StreamEvent::New) <= 1, "{:?}", receiver.words);
    }
}

fn sum(quantities: impl Iterator<Item = Qty>) -> Qty {
    shares(quantities.map(whole).sum())
}

fn whole(qty: Qty) -> u64 {
    u64::try_from(qty.get()).unwrap_or_default()
}

fn shares(count: u64) -> Qty {
    Qty::new(count.into()).unwrap_or_default()
}

fn dollars(count: u64) -> Price {
    Price::new(count.into()).expect("one to a few dollars")
}
