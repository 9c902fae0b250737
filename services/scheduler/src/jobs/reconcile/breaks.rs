//! The breaks: differences from when they are found until they are gone or decided (REC-3). Keyed by what differs, so a
//! second pass finds the same ones and changes nothing.

use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::{Money, Price, Qty, Side, Symbol, Timestamp};
use ledger::rules::Disputed;
use ledger::{Cause, TransferKind};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::FromRow;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

use super::Day;
use super::compare::Difference;

/// Breaks of one transaction.
pub(super) const BATCH: usize = 500;
/// Names the ledger's movements of a break: each time it was opened has its own.
const NAMESPACE: Uuid = Uuid::from_u128(0x3c1f_90aa_21d4_5b0e_9d51_da7b_00c0_b4ea);

/// One break.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
pub struct Break {
    /// What operators call it.
    pub break_no: i64,
    /// Which venue.
    pub venue: String,
    /// The session it is of.
    pub session_date: NaiveDate,
    /// What differs: `missing_ours`, `unknown_order`, `missing_theirs` and so on (docs/reconciliation.md).
    pub kind: String,
    /// The execution; an order for breaks of open orders.
    pub subject: String,
    /// The execution.
    pub exec_id: Option<String>,
    /// The order, as far as it is known.
    pub order_id: Option<Uuid>,
    /// The customer, as far as it is known.
    pub account_id: Option<Uuid>,
    /// Ticker.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: String,
    /// Shares.
    pub qty: Decimal,
    /// Dollars a share.
    pub price: Decimal,
    /// Dollars in question.
    pub cash: Decimal,
    /// When it traded.
    pub at: Timestamp,
    /// What we have, in words.
    pub ours: String,
    /// What the venue has, in words.
    pub theirs: String,
    /// `open`, `explained`, `adjusted`, `closed`.
    pub state: String,
    /// `missing` while LED-21 is booked for it.
    pub suspense: Option<String>,
    /// How often it was opened.
    pub round: i32,
    /// What the program found out about it.
    pub note: String,
    /// Whose work it is.
    pub owner: Option<String>,
    /// What an operator says about it.
    pub explanation: Option<String>,
    /// How often the venue was asked about it.
    pub asked: i32,
    /// When it was last.
    pub asked_at: Option<Timestamp>,
    /// When something was last done about it.
    pub acted_at: Option<Timestamp>,
    /// What somebody proposes and somebody else has to approve.
    pub proposed_act: Option<String>,
    /// For which customer.
    pub proposed_account: Option<Uuid>,
    /// Why.
    pub proposed_reason: Option<String>,
    /// Who proposes it.
    pub proposed_by: Option<String>,
    /// When it was found.
    pub opened_at: Timestamp,
    /// When it was over.
    pub closed_at: Option<Timestamp>,
}

impl Break {
    /// Whether an operator is needed: what the program does by itself is done.
    pub fn wants_somebody(&self) -> bool {
        self.state == "open" && (self.asked >= super::act::ASKS || super::act::is_for_people(&self.kind))
    }

