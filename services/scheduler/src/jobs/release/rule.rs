//! May a queued order still be sent? Pure (TIF-7).

use domain::{OrderType, Price, Side};
use rust_decimal::{Decimal, dec};

/// How far an aggressive limit may be from the last price (PX-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collar {
    /// As a part of the last price.
    pub part: Decimal,
    /// The same for what costs less than a dollar.
    pub part_below_a_dollar: Decimal,
}

impl Default for Collar {
    fn default() -> Self {
        Collar {
            part: dec!(0.10),
            part_below_a_dollar: dec!(0.50),
        }
    }
}

/// A queued order with everything its re-check looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Ticker, for the reason.
    pub symbol: String,
    /// Bought or sold.
    pub side: Side,
    /// What the customer wrote.
    pub order_type: OrderType,
    /// Its limit; a market order's is the collar it was taken with (PX-7).
    pub limit_price: Price,
    /// What its account may do now; `None` when there is no such account.
    pub account: Option<Allowed>,
    /// Whether its symbol can be traded.
    pub tradable: bool,
    /// Whether nobody, or not this account, may trade it.
    pub restricted: bool,
    /// What its symbol was quoted at last.
    pub reference: Option<Decimal>,
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// It is open and usable.
    pub active: bool,
    /// Nothing at all.
    pub blocked: bool,
    /// No orders.
    pub trading_blocked: bool,
    /// The customer paused trading.
    pub suspended_by_user: bool,
    /// Sells only.
    pub closing_only: bool,
}

/// What the re-check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may go.
    Fine,
    /// It may go; the collar could not be looked at.
    NoReference,
    /// It may not, in words a customer can read.
    Refused(String),
}

/// Checks one order. The first refusal wins: account, symbol, tick, collar (of a limit order).
pub fn check(order: &Queued, collar: &Collar) -> Verdict {
    if let Some(why) = account_refuses(order) {
        return Verdict::Refused(why.to_owned());
    }
    if !order.tradable {
        return Verdict::Refused(format!("{} cannot be traded at the moment", order.symbol));
    }
    if order.restricted {
        return Verdict::Refused(format!("trading in {} is restricted", order.symbol));
    }
    if !order.limit_price.on_tick() {
        let price = order.limit_price;
        return Verdict::Refused(format!(
            "the limit price {price} is finer than the market's price steps"
        ));
    }
    // PX-7: a market order's limit was the collar when it was taken, and its hold covers that. Where the price has come
    // towards the customer since, it would be refused for trading at less than it may.
    if order.order_type == OrderType::Market {
        return Verdict::Fine;
    }
    match order.reference {
        None => Verdict::NoReference,
        Some(reference) => beyond_collar(order, reference, collar).map_or(Verdict::Fine, Verdict::Refused),
    }
}

fn account_refuses(order: &Queued) -> Option<&'static str> {
    let Some(account) = order.account else {
        return Some("the account is not there any more");
    };
    if !account.active {
        return Some("the account is not active");
    }
    if account.blocked {
        return Some("the account is blocked");
    }
    if account.trading_blocked {
        return Some("trading is blocked for the account");
    }
    if account.suspended_by_user {
        return Some("trading is suspended in the account's settings");
    }
    (account.closing_only && order.side == Side::Buy).then_some("the account may only sell what it owns")
}

/// Only an aggressive limit can do harm: one far on the passive side simply rests.
fn beyond_collar(order: &Queued, reference: Decimal, collar: &Collar) -> Option<String> {
    let part = if reference < Decimal::ONE {
        collar.part_below_a_dollar
    } else {
        collar.part
    };
    // Compared exactly, so nothing is rounded.
    let limit = order.limit_price.get();
    let (beyond, word) = match order.side {
        Side::Buy => (limit > reference * (Decimal::ONE + part), "above"),
        Side::Sell => (limit < reference * (Decimal::ONE - part), "below"),
    };
    let percent = (part * Decimal::ONE_HUNDRED).normalize();
    beyond.then(|| {
        format!(
            "the limit price {limit} is more than {percent} % {word} the last price of {}",
            reference.normalize()
        )
    })
}

#[cfg(test)]
mod tests {
    //! TIF-7 and PX-5, by table.
    use super::*;

    fn order(side: Side, limit: Decimal, reference: Option<Decimal>) -> Queued {
        Queued {
            symbol: "XYZ".to_owned(),
            side,
            order_type: OrderType::Limit,
            limit_price: Price::new(limit).expect("a price"),
            account: Some(Allowed {
                active: true,
                blocked: false,
                trading_blocked: false,
                suspended_by_user: false,
                closing_only: false,
            }),
            tradable: true,
            restricted: false,
            reference,
        }
    }

