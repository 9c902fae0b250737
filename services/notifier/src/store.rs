//! The table of notices.

use db::{DbError, PgConnection};
use domain::{AccountId, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use crate::facts::Fact;
use crate::words::Notice;

/// Stores notices; those that are there already stay as they are. Gives back the kinds that are new.
///
/// # Errors
/// What the database says.
pub async fn insert(
    conn: &mut PgConnection,
    notices: &[(&Fact, Notice)],
    now: Timestamp,
) -> Result<Vec<String>, DbError> {
    if notices.is_empty() {
        return Ok(Vec::new());
    }
    let made = sqlx::query_scalar!(
        "insert into notices (notice_id, account_id, order_id, kind, about, event_seq, title, body, created_at)
         select n.*, $9
           from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[]) n
             on conflict (notice_id) do nothing
      returning kind",
        &each(notices, |_, n| n.id),
        &each(notices, |f, _| f.account.get()),
        &each(notices, |f, _| f.order.get()),
        &each(notices, |_, n| n.kind.as_str().to_owned()),
        &each(notices, |_, n| n.about.clone()),
        &each(notices, |f, _| f.seq),
        &each(notices, |_, n| n.title.clone()),
        &each(notices, |_, n| n.body.clone()),
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(made)
}

/// A notice as it is stored.
#[derive(Debug, Clone, Serialize)]
pub struct StoredNotice {
    /// Its id.
    pub notice_id: Uuid,
    /// The order it is about.
    pub order_id: Uuid,
    /// What it is about.
    pub kind: String,
    /// One line.
    pub title: String,
    /// The rest.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When the customer read it.
    pub read_at: Option<Timestamp>,
}

/// An account's notices, newest first.
///
/// # Errors
/// What the database says.
pub async fn of_account(conn: &mut PgConnection, account: AccountId, limit: i64) -> Result<Vec<StoredNotice>, DbError> {
    let notices = sqlx::query_as!(
        StoredNotice,
        "select notice_id, order_id, kind, title, body, created_at, read_at
           from notices
          where account_id = $1
          order by created_at desc, notice_id desc
          limit $2",
        account.get(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(notices)
}

fn each<T>(notices: &[(&Fact, Notice)], column: impl Fn(&Fact, &Notice) -> T) -> Vec<T> {
    notices.iter().map(|(fact, notice)| column(fact, notice)).collect()
}
