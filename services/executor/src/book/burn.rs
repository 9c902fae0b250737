//! What a key is burnt with: an order that may be taken and cannot trade.

use domain::{OrderId, Price, Qty, Side, TimeInForce};
use rust_decimal::{Decimal, dec};
use venue::{VenueOrder, VenueOrderView};
use wire::events::v1::End;

use super::replace::is_short;
use super::submission::Submission;

/// What is submitted under a key to burn it. Of the customer's own terms the venue may have traded a part already
/// under this key, and forgotten it, so those never go out again: one share, where nobody trades.
///
/// Should it trade after all it is an execution under our key and is booked like any other. That doubles nothing
/// material: it is one share at most, which a hold of the whole order covers unless all of it had traded (then it is
/// an overfill, set aside with an alert), and its price is never worse than the customer's limit.
pub fn burn_terms(asked: &VenueOrder) -> VenueOrder {
    let price = match asked.side {
        Side::Buy if asked.limit_price.get() < Decimal::ONE => dec!(0.0001),
        Side::Buy => dec!(0.01),
        // A multiple of the limit would still trade where the limit lies far below the market.
        Side::Sell => dec!(1_000_000),
    };
    let price = Price::new(price).expect("within the bounds of a price");
    let one = Qty::new(Decimal::ONE).expect("one is a number of shares");
    VenueOrder {
        symbol: asked.symbol.clone(),
        side: asked.side,
        qty: one.min(asked.qty),
        limit_price: match asked.side {
            Side::Buy => price.min(asked.limit_price),
            Side::Sell => price.max(asked.limit_price),
        },
        time_in_force: TimeInForce::Day,
    }
}

/// What differs from both things that may be found under a burnt key: the order a late twin made, and what burnt it.
pub fn differs_from_both(key: OrderId, asked: &VenueOrder, view: &VenueOrderView) -> Option<String> {
    let from_asked = view.differs_from(key, asked)?;
    view.differs_from(key, &burn_terms(asked))?;
    Some(from_asked)
}

/// How an order ended that the venue shows as filled, if not by its executions alone: what is filled is less than was
/// asked for, so it is what burnt the key, or a trade was taken back since (ORD-12). The venue works the rest no more.
pub fn end_short_of(submission: &Submission, view: &VenueOrderView) -> Option<(End, String)> {
    let short = is_short(submission, view);
    let reason = match &submission.burn_reason {
        Some(reason) => reason.clone(),
        None => "the exchange took a trade back and ended the order".to_owned(),
    };
    short.then_some((End::Canceled, reason))
}

#[cfg(test)]
mod tests {
    //! Harmless, whatever the customer asked for.
    use super::*;
    use domain::Symbol;

    fn burnt(side: Side, qty: Decimal, limit: Decimal) -> (Decimal, Decimal) {
        let burnt = burn_terms(&VenueOrder {
            symbol: Symbol::parse("AAPL").expect("a symbol"),
            side,
            qty: Qty::new(qty).expect("shares"),
            limit_price: Price::new(limit).expect("a price"),
            time_in_force: TimeInForce::Ioc,
        });
        assert_eq!((burnt.side, burnt.time_in_force), (side, TimeInForce::Day));
        assert!(burnt.limit_price.on_tick(), "{burnt:?}");
        (burnt.qty.get(), burnt.limit_price.get())
    }

    /// PX-1: on a tick, and where nobody trades.
    #[test]
    fn it_is_one_share_at_a_price_that_cannot_trade() {
        let cases = [
            (Side::Buy, dec!(10), dec!(50.25), (dec!(1), dec!(0.01))),
            (Side::Buy, dec!(10), dec!(0.5), (dec!(1), dec!(0.0001))),
            (Side::Buy, dec!(0.5), dec!(1), (dec!(0.5), dec!(0.01))),
            (Side::Sell, dec!(10), dec!(0.0123), (dec!(1), dec!(1_000_000))),
            (Side::Sell, dec!(1), dec!(1_000_000), (dec!(1), dec!(1_000_000))),
        ];
        for (side, qty, limit, expected) in cases {
            assert_eq!(burnt(side, qty, limit), expected, "{side:?} {qty} at {limit}");
        }
    }
}
