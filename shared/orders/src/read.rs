//! Reading orders without a lock: by id, in lists with keyset paging, executions, time lines.

use crate::stored::{OrderRow, StoredOrder};
use crate::write::{texts, uuids};
use db::{DbError, PgConnection};
use domain::{AccountId, ClientOrderId, OrderId, Side, Symbol, Timestamp};
use rust_decimal::Decimal;
use sqlx::{FromRow, Postgres, QueryBuilder};
use std::collections::HashMap;
use uuid::Uuid;

const COLUMNS: &str = "o.order_id, o.account_id, o.client_order_id, o.asset_id, o.symbol, o.side, o.order_type, \
     o.time_in_force, o.qty, o.limit_price, o.session_date, o.request_id, o.created_at, o.submitted_at, o.status, \
     o.filled_qty, o.busted_qty, o.filled_notional, o.posted_cash, o.end_kind, o.end_filled_qty, o.end_reason, \
     o.acknowledged_at, o.venue_order_id, o.filled_at, o.canceled_at, o.expired_at, o.failed_at, \
     o.cancel_requested_at, o.expire_requested_at, o.updated_at, o.submit_at, o.explicit_expiry, o.notional, \
     o.chain_id, o.replaces, o.replacement_id, o.replace_requested_at, o.replaced_by, o.replaced_at, o.overtaken, \
     o.refused_qty, o.refused_at, o.carried_qty, o.trace_context, \
     coalesce(o.expires_at, usual_expiry(o.time_in_force, o.session_date, o.created_at)) as expires_at";

/// One order of the account; another account's order is not there.
///
/// # Errors
/// What the database says; so for all functions here.
pub async fn by_id(
    conn: &mut PgConnection,
    account: AccountId,
    order: OrderId,
) -> Result<Option<StoredOrder>, DbError> {
    let mut query = select("orders o");
    query.push(" where o.order_id = ").push_bind(order.get());
    query.push(" and o.account_id = ").push_bind(account.get());
    Ok(fetch(conn, query).await?.pop())
}

/// One order by the customer's own name for it.
///
/// # Errors
/// What the database says.
pub async fn by_client_id(
    conn: &mut PgConnection,
    account: AccountId,
    client_order_id: &ClientOrderId,
) -> Result<Option<StoredOrder>, DbError> {
    let mut query = select("order_client_ids c join orders o on o.order_id = c.order_id");
    query.push(" where c.account_id = ").push_bind(account.get());
    query
        .push(" and c.client_order_id = ")
        .push_bind(client_order_id.as_str().to_owned());
    Ok(fetch(conn, query).await?.pop())
}

/// The last of the account's own names of the form prefix and ten digits, whatever became of its order.
///
/// # Errors
/// What the database says.
pub async fn last_name(conn: &mut PgConnection, account: AccountId, prefix: &str) -> Result<Option<String>, DbError> {
    // The bounds are for the index; what they let in beyond the prefix depends on the collation.
    let name = sqlx::query_scalar!(
        "select client_order_id
           from order_client_ids
          where account_id = $1
            and client_order_id between $2 || '0000000000' and $2 || '9999999999'
            and starts_with(client_order_id, $2)
            and substr(client_order_id, length($2) + 1) ~ '^[0-9]{10}$'
          order by client_order_id desc
          limit 1",
        account.get(),
        prefix,
    );
    Ok(name.fetch_optional(conn).await?)
}

/// Orders by id, whoever owns them: for jobs and operators.
///
/// # Errors
/// What the database says.
pub async fn by_ids(conn: &mut PgConnection, orders: &[OrderId]) -> Result<Vec<StoredOrder>, DbError> {
    let mut query = select("orders o");
    query
        .push(" where o.order_id = any(")
        .push_bind(uuids(orders, |o| o.get()))
        .push(") order by o.order_id");
    fetch(conn, query).await
}

/// Which orders a list asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListStatus {
    /// May still trade.
    #[default]
    Open,
    /// Over.
    Closed,
    /// Both.
    All,
}

/// Newest or oldest first, by acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Newest first.
    #[default]
    Desc,
    /// Oldest first.
    Asc,
}

