//! Fees and settlement: the rates, what a date came to, and the account that is out of debt again.

use anyhow::{Context, bail};
use chrono::NaiveDate;
use db::DbError;
use domain::calendar::to_new_york;
use domain::{AccountId, Money};
use identity::FlagChange;
use identity::accounts;
use ledger::fees::{FeeDayTotals, RateRow};
use ledger::rules::{FeeKind, FeeRate, Payers, Per};
use ledger::settlement::SettlementRow;
use serde_json::{Value, json};

use super::show::print;
use super::table::table;
use super::{Desk, find_account};
use crate::cli::{AddRate, Fees, Rates, Settle};

pub(super) async fn fees(desk: &Desk, command: Fees) -> anyhow::Result<()> {
    match command {
        Fees::Rates(Rates::List { json }) => list(desk, json).await,
        Fees::Rates(Rates::Add(new)) => {
            let rate = desk.add_fee_rate(new).await?;
            println!("{} {} from {}", rate.kind, rate.rate, rate.valid_from);
            Ok(())
        }
        Fees::Show { date, json } => show_fees(desk, date, json).await,
    }
}

pub(super) async fn settle(desk: &Desk, command: Settle) -> anyhow::Result<()> {
    let Settle::Show { date, json } = command;
    show_settlement(desk, date, json).await
}

impl Desk {
    /// Adds a rate, by the terms that its kind always has.
    ///
    /// # Errors
    /// A rate that is below zero, one that covers a day of another, or what the database says.
    pub async fn add_fee_rate(&self, new: AddRate) -> anyhow::Result<FeeRate> {
        let rate = read(&new)?;
        let row = RateRow {
            rate: rate.clone(),
            source: new.source,
            added_by: self.actor.clone(),
        };
        let mut tx = self.begin().await?;
        let now = db::database_time(&mut tx).await?;
        let today = to_new_york(now).date_naive();
        let added = ledger::fees::add_rate(&mut tx, &row, today, now).await;
        added.map_err(|error| overlap(error, &rate))?;
        let detail = format!(
            "{} per {} from {}: {}",
            rate.rate, rate.per, rate.valid_from, row.source
        );
        self.write_down(&mut tx, "add_fee_rate", rate.kind.to_string(), detail)
            .await?;
        tx.commit().await?;
        Ok(rate)
    }

    /// Lets an account buy again that a late execution or a bust had left in debit.
    ///
    /// # Errors
    /// No reason, no such account, one that is still in debit, or what the database says.
    pub async fn lift_closing_only(&self, named: &str, reason: &str) -> anyhow::Result<AccountId> {
        if reason.trim().is_empty() {
            bail!("say why with --reason: it is kept with the act");
        }
        let mut tx = self.begin().await?;
        let account = find_account(&mut tx, named).await?;
        let cash = ledger::lock(&mut tx, &[account]).await?.remove(&account);
        let avail = cash.context("the account has no ledger")?.avail;
        if avail < Money::ZERO {
            bail!(
                "account {account} is still in debit by {}: it stays closing-only until that is paid",
                avail.negated()
            );
        }
        let change = FlagChange {
            closing_only: Some(false),
            ..FlagChange::default()
        };
        accounts::set_flags(&mut tx, account, change).await?;
        self.write_down(&mut tx, "lift_closing_only", account.to_string(), reason.to_owned())
            .await?;
        tx.commit().await?;
        Ok(account)
    }
}

fn read(new: &AddRate) -> anyhow::Result<FeeRate> {
    let amounts = [Some(new.rate), new.cap, new.waived_dollars, new.waived_shares];
    if amounts.iter().flatten().any(rust_decimal::Decimal::is_sign_negative) {
        bail!("a rate, its cap and what is waived are zero or more");
    }
    if new.to.is_some_and(|to| to < new.from) {
        bail!("--to is before --from");
    }
    let (kind, per, side) = match new.kind {
        crate::cli::FeeName::Sec => (FeeKind::Sec, Per::Dollar, Payers::Sell),
        crate::cli::FeeName::Taf => (FeeKind::Taf, Per::Share, Payers::Sell),
        crate::cli::FeeName::Cat => (FeeKind::Cat, Per::Share, Payers::Both),
    };
    Ok(FeeRate {
        kind,
        valid_from: new.from,
        valid_to: new.to,
        rate: new.rate,
        per,
        side,
        cap: new.cap,
        waived_dollars: new.waived_dollars,
        waived_shares: new.waived_shares,
    })
}

