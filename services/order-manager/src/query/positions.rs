//! Positions, valued at the last quote.

use chassis::http::ApiError;
use db::DbError;
use domain::{AccountId, Money};
use instruments::Instruments;
use ledger::ShareBalance;
use rust_decimal::{Decimal, RoundingStrategy};
use sqlx::PgConnection;
use wire::rest::{Position, Text};

use super::find_asset;
use crate::http::database_error;
use crate::present::US_EQUITY;

/// All positions of the account, by symbol.
pub(crate) async fn positions(
    conn: &mut PgConnection,
    account: AccountId,
    instruments: &Instruments,
) -> Result<Vec<Position>, ApiError> {
    let held = ledger::positions(conn, account).await.map_err(database_error)?;
    Ok(held.iter().map(|shares| shown(shares, instruments)).collect())
}

/// One position, by symbol or asset id.
pub(crate) async fn position(
    conn: &mut PgConnection,
    account: AccountId,
    instruments: &Instruments,
    text: &str,
) -> Result<Position, ApiError> {
    let asset =
        find_asset(instruments, text).ok_or_else(|| ApiError::not_found(format!("asset not found for {text}")))?;
    let held = ledger::positions(conn, account).await.map_err(database_error)?;
    let shares = held.iter().find(|shares| shares.symbol == asset.symbol);
    shares
        .map(|shares| shown(shares, instruments))
        .ok_or_else(|| ApiError::not_found("position does not exist"))
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

fn shown(shares: &ShareBalance, instruments: &Instruments) -> Position {
    let asset = instruments.asset(&shares.symbol);
    let cost = shares.cost_basis.get();
    let value = market_value_of(shares, instruments);
    let gain = value.map(|value| value - cost);
    let price = instruments.quote(&shares.symbol).and_then(|quote| quote.value());
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
        // Nobody keeps the previous close yet.
        unrealized_intraday_pl: None,
        unrealized_intraday_plpc: None,
        current_price: price.map(Text::from),
        lastday_price: None,
        change_today: None,
    }
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