    /// The ledger's cause of a step of this break.
    pub fn cause(&self, kind: TransferKind) -> Cause {
        let name = format!("break:{}:{}", self.break_no, self.round);
        Cause::Movement(kind, Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }

    /// The execution as the ledger books it.
    ///
    /// # Errors
    /// The row is none of this program's.
    pub fn disputed(&self) -> Result<Disputed, DbError> {
        let bad = || DbError::Inconsistent {
            table: "recon_breaks",
            what: format!("break {}", self.break_no),
        };
        Ok(Disputed {
            symbol: Symbol::parse(&self.symbol).ok_or_else(bad)?,
            side: self.side.parse::<Side>().map_err(|_| bad())?,
            qty: Qty::new(self.qty).map_err(|_| bad())?,
            cash: Money::from_decimal(self.cash),
        })
    }
}

/// Dollars of an execution, to the cent, ties to even as everywhere (LED-I6).
fn cash_of(difference: &Difference) -> Decimal {
    let exact = Price::new(difference.price)
        .ok()
        .zip(Qty::new(difference.qty).ok())
        .and_then(|(price, qty)| price.notional(qty).ok());
    exact.map_or(Decimal::ZERO, |cash| cash.round_to_cent().get())
}

/// Opens the differences that are new, and those that were gone and are back; gives how many.
///
/// # Errors
/// What the database says.
pub(super) async fn open(conn: &mut PgConnection, day: &Day, found: &[Difference]) -> Result<u64, DbError> {
    let texts = |pick: fn(&Difference) -> &str| found.iter().map(|d| pick(d).to_owned()).collect::<Vec<_>>();
    let opened = sqlx::query!(
        "insert into recon_breaks as b (venue, session_date, kind, subject, exec_id, order_id, account_id, symbol, side, qty,
                                        price, cash, at, ours, theirs, note, opened_at, updated_at)
         select $1, $2, d.kind, d.exec_id, case when d.kind not like 'open%' then d.exec_id end, d.order_id, d.account_id, d.symbol, d.side, d.qty, d.price,
                -- What we booked for it, where we did: a rounding must not part the two.
                coalesce((select f.cash from fills f
                           where d.kind in ('missing_theirs', 'duplicate') and f.venue = $1 and f.exec_id = d.exec_id), d.cash),
                d.at, d.ours, d.theirs, 'found', daybook_now(), daybook_now()
           from unnest($3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::numeric[],
                       $10::numeric[], $11::numeric[], $12::timestamptz[], $13::text[], $14::text[])
             as d (kind, exec_id, order_id, account_id, symbol, side, qty, price, cash, at, ours, theirs)
             on conflict (venue, session_date, kind, subject) do update
            set state = 'open', closed_at = null, round = b.round + 1, asked = 0, asked_at = null, acted_at = null,
                note = 'found again', qty = excluded.qty, price = excluded.price, cash = excluded.cash,
                ours = excluded.ours, theirs = excluded.theirs, opened_at = excluded.opened_at,
                updated_at = excluded.updated_at
          where b.state = 'closed'
            and not b.decided",
        day.venue,
        day.date,
        &texts(|d| &d.kind),
        &texts(|d| &d.exec_id),
        &found.iter().map(|d| d.order_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &found.iter().map(|d| d.account_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &texts(|d| &d.symbol),
        &texts(|d| &d.side),
        &found.iter().map(|d| d.qty).collect::<Vec<_>>(),
        &found.iter().map(|d| d.price).collect::<Vec<_>>(),
        &found.iter().map(cash_of).collect::<Vec<_>>(),
        &found.iter().map(|d| d.at).collect::<Vec<_>>(),
        &texts(|d| &d.ours),
        &texts(|d| &d.theirs),
    )
    .execute(conn)
    .await?
    .rows_affected();
    Ok(opened)
}

/// Keeps open breaks as their difference is now. One that was explained is open again when that is news; that it was set aside
/// here is none, but what became of our own report. What is in suspense stays as it was booked.
///
/// # Errors
/// What the database says.
pub(super) async fn refresh(conn: &mut PgConnection, day: &Day, found: &[Difference]) -> Result<(), DbError> {
    let texts = |pick: fn(&Difference) -> &str| found.iter().map(|d| pick(d).to_owned()).collect::<Vec<_>>();
    sqlx::query!(
        "with changed as (
             select b.break_no, d.order_id, d.account_id, d.symbol, d.side, d.qty, d.price, d.cash, d.ours, d.theirs,
                    b.state = 'explained'
                    and (d.theirs <> b.theirs or (d.ours <> b.ours and d.ours not like '%set aside%')) as news
               from unnest($3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::numeric[],
                           $10::numeric[], $11::numeric[], $12::text[], $13::text[])
                 as d (kind, exec_id, order_id, account_id, symbol, side, qty, price, cash, ours, theirs)
               join recon_breaks b on b.venue = $1
                and b.session_date = $2
                and b.kind = d.kind
                and b.subject = d.exec_id
              where b.closed_at is null
                and b.suspense is null
                and (b.ours, b.theirs) <> (d.ours, d.theirs)
         )
         update recon_breaks b
            set order_id = c.order_id, account_id = c.account_id, symbol = c.symbol, side = c.side, qty = c.qty,
                price = c.price, ours = c.ours, theirs = c.theirs,
                cash = coalesce((select f.cash from fills f
                                  where b.kind in ('missing_theirs', 'duplicate') and f.venue = $1 and f.exec_id = b.subject),
                                c.cash),
                state = case when c.news then 'open' else b.state end,
                note = case when c.news then 'changed since it was explained' else b.note end,
                asked = case when c.news then 0 else b.asked end,
                asked_at = case when not c.news then b.asked_at end,
                -- What was reported with other terms is to be reported again.
                acted_at = case when not c.news and (b.qty, b.price) = (c.qty, c.price) then b.acted_at end,
                opened_at = case when c.news then daybook_now() else b.opened_at end,
                updated_at = daybook_now()
           from changed c
          where b.break_no = c.break_no
            and b.closed_at is null",
        day.venue,
        day.date,
        &texts(|d| &d.kind),
        &texts(|d| &d.exec_id),
        &found.iter().map(|d| d.order_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &found.iter().map(|d| d.account_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &texts(|d| &d.symbol),
        &texts(|d| &d.side),
        &found.iter().map(|d| d.qty).collect::<Vec<_>>(),
        &found.iter().map(|d| d.price).collect::<Vec<_>>(),
        &found.iter().map(cash_of).collect::<Vec<_>>(),
        &texts(|d| &d.ours),
        &texts(|d| &d.theirs),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The breaks of open orders that days before this one left, after a number, that many. Not locked.
pub(super) async fn older_open_orders(
    conn: &mut PgConnection,
    day: &Day,
    after: i64,
    limit: i64,
) -> Result<Vec<Break>, DbError> {
    let breaks = sqlx::query_as!(
        Break,
        "select break_no, venue, session_date, kind, subject, exec_id, order_id, account_id, symbol, side, qty, price, cash,
                at, ours, theirs, state, suspense, round, note, owner, explanation, asked, asked_at, acted_at, proposed_act,
                proposed_account, proposed_reason, proposed_by, opened_at, closed_at
           from recon_breaks
          where venue = $1
            and session_date < $2
            and kind in ('open_ours', 'open_theirs')
            and closed_at is null
            and break_no > $3
          order by break_no
          limit $4",
        day.venue,
        day.date,
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(breaks)
}

/// Those of these days that have no break that wants anybody.
pub(super) async fn without_any_that_waits(
    conn: &mut PgConnection,
    venue: &str,
    dates: &[NaiveDate],
) -> Result<Vec<NaiveDate>, DbError> {
    let dates = sqlx::query_scalar!(
        r#"select d as "date!"
             from unnest($2::date[]) as d
            where not exists (select from recon_breaks b
                               where b.venue = $1
                                 and b.session_date = d
                                 and b.closed_at is null
                                 and b.state <> 'explained')"#,
        venue,
        dates,
    );
    Ok(dates.fetch_all(conn).await?)
}

/// The open breaks of a day after a number, that many. Not locked: the venue is asked about them first.
pub(super) async fn page(conn: &mut PgConnection, day: &Day, after: i64, limit: i64) -> Result<Vec<Break>, DbError> {
    let breaks = sqlx::query_as!(
        Break,
        "select break_no, venue, session_date, kind, subject, exec_id, order_id, account_id, symbol, side, qty, price, cash,
                at, ours, theirs, state, suspense, round, note, owner, explanation, asked, asked_at, acted_at, proposed_act,
                proposed_account, proposed_reason, proposed_by, opened_at, closed_at
           from recon_breaks
          where venue = $1
            and session_date = $2
            and closed_at is null
            and break_no > $3
          order by break_no
          limit $4",
        day.venue,
        day.date,
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(breaks)
}

/// Locks those that are still as they were read, and gives their numbers: the others were decided meanwhile.
pub(super) async fn lock_as_read(
    conn: &mut PgConnection,
    read: impl Iterator<Item = &Break>,
) -> Result<HashSet<i64>, DbError> {
    let read: HashMap<i64, &Break> = read.map(|it| (it.break_no, it)).collect();
    let rows = sqlx::query!(
        "select break_no, state, suspense, round
           from recon_breaks
          where break_no = any($1)
            and closed_at is null
          order by break_no
            for update",
        &read.keys().copied().collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .await?;
    let same = rows.into_iter().filter(|row| {
        read.get(&row.break_no)
            .is_some_and(|it| (&it.state, &it.suspense, it.round) == (&row.state, &row.suspense, row.round))
    });
    Ok(same.map(|row| row.break_no).collect())
}

/// What a pass found out about a break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) break_no: i64,
    pub(super) state: &'static str,
    pub(super) note: String,
    pub(super) suspense: Option<&'static str>,
    pub(super) asked: bool,
    pub(super) acted: bool,
}

/// Stores what was found out.
pub(super) async fn store(conn: &mut PgConnection, findings: &[Finding]) -> Result<(), DbError> {
    if findings.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update recon_breaks b
            set state = f.state,
                note = f.note,
                suspense = f.suspense,
                asked = b.asked + f.asked::int,
                asked_at = case when f.asked then daybook_now() else b.asked_at end,
                acted_at = case when f.acted then daybook_now() else b.acted_at end,
                closed_at = case when f.state = 'closed' then daybook_now() end,
                updated_at = daybook_now()
           from unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::bool[])
             as f (break_no, state, note, suspense, asked, acted)
          where b.break_no = f.break_no
            and b.closed_at is null
            -- A pass that finds what it found before leaves the row alone.
            and (b.state, b.note, b.suspense, f.asked, f.acted) is distinct from (f.state, f.note, f.suspense, false, false)",
        &findings.iter().map(|f| f.break_no).collect::<Vec<_>>(),
        &findings.iter().map(|f| f.state.to_owned()).collect::<Vec<_>>(),
        &findings.iter().map(|f| f.note.clone()).collect::<Vec<_>>(),
        &findings.iter().map(|f| f.suspense.map(str::to_owned)).collect::<Vec<_>>() as &[Option<String>],
        &findings.iter().map(|f| f.asked).collect::<Vec<_>>(),
        &findings.iter().map(|f| f.acted).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
