//! Schedules, runs, their logs, and alerts: tables for people, `--json` for programs.

use domain::Timestamp;
use scheduler::engine::alerts::{self, Alert};
use scheduler::engine::desk::{self, RunView, ScheduleView};
use serde_json::json;
use uuid::Uuid;

use super::Desk;
use super::show::print;
use super::table::table;

/// Lines of a log that are shown.
const LINES: i64 = 10_000;
/// Alerts that are shown.
const ALERTS: i64 = 500;

pub(super) async fn list(desk: &Desk, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let schedules = desk::schedules(&mut conn).await?;
    print(as_json, &json!(schedules), || {
        let heads = ["name", "job", "when", "next", "last", "outcome"];
        let rows: Vec<Vec<String>> = schedules.iter().map(schedule_row).collect();
        table(&heads, &rows)
    });
    Ok(())
}

fn schedule_row(schedule: &ScheduleView) -> Vec<String> {
    let next = match (schedule.paused_at, schedule.next_tick) {
        (Some(_), _) => "paused".to_owned(),
        (None, next) => time(next),
    };
    vec![
        schedule.name.clone(),
        schedule.job.clone(),
        schedule.spec.clone(),
        next,
        schedule.last_state.clone().unwrap_or_default(),
        short(schedule.last_outcome.as_deref()),
    ]
}

pub(super) async fn one(desk: &Desk, name: &str, limit: i64, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let schedule = desk::schedule(&mut conn, name).await?;
    let runs = desk::runs(&mut conn, name, None, limit).await?;
    print(as_json, &json!({ "schedule": schedule, "runs": runs }), || {
        let heads = ["run", "tick", "state", "attempts", "began", "took ms", "outcome"];
        let rows: Vec<Vec<String>> = runs.iter().map(run_row).collect();
        format!("{}\n\n{}", describe(&schedule), table(&heads, &rows))
    });
    Ok(())
}

fn describe(schedule: &ScheduleView) -> String {
    let limit = schedule.time_limit_ms.map_or("none".to_owned(), |ms| {
        format!("{} s, then {}", ms / 1_000, schedule.over_time)
    });
    let rows = [
        ("job", schedule.job.clone()),
        ("when", schedule.spec.clone()),
        ("made by", schedule.made_by.clone()),
        ("arguments", schedule.arguments.to_string()),
        ("missed ticks", schedule.missed.clone()),
        ("attempts", schedule.attempts_max.to_string()),
        ("time limit", limit),
        ("next", time(schedule.next_tick)),
        ("paused since", time(schedule.paused_at)),
    ];
    table(
        &["schedule", &schedule.name],
        &rows.map(|(name, value)| vec![name.to_owned(), value]),
    )
}

fn run_row(run: &RunView) -> Vec<String> {
    vec![
        run.run_id.to_string(),
        time(Some(run.tick)),
        if run.by_hand {
            format!("{} (by hand)", run.state)
        } else {
            run.state.clone()
        },
        format!("{}/{}", run.attempts, run.attempts_max),
        time(run.first_started_at),
        run.took_ms.map(|took| took.to_string()).unwrap_or_default(),
        short(run.outcome.as_deref()),
    ]
}

pub(super) async fn logs(desk: &Desk, run: Uuid, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let Some(view) = desk::run(&mut conn, run).await? else {
        anyhow::bail!("there is no run {run}, or not any more: `daybook admin jobs show NAME`");
    };
    let lines = desk::lines(&mut conn, run, 0, LINES).await?;
    print(as_json, &json!({ "run": view, "lines": lines }), || {
        let told = lines
            .iter()
            .map(|line| format!("{}  {}", time(Some(line.at)), line.line));
        let state = format!("{} {}: {}", view.schedule, time(Some(view.tick)), view.state);
        std::iter::once(state).chain(told).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

pub(super) async fn alerts(desk: &Desk, all: bool, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let alerts = alerts::list(&mut conn, all, ALERTS).await?;
    print(as_json, &json!(alerts), || {
        let heads = [
            "alert", "raised", "times", "kind", "subject", "state", "webhook", "message",
        ];
        let rows: Vec<Vec<String>> = alerts.iter().map(alert_row).collect();
        table(&heads, &rows)
    });
    Ok(())
}

fn alert_row(alert: &Alert) -> Vec<String> {
    let state = match (&alert.cleared_at, &alert.acked_by) {
        (Some(_), _) => "over".to_owned(),
        (None, Some(by)) => format!("noted by {by}"),
        (None, None) => "open".to_owned(),
    };
    let webhook = match (&alert.delivered_at, &alert.delivery_error) {
        (Some(_), _) => "told".to_owned(),
        (None, Some(why)) => format!("failed {} times: {}", alert.deliveries, short(Some(why))),
        (None, None) => "not told".to_owned(),
    };
    vec![
        alert.alert_id.to_string(),
        time(Some(alert.raised_at)),
        alert.times.to_string(),
        alert.kind.clone(),
        alert.subject.clone(),
        state,
        webhook,
        alert.message.clone(),
    ]
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}

/// What fits into a column.
fn short(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
