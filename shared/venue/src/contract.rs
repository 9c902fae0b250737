//! What every venue must do: one suite, run against the fake and, over HTTP, against a real server.
//!
//! Each function is one sentence of the contract and panics where it is broken. A caller brings a venue with an empty
//! account, a source of ids that were never used there, and [`Terms`] that suit its market; [`all`] runs everything.

use crate::{
    Canceling, Lookup, SESSIONS, Submitted, UpdateKind, Venue, VenueOrder, VenueOrderView, VenueStatus, trade_file,
};
use chassis::ids::Ids;
use chrono::NaiveDate;
use domain::order::EndKind;
use domain::{ExecId, OrderId, Price, Qty, Side, Symbol, TimeInForce, VenueOrderId};
use futures::StreamExt;
use rust_decimal::Decimal;
use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;
use uuid::Uuid;

mod replace;

/// What to trade so that the market does what a sentence needs.
pub struct Terms {
    /// A symbol the venue trades, in parts of a share too.
    pub symbol: Symbol,
    /// One of which it trades whole shares only.
    pub whole_only: Symbol,
    /// The date in New York.
    pub today: NaiveDate,
    /// A buy at this price rests.
    pub resting: Price,
    /// A buy at this price trades at once.
    pub marketable: Price,
}

impl Terms {
    fn order(&self, limit_price: Price, time_in_force: TimeInForce) -> VenueOrder {
        let qty = shares(2);
        VenueOrder {
            symbol: self.symbol.clone(),
            side: Side::Buy,
            qty,
            limit_price,
            time_in_force,
        }
    }

    fn rest(&self) -> VenueOrder {
        self.order(self.resting, TimeInForce::Day)
    }
}

/// Every sentence of the contract, one after the other.
pub async fn all<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    an_order_is_found_by_its_key_as_it_was_asked(venue, ids, terms).await;
    a_repeated_key_finds_the_first_order(venue, ids, terms).await;
    a_key_is_never_used_for_two_things(venue, ids, terms).await;
    a_key_never_sent_is_not_found(venue, ids, terms).await;
    many_keys_are_asked_for_at_once(venue, ids, terms).await;
    a_cancel_ends_an_order_and_a_second_one_comes_too_late(venue, ids, terms).await;
    an_order_nobody_sent_cannot_be_canceled(venue, ids).await;
    an_unknown_symbol_is_refused_with_a_reason(venue, ids, terms).await;
    an_open_order_is_listed(venue, ids, terms).await;
    an_execution_is_told_and_recorded_under_one_id(venue, ids, terms).await;
    an_execution_is_found_by_its_id(venue, ids, terms).await;
    a_stream_goes_on_where_it_was_left(venue, ids, terms).await;
    a_traded_symbol_has_an_asset_and_a_quote(venue, terms).await;
    a_traded_symbol_has_an_average_volume(venue, terms).await;
    a_part_of_a_share_trades_exactly(venue, ids, terms).await;
    a_part_of_a_share_is_refused_where_only_whole_ones_trade(venue, ids, terms).await;
    replace::all(venue, ids, terms).await;
}

/// ORD-15: our key leads to the order, and the order is what was asked.
pub async fn an_order_is_found_by_its_key_as_it_was_asked<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let (key, asked) = (OrderId::new(ids.uuid()), terms.rest());
    let acknowledged = submit(venue, key, &asked).await;
    let found = find(venue, key).await;
    assert_eq!(found.differs_from(key, &asked), None);
    assert_eq!(found.venue_order_id, acknowledged.venue_order_id);
    assert_eq!((found.status, found.filled_qty), (VenueStatus::Working, Qty::ZERO));
    let by_id = venue.order(&found.venue_order_id).await;
    assert!(
        matches!(by_id, Lookup::Found(view) if view.key == Some(key)),
        "found by the venue's name too"
    );
}

/// V5: whoever sends twice has one order.
pub async fn a_repeated_key_finds_the_first_order<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let (key, asked) = (OrderId::new(ids.uuid()), terms.rest());
    let first = submit(venue, key, &asked).await;
    let second = submit(venue, key, &asked).await;
    assert_eq!(first.venue_order_id, second.venue_order_id);
}

