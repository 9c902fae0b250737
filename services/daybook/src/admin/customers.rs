//! Accounts: opened, and kept from trading.

use anyhow::bail;
use identity::accounts::{self, Account, AccountKind, FlagChange, NewAccount};

use super::{Desk, find_account};
use crate::cli::Kind;

impl From<Kind> for AccountKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::LimitedMargin => AccountKind::LimitedMargin,
            Kind::CashStrict => AccountKind::CashStrict,
        }
    }
}

impl Desk {
    /// Opens an account with everything that belongs to one.
    ///
    /// # Errors
    /// A name nobody could read, or what the database says.
    pub async fn create_customer(&self, name: &str, kind: AccountKind) -> anyhow::Result<Account> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
            bail!("a customer's name has 1 to 200 printable characters");
        }
        let mut tx = self.begin().await?;
        let new = NewAccount {
            name: name.to_owned(),
            kind,
        };
        let account = accounts::create(&mut tx, &*self.ids, &new, self.now()).await?;
        ledger::open_account(&mut tx, account.id, kind.is_strict()).await?;
        orders::open_sequence(&mut tx, account.id).await?;
        let detail = format!("{} {}", account.number, kind.as_str());
        self.write_down(&mut tx, "create_account", account.id.to_string(), detail)
            .await?;
        tx.commit().await?;
        Ok(account)
    }

    /// Stops an account from placing orders, or lets it again. Orders already accepted go on; cancels always work.
    ///
    /// # Errors
    /// No such account, or what the database says.
    pub async fn block(&self, named: &str, blocked: bool) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        let account = find_account(&mut tx, named).await?;
        // The lock that placing takes too: no order slips through behind the block.
        ledger::lock(&mut tx, &[account]).await?;
        let change = FlagChange {
            trading_blocked: Some(blocked),
            ..FlagChange::default()
        };
        accounts::set_flags(&mut tx, account, change).await?;
        let act = if blocked { "block" } else { "unblock" };
        self.write_down(&mut tx, act, account.to_string(), String::new())
            .await?;
        tx.commit().await?;
        Ok(())
    }
}
