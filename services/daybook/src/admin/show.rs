//! A look inside: a customer's ledger, an order's life. Tables for people, `--json` for programs.

use anyhow::Context;
use db::PgConnection;
use domain::OrderId;
use ledger::{CashBalance, HistoryRow};
use orders::StoredOrder;
use orders::read::TimelineRow;
use serde_json::{Value, json};
use uuid::Uuid;

use super::table::table;
use super::{Desk, find_account};

/// All customers with their money.
pub async fn customers(desk: &Desk, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let mut rows = Vec::new();
    let mut objects = Vec::new();
    for account in identity::accounts::list(&mut conn).await? {
        let cash = ledger::cash(&mut conn, account.id)
            .await?
            .map(|cash| cash.cash().to_string())
            .unwrap_or_default();
        let blocked = account.flags.trading_blocked || account.flags.account_blocked;
        objects.push(json!({
            "account_id": account.id.get(), "account_number": account.number, "name": account.name,
            "kind": account.kind.as_str(), "status": account.status, "blocked": blocked, "cash": cash,
        }));
        let state = if blocked { "blocked".to_owned() } else { account.status };
        rows.push(vec![
            account.id.to_string(),
            account.number,
            account.kind.as_str().to_owned(),
            state,
            cash,
            account.name,
        ]);
    }
    print(as_json, &json!(objects), || {
        table(&["account", "number", "kind", "status", "cash", "name"], &rows)
    });
    Ok(())
}

/// An account's keys.
pub async fn keys(desk: &Desk, named: &str) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let account = find_account(&mut conn, named).await?;
    let keys = identity::keys::keys_of(&mut conn, account).await?;
    let row = |key: identity::KeyInfo| {
        let revoked = key
            .revoked_at
            .map_or_else(|| "in force".to_owned(), |at| format!("revoked {at}"));
        vec![key.key_id.to_string(), key.created_at.to_string(), revoked]
    };
    let rows: Vec<Vec<String>> = keys.into_iter().map(row).collect();
    println!("{}", table(&["key", "issued", "state"], &rows));
    Ok(())
}

/// A customer's balances and the newest transfers behind them.
pub async fn ledger(desk: &Desk, named: &str, limit: i64, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let account = find_account(&mut conn, named).await?;
    let cash = ledger::cash(&mut conn, account)
        .await?
        .context("the account has no ledger")?;
    let free = ledger::withdrawable(&mut conn, account).await?;
    let shares = ledger::positions(&mut conn, account).await?;
    let history = ledger::history(&mut conn, account, &[], None, limit).await?;
    let mut balances: Vec<Vec<String>> = cash_lines(&cash, free);
    for share in &shares {
        let (avail, held) = (share.avail.get().normalize(), share.held.get().normalize());
        balances.push(vec![share.symbol.to_string(), "avail".to_owned(), avail.to_string()]);
        balances.push(vec![share.symbol.to_string(), "held".to_owned(), held.to_string()]);
    }
    let object = json!({
        "account_id": account.get(),
        "balances": balances.iter().map(|b| json!({"asset": b[0], "book": b[1], "amount": b[2]})).collect::<Vec<_>>(),
        "entries": history.iter().map(entry_json).collect::<Vec<_>>(),
    });
    print(as_json, &object, || {
        let heads = ["when", "kind", "book", "asset", "amount", "cause"];
        let rows: Vec<Vec<String>> = history.iter().map(entry_row).collect();
        format!(
            "{}\n\n{}",
            table(&["asset", "balance", "amount"], &balances),
            table(&heads, &rows)
        )
    });
    Ok(())
}

fn cash_lines(cash: &CashBalance, withdrawable: domain::Money) -> Vec<Vec<String>> {
    let lines = [
        ("avail", cash.avail),
        ("held", cash.held),
        ("unsettled", cash.unsettled),
        ("cash", cash.cash()),
        ("withdrawable", withdrawable),
        ("deposits pending", cash.dep_pending),
        ("withdrawals pending", cash.wd_pending),
    ];
    lines
        .map(|(name, amount)| vec!["USD".to_owned(), name.to_owned(), amount.to_string()])
        .to_vec()
}

fn entry_row(row: &HistoryRow) -> Vec<String> {
    let amount = row.amount.normalize().to_string();
    vec![
        row.posted_at.to_string(),
        row.kind.clone(),
        row.book.clone(),
        row.asset.clone(),
        amount,
        row.cause.clone(),
    ]
}

fn entry_json(row: &HistoryRow) -> Value {
    json!({
        "transfer_id": row.transfer_id, "at": row.posted_at, "kind": row.kind, "cause": row.cause, "book": row.book,
        "asset": row.asset, "amount": row.amount.normalize().to_string(),
    })
}

