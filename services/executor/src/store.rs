//! The executor's tables: set-based, one statement for all orders of a step.

use bus::Position;
use chrono::NaiveDate;
use db::DbError;
use domain::{AccountId, OrderId, Price, Qty, RequestId, Symbol, Timestamp, VenueOrderId};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;
use venue::VenueOrder;

use crate::book::{CancelState, InPlaceOf, Memory, Saga, State, StepRow, Submission, Terms};

/// Files new submissions, those that are open in the narrow table too. Gives those that were filed before: nothing of
/// them is written, their first word stands.
pub async fn file(conn: &mut PgConnection, new: &[&Submission], now: Timestamp) -> Result<BTreeSet<OrderId>, DbError> {
    let mut before: BTreeSet<OrderId> = new.iter().map(|submission| submission.order_id).collect();
    if new.is_empty() {
        return Ok(before);
    }
    let filed = insert(conn, new, &TermColumns::of(new), now).await?;
    for order_id in &filed {
        before.remove(&OrderId::new(*order_id));
    }
    let open: Vec<&Submission> = new
        .iter()
        .copied()
        .filter(|submission| !submission.is_done() && !before.contains(&submission.order_id))
        .collect();
    reopen(conn, &open).await?;
    Ok(before)
}

async fn insert(
    conn: &mut PgConnection,
    new: &[&Submission],
    terms: &TermColumns,
    now: Timestamp,
) -> Result<Vec<Uuid>, DbError> {
    let filed = sqlx::query_scalar!(
        "insert into venue_submissions (
            order_id, account_id, partition, symbol, side, qty, limit_price, time_in_force, session_date, submit_at,
            expires_at, request_id, filed_xid, filed_id, state, attempts, cancel_state, next_try_at, first_sent_at,
            replaces, replaces_at_venue, trace_context, updated_at
         )
         select n.*, $23
           from unnest(
            $1::uuid[], $2::uuid[], $3::smallint[], $4::text[], $5::text[], $6::numeric[], $7::numeric[], $8::text[],
            $9::date[], $10::timestamptz[], $11::timestamptz[], $12::text[], $13::bigint[], $14::bigint[], $15::text[],
            $16::integer[], $17::text[], $18::timestamptz[], $19::timestamptz[], $20::uuid[], $21::text[], $22::text[]
           ) as n
             on conflict (order_id) do nothing
      returning order_id",
        &each(new, |s| s.order_id.get()),
        &each(new, |s| s.account_id.get()),
        &each(new, |s| s.partition),
        &each(new, |s| s.symbol.to_string()),
        &terms.sides as &[Option<&str>],
        &terms.qtys as &[Option<Decimal>],
        &terms.limit_prices as &[Option<Decimal>],
        &terms.times_in_force as &[Option<&str>],
        &terms.session_dates as &[Option<NaiveDate>],
        &terms.submit_ats as &[Option<Timestamp>],
        &terms.expires_ats as &[Option<Timestamp>],
        &each(new, |s| s.request_id.to_string()),
        &each(new, |s| s.filed.xid),
        &each(new, |s| s.filed.id),
        &each(new, |s| s.state.as_str()) as &[&str],
        &each(new, |s| s.attempts),
        &each(new, |s| s.cancel.as_str()) as &[&str],
        &each(new, |s| s.due) as &[Option<Timestamp>],
        &each(new, |s| s.first_sent_at) as &[Option<Timestamp>],
        &each(new, |s| s.replaces.as_ref().map(|old| old.order_id.get())) as &[Option<Uuid>],
        &each(new, |s| s.replaces.as_ref().map(|old| old.at_venue.to_string())) as &[Option<String>],
        &each(new, |s| s.request_id.trace_text()) as &[Option<String>],
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(filed)
}

/// The terms of new submissions; a tombstone has none.
struct TermColumns {
    sides: Vec<Option<&'static str>>,
    qtys: Vec<Option<Decimal>>,
    limit_prices: Vec<Option<Decimal>>,
    times_in_force: Vec<Option<&'static str>>,
    session_dates: Vec<Option<NaiveDate>>,
    submit_ats: Vec<Option<Timestamp>>,
    expires_ats: Vec<Option<Timestamp>>,
}

