//! Replaces, report by report, without a database: `buy 10 @ 100.00 -> 12 @ 110.00; old fill 4 @ 100.00; replaced`.
//!
//! | word | what |
//! |---|---|
//! | `buy 10 @ 100.00 -> 12 @ 110.00` | an order at the venue, and the replacement that is asked for; the account has just what both hold |
//! | `old fill 4 @ 99.90`, `new fill#a 3 @ 100.00` | an execution of either |
//! | `old bust#a 4 @ 99.90` | it is taken back |
//! | `replaced`, `replaced 4`, `replaced 4 by v-2` | the old order gave way, with the venue's count if it is not what was heard so far, and to whom |
//! | `refused`, `refused 4` | the replacement is refused, with the venue's count where it is told |
//! | `named` | the venue has the replacement |
//! | `old cancel`, `new expire 3`, `new reject` | an end |
//! | `new complete 5` | the venue shows it filled, by its count |
//! | `early old fill 4 @ 99.90` | an execution that was made before all of this, and is heard of now |
//! | `again 14 @ 100.00` | one more replacement of the old order is asked for; v-3 |
//! | `wish old`, `wish new` | the customer asks to cancel |

use crate::script::{ACCOUNT, ORDER, Scene, VENUE};
use chrono::TimeDelta;
use domain::order::OrderState;
use domain::{ClientOrderId, Money, OrderId, OrderStatus, Price, Qty, Side};
use ledger::rules::{self, Leg};
use orders::{Chain, StoredOrder};
use proptest::prelude::*;
use rust_decimal::Decimal;
use status_updater::report::Report;
use uuid::Uuid;
use wire::events::v1::{End, Fact, VenueReport};

const NEW: OrderId = OrderId::new(Uuid::from_u128(0x0e));
const LATER: OrderId = OrderId::new(Uuid::from_u128(0x0f));

struct Pair {
    scene: Scene,
    heard: [(Vec<String>, Decimal); 2],
    now: domain::Timestamp,
    /// When the next execution was made, if not now.
    made_at: Option<domain::Timestamp>,
    /// The least free cash and free shares there ever were.
    least: Decimal,
}

impl Pair {
    fn of(script: &str) -> Self {
        let mut steps = script.split(';').map(str::trim);
        let mut pair = Self::asked(steps.next().unwrap());
        steps.for_each(|step| pair.step(step));
        pair
    }

    /// As the order manager leaves it: the account has what both may cost, and no more.
    fn asked(text: &str) -> Self {
        let (old, new) = text.split_once(" -> ").unwrap();
        let scene = Scene::of(&format!("{old}; ack"));
        let now = scene.desk.books.orders[&ORDER].updated_at;
        let (heard, made_at, least) = (Default::default(), None, Decimal::ZERO);
        let mut pair = Self {
            scene,
            heard,
            now,
            made_at,
            least,
        };
        let (qty, limit) = new.split_once(" @ ").unwrap();
        pair.ask(NEW, qty, limit);
        pair.scene.desk.written.events.clear();
        pair
    }

    /// A replacement with its hold, which takes whatever the account has free.
    fn ask(&mut self, id: OrderId, qty: &str, limit: &str) {
        let books = &mut self.scene.desk.books;
        let old = books.orders.get_mut(&ORDER).unwrap();
        old.chain.replacement = Some(id);
        old.chain.requested_at = Some(self.now);
        let replacement = StoredOrder {
            order_id: id,
            client_order_id: ClientOrderId::new(&id.to_string()).unwrap(),
            limit_price: Price::parse(limit).unwrap(),
            state: OrderState::replacement(Qty::parse(qty).unwrap()),
            posted_cash: Money::ZERO,
            venue_order_id: None,
            acknowledged_at: None,
            chain: Chain {
                root: Some(ORDER),
                replaces: Some(ORDER),
                ..Chain::default()
            },
            ..old.clone()
        };
        let leg = Leg {
            limit: old.limit_price,
            state: old.state,
            posted: old.posted_cash,
        };
        let terms = rules::Order {
            account: ACCOUNT,
            order: id,
            symbol: old.symbol.clone(),
            side: old.side,
            limit_price: replacement.limit_price,
            strict: false,
        };
        let hold = rules::hold_beside(&terms, &replacement.state, &leg, self.now).unwrap();
        books.post(&hold);
        books.sequences.get_mut(&ACCOUNT).unwrap().open_orders += 1;
        books.orders.insert(id, replacement);
        books.cash.get_mut(&ACCOUNT).unwrap().avail = Money::ZERO;
        let symbol = terms.symbol;
        books.shares.get_mut(&(ACCOUNT, symbol)).unwrap().avail = Qty::ZERO;
    }

