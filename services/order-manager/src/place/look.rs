//! One look at everything that the decisions of a batch depend on, once the accounts are locked.
//!
//! It reads tables of four crates in a single statement: round trips are what an order's latency is made of. Each
//! crate's own functions would give the same.

use std::collections::{HashMap, HashSet};

use db::{DbError, PgConnection};
use domain::{AccountId, Money, OrderId, Price, Qty, Symbol, Timestamp};
use identity::Flags;
use identity::limits::LimitTable;
use ledger::CashBalance;
use orders::Sequence;
use risk::Settings;

use super::controls::Measures;
use super::decide::own::OwnOrders;
use super::decide::recent::Alike;
use super::decide::{AccountBook, Books, Churn, Command, Shares, Struck};

/// The books of the batch's accounts. `cash` comes from under the lock, the rest is read now.
pub(crate) async fn books(
    conn: &mut PgConnection,
    batch: &[Command],
    cash: HashMap<AccountId, CashBalance>,
    known: Known<'_>,
) -> Result<Books, DbError> {
    let (risk, defaults) = (&known.in_force.risk, known.in_force.defaults);
    let rows = read(conn, batch, known).await?;
    let mut books = Books::default();
    for row in rows {
        let command = usize::try_from(row.n - 1).ok().and_then(|n| batch.get(n));
        let Some((command, cash)) = command.and_then(|command| Some((command, cash.get(&command.account)?))) else {
            // An account that the ledger never opened: it is left out, and the order refused.
            continue;
        };
        if row.taken {
            books.taken.insert((command.account, command.client_order_id.clone()));
        }
        let account = books.accounts.entry(command.account).or_insert_with(|| {
            let rules = risk.settings(defaults, &row.tier, command.account);
            book(&row, cash, rules, known.table)
        });
        if let (Some(avail), Some(held)) = (row.shares_avail, row.shares_held) {
            account
                .shares
                .insert(command.symbol.clone(), shares(command, avail, held)?);
        }
        if let Some(open) = row.open_in_symbol {
            account.open_in.insert(command.symbol.clone(), open);
        }
        if let Some(churn) = row.churn() {
            account.churn.insert(command.symbol.clone(), churn);
        }
        if let Some(own) = own(&row)? {
            account.own.insert(command.symbol.clone(), own);
        }
    }
    Ok(books)
}

/// What is known before the look.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Risk settings and switches.
    pub(crate) in_force: &'a Measures,
    /// When canceling is too much.
    pub(crate) table: &'a LimitTable,
    /// What time it is.
    pub(crate) now: Timestamp,
}

struct Row {
    n: i64,
    taken: bool,
    active: bool,
    account_blocked: bool,
    trading_blocked: bool,
    transfers_blocked: bool,
    closing_only: bool,
    trade_suspended_by_user: bool,
    fractional_trading: Option<bool>,
    event_seq: i64,
    last_submitted_at: Option<Timestamp>,
    last_event_at: Option<Timestamp>,
    open_orders: i32,
    open_value: rust_decimal::Decimal,
    shares_avail: Option<rust_decimal::Decimal>,
    shares_held: Option<rust_decimal::Decimal>,
    open_in_symbol: Option<i64>,
    tier: String,
    cancels_minute: Option<i64>,
    cancels_ten_minutes: Option<i64>,
    fills_ten_minutes: Option<i64>,
    strikes: Option<i32>,
    struck_at: Option<Timestamp>,
    cool_off_until: Option<Timestamp>,
    buy_price: Option<rust_decimal::Decimal>,
    buy_order: Option<uuid::Uuid>,
    sell_price: Option<rust_decimal::Decimal>,
    sell_order: Option<uuid::Uuid>,
}

impl Row {
    /// Nothing where the account neither cancels nor was struck.
    fn churn(&self) -> Option<Churn> {
        let struck = self.strikes.zip(self.struck_at).zip(self.cool_off_until);
        if struck.is_none() && self.cancels_ten_minutes.is_none() {
            return None;
        }
        Some(Churn {
            minute: self.cancels_minute.unwrap_or(0),
            ten_minutes: self.cancels_ten_minutes.unwrap_or(0),
            fills: self.fills_ten_minutes.unwrap_or(0),
            struck: struck.map(|((strikes, at), cool_off_until)| Struck {
                strikes,
                at,
                cool_off_until,
            }),
        })
    }
}

