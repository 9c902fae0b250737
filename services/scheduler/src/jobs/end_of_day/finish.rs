//! Steps 11 and 12: everybody is told, and the date is closed.

use chrono::TimeDelta;
use db::{DbError, PgConnection};
use domain::Timestamp;
use domain::calendar::SessionDate;
use venue::Venue;

use super::steps::{EodStep, span};
use super::store::{self, Day};
use super::{EndOfDay, unresolved, watch};
use crate::engine::{JobError, Run};
use crate::jobs::StepOutcome;

/// The consumer group that tells customers.
const NOTIFIER: &str = "notifier";
/// What waits for an operator is not looked at every other second.
const OPERATOR: TimeDelta = TimeDelta::seconds(30);

impl<V: Venue> EndOfDay<V> {
    /// Step 11: what happened until this step began has reached the notifier, where one has ever read.
    pub(super) async fn notify(&self, day: &Day, now: Timestamp) -> Result<StepOutcome, JobError> {
        let until = day.row(EodStep::Notify).map_or(now, |row| row.begun_at);
        let mut conn = self.deps.pool.acquire().await?;
        Ok(match unread(&mut conn, until).await? {
            None => StepOutcome::Done("nobody notifies".to_owned()),
            Some(false) => StepOutcome::Done("everybody was told".to_owned()),
            Some(true) => StepOutcome::Wait {
                until: now + span(self.settings.poll),
                why: "the notifier has not read everything".to_owned(),
            },
        })
    }

    /// Step 12: the date is closed once the one before it is, and nothing of it is unresolved or an operator says so.
    pub(super) async fn close(&self, run: &Run, day: &Day, now: Timestamp) -> Result<StepOutcome, JobError> {
        let mut tx = db::begin(&self.deps.pool).await?;
        run.check(&mut tx).await?;
        let left = unresolved::refresh(&mut tx, day.date, now).await?;
        let before = store::unfinished_before(&mut tx, day.date).await?;
        let wait = |why: String, after: TimeDelta| StepOutcome::Wait {
            until: now + after,
            why,
        };
        let outcome = match before {
            Some((date, _)) => wait(format!("{date} to be closed"), span(self.settings.poll)),
            None if left > 0 && day.overridden_at.is_none() => {
                wait(format!("{left} unresolved orders, or an operator's override"), OPERATOR)
            }
            None => {
                store::close_date(&mut tx, day.date, now).await?;
                watch::clear(&mut tx, day.date, now).await?;
                let next = self.deps.sessions.calendar().session_for(now).map(SessionDate::get);
                StepOutcome::Done(next.map_or_else(|_| "closed".to_owned(), |next| format!("closed, next is {next}")))
            }
        };
        tx.commit().await?;
        Ok(outcome)
    }
}

/// Whether the notifier has something to read from before `until`; `None` when there never was a notifier.
async fn unread(conn: &mut PgConnection, until: Timestamp) -> Result<Option<bool>, DbError> {
    let row = sqlx::query!(
        r#"select bool_or(exists (select from outbox o
                                   where o.topic = p.topic
                                     and o.partition = p.partition
                                     and (o.xid, o.id) > (p.xid, p.id)
                                     and o.created_at <= $2)) as unread
             from bus_positions p
            where p.consumer_group = $1"#,
        NOTIFIER,
        until,
    );
    Ok(row.fetch_one(conn).await?.unread)
}