    fn step(&mut self, step: &str) {
        self.now += TimeDelta::seconds(1);
        let mut words: Vec<&str> = step.split_whitespace().collect();
        if words[0] == "early" {
            self.made_at = Some(testkit::start_of_time());
            words.remove(0);
        }
        match (words[0], words.get(1)) {
            ("again", Some(qty)) => self.ask(LATER, qty, words[3]),
            ("old", _) => self.about(0, &words[1..]),
            ("new", _) => self.about(1, &words[1..]),
            ("wish", Some(which)) => {
                let id = if *which == "old" { ORDER } else { NEW };
                let order = self.scene.desk.books.orders.get_mut(&id).unwrap();
                order.cancel_requested_at.get_or_insert(self.now);
            }
            ("named", _) => self.hear(
                NEW,
                Fact::Acknowledged {
                    venue_order_id: "v-2".into(),
                    at: self.now,
                },
            ),
            ("replaced", count) => self.end(0, End::Replaced, count.copied(), words.get(3).copied()),
            ("refused", count) => self.hear(
                ORDER,
                Fact::ReplaceRefused {
                    replacement_id: self.order(ORDER).chain.replacement.unwrap().get(),
                    reason: "order is not open".into(),
                    filled_qty: count.map(|count| count.parse().unwrap()),
                },
            ),
            (other, _) => panic!("no such word: {other}"),
        }
        let books = &self.scene.desk.books;
        let shares = books.shares.values().map(|shares| shares.avail.get()).min();
        let avail = books.cash[&ACCOUNT].avail.get();
        self.least = self.least.min(avail).min(shares.unwrap_or_default());
    }

    fn about(&mut self, which: usize, words: &[&str]) {
        let (verb, name) = words[0].split_once('#').unwrap_or((words[0], ""));
        let end = match verb {
            "fill" => return self.fill(which, name, words[1], words[3]),
            "bust" => return self.bust(which, name, words[1], words[3]),
            "cancel" => End::Canceled,
            "expire" => End::Expired,
            "reject" => End::Rejected,
            "complete" => {
                let (filled_qty, at) = (words[1].parse().unwrap(), self.now);
                return self.hear([ORDER, NEW][which], Fact::Completed { filled_qty, at });
            }
            other => panic!("no such word: {other}"),
        };
        self.end(which, end, words.get(1).copied(), None);
    }

    fn fill(&mut self, which: usize, name: &str, qty: &str, price: &str) {
        let (names, heard) = &mut self.heard[which];
        let name = if name.is_empty() {
            names.len().to_string()
        } else {
            name.to_owned()
        };
        let exec_id = format!("{which}-{name}");
        let qty: Decimal = qty.parse().unwrap();
        if !names.contains(&exec_id) {
            names.push(exec_id.clone());
            *heard += qty;
        }
        let fact = Fact::Filled {
            exec_id,
            venue_order_id: format!("v-{}", which + 1),
            qty,
            price: price.parse().unwrap(),
            at: self.made_at.take().unwrap_or(self.now),
        };
        self.hear([ORDER, NEW][which], fact);
    }

    fn bust(&mut self, which: usize, name: &str, qty: &str, price: &str) {
        let fact = Fact::Busted {
            exec_id: format!("{which}-{name}"),
            qty: qty.parse().unwrap(),
            price: price.parse().unwrap(),
            at: self.now,
        };
        self.hear([ORDER, NEW][which], fact);
    }

