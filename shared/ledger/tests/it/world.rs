//! One customer, one symbol, and short ways to say what happens.

use domain::order::{OrderEvent, OrderState};
use domain::{AccountId, ExecId, Money, OrderId, Price, Qty, Side, Symbol, Timestamp};
use ledger::rules::{Change, Occasion, Order, Standing, TakenBack, TradeDates, change, correct, hold};
use ledger::{Accrual, BookedTrade, Cause, Transfer, TransferId};
use uuid::Uuid;

pub fn at() -> Timestamp {
    testkit::start_of_time()
}

pub fn account() -> AccountId {
    AccountId::new(Uuid::from_u128(1))
}

pub fn qty(text: &str) -> Qty {
    if text == "0" {
        Qty::ZERO
    } else {
        Qty::parse(text).expect("a quantity")
    }
}

pub fn price(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

pub fn usd(text: &str) -> Money {
    Money::from_decimal(text.parse().expect("an amount"))
}

pub fn dates() -> TradeDates {
    let day = at().date_naive();
    TradeDates {
        trade: day,
        settle: day.succ_opt().expect("a next day"),
    }
}

/// An order on its way, with what the ledger booked for it.
pub struct Life {
    pub order: Order,
    pub state: OrderState,
    pub posted: Money,
    pub standing: Standing,
    pub dates: TradeDates,
    pub accrual: Option<Accrual>,
    /// What its bust takes back; else its last fill, which has not settled.
    pub takes_back: Option<TakenBack>,
    execs: u32,
}

impl Life {
    pub fn of(side: Side, shares: &str, limit: &str) -> Self {
        let order = Order {
            account: account(),
            order: OrderId::new(Uuid::from_u128(7)),
            symbol: Symbol::parse("XYZ").expect("a symbol"),
            side,
            limit_price: price(limit),
            strict: false,
        };
        let state = OrderState::accepted(qty(shares));
        Self {
            order,
            state,
            posted: Money::ZERO,
            standing: Standing::default(),
            dates: dates(),
            accrual: None,
            takes_back: None,
            execs: 0,
        }
    }

    pub fn hold(&self) -> Transfer {
        hold(&self.order, &self.state, at()).expect("a hold")
    }

    /// Takes the event and gives what it books.
    pub fn take(&mut self, event: OrderEvent) -> Option<Transfer> {
        // A bust names its fill, which is the last one here.
        self.execs += u32::from(!matches!(event, OrderEvent::Busted { .. }));
        let exec_id = ExecId::new(&format!("{}-{}", self.order.order, self.execs)).expect("an id");
        let fill = Cause::Fill {
            venue: "sim".into(),
            exec_id: exec_id.clone(),
        };
        let last = TakenBack {
            trade: TransferId::of(&fill),
            settled: false,
        };
        let takes_back = matches!(event, OrderEvent::Busted { .. }).then(|| self.takes_back.unwrap_or(last));
        let cause = match event {
            OrderEvent::Filled { .. } => fill,
            OrderEvent::Busted { .. } => Cause::Bust {
                venue: "sim".into(),
                exec_id,
            },
            _ => Cause::Release(self.order.order),
        };
        let (after, _) = self.state.after(event).expect("a legal move");
        let occasion = Occasion {
            cause,
            at: at(),
            dates: self.dates,
            accrual: self.accrual,
            takes_back,
            standing: self.standing,
            beside: (None, None),
        };
        let Change {
            transfer, posted_after, ..
        } = change(&self.order, &self.state, &after, self.posted, occasion).expect("a change");
        self.state = after;
        self.posted = posted_after;
        transfer
    }

    /// Its only fill was another one: what that books.
    pub fn correct(
        &mut self,
        (from_qty, from_price): (Qty, Price),
        (qty, price): (Qty, Price),
        nth: i32,
        booked: &BookedTrade,
        accrual: Accrual,
    ) -> Vec<Transfer> {
        let event = OrderEvent::Corrected {
            from_qty,
            from_price,
            qty,
            price,
        };
        let (after, _) = self.state.after(event).expect("a legal move");
        let occasion = |anew, accrual| Occasion {
            cause: Cause::Corrected {
                venue: "sim".into(),
                exec_id: ExecId::new(&format!("{}-1", self.order.order)).expect("an id"),
                nth,
                anew,
            },
            at: at(),
            dates: booked.dates,
            accrual,
            takes_back: Some(booked.taken_back()),
            standing: self.standing,
            beside: (None, None),
        };
        let occasions = (
            occasion(false, booked.reversed().accrual),
            occasion(true, Some(accrual)),
        );
        let was = (from_qty, from_price);
        let correction = correct(&self.order, (&self.state, &after), was, self.posted, occasions);
        let correction = correction.expect("a correction");
        self.state = after;
        self.posted = correction.posted_after;
        correction.transfers
    }

    pub fn fill(&mut self, shares: &str, at: &str) -> Option<Transfer> {
        self.take(OrderEvent::Filled {
            qty: qty(shares),
            price: price(at),
        })
    }

    pub fn cancel(&mut self) -> Option<Transfer> {
        let filled = self.state.filled;
        self.take(OrderEvent::Ended {
            why: domain::order::EndKind::Canceled,
            filled,
        })
    }
}
