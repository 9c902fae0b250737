//! What operators do with a break: take it, explain it, close it; and, two of them together, decide what becomes of what is
//! in suspense (REC-3).

use bus::{Bus, NewEvent, Topic};
use db::{DbError, PgConnection};
use domain::calendar::{Calendar, OutsideCalendar};
use domain::ids::IdError;
use domain::{AccountId, ExecId, Money, Qty, RequestId, Side, Timestamp};
use ledger::rules::{self, Disputed, TradeDates};
use ledger::{Cause, LedgerError, TransferId, TransferKind};
use rust_decimal::Decimal;
use strum::{Display, EnumString};
use thiserror::Error;
use uuid::Uuid;
use wire::events::v1::Fact;

use super::act;
use super::breaks::Break;

/// What two persons can decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Decision {
    /// An execution nobody knew is this customer's (LED-20).
    Assign,
    /// The firm takes it into its error account.
    FirmError,
    /// The venue gave notice that it took it back: the customer's booking is reversed (LED-16).
    Bust,
}

/// Why an operator's wish is not done.
#[derive(Debug, Error)]
pub enum DeskError {
    /// No break has this number.
    #[error("there is no break {0}")]
    NoSuchBreak(i64),
    /// It is over.
    #[error("break {0} is closed")]
    Closed(i64),
    /// Something is in suspense for it.
    #[error("break {0} has something in suspense: `reconcile adjust` it")]
    InSuspense(i64),
    /// Nothing is in suspense for it.
    #[error("break {0} has nothing in suspense that could be moved")]
    NothingInSuspense(i64),
    /// Nobody proposed anything.
    #[error("nothing is proposed for break {0}")]
    NothingProposed(i64),
    /// REC-3: an adjustment needs two persons.
    #[error("{0} proposed it: somebody else has to approve")]
    SamePerson(String),
    /// This kind of break is not decided so.
    #[error("a break of kind {kind} cannot be decided by {decision}")]
    Unfit {
        /// The break's.
        kind: String,
        /// What was asked.
        decision: Decision,
    },
    /// An assignment names a customer.
    #[error("name the customer it is assigned to")]
    NoCustomer,
    /// The numbers leave the exact range.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The day is outside of the calendar.
    #[error(transparent)]
    Calendar(#[from] OutsideCalendar),
    /// A name that is none.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The bus refused a message.
    #[error(transparent)]
    Bus(#[from] bus::BusError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A decision that was approved and done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// The break as it was.
    pub it: Break,
    /// What was decided.
    pub decision: Decision,
    /// The report that was set aside and is settled by it; its owner marks it so.
    pub settles: Option<Uuid>,
}

/// The break, locked.
///
/// # Errors
/// [`DeskError::NoSuchBreak`]; so for all functions here.
pub async fn lock(conn: &mut PgConnection, break_no: i64) -> Result<Break, DeskError> {
    let found = sqlx::query_as!(
        Break,
        "select break_no, venue, session_date, kind, subject, exec_id, order_id, account_id, symbol, side, qty, price, cash,
                at, ours, theirs, state, suspense, round, note, owner, explanation, asked, asked_at, acted_at, proposed_act,
                proposed_account, proposed_reason, proposed_by, opened_at, closed_at
           from recon_breaks
          where break_no = $1
            for update",
        break_no,
    )
    .fetch_optional(conn)
    .await
    .map_err(DbError::from)?;
    found.ok_or(DeskError::NoSuchBreak(break_no))
}

async fn lock_open(conn: &mut PgConnection, break_no: i64) -> Result<Break, DeskError> {
    let it = lock(conn, break_no).await?;
    if it.state == "closed" {
        return Err(DeskError::Closed(break_no));
    }
    Ok(it)
}

/// It is this person's work.
///
/// # Errors
/// It is closed, or there is none.
pub async fn own(conn: &mut PgConnection, break_no: i64, owner: &str) -> Result<Break, DeskError> {
    let it = lock_open(conn, break_no).await?;
    sqlx::query!(
        "update recon_breaks set owner = $2, updated_at = daybook_now() where break_no = $1",
        break_no,
        owner,
    )
    .execute(conn)
    .await
    .map_err(DbError::from)?;
    Ok(it)
}

/// What an operator found out. It is explained from then on; what is in suspense stays there.
///
/// # Errors
/// It is closed, or there is none.
pub async fn explain(conn: &mut PgConnection, break_no: i64, text: &str) -> Result<Break, DeskError> {
    let it = lock_open(conn, break_no).await?;
    sqlx::query!(
        "update recon_breaks
            set explanation = $2,
                state = case when state = 'open' then 'explained' else state end,
                updated_at = daybook_now()
          where break_no = $1",
        break_no,
        text,
    )
    .execute(conn)
    .await
    .map_err(DbError::from)?;
    Ok(it)
}

/// Nothing more is to be done. It stays closed, whatever a later pass finds.
///
/// # Errors
/// Something is in suspense for it.
pub async fn close(conn: &mut PgConnection, break_no: i64, why: &str) -> Result<Break, DeskError> {
    let it = lock_open(conn, break_no).await?;
    if it.suspense.is_some() || unknown(conn, &it).await?.is_some() {
        return Err(DeskError::InSuspense(break_no));
    }
    decide(conn, &it, "closed", why).await?;
    Ok(it)
}

/// The first of two persons says what should become of it.
///
/// # Errors
/// The decision does not fit the break.
pub async fn propose(
    conn: &mut PgConnection,
    break_no: i64,
    decision: Decision,
    account: Option<AccountId>,
    (reason, by): (&str, &str),
) -> Result<Break, DeskError> {
    let it = lock_open(conn, break_no).await?;
    fits(conn, &it, decision).await?;
    if decision == Decision::Assign && account.is_none() {
        return Err(DeskError::NoCustomer);
    }
    sqlx::query!(
        "update recon_breaks
            set proposed_act = $2, proposed_account = $3, proposed_reason = $4, proposed_by = $5, updated_at = daybook_now()
          where break_no = $1",
        break_no,
        decision.to_string(),
        account.map(AccountId::get),
        reason,
        by,
    )
    .execute(conn)
    .await
    .map_err(DbError::from)?;
    Ok(it)
}

/// The second person approves: it is done, in the caller's transaction.
///
/// # Errors
/// Nothing is proposed, the same person proposed it, or the customer has not what it takes.
pub async fn approve(
    conn: &mut PgConnection,
    bus: &Bus,
    calendar: &Calendar,
    break_no: i64,
    by: &str,
) -> Result<Approved, DeskError> {
    let it = lock_open(conn, break_no).await?;
    let (Some(proposed), Some(first)) = (&it.proposed_act, &it.proposed_by) else {
        return Err(DeskError::NothingProposed(break_no));
    };
    let decision: Decision = proposed.parse().map_err(|_| DeskError::NothingProposed(break_no))?;
    if first == by {
        return Err(DeskError::SamePerson(first.clone()));
    }
    fits(conn, &it, decision).await?;
    let now = db::database_time(conn).await?;
    let settles = match decision {
        Decision::Bust => {
            bust(conn, bus, &it, now).await?;
            None
        }
        Decision::FirmError => to_error(conn, &it, now).await?,
        Decision::Assign => Some(assign(conn, calendar, &it, now).await?),
    };
    let why = format!(
        "{decision}, proposed by {first}, approved by {by}: {}",
        it.proposed_reason.as_deref().unwrap_or_default()
    );
    let state = if decision == Decision::Bust {
        "adjusted"
    } else {
        "closed"
    };
    decide(conn, &it, state, &why).await?;
    Ok(Approved { it, decision, settles })
}

async fn decide(conn: &mut PgConnection, it: &Break, state: &str, why: &str) -> Result<(), DbError> {
    sqlx::query!(
        "update recon_breaks
            set state = $2,
                suspense = case when $2 = 'closed' then null else suspense end,
                decided = $2 = 'closed',
                closed_at = case when $2 = 'closed' then daybook_now() end,
                explanation = $3,
                proposed_act = null, proposed_account = null, proposed_reason = null, proposed_by = null,
                updated_at = daybook_now()
          where break_no = $1",
        it.break_no,
        state,
        why,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn fits(conn: &mut PgConnection, it: &Break, decision: Decision) -> Result<(), DeskError> {
    let missing = it.suspense.is_some();
    if missing && decision != Decision::Assign {
        return Ok(());
    }
    if missing || decision == Decision::Bust {
        let kind = it.kind.clone();
        return Err(DeskError::Unfit { kind, decision });
    }
    let waits = unknown(conn, it).await?;
    waits.map(|_| ()).ok_or(DeskError::NothingInSuspense(it.break_no))
}

async fn bust(conn: &mut PgConnection, bus: &Bus, it: &Break, now: Timestamp) -> Result<(), DeskError> {
    let fact = Fact::Busted {
        exec_id: it.subject.clone(),
        qty: it.qty,
        price: it.price,
        at: now,
    };
    let report = act::venue_report(it, fact, now);
    let request = RequestId::new(&format!("recon:{}", it.break_no))?;
    bus::append(conn, &[NewEvent::venue_report(&report, request)]).await?;
    bus.wake(Topic::VenueReports);
    Ok(())
}

async fn to_error(conn: &mut PgConnection, it: &Break, now: Timestamp) -> Result<Option<Uuid>, DeskError> {
    let cause = it.cause(TransferKind::ToError);
    if it.suspense.is_some() {
        let transfer = rules::missing_to_error(cause, &it.disputed()?, now)?;
        ledger::post(conn, &[transfer]).await?;
        return Ok(None);
    }
    let (report, disputed) = unknown(conn, it)
        .await?
        .ok_or(DeskError::NothingInSuspense(it.break_no))?;
    ledger::post(conn, &[rules::unknown_to_error(cause, &disputed, now)?]).await?;
    Ok(Some(report))
}

async fn assign(conn: &mut PgConnection, calendar: &Calendar, it: &Break, now: Timestamp) -> Result<Uuid, DeskError> {
    let account = AccountId::new(it.proposed_account.ok_or(DeskError::NoCustomer)?);
    let strict = ledger::lock(conn, &[account])
        .await?
        .get(&account)
        .is_some_and(|cash| cash.strict);
    let (report, disputed) = unknown(conn, it)
        .await?
        .ok_or(DeskError::NothingInSuspense(it.break_no))?;
    let dates = TradeDates {
        trade: it.session_date,
        settle: calendar.settle_date(it.session_date)?,
    };
    let transfer = rules::assigned(
        it.cause(TransferKind::Assigned),
        &disputed,
        (account, strict),
        dates,
        now,
    )?;
    ledger::post(conn, &[transfer]).await?;
    Ok(report)
}

/// The execution in suspense behind a break, as LED-20 booked it, with the report that was set aside.
async fn unknown(conn: &mut PgConnection, it: &Break) -> Result<Option<(Uuid, Disputed)>, DeskError> {
    let Some(exec) = &it.exec_id else { return Ok(None) };
    let exec_id = ExecId::new(exec)?;
    let venue = it.venue.clone();
    let transfer = TransferId::of(&Cause::Unknown { venue, exec_id });
    let row = sqlx::query!(
        r#"select s.report_id,
                  sum(e.amount) filter (where e.asset = $3) as shares,
                  sum(e.amount) filter (where e.asset = 'USD') as dollars
             from venue_reports_set_aside s
             join ledger_entries e on e.transfer_id = $4 and e.book = 'firm.suspense'
            where s.resolved_at is null
              and s.payload::json ->> 'venue' = $1
              and s.payload::json ->> 'exec_id' = $2
              and s.payload::json ->> 'fact' in ('filled', 'unmatched')
              and s.kind not in ('contradiction', 'busted_before')
            group by s.report_id
            order by s.report_id
            limit 1"#,
        it.venue,
        exec,
        it.symbol,
        transfer.get(),
    )
    .fetch_optional(conn)
    .await
    .map_err(DbError::from)?;
    let Some(row) = row else { return Ok(None) };
    let shares = row.shares.unwrap_or_default();
    let disputed = Disputed {
        side: if shares < Decimal::ZERO { Side::Sell } else { Side::Buy },
        qty: Qty::new(shares.abs()).map_err(LedgerError::from)?,
        cash: Money::from_decimal(row.dollars.unwrap_or_default().abs()),
        ..it.disputed()?
    };
    Ok(Some((row.report_id, disputed)))
}