    fn end(&mut self, which: usize, end: End, count: Option<&str>, by: Option<&str>) {
        let filled_qty = count.map_or(self.heard[which].1, |count| count.parse().unwrap());
        let (reason, at) = (None, self.now);
        let fact = Fact::Ended {
            end,
            filled_qty,
            reason,
            at,
            replaced_by: by.map(str::to_owned),
        };
        self.hear([ORDER, NEW][which], fact);
    }

    fn hear(&mut self, order: OrderId, fact: Fact) {
        let wire = VenueReport {
            venue: VENUE.to_owned(),
            order_id: order.get(),
            account_id: ACCOUNT.get(),
            fact,
            source: "stream".to_owned(),
            received_at: self.now,
        };
        let report = Report::parse(&serde_json::to_string(&wire).unwrap()).unwrap();
        self.scene.desk.take(&report);
    }

    fn order(&self, id: OrderId) -> &StoredOrder {
        &self.scene.desk.books.orders[&id]
    }

    fn held(&self) -> Decimal {
        let books = &self.scene.desk.books;
        match self.order(ORDER).side {
            Side::Buy => books.cash[&ACCOUNT].held.get(),
            Side::Sell => books.shares.values().map(|shares| shares.held.get()).sum(),
        }
    }

    /// `pending_replace 4/10, pending_new 0/12, held 880.00`
    fn summary(&self) -> String {
        let one = |id| {
            let order = self.order(id);
            format!(
                "{} {}/{}",
                order.shown_status(),
                order.state.filled,
                order.state.ordered
            )
        };
        let mut text = format!("{}, {}", one(ORDER), one(NEW));
        if self.scene.desk.books.orders.contains_key(&LATER) {
            text.push_str(&format!(", {}", one(LATER)));
        }
        text.push_str(&format!(", held {}", self.held().normalize()));
        let aside = self.scene.desk.written.aside.len();
        if aside > 0 {
            text.push_str(&format!(", set aside {aside}"));
        }
        text
    }

    fn told(&self) -> String {
        let word = |e: &orders::NewOrderEvent| {
            let which = match e.order_id {
                ORDER => "old",
                NEW => "new",
                _ => "later",
            };
            format!("{which} {}:{}", e.event, e.status)
        };
        let words: Vec<String> = self.scene.desk.written.events.iter().map(word).collect();
        words.join(", ")
    }

    /// Everything of value, for comparing two ways to the same end.
    fn totals(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let books = &self.scene.desk.books;
        let one = |id| {
            let order = self.order(id);
            (
                order.state.status,
                order.state.ordered,
                order.state.carried,
                order.state.filled,
                order.posted_cash,
            )
        };
        let shares: Vec<_> = books.shares.values().cloned().collect();
        let chain = (
            self.order(ORDER).chain.replaced_by,
            self.order(ORDER).chain.requested_at,
        );
        (
            one(ORDER),
            one(NEW),
            chain,
            books.cash[&ACCOUNT],
            shares,
            books.sequences[&ACCOUNT].open_orders,
        )
    }
}

#[track_caller]
fn check(script: &str, expected: &str) {
    let pair = Pair::of(script);
    assert_eq!(pair.summary(), expected, "after {script:?}");
    assert!(pair.least >= Decimal::ZERO, "{script:?} left {} free", pair.least);
}

#[track_caller]
fn check_told(script: &str, expected: &str) {
    assert_eq!(Pair::of(script).told(), expected, "after {script:?}");
}

#[test]
fn ord_8_the_replacement_works_its_total_less_what_the_old_order_filled() {
    let asked = "buy 10 @ 100.00 -> 12 @ 110.00; old fill 4 @ 100.00";
    check(asked, "pending_replace 4/10, pending_new 0/12, held 880");
    check(&format!("{asked}; replaced"), "replaced 4/10, new 0/12, held 880");
    check(
        &format!("{asked}; replaced; new fill 8 @ 110.00"),
        "replaced 4/10, filled 8/12, held 0",
    );
    check_told(
        &format!("{asked}; named; replaced; new fill 8 @ 110.00"),
        "old partial_fill:pending_replace, old replaced:replaced, new new:new, new fill:filled",
    );
}

