//! The audit trail, sealed: each act of an operator in the order of the log, with a SHA-256 over it and the hash before
//! (V16). What proves the chain is `daybook audit`, in SQL, by a text that it makes itself.
//!
//! Only acts below the oldest running transaction are sealed, so none can commit later at a place before them.

use db::{DbError, PgConnection};
use domain::Timestamp;
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

/// Acts of one statement.
const BATCH: i64 = 500;
/// Any number, the same in all processes: whoever holds it seals.
const SEALING: i64 = 0x0073_6561_6c69_6e67;

/// Where the chain ends. Whoever keeps a copy elsewhere can tell later that nothing was taken off its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// How many acts are sealed.
    pub seq: i64,
    /// The last hash; zeros before the first.
    pub hash: [u8; 32],
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.seq)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An act as it is sealed.
struct Act {
    act_id: Uuid,
    xid: i64,
    act_no: i64,
    at: Timestamp,
    actor: String,
    act: String,
    subject: String,
    detail: String,
}

impl Act {
    /// Its text: every part with its length before it, so that no two acts share one.
    fn text(&self, seq: i64) -> String {
        let at = self.at.timestamp_micros().to_string();
        let id = self.act_id.to_string();
        let (seq, xid, act_no) = (seq.to_string(), self.xid.to_string(), self.act_no.to_string());
        let parts = [
            &seq,
            &id,
            &xid,
            &act_no,
            &at,
            &self.actor,
            &self.act,
            &self.subject,
            &self.detail,
        ];
        parts.iter().map(|part| format!("{}:{part}", part.len())).collect()
    }
}

/// Seals the next acts, at most a few hundred; how many they were, and where the chain ends now. One sealer at a time: a
/// second one waits for the transaction of the first.
///
/// # Errors
/// What the database says.
pub async fn seal(conn: &mut PgConnection, now: Timestamp) -> Result<(usize, Head), DbError> {
    // Not a lock of the table: who may only add to it may not lock it.
    sqlx::query!("select pg_advisory_xact_lock($1)", SEALING)
        .execute(&mut *conn)
        .await?;
    let mut head = head(conn).await?;
    let acts = unsealed(conn).await?;
    let mut hashes = Vec::with_capacity(acts.len());
    for act in &acts {
        head.seq += 1;
        let text = act.text(head.seq);
        head.hash = Sha256::new()
            .chain_update(head.hash)
            .chain_update(text)
            .finalize()
            .into();
        hashes.push((head.seq, head.hash.to_vec()));
    }
    append(conn, &acts, &hashes, now).await?;
    Ok((acts.len(), head))
}

/// Where the chain ends.
///
/// # Errors
/// What the database says.
pub async fn head(conn: &mut PgConnection) -> Result<Head, DbError> {
    let last = sqlx::query!("select seq, hash from audit_chain order by seq desc limit 1")
        .fetch_optional(conn)
        .await?;
    let Some(last) = last else {
        return Ok(Head::default());
    };
    let hash = last.hash.try_into().map_err(|_| DbError::Inconsistent {
        table: "audit_chain",
        what: format!("position {}: the hash is not 32 bytes long", last.seq),
    })?;
    Ok(Head { seq: last.seq, hash })
}

/// The hash at a place of the chain, to compare with a copy that was kept elsewhere.
///
/// # Errors
/// What the database says.
pub async fn at(conn: &mut PgConnection, seq: i64) -> Result<Option<Vec<u8>>, DbError> {
    let hash = sqlx::query_scalar!("select hash from audit_chain where seq = $1", seq);
    Ok(hash.fetch_optional(conn).await?)
}

async fn unsealed(conn: &mut PgConnection) -> Result<Vec<Act>, DbError> {
    let acts = sqlx::query_as!(
        Act,
        r#"select a.act_id, a.xid::text::bigint as "xid!", a.act_no, a.at, a.actor, a.act, a.subject, a.detail
             from admin_acts a
             left join (select xid, act_no from audit_chain order by seq desc limit 1) last on true
            where a.xid < pg_snapshot_xmin(pg_current_snapshot())
              and (last.xid is null or (a.xid, a.act_no) > (last.xid, last.act_no))
            order by a.xid, a.act_no
            limit $1"#,
        BATCH,
    );
    Ok(acts.fetch_all(conn).await?)
}

async fn append(
    conn: &mut PgConnection,
    acts: &[Act],
    hashes: &[(i64, Vec<u8>)],
    now: Timestamp,
) -> Result<(), DbError> {
    if acts.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into audit_chain (seq, act_id, xid, act_no, hash, sealed_at)
         select n.seq, n.act_id, n.xid::text::xid8, n.act_no, n.hash, $6
           from unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bytea[])
             as n (seq, act_id, xid, act_no, hash)",
        &hashes.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
        &acts.iter().map(|act| act.act_id).collect::<Vec<_>>(),
        &acts.iter().map(|act| act.xid).collect::<Vec<_>>(),
        &acts.iter().map(|act| act.act_no).collect::<Vec<_>>(),
        &hashes.iter().map(|(_, hash)| hash.clone()).collect::<Vec<_>>(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}