impl TermColumns {
    fn of(new: &[&Submission]) -> Self {
        Self {
            sides: terms_of(new, |terms| terms.order.side.as_str()),
            qtys: terms_of(new, |terms| terms.order.qty.get()),
            limit_prices: terms_of(new, |terms| terms.order.limit_price.get()),
            times_in_force: terms_of(new, |terms| terms.order.time_in_force.as_str()),
            session_dates: terms_of(new, |terms| terms.session_date),
            submit_ats: terms_of(new, |terms| terms.submit_at)
                .into_iter()
                .map(Option::flatten)
                .collect(),
            expires_ats: terms_of(new, |terms| terms.expires_at)
                .into_iter()
                .map(Option::flatten)
                .collect(),
        }
    }
}

fn terms_of<T>(new: &[&Submission], of: impl Fn(&Terms) -> T) -> Vec<Option<T>> {
    each(new, |submission| submission.terms.as_ref().map(&of))
}

/// Writes what changed of filed submissions, and takes those that are done out of the narrow table.
pub async fn move_on(conn: &mut PgConnection, moved: &[&Submission], now: Timestamp) -> Result<(), DbError> {
    if moved.is_empty() {
        return Ok(());
    }
    let written = sqlx::query_scalar!(
        r#"with now_so as (
            select *
              from unnest(
                $1::uuid[], $2::text[], $3::integer[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::text[],
                $9::timestamptz[], $10::timestamptz[], $11::smallint[], $12::boolean[]
              ) as n(order_id, state, attempts, cancel_state, cancel_attempts, venue_order_id, last_error, burn_reason,
                     next_try_at, first_sent_at, partition, closed)
         ), closed as (
            delete from venue_open_submissions o
             using now_so n
             where n.closed
               and o.partition = n.partition
               and o.order_id = n.order_id
         ), moved as (
            update venue_submissions s
               set state = n.state, attempts = n.attempts, cancel_state = n.cancel_state,
                   cancel_attempts = n.cancel_attempts, venue_order_id = n.venue_order_id, last_error = n.last_error,
                   burn_reason = n.burn_reason, next_try_at = n.next_try_at, first_sent_at = n.first_sent_at,
                   updated_at = $13
              from now_so n
             where s.order_id = n.order_id
         returning s.order_id
         )
         select count(*) as "written!" from moved"#,
        &each(moved, |s| s.order_id.get()),
        &each(moved, |s| s.state.as_str()) as &[&str],
        &each(moved, |s| s.attempts),
        &each(moved, |s| s.cancel.as_str()) as &[&str],
        &each(moved, |s| s.cancel_attempts),
        &each(moved, |s| s.venue_order_id.as_ref().map(ToString::to_string)) as &[Option<String>],
        &each(moved, |s| s.last_error.clone()) as &[Option<String>],
        &each(moved, |s| s.burn_reason.clone()) as &[Option<String>],
        &each(moved, |s| s.due) as &[Option<Timestamp>],
        &each(moved, |s| s.first_sent_at) as &[Option<Timestamp>],
        &each(moved, |s| s.partition),
        &each(moved, |s| s.is_done()),
        now,
    )
    .fetch_one(conn)
    .await?;
    if usize::try_from(written) == Ok(moved.len()) {
        Ok(())
    } else {
        Err(DbError::Stale)
    }
}