/// What a list of orders is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFilter {
    /// Whose orders.
    pub account: AccountId,
    /// Open, closed or all.
    pub status: ListStatus,
    /// The most rows.
    pub limit: i64,
    /// Accepted later than this.
    pub after: Option<Timestamp>,
    /// Accepted earlier than this.
    pub until: Option<Timestamp>,
    /// Order of the list.
    pub direction: Direction,
    /// Only these symbols; empty means any.
    pub symbols: Vec<Symbol>,
    /// Only this side.
    pub side: Option<Side>,
}

/// A page of an account's orders, through the index on (account, acceptance) or, for open ones, the open orders.
///
/// # Errors
/// What the database says.
pub async fn list(conn: &mut PgConnection, filter: &ListFilter) -> Result<Vec<StoredOrder>, DbError> {
    let mut query = match filter.status {
        ListStatus::Open => select("open_orders w join orders o on o.order_id = w.order_id"),
        _ => select("orders o"),
    };
    let owner = if filter.status == ListStatus::Open { "w" } else { "o" };
    query
        .push(format!(" where {owner}.account_id = "))
        .push_bind(filter.account.get());
    if filter.status == ListStatus::Closed {
        query.push(" and o.status in ('filled', 'canceled', 'expired', 'rejected', 'replaced')");
    }
    if let Some(after) = filter.after {
        query.push(" and o.submitted_at > ").push_bind(after);
    }
    if let Some(until) = filter.until {
        query.push(" and o.submitted_at < ").push_bind(until);
    }
    if !filter.symbols.is_empty() {
        query
            .push(" and o.symbol = any(")
            .push_bind(texts(&filter.symbols, Symbol::as_str))
            .push(")");
    }
    if let Some(side) = filter.side {
        query.push(" and o.side = ").push_bind(side.as_str());
    }
    query.push(match filter.direction {
        Direction::Desc => " order by o.submitted_at desc",
        Direction::Asc => " order by o.submitted_at",
    });
    query.push(" limit ").push_bind(filter.limit);
    fetch(conn, query).await
}

fn select(from: &str) -> QueryBuilder<Postgres> {
    QueryBuilder::new(format!("select {COLUMNS} from {from}"))
}

async fn fetch(conn: &mut PgConnection, mut query: QueryBuilder<Postgres>) -> Result<Vec<StoredOrder>, DbError> {
    let rows = query.build().fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            OrderRow::from_row(row)
                .map_err(DbError::from)
                .and_then(StoredOrder::try_from)
        })
        .collect()
}

/// The open orders of one account, by id.
///
/// # Errors
/// What the database says.
pub async fn open_of_account(conn: &mut PgConnection, account: AccountId) -> Result<Vec<OrderId>, DbError> {
    let rows = sqlx::query_scalar!(
        "select order_id from open_orders where account_id = $1 order by order_id",
        account.get(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(OrderId::new).collect())
}

/// Whether any of these orders of the account may still trade.
///
/// # Errors
/// What the database says.
pub async fn any_open(conn: &mut PgConnection, account: AccountId, orders: &[OrderId]) -> Result<bool, DbError> {
    let open = sqlx::query_scalar!(
        r#"select exists (select
                            from open_orders
                           where account_id = $1
                             and order_id = any($2)) as "open!""#,
        account.get(),
        &uuids(orders, |o| o.get()),
    );
    Ok(open.fetch_one(conn).await?)
}

/// How many open orders each account has in each symbol; pairs without any are not in the answer.
///
/// # Errors
/// What the database says.
pub async fn open_by_symbol(
    conn: &mut PgConnection,
    pairs: &[(AccountId, Symbol)],
) -> Result<HashMap<(AccountId, Symbol), i64>, DbError> {
    let rows = sqlx::query!(
        r#"select o.account_id, o.symbol, count(*) as "open!"
             from (select distinct * from unnest($1::uuid[], $2::text[])) as asked (account_id, symbol)
             join open_orders o using (account_id, symbol)
            group by o.account_id, o.symbol"#,
        &uuids(pairs, |(account, _)| account.get()),
        &texts(pairs, |(_, symbol)| symbol.as_str()),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some(((AccountId::new(row.account_id), Symbol::parse(&row.symbol)?), row.open)))
        .collect())
}

