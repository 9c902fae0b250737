//! An order in another one's place, decided in the book: what the old one traded by then stays its own, and from that
//! moment only the new one trades.

use domain::TimeInForce;

use super::book::Owner;
use super::market::OpenOrder;
use super::{CoreEvent, Market, NewOrder, NotOpen, OrderNo};

impl Market {
    /// Puts `new` in the place of an order on the book; its `qty` is what is left of its total. It stands where the old
    /// one stood if only shares were taken away; else it comes in as any other order, and may trade at once.
    ///
    /// # Errors
    /// [`NotOpen`] when the old order is not on the book: over, or waiting for the session.
    pub fn replace(&mut self, old: OrderNo, new: NewOrder) -> Result<Vec<CoreEvent>, NotOpen> {
        let order = *self
            .open
            .get(&old)
            .filter(|order| order.resting.is_some())
            .ok_or(NotOpen)?;
        let in_its_place = only_shrinks(&order, &new);
        let mut events = vec![CoreEvent::Replaced {
            old,
            by: new.no,
            in_its_place,
        }];
        if let Some(place) = order.resting.filter(|_| in_its_place) {
            self.drop_entry(old);
            let book = &mut self.stalls[order.symbol.0].book;
            book.hand_over(place, Owner::Customer(new.no), new.qty);
            self.keep(&new, new.qty, Some(place));
            events.push(CoreEvent::Opened(new.no));
        } else {
            // Off the book before the new one comes: the two are never there together.
            self.cancel(old)?;
            events.extend(self.submit(new));
        }
        Ok(events)
    }
}

fn only_shrinks(old: &OpenOrder, new: &NewOrder) -> bool {
    let rests = matches!(new.time_in_force, TimeInForce::Day | TimeInForce::Gtc);
    rests && new.time_in_force == old.time_in_force && new.limit == old.limit && new.qty <= old.leaves
}
