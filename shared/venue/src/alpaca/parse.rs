//! Wire types → the trait's words. Pure and strict: what does not fit is a [`Fault::Garbage`], never a guess.

use crate::order::key_of;
use crate::volume::Traded;
use crate::{
    ExecutionView, Fault, UpdateKind, VenueAsset, VenueExecution, VenueOrder, VenueOrderView, VenueQuote, VenueStatus,
    VenueUpdate,
};
use domain::calendar::to_new_york;
use domain::order::EndKind;
use domain::{AssetId, ExecId, OrderId, Price, Qty, Side, Symbol, TimeInForce, Timestamp, VenueOrderId};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::str::FromStr;
use uuid::Uuid;
use wire::rest::{self, SubmitOrder, SubmitReplacement, Text, TradeUpdate};

/// The body that hands an order in.
pub(super) fn submit_body(key: OrderId, order: &VenueOrder) -> SubmitOrder {
    SubmitOrder {
        symbol: order.symbol.to_string(),
        qty: order.qty.into(),
        side: order.side.as_str().into(),
        kind: "limit".into(),
        time_in_force: order.time_in_force.as_str().into(),
        limit_price: order.limit_price.into(),
        client_order_id: key.to_string(),
        extended_hours: false,
        order_class: "simple".into(),
    }
}

/// The body that puts an order in another one's place.
pub(super) fn replace_body(key: OrderId, order: &VenueOrder) -> SubmitReplacement {
    SubmitReplacement {
        qty: order.qty.into(),
        limit_price: order.limit_price.into(),
        time_in_force: order.time_in_force.as_str().into(),
        client_order_id: key.to_string(),
    }
}

/// An order as the venue shows it.
pub(super) fn view(order: &rest::Order) -> Result<VenueOrderView, Fault> {
    if order.kind != "limit" {
        return Err(garbage("type", &order.kind));
    }
    Ok(VenueOrderView {
        venue_order_id: venue_order_id(order.id),
        key: key_of(&order.client_order_id),
        order: VenueOrder {
            symbol: Symbol::parse(&order.symbol).ok_or_else(|| garbage("symbol", &order.symbol))?,
            side: word::<Side>("side", &order.side)?,
            qty: some_qty("qty", order.qty)?,
            limit_price: some_price("limit_price", order.limit_price)?,
            time_in_force: word::<TimeInForce>("time_in_force", &order.time_in_force)?,
        },
        status: status(&order.status, order.replaces.is_some())?,
        filled_qty: Qty::new(order.filled_qty.get()).map_err(|error| garbage("filled_qty", error))?,
        replaces: order.replaces.map(venue_order_id),
        replaced_by: order.replaced_by.map(venue_order_id),
        submitted_at: order.submitted_at,
        updated_at: ended_at(order).unwrap_or(order.updated_at),
    })
}

/// Orders of a list that carry keys of ours. The account may hold others, of any type; they are not our business.
pub(super) fn ours(orders: &[rest::Order]) -> Result<Vec<VenueOrderView>, Fault> {
    orders
        .iter()
        .filter(|order| key_of(&order.client_order_id).is_some())
        .map(view)
        .collect()
}

/// One change of an order; `None` for orders without a key of ours.
pub(super) fn update(update: &TradeUpdate) -> Result<Option<VenueUpdate>, Fault> {
    if key_of(&update.order.client_order_id).is_none() {
        return Ok(None);
    }
    Ok(Some(VenueUpdate {
        event_id: update.event_id.clone(),
        kind: kind(update)?,
        order: view(&update.order)?,
        at: update.timestamp,
        reason: update.reason.clone(),
    }))
}