    fn verdict(side: Side, limit: Decimal, reference: Option<Decimal>) -> Verdict {
        check(&order(side, limit, reference), &Collar::default())
    }

    #[test]
    fn px_5_a_buy_far_above_and_a_sell_far_below_the_last_price_are_refused() {
        let last = Some(dec!(100));
        assert_eq!(verdict(Side::Buy, dec!(110), last), Verdict::Fine);
        let above = "the limit price 110.01 is more than 10 % above the last price of 100";
        assert_eq!(
            verdict(Side::Buy, dec!(110.01), last),
            Verdict::Refused(above.to_owned())
        );
        assert_eq!(verdict(Side::Sell, dec!(90), last), Verdict::Fine);
        let below = "the limit price 89.99 is more than 10 % below the last price of 100";
        assert_eq!(
            verdict(Side::Sell, dec!(89.99), last),
            Verdict::Refused(below.to_owned())
        );
    }

    #[test]
    fn px_5_passive_limits_are_allowed_however_far_away() {
        let last = Some(dec!(100));
        assert_eq!(verdict(Side::Buy, dec!(0.01), last), Verdict::Fine);
        assert_eq!(verdict(Side::Sell, dec!(100000), last), Verdict::Fine);
    }

    /// PX-7: its limit was the collar when it was taken, and its hold covers that.
    #[test]
    fn px_7_a_market_order_goes_also_where_the_price_came_towards_the_customer() {
        for (side, limit, last) in [(Side::Buy, dec!(105), dec!(95)), (Side::Sell, dec!(95), dec!(106))] {
            for reference in [Some(last), None] {
                let market = Queued {
                    order_type: OrderType::Market,
                    ..order(side, limit, reference)
                };
                assert_eq!(check(&market, &Collar::default()), Verdict::Fine, "{side} at {limit}");
            }
            assert!(
                matches!(verdict(side, limit, Some(last)), Verdict::Refused(_)),
                "a limit"
            );
        }
        let mut halted = order(Side::Buy, dec!(105), Some(dec!(95)));
        (halted.order_type, halted.tradable) = (OrderType::Market, false);
        assert!(matches!(check(&halted, &Collar::default()), Verdict::Refused(_)));
    }

    #[test]
    fn px_5_below_a_dollar_half_the_price_is_the_limit() {
        let last = Some(dec!(0.5));
        assert_eq!(verdict(Side::Buy, dec!(0.75), last), Verdict::Fine);
        assert!(matches!(verdict(Side::Buy, dec!(0.7501), last), Verdict::Refused(_)));
    }

    #[test]
    fn px_5_without_a_last_price_the_collar_is_left_out() {
        assert_eq!(verdict(Side::Buy, dec!(1000000), None), Verdict::NoReference);
    }

    #[test]
    fn px_1_an_order_off_the_tick_is_refused() {
        assert!(matches!(
            verdict(Side::Buy, dec!(100.001), Some(dec!(100))),
            Verdict::Refused(_)
        ));
    }

    #[test]
    fn tif_7_each_restriction_of_the_account_has_its_words() {
        let refused = |change: fn(&mut Allowed)| {
            let mut order = order(Side::Buy, dec!(100), Some(dec!(100)));
            order.account.as_mut().map(change).expect("it has one");
            match check(&order, &Collar::default()) {
                Verdict::Refused(why) => why,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(|a| a.active = false), "the account is not active");
        assert_eq!(refused(|a| a.blocked = true), "the account is blocked");
        assert_eq!(
            refused(|a| a.trading_blocked = true),
            "trading is blocked for the account"
        );
        assert_eq!(
            refused(|a| a.suspended_by_user = true),
            "trading is suspended in the account's settings"
        );
        assert_eq!(
            refused(|a| a.closing_only = true),
            "the account may only sell what it owns"
        );
        let mut sell = order(Side::Sell, dec!(100), Some(dec!(100)));
        sell.account.as_mut().expect("it has one").closing_only = true;
        assert_eq!(check(&sell, &Collar::default()), Verdict::Fine);
    }

    #[test]
    fn tif_7_what_cannot_be_traded_any_more_is_refused() {
        let mut halted = order(Side::Buy, dec!(100), Some(dec!(100)));
        halted.tradable = false;
        let why = "XYZ cannot be traded at the moment".to_owned();
        assert_eq!(check(&halted, &Collar::default()), Verdict::Refused(why));
        let mut restricted = order(Side::Sell, dec!(100), Some(dec!(100)));
        restricted.restricted = true;
        let why = "trading in XYZ is restricted".to_owned();
        assert_eq!(check(&restricted, &Collar::default()), Verdict::Refused(why));
        halted.account = None;
        assert!(matches!(check(&halted, &Collar::default()), Verdict::Refused(_)));
    }
}
