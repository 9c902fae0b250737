//! API keys. The secret is 256 random bits, shown once and stored as its SHA-256: guessing is hopeless, so a slow hash
//! would buy nothing and cost every request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::ids::Ids;
use db::DbError;
use domain::{AccountId, Timestamp};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::fmt;

/// A secret that does not print; `secrecy::ExposeSecret` shows it.
pub type Secret = SecretString;

/// Length of every key id.
const KEY_ID_LEN: usize = 20;
/// Letters of a key id: nothing that reads like something else.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// The public half of a key pair, such as `DKQ7…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// Reads a key id as a client sends it; `None` for what cannot be one, which then costs no look at the database.
    pub fn parse(text: &str) -> Option<Self> {
        let ok = text.len() == KEY_ID_LEN && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        ok.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its public half.
    pub key_id: KeyId,
    /// Whose it is.
    pub account: AccountId,
    /// When it was issued.
    pub created_at: Timestamp,
    /// Since when it is of no use.
    pub revoked_at: Option<Timestamp>,
}

/// What is kept of a secret, and what a presented one is compared by.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Issues a key pair. The secret is in the answer and nowhere else.
pub async fn issue_key(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    account: AccountId,
    now: Timestamp,
) -> Result<(KeyId, Secret), DbError> {
    let key_id = new_key_id(ids);
    let secret = URL_SAFE_NO_PAD.encode(ids.secret());
    let secret_hash = hash(&secret);
    sqlx::query!(
        "insert into api_keys (key_id, account_id, secret_hash, created_at)
         values ($1, $2, $3, $4)",
        key_id.as_str(),
        account.get(),
        secret_hash.as_slice(),
        now,
    )
    .execute(conn)
    .await?;
    Ok((key_id, secret.into()))
}

/// Revokes a key; `false` when there is none or it is revoked already. Effective everywhere within a second.
pub async fn revoke_key(conn: &mut PgConnection, key_id: &KeyId, now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "update api_keys
            set revoked_at = $2
          where key_id = $1
            and revoked_at is null",
        key_id.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Which of these keys are revoked.
pub async fn revoked_among(conn: &mut PgConnection, keys: &[KeyId]) -> Result<Vec<KeyId>, DbError> {
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let revoked = sqlx::query_scalar!(
        "select key_id
           from api_keys
          where key_id = any($1)
            and revoked_at is not null",
        &keys,
    )
    .fetch_all(conn)
    .await?;
    Ok(revoked.into_iter().map(KeyId).collect())
}

/// An account's keys, oldest first, revoked ones included.
pub async fn keys_of(conn: &mut PgConnection, account: AccountId) -> Result<Vec<KeyInfo>, DbError> {
    let rows = sqlx::query!(
        "select key_id, created_at, revoked_at
           from api_keys
          where account_id = $1
          order by created_at, key_id",
        account.get(),
    )
    .fetch_all(conn)
    .await?;
    let keys = rows.into_iter().map(|row| KeyInfo {
        key_id: KeyId(row.key_id),
        account,
        created_at: row.created_at,
        revoked_at: row.revoked_at,
    });
    Ok(keys.collect())
}

fn new_key_id(ids: &dyn Ids) -> KeyId {
    let letters = ids
        .secret()
        .into_iter()
        .map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
    KeyId("DK".chars().chain(letters).take(KEY_ID_LEN).collect())
}
