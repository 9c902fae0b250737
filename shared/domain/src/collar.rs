//! The collar: how far from the reference price an order may reach.
//!
//! A market order goes out as a limit at the collar (PX-7), and a limit that reaches beyond it is refused (PX-5).
//! Only the aggressive side counts: a buy above, a sell below. A limit far away on the other side is only patient.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::amount::Price;
use crate::order::Side;

/// The finest tick there is; no limit is below it.
const LEAST: Decimal = Decimal::from_parts(1, 0, 0, false, 4);
/// No limit is above it ([`Price::new`]).
const MOST: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// The worst limit that `fraction` of the reference allows, on the tick (PX-1). Rounded towards the reference, so that
/// it is never beyond the collar, save where less than one tick would be left.
///
/// A `fraction` is of 1: five percent is 0.05.
pub fn collared_limit(side: Side, reference: Price, fraction: Decimal) -> Price {
    let exact = bound(side, reference, fraction);
    let towards = match side {
        Side::Buy => RoundingStrategy::ToNegativeInfinity,
        Side::Sell => RoundingStrategy::ToPositiveInfinity,
    };
    let digits = if exact >= Decimal::ONE { 2 } else { 4 };
    let on_tick = exact.round_dp_with_strategy(digits, towards).clamp(LEAST, MOST);
    Price::new(on_tick).unwrap_or(reference)
}

/// Whether this limit reaches farther than `fraction` of the reference allows.
pub fn beyond_collar(side: Side, limit: Price, reference: Price, fraction: Decimal) -> bool {
    let bound = bound(side, reference, fraction);
    match side {
        Side::Buy => limit.get() > bound,
        Side::Sell => limit.get() < bound,
    }
}

/// Where the collar ends, exactly. A fraction beyond all numbers allows anything.
fn bound(side: Side, reference: Price, fraction: Decimal) -> Decimal {
    let (factor, farthest) = match side {
        Side::Buy => (Decimal::ONE.checked_add(fraction), MOST),
        Side::Sell => (Decimal::ONE.checked_sub(fraction), Decimal::ZERO),
    };
    factor
        .and_then(|factor| reference.get().checked_mul(factor))
        .unwrap_or(farthest)
}

#[cfg(test)]
mod tests {
    //! Where collars end.

    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use rstest::rstest;

    fn price(text: &str) -> Price {
        Price::parse(text).unwrap()
    }

    fn fraction(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    #[rstest]
    #[case(Side::Buy, "100", "0.05", "105")]
    #[case(Side::Sell, "100", "0.05", "95")]
    #[case::a_buy_rounds_down(Side::Buy, "10.19", "0.05", "10.69")]
    #[case::a_sell_rounds_up(Side::Sell, "10.19", "0.05", "9.69")]
    #[case::finer_below_a_dollar(Side::Buy, "0.5123", "0.05", "0.5379")]
    #[case::into_whole_cents(Side::Buy, "0.98", "0.05", "1.02")]
    #[case::out_of_whole_cents(Side::Sell, "1.02", "0.05", "0.969")]
    #[case::up_to_a_dollar(Side::Sell, "1.0526", "0.05", "1")]
    #[case::no_less_than_a_tick(Side::Buy, "0.00005", "0.05", "0.0001")]
    #[case::a_sell_at_anything(Side::Sell, "10", "2", "0.0001")]
    #[case::no_more_than_a_price_can_be(Side::Buy, "999999", "0.05", "1000000")]
    fn px_7_a_market_order_has_its_limit_at_the_collar(
        #[case] side: Side,
        #[case] reference: &str,
        #[case] of: &str,
        #[case] limit: &str,
    ) {
        let made = collared_limit(side, price(reference), fraction(of));
        assert_eq!(made, price(limit));
        assert!(made.on_tick());
    }

    #[rstest]
    #[case(Side::Buy, "110", false)]
    #[case(Side::Buy, "110.01", true)]
    #[case(Side::Buy, "0.01", false)]
    #[case(Side::Sell, "90", false)]
    #[case(Side::Sell, "89.99", true)]
    #[case(Side::Sell, "100000", false)]
    fn px_5_only_aggressive_limits_reach_beyond_the_collar(
        #[case] side: Side,
        #[case] limit: &str,
        #[case] beyond: bool,
    ) {
        let of = fraction("0.10");
        assert_eq!(beyond_collar(side, price(limit), price("100"), of), beyond);
    }

    #[test]
    fn a_fraction_beyond_all_numbers_allows_anything() {
        assert!(!beyond_collar(Side::Buy, price("1000000"), price("1"), Decimal::MAX));
        assert!(!beyond_collar(
            Side::Sell,
            price("0.0001"),
            price("1000000"),
            Decimal::MAX
        ));
    }
}