fn overlap(error: DbError, rate: &FeeRate) -> anyhow::Error {
    let taken = error
        .constraint()
        .is_some_and(|name| name.starts_with("fee_rates_") && (name.ends_with("_overlap") || name.ends_with("_pkey")));
    if taken {
        anyhow::anyhow!(
            "another {} rate covers a day of it (`daybook admin fees rates list`); one that is in force until further notice \
             is ended by a rate that begins after today, since today's trades have accrued by it",
            rate.kind
        )
    } else {
        error.into()
    }
}

async fn list(desk: &Desk, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let rows = ledger::fees::rate_rows(&mut conn).await?;
    let objects: Vec<Value> = rows.iter().map(rate_json).collect();
    print(as_json, &json!(objects), || {
        let heads = ["kind", "from", "to", "rate", "per", "side", "cap", "source", "added by"];
        table(&heads, &rows.iter().map(rate_row).collect::<Vec<_>>())
    });
    Ok(())
}

fn rate_json(row: &RateRow) -> Value {
    let rate = &row.rate;
    json!({
        "kind": rate.kind.to_string(), "valid_from": rate.valid_from, "valid_to": rate.valid_to,
        "rate": rate.rate.to_string(), "per": rate.per.to_string(), "side": rate.side.to_string(),
        "cap": rate.cap.map(|n| n.to_string()), "waived_dollars": rate.waived_dollars.map(|n| n.to_string()),
        "waived_shares": rate.waived_shares.map(|n| n.to_string()), "source": row.source, "added_by": row.added_by,
    })
}

fn rate_row(row: &RateRow) -> Vec<String> {
    let rate = &row.rate;
    vec![
        rate.kind.to_string(),
        rate.valid_from.to_string(),
        rate.valid_to
            .map_or_else(|| "further notice".to_owned(), |to| to.to_string()),
        rate.rate.to_string(),
        rate.per.to_string(),
        rate.side.to_string(),
        rate.cap.map(|cap| cap.to_string()).unwrap_or_default(),
        row.source.clone(),
        row.added_by.clone(),
    ]
}

async fn show_fees(desk: &Desk, date: NaiveDate, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let totals = ledger::fees::of_date(&mut conn, date).await?;
    let FeeDayTotals { exact, posted, .. } = totals;
    let each = |kind: FeeKind| json!({ "exact": exact.get(kind).to_string(), "posted": posted.get(kind).to_string() });
    let object = json!({
        "trade_date": date, "accounts": totals.accounts, "sec": each(FeeKind::Sec), "taf": each(FeeKind::Taf),
        "cat": each(FeeKind::Cat), "from_firm": totals.from_firm.to_string(), "trades_waiting": totals.waiting,
        "trades_without_rate": totals.unrated,
    });
    print(as_json, &object, || {
        let row = |kind: FeeKind| {
            vec![
                kind.to_string(),
                exact.get(kind).normalize().to_string(),
                posted.get(kind).to_string(),
            ]
        };
        let kinds = table(&["fee", "accrued", "posted"], &FeeKind::ALL.map(row));
        format!(
            "{kinds}\n{} accounts; {} of it borne by the firm; {} trades not posted, {} of them without a rate",
            totals.accounts, totals.from_firm, totals.waiting, totals.unrated
        )
    });
    Ok(())
}

async fn show_settlement(desk: &Desk, date: NaiveDate, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let rows = ledger::settlement::of_date(&mut conn, date).await?;
    let (overdue, oldest) = ledger::settlement::overdue(&mut conn, date).await?;
    let objects: Vec<Value> = rows.iter().map(settlement_json).collect();
    let object = json!({ "settle_date": date, "trades": objects, "overdue": overdue, "oldest": oldest });
    print(as_json, &object, || {
        let heads = ["trade date", "side", "trades", "dollars", "settled", "last at"];
        let rows: Vec<Vec<String>> = rows.iter().map(settlement_row).collect();
        let late = oldest.map_or_else(String::new, |day| {
            format!("\n{overdue} trades due before are open, since {day}")
        });
        table(&heads, &rows) + &late
    });
    Ok(())
}

fn settlement_json(row: &SettlementRow) -> Value {
    json!({
        "trade_date": row.trade_date, "side": row.side, "trades": row.trades, "cash": row.cash.to_string(),
        "settled": row.settled, "last_at": row.last_at,
    })
}

fn settlement_row(row: &SettlementRow) -> Vec<String> {
    vec![
        row.trade_date.to_string(),
        row.side.clone(),
        row.trades.to_string(),
        Money::from_decimal(row.cash).to_string(),
        row.settled.to_string(),
        row.last_at.map(|at| at.to_string()).unwrap_or_default(),
    ]
}
