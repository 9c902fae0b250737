//! Replacements at the scripted venue: decided at once, or, with [`Act::Pend`], when the test says so.

use super::FakeVenue;
use super::state::{Act, State, after, undone};
use crate::{Fault, Refusal, Replacing, UpdateKind, VenueOrder, VenueOrderView, VenueStatus};
use domain::order::EndKind;
use domain::{OrderId, Qty, Timestamp, VenueOrderId};

impl FakeVenue {
    /// A replacement that is pending is decided: it takes the old order's place, or is refused because that is over.
    pub fn decide_replace(&self, key: OrderId) {
        let now = self.0.clock.now();
        let mut state = self.state();
        state.decide(key, now);
        self.tell(&mut state);
    }

    /// A replacement that is pending is refused, with this reason; the old order goes on.
    pub fn refuse_replace(&self, key: OrderId, reason: &str) {
        let now = self.0.clock.now();
        let mut state = self.state();
        state.turn_down(key, EndKind::Rejected, reason, now);
        self.tell(&mut state);
    }
}

impl State {
    pub(super) fn replace(
        &mut self,
        act: &Act,
        key: OrderId,
        old: &VenueOrderId,
        order: &VenueOrder,
        now: Timestamp,
    ) -> Replacing {
        if *act == Act::Late {
            self.late.push((key, order.clone(), Some(old.clone())));
        }
        if let Some(outcome) = undone(act) {
            return outcome.map_or_else(Replacing::Unknown, Replacing::Refused);
        }
        if !order.qty.is_whole() {
            let reason = "fractional orders cannot be replaced".to_owned();
            return Replacing::Refused(no(42_210_000, reason));
        }
        if let Err(refusal) = self.take_replacement(key, old, order, now, *act == Act::Pend) {
            return Replacing::Refused(refusal);
        }
        let view = self.of_key(key).expect("it was just put there, or was there").clone();
        match after(act) {
            Some(fault) => Replacing::Unknown(fault),
            None => answer(view, key, old, order),
        }
    }

    /// Takes a replacement, unless its key is taken or the old order has no place to give.
    pub(super) fn take_replacement(
        &mut self,
        key: OrderId,
        old: &VenueOrderId,
        order: &VenueOrder,
        now: Timestamp,
        pend: bool,
    ) -> Result<(), Refusal> {
        if self.of_key(key).is_some() {
            return Ok(());
        }
        let at = self.replaceable(old, order.qty)?;
        let former = self.orders[at].status;
        let new = self.put(key, order, now);
        self.orders[new].replaces = Some(old.clone());
        self.pending.insert(key, (at, former));
        self.orders[new].status = VenueStatus::PendingReplace;
        self.orders[at].status = VenueStatus::PendingReplace;
        if pend {
            self.record(at, UpdateKind::Other("pending_replace".to_owned()), now);
        } else {
            self.decide(key, now);
        }
        Ok(())
    }

    fn replaceable(&self, old: &VenueOrderId, qty: Qty) -> Result<usize, Refusal> {
        let at = self.position_of(old).filter(|at| self.orders[*at].key.is_some());
        let at = at.ok_or_else(|| no(40_410_000, format!("order not found for {old}")))?;
        let view = &self.orders[at];
        match view.status {
            VenueStatus::Working | VenueStatus::DoneForDay => {}
            _ => return Err(no(42_210_000, "unable to replace order, order is not open".to_owned())),
        }
        let traded = view.filled_qty.plus(self.carried(at)).expect("small numbers of shares");
        if qty <= traded {
            return Err(no(42_210_000, "qty must be greater than filled_qty".to_owned()));
        }
        Ok(at)
    }

    /// Decides a pending replacement; an old order that is over meanwhile has no place to give.
    fn decide(&mut self, key: OrderId, now: Timestamp) {
        let (at, _) = self.pending[&key];
        let new = self.by_key[&key];
        let old = &self.orders[at];
        let traded = old.filled_qty.plus(self.carried(at)).expect("small numbers of shares");
        if old.status != VenueStatus::PendingReplace || self.orders[new].order.qty <= traded {
            return self.turn_down(
                key,
                EndKind::Rejected,
                "unable to replace order, order is not open",
                now,
            );
        }
        self.pending.remove(&key);
        let name = self.orders[new].venue_order_id.clone();
        self.orders[at].replaced_by = Some(name);
        self.end_at(at, EndKind::Replaced, now);
        self.carried.insert(new, traded);
        self.orders[new].status = VenueStatus::Working;
        self.orders[new].updated_at = now;
        self.record(new, UpdateKind::Acknowledged, now);
        self.trade(new, now);
    }

    /// A pending replacement ends without having taken a place; the old order, if it is still there, goes on.
    pub(super) fn turn_down(&mut self, key: OrderId, why: EndKind, reason: &str, now: Timestamp) {
        let (at, former) = self.pending.remove(&key).expect("a pending replacement");
        // Of an order that is over nothing is told any more.
        if self.orders[at].status == VenueStatus::PendingReplace {
            self.orders[at].status = former;
            self.record(at, UpdateKind::ReplaceRefused, now);
            self.because(reason);
        }
        self.end_at(self.by_key[&key], why, now);
        self.because(reason);
    }

    /// What the orders before this one in its chain traded.
    pub(super) fn carried(&self, at: usize) -> Qty {
        self.carried.get(&at).copied().unwrap_or(Qty::ZERO)
    }
}

/// As every adapter: an order that is not what was asked is a doubt.
fn answer(view: VenueOrderView, key: OrderId, old: &VenueOrderId, asked: &VenueOrder) -> Replacing {
    let other = (view.replaces.as_ref() != Some(old)).then(|| "replaces".to_owned());
    match view.differs_from(key, asked).or(other) {
        Some(what) => Replacing::Unknown(Fault::Mismatch(what)),
        None => Replacing::Replaced(view),
    }
}

fn no(code: i64, reason: String) -> Refusal {
    Refusal { code, reason }
}
