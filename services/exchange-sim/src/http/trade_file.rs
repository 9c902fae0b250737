//! `GET /trade-files/{date}`: the end-of-day trade file, every execution of a session as a clearing firm gets it.
//!
//! Comma-separated text. A header `H,date`; one line an execution, `T,number,execution id,order id,"client order
//! id",symbol,side,shares,dollars a share,time`; a trailer `Z,executions,shares`, without which the file was cut. An
//! execution that was taken back after the close stands in it: the bust is a correction of a later day.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chassis::clock::Clock as _;
use chassis::http::{ApiError, Path};
use chrono::{NaiveDate, SecondsFormat, TimeDelta};
use domain::calendar::{Session, SessionDate};

use super::{App, Shared, db_failed, render};
use crate::store::read::{self, ExecutionFilter};
use crate::store::rows::{ExecutionRow, OrderRow};

/// Executions read at once.
const PAGE: i64 = 5_000;

/// The file of a session that is over; 404 for a day without a session, and before its close.
pub(super) async fn of_session(State(app): State<App>, Path(date): Path<NaiveDate>) -> Result<Response, ApiError> {
    let session = app.calendar.session(SessionDate::new(date)).ok().flatten();
    let session = session.ok_or_else(|| ApiError::not_found(format!("there is no session on {date}")))?;
    if app.settings.now() <= session.close {
        let close = session.close.to_rfc3339_opts(SecondsFormat::Secs, true);
        let text = format!("the trade file of {date} is written after its close at {close}");
        return Err(ApiError::not_found(text));
    }
    let executions = executions_of(&app, &session).await?;
    let file = written(&app, date, &executions);
    Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8")], file).into_response())
}

async fn executions_of(app: &Shared, session: &Session) -> Result<Vec<(ExecutionRow, OrderRow)>, ApiError> {
    // The filter's times are exclusive, a session's are not.
    let instant = TimeDelta::microseconds(1);
    let mut filter = ExecutionFilter {
        after: Some(session.open - instant),
        until: Some(session.close + instant),
        ascending: true,
        busted: true,
        limit: PAGE,
        cursor: None,
    };
    let mut all = Vec::new();
    loop {
        let page = read::executions(&app.pool, &filter).await.map_err(db_failed)?;
        let Some((last, _)) = page.last() else { break };
        filter.cursor = Some(last.no);
        all.extend(page);
    }
    all.retain(|(x, _)| x.busted_at.is_none_or(|at| at > session.close));
    Ok(all)
}

fn written(app: &Shared, date: NaiveDate, executions: &[(ExecutionRow, OrderRow)]) -> String {
    let shares: i64 = executions.iter().map(|(x, _)| x.qty).sum();
    let lines = executions.iter().map(|(x, order)| line(app, x, order));
    let header = format!("H,{date}\n");
    let trailer = format!("Z,{},{shares}\n", executions.len());
    std::iter::once(header)
        .chain(lines)
        .chain(std::iter::once(trailer))
        .collect()
}

fn line(app: &Shared, x: &ExecutionRow, order: &OrderRow) -> String {
    format!(
        "T,{},{},{},\"{}\",{},{},{},{},{}\n",
        x.no,
        app.names.execution(x.no),
        app.names.order(order.no),
        order.client_order_id.to_string().replace('"', "\"\""),
        order.symbol,
        order.side,
        x.qty,
        render::dollars(x.price).get(),
        x.at.to_rfc3339_opts(SecondsFormat::Micros, true),
    )
}