fn kind(update: &TradeUpdate) -> Result<UpdateKind, Fault> {
    Ok(match update.event.as_ref() {
        "new" | "accepted" => UpdateKind::Acknowledged,
        "partial_fill" | "fill" => {
            let (exec_id, qty, price) = execution_of(update)?;
            UpdateKind::Filled { exec_id, qty, price }
        }
        "trade_bust" => {
            let (exec_id, qty, price) = execution_of(update)?;
            UpdateKind::Busted { exec_id, qty, price }
        }
        "trade_correct" => {
            let (exec_id, qty, price) = execution_of(update)?;
            UpdateKind::Corrected { exec_id, qty, price }
        }
        "done_for_day" => UpdateKind::DoneForDay,
        "order_cancel_rejected" => UpdateKind::CancelRefused,
        "order_replace_rejected" => UpdateKind::ReplaceRefused,
        "canceled" | "expired" | "rejected" | "replaced" => UpdateKind::Ended(word::<EndKind>("event", &update.event)?),
        other => UpdateKind::Other(other.to_owned()),
    })
}

fn execution_of(update: &TradeUpdate) -> Result<(ExecId, Qty, Price), Fault> {
    let id = update
        .execution_id
        .as_deref()
        .ok_or_else(|| garbage("execution_id", "missing"))?;
    let id = ExecId::new(id).map_err(|error| garbage("execution_id", error))?;
    Ok((id, some_qty("qty", update.qty)?, some_price("price", update.price)?))
}

/// One entry of the record of executions. Its id is `time::uuid`; the UUID is the stream's `execution_id`.
pub(super) fn execution(fill: &rest::FillActivity) -> Result<VenueExecution, Fault> {
    let exec_id = fill
        .id
        .split_once("::")
        .map(|(_, id)| id)
        .ok_or_else(|| garbage("id", &fill.id))?;
    Ok(VenueExecution {
        cursor: fill.id.clone(),
        exec_id: ExecId::new(exec_id).map_err(|error| garbage("id", error))?,
        venue_order_id: venue_order_id(fill.order_id),
        symbol: Symbol::parse(&fill.symbol).ok_or_else(|| garbage("symbol", &fill.symbol))?,
        side: word::<Side>("side", &fill.side)?,
        qty: some_qty("qty", Some(fill.qty))?,
        price: some_price("price", Some(fill.price))?,
        at: fill.transaction_time,
    })
}

/// One execution by its id, as the bundled exchange shows it beside its trade files.
#[derive(Debug, Deserialize)]
pub(super) struct ExecutionRecord {
    execution_id: String,
    order_id: Uuid,
    symbol: String,
    side: String,
    qty: Text,
    price: Text,
    transaction_time: Timestamp,
    busted_at: Option<Timestamp>,
}

/// The execution that was asked for, and whether it still stands.
pub(super) fn execution_view(record: &ExecutionRecord, asked: &ExecId) -> Result<ExecutionView, Fault> {
    if record.execution_id != asked.as_str() {
        return Err(Fault::Mismatch("execution_id".to_owned()));
    }
    Ok(ExecutionView {
        execution: VenueExecution {
            // Its place in the record of executions is not told here, and not asked for.
            cursor: String::new(),
            exec_id: asked.clone(),
            venue_order_id: venue_order_id(record.order_id),
            symbol: Symbol::parse(&record.symbol).ok_or_else(|| garbage("symbol", &record.symbol))?,
            side: word::<Side>("side", &record.side)?,
            qty: some_qty("qty", Some(record.qty))?,
            price: some_price("price", Some(record.price))?,
            at: record.transaction_time,
        },
        busted_at: record.busted_at,
    })
}

/// The answer of the latest-quotes route.
#[derive(Debug, Deserialize)]
pub(super) struct LatestQuotes {
    quotes: BTreeMap<String, LatestQuote>,
}

#[derive(Debug, Deserialize)]
struct LatestQuote {
    #[serde(rename = "t")]
    at: Timestamp,
    #[serde(rename = "bp", default)]
    bid: Text,
    #[serde(rename = "ap", default)]
    ask: Text,
}

/// Quotes of the symbols we can name; a price of zero means that nobody offers any.
pub(super) fn quotes(answer: &LatestQuotes) -> Vec<VenueQuote> {
    let quote = |(symbol, quote): (&String, &LatestQuote)| {
        Some(VenueQuote {
            symbol: Symbol::parse(symbol)?,
            bid: Price::new(quote.bid.get()).ok(),
            ask: Price::new(quote.ask.get()).ok(),
            at: quote.at,
        })
    };
    answer.quotes.iter().filter_map(quote).collect()
}

