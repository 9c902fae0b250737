//! The three tables, set-based.

use crate::{Asset, AverageVolume, Quote};
use db::{DbError, PgConnection};
use domain::{AssetId, Price, Symbol, Timestamp};
use rust_decimal::Decimal;
use uuid::Uuid;

/// Every asset.
///
/// # Errors
/// What the database says, or a row this program cannot have written; so for all functions here.
pub async fn load_assets(conn: &mut PgConnection) -> Result<Vec<Asset>, DbError> {
    let rows = sqlx::query!(
        "select asset_id, symbol, name, exchange, status, tradable, fractionable
           from assets",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Asset {
                asset_id: AssetId::new(row.asset_id),
                symbol: symbol("assets", &row.symbol)?,
                name: row.name,
                exchange: row.exchange,
                status: row.status,
                tradable: row.tradable,
                fractionable: row.fractionable,
            })
        })
        .collect()
}

/// Stores the venue's list: new assets are added, known ones brought up to date. An asset the venue no longer
/// lists stays, inactive, since orders and positions point to it.
///
/// # Errors
/// What the database says.
pub async fn save_assets(conn: &mut PgConnection, assets: &[Asset], now: Timestamp) -> Result<(), DbError> {
    let symbols = column(assets, |a| a.symbol.as_str().to_owned());
    sqlx::query!(
        "insert into assets (asset_id, symbol, name, exchange, status, tradable, fractionable, updated_at)
         select a.*, $8
           from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bool[], $7::bool[]) a
         on conflict (symbol) do update
            set name = excluded.name, exchange = excluded.exchange, status = excluded.status,
                tradable = excluded.tradable, fractionable = excluded.fractionable, updated_at = excluded.updated_at",
        &column(assets, |a| a.asset_id.get()) as &[Uuid],
        &symbols,
        &column(assets, |a| a.name.clone()),
        &column(assets, |a| a.exchange.clone()),
        &column(assets, |a| a.status.clone()),
        &column(assets, |a| a.tradable),
        &column(assets, |a| a.fractionable),
        now,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update assets
            set status = 'inactive', tradable = false, updated_at = $2
          where symbol <> all($1)
            and status <> 'inactive'",
        &symbols,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The last quotes.
///
/// # Errors
/// What the database says.
pub async fn load_quotes(conn: &mut PgConnection) -> Result<Vec<Quote>, DbError> {
    let rows = sqlx::query!("select symbol, bid, ask, quoted_at from last_quotes")
        .fetch_all(conn)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Quote {
                symbol: symbol("last_quotes", &row.symbol)?,
                bid: row.bid.and_then(|p| Price::new(p).ok()),
                ask: row.ask.and_then(|p| Price::new(p).ok()),
                at: row.quoted_at,
            })
        })
        .collect()
}

/// Stores quotes; an older one never replaces a newer one.
///
/// # Errors
/// What the database says.
pub async fn save_quotes(conn: &mut PgConnection, quotes: &[Quote], now: Timestamp) -> Result<(), DbError> {
    sqlx::query!(
        "insert into last_quotes (symbol, bid, ask, quoted_at, updated_at)
         select q.*, $5
           from unnest($1::text[], $2::numeric[], $3::numeric[], $4::timestamptz[]) q
         on conflict (symbol) do update
            set bid = excluded.bid, ask = excluded.ask, quoted_at = excluded.quoted_at, updated_at = excluded.updated_at
          where last_quotes.quoted_at < excluded.quoted_at",
        &column(quotes, |q| q.symbol.as_str().to_owned()),
        &column(quotes, |q| q.bid.map(Price::get)) as &[Option<Decimal>],
        &column(quotes, |q| q.ask.map(Price::get)) as &[Option<Decimal>],
        &column(quotes, |q| q.at),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The average volumes.
///
/// # Errors
/// What the database says, or a row this program cannot have written.
pub async fn load_volumes(conn: &mut PgConnection) -> Result<Vec<AverageVolume>, DbError> {
    let rows = sqlx::query!("select symbol, average, sessions, through from average_volumes")
        .fetch_all(conn)
        .await?;
    rows.into_iter()
        .map(|row| {
            let negative = |_| DbError::Inconsistent {
                table: "average_volumes",
                what: format!("{}: below zero", row.symbol),
            };
            Ok(AverageVolume {
                symbol: symbol("average_volumes", &row.symbol)?,
                average: row.average.try_into().map_err(negative)?,
                sessions: row.sessions.try_into().map_err(negative)?,
                through: row.through,
            })
        })
        .collect()
}

/// Stores average volumes of assets; those of symbols that are not among them stay.
///
/// # Errors
/// What the database says.
pub async fn save_volumes(conn: &mut PgConnection, volumes: &[AverageVolume], now: Timestamp) -> Result<(), DbError> {
    sqlx::query!(
        "insert into average_volumes (symbol, average, sessions, through, updated_at)
         select v.*, $5
           from unnest($1::text[], $2::bigint[], $3::int[], $4::date[]) v
         on conflict (symbol) do update
            set average = excluded.average, sessions = excluded.sessions, through = excluded.through,
                updated_at = excluded.updated_at",
        &column(volumes, |v| v.symbol.as_str().to_owned()),
        &column(volumes, |v| i64::try_from(v.average).unwrap_or(i64::MAX)),
        &column(volumes, |v| i32::try_from(v.sessions).unwrap_or(i32::MAX)),
        &column(volumes, |v| v.through),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn column<T, C>(rows: &[T], pick: impl Fn(&T) -> C) -> Vec<C> {
    rows.iter().map(pick).collect()
}

fn symbol(table: &'static str, text: &str) -> Result<Symbol, DbError> {
    Symbol::parse(text).ok_or_else(|| DbError::Inconsistent {
        table,
        what: format!("symbol {text:?}"),
    })
}
