//! From the venue's words to the facts of the bus. Pure.

use super::Owner;
use bus::NewEvent;
use domain::order::EndKind;
use domain::{ExecId, OrderId, RequestId, Timestamp, VenueOrderId};
use orders::VenueExec;
use std::collections::HashMap;
use uuid::Uuid;
use venue::{UpdateKind, VenueExecution, VenueUpdate};
use wire::events::v1::{End, Fact, VenueReport};

/// Orders of others at the venue get an id of their own, so that one that cannot be handled parks nobody else.
const NAMESPACE: Uuid = Uuid::from_u128(0x91d2_7c40_55aa_5c1e_b7b1_da7b_00c0_1a7e);

/// One thing told, for the order that carries our key and for one that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// The key it carries, if that is an order id.
    pub(super) key: Option<OrderId>,
    name_there: VenueOrderId,
    exec_id: Option<ExecId>,
    ours: Fact,
    /// What of it matters when the order is none of ours: executions only.
    not_ours: Option<Fact>,
}

/// An update of the stream; `None` where it says nothing that the applier needs. Acknowledgements are among those: the
/// executor's own answer says so.
pub(super) fn update(update: &VenueUpdate) -> Option<Told> {
    let order = &update.order;
    let at = update.at;
    let (exec_id, ours, not_ours) = match &update.kind {
        UpdateKind::Filled { exec_id, qty, price } => {
            let execution = VenueExecution {
                cursor: String::new(),
                exec_id: exec_id.clone(),
                venue_order_id: order.venue_order_id.clone(),
                symbol: order.order.symbol.clone(),
                side: order.order.side,
                qty: *qty,
                price: *price,
                at,
            };
            return Some(self::execution(&execution, order.key));
        }
        UpdateKind::Busted { exec_id, qty, price } => {
            let bust = Fact::Busted {
                exec_id: exec_id.to_string(),
                qty: qty.get(),
                price: price.get(),
                at,
            };
            (Some(exec_id.clone()), bust.clone(), Some(bust))
        }
        UpdateKind::Corrected { exec_id, qty, price } => {
            let correction = Fact::Corrected {
                exec_id: exec_id.to_string(),
                qty: qty.get(),
                price: price.get(),
                at,
            };
            (Some(exec_id.clone()), correction.clone(), Some(correction))
        }
        UpdateKind::Ended(kind) => {
            let reason = update.reason.clone();
            (
                None,
                Fact::Ended {
                    end: end(*kind),
                    filled_qty: order.filled_qty.get(),
                    reason,
                    at,
                    replaced_by: order.replaced_by.as_ref().map(ToString::to_string),
                },
                None,
            )
        }
        UpdateKind::DoneForDay => (None, Fact::DoneForDay, None),
        UpdateKind::CancelRefused => {
            let reason = update
                .reason
                .clone()
                .unwrap_or_else(|| "the exchange refused the cancel".to_owned());
            (None, Fact::CancelRefused { reason }, None)
        }
        UpdateKind::Acknowledged | UpdateKind::ReplaceRefused | UpdateKind::Other(_) => return None,
    };
    Some(Told {
        key: order.key,
        name_there: order.venue_order_id.clone(),
        exec_id,
        ours,
        not_ours,
    })
}

/// An execution of the venue's record.
pub(super) fn execution(execution: &VenueExecution, key: Option<OrderId>) -> Told {
    let (exec_id, venue_order_id) = (execution.exec_id.to_string(), execution.venue_order_id.to_string());
    let (qty, price, at) = (execution.qty.get(), execution.price.get(), execution.at);
    Told {
        key,
        name_there: execution.venue_order_id.clone(),
        exec_id: Some(execution.exec_id.clone()),
        ours: Fact::Filled {
            exec_id: exec_id.clone(),
            venue_order_id: venue_order_id.clone(),
            qty,
            price,
            at,
        },
        not_ours: Some(Fact::Unmatched {
            exec_id,
            venue_order_id,
            symbol: execution.symbol.to_string(),
            side: execution.side.to_string(),
            qty,
            price,
            at,
        }),
    }
}

impl Told {
    /// The report for the bus, once it is known whose the order is.
    pub(super) fn report(
        &self,
        venue: &str,
        owners: &HashMap<OrderId, Owner>,
        source: &str,
        received_at: Timestamp,
    ) -> Option<NewEvent> {
        let owner = self.key.and_then(|key| owners.get(&key));
        let fact = if owner.is_some() {
            Some(&self.ours)
        } else {
            self.not_ours.as_ref()
        };
        let stranger = || Uuid::new_v5(&NAMESPACE, format!("{venue}:{}", self.name_there).as_bytes());
        let report = VenueReport {
            venue: venue.to_owned(),
            order_id: self.key.map_or_else(stranger, OrderId::get),
            account_id: owner.map_or(Uuid::nil(), |owner| owner.account.get()),
            fact: fact?.clone(),
            source: source.to_owned(),
            received_at,
        };
        let request = owner
            .map(|owner| owner.request.clone())
            .or_else(|| RequestId::new(&format!("intake:{venue}")).ok());
        Some(NewEvent::venue_report(&report, request?))
    }

    /// The fill it tells of, by what identifies it.
    pub(super) fn execution(&self, venue: &str) -> Option<VenueExec> {
        let fill = matches!(self.ours, Fact::Filled { .. });
        self.exec_id.clone().filter(|_| fill).map(|id| (venue.to_owned(), id))
    }
}

const fn end(kind: EndKind) -> End {
    match kind {
        EndKind::Canceled => End::Canceled,
        EndKind::Expired => End::Expired,
        EndKind::Rejected => End::Rejected,
        EndKind::Replaced => End::Replaced,
    }
}
