//! One hold for two orders of which the venue has yet to say which one lives on (BP-4).
//!
//! The order that has its place holds as if nothing were asked. The one that waits for the place holds what the two may
//! cost beyond that. So each keeps the larger of the two costs, and settles to the survivor's when the venue has spoken.
//! There is one case more: where the replacement is for more shares at a lower limit, the old order may fill at its higher
//! limit before it gives way, and the rest is bought at the lower one. That costs more than either alone, and is held.

use super::order::buy_hold;
use crate::transfer::LedgerError;
use domain::order::OrderState;
use domain::{Money, OrderStatus, Price, Qty, Side};
use rust_decimal::Decimal;

/// An order as its hold sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// Dollars a share, the worst it may trade at.
    pub limit: Price,
    /// Where it stands.
    pub state: OrderState,
    /// Dollars booked for its fills so far.
    pub posted: Money,
}

/// The other order of a replace that the venue has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// It waits for this order's place.
    Replacement(Leg),
    /// It still has the place that this order waits for.
    Replaced(Leg),
}

/// Dollars (a buy) or shares (a sell) that an order and the one beside it must have set aside.
///
/// # Errors
/// [`LedgerError::Amount`] beyond the exact range.
pub fn held(side: Side, own: &Leg, beside: Option<&Beside>) -> Result<Decimal, LedgerError> {
    match beside {
        None => held_alone(side, own),
        Some(Beside::Replacement(new)) => Ok(held_alone(side, own)? + held_in_waiting(side, new, own)?),
        Some(Beside::Replaced(old)) => Ok(held_alone(side, old)? + held_in_waiting(side, own, old)?),
    }
}

fn held_alone(side: Side, own: &Leg) -> Result<Decimal, LedgerError> {
    Ok(match side {
        Side::Buy => buy_hold(own.limit, &own.state, own.posted)?.get(),
        Side::Sell => own.state.leaves().get(),
    })
}

/// What a replacement holds while `old` has not given way: what the chain may cost beyond what `old` holds. Below zero
/// where its own fills, heard before the news that it has the place, have used up money that `old` still holds.
///
/// # Errors
/// [`LedgerError::Amount`] beyond the exact range.
pub fn held_in_waiting(side: Side, new: &Leg, old: &Leg) -> Result<Decimal, LedgerError> {
    if old.state.status == OrderStatus::Replaced {
        return held_alone(side, new);
    }
    // Once the new one has filled, the old one does not live on; before, it may.
    let old_may_live = new.state.filled.is_zero();
    if old_may_live && !new.state.status.is_open() {
        return Ok(Decimal::ZERO);
    }
    let leaves = old.state.leaves();
    let room = room(&new.state, &old.state);
    let both = leaves.min(room);
    // What is left for the new one after the old one's last fills; nothing where it is over already.
    let (at_most, after_both) = if new.state.status.is_open() {
        (room, room.minus(both).unwrap_or(Qty::ZERO))
    } else {
        (both, Qty::ZERO)
    };
    if side == Side::Sell {
        let may_sell = if old_may_live { at_most.max(leaves) } else { at_most };
        return Ok(may_sell.get() - leaves.get());
    }
    let in_turn = old.limit.notional(both)?.plus(new.limit.notional(after_both)?)?;
    let old_alone = old.limit.notional(leaves)?;
    let mut worst = in_turn;
    if new.state.status.is_open() {
        worst = worst.max(new.limit.notional(room)?);
    }
    if old_may_live {
        worst = worst.max(old_alone);
    }
    let beyond = new.state.notional.plus(worst)?.minus(old_alone)?;
    Ok(beyond.ceil_to_cent().minus(new.posted)?.get())
}

/// Shares that the new order could still buy or sell if it had the place now.
fn room(new: &OrderState, old: &OrderState) -> Qty {
    let gone = old.cumulative().plus(new.filled).unwrap_or(new.ordered);
    new.ordered.minus(gone).unwrap_or(Qty::ZERO)
}

#[cfg(test)]
mod tests {
    //! BP-4 by numbers.
    use super::*;
    use domain::order::{EndKind, OrderEvent};
    use rust_decimal::dec;

    fn leg(limit: Decimal, state: OrderState) -> Leg {
        Leg {
            limit: Price::new(limit).expect("a price"),
            state,
            posted: state.notional.round_to_cent(),
        }
    }

    fn shares(qty: Decimal) -> Qty {
        Qty::new(qty).expect("a quantity")
    }