/// Everything that happened to an order.
pub async fn order(desk: &Desk, id: Uuid, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let order = orders::read::by_ids(&mut conn, &[OrderId::new(id)]).await?.pop();
    let order = order.with_context(|| format!("no order {id}"))?;
    let events = orders::read::timeline(&mut conn, order.order_id).await?;
    let submission = submission(&mut conn, id).await?;
    let steps = saga_steps(&mut conn, id).await?;
    let object = json!({
        "order": order_json(&order), "events": events.iter().map(event_json).collect::<Vec<_>>(),
        "submission": submission, "saga_steps": steps,
    });
    print(as_json, &object, || {
        let heads = [
            "seq", "when", "event", "status", "filled", "qty", "price", "cause", "request",
        ];
        let rows: Vec<Vec<String>> = events.iter().map(event_row).collect();
        let mut text = format!("{}\n\n{}", facts(&order_json(&order)), table(&heads, &rows));
        if let Some(submission) = &submission {
            text += &format!("\n\nsubmission\n{}", facts(submission));
        }
        for step in &steps {
            text += &format!("\n\nsaga step\n{}", facts(step));
        }
        text
    });
    Ok(())
}

fn order_json(order: &StoredOrder) -> Value {
    json!({
        "order_id": order.order_id.get(), "account_id": order.account_id.get(),
        "client_order_id": order.client_order_id.as_str(), "symbol": order.symbol.as_str(), "side": order.side.as_str(),
        "qty": order.state.ordered.get().normalize().to_string(), "limit_price": order.limit_price.get().normalize().to_string(),
        "time_in_force": order.time_in_force.as_str(), "session_date": order.session_date, "submitted_at": order.submitted_at,
        "status": order.shown_status().as_str(), "filled_qty": order.state.filled.get().normalize().to_string(),
        "filled_avg_price": order.state.average_price().map(|price| price.to_string()),
        "booked": order.posted_cash.to_string(), "end_reason": order.end_reason,
        "venue_order_id": order.venue_order_id.as_ref().map(ToString::to_string),
        "replaces": order.chain.replaces.map(OrderId::get), "carried_qty": order.state.carried.get().normalize().to_string(),
        "replace_requested_at": order.chain.requested_at, "replacement": order.chain.replacement.map(OrderId::get),
        "replaced_by": order.chain.replaced_by.map(OrderId::get), "replaced_at": order.chain.replaced_at,
    })
}

fn event_row(row: &TimelineRow) -> Vec<String> {
    let number = |value: Option<rust_decimal::Decimal>| value.map(|n| n.normalize().to_string()).unwrap_or_default();
    vec![
        row.seq.to_string(),
        row.at.to_string(),
        row.event.clone(),
        row.status.clone(),
        row.filled_qty.normalize().to_string(),
        number(row.exec_qty),
        number(row.exec_price),
        row.cause.clone(),
        row.request_id.clone(),
    ]
}

fn event_json(row: &TimelineRow) -> Value {
    json!({
        "seq": row.seq, "at": row.at, "event": row.event, "status": row.status,
        "filled_qty": row.filled_qty.normalize().to_string(),
        "qty": row.exec_qty.map(|n| n.normalize().to_string()), "price": row.exec_price.map(|n| n.normalize().to_string()),
        "cause": row.cause, "request_id": row.request_id,
    })
}

/// What the executor wrote down about the order, whatever its columns are by now.
async fn submission(conn: &mut PgConnection, order: Uuid) -> anyhow::Result<Option<Value>> {
    let row = sqlx::query_scalar!(
        r#"select to_jsonb(s) as "row!" from venue_submissions s where s.order_id = $1"#,
        order,
    );
    Ok(row.fetch_optional(conn).await?)
}

async fn saga_steps(conn: &mut PgConnection, order: Uuid) -> anyhow::Result<Vec<Value>> {
    let rows = sqlx::query_scalar!(
        r#"select to_jsonb(s) as "row!" from venue_saga_steps s where s.order_id = $1 order by s.started_at, s.step"#,
        order,
    );
    Ok(rows.fetch_all(conn).await?)
}

/// An object as lines of `name  value`; what is null is left out.
pub(super) fn facts(object: &Value) -> String {
    let fields = object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null());
    let line = |(name, value): (&String, &Value)| match value.as_str() {
        Some(text) => format!("{name:<18}{text}"),
        None => format!("{name:<18}{value}"),
    };
    fields.map(line).collect::<Vec<_>>().join("\n")
}

pub(super) fn print(as_json: bool, object: &Value, text: impl FnOnce() -> String) {
    if as_json {
        println!("{object:#}")
    } else {
        println!("{}", text())
    }
}
