//! Kill switches as they are stored (RSK-6).

use chassis::ids::Ids;
use db::{DbError, PgConnection};
use domain::Timestamp;
use uuid::Uuid;

use super::lock;
use crate::switch::{Level, LiftRefused, Lifting, Mode, Switch, Target, lifting};

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
/// See [`super::all_overrides`].
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
/// See [`super::all_overrides`].
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
