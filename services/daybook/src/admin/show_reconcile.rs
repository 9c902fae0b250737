//! A day's reconciliation, suspense, and reports set aside: tables for people, `--json` for programs.

use anyhow::Context;
use chrono::NaiveDate;
use domain::Timestamp;
use rust_decimal::Decimal;
use scheduler::jobs::reconcile::breaks::Break;
use scheduler::jobs::reconcile::report::{self, DayReport, DayTotals};
use serde_json::json;
use status_updater::aside;
use uuid::Uuid;

use super::Desk;
use super::show::print;
use super::table::table;

/// Reports that are listed.
const MOST: i64 = 500;

pub(super) async fn day(desk: &Desk, date: NaiveDate, all: bool, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let now = db::database_time(&mut conn).await?;
    let mut days = report::of_day(&mut conn, date).await?;
    for day in &mut days {
        day.breaks.retain(|it| all || it.state != "closed");
    }
    print(as_json, &json!(days), || {
        if days.is_empty() {
            return format!("{date} was not reconciled: `daybook admin reconcile run {date}`");
        }
        days.iter()
            .map(|day| in_words(day, now))
            .collect::<Vec<_>>()
            .join("\n\n")
    });
    Ok(())
}

fn in_words(day: &DayReport, now: Timestamp) -> String {
    let mut text = head(&day.totals);
    if day.breaks.is_empty() {
        return text + "no break is open";
    }
    let heads = [
        "break",
        "kind",
        "age",
        "state",
        "owner",
        "symbol",
        "shares",
        "dollars",
        "execution",
    ];
    let rows: Vec<Vec<String>> = day.breaks.iter().map(|it| row(it, now)).collect();
    text.push_str(&table(&heads, &rows));
    text.extend(day.breaks.iter().map(story));
    text
}

/// The file, both sides added up, and how much of them met.
fn head(t: &DayTotals) -> String {
    let mut text = format!("{} at {}\n", t.session_date, t.venue);
    let lines = t.lines.unwrap_or(0);
    text += &match (t.version, t.received_at) {
        (Some(version), Some(at)) => format!("file {version} of {at}, {lines} lines\n"),
        _ => "no file\n".to_owned(),
    };
    if let Some(why) = &t.refused {
        text += &format!("the last file was refused: {why}\n");
    }
    let side = |name: &str, count: i64, shares: Decimal, dollars: Decimal| {
        let amounts = [shares, dollars].map(|amount| amount.normalize().to_string());
        [name.to_owned(), count.to_string()]
            .into_iter()
            .chain(amounts)
            .collect::<Vec<_>>()
    };
    let theirs = (t.shares.unwrap_or_default(), t.dollars.unwrap_or_default());
    let rows = [
        side("theirs", lines, theirs.0, theirs.1),
        side("ours", t.our_fills, t.our_shares, t.our_dollars),
    ];
    text += &table(&["", "executions", "shares", "dollars"], &rows);
    let under_two = match t.by_terms {
        0 => String::new(),
        pairs => format!(", {pairs} of them under two names"),
    };
    text + &format!("\n{} match{under_two} ({})\n", t.matched + t.by_terms, rate(t))
}

/// Both sides in words, and what was found out and said about it.
fn story(it: &Break) -> String {
    let mut text = format!("\n{}: ours {}; theirs {}; {}", it.break_no, it.ours, it.theirs, it.note);
    if let Some(words) = &it.explanation {
        text += &format!(" -- {words}");
    }
    if let (Some(act), Some(by)) = (&it.proposed_act, &it.proposed_by) {
        text += &format!(" -- {by} proposes {act}");
    }
    text
}

/// Matched of all, to hundredths of a percent, rounded down: what is not whole shows.
fn rate(t: &DayTotals) -> String {
    let all = t.our_fills.max(t.lines.unwrap_or(0));
    let hundredths = if all == 0 {
        10_000
    } else {
        (t.matched + t.by_terms) * 10_000 / all
    };
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

fn row(it: &Break, now: Timestamp) -> Vec<String> {
    let age = now - it.opened_at;
    let age = if age.num_days() > 0 {
        format!("{} d", age.num_days())
    } else {
        format!("{} min", age.num_minutes())
    };
    let suspense = it.suspense.as_ref().map(|_| ", in suspense").unwrap_or_default();
    vec![
        it.break_no.to_string(),
        it.kind.clone(),
        age,
        format!("{}{suspense}", it.state),
        it.owner.clone().unwrap_or_else(|| "nobody".to_owned()),
        it.symbol.clone(),
        it.qty.normalize().to_string(),
        it.cash.to_string(),
        it.subject.clone(),
    ]
}

pub(super) async fn suspense(desk: &Desk, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let items = report::suspense(&mut conn).await?;
    print(as_json, &json!(items), || {
        let rows: Vec<Vec<String>> = items
            .iter()
            .map(|it| {
                vec![
                    it.break_no.map(|number| number.to_string()).unwrap_or_default(),
                    it.what.clone(),
                    it.since.to_string(),
                    it.owner.clone().unwrap_or_else(|| "nobody".to_owned()),
                    it.amounts.clone(),
                    format!("{} at {}", it.exec_id, it.venue),
                ]
            })
            .collect();
        table(&["break", "what", "since", "owner", "in suspense", "execution"], &rows)
    });
    Ok(())
}

pub(super) async fn set_aside(desk: &Desk, all: bool, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let reports = aside::list(&mut conn, all, MOST).await?;
    let object = json!(
        reports
            .iter()
            .map(|it| json!({
                "report_id": it.report_id, "kind": it.kind, "order_id": it.order_id, "account_id": it.account_id,
                "cause": it.cause, "at": it.at, "resolved_at": it.resolved_at,
            }))
            .collect::<Vec<_>>()
    );
    print(as_json, &object, || {
        let rows: Vec<Vec<String>> = reports
            .iter()
            .map(|it| {
                vec![
                    it.report_id.to_string(),
                    it.kind.clone(),
                    it.at.to_string(),
                    it.order_id.map(|id| id.to_string()).unwrap_or_default(),
                    it.resolved_at.map_or("waits", |_| "settled").to_owned(),
                    it.cause.clone(),
                ]
            })
            .collect();
        table(&["report", "kind", "since", "order", "state", "cause"], &rows)
    });
    Ok(())
}

pub(super) async fn report(desk: &Desk, report: Uuid) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let it = aside::get(&mut conn, report).await?;
    let it = it.with_context(|| format!("no report {report} was set aside: `daybook admin set-aside list --all`"))?;
    let raw: serde_json::Value = serde_json::from_str(&it.payload).unwrap_or_else(|_| json!(it.payload));
    let whole = json!({
        "report_id": it.report_id, "kind": it.kind, "order_id": it.order_id, "account_id": it.account_id,
        "cause": it.cause, "at": it.at, "resolved_at": it.resolved_at, "report": raw,
    });
    println!("{whole:#}");
    Ok(())
}