#[test]
fn bp_4_the_larger_cost_is_held_until_the_venue_decides() {
    check(
        "buy 10 @ 100.00 -> 10 @ 110.00",
        "pending_replace 0/10, pending_new 0/10, held 1100",
    );
    check(
        "buy 10 @ 100.00 -> 10 @ 90.00",
        "pending_replace 0/10, pending_new 0/10, held 1000",
    );
    check(
        "buy 10 @ 100.00 -> 10 @ 90.00; replaced",
        "replaced 0/10, new 0/10, held 900",
    );
    check(
        "buy 10 @ 100.00 -> 10 @ 110.00; refused",
        "new 0/10, rejected 0/10, held 1000",
    );
    check(
        "sell 10 @ 100.00 -> 12 @ 90.00",
        "pending_replace 0/10, pending_new 0/12, held 12",
    );
    check(
        "sell 10 @ 100.00 -> 12 @ 90.00; refused",
        "new 0/10, rejected 0/12, held 10",
    );
}

#[test]
fn ord_8_a_refused_replacement_leaves_the_old_order_as_it_was() {
    check_told(
        "buy 10 @ 100.00 -> 12 @ 100.00; old fill 4 @ 100.00; refused",
        "old partial_fill:pending_replace, old order_replace_rejected:partially_filled, new rejected:rejected",
    );
    // The old order filled first: the replacement is rejected, and the stream says so.
    check_told(
        "buy 10 @ 100.00 -> 12 @ 100.00; old fill 10 @ 100.00; refused 10; refused 10",
        "old fill:filled, old order_replace_rejected:filled, new rejected:rejected",
    );
    check(
        "buy 10 @ 100.00 -> 12 @ 100.00; old fill 10 @ 100.00; refused 10",
        "filled 10/10, rejected 0/12, held 0",
    );
    // Told by the venue's stream instead, of the replacement.
    check(
        "buy 10 @ 100.00 -> 12 @ 100.00; new reject",
        "new 0/10, rejected 0/12, held 1000",
    );
}

#[test]
fn ord_9_a_total_that_fills_overtook_ends_the_rest_and_filled_beats_canceled() {
    let asked = "buy 10 @ 100.00 -> 5 @ 100.00; old fill 6 @ 100.00; refused 6";
    check(asked, "pending_cancel 6/10, rejected 0/5, held 400");
    check(&format!("{asked}; old cancel"), "filled 6/6, rejected 0/5, held 0");
    check(
        &format!("{asked}; old fill 1 @ 100.00; old cancel"),
        "filled 7/7, rejected 0/5, held 0",
    );
    // The venue's count was ahead of the fills.
    check(
        "buy 10 @ 100.00 -> 5 @ 100.00; refused 6; old cancel 6; old fill 6 @ 100.00",
        "filled 6/6, rejected 0/5, held 0",
    );
    // What filled after the refusal overtook nothing, though it was heard of first.
    check(
        "buy 10 @ 100.00 -> 5 @ 100.00; old fill 6 @ 100.00; refused 4; old cancel",
        "canceled 6/10, rejected 0/5, held 0",
    );
    // Refused for another reason: the old order goes on, and a later cancel is one.
    check(
        "buy 10 @ 100.00 -> 5 @ 100.00; refused 0; old fill 6 @ 100.00; old cancel",
        "canceled 6/10, rejected 0/5, held 0",
    );
}

#[test]
fn ord_9_an_overtaken_order_ends_with_a_fill_that_is_told_once() {
    let once = "buy 10 @ 100.00 -> 5 @ 100.00; old fill 6 @ 100.00; refused 6; old cancel";
    let told = Pair::of(once).told();
    assert!(told.ends_with("new rejected:rejected, old fill:filled"), "{told}");
    check_told(&format!("{once}; old cancel"), &told);
}