/// V5: other terms under a used key are a doubt, neither a success nor a refusal.
pub async fn a_key_is_never_used_for_two_things<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let (key, asked) = (OrderId::new(ids.uuid()), terms.rest());
    submit(venue, key, &asked).await;
    let other = VenueOrder {
        qty: shares(3),
        ..asked.clone()
    };
    let answer = venue.submit(key, &other).await;
    assert!(matches!(answer, Submitted::Unknown(_)), "{answer:?}");
    assert_eq!(
        find(venue, key).await.differs_from(key, &asked),
        None,
        "the first order is as it was"
    );
}

/// "Not found" is an answer of its own.
pub async fn a_key_never_sent_is_not_found<V: Venue>(venue: &V, ids: &dyn Ids, _: &Terms) {
    assert_eq!(venue.lookup(OrderId::new(ids.uuid())).await, Lookup::NotFound);
}

/// A takeover asks for all its keys at once: each gets its own answer.
pub async fn many_keys_are_asked_for_at_once<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let keys: Vec<OrderId> = (0..4).map(|_| OrderId::new(ids.uuid())).collect();
    submit(venue, keys[0], &terms.rest()).await;
    submit(venue, keys[2], &terms.rest()).await;
    let answers = venue.lookup_many(&keys).await;
    assert_eq!(answers.len(), 4);
    for (at, key) in keys.iter().enumerate() {
        match &answers[key] {
            Lookup::Found(view) => assert!(at % 2 == 0 && view.key == Some(*key)),
            Lookup::NotFound => assert!(at % 2 == 1),
            Lookup::Unknown(fault) => panic!("{fault}"),
        }
    }
}

/// ORD-14: a cancel is a wish, its end is seen later; after that it is too late.
pub async fn a_cancel_ends_an_order_and_a_second_one_comes_too_late<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let key = OrderId::new(ids.uuid());
    let order = submit(venue, key, &terms.rest()).await;
    assert_eq!(venue.cancel(&order.venue_order_id).await, Canceling::Taken);
    soon("the end is shown", || async {
        find(venue, key).await.status == VenueStatus::Ended(EndKind::Canceled)
    })
    .await;
    let again = venue.cancel(&order.venue_order_id).await;
    assert!(matches!(again, Canceling::TooLate(_)), "{again:?}");
    let same_key = submit(venue, key, &terms.rest()).await;
    assert_eq!(
        same_key.status,
        VenueStatus::Ended(EndKind::Canceled),
        "a burnt key stays burnt"
    );
}

/// A cancel of nothing is told from one that came too late.
pub async fn an_order_nobody_sent_cannot_be_canceled<V: Venue>(venue: &V, ids: &dyn Ids) {
    let id = VenueOrderId::new(&ids.uuid().to_string()).expect("a UUID is plain text");
    assert_eq!(venue.cancel(&id).await, Canceling::NotFound);
}

/// A refusal says why, for the customer, and leaves nothing behind.
pub async fn an_unknown_symbol_is_refused_with_a_reason<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let key = OrderId::new(ids.uuid());
    let symbol = Symbol::parse("NOSUCH").expect("in form a symbol");
    match venue.submit(key, &VenueOrder { symbol, ..terms.rest() }).await {
        Submitted::Refused(refusal) => assert!(!refusal.reason.is_empty()),
        other => panic!("{other:?}"),
    }
    assert_eq!(venue.lookup(key).await, Lookup::NotFound);
}

/// The list of open orders is what a comparison of books needs.
pub async fn an_open_order_is_listed<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let key = OrderId::new(ids.uuid());
    submit(venue, key, &terms.rest()).await;
    let open = venue.open_orders().await.expect("a list");
    assert_eq!(open.iter().filter(|view| view.key == Some(key)).count(), 1);
}

/// ORD-6: stream and record give one execution the same name, so it is booked once.
pub async fn an_execution_is_told_and_recorded_under_one_id<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let key = OrderId::new(ids.uuid());
    let mut updates = venue.updates(None).await.expect("a stream");
    let order = submit(venue, key, &terms.order(terms.marketable, TimeInForce::Ioc)).await;
    let mut told: Vec<(ExecId, Qty, Price)> = Vec::new();
    while told.iter().map(|fill| fill.1.get()).sum::<Decimal>() < Decimal::TWO {
        let update = soon_next(&mut updates).await;
        if let (UpdateKind::Filled { exec_id, qty, price }, true) = (update.kind, update.order.key == Some(key)) {
            told.push((exec_id, qty, price));
        }
    }
    let mut recorded = recorded(venue, &order.venue_order_id).await;
    told.sort();
    recorded.sort();
    assert_eq!(told, recorded);
    assert!(
        told.iter().all(|fill| fill.2 <= terms.marketable),
        "never worse than the limit"
    );
}

