//! Deposits and withdrawals (LED-1, 2, 5). Every movement has an id; a step of it is booked at most once, because the
//! transfer's id is computed from the movement's.

use std::fmt;

use anyhow::{Context, bail};
use db::PgConnection;
use domain::{AccountId, Money};
use ledger::rules::{self};
use ledger::{Cause, Transfer, TransferId, TransferKind};
use uuid::Uuid;

use super::{Desk, find_account};

/// What a command did to a movement of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The movement, for later steps and for a repeat.
    pub id: Uuid,
    /// Whose money.
    pub account: AccountId,
    /// How much, in dollars.
    pub amount: Money,
    /// What happened.
    pub step: TransferKind,
    /// False when an earlier command had done it already.
    pub is_new: bool,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = if self.is_new {
            ""
        } else {
            " (done before, nothing moved now)"
        };
        write!(
            f,
            "{} {} of account {}, id {}{before}",
            self.step, self.amount, self.account, self.id
        )
    }
}

/// A movement as its first step booked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Begun {
    account: AccountId,
    amount: Money,
}

impl Desk {
    /// Money in: started and collected at once, or left on its way (`pending`). With `id` a repeat moves it once.
    ///
    /// # Errors
    /// No such account, an account closed for transfers, an id that named something else, or what the database says.
    pub async fn deposit(&self, named: &str, amount: Money, id: Option<Uuid>, pending: bool) -> anyhow::Result<Moved> {
        let id = id.unwrap_or_else(|| self.ids.uuid());
        let mut tx = self.begin().await?;
        let account = self.lock_for_transfer(&mut tx, named).await?;
        self.same_as_before(&mut tx, TransferKind::DepositStarted, id, Begun { account, amount })
            .await?;
        let mut steps = vec![rules::deposit_started(account, id, amount, self.now())?];
        if !pending {
            steps.push(rules::deposit_collected(account, id, amount, self.now())?);
        }
        let moved = self.book(&mut tx, id, Begun { account, amount }, &steps).await?;
        tx.commit().await?;
        Ok(moved)
    }

    /// A pending deposit arrived.
    ///
    /// # Errors
    /// No such deposit, or what the database says.
    pub async fn collect_deposit(&self, id: Uuid) -> anyhow::Result<Moved> {
        let mut tx = self.begin().await?;
        let begun = self.lock_movement(&mut tx, TransferKind::DepositStarted, id).await?;
        let step = rules::deposit_collected(begun.account, id, begun.amount, self.now())?;
        let moved = self.book(&mut tx, id, begun, &[step]).await?;
        tx.commit().await?;
        Ok(moved)
    }

    /// Money out is asked for; what cannot be withdrawn yet is refused under the account's lock.
    ///
    /// # Errors
    /// No such account, one closed for transfers, too little to withdraw, or what the database says.
    pub async fn withdraw(&self, named: &str, amount: Money, id: Option<Uuid>) -> anyhow::Result<Moved> {
        let id = id.unwrap_or_else(|| self.ids.uuid());
        let mut tx = self.begin().await?;
        let account = self.lock_for_transfer(&mut tx, named).await?;
        let begun = Begun { account, amount };
        if !self
            .same_as_before(&mut tx, TransferKind::WithdrawalAsked, id, begun)
            .await?
        {
            let free = ledger::withdrawable(&mut tx, account).await?;
            if amount > free {
                bail!(
                    "{amount} is more than the {free} that can leave account {account} now: money held for open orders and \
                     sale proceeds that have not settled stay (`daybook admin ledger {account}`)"
                );
            }
        }
        let step = rules::withdrawal_asked(account, id, amount, self.now())?;
        let moved = self.book(&mut tx, id, begun, &[step]).await?;
        tx.commit().await?;
        Ok(moved)
    }

    /// The bank paid a withdrawal.
    ///
    /// # Errors
    /// No such withdrawal, one that failed, or what the database says.
    pub async fn withdrawal_paid(&self, id: Uuid) -> anyhow::Result<Moved> {
        self.end_withdrawal(id, TransferKind::WithdrawalPaid).await
    }