/// A page of the bars route; `null` where there is nothing.
#[derive(Debug, Deserialize)]
pub(super) struct Bars {
    bars: Option<BTreeMap<String, Vec<DailyBar>>>,
    pub(super) next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct DailyBar {
    /// When its day begins in New York.
    #[serde(rename = "t")]
    at: Timestamp,
    #[serde(rename = "v")]
    volume: Text,
}

/// Adds the shares of a page to those of the symbols that were asked for.
pub(super) fn traded(page: &Bars, asked: &[Symbol], all: &mut Traded) -> Result<(), Fault> {
    let by_name: HashMap<&str, &Symbol> = asked.iter().map(|symbol| (symbol.as_str(), symbol)).collect();
    for (name, bars) in page.bars.iter().flatten() {
        let symbol = by_name.get(name.as_str()).ok_or_else(|| garbage("bars", name))?;
        let days = all.entry(Symbol::clone(symbol)).or_default();
        for bar in bars {
            if bar.volume < Text::ZERO {
                return Err(garbage("v", "negative"));
            }
            days.insert(to_new_york(bar.at).date_naive(), bar.volume.get());
        }
    }
    Ok(())
}

/// An instrument; `None` when its symbol is none of ours in form.
pub(super) fn asset(asset: &rest::Asset) -> Option<VenueAsset> {
    Some(VenueAsset {
        id: AssetId::new(asset.id),
        symbol: Symbol::parse(&asset.symbol)?,
        name: asset.name.clone(),
        exchange: asset.exchange.to_string(),
        active: asset.status == "active",
        tradable: asset.tradable,
        fractionable: asset.fractionable,
    })
}

fn status(word: &str, replaces: bool) -> Result<VenueStatus, Fault> {
    Ok(match word {
        "pending_replace" => VenueStatus::PendingReplace,
        // A replacement waits so for the word on the order it is to replace.
        "pending_new" if replaces => VenueStatus::PendingReplace,
        "new"
        | "partially_filled"
        | "accepted"
        | "pending_new"
        | "accepted_for_bidding"
        | "pending_cancel"
        | "stopped"
        | "suspended"
        | "calculated"
        | "held" => VenueStatus::Working,
        "done_for_day" => VenueStatus::DoneForDay,
        "filled" => VenueStatus::Filled,
        "canceled" => VenueStatus::Ended(EndKind::Canceled),
        "expired" => VenueStatus::Ended(EndKind::Expired),
        "rejected" => VenueStatus::Ended(EndKind::Rejected),
        "replaced" => VenueStatus::Ended(EndKind::Replaced),
        other => return Err(garbage("status", other)),
    })
}

fn ended_at(order: &rest::Order) -> Option<Timestamp> {
    order
        .canceled_at
        .or(order.expired_at)
        .or(order.failed_at)
        .or(order.replaced_at)
}

fn venue_order_id(id: Uuid) -> VenueOrderId {
    VenueOrderId::new(&id.hyphenated().to_string()).expect("a UUID is 36 plain characters")
}

fn some_qty(name: &str, text: Option<Text>) -> Result<Qty, Fault> {
    let value = text.ok_or_else(|| garbage(name, "missing"))?;
    let qty = Qty::new(value.get()).map_err(|error| garbage(name, error))?;
    if qty.is_zero() {
        Err(garbage(name, "zero"))
    } else {
        Ok(qty)
    }
}

fn some_price(name: &str, text: Option<Text>) -> Result<Price, Fault> {
    let value = text.ok_or_else(|| garbage(name, "missing"))?;
    Price::new(value.get()).map_err(|error| garbage(name, error))
}

fn word<T: FromStr>(name: &str, text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| garbage(name, text))
}

fn garbage(name: &str, what: impl Display) -> Fault {
    Fault::Garbage(format!("{name}: {what:.80}"))
}
