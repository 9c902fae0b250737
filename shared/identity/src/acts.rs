//! What operators did, written in the act's own transaction (V16): no act without its row, no row without its act.

use chassis::ids::Ids;
use db::DbError;
use domain::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

/// One act of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Who: the operating system's user, or a name given for it.
    pub actor: String,
    /// What: `create_account`, `deposit`, `revoke_key` and so on.
    pub act: String,
    /// To whom or what, by id.
    pub subject: String,
    /// The rest, for a person; never a secret.
    pub detail: String,
}

/// Writes an act down, in the transaction that does it.
pub async fn record(conn: &mut PgConnection, ids: &dyn Ids, now: Timestamp, act: &Act) -> Result<Uuid, DbError> {
    let id = ids.uuid();
    sqlx::query!(
        "insert into admin_acts (act_id, at, actor, act, subject, detail)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        now,
        act.actor,
        act.act,
        act.subject,
        act.detail,
    )
    .execute(conn)
    .await?;
    fail::fail_point!("audit::row_made", |_| Err(DbError::Stale));
    Ok(id)
}
