//! What an order asks of the exchange: from what the customer wrote to shares and a limit. Pure.
//!
//! | written | limit | shares |
//! |---|---|---|
//! | `limit`, `qty` | as written | as written |
//! | `limit`, `notional` | as written | what the dollars buy at the limit |
//! | `market`, `qty` | the collar (PX-7) | as written |
//! | `market`, `notional` | the collar (PX-7) | what the dollars buy at the collar, or bring at the reference price |
//!
//! The exchange never sees a market order or dollars. Parts of a share are rounded down to nine decimals, so that an order
//! never asks for more than its dollars: a buy spends no more of them whatever it trades at, and what it leaves comes back.

use domain::collar::collared_limit;
use domain::{AmountError, Money, OrderType, Price, Qty, Side, Symbol};
use instruments::Asset;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::draft::{DraftOrder, Size};
use crate::error::PlaceOrderError;
use crate::prices::Reference;

/// The finest part of a share.
const PART: Decimal = Decimal::from_parts(1, 0, 0, false, 9);

/// What an order comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// As written.
    pub(crate) order_type: OrderType,
    /// Shares.
    pub(crate) qty: Qty,
    /// Dollars a share, the worst it may trade at.
    pub(crate) limit_price: Price,
    /// Dollars asked for, where the order was written in dollars.
    pub(crate) notional: Option<Money>,
    /// Dollars it is worth by what is known now.
    pub(crate) value: Money,
}

/// The terms of this order, given what the symbol last cost, as far as that counts at the market, and how far a market order
/// may reach.
pub(crate) fn terms(
    draft: &DraftOrder,
    asset: &Asset,
    reference: Option<Reference>,
    collar: Decimal,
) -> Result<Terms, PlaceOrderError> {
    // A sell of parts of a share may be of all that is left: that is looked at under the lock.
    let may_be_rest = draft.side == Side::Sell && matches!(draft.size, Size::Shares(_));
    if draft.size.is_fractional() && !asset.fractionable && !may_be_rest {
        return Err(PlaceOrderError::NotFractionable(asset.symbol.clone()));
    }
    let (order_type, price, limit_price) = match draft.limit_price {
        Some(limit) => (OrderType::Limit, limit, limit),
        None => {
            let price = market_price(&asset.symbol, reference)?;
            (OrderType::Market, price, collared_limit(draft.side, price, collar))
        }
    };
    let (qty, notional, value) = match draft.size {
        Size::Shares(qty) => (qty, None, price.notional(qty).map_err(too_large("qty"))?),
        Size::Dollars(dollars) => {
            let worst = match draft.side {
                Side::Buy => limit_price,
                Side::Sell => price,
            };
            (shares_for(dollars, worst)?, Some(dollars), dollars)
        }
    };
    Ok(Terms {
        order_type,
        qty,
        limit_price,
        notional,
        value,
    })
}

fn market_price(symbol: &Symbol, reference: Option<Reference>) -> Result<Price, PlaceOrderError> {
    let reference = reference.ok_or_else(|| PlaceOrderError::NoReferencePrice(symbol.clone()))?;
    Ok(reference.price)
}

/// As many shares as the dollars buy at this price, to nine decimals, rounded down (QTY-3).
fn shares_for(dollars: Money, price: Price) -> Result<Qty, PlaceOrderError> {
    let exact = dollars.get().checked_div(price.get());
    let exact = exact.ok_or(AmountError::Overflow).map_err(too_large("notional"))?;
    let down = exact.round_dp_with_strategy(PART.scale(), RoundingStrategy::ToZero);
    // A quotient has 28 digits: one that was rounded up onto the next part would cost more than there is.
    let fits = |qty: Decimal| price.get().checked_mul(qty).is_some_and(|cost| cost <= dollars.get());
    let qty = if fits(down) { down } else { down - PART };
    Qty::new(qty).map_err(too_large("notional"))
}

const fn too_large(field: &'static str) -> impl Fn(AmountError) -> PlaceOrderError {
    move |_| PlaceOrderError::BadAmount {
        field,
        why: AmountError::TooLarge,
    }
}

#[cfg(test)]
mod tests {
    //! What dollars come to.

    use super::*;
    use domain::TimeInForce;
    use proptest::prelude::*;

    fn draft(size: Size, limit_price: Option<Price>) -> DraftOrder {
        DraftOrder {
            instrument: "AAPL".to_owned(),
            side: Side::Buy,
            time_in_force: TimeInForce::Day,
            asked: crate::place::Asked::default(),
            size,
            limit_price,
            client_order_id: None,
        }
    }

    fn asset() -> Asset {
        Asset {
            asset_id: domain::AssetId::new(uuid::Uuid::nil()),
            symbol: Symbol::parse("AAPL").expect("a symbol"),
            name: String::new(),
            exchange: String::new(),
            status: "active".to_owned(),
            tradable: true,
            fractionable: true,
        }
    }

    proptest! {
        /// QTY-3, BP-3: a dollar limit asks for no more than its dollars, and its hold is exactly them.
        #[test]
        fn qty_3_the_hold_of_a_dollar_limit_is_its_dollars(cents in 100_i64..100_000_000, ticks in 1_i64..100_000_000) {
            let dollars = Money::from_decimal(Decimal::new(cents, 2));
            let limit = Price::new(Decimal::new(ticks, 4)).expect("a price");
            let terms = terms(&draft(Size::Dollars(dollars), Some(limit)), &asset(), None, Decimal::ZERO);
            // Only what is worth next to nothing can ask for too many shares.
            prop_assume!(terms.is_ok() || cents * 100 / ticks >= 1_000_000_000);
            if let Ok(terms) = terms {
                let cost = limit.notional(terms.qty).expect("an amount");
                prop_assert!(cost <= dollars, "{cost} of {dollars}");
                prop_assert_eq!(cost.ceil_to_cent(), dollars);
                prop_assert_eq!(terms.value, dollars);
            }
        }

        /// QTY-3, PX-7: whatever a market buy of dollars trades at, it spends no more than they are, and its hold is exactly them.
        #[test]
        fn qty_3_dollars_at_the_market_are_never_exceeded(cents in 100_i64..100_000_000, ticks in 1_000_i64..100_000_000) {
            let dollars = Money::from_decimal(Decimal::new(cents, 2));
            let price = Price::new(Decimal::new(ticks, 4)).expect("a price");
            let reference = Reference { price, at: domain::Timestamp::UNIX_EPOCH };
            let drafted = draft(Size::Dollars(dollars), None);
            let terms = terms(&drafted, &asset(), Some(reference), Decimal::new(5, 2)).expect("terms");
            let cost = terms.limit_price.notional(terms.qty).expect("an amount");
            prop_assert!(cost <= dollars, "{cost} of {dollars}");
            prop_assert_eq!(cost.ceil_to_cent(), dollars);
            prop_assert!(terms.limit_price.get() + Decimal::new(1, 2) >= price.get());
            prop_assert!(terms.limit_price.get() <= price.get() * Decimal::new(105, 2));
        }
    }
}