/// The venue's stream told of the refusal, or its key was burnt: nobody said how many were filled by then.
#[test]
fn ord_9_fills_of_before_a_refusal_overtake_the_replace_when_they_are_heard_of() {
    for refused in ["new reject", "named; new cancel", "refused"] {
        let asked = format!("buy 10 @ 100.00 -> 5 @ 100.00; {refused}");
        let end = if refused.contains("cancel") {
            "canceled"
        } else {
            "rejected"
        };
        let overtaken = format!("{asked}; early old fill 3 @ 100.00; early old fill 3 @ 100.00");
        check(&overtaken, &format!("pending_cancel 6/10, {end} 0/5, held 400"));
        check(
            &format!("{overtaken}; old cancel"),
            &format!("filled 6/6, {end} 0/5, held 0"),
        );
        // Made afterwards: it overtook nothing.
        check(
            &format!("{asked}; old fill 6 @ 100.00; old cancel"),
            &format!("canceled 6/10, {end} 0/5, held 0"),
        );
        // The venue's count comes later and settles it, whatever is heard of then.
        check(
            &format!("{asked}; refused 6; old cancel 6; early old fill 6 @ 100.00"),
            &format!("filled 6/6, {end} 0/5, held 0"),
        );
        check(
            &format!("{asked}; refused 4; early old fill 6 @ 100.00; old cancel"),
            &format!("canceled 6/10, {end} 0/5, held 0"),
        );
    }
    let told = Pair::of("buy 10 @ 100.00 -> 5 @ 100.00; new reject; refused 6; refused 6").told();
    assert_eq!(
        told,
        "new rejected:rejected, old order_replace_rejected:new, old pending_cancel:pending_cancel"
    );
}

/// The key of the first replacement was burnt too late: it has the place, which a second one was asked for meanwhile.
#[test]
fn ord_8_the_order_that_the_venue_names_has_the_place() {
    let asked = "buy 10 @ 100.00 -> 12 @ 100.00; named; new cancel; again 14 @ 100.00";
    check(
        asked,
        "pending_replace 0/10, canceled 0/12, pending_new 0/14, held 1400",
    );
    let expected = "replaced 4/10, canceled 0/12, rejected 0/14, held 0";
    check(&format!("{asked}; old fill 4 @ 100.00; replaced 4 by v-2"), expected);
    // Its fills are heard of later, and the end is told again without a name.
    let late = format!("{asked}; replaced 4 by v-2; replaced 4; old fill 4 @ 100.00; replaced 4");
    check(&late, expected);
    let pair = Pair::of(&late);
    assert_eq!(pair.order(ORDER).chain.replaced_by, Some(NEW));
    // The venue refuses the second one, of course.
    check(&format!("{late}; refused 4"), expected);
    check_told(
        &format!("{asked}; replaced 0 by v-2; refused 0"),
        "new canceled:canceled, old order_replace_rejected:new, old order_replace_rejected:new, \
         later rejected:rejected, old replaced:replaced",
    );
    // A name that is not known yet is that of the last one that was asked for.
    check(
        &format!("{asked}; replaced 0 by v-3"),
        "replaced 0/10, canceled 0/12, new 0/14, held 1400",
    );
}

/// ORD-12: the venue works a filled replacement no more, so a trade that it takes back leaves a rest that nobody works.
#[test]
fn ord_12_a_filled_replacement_that_lost_a_trade_ends_and_gives_its_hold_back() {
    let filled =
        "buy 10 @ 100.00 -> 12 @ 100.00; old fill 4 @ 100.00; replaced; new fill#a 5 @ 100.00; new fill#b 3 @ 100.00";
    let busted = format!("{filled}; new bust#b 3 @ 100.00");
    check(&busted, "replaced 4/10, partially_filled 5/12, held 300");
    let over = "replaced 4/10, canceled 5/12, held 0";
    check(&format!("{busted}; new complete 5"), over);
    check(&format!("{filled}; new complete 5; new bust#b 3 @ 100.00"), over);
    // With what its chain had filled it is whole.
    check(
        &format!("{filled}; new complete 8"),
        "replaced 4/10, filled 8/12, held 0",
    );
    // Nobody knows yet what its chain had filled.
    let waits = "buy 10 @ 100.00 -> 12 @ 100.00; new fill 8 @ 100.00; new complete 8; replaced 4; old fill 4 @ 100.00";
    check(waits, "replaced 4/10, filled 8/12, held 0");
}