    fn filled(state: OrderState, qty: Decimal, price: Decimal) -> OrderState {
        let (qty, price) = (shares(qty), Price::new(price).expect("a price"));
        state.after(OrderEvent::Filled { qty, price }).expect("it fits").0
    }

    /// Both orders together: the old one of 10 @ 100.00 with so much filled, the new one of `qty` @ `limit`.
    fn both(side: Side, old_filled: Decimal, qty: Decimal, limit: Decimal) -> Decimal {
        let mut old = OrderState::accepted(shares(dec!(10)));
        if !old_filled.is_zero() {
            old = filled(old, old_filled, dec!(100));
        }
        let (old, new) = (leg(dec!(100), old), leg(limit, OrderState::replacement(shares(qty))));
        held(side, &old, Some(&Beside::Replacement(new))).expect("small numbers")
    }

    #[test]
    fn bp_4_the_larger_cost_is_held_while_the_venue_decides() {
        let cases = [
            ("the same again", dec!(0), dec!(10), dec!(100), dec!(1000)),
            ("a higher limit", dec!(0), dec!(10), dec!(110), dec!(1100)),
            ("a lower limit", dec!(0), dec!(10), dec!(90), dec!(1000)),
            ("more shares", dec!(0), dec!(15), dec!(100), dec!(1500)),
            ("fewer shares", dec!(0), dec!(4), dec!(100), dec!(1000)),
            ("fewer shares, dearer", dec!(0), dec!(9), dec!(120), dec!(1080)),
            ("of what is left", dec!(4), dec!(10), dec!(110), dec!(660)),
            ("more, of what is left", dec!(4), dec!(12), dec!(100), dec!(800)),
            ("fills overtake it", dec!(4), dec!(3), dec!(110), dec!(600)),
            ("nothing is left", dec!(10), dec!(12), dec!(50), dec!(100)),
        ];
        for (what, old_filled, qty, limit, expected) in cases {
            assert_eq!(both(Side::Buy, old_filled, qty, limit), expected, "{what}");
        }
    }

    /// 9 of the old 10 may fill at 100.00 before the new order buys 3 at 50.00.
    #[test]
    fn bp_4_more_shares_at_a_lower_limit_may_cost_more_than_either_order() {
        assert_eq!(both(Side::Buy, dec!(0), dec!(12), dec!(50)), dec!(1100));
    }

    #[test]
    fn bp_5_a_sell_holds_the_larger_number_of_shares() {
        assert_eq!(both(Side::Sell, dec!(0), dec!(12), dec!(100)), dec!(12));
        assert_eq!(both(Side::Sell, dec!(0), dec!(8), dec!(100)), dec!(10));
        assert_eq!(both(Side::Sell, dec!(4), dec!(12), dec!(100)), dec!(8));
    }

    #[test]
    fn ord_8_a_fill_before_the_news_uses_what_the_old_order_holds() {
        let old = leg(dec!(100), OrderState::accepted(shares(dec!(10))));
        let new = filled(OrderState::replacement(shares(dec!(10))), dec!(4), dec!(100));
        let both = held(Side::Buy, &old, Some(&Beside::Replacement(leg(dec!(100), new))));
        assert_eq!(both.expect("small numbers"), dec!(600));
    }

    #[test]
    fn bp_4_it_settles_to_the_survivor() {
        let old = filled(OrderState::accepted(shares(dec!(10))), dec!(4), dec!(100));
        let end = |why| {
            let filled = shares(dec!(4));
            leg(
                dec!(100),
                old.after(OrderEvent::Ended { why, filled }).expect("an end").0,
            )
        };
        let waiting = OrderState::replacement(shares(dec!(12)));
        let taken = OrderEvent::TookOver {
            carried: shares(dec!(4)),
        };
        let new = leg(dec!(110), waiting.after(taken).expect("in its place").0);
        let replaced = held(Side::Buy, &new, Some(&Beside::Replaced(end(EndKind::Replaced))));
        assert_eq!(replaced.expect("small numbers"), dec!(880));
        let refused = OrderEvent::Ended {
            why: EndKind::Rejected,
            filled: Qty::ZERO,
        };
        let new = leg(dec!(110), waiting.after(refused).expect("an end").0);
        let old = leg(dec!(100), old);
        assert_eq!(
            held(Side::Buy, &old, Some(&Beside::Replacement(new))).expect("small"),
            dec!(600)
        );
    }
}
