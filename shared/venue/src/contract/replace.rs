//! What every venue must do with replacements (ORD-8).

use super::{Terms, find, recorded, shares, soon, soon_next, submit};
use crate::{Canceling, Lookup, Replacing, UpdateKind, Venue, VenueOrder, VenueOrderView, VenueStatus};
use chassis::ids::Ids;
use domain::order::EndKind;
use domain::{OrderId, Qty, TimeInForce, VenueOrderId};
use rust_decimal::Decimal;

/// Every sentence about replacements, one after the other.
pub(super) async fn all<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    a_replacement_takes_the_old_orders_place(venue, ids, terms).await;
    a_repeated_replacement_finds_the_first(venue, ids, terms).await;
    a_key_in_use_replaces_nothing(venue, ids, terms).await;
    an_order_that_is_over_has_no_place_to_give(venue, ids, terms).await;
    an_order_nobody_sent_cannot_be_replaced(venue, ids, terms).await;
    a_replacement_is_told_after_the_end_of_the_old_order(venue, ids, terms).await;
    a_replacement_that_crosses_trades_at_once(venue, ids, terms).await;
}

/// ORD-8: the replacement is an order of its own, found by its own key, and both know each other.
pub async fn a_replacement_takes_the_old_orders_place<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let (old_key, key) = (OrderId::new(ids.uuid()), OrderId::new(ids.uuid()));
    let old = submit(venue, old_key, &terms.rest()).await;
    let asked = more(terms);
    let new = replace(venue, key, &old.venue_order_id, &asked).await;
    assert_ne!(new.venue_order_id, old.venue_order_id);
    soon("the old order is over", || async {
        find(venue, old_key).await.status == VenueStatus::Ended(EndKind::Replaced)
    })
    .await;
    let (before, after) = (find(venue, old_key).await, find(venue, key).await);
    assert_eq!(before.replaced_by, Some(new.venue_order_id.clone()));
    assert_eq!((before.replaces, before.filled_qty), (None, Qty::ZERO));
    assert_eq!(after.replaces, Some(old.venue_order_id.clone()));
    assert_eq!((after.status, after.replaced_by.clone()), (VenueStatus::Working, None));
    assert_eq!(after.differs_from(key, &asked), None);
    let late = venue.cancel(&old.venue_order_id).await;
    assert!(matches!(late, Canceling::TooLate(_)), "{late:?}");
    assert_eq!(venue.cancel(&new.venue_order_id).await, Canceling::Taken);
}

/// V5: whoever replaces twice under one key has one replacement.
pub async fn a_repeated_replacement_finds_the_first<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let key = OrderId::new(ids.uuid());
    let old = submit(venue, OrderId::new(ids.uuid()), &terms.rest()).await;
    let first = replace(venue, key, &old.venue_order_id, &more(terms)).await;
    let second = replace(venue, key, &old.venue_order_id, &more(terms)).await;
    assert_eq!(first.venue_order_id, second.venue_order_id);
    let open = venue.open_orders().await.expect("a list");
    let of_chain =
        |view: &&VenueOrderView| [&old.venue_order_id, &first.venue_order_id].contains(&&view.venue_order_id);
    assert_eq!(open.iter().filter(of_chain).count(), 1, "one of the two is open");
}

/// V5: a key that names another order is a doubt, and the order that was to be replaced is as it was.
pub async fn a_key_in_use_replaces_nothing<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let (key, used) = (OrderId::new(ids.uuid()), OrderId::new(ids.uuid()));
    let old = submit(venue, key, &terms.rest()).await;
    submit(venue, used, &more(terms)).await;
    let answer = venue.replace(used, &old.venue_order_id, &more(terms)).await;
    assert!(matches!(answer, Replacing::Unknown(_)), "{answer:?}");
    assert_eq!(find(venue, key).await.status, VenueStatus::Working);
}

/// A replacement that comes too late is refused with a reason, and leaves nothing behind.
pub async fn an_order_that_is_over_has_no_place_to_give<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let (old_key, key) = (OrderId::new(ids.uuid()), OrderId::new(ids.uuid()));
    let old = submit(venue, old_key, &terms.rest()).await;
    assert_eq!(venue.cancel(&old.venue_order_id).await, Canceling::Taken);
    soon("the end is shown", || async {
        find(venue, old_key).await.status == VenueStatus::Ended(EndKind::Canceled)
    })
    .await;
    match venue.replace(key, &old.venue_order_id, &more(terms)).await {
        Replacing::Refused(refusal) => assert!(!refusal.reason.is_empty()),
        other => panic!("{other:?}"),
    }
    assert_eq!(venue.lookup(key).await, Lookup::NotFound);
}

/// A replacement of nothing is refused.
pub async fn an_order_nobody_sent_cannot_be_replaced<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let id = VenueOrderId::new(&ids.uuid().to_string()).expect("a UUID is plain text");
    let answer = venue.replace(OrderId::new(ids.uuid()), &id, &more(terms)).await;
    assert!(matches!(answer, Replacing::Refused(_)), "{answer:?}");
}

/// The stream tells the end of the old order, with who goes on, and then the new one.
pub async fn a_replacement_is_told_after_the_end_of_the_old_order<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let (old_key, key) = (OrderId::new(ids.uuid()), OrderId::new(ids.uuid()));
    let old = submit(venue, old_key, &terms.rest()).await;
    let mut updates = venue.updates(None).await.expect("a stream");
    let new = replace(venue, key, &old.venue_order_id, &more(terms)).await;
    let mut told = Vec::new();
    while told.last() != Some(&(Some(key), UpdateKind::Acknowledged)) {
        let update = soon_next(&mut updates).await;
        if update.kind == UpdateKind::Ended(EndKind::Replaced) {
            assert_eq!(update.order.replaced_by, Some(new.venue_order_id.clone()));
        }
        if [Some(old_key), Some(key)].contains(&update.order.key) && !matches!(update.kind, UpdateKind::Other(_)) {
            told.push((update.order.key, update.kind));
        }
    }
    assert_eq!(told[0], (Some(old_key), UpdateKind::Ended(EndKind::Replaced)));
    assert_eq!(told.len(), 2, "{told:?}");
}

/// A replacement at a better price trades, and its fills are its own.
pub async fn a_replacement_that_crosses_trades_at_once<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let (old_key, key) = (OrderId::new(ids.uuid()), OrderId::new(ids.uuid()));
    let old = submit(venue, old_key, &terms.rest()).await;
    let asked = terms.order(terms.marketable, TimeInForce::Day);
    let new = replace(venue, key, &old.venue_order_id, &asked).await;
    soon("it is filled", || async {
        find(venue, key).await.status == VenueStatus::Filled
    })
    .await;
    let traded =
        |fills: Vec<(domain::ExecId, Qty, domain::Price)>| fills.iter().map(|fill| fill.1.get()).sum::<Decimal>();
    assert_eq!(traded(recorded(venue, &new.venue_order_id).await), Decimal::TWO);
    assert_eq!(traded(recorded(venue, &old.venue_order_id).await), Decimal::ZERO);
}

async fn replace<V: Venue>(venue: &V, key: OrderId, old: &VenueOrderId, order: &VenueOrder) -> VenueOrderView {
    match venue.replace(key, old, order).await {
        Replacing::Replaced(view) => view,
        other => panic!("{other:?}"),
    }
}

/// More of the same.
fn more(terms: &Terms) -> VenueOrder {
    VenueOrder {
        qty: shares(5),
        ..terms.rest()
    }
}
