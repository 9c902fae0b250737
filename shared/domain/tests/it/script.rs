//! A small language for the life of one order, so that a test reads like the rule it checks.
//!
//! `buy 10 @ 5.00; ack; cancel; fill 3 @ 4.90` and then what a reader of the order sees. A script that begins with
//! `replacement 10 @ 5.00` is about an order that is to take another one's place. Steps:
//! - what the venue says: `ack` · `doubt` · `fill Q @ P` · `bust N` (its N-th fill) · `bust unseen Q` ·
//!   `correct N to Q @ P` · `canceled`, `expired`, `rejected`, `replaced` (`after Q` names its count of filled
//!   shares; else what is booked) · `done for day` · `resumed` · `quantity Q` (a confirmed replace) ·
//!   `took over Q` (the order it replaces gave way with so many filled)
//! - what we wish: `cancel` · `expire` · `replace` · `refused` (the venue refuses the wish)
#![expect(clippy::unwrap_used, reason = "tests")]

use domain::order::{EndKind, IllegalMove, OrderEvent, OrderState, Shown, StreamEvent, Wish};
use domain::{Money, Price, Qty};

/// An order, its fills by number, and the wish that is open.
pub struct Life {
    pub state: OrderState,
    pub wish: Option<Wish>,
    pub words: Vec<StreamEvent>,
    fills: Vec<(Qty, Price)>,
}

/// Plays the script; what the order shows at its end must be `expected`.
#[track_caller]
pub fn check(script: &str, expected: &str) {
    assert_eq!(play(script).unwrap().shown(), expected, "{script}");
}

/// Plays the script; the stream must have said exactly these words, in this order.
#[track_caller]
pub fn says(script: &str, expected: &str) {
    let words: Vec<_> = play(script).unwrap().words.iter().map(ToString::to_string).collect();
    assert_eq!(words.join(" "), expected, "{script}");
}

/// Plays the script; its last step must be refused.
#[track_caller]
pub fn refuses(script: &str) -> IllegalMove {
    let (before, last) = script.rsplit_once(';').unwrap();
    let mut life = play(before).unwrap();
    let seen = life.state;
    let refusal = life.step(last.trim()).expect_err(script);
    assert_eq!(life.state, seen, "a refused report changes nothing: {script}");
    refusal
}

/// Plays all steps until one is refused.
pub fn play(script: &str) -> Result<Life, IllegalMove> {
    let mut steps = script.split(';').map(str::trim);
    let first = steps.next().unwrap();
    let state = match first.strip_prefix("replacement ") {
        Some(rest) => OrderState::replacement(lot(rest).0),
        None => OrderState::accepted(lot(first.strip_prefix("buy ").unwrap()).0),
    };
    let mut life = Life {
        state,
        wish: None,
        words: vec![],
        fills: vec![],
    };
    steps.try_for_each(|step| life.step(step))?;
    Ok(life)
}

impl Life {
    /// Takes one step of the script.
    pub fn step(&mut self, step: &str) -> Result<(), IllegalMove> {
        match step {
            "cancel" => self.wish = Some(Wish::Cancel),
            "expire" => self.wish = Some(Wish::Expire),
            "replace" => self.wish = Some(Wish::Replace),
            "refused" => self.wish = None,
            _ => return self.events(step).into_iter().try_for_each(|event| self.hear(event)),
        }
        Ok(())
    }

    /// `filled, filled 10, leaves 0, average 5`: the status under precedence (ORD-3) and the numbers of ORD-1, ORD-5.
    pub fn shown(&self) -> String {
        let (state, status) = (&self.state, Shown::status(self.state.status, self.wish));
        let average = state
            .average_price()
            .map(|price| format!(", average {price}"))
            .unwrap_or_default();
        format!("{status}, filled {}, leaves {}{average}", state.filled, state.leaves())
    }

    fn hear(&mut self, event: OrderEvent) -> Result<(), IllegalMove> {
        let (next, words) = self.state.after(event)?;
        self.state = next;
        self.words.extend(words);
        self.holds_together();
        if let OrderEvent::Filled { qty, price } | OrderEvent::Corrected { qty, price, .. } = event {
            self.fills.push((qty, price));
        }
        Ok(())
    }

    fn events(&self, step: &str) -> Vec<OrderEvent> {
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        match (verb, rest) {
            ("ack", "") => vec![OrderEvent::Acknowledged],
            ("doubt", "") => vec![OrderEvent::InDoubt],
            ("done", "for day") => vec![OrderEvent::DoneForDay],
            ("resumed", "") => vec![OrderEvent::Resumed],
            ("took", rest) => {
                let carried = shares(rest.strip_prefix("over ").unwrap());
                vec![OrderEvent::TookOver { carried }]
            }
            ("quantity", qty) => vec![OrderEvent::QtyReplaced { qty: shares(qty) }],
            ("fill", rest) => vec![fill(rest)],
            ("bust", rest) => vec![self.bust(rest)],
            ("correct", rest) => {
                let (number, to) = rest.split_once(" to ").unwrap();
                vec![self.correct(number, to)]
            }
            (why, count) => vec![self.end(why, count)],
        }
    }

    fn bust(&self, rest: &str) -> OrderEvent {
        if let Some(qty) = rest.strip_prefix("unseen ") {
            return OrderEvent::BustedUnseen { qty: shares(qty) };
        }
        let (qty, price) = self.fills[rest.parse::<usize>().unwrap() - 1];
        OrderEvent::Busted { qty, price }
    }

    fn correct(&self, number: &str, to: &str) -> OrderEvent {
        let (from_qty, from_price) = self.fills[number.parse::<usize>().unwrap() - 1];
        let (qty, price) = lot(to);
        OrderEvent::Corrected {
            from_qty,
            from_price,
            qty,
            price,
        }
    }

    fn end(&self, why: &str, count: &str) -> OrderEvent {
        let why = why.parse::<EndKind>().unwrap_or_else(|_| panic!("no such step: {why}"));
        let filled = count.strip_prefix("after ").map_or(self.state.filled, shares);
        OrderEvent::Ended { why, filled }
    }

    /// ORD-1 and ORD-2, after every single report.
    fn holds_together(&self) {
        let state = &self.state;
        assert!(state.cumulative() <= state.ordered, "{state:?}");
        if state.status.is_open() {
            assert_eq!(state.cumulative().plus(state.leaves()), Ok(state.ordered), "{state:?}");
        } else {
            assert_eq!(state.leaves(), Qty::ZERO, "{state:?}");
        }
        assert_eq!(state.filled.is_zero(), state.notional == Money::ZERO, "{state:?}");
    }
}

fn fill(text: &str) -> OrderEvent {
    let (qty, price) = lot(text);
    OrderEvent::Filled { qty, price }
}

fn lot(text: &str) -> (Qty, Price) {
    let (qty, price) = text.split_once(" @ ").unwrap();
    (shares(qty), Price::parse(price).unwrap())
}

fn shares(text: &str) -> Qty {
    if text == "0" {
        Qty::ZERO
    } else {
        Qty::parse(text).unwrap()
    }
}