    /// The bank refused a withdrawal; the money is back.
    ///
    /// # Errors
    /// No such withdrawal, one that was paid, or what the database says.
    pub async fn withdrawal_failed(&self, id: Uuid) -> anyhow::Result<Moved> {
        self.end_withdrawal(id, TransferKind::WithdrawalFailed).await
    }

    async fn end_withdrawal(&self, id: Uuid, end: TransferKind) -> anyhow::Result<Moved> {
        let mut tx = self.begin().await?;
        let begun = self.lock_movement(&mut tx, TransferKind::WithdrawalAsked, id).await?;
        let Begun { account, amount } = begun;
        let paid = end == TransferKind::WithdrawalPaid;
        let other = if paid {
            TransferKind::WithdrawalFailed
        } else {
            TransferKind::WithdrawalPaid
        };
        if begun_as(&mut tx, other, id).await?.is_some() {
            bail!("withdrawal {id} has ended already: {other}");
        }
        let step = if paid {
            rules::withdrawal_paid
        } else {
            rules::withdrawal_failed
        }(account, id, amount, self.now())?;
        let moved = self.book(&mut tx, id, begun, &[step]).await?;
        tx.commit().await?;
        Ok(moved)
    }

    /// The account, locked, if money may move in or out of it.
    async fn lock_for_transfer(&self, conn: &mut PgConnection, named: &str) -> anyhow::Result<AccountId> {
        let account = find_account(conn, named).await?;
        ledger::lock(conn, &[account]).await?;
        let flags = identity::accounts::flags(conn, &[account])
            .await?
            .remove(&account)
            .unwrap_or_default();
        if !flags.active || flags.account_blocked || flags.transfers_blocked {
            bail!("account {account} is closed for transfers");
        }
        Ok(account)
    }

    /// A movement that began earlier, its account locked.
    async fn lock_movement(&self, conn: &mut PgConnection, first: TransferKind, id: Uuid) -> anyhow::Result<Begun> {
        let begun = begun_as(conn, first, id).await?;
        let begun = begun.with_context(|| {
            format!("nothing with id {id} began as {first}: the command that began it printed its id")
        })?;
        ledger::lock(conn, &[begun.account]).await?;
        Ok(begun)
    }

    /// True when this id began as exactly this before.
    async fn same_as_before(
        &self,
        conn: &mut PgConnection,
        first: TransferKind,
        id: Uuid,
        asked: Begun,
    ) -> anyhow::Result<bool> {
        match begun_as(conn, first, id).await? {
            None => Ok(false),
            Some(known) if known == asked => Ok(true),
            Some(known) => bail!(
                "id {id} names another movement: {first} {} of account {}; leave --id out for a new one",
                known.amount,
                known.account
            ),
        }
    }

    /// Posts the steps that are new, each written down as an act.
    async fn book(&self, conn: &mut PgConnection, id: Uuid, begun: Begun, steps: &[Transfer]) -> anyhow::Result<Moved> {
        let new = ledger::post(conn, steps).await?;
        for step in steps.iter().filter(|step| new.contains(&step.id())) {
            let detail = format!("{} dollars, movement {id}", begun.amount);
            self.write_down(conn, &step.kind().to_string(), begun.account.to_string(), detail)
                .await?;
        }
        let Begun { account, amount } = begun;
        let last = steps.last().context("a movement has a step")?;
        Ok(Moved {
            id,
            account,
            amount,
            step: last.kind(),
            is_new: !new.is_empty(),
        })
    }
}

/// How a movement's step was booked, if it was.
async fn begun_as(conn: &mut PgConnection, step: TransferKind, id: Uuid) -> anyhow::Result<Option<Begun>> {
    let transfer = TransferId::of(&Cause::Movement(step, id));
    let row = sqlx::query!(
        r#"select t.account_id as "account_id!", max(abs(e.amount)) as "amount!"
             from ledger_transfers t
             join ledger_entries e using (transfer_id)
            where t.transfer_id = $1
            group by t.account_id"#,
        transfer.get(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Begun {
        account: AccountId::new(row.account_id),
        amount: Money::from_decimal(row.amount),
    }))
}
