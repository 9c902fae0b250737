//! Positions, valued at the last quote, and what they gained today.

use std::collections::HashMap;

use chassis::http::ApiError;
use db::DbError;
use domain::calendar::to_new_york;
use domain::{AccountId, Money, Price, Symbol, Timestamp};
use instruments::Instruments;
use ledger::ShareBalance;
use rust_decimal::{Decimal, RoundingStrategy};
use sqlx::PgConnection;
use wire::rest::{Position, Text};

use super::{find_asset, new_york_day};
use crate::error::ReadError;
use crate::http::database_error;
use crate::present::US_EQUITY;
use crate::prices::ReferencePrices;

/// What positions are valued by.
#[derive(Clone, Copy)]
pub(crate) struct Market<'a> {
    /// Assets and quotes.
    pub(crate) instruments: &'a Instruments,
    /// Closing prices.
    pub(crate) prices: &'a ReferencePrices,
    /// What time it is.
    pub(crate) now: Timestamp,
}

/// All positions of the account, by symbol.
pub(crate) async fn positions(
    conn: &mut PgConnection,
    account: AccountId,
    market: Market<'_>,
) -> Result<Vec<Position>, ApiError> {
    let held = ledger::positions(conn, account).await.map_err(database_error)?;
    let traded = traded_today(conn, account, market.now).await.map_err(database_error)?;
    let traded = |symbol: &Symbol| traded.get(symbol.as_str()).copied().unwrap_or_default();
    Ok(held
        .iter()
        .map(|shares| shown(shares, traded(&shares.symbol), market))
        .collect())
}

/// One position, by symbol or asset id.
pub(crate) async fn position(
    conn: &mut PgConnection,
    account: AccountId,
    market: Market<'_>,
    text: &str,
) -> Result<Position, ApiError> {
    let asset = find_asset(market.instruments, text).ok_or_else(|| ReadError::AssetNotFound(text.to_owned()))?;
    let all = positions(conn, account, market).await?;
    let mut all = all.into_iter();
    all.find(|position| position.symbol == asset.symbol.as_str())
        .ok_or_else(|| ReadError::NoPosition.into())
}

/// What an account traded of one symbol since midnight.
#[derive(Debug, Clone, Copy, Default)]
struct Traded {
    bought: Decimal,
    cost: Decimal,
    sold: Decimal,
}

async fn traded_today(
    conn: &mut PgConnection,
    account: AccountId,
    now: Timestamp,
) -> Result<HashMap<String, Traded>, DbError> {
    let (midnight, _) = new_york_day(to_new_york(now).date_naive());
    let rows = sqlx::query!(
        r#"select symbol,
                  coalesce(sum(qty) filter (where side = 'buy'), 0) as "bought!",
                  coalesce(sum(cash) filter (where side = 'buy'), 0) as "cost!",
                  coalesce(sum(qty) filter (where side = 'sell'), 0) as "sold!"
             from fills
            where account_id = $1
              and venue_at >= $2
              and busted_at is null
            group by symbol"#,
        account.get(),
        midnight,
    )
    .fetch_all(conn)
    .await?;
    let traded = rows.into_iter().map(|row| {
        let (bought, cost, sold) = (row.bought, row.cost, row.sold);
        (row.symbol, Traded { bought, cost, sold })
    });
    Ok(traded.collect())
}

/// What the shares there are cost by the beginning of the day: those from before it at the last close, those bought since at
/// what they cost. Shares that were sold today count as bought today, as far as there are.
fn basis_of_today(owned: Decimal, traded: Traded, lastday: Option<Price>) -> Option<Decimal> {
    let fresh = (traded.bought - traded.sold).clamp(Decimal::ZERO, owned);
    let fresh_cost = fresh
        .checked_mul(traded.cost)
        .and_then(|cost| cost.checked_div(traded.bought))
        .unwrap_or_default();
    let old = owned - fresh;
    if old.is_zero() {
        return Some(fresh_cost);
    }
    old.checked_mul(lastday?.get())?.checked_add(fresh_cost)
}

/// What all positions are worth. One without a quote counts at what it cost, so that equity does not jump.
pub(super) async fn market_value(
    conn: &mut PgConnection,
    account: AccountId,
    instruments: &Instruments,
) -> Result<Money, DbError> {
    let held = ledger::positions(conn, account).await?;
    let value = |shares: &ShareBalance| market_value_of(shares, instruments).unwrap_or(shares.cost_basis.get());
    Ok(Money::from_decimal(held.iter().map(value).sum::<Decimal>()).round_to_cent())
}

fn market_value_of(shares: &ShareBalance, instruments: &Instruments) -> Option<Decimal> {
    let price = instruments.quote(&shares.symbol)?.value()?;
    price.get().checked_mul(shares.total())
}

fn shown(shares: &ShareBalance, traded: Traded, market: Market<'_>) -> Position {
    let instruments = market.instruments;
    let asset = instruments.asset(&shares.symbol);
    let cost = shares.cost_basis.get();
    let value = market_value_of(shares, instruments);
    let gain = value.map(|value| value - cost);
    let price = instruments.quote(&shares.symbol).and_then(|quote| quote.value());
    let lastday = market
        .prices
        .last_close(&shares.symbol, to_new_york(market.now).date_naive());
    let basis = basis_of_today(shares.total(), traded, lastday);
    let today = value.zip(basis).map(|(value, basis)| (value - basis, basis));
    Position {
        asset_id: asset.as_ref().map(|asset| asset.asset_id.get()).unwrap_or_default(),
        symbol: shares.symbol.to_string(),
        exchange: asset.map(|asset| asset.exchange.clone()).unwrap_or_default().into(),
        asset_class: US_EQUITY.into(),
        asset_marginable: false,
        qty: shares.total().normalize().into(),
        qty_available: shares.avail.into(),
        avg_entry_price: ratio(cost, shares.total()).unwrap_or_default().into(),
        side: "long".into(),
        market_value: value.map(dollars),
        cost_basis: dollars(cost),
        unrealized_pl: gain.map(dollars),
        unrealized_plpc: gain.and_then(|gain| ratio(gain, cost)).map(Text::from),
        unrealized_intraday_pl: today.map(|(gain, _)| cents(gain)),
        unrealized_intraday_plpc: today.and_then(|(gain, basis)| ratio(gain, basis)).map(Text::from),
        current_price: price.map(Text::from),
        lastday_price: lastday.map(Text::from),
        change_today: price.zip(lastday).and_then(change).map(Text::from),
    }
}

/// How far a price is from the one before, as a fraction of it.
fn change((price, before): (Price, Price)) -> Option<Decimal> {
    ratio(price.get() - before.get(), before.get())
}

/// Rounded for show: what was paid for a part of the shares bought need not be whole cents.
fn cents(amount: Decimal) -> Text {
    Money::from_decimal(amount).round_to_cent().into()
}

fn dollars(amount: Decimal) -> Text {
    Money::from_decimal(amount).into()
}

/// Six decimals, half to even, for show; `None` for a division by zero.
fn ratio(part: Decimal, whole: Decimal) -> Option<Decimal> {
    let exact = part.checked_div(whole)?;
    Some(
        exact
            .round_dp_with_strategy(6, RoundingStrategy::MidpointNearestEven)
            .normalize(),
    )
}
