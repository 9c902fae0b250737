//! Posting: transfers, their entries, the running balances next to them, and what settles when.
//!
//! Set-based: a handful of statements however many transfers. A transfer whose id is there already is left out
//! with everything that belongs to it (LED-I4). The caller holds the lock of every account concerned.

use crate::rules::FeeKind;
use crate::transfer::{Accrual, Asset, Book, Trade, Transfer, TransferId, TransferKind};
use db::{DbError, PgConnection};
use domain::{AccountId, Side, Symbol};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// Posts the transfers that are new and tells which those were.
///
/// # Errors
/// A violated balance check (`ledger_cash_avail_check`, `ledger_shares_avail_check`, …) or a missing cash row is a
/// defect of the caller, which decides under the lock; anything else is the database's.
pub async fn post(conn: &mut PgConnection, transfers: &[Transfer]) -> Result<HashSet<TransferId>, DbError> {
    if transfers.is_empty() {
        return Ok(HashSet::new());
    }
    let new = insert_transfers(conn, transfers).await?;
    let mut left = new.clone();
    // Taken out one by one: a transfer that stands twice in the batch posts once, too.
    let fresh: Vec<&Transfer> = transfers.iter().filter(|t| left.remove(&t.id())).collect();
    insert_entries(conn, &fresh).await?;
    let deltas = Deltas::of(&fresh);
    move_cash(conn, &deltas).await?;
    let costs = move_shares(conn, &deltas, &fresh).await?;
    insert_trades(conn, &fresh, &costs).await?;
    insert_accruals(conn, &fresh).await?;
    for transfer in fresh {
        // As they are written: those of a transaction that is rolled back are among them.
        let kind: &'static str = transfer.kind().into();
        metrics::counter!("daybook_ledger_postings_total", "kind" => kind).increment(1);
    }
    Ok(new)
}

async fn insert_transfers(conn: &mut PgConnection, transfers: &[Transfer]) -> Result<HashSet<TransferId>, DbError> {
    let ids: Vec<Uuid> = transfers.iter().map(|t| t.id().get()).collect();
    let kinds: Vec<String> = transfers.iter().map(|t| t.kind().to_string()).collect();
    let causes: Vec<String> = transfers.iter().map(|t| t.cause().to_string()).collect();
    let accounts: Vec<Option<Uuid>> = transfers.iter().map(|t| t.account.map(AccountId::get)).collect();
    let orders: Vec<Option<Uuid>> = transfers.iter().map(|t| t.order.map(domain::OrderId::get)).collect();
    let times: Vec<domain::Timestamp> = transfers.iter().map(|t| t.at).collect();
    let rows = sqlx::query_scalar!(
        "insert into ledger_transfers (transfer_id, kind, cause, account_id, order_id, posted_at)
         select *
           from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::timestamptz[])
         on conflict (transfer_id) do nothing
         returning transfer_id",
        &ids,
        &kinds,
        &causes,
        &accounts as &[Option<Uuid>],
        &orders as &[Option<Uuid>],
        &times,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(TransferId::new).collect())
}