/// Puts submissions that were done back among the open ones: a cancel came for an order the venue has.
pub async fn reopen(conn: &mut PgConnection, again: &[&Submission]) -> Result<(), DbError> {
    if again.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into venue_open_submissions (partition, order_id)
         select *
           from unnest($1::smallint[], $2::uuid[])
             on conflict (partition, order_id) do nothing",
        &each(again, |s| s.partition),
        &each(again, |s| s.order_id.get()),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes saga steps; begun again, a step is no longer done.
pub async fn steps(conn: &mut PgConnection, rows: &[StepRow], now: Timestamp) -> Result<(), DbError> {
    // One statement cannot touch a row twice, so of several words about a step the last counts.
    let last: HashMap<(OrderId, crate::book::Step), &StepRow> =
        rows.iter().map(|row| ((row.order_id, row.step), row)).collect();
    let mut last: Vec<&StepRow> = last.into_values().collect();
    last.sort_by_key(|row| (row.order_id, row.step));
    if last.is_empty() {
        return Ok(());
    }
    let done: Vec<Option<Timestamp>> = last.iter().map(|row| row.done.then_some(now)).collect();
    sqlx::query!(
        "insert into venue_saga_steps (order_id, step, attempts, started_at, done_at, outcome)
         select n.order_id, n.step, n.attempts, $6, n.done_at, n.outcome
           from unnest($1::uuid[], $2::text[], $3::integer[], $4::timestamptz[], $5::text[])
                as n(order_id, step, attempts, done_at, outcome)
             on conflict (order_id, step) do update
            set attempts = excluded.attempts, done_at = excluded.done_at, outcome = excluded.outcome",
        &each(&last, |row| row.order_id.get()),
        &each(&last, |row| row.step.as_str()) as &[&str],
        &each(&last, |row| row.attempts),
        &done as &[Option<Timestamp>],
        &each(&last, |row| row.outcome.clone()) as &[Option<String>],
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Up to `most` open submissions of some partitions after a place, with their sagas; by partition and id, so that no
/// page takes longer than a statement may.
pub async fn open_of(
    conn: &mut PgConnection,
    partitions: &[i16],
    after: (i16, Uuid),
    most: i64,
) -> Result<Vec<Submission>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        "with page as materialized (
            select partition, order_id
              from venue_open_submissions
             where partition = any($1)
               and (partition, order_id) > ($2, $3)
             order by partition, order_id
             limit $4
         )
         select s.order_id, s.account_id, s.partition, s.symbol, s.side, s.qty, s.limit_price, s.time_in_force,
                s.session_date, s.submit_at, s.expires_at, s.request_id, s.filed_xid, s.filed_id, s.state, s.attempts, s.cancel_state,
                s.cancel_attempts, s.venue_order_id, s.last_error, s.burn_reason, s.next_try_at, s.first_sent_at,
                s.replaces, s.replaces_at_venue, s.trace_context
           from page o
           join venue_submissions s on s.order_id = o.order_id
          order by o.partition, o.order_id",
        partitions,
        after.0,
        after.1,
        most,
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut open = rows
        .into_iter()
        .map(|row| row.read(true))
        .collect::<Result<Vec<_>, _>>()?;
    let burning = open
        .iter_mut()
        .filter(|submission| submission.state == State::Burning)
        .collect();
    load_sagas(conn, burning).await?;
    Ok(open)
}

/// Stored submissions by id, whether open or not.
pub async fn by_ids(conn: &mut PgConnection, ids: &[Uuid]) -> Result<HashMap<OrderId, Submission>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        "select order_id, account_id, partition, symbol, side, qty, limit_price, time_in_force, session_date, submit_at,
                expires_at, request_id, filed_xid, filed_id, state, attempts, cancel_state, cancel_attempts, venue_order_id, last_error,
                burn_reason, next_try_at, first_sent_at, replaces, replaces_at_venue,
                trace_context
           from venue_submissions
          where order_id = any($1)",
        ids,
    )
    .fetch_all(conn)
    .await?;
    let read = |row: Row| row.read(false).map(|submission| (submission.order_id, submission));
    rows.into_iter().map(read).collect()
}

