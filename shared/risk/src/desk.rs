//! What operators change, each in the caller's transaction, which carries the row of the act too (V16).

use chassis::ids::Ids;
use db::{DbError, PgConnection};
use domain::{AccountId, Money, Symbol, Timestamp};
use uuid::Uuid;

use crate::in_force::Row;
use crate::settings::{Overrides, Scope};
use crate::switch::{Level, LiftRefused, Lifting, Mode, Switch, Target, lifting};

/// A symbol in which nobody, or one account, may place orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// Ticker.
    pub symbol: Symbol,
    /// Whose orders; none: everybody's.
    pub account: Option<AccountId>,
    /// Why.
    pub reason: String,
    /// The operator.
    pub added_by: String,
    /// When.
    pub added_at: Timestamp,
}

/// A switch to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSwitch {
    /// What it stops.
    pub target: Target,
    /// How.
    pub mode: Mode,
    /// Why.
    pub reason: String,
    /// The operator.
    pub by: String,
}

/// What setting a switch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// It is in force now and was not before.
    New,
    /// It was in force, and now asks for the end of open orders too.
    Stronger,
    /// It was in force as strong as this already; a wish to lift it is void.
    Already,
}

/// Why a switch is not lifted.
#[derive(Debug, thiserror::Error)]
pub enum LiftError {
    /// Nothing to lift.
    #[error("no kill switch is in force for {0}: `daybook admin kill list` shows all")]
    NotSet(Target),
    /// Dual control.
    #[error(transparent)]
    Refused(#[from] LiftRefused),
    /// What the database says.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// How often anything was changed.
pub(crate) async fn revision(conn: &mut PgConnection) -> Result<i64, DbError> {
    let revision = sqlx::query_scalar!("select revision from risk_revision")
        .fetch_one(conn)
        .await?;
    Ok(revision)
}

/// Keeps everybody else from changing anything until the transaction ends; readers go on.
///
/// # Errors
/// What the database says; so for all functions here.
pub async fn lock(conn: &mut PgConnection) -> Result<(), DbError> {
    sqlx::query_scalar!("select revision from risk_revision for update")
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Every row of settings, by scope.
///
/// # Errors
/// See [`lock`], or a row this program cannot have written.
pub async fn all_overrides(conn: &mut PgConnection) -> Result<Vec<(Scope, Overrides)>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        "select scope, subject, max_order_value, max_open_value, max_firm_open_value, max_open_orders,
                max_open_orders_per_symbol, collar, collar_below_dollar, refuse_duplicates, refuse_self_cross
           from risk_settings
          order by scope, subject",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// What one scope says.
///
/// # Errors
/// See [`all_overrides`].
pub async fn overrides(conn: &mut PgConnection, scope: &Scope) -> Result<Overrides, DbError> {
    let (word, subject) = scope.words();
    let row = sqlx::query_as!(
        Row,
        "select scope, subject, max_order_value, max_open_value, max_firm_open_value, max_open_orders,
                max_open_orders_per_symbol, collar, collar_below_dollar, refuse_duplicates, refuse_self_cross
           from risk_settings
          where scope = $1
            and subject = $2",
        word,
        subject,
    )
    .fetch_optional(conn)
    .await?;
    let read = row.map(<(Scope, Overrides)>::try_from).transpose()?;
    Ok(read.map(|(_, overrides)| overrides).unwrap_or_default())
}

/// Stores what one scope says; nothing at all takes its row away. [`lock`] comes first.
///
/// # Errors
/// See [`lock`].
pub async fn put_overrides(
    conn: &mut PgConnection,
    scope: &Scope,
    new: &Overrides,
    by: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let (word, subject) = scope.words();
    if *new == Overrides::default() {
        sqlx::query!(
            "delete from risk_settings where scope = $1 and subject = $2",
            word,
            subject
        )
        .execute(conn)
        .await?;
        return Ok(());
    }
    sqlx::query!(
        "insert into risk_settings (scope, subject, max_order_value, max_open_value, max_firm_open_value,
                                    max_open_orders, max_open_orders_per_symbol, collar, collar_below_dollar,
                                    refuse_duplicates, refuse_self_cross, changed_at, changed_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (scope, subject) do update
            set max_order_value = excluded.max_order_value, max_open_value = excluded.max_open_value,
                max_firm_open_value = excluded.max_firm_open_value, max_open_orders = excluded.max_open_orders,
                max_open_orders_per_symbol = excluded.max_open_orders_per_symbol, collar = excluded.collar,
                collar_below_dollar = excluded.collar_below_dollar, refuse_duplicates = excluded.refuse_duplicates,
                refuse_self_cross = excluded.refuse_self_cross, changed_at = excluded.changed_at,
                changed_by = excluded.changed_by",
        word,
        subject,
        new.max_order_value.map(Money::get),
        new.max_open_value.map(Money::get),
        new.max_firm_open_value.map(Money::get),
        new.max_open_orders,
        new.max_open_orders_per_symbol,
        new.collar,
        new.collar_below_dollar,
        new.refuse_duplicates,
        new.refuse_self_cross,
        now,
        by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The restricted list, by symbol.
///
/// # Errors
/// See [`all_overrides`].
pub async fn restrictions(conn: &mut PgConnection) -> Result<Vec<Restriction>, DbError> {
    let rows = sqlx::query!(
        "select symbol, subject, reason, added_by, added_at
           from restricted_symbols
          order by symbol, subject",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let wrong = || DbError::Inconsistent {
                table: "restricted_symbols",
                what: format!("{} {:?}", row.symbol, row.subject),
            };
            let account = match row.subject.as_str() {
                "" => None,
                id => Some(AccountId::new(id.parse().map_err(|_| wrong())?)),
            };
            Ok(Restriction {
                symbol: Symbol::parse(&row.symbol).ok_or_else(wrong)?,
                account,
                reason: row.reason,
                added_by: row.added_by,
                added_at: row.added_at,
            })
        })
        .collect()
}

/// Puts a symbol on the list; `false` when it was there.
///
/// # Errors
/// See [`lock`].
pub async fn restrict(conn: &mut PgConnection, new: &Restriction) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "insert into restricted_symbols (symbol, subject, reason, added_by, added_at)
         values ($1, $2, $3, $4, $5)
         on conflict (symbol, subject) do nothing",
        new.symbol.as_str(),
        new.account.map(|id| id.to_string()).unwrap_or_default(),
        new.reason,
        new.added_by,
        new.added_at,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a symbol off the list; `false` when it was not there.
///
/// # Errors
/// See [`lock`].
pub async fn unrestrict(conn: &mut PgConnection, symbol: &Symbol, account: Option<AccountId>) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "delete from restricted_symbols where symbol = $1 and subject = $2",
        symbol.as_str(),
        account.map(|id| id.to_string()).unwrap_or_default(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

struct SwitchRow {
    switch_id: Uuid,
    level: String,
    subject: String,
    mode: String,
    reason: String,
    set_by: String,
    set_at: Timestamp,
    lift_proposed_by: Option<String>,
    lift_reason: Option<String>,
    lifted_by: Option<String>,
    lifted_at: Option<Timestamp>,
}

impl TryFrom<SwitchRow> for Switch {
    type Error = DbError;

    fn try_from(row: SwitchRow) -> Result<Self, DbError> {
        let wrong = || DbError::Inconsistent {
            table: "kill_switches",
            what: format!("{}: {} {:?} {}", row.switch_id, row.level, row.subject, row.mode),
        };
        let level: Level = row.level.parse().map_err(|_| wrong())?;
        Ok(Switch {
            switch_id: row.switch_id,
            target: Target::read(level, &row.subject).map_err(|_| wrong())?,
            mode: row.mode.parse().map_err(|_| wrong())?,
            reason: row.reason,
            set_by: row.set_by,
            set_at: row.set_at,
            lift_proposed_by: row.lift_proposed_by,
            lift_reason: row.lift_reason,
            lifted_by: row.lifted_by,
            lifted_at: row.lifted_at,
        })
    }
}

/// The switches in force, or all there ever were, newest first.
///
/// # Errors
/// See [`all_overrides`].
pub async fn switches(conn: &mut PgConnection, lifted_too: bool) -> Result<Vec<Switch>, DbError> {
    let rows = sqlx::query_as!(
        SwitchRow,
        "select switch_id, level, subject, mode, reason, set_by, set_at, lift_proposed_by, lift_reason, lifted_by,
                lifted_at
           from kill_switches
          where $1 or lifted_at is null
          order by set_at desc, switch_id",
        lifted_too,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Switch::try_from).collect()
}

async fn in_force(conn: &mut PgConnection, target: &Target) -> Result<Option<Switch>, DbError> {
    let level: &'static str = target.level().into();
    let row = sqlx::query_as!(
        SwitchRow,
        "select switch_id, level, subject, mode, reason, set_by, set_at, lift_proposed_by, lift_reason, lifted_by,
                lifted_at
           from kill_switches
          where level = $1
            and subject = $2
            and lifted_at is null",
        level,
        target.subject(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(Switch::try_from).transpose()
}

/// Sets a switch. One that is in force is only ever made stronger, and a wish to lift it is void.
///
/// # Errors
/// See [`all_overrides`].
pub async fn set(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    new: &NewSwitch,
    now: Timestamp,
) -> Result<(Setting, Switch), DbError> {
    lock(conn).await?;
    let setting = match in_force(conn, &new.target).await? {
        None => {
            insert(conn, ids.uuid(), new, now).await?;
            Setting::New
        }
        Some(before) => {
            insist(conn, before.switch_id, before.mode.max(new.mode)).await?;
            if before.mode < new.mode {
                Setting::Stronger
            } else {
                Setting::Already
            }
        }
    };
    let set = in_force(conn, &new.target).await?.ok_or(DbError::Stale)?;
    Ok((setting, set))
}

async fn insert(conn: &mut PgConnection, id: Uuid, new: &NewSwitch, now: Timestamp) -> Result<(), DbError> {
    let (level, mode): (&'static str, &'static str) = (new.target.level().into(), new.mode.into());
    sqlx::query!(
        "insert into kill_switches (switch_id, level, subject, mode, reason, set_by, set_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id,
        level,
        new.target.subject(),
        mode,
        new.reason,
        new.by,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn insist(conn: &mut PgConnection, switch: Uuid, mode: Mode) -> Result<(), DbError> {
    let mode: &'static str = mode.into();
    sqlx::query!(
        "update kill_switches
            set mode = $2, lift_proposed_by = null, lift_proposed_at = null, lift_reason = null
          where switch_id = $1",
        switch,
        mode,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The first person proposes to lift a switch, the second one lifts it.
///
/// # Errors
/// Nothing to lift, the same person again, or what the database says.
pub async fn lift(
    conn: &mut PgConnection,
    target: &Target,
    by: &str,
    reason: &str,
    now: Timestamp,
) -> Result<(Lifting, Switch), LiftError> {
    lock(conn).await?;
    let switch = in_force(conn, target).await?;
    let switch = switch.ok_or_else(|| LiftError::NotSet(target.clone()))?;
    let lifting = lifting(switch.lift_proposed_by.as_deref(), by)?;
    let statement = match lifting {
        Lifting::Proposed => sqlx::query!(
            "update kill_switches
                set lift_proposed_by = $2, lift_proposed_at = $3, lift_reason = $4
              where switch_id = $1",
            switch.switch_id,
            by.trim(),
            now,
            reason,
        ),
        Lifting::Lifted => sqlx::query!(
            "update kill_switches
                set lifted_by = $2, lifted_at = $3
              where switch_id = $1",
            switch.switch_id,
            by.trim(),
            now,
        ),
    };
    statement.execute(conn).await.map_err(DbError::from)?;
    Ok((lifting, switch))
}