async fn insert_entries(conn: &mut PgConnection, transfers: &[&Transfer]) -> Result<(), DbError> {
    let mut rows = EntryRows::default();
    for transfer in transfers {
        for (line, entry) in transfer.entries().iter().enumerate() {
            rows.transfers.push(transfer.id().get());
            rows.lines.push(i16::try_from(line).unwrap_or(i16::MAX));
            rows.accounts.push(entry.account.map(AccountId::get));
            rows.books.push(entry.book.to_string());
            rows.assets.push(entry.asset.to_string());
            rows.amounts.push(entry.amount);
        }
    }
    sqlx::query!(
        "insert into ledger_entries (transfer_id, line, account_id, book, asset, amount)
         select *
           from unnest($1::uuid[], $2::int2[], $3::uuid[], $4::text[], $5::text[], $6::numeric[])",
        &rows.transfers,
        &rows.lines,
        &rows.accounts as &[Option<Uuid>],
        &rows.books,
        &rows.assets,
        &rows.amounts,
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(Default)]
struct EntryRows {
    transfers: Vec<Uuid>,
    lines: Vec<i16>,
    accounts: Vec<Option<Uuid>>,
    books: Vec<String>,
    assets: Vec<String>,
    amounts: Vec<Decimal>,
}

/// What the entries add to the customers' running balances.
struct Deltas {
    cash: BTreeMap<AccountId, CashDelta>,
    shares: BTreeMap<(AccountId, Symbol), ShareDelta>,
}

#[derive(Default, Clone, Copy)]
struct CashDelta {
    avail: Decimal,
    held: Decimal,
    unsettled: Decimal,
    dep_pending: Decimal,
    wd_pending: Decimal,
    accrued_fees: Decimal,
    may_debit: bool,
}

#[derive(Default, Clone, Copy)]
struct ShareDelta {
    avail: Decimal,
    held: Decimal,
}

impl Deltas {
    fn of(transfers: &[&Transfer]) -> Self {
        let mut deltas = Self {
            cash: BTreeMap::new(),
            shares: BTreeMap::new(),
        };
        for transfer in transfers {
            if let (Some(account), Some(fees)) = (transfer.account, accrued(transfer)) {
                deltas.cash.entry(account).or_default().accrued_fees += fees;
            }
            for entry in transfer.entries() {
                let Some(account) = entry.account else { continue };
                match &entry.asset {
                    Asset::Usd => {
                        deltas
                            .cash
                            .entry(account)
                            .or_default()
                            .add(entry.book, entry.amount, transfer.may_debit)
                    }
                    Asset::Security(symbol) => {
                        deltas
                            .shares
                            .entry((account, symbol.clone()))
                            .or_default()
                            .add(entry.book, entry.amount);
                    }
                }
            }
        }
        deltas
    }
}

/// What the transfer's trade accrues, where that is known.
fn accrued(transfer: &Transfer) -> Option<Decimal> {
    Some(transfer.trade.as_ref()?.accrual?.fees?.total())
}

impl CashDelta {
    fn add(&mut self, book: Book, amount: Decimal, may_debit: bool) {
        self.may_debit |= may_debit;
        match book {
            Book::CashAvail => self.avail += amount,
            Book::CashHeld => self.held += amount,
            Book::CashUnsettled => self.unsettled += amount,
            Book::CashDepPending => self.dep_pending += amount,
            Book::CashWdPending => self.wd_pending += amount,
            _ => {}
        }
    }
}

impl ShareDelta {
    fn add(&mut self, book: Book, amount: Decimal) {
        match book {
            Book::SecAvail => self.avail += amount,
            Book::SecHeld => self.held += amount,
            _ => {}
        }
    }
}

async fn move_cash(conn: &mut PgConnection, deltas: &Deltas) -> Result<(), DbError> {
    if deltas.cash.is_empty() {
        return Ok(());
    }
    let column = |pick: fn(&CashDelta) -> Decimal| deltas.cash.values().map(pick).collect::<Vec<Decimal>>();
    let accounts: Vec<Uuid> = deltas.cash.keys().map(|a| a.get()).collect();
    let may_debit: Vec<bool> = deltas.cash.values().map(|d| d.may_debit).collect();
    let moved = sqlx::query!(
        "update ledger_cash c
            set avail = c.avail + d.avail,
                held = c.held + d.held,
                unsettled = c.unsettled + d.unsettled,
                dep_pending = c.dep_pending + d.dep_pending,
                wd_pending = c.wd_pending + d.wd_pending,
                accrued_fees = c.accrued_fees + d.accrued_fees,
                debit_allowed = c.avail + d.avail < 0 and (c.debit_allowed or d.may_debit)
           from unnest($1::uuid[], $2::numeric[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[],
                       $7::numeric[], $8::bool[])
             as d (account_id, avail, held, unsettled, dep_pending, wd_pending, accrued_fees, may_debit)
          where c.account_id = d.account_id",
        &accounts,
        &column(|d| d.avail),
        &column(|d| d.held),
        &column(|d| d.unsettled),
        &column(|d| d.dep_pending),
        &column(|d| d.wd_pending),
        &column(|d| d.accrued_fees),
        &may_debit,
    )
    .execute(conn)
    .await?;
    all_moved("ledger_cash", moved.rows_affected(), deltas.cash.len())
}

/// What sales take along of their position's cost basis; below zero for what a bust gives back.
type SaleCosts = HashMap<TransferId, Decimal>;

async fn move_shares(conn: &mut PgConnection, deltas: &Deltas, transfers: &[&Transfer]) -> Result<SaleCosts, DbError> {
    if deltas.shares.is_empty() {
        return Ok(SaleCosts::new());
    }
    let accounts: Vec<Uuid> = deltas.shares.keys().map(|(a, _)| a.get()).collect();
    let symbols: Vec<String> = deltas.shares.keys().map(|(_, s)| s.as_str().to_owned()).collect();
    // The rows first, at zero: a check is applied to the row as proposed, before a conflict turns it into an update.
    sqlx::query!(
        "insert into ledger_shares (account_id, symbol)
         select * from unnest($1::uuid[], $2::text[])
         on conflict (account_id, symbol) do nothing",
        &accounts,
        &symbols,
    )
    .execute(&mut *conn)
    .await?;
    let (basis, costs) = if transfers.iter().any(|t| t.trade.is_some()) {
        new_basis(conn, deltas, transfers).await?
    } else {
        (vec![None; deltas.shares.len()], SaleCosts::new())
    };
    let moved = sqlx::query!(
        "update ledger_shares s
            set avail = s.avail + d.avail,
                held = s.held + d.held,
                cost_basis = coalesce(d.cost_basis, s.cost_basis)
           from unnest($1::uuid[], $2::text[], $3::numeric[], $4::numeric[], $5::numeric[])
             as d (account_id, symbol, avail, held, cost_basis)
          where s.account_id = d.account_id
            and s.symbol = d.symbol",
        &accounts,
        &symbols,
        &deltas.shares.values().map(|d| d.avail).collect::<Vec<_>>(),
        &deltas.shares.values().map(|d| d.held).collect::<Vec<_>>(),
        &basis as &[Option<Decimal>],
    )
    .execute(conn)
    .await?;
    all_moved("ledger_shares", moved.rows_affected(), deltas.shares.len())?;
    Ok(costs)
}

/// What the shares cost after the trades of this posting, one by one in order, for each pair of `deltas`.
async fn new_basis(
    conn: &mut PgConnection,
    deltas: &Deltas,
    transfers: &[&Transfer],
) -> Result<(Vec<Option<Decimal>>, SaleCosts), DbError> {
    let pairs: Vec<(AccountId, Symbol)> = deltas.shares.keys().cloned().collect();
    let balances = super::shares(conn, &pairs).await?;
    let mut held: BTreeMap<(AccountId, Symbol), (Decimal, Decimal)> = balances
        .into_iter()
        .map(|(pair, balance)| (pair, (balance.total(), balance.cost_basis.get())))
        .collect();
    let mut costs = costs_to_give_back(conn, transfers).await?;
    for transfer in transfers {
        if let (Some(account), Some(trade)) = (transfer.account, &transfer.trade)
            && let Some(position) = held.get_mut(&(account, trade.symbol.clone()))
        {
            let taken = trade.reverses.and_then(|sale| costs.get(&sale).copied());
            let after = match (transfer.kind(), trade.side) {
                (TransferKind::CorrectOut, Side::Buy) => before_correction(*position, trade),
                _ => after_trade(*position, trade, taken),
            };
            if trade.side == Side::Sell {
                costs.insert(transfer.id(), position.1 - after.1);
            }
            *position = after;
        }
    }
    let basis = pairs
        .iter()
        .map(|pair| held.get(pair).map(|&position| owned(position).1));
    Ok((basis.collect(), costs))
}

/// What the sales took along that are taken back now.
async fn costs_to_give_back(conn: &mut PgConnection, transfers: &[&Transfer]) -> Result<SaleCosts, DbError> {
    let sales = transfers
        .iter()
        .filter_map(|t| t.trade.as_ref())
        .filter(|trade| trade.side == Side::Sell);
    let ids: Vec<Uuid> = sales.filter_map(|trade| Some(trade.reverses?.get())).collect();
    if ids.is_empty() {
        return Ok(SaleCosts::new());
    }
    let rows = sqlx::query!(
        r#"select transfer_id, cost as "cost!"
             from ledger_trades
            where transfer_id = any($1)
              and cost is not null"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (TransferId::new(row.transfer_id), row.cost))
        .collect())
}

/// Average cost: a buy adds what it cost, a sale takes its share of the cost along; nine decimals, half-even. What is taken
/// back (LED-16, LED-17) undoes just that, so that a correction changes the basis by what it corrects: a sale gives back what
/// it had `taken`.
fn after_trade((qty, cost): (Decimal, Decimal), trade: &Trade, taken: Option<Decimal>) -> (Decimal, Decimal) {
    let rest = (qty - trade.qty).max(Decimal::ZERO);
    match (trade.side, trade.reversal) {
        (Side::Buy, false) => owned((qty + trade.qty, cost + trade.cash)),
        (Side::Sell, true) => (
            qty + trade.qty,
            cost + taken.unwrap_or_else(|| average_taken((qty, cost), trade)),
        ),
        (Side::Buy, true) => owned((qty - trade.qty, cost - trade.cash)),
        (Side::Sell, false) if rest.is_zero() => (rest, Decimal::ZERO),
        (Side::Sell, false) => {
            let part = rest.checked_div(qty).unwrap_or(Decimal::ZERO);
            (rest, (cost * part).round_dp(9))
        }
    }
}

/// The first half of a buy's correction (LED-17): less than nothing is left where the shares are sold, until the second half
/// is added in the same posting. What the sales took along stays with them; the rest bears the difference.
fn before_correction((qty, cost): (Decimal, Decimal), trade: &Trade) -> (Decimal, Decimal) {
    (qty - trade.qty, cost - trade.cash)
}

/// Nobody owns less than nothing, what is not owned cost nothing, and nothing cost less than that.
fn owned((qty, cost): (Decimal, Decimal)) -> (Decimal, Decimal) {
    if qty <= Decimal::ZERO {
        return (Decimal::ZERO, Decimal::ZERO);
    }
    (qty, cost.max(Decimal::ZERO))
}

/// What a sale took along that was booked before that was kept: it left the average as it was. Where it took all nothing is
/// known of what that cost, and what the sale brought is the nearest there is.
fn average_taken((qty, cost): (Decimal, Decimal), trade: &Trade) -> Decimal {
    let average = cost.checked_div(qty);
    let taken = average.and_then(|average| average.checked_mul(trade.qty));
    taken.map_or(trade.cash, |taken| taken.round_dp(9))
}

async fn insert_trades(conn: &mut PgConnection, transfers: &[&Transfer], costs: &SaleCosts) -> Result<(), DbError> {
    let trades: Vec<(&Transfer, AccountId, &Trade)> = transfers
        .iter()
        .filter_map(|t| Some((*t, t.account?, t.trade.as_ref()?)))
        .collect();
    if trades.is_empty() {
        return Ok(());
    }
    let signed = |trade: &Trade, amount: Decimal| if trade.reversal { -amount } else { amount };
    sqlx::query!(
        "insert into ledger_trades (transfer_id, account_id, symbol, side, qty, cash, trade_date, settle_date, reverses,
                                    cost)
         select *
           from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::numeric[], $6::numeric[], $7::date[], $8::date[],
                       $9::uuid[], $10::numeric[])",
        &trades.iter().map(|(t, _, _)| t.id().get()).collect::<Vec<_>>(),
        &trades.iter().map(|(_, a, _)| a.get()).collect::<Vec<_>>(),
        &trades.iter().map(|(_, _, trade)| trade.symbol.as_str().to_owned()).collect::<Vec<_>>(),
        &trades.iter().map(|(_, _, trade)| trade.side.as_str().to_owned()).collect::<Vec<_>>(),
        &trades.iter().map(|(_, _, trade)| signed(trade, trade.qty)).collect::<Vec<_>>(),
        &trades.iter().map(|(_, _, trade)| signed(trade, trade.cash)).collect::<Vec<_>>(),
        &trades.iter().map(|(_, _, trade)| trade.trade_date).collect::<Vec<_>>(),
        &trades.iter().map(|(_, _, trade)| trade.settle_date).collect::<Vec<_>>(),
        &trades.iter().map(|(_, _, trade)| Some(trade.reverses?.get())).collect::<Vec<_>>() as &[Option<Uuid>],
        &trades.iter().map(|(t, ..)| costs.get(&t.id()).copied()).collect::<Vec<_>>() as &[Option<Decimal>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_accruals(conn: &mut PgConnection, transfers: &[&Transfer]) -> Result<(), DbError> {
    let accruals: Vec<(&Transfer, AccountId, &Trade, Accrual)> = transfers
        .iter()
        .filter_map(|t| {
            let trade = t.trade.as_ref()?;
            Some((*t, t.account?, trade, trade.accrual?))
        })
        .collect();
    if accruals.is_empty() {
        return Ok(());
    }
    let fees = |kind| {
        let each = accruals.iter().map(|(.., accrual)| accrual.fees.map(|f| f.get(kind)));
        each.collect::<Vec<Option<Decimal>>>()
    };
    sqlx::query!(
        "insert into ledger_fee_accruals (transfer_id, account_id, trade_date, price, sec, taf, cat)
         select *
           from unnest($1::uuid[], $2::uuid[], $3::date[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[])",
        &accruals.iter().map(|(t, ..)| t.id().get()).collect::<Vec<_>>(),
        &accruals.iter().map(|(_, a, ..)| a.get()).collect::<Vec<_>>(),
        &accruals
            .iter()
            .map(|(_, _, trade, _)| trade.trade_date)
            .collect::<Vec<_>>(),
        &accruals.iter().map(|(.., accrual)| accrual.price).collect::<Vec<_>>(),
        &fees(FeeKind::Sec) as &[Option<Decimal>],
        &fees(FeeKind::Taf) as &[Option<Decimal>],
        &fees(FeeKind::Cat) as &[Option<Decimal>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn all_moved(table: &'static str, moved: u64, wanted: usize) -> Result<(), DbError> {
    if moved == wanted as u64 {
        return Ok(());
    }
    Err(DbError::Inconsistent {
        table,
        what: format!("{moved} of {wanted} balances are there"),
    })
}