/// REC-3: an execution can be asked for by its id; one that never happened is denied.
pub async fn an_execution_is_found_by_its_id<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let key = OrderId::new(ids.uuid());
    let order = submit(venue, key, &terms.order(terms.marketable, TimeInForce::Ioc)).await;
    let (id, qty, price) = recorded(venue, &order.venue_order_id).await.remove(0);
    let found = venue.execution(&id).await.expect("an answer").expect("it happened");
    assert_eq!((found.execution.qty, found.execution.price), (qty, price));
    assert_eq!(found.execution.venue_order_id, order.venue_order_id);
    assert_eq!(found.busted_at, None);
    let never = ExecId::new(&ids.uuid().to_string()).expect("a UUID is plain text");
    assert_eq!(venue.execution(&never).await, Ok(None));
}

/// REC-1: once a session is over its executions stand in its trade file, as the record has them. The caller lets the
/// session end, so this sentence is not in [`all`].
pub async fn a_session_has_a_trade_file<V: Venue>(venue: &V, date: NaiveDate) {
    let bytes = venue.trade_file(date).await.expect("a file");
    let file = trade_file::read(&bytes, date).expect("a whole file");
    let mut told: Vec<(ExecId, Qty, Price)> = file.lines.into_iter().map(|x| (x.exec_id, x.qty, x.price)).collect();
    let mut record = Vec::new();
    let mut cursor = None::<String>;
    loop {
        let page = venue.executions_after(cursor.as_deref()).await.expect("a page");
        cursor = page.executions.last().map(|x| x.cursor.clone()).or(cursor);
        record.extend(page.executions.into_iter().map(|x| (x.exec_id, x.qty, x.price)));
        if !page.more {
            break;
        }
    }
    told.sort();
    record.sort();
    assert!(!record.is_empty(), "there is something to compare");
    assert_eq!(told, record);
}

/// What happened while nobody listened is told afterwards.
pub async fn a_stream_goes_on_where_it_was_left<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let (first, second) = (OrderId::new(ids.uuid()), OrderId::new(ids.uuid()));
    let mut updates = venue.updates(None).await.expect("a stream");
    submit(venue, first, &terms.rest()).await;
    let seen = loop {
        let update = soon_next(&mut updates).await;
        if update.order.key == Some(first) {
            break update.event_id.expect("a venue with replay names its updates");
        }
    };
    drop(updates);
    submit(venue, second, &terms.rest()).await;
    let mut updates = venue.updates(Some(seen)).await.expect("a stream");
    loop {
        let update = soon_next(&mut updates).await;
        assert_ne!(
            (update.order.key, update.kind == UpdateKind::Acknowledged),
            (Some(first), true),
            "told twice"
        );
        if update.order.key == Some(second) {
            break;
        }
    }
}

/// What can be traded is listed and quoted.
pub async fn a_traded_symbol_has_an_asset_and_a_quote<V: Venue>(venue: &V, terms: &Terms) {
    let assets = venue.assets().await.expect("a list");
    let is_listed = |symbol: &Symbol, fractionable| {
        let of_it = assets.iter().find(|asset| asset.symbol == *symbol);
        of_it.is_some_and(|asset| asset.active && asset.tradable && asset.fractionable == fractionable)
    };
    assert!(is_listed(&terms.symbol, true) && is_listed(&terms.whole_only, false));
    let quotes = venue.quotes(std::slice::from_ref(&terms.symbol)).await.expect("quotes");
    assert!(
        quotes
            .iter()
            .any(|quote| quote.symbol == terms.symbol && (quote.bid.is_some() || quote.ask.is_some()))
    );
}

