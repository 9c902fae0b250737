//! `GET /trade-files/{date}`: the end-of-day trade file, every execution of a session as a clearing firm gets it.
//!
//! `format` writes it, `spoil` makes it wrong on request. A file is written anew each time it is asked for, so a late
//! print or a bust after the close is found in the next one.

mod format;
mod spoil;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chassis::clock::Clock as _;
use chassis::http::{ApiError, Path};
use chrono::{NaiveDate, SecondsFormat, TimeDelta};
use domain::calendar::{Session, SessionDate};

use super::line::Line;
use super::{App, Shared, db_failed, misbehave};
use crate::engine::Command;
use crate::faults::{About, On};
use crate::store::read::{self, ExecutionFilter};
use format::FileLine;

/// Executions read at once.
const PAGE: i64 = 5_000;

/// The file of a session that is over; 404 for a day without a session, and before its close.
pub(super) async fn of_session(
    State(app): State<App>,
    line: Line,
    Path(date): Path<NaiveDate>,
) -> Result<Response, ApiError> {
    let session = app.settings.calendar().session(SessionDate::new(date)).ok().flatten();
    let session = session.ok_or_else(|| ApiError::not_found(format!("there is no session on {date}")))?;
    if app.settings.now() <= session.close {
        let close = session.close.to_rfc3339_opts(SecondsFormat::Secs, true);
        let text = format!("the trade file of {date} is written after its close at {close}");
        return Err(ApiError::not_found(text));
    }
    let rule = app.faults.on_call(On::TradeFile, About::default());
    let work = {
        let app = app.clone();
        async move {
            let file = file(&app, date, &session).await;
            file.map(|file| ([(CONTENT_TYPE, "text/csv; charset=utf-8")], file))
                .into_response()
        }
    };
    Ok(misbehave::call(rule, &app, &line, work).await)
}

async fn file(app: &Shared, date: NaiveDate, session: &Session) -> Result<String, ApiError> {
    // What the engine had begun before the close is committed when it answers this.
    app.ask(Command::Await).await?;
    let mut lines = lines_of(app, session).await?;
    let Some(rule) = app.faults.on_file() else {
        return Ok(format::written(date, &lines));
    };
    spoil::lines(&mut lines, &rule, app.names, date);
    Ok(spoil::text(format::written(date, &lines), &rule, date))
}

async fn lines_of(app: &Shared, session: &Session) -> Result<Vec<FileLine>, ApiError> {
    let mut filter = ExecutionFilter {
        // The filter's times are exclusive, a session's first moment is not.
        after: Some(session.open - TimeDelta::microseconds(1)),
        // Times grow by a microsecond each, so the last trades may bear one a little after the close.
        until: Some(session.close + TimeDelta::seconds(1)),
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
        all.extend(page.iter().map(|(x, order)| FileLine::new(app.names, x, order)));
    }
    Ok(all)
}