async fn load_sagas(conn: &mut PgConnection, burning: Vec<&mut Submission>) -> Result<(), DbError> {
    if burning.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = burning.iter().map(|submission| submission.order_id.get()).collect();
    let rows = sqlx::query!(
        r#"select order_id, step, attempts, done_at is not null as "done!", outcome
             from venue_saga_steps
            where order_id = any($1)"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let mut by_order: HashMap<OrderId, Vec<StepRow>> = HashMap::new();
    for row in rows {
        let order_id = OrderId::new(row.order_id);
        let step = row
            .step
            .parse()
            .map_err(|_| inconsistent("venue_saga_steps", row.order_id, &row.step))?;
        let (attempts, done, outcome) = (row.attempts, row.done, row.outcome);
        by_order.entry(order_id).or_default().push(StepRow {
            order_id,
            step,
            attempts,
            done,
            outcome,
        });
    }
    for submission in burning {
        let rows = by_order.remove(&submission.order_id).unwrap_or_default();
        submission.memory.saga = Some(Saga::resume(&rows));
    }
    Ok(())
}

struct Row {
    order_id: Uuid,
    account_id: Uuid,
    partition: i16,
    symbol: String,
    side: Option<String>,
    qty: Option<Decimal>,
    limit_price: Option<Decimal>,
    time_in_force: Option<String>,
    session_date: Option<NaiveDate>,
    submit_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    request_id: String,
    filed_xid: i64,
    filed_id: i64,
    state: String,
    attempts: i32,
    cancel_state: String,
    cancel_attempts: i32,
    venue_order_id: Option<String>,
    last_error: Option<String>,
    burn_reason: Option<String>,
    next_try_at: Option<Timestamp>,
    first_sent_at: Option<Timestamp>,
    replaces: Option<Uuid>,
    replaces_at_venue: Option<String>,
    trace_context: Option<String>,
}

impl Row {
    fn read(self, open: bool) -> Result<Submission, DbError> {
        let order_id = self.order_id;
        let bad = |what: &str| inconsistent("venue_submissions", order_id, what);
        let venue_order_id = self.venue_order_id.as_deref().map(VenueOrderId::new).transpose();
        let symbol = Symbol::parse(&self.symbol).ok_or_else(|| bad("symbol"))?;
        let terms = self.terms(&symbol).map_err(bad)?;
        let replaces = self.in_place_of().map_err(bad)?;
        Ok(Submission {
            order_id: OrderId::new(order_id),
            account_id: AccountId::new(self.account_id),
            partition: self.partition,
            symbol,
            terms,
            replaces,
            request_id: RequestId::new(&self.request_id)
                .map_err(|_| bad("request_id"))?
                .traced_as(self.trace_context.as_deref()),
            filed: Position {
                xid: self.filed_xid,
                id: self.filed_id,
            },
            state: self.state.parse::<State>().map_err(|_| bad("state"))?,
            attempts: self.attempts,
            cancel: self
                .cancel_state
                .parse::<CancelState>()
                .map_err(|_| bad("cancel_state"))?,
            cancel_attempts: self.cancel_attempts,
            venue_order_id: venue_order_id.map_err(|_| bad("venue_order_id"))?,
            last_error: self.last_error,
            burn_reason: self.burn_reason,
            due: self.next_try_at,
            first_sent_at: self.first_sent_at,
            memory: Memory {
                stored: true,
                open,
                ..Memory::default()
            },
        })
    }

    fn in_place_of(&self) -> Result<Option<InPlaceOf>, &'static str> {
        let (Some(order_id), Some(at_venue)) = (self.replaces, &self.replaces_at_venue) else {
            return Ok(None);
        };
        let at_venue = VenueOrderId::new(at_venue).map_err(|_| "replaces_at_venue")?;
        let order_id = OrderId::new(order_id);
        Ok(Some(InPlaceOf { order_id, at_venue }))
    }

    fn terms(&self, symbol: &Symbol) -> Result<Option<Terms>, &'static str> {
        let columns = (
            &self.side,
            self.qty,
            self.limit_price,
            &self.time_in_force,
            self.session_date,
        );
        let (Some(side), Some(qty), Some(price), Some(time_in_force), Some(session_date)) = columns else {
            return Ok(None);
        };
        let order = VenueOrder {
            symbol: symbol.clone(),
            side: side.parse().map_err(|_| "side")?,
            qty: Qty::new(qty).map_err(|_| "qty")?,
            limit_price: Price::new(price).map_err(|_| "limit_price")?,
            time_in_force: time_in_force.parse().map_err(|_| "time_in_force")?,
        };
        Ok(Some(Terms {
            order,
            session_date,
            submit_at: self.submit_at,
            expires_at: self.expires_at,
        }))
    }
}

fn inconsistent(table: &'static str, order_id: Uuid, what: &str) -> DbError {
    DbError::Inconsistent {
        table,
        what: format!("{order_id}: {what}"),
    }
}

fn each<S, T>(all: &[&S], of: impl Fn(&S) -> T) -> Vec<T> {
    all.iter().map(|one| of(one)).collect()
}