#[test]
fn ord_9_an_overtaken_order_ends_though_its_fills_were_taken_back() {
    let asked =
        "buy 10 @ 100.00 -> 5 @ 100.00; old fill#a 4 @ 100.00; old fill#b 2 @ 100.00; refused 6; old bust#b 2 @ 100.00";
    check(&format!("{asked}; old cancel 4"), "filled 4/4, rejected 0/5, held 0");
    // The venue's count is from before the bust: nobody waits for the two shares.
    check(&format!("{asked}; old cancel 6"), "canceled 4/10, rejected 0/5, held 0");
    let nothing_left = format!("{asked}; old bust#a 4 @ 100.00");
    for count in ["0", "4", "6"] {
        check(
            &format!("{nothing_left}; old cancel {count}"),
            "canceled 0/10, rejected 0/5, held 0",
        );
    }
}

#[test]
fn ord_8_a_wish_to_cancel_goes_to_the_order_that_lives_on() {
    let asked = "buy 10 @ 100.00 -> 12 @ 100.00";
    check_told(
        &format!("{asked}; wish old; replaced"),
        "old replaced:replaced, new new:new, new pending_cancel:pending_cancel",
    );
    check_told(
        &format!("{asked}; wish new; refused"),
        "old order_replace_rejected:new, new rejected:rejected, old pending_cancel:pending_cancel",
    );
    check_told(
        &format!("{asked}; wish old; refused"),
        "old order_replace_rejected:pending_cancel, new rejected:rejected",
    );
    let forwarded = |script: &str| {
        let pair = Pair::of(script);
        let asked = &pair.scene.desk.written.forwarded;
        asked.iter().map(|one| one.wish.order_id).collect::<Vec<_>>()
    };
    assert_eq!(forwarded(&format!("{asked}; wish old; replaced")), [NEW.get()]);
    assert_eq!(forwarded(&format!("{asked}; wish new; refused")), [ORDER.get()]);
    assert_eq!(forwarded(&format!("{asked}; replaced")), Vec::<Uuid>::new());
}

#[test]
fn the_survivor_expires_with_its_session() {
    let asked = "buy 10 @ 100.00 -> 12 @ 100.00";
    check(
        &format!("{asked}; old expire; refused 0"),
        "expired 0/10, rejected 0/12, held 0",
    );
    check(
        &format!("{asked}; replaced; new expire"),
        "replaced 0/10, expired 0/12, held 0",
    );
    check(
        &format!("{asked}; new expire; replaced"),
        "replaced 0/10, expired 0/12, held 0",
    );
}

#[test]
fn late_fills_of_either_order_find_it() {
    let asked = "buy 10 @ 100.00 -> 12 @ 100.00";
    check(
        &format!("{asked}; new fill 3 @ 100.00; replaced 4; old fill 4 @ 100.00; new fill 5 @ 100.00"),
        "replaced 4/10, filled 8/12, held 0",
    );
    check(
        &format!("{asked}; replaced 4; new fill 3 @ 100.00"),
        "pending_replace 0/10, partially_filled 3/12, held 900",
    );
    check(
        &format!("{asked}; new fill 3 @ 100.00; new cancel 3; replaced 4; old fill 4 @ 100.00"),
        "replaced 4/10, canceled 3/12, held 0",
    );
    // More than the chain's total: nobody's.
    check(
        &format!("{asked}; old fill 4 @ 100.00; replaced; new fill 9 @ 100.00"),
        "replaced 4/10, new 0/12, held 800, set aside 1",
    );
}

/// What a venue did with an order and its replacement, as steps of a script.
#[derive(Debug, Clone)]
struct History {
    asked: String,
    steps: Vec<String>,
}

