//! The demo customers: two, with a million dollars each, and the first one's key in `demo.env`.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use db::PgConnection;
use domain::{AccountId, Money};
use identity::limits::UNLIMITED;
use identity::{AccountKind, KeyRing, RingSettings};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{Desk, keys};
use crate::config::Settings;

/// Where the demo customer's key is, within the installation's folder.
pub const DEMO_FILE: &str = "demo.env";
/// Their names; they are found again by them.
const NAMES: [&str; 2] = ["Demo customer Ada", "Demo customer Grace"];
/// Dollars each begins with.
const FUNDS: u32 = 1_000_000;
/// Any number: two seeds at once would make four customers.
const LOCK: i64 = 0x6461_7962_6465_6d6f;

/// Makes what is missing, says where the key is.
///
/// # Errors
/// What the database or the folder says.
pub async fn seed(desk: &Desk, settings: &Settings) -> anyhow::Result<()> {
    let folder = settings.folder()?;
    let base_url = format!("http://127.0.0.1:{}", settings.port);
    let first = seed_into(desk, folder, &base_url).await?;
    println!(
        "demo customer {first}; its key is in {}",
        folder.join(DEMO_FILE).display()
    );
    Ok(())
}

/// As [`seed`], with the folder and the address given; the account of the first customer.
///
/// # Errors
/// What the database or the folder says.
pub async fn seed_into(desk: &Desk, folder: &Path, base_url: &str) -> anyhow::Result<AccountId> {
    let mut turn = desk.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock($1) is null as locked", LOCK)
        .fetch_one(&mut *turn)
        .await?;
    let mut accounts = Vec::new();
    for name in NAMES {
        let account = match account_named(&mut turn, name).await? {
            Some(account) => account,
            None => new_customer(desk, name).await?,
        };
        fund(desk, account).await?;
        accounts.push(account);
    }
    let first = accounts[0];
    let file = folder.join(DEMO_FILE);
    let pair = match working_pair(desk, &file, first).await {
        Some(pair) => pair,
        None => {
            let (key_id, secret) = desk.issue_key(&first.to_string()).await?;
            (key_id.to_string(), keys::expose(&secret).to_owned())
        }
    };
    write_private(&file, &demo_text(base_url, &pair))
        .with_context(|| format!("{} cannot be written", file.display()))?;
    turn.commit().await?;
    Ok(first)
}

/// Without request limits: a demo that answers 429 teaches the wrong thing. An operator may set some, and they stay.
async fn new_customer(desk: &Desk, name: &str) -> anyhow::Result<AccountId> {
    let account = desk.create_customer(name, AccountKind::LimitedMargin).await?.id;
    desk.set_tier(&account.to_string(), UNLIMITED).await
}

async fn account_named(conn: &mut PgConnection, name: &str) -> anyhow::Result<Option<AccountId>> {
    let id = sqlx::query_scalar!(
        "select account_id from accounts where name = $1 order by account_id limit 1",
        name
    );
    Ok(id.fetch_optional(conn).await?.map(AccountId::new))
}

/// Once for ever, however often it is called: the movement's id comes from the account's.
async fn fund(desk: &Desk, account: AccountId) -> anyhow::Result<()> {
    let movement = Uuid::new_v5(&account.get(), b"demo funds");
    let funds = Money::from_decimal(Decimal::from(FUNDS));
    desk.deposit(&account.to_string(), funds, Some(movement), false).await?;
    Ok(())
}

/// The key of an earlier start, if it still opens the first customer's account.
async fn working_pair(desk: &Desk, file: &Path, account: AccountId) -> Option<(String, String)> {
    let text = std::fs::read_to_string(file).ok()?;
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(str::to_owned)
    };
    let pair = (value("APCA_API_KEY_ID")?, value("APCA_API_SECRET_KEY")?);
    let ring = KeyRing::new(desk.pool().clone(), RingSettings::default());
    let caller = ring.authenticate(&pair.0, &pair.1).await.ok()?;
    (caller.account == account).then_some(pair)
}

fn demo_text(base_url: &str, (key_id, secret): &(String, String)) -> String {
    format!(
        "# Written by `daybook admin seed-demo`: a demo customer's key.\n\
         APCA_API_BASE_URL={base_url}\nAPCA_API_KEY_ID={key_id}\nAPCA_API_SECRET_KEY={secret}\n"
    )
}

/// In one rename, readable by its owner alone.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let unfinished = file.with_extension("env.new");
    // Mode counts only for a file that is made: a leftover keeps its own.
    let _ = std::fs::remove_file(&unfinished);
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    std::fs::rename(&unfinished, file)
}
