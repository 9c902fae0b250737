//! One customer, one symbol, and short ways to say what happens.

use domain::order::{OrderEvent, OrderState};
use domain::{AccountId, ExecId, Money, OrderId, Price, Qty, Side, Symbol, Timestamp};
use ledger::rules::{Change, Occasion, Order, Standing, TakenBack, TradeDates, change, hold};
use ledger::{Accrual, Cause, Transfer, TransferId};
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
    /// Whether its fills have settled.
    pub settled: bool,
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
            settled: false,
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
        let takes_back = matches!(event, OrderEvent::Busted { .. }).then(|| TakenBack {
            trade: TransferId::of(&fill),
            settled: self.settled,
        });
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
        };
        let Change {
            transfer, posted_after, ..
        } = change(&self.order, &self.state, &after, self.posted, occasion).expect("a change");
        self.state = after;
        self.posted = posted_after;
        transfer
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