prop_compose! {
    fn histories()(
        sell in any::<bool>(),
        (ordered, total) in (2_i64..20, 1_i64..30),
        (limit, other) in (1_i64..40, 1_i64..40),
        before in prop::collection::vec((1_i64..8, 0_i64..30), 0..4),
        after in prop::collection::vec((1_i64..8, 0_i64..30), 0..4),
        replaces in any::<bool>(),
        end in 0..3,
    ) -> History {
        let price = |limit: i64, better: i64| {
            let better = Decimal::new(better, 2);
            let limit = Decimal::from(limit);
            if sell { limit + better } else { limit - better }
        };
        let (mut steps, mut filled, mut count) = (Vec::new(), [0_i64; 2], 0);
        let mut trade = |steps: &mut Vec<String>, filled: &mut [i64; 2], which: usize, most: i64, (qty, better): (i64, i64)| {
            let qty = qty.min(most - filled[which]);
            if qty <= 0 { return }
            filled[which] += qty;
            count += 1;
            let (word, limit) = if which == 0 { ("old", limit) } else { ("new", other) };
            steps.push(format!("{word} fill#{count} {qty} @ {}", price(limit, better)));
        };
        for fill in before { trade(&mut steps, &mut filled, 0, ordered, fill) }
        let takes_over = replaces && filled[0] < ordered && filled[0] < total;
        let overtaken = !takes_over && filled[0] >= total && filled[0] < ordered;
        if takes_over {
            steps.push("named".to_owned());
            steps.push(format!("replaced {}", filled[0]));
        } else if !overtaken {
            steps.push(format!("refused {}", filled[0]));
        }
        let (which, word, most) = if takes_over { (1, "new", total - filled[0]) } else { (0, "old", ordered) };
        for fill in after { trade(&mut steps, &mut filled, which, most, fill) }
        let end = ["cancel", "expire", "cancel"][usize::try_from(end).unwrap()];
        if filled[which] < most { steps.push(format!("{word} {end} {}", filled[which])) }
        // The executor reports before it sends the cancel, so this comes first whatever else is late (ORD-9).
        if overtaken { steps.insert(0, format!("refused {}", filled[0])) }
        let side = if sell { "sell" } else { "buy" };
        History { asked: format!("{side} {ordered} @ {limit} -> {total} @ {other}"), steps }
    }
}

/// Any order, with repeats; what has to come first stays first.
fn told_in_any_order(history: &History) -> impl Strategy<Value = Vec<String>> + use<> {
    let fixed = usize::from(history.steps.first().is_some_and(|step| step.starts_with("refused")));
    let (first, steps) = history.steps.split_at(fixed);
    let (first, steps) = (first.to_vec(), steps.to_vec());
    let repeats = prop::collection::vec(any::<prop::sample::Index>(), 0..5);
    repeats
        .prop_map(move |more| {
            let more = more
                .into_iter()
                .filter(|_| !steps.is_empty())
                .map(|at| at.get(&steps).clone());
            steps
                .iter()
                .cloned()
                .chain(more.collect::<Vec<_>>())
                .collect::<Vec<_>>()
        })
        .prop_shuffle()
        .prop_map(move |steps| first.iter().cloned().chain(steps).collect())
}

fn play(asked: &str, steps: &[String]) -> Pair {
    let mut pair = Pair::asked(asked);
    steps.iter().for_each(|step| pair.step(step));
    pair
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    /// ORD-6, ORD-8, BP-4, V2: any order of arrival comes to the same, no hold is left, and no cent is taken that was not
    /// held: the account has nothing but what the two orders hold.
    #[test]
    fn any_order_of_replace_fill_cancel_and_reject_comes_to_the_same(
        (history, told) in histories().prop_flat_map(|history| {
            let told = told_in_any_order(&history);
            (Just(history), told)
        })
    ) {
        let as_it_happened = play(&history.asked, &history.steps);
        prop_assert!(as_it_happened.least >= Decimal::ZERO, "{:?} left {}", history, as_it_happened.least);
        let as_it_came = play(&history.asked, &told);
        prop_assert_eq!(as_it_came.totals(), as_it_happened.totals(), "{} told {:?}", history.asked, told);
        prop_assert!(as_it_came.least >= Decimal::ZERO, "{} told {:?} left {}", history.asked, told, as_it_came.least);
        for pair in [&as_it_happened, &as_it_came] {
            prop_assert_eq!(pair.held(), Decimal::ZERO, "{}", pair.summary());
            prop_assert!(pair.scene.desk.written.aside.is_empty(), "{}", pair.summary());
            let open = [ORDER, NEW].iter().filter(|id| pair.order(**id).state.status.is_open()).count();
            prop_assert_eq!(open, 0, "{}", pair.summary());
            prop_assert_eq!(pair.order(ORDER).state.status == OrderStatus::Replaced, pair.order(ORDER).chain.replaced_by.is_some());
        }
    }
}
