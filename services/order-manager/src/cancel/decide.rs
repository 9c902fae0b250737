//! Which wishes are taken, given the orders as they are under the lock. Pure.

use std::collections::{HashMap, HashSet};

use domain::order::Wish;
use domain::{OrderId, RequestId};
use orders::StoredOrder;

use super::{CancelCommand, CancelReply};
use crate::error::CancelError;

/// An order whose wish is new.
pub(super) struct Wished<'a> {
    pub(super) order: &'a StoredOrder,
    pub(super) request_id: &'a RequestId,
}

/// The replies, and what has to be written. An order that is wished for already, or twice in the batch, is a success
/// without an effect: clients repeat a DELETE whose answer was lost.
pub(super) fn decide<'a>(
    batch: &'a [CancelCommand],
    stored: &'a HashMap<OrderId, StoredOrder>,
) -> (Vec<CancelReply>, Vec<Wished<'a>>) {
    let mut wished = Vec::new();
    let mut seen = HashSet::new();
    let replies = batch
        .iter()
        .map(|command| {
            let one = |id: &OrderId| {
                let order = may_end(command, *id, stored)?;
                if order.wish() != Some(Wish::Cancel) && seen.insert(*id) {
                    wished.push(Wished {
                        order,
                        request_id: &command.request_id,
                    });
                }
                Ok(())
            };
            command.orders.iter().map(one).collect()
        })
        .collect();
    (replies, wished)
}

fn may_end<'a>(
    command: &CancelCommand,
    id: OrderId,
    stored: &'a HashMap<OrderId, StoredOrder>,
) -> Result<&'a StoredOrder, CancelError> {
    let order = stored
        .get(&id)
        .filter(|order| order.account_id == command.account)
        .ok_or_else(|| CancelError::NotFound(id.to_string()))?;
    if order.state.status.is_open() {
        Ok(order)
    } else {
        Err(CancelError::Final(order.state.status))
    }
}