/// RSK-3: how much of a symbol trades is told of sessions before today; of one that nobody lists, nothing is.
pub async fn a_traded_symbol_has_an_average_volume<V: Venue>(venue: &V, terms: &Terms) {
    let nobodys = Symbol::parse("NOSUCH").expect("in form a symbol");
    let asked = [terms.symbol.clone(), nobodys, terms.whole_only.clone()];
    let volumes = venue.daily_volumes(&asked, terms.today).await.expect("volumes");
    let told: HashSet<&Symbol> = volumes.iter().map(|volume| &volume.symbol).collect();
    assert_eq!(told, HashSet::from([&terms.symbol, &terms.whole_only]));
    for volume in &volumes {
        assert!(
            volume.average > 0 && (1..=SESSIONS).contains(&volume.sessions),
            "{volume:?}"
        );
        assert!(volume.through < terms.today, "{volume:?}");
    }
    let earlier = volumes[0].through;
    let before = venue.daily_volumes(&asked, earlier).await.expect("volumes");
    assert!(before.iter().all(|volume| volume.through < earlier), "{before:?}");
}

/// QTY-2: what trades of a part of a share is what was asked, to the last billionth.
pub async fn a_part_of_a_share_trades_exactly<V: Venue>(venue: &V, ids: &dyn Ids, terms: &Terms) {
    let key = OrderId::new(ids.uuid());
    let asked = VenueOrder {
        qty: part(1_123_456_789),
        ..terms.order(terms.marketable, TimeInForce::Day)
    };
    let order = submit(venue, key, &asked).await;
    soon("it is filled", || async {
        find(venue, key).await.status == VenueStatus::Filled
    })
    .await;
    assert_eq!(find(venue, key).await.filled_qty, asked.qty);
    let traded: Decimal = recorded(venue, &order.venue_order_id)
        .await
        .iter()
        .map(|fill| fill.1.get())
        .sum();
    assert_eq!(traded, asked.qty.get());
}

/// QTY-2: where no parts of a share are traded, and where the order is not for the day, the refusal says so.
pub async fn a_part_of_a_share_is_refused_where_only_whole_ones_trade<V: Venue>(
    venue: &V,
    ids: &dyn Ids,
    terms: &Terms,
) {
    let rest = VenueOrder {
        qty: part(500_000_000),
        ..terms.rest()
    };
    let whole_only = VenueOrder {
        symbol: terms.whole_only.clone(),
        ..rest.clone()
    };
    let for_longer = VenueOrder {
        time_in_force: TimeInForce::Gtc,
        ..rest
    };
    for order in [whole_only, for_longer] {
        let key = OrderId::new(ids.uuid());
        match venue.submit(key, &order).await {
            Submitted::Refused(refusal) => assert!(refusal.reason.contains("fraction"), "{refusal:?}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(venue.lookup(key).await, Lookup::NotFound);
    }
}

async fn submit<V: Venue>(venue: &V, key: OrderId, order: &VenueOrder) -> VenueOrderView {
    match venue.submit(key, order).await {
        Submitted::Acknowledged(view) => view,
        other => panic!("{other:?}"),
    }
}

async fn find<V: Venue>(venue: &V, key: OrderId) -> VenueOrderView {
    match venue.lookup(key).await {
        Lookup::Found(view) => view,
        other => panic!("{other:?}"),
    }
}

async fn recorded<V: Venue>(venue: &V, id: &VenueOrderId) -> Vec<(ExecId, Qty, Price)> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = venue.executions_after(cursor.as_deref()).await.expect("a page");
        cursor = page
            .executions
            .last()
            .map(|execution| execution.cursor.clone())
            .or(cursor);
        let of_order = page
            .executions
            .into_iter()
            .filter(|execution| execution.venue_order_id == *id);
        all.extend(of_order.map(|execution| (execution.exec_id, execution.qty, execution.price)));
        if !page.more {
            return all;
        }
    }
}

async fn soon_next(updates: &mut crate::Updates) -> crate::VenueUpdate {
    let next = tokio::time::timeout(Duration::from_secs(10), updates.next()).await;
    next.expect("an update comes soon")
        .expect("the stream goes on")
        .expect("the stream is whole")
}

/// A real server needs a moment; a fake needs none.
async fn soon<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    for _ in 0..200 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("waited in vain: {what}");
}

fn part(billionths: i64) -> Qty {
    Qty::new(Decimal::new(billionths, 9)).expect("a small number with nine decimals")
}

fn shares(n: u32) -> Qty {
    Qty::new(Decimal::from(n)).expect("a small whole number")
}

/// A key for tests that have no id source at hand: the same number gives the same key.
pub fn key(n: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(n))
}
