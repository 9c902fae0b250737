//! What is remembered and told of the orders of a batch, once they are committed.

use domain::{Money, OrderId};
use tracing::{info, warn};

use super::decide::recent::Remembered;
use super::decide::{Accepted, Unchecked, Unmeasured};
use crate::error::PlaceOrderError;

/// Of the orders of one batch.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// They themselves, for orders that equal them.
    pub(super) orders: Vec<Remembered>,
    /// What they are worth together.
    pub(super) value: Money,
    unchecked: Vec<(Unchecked, OrderId)>,
    unmeasured: Vec<(Unmeasured, OrderId)>,
    /// Of them, how many equal another one.
    duplicates: u64,
    /// The first of each burst of equal orders, and what it equals.
    shown: Vec<(OrderId, OrderId)>,
}

impl Taken {
    pub(super) fn of(decided: &[Result<Accepted, PlaceOrderError>]) -> Self {
        let mut taken = Taken::default();
        for accepted in decided.iter().flatten() {
            let order = &accepted.order;
            taken.orders.push(accepted.remembered());
            taken.value = taken.value.plus(order.open_value()).unwrap_or(taken.value);
            taken
                .unchecked
                .extend(accepted.unchecked.map(|why| (why, order.order_id)));
            taken
                .unmeasured
                .extend(accepted.unmeasured.map(|why| (why, order.order_id)));
            taken.duplicates += u64::from(accepted.duplicate_of.is_some());
            let shown = accepted.duplicate_of.filter(|earlier| !earlier.shown);
            taken.shown.extend(shown.map(|earlier| (order.order_id, earlier.order)));
        }
        taken
    }

    /// Counts and logs what somebody should look at: once a batch, however many orders it is about.
    pub(super) fn tell(&self) {
        for why in [Unchecked::NoPrice, Unchecked::OldPrice] {
            let Some((first, count)) = those(&self.unchecked, why) else {
                continue;
            };
            metrics::counter!("daybook_order_manager_collar_skipped_total", "reason" => why.to_string())
                .increment(count);
            info!(order.id = %first, orders = count, reason = %why,
                "took {count} orders without a price to measure them by ({why}), the first is {first}");
        }
        for why in [Unmeasured::NoVolume, Unmeasured::OldVolume] {
            let Some((first, count)) = those(&self.unmeasured, why) else {
                continue;
            };
            metrics::counter!("daybook_order_manager_volume_skipped_total", "reason" => why.to_string())
                .increment(count);
            info!(order.id = %first, orders = count, reason = %why,
                "took {count} orders without a volume to measure them by ({why}), the first is {first}");
        }
        if self.duplicates > 0 {
            metrics::counter!("daybook_order_manager_duplicates_total").increment(self.duplicates);
        }
        for (order, earlier) in &self.shown {
            warn!(order.id = %order, "order {order} equals order {earlier} of the last two seconds");
        }
    }
}

/// The first order of this reason and how many there are, if there are any.
fn those<W: PartialEq>(orders: &[(W, OrderId)], why: W) -> Option<(OrderId, u64)> {
    let mut of_it = orders.iter().filter(|(reason, _)| *reason == why);
    let (_, first) = of_it.next()?;
    Some((*first, 1 + u64::try_from(of_it.count()).unwrap_or(u64::MAX - 1)))
}
