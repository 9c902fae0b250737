//! Who trades: accounts with money and a key each, written by the crates that own the tables, in one transaction; and
//! an exchange that always has shares to sell and money to buy.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, ensure};
use chassis::clock::{Clock, SharedClock, SystemClock};
use chassis::ids::{Ids, SystemIds};
use db::{PgConnection, PgPool};
use domain::Money;
use identity::accounts::Tier;
use identity::limits::UNLIMITED;
use identity::{AccountKind, NewAccount};
use ledger::rules;
use secrecy::ExposeSecret;

use crate::http::{Connection, request};
use crate::orders::{ASK, BID};

/// Dollars each customer begins with: no order of a run is refused for want of them.
const FUNDS: &str = "10000000000.00";
/// Shares the market maker offers and wants; set anew at each of its ticks.
const DEPTH: u64 = 100_000_000;

/// Somebody who sends orders.
#[derive(Debug, Clone)]
pub struct Customer {
    /// The header lines that say who it is.
    pub headers: String,
}

/// Opens accounts with money and keys.
///
/// # Errors
/// What the database says.
pub async fn open(pool: &PgPool, count: u16) -> anyhow::Result<Vec<Customer>> {
    let clock: SharedClock = Arc::new(SystemClock);
    let ids = SystemIds::new(clock.clone());
    let mut tx = db::begin(pool).await?;
    let mut customers = Vec::new();
    for number in 0..count {
        // What is measured is the way of an order, not how well it is turned away.
        customers.push(open_one(&mut tx, &ids, &*clock, number, &Tier::new(UNLIMITED)?).await?);
    }
    tx.commit().await?;
    Ok(customers)
}

/// Opens one more, who has the limits that everybody has by default.
///
/// # Errors
/// What the database says.
pub async fn open_standard(pool: &PgPool) -> anyhow::Result<Customer> {
    let clock: SharedClock = Arc::new(SystemClock);
    let ids = SystemIds::new(clock.clone());
    let mut tx = db::begin(pool).await?;
    let customer = open_one(&mut tx, &ids, &*clock, u16::MAX, &Tier::default()).await?;
    tx.commit().await?;
    Ok(customer)
}

async fn open_one(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    clock: &dyn Clock,
    number: u16,
    tier: &Tier,
) -> anyhow::Result<Customer> {
    let (now, funds) = (clock.now(), Money::parse(FUNDS).context("a constant")?);
    let new = NewAccount {
        name: format!("Load {number}"),
        kind: AccountKind::LimitedMargin,
    };
    let account = identity::accounts::create(conn, ids, &new, now).await?.id;
    identity::accounts::set_tier(conn, account, tier).await?;
    ledger::open_account(conn, account, false).await?;
    orders::open_sequence(conn, account).await?;
    let movement = ids.uuid();
    let steps = [
        rules::deposit_started(account, movement, funds, now)?,
        rules::deposit_collected(account, movement, funds, now)?,
    ];
    ledger::post(conn, &steps).await?;
    let (key_id, secret) = identity::issue_key(conn, ids, account, now).await?;
    let secret = secret.expose_secret();
    Ok(Customer {
        headers: format!("APCA-API-KEY-ID: {key_id}\r\nAPCA-API-SECRET-KEY: {secret}\r\n"),
    })
}

/// What the exchange lists.
///
/// # Errors
/// What the database says.
pub async fn symbols(pool: &PgPool) -> anyhow::Result<Vec<String>> {
    let symbols = sqlx::query_scalar!("select symbol from assets where tradable order by symbol")
        .fetch_all(pool)
        .await?;
    ensure!(!symbols.is_empty(), "the exchange lists nothing");
    Ok(symbols)
}

/// Holds every price still, with shares enough: what is measured is Daybook, not the market maker's patience.
///
/// # Errors
/// What the exchange says.
pub async fn pin_prices(exchange: SocketAddr, symbols: &[String]) -> anyhow::Result<()> {
    let (mut connection, mut buffer) = (Connection::open(exchange).await?, Vec::new());
    for symbol in symbols {
        let body = format!(
            r#"{{"symbol":"{symbol}","bid":"{BID}","ask":"{ASK}","bid_size":{DEPTH},"ask_size":{DEPTH},"pin":true}}"#
        );
        request(&mut buffer, "POST", "/sim/price", "", &body);
        let answer = connection.call(&buffer).await?;
        ensure!(
            answer.status == 200,
            "/sim/price: {} {}",
            answer.status,
            String::from_utf8_lossy(answer.body)
        );
    }
    Ok(())
}