/// A page of open orders of all accounts, by key: for jobs that look at every one.
///
/// # Errors
/// What the database says.
pub async fn open_after(
    conn: &mut PgConnection,
    after: Option<(AccountId, OrderId)>,
    limit: i64,
) -> Result<Vec<(AccountId, OrderId)>, DbError> {
    let (account, order) = after.map_or((Uuid::nil(), Uuid::nil()), |(a, o)| (a.get(), o.get()));
    let rows = sqlx::query!(
        "select account_id, order_id
           from open_orders
          where (account_id, order_id) > ($1, $2)
          order by account_id, order_id
          limit $3",
        account,
        order,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (AccountId::new(row.account_id), OrderId::new(row.order_id)))
        .collect())
}

/// One execution as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct FillRow {
    /// Our id for it.
    pub fill_id: Uuid,
    /// Which order.
    pub order_id: Uuid,
    /// Ticker.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: String,
    /// Shares.
    pub qty: Decimal,
    /// Dollars a share.
    pub price: Decimal,
    /// Shares of the order filled after it.
    pub cum_qty: Decimal,
    /// Shares of the order still working after it.
    pub leaves_qty: Decimal,
    /// The order's status after it.
    pub order_status: String,
    /// When it happened at the venue.
    pub venue_at: Timestamp,
}

/// A page of executions: strictly after the given place in the given direction, within the given times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FillFilter {
    /// Whose.
    pub account: AccountId,
    /// Happened later than this.
    pub after: Option<Timestamp>,
    /// Happened earlier than this.
    pub until: Option<Timestamp>,
    /// Where the last page ended.
    pub place: Option<(Timestamp, Uuid)>,
    /// Order of the list.
    pub direction: Direction,
    /// The most rows.
    pub limit: i64,
}

/// Executions of an account that stand (busted ones are left out), through the index on (account, time, id).
///
/// # Errors
/// What the database says.
pub async fn fills_of_account(conn: &mut PgConnection, filter: &FillFilter) -> Result<Vec<FillRow>, DbError> {
    let (beyond, order) = match filter.direction {
        Direction::Desc => ("<", " order by venue_at desc, fill_id desc"),
        Direction::Asc => (">", " order by venue_at, fill_id"),
    };
    let mut query = QueryBuilder::<Postgres>::new(
        "select fill_id, order_id, symbol, side, qty, price, cum_qty, leaves_qty, order_status, venue_at \
           from fills where busted_at is null and account_id = ",
    );
    query.push_bind(filter.account.get());
    if let Some(after) = filter.after {
        query.push(" and venue_at > ").push_bind(after);
    }
    if let Some(until) = filter.until {
        query.push(" and venue_at < ").push_bind(until);
    }
    if let Some((time, id)) = filter.place {
        query
            .push(format!(" and (venue_at, fill_id) {beyond} ("))
            .push_bind(time)
            .push(", ")
            .push_bind(id)
            .push(")");
    }
    query.push(order).push(" limit ").push_bind(filter.limit);
    Ok(query.build_query_as().fetch_all(conn).await?)
}

/// One step of an order's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineRow {
    /// Place in the account's sequence.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub event: String,
    /// The status readers saw after it.
    pub status: String,
    /// Shares filled after it.
    pub filled_qty: Decimal,
    /// Shares of this execution.
    pub exec_qty: Option<Decimal>,
    /// Dollars a share of this execution.
    pub exec_price: Option<Decimal>,
    /// Who or what caused it.
    pub cause: String,
    /// The request it goes back to.
    pub request_id: String,
}

/// Everything that happened to an order, in order.
///
/// # Errors
/// What the database says.
pub async fn timeline(conn: &mut PgConnection, order: OrderId) -> Result<Vec<TimelineRow>, DbError> {
    let rows = sqlx::query_as!(
        TimelineRow,
        "select e.seq, e.at, e.event, e.status, e.filled_qty, e.exec_qty, e.exec_price, e.cause, e.request_id
           from orders o
           join order_events e using (account_id, order_id)
          where o.order_id = $1
          order by e.seq",
        order.get(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