/// One row a command. Look-ups by key are scalar or lateral subqueries, so that the plan is the same on small tables
/// as on large ones. Open orders of a symbol are counted only where the least of all limits can be reached within this
/// batch, fills only where there are cancels enough to ask.
async fn read(conn: &mut PgConnection, batch: &[Command], known: Known<'_>) -> Result<Vec<Row>, DbError> {
    let least_open = known.in_force.risk.least_open_per_symbol(known.in_force.defaults);
    let accounts: Vec<uuid::Uuid> = batch.iter().map(|command| command.account.get()).collect();
    let names: Vec<String> = batch
        .iter()
        .map(|command| command.client_order_id.to_string())
        .collect();
    let symbols: Vec<String> = batch.iter().map(|command| command.symbol.to_string()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"select c.n as "n!",
                  exists (select from order_client_ids t
                           where t.account_id = c.account_id
                             and t.client_order_id = c.client_order_id
                          offset 0) as "taken!",
                  a.status = 'ACTIVE' as "active!", a.account_blocked, a.trading_blocked, a.transfers_blocked,
                  a.closing_only, a.trade_suspended_by_user,
                  (select k.fractional_trading
                     from account_configurations k
                    where k.account_id = c.account_id) as fractional_trading,
                  q.event_seq, nullif(q.last_submitted_at, '-infinity') as last_submitted_at,
                  nullif(q.last_event_at, '-infinity') as last_event_at, q.open_orders, q.open_value,
                  h.avail as "shares_avail?", h.held as "shares_held?",
                  case when c.first_of_pair and q.open_orders + c.of_account > $6 then
                      (select count(*)
                         from open_orders w
                        where w.account_id = c.account_id
                          and w.symbol = c.symbol)
                  end as open_in_symbol,
                  a.tier, k.minute as "cancels_minute?", k.ten_minutes as "cancels_ten_minutes?",
                  case when k.minute > $8::bigint then
                      (select count(*)
                         from fills f
                        where f.account_id = c.account_id
                          and f.venue_at > $7::timestamptz - interval '10 minutes'
                          and f.symbol = c.symbol
                          and f.busted_at is null)
                  end as fills_ten_minutes,
                  x.strikes as "strikes?", x.struck_at as "struck_at?", x.cool_off_until as "cool_off_until?",
                  b.limit_price as "buy_price?", b.order_id as "buy_order?",
                  o.limit_price as "sell_price?", o.order_id as "sell_order?"
             from unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::int[])
                  with ordinality as c (account_id, client_order_id, symbol, first_of_pair, of_account, n)
             join accounts a on a.account_id = c.account_id
             join account_sequences q on q.account_id = c.account_id
             left join lateral (select s.avail, s.held
                                  from ledger_shares s
                                 where s.account_id = c.account_id
                                   and s.symbol = c.symbol
                                 limit 1) h on true
             left join lateral (select sum(w.cancels) as ten_minutes,
                                       sum(w.cancels) filter (where w.slot > $7::timestamptz - interval '1 minute') as minute
                                  from order_cancels w
                                 where w.account_id = c.account_id
                                   and w.symbol = c.symbol
                                   and w.slot > $7::timestamptz - interval '10 minutes') k on c.first_of_pair
             left join lateral (select p.strikes, p.struck_at, p.cool_off_until
                                  from churn_strikes p
                                 where p.account_id = c.account_id
                                   and p.symbol = c.symbol
                                 limit 1) x on c.first_of_pair
             left join lateral (select w.limit_price, w.order_id
                                  from open_orders w
                                 where w.account_id = c.account_id
                                   and w.symbol = c.symbol
                                   and w.side = 'buy'
                                 order by w.limit_price desc
                                 limit 1) b on c.first_of_pair and q.open_orders > 0
             left join lateral (select w.limit_price, w.order_id
                                  from open_orders w
                                 where w.account_id = c.account_id
                                   and w.symbol = c.symbol
                                   and w.side = 'sell'
                                 order by w.limit_price
                                 limit 1) o on c.first_of_pair and q.open_orders > 0
            order by c.n"#,
        &accounts,
        &names,
        &symbols,
        &first_of_pair(batch),
        &of_account(batch),
        least_open,
        known.now,
        known.table.churn_from().map_or(i64::MAX, i64::from),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// What these accounts placed after a moment, the oldest first; replacements are no orders of their own here (RSK-4).
pub(super) async fn submitted_after(
    conn: &mut PgConnection,
    accounts: &[AccountId],
    after: Timestamp,
) -> Result<Vec<(OrderId, Alike, Timestamp)>, DbError> {
    let accounts: Vec<uuid::Uuid> = accounts.iter().map(|account| account.get()).collect();
    let rows = sqlx::query!(
        r#"select o.order_id, o.account_id, o.symbol, o.side, o.qty, o.limit_price, o.time_in_force, o.submitted_at
             from unnest($1::uuid[]) as a (account_id)
             join lateral (select *
                             from orders w
                            where w.account_id = a.account_id
                              and w.submitted_at > $2
                              and w.replaces is null
                           offset 0) o on true
            order by o.submitted_at"#,
        &accounts,
        after,
    )
    .fetch_all(conn)
    .await?;
    let orders = rows.into_iter().map(|row| {
        let inconsistent = |what: &str| DbError::Inconsistent {
            table: "orders",
            what: format!("{}: {what}", row.order_id),
        };
        let alike = Alike {
            account: AccountId::new(row.account_id),
            symbol: Symbol::parse(&row.symbol).ok_or_else(|| inconsistent("symbol"))?,
            side: row.side.parse().map_err(|_| inconsistent("side"))?,
            qty: Qty::new(row.qty).map_err(|_| inconsistent("qty"))?,
            limit_price: Price::new(row.limit_price).map_err(|_| inconsistent("limit_price"))?,
            time_in_force: row.time_in_force.parse().map_err(|_| inconsistent("time_in_force"))?,
        };
        Ok((OrderId::new(row.order_id), alike, row.submitted_at))
    });
    orders.collect()
}

/// Which commands are the first of their account and symbol.
fn first_of_pair(batch: &[Command]) -> Vec<bool> {
    let mut seen = HashSet::new();
    batch
        .iter()
        .map(|command| seen.insert((command.account, &command.symbol)))
        .collect()
}

/// How many commands of the batch each command's account has.
fn of_account(batch: &[Command]) -> Vec<i32> {
    let mut counts: HashMap<AccountId, i32> = HashMap::new();
    for command in batch {
        *counts.entry(command.account).or_default() += 1;
    }
    batch.iter().map(|command| counts[&command.account]).collect()
}

fn book(row: &Row, cash: &CashBalance, rules: Settings, table: &LimitTable) -> AccountBook {
    AccountBook {
        avail: cash.avail,
        fees: cash.accrued_fees.or_zero(),
        strict: cash.strict,
        flags: Flags {
            active: row.active,
            account_blocked: row.account_blocked,
            trading_blocked: row.trading_blocked,
            transfers_blocked: row.transfers_blocked,
            closing_only: row.closing_only,
            trade_suspended_by_user: row.trade_suspended_by_user,
        },
        // A customer who set nothing takes them.
        fractional: row.fractional_trading.unwrap_or(true),
        rules,
        sequence: Sequence {
            event_seq: row.event_seq,
            last_submitted_at: row.last_submitted_at,
            last_event_at: row.last_event_at,
            open_orders: row.open_orders,
            open_value: Money::from_decimal(row.open_value),
        },
        shares: HashMap::new(),
        open_in: HashMap::new(),
        churn_rule: table.churn(&row.tier),
        churn: HashMap::new(),
        own: HashMap::new(),
    }
}

/// The account's own orders in the symbol of this row, where they were looked at and there are any.
fn own(row: &Row) -> Result<Option<OwnOrders>, DbError> {
    let side = |price: Option<rust_decimal::Decimal>, order: Option<uuid::Uuid>| -> Result<_, DbError> {
        let (Some(price), Some(order)) = (price, order) else {
            return Ok(None);
        };
        let price = Price::new(price).map_err(|_| DbError::Inconsistent {
            table: "open_orders",
            what: format!("{order}: limit {price}"),
        })?;
        Ok(Some((price, OrderId::new(order))))
    };
    let own = OwnOrders {
        highest_buy: side(row.buy_price, row.buy_order)?,
        lowest_sell: side(row.sell_price, row.sell_order)?,
    };
    Ok((own != OwnOrders::default()).then_some(own))
}

fn shares(command: &Command, avail: rust_decimal::Decimal, held: rust_decimal::Decimal) -> Result<Shares, DbError> {
    let inconsistent = |_| DbError::Inconsistent {
        table: "ledger_shares",
        what: format!("{} of {}", command.symbol, command.account),
    };
    Ok(Shares {
        avail: Qty::new(avail).map_err(inconsistent)?,
        held: Qty::new(held).map_err(inconsistent)?,
    })
}
