//! Accounts and keys on a real Postgres.

#![expect(clippy::unwrap_used, reason = "tests")]

mod accounts;
mod ring;

use db::PgPool;
use identity::{Account, AccountKind, KeyId, NewAccount};
use secrecy::ExposeSecret;
use testkit::start_of_time;

/// A new account.
async fn account(pool: &PgPool, seed: u64) -> Account {
    let new = NewAccount {
        name: "Ada".to_owned(),
        kind: AccountKind::LimitedMargin,
    };
    let mut conn = pool.acquire().await.unwrap();
    identity::accounts::create(&mut conn, &*testkit::ids(seed), &new, start_of_time())
        .await
        .unwrap()
}

/// A key pair of a new account.
async fn key_pair(pool: &PgPool, seed: u64) -> (Account, KeyId, String) {
    let account = account(pool, seed).await;
    let mut conn = pool.acquire().await.unwrap();
    let ids = testkit::ids(seed + 1_000);
    let (key_id, secret) = identity::issue_key(&mut conn, &*ids, account.id, start_of_time())
        .await
        .unwrap();
    (account, key_id, secret.expose_secret().to_owned())
}
