//! Watches over the ends of days: one that has not begun is missed, and begun from here (SAGA 25), unless an operator paused it;
//! one that is late is an alert (EOD-1); an order that was unresolved when its date was closed is struck out when it resolves (EOD-3). A loop of its
//! own, so that it tells even when no job runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::NamedLease;
use chassis::step::{Progress, Step, StepError};
use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::Timestamp;
use domain::calendar::{Calendar, SessionDate, to_new_york};
use serde_json::{Map, Value};
use tracing::{info, warn};

use super::steps::{EodStep, Settings, span};
use super::store::{self, Day};
use super::{NAME, unresolved};
use crate::Deps;
use crate::engine::alerts::{self, NewAlert};
use crate::engine::desk;

/// The alert that the end of a day has not begun; its subject is the date.
pub const MISSED: &str = "eod_missed";
/// The alert that it has not begun because its schedule is paused; its subject is the date.
pub const PAUSED: &str = "eod_paused";
/// The alert that a part of it is late; its subject is date and part.
pub const LATE: &str = "eod_late";

/// The parts that EOD-1 gives a time, and the step that ends each.
const PARTS: [(&str, EodStep); 3] = [
    ("orders", EodStep::Release),
    ("proof", EodStep::Prove),
    ("date", EodStep::CloseDate),
];

/// A date that is closed is neither missed nor late any more.
pub(super) async fn clear(conn: &mut PgConnection, date: NaiveDate, now: Timestamp) -> Result<(), DbError> {
    begun_after_all(conn, date, now).await?;
    for (part, _) in PARTS {
        alerts::clear(conn, LATE, &format!("{date} {part}"), now).await?;
    }
    Ok(())
}

/// Its end has begun, however late.
async fn begun_after_all(conn: &mut PgConnection, date: NaiveDate, now: Timestamp) -> Result<(), DbError> {
    for kind in [MISSED, PAUSED] {
        alerts::clear(conn, kind, &date.to_string(), now).await?;
    }
    Ok(())
}

/// The watchdog.
pub struct Watch<V> {
    settings: Settings,
    deps: Arc<Deps<V>>,
    lease: NamedLease,
    late: BTreeMap<&'static str, i64>,
}

impl<V> Watch<V> {
    /// One that has not looked yet.
    pub fn new(settings: Settings, deps: Arc<Deps<V>>) -> Self {
        let lease = deps.bus.lease("scheduler-eod-watch");
        let late = BTreeMap::new();
        Watch {
            settings,
            deps,
            lease,
            late,
        }
    }

    /// How many seconds each part is late, of the date that is the furthest behind; nothing is where this process does not watch.
    pub fn late(&self) -> &BTreeMap<&'static str, i64> {
        &self.late
    }

    /// Begins the end of each date that is over and has none: at once where no session ticked for it, else after a while and
    /// with an alert. While an operator keeps its schedule paused there is the alert alone.
    async fn begin_missed(&self, now: Timestamp) -> Result<(), StepError> {
        let calendar = self.deps.sessions.calendar();
        let mut tx = db::begin(&self.deps.pool).await?;
        self.lease.check(&mut tx).await?;
        let paused = desk::paused_at(&mut tx, NAME).await?;
        for date in without_end(&mut tx, &calendar, now).await? {
            let session = calendar.session_bounds(SessionDate::new(date));
            if session.is_some_and(|(_, close)| now < close + span(self.settings.missed_after)) {
                continue;
            }
            let waits = waits_for_a_worker(&mut tx, date).await?;
            if let Some(since) = paused.filter(|_| !waits) {
                alerts::raise(&mut tx, &is_paused(date, since), now).await?;
                continue;
            }
            alerts::clear(&mut tx, PAUSED, &date.to_string(), now).await?;
            if session.is_some() {
                let alert = NewAlert {
                    kind: MISSED,
                    subject: date.to_string(),
                    message: format!("The end of {date} has not begun. It is begun now; see why no run of {NAME} did."),
                };
                alerts::raise(&mut tx, &alert, now).await?;
            }
            if waits {
                continue;
            }
            let arguments = Map::from_iter([("date".to_owned(), Value::String(date.to_string()))]);
            desk::run_by_hand(&mut tx, self.deps.ids.uuid(), NAME, &arguments).await?;
            info!("begins the end of {date}");
        }
        tx.commit().await?;
        Ok(())
    }

    /// Raises what is late, takes back what is not any more, and shows where the dates are.
    async fn look_at_running(&mut self, now: Timestamp) -> Result<(), StepError> {
        let mut late = BTreeMap::new();
        let mut tx = db::begin(&self.deps.pool).await?;
        self.lease.check(&mut tx).await?;
        let running = store::running(&mut tx).await?;
        for date in &running {
            let Some(day) = store::day(&mut tx, *date).await? else {
                continue;
            };
            begun_after_all(&mut tx, *date, now).await?;
            for (part, step) in PARTS {
                let behind = self.look_at(&mut tx, &day, part, step, now).await?;
                late.entry(part)
                    .and_modify(|most: &mut i64| *most = behind.max(*most))
                    .or_insert(behind);
            }
        }
        tx.commit().await?;
        self.tell(late);
        metrics::gauge!("daybook_scheduler_eod_dates_running")
            .set(gauge(i64::try_from(running.len()).unwrap_or(i64::MAX)));
        Ok(())
    }

    /// Every part each time: one whose date was closed, or that another process watches over by now, is not late any more.
    fn tell(&mut self, late: BTreeMap<&'static str, i64>) {
        for (part, _) in PARTS {
            let behind = late.get(part).copied().unwrap_or(0);
            metrics::gauge!("daybook_scheduler_eod_late_seconds", "part" => part).set(gauge(behind));
        }
        self.late = late;
    }

    /// Strikes out orders that were resolved after their date's last look, also of dates that an operator let close. A
    /// transaction for each date, so that no date's end waits for another's.
    async fn look_at_unresolved(&self, now: Timestamp) -> Result<(), StepError> {
        let dates = unresolved::dates(&mut *self.deps.pool.acquire().await?).await?;
        let mut left = 0;
        for date in dates {
            let mut tx = db::begin(&self.deps.pool).await?;
            self.lease.check(&mut tx).await?;
            left += unresolved::strike_out(&mut tx, date, now).await?;
            tx.commit().await?;
        }
        metrics::gauge!("daybook_scheduler_eod_unresolved_orders").set(gauge(left));
        Ok(())
    }

    /// How many seconds the part is late.
    async fn look_at(
        &self,
        conn: &mut PgConnection,
        day: &Day,
        part: &'static str,
        step: EodStep,
        now: Timestamp,
    ) -> Result<i64, DbError> {
        let by = day.close_at + span(self.deadline(step));
        let subject = format!("{} {part}", day.date);
        let late = !day.is_done(step) && now > by;
        if !late {
            alerts::clear(conn, LATE, &subject, now).await?;
            return Ok(0);
        }
        let at = day.next_step().unwrap_or(step);
        let waits = day.row(at).and_then(|row| row.summary.clone());
        let message = format!(
            "The {part} of {} should have been done by {by}; it is at step {}, {}: {}.",
            day.date,
            at.number(),
            at.title(),
            waits.unwrap_or_else(|| "under way".to_owned()),
        );
        if alerts::raise(
            conn,
            &NewAlert {
                kind: LATE,
                subject,
                message,
            },
            now,
        )
        .await?
        {
            warn!("the end of {} is late: {part}", day.date);
            metrics::counter!("daybook_scheduler_eod_breaches_total", "part" => part).increment(1);
        }
        Ok((now - by).num_seconds())
    }

    const fn deadline(&self, step: EodStep) -> std::time::Duration {
        match step {
            EodStep::CloseDate => self.settings.closed_by,
            EodStep::Prove => self.settings.proven_by,
            _ => self.settings.orders_by,
        }
    }
}

impl<V: venue::Venue> Step for Watch<V> {
    fn name(&self) -> &'static str {
        "scheduler-eod-watch"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        if self.lease.keep().await? {
            let now = db::database_time(&mut *self.deps.pool.acquire().await?).await?;
            self.begin_missed(now).await?;
            self.look_at_running(now).await?;
            self.look_at_unresolved(now).await?;
        } else {
            self.tell(BTreeMap::new());
        }
        Ok(Progress::Idle)
    }
}

fn is_paused(date: NaiveDate, since: Timestamp) -> NewAlert {
    NewAlert {
        kind: PAUSED,
        subject: date.to_string(),
        message: format!(
            "The end of {date} has not begun: {NAME} is paused since {since}. It begins after `daybook admin jobs resume {NAME}`, or \
             alone by `daybook admin jobs run {NAME} --date {date}`."
        ),
    }
}

fn gauge(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The dates that are over and have no end of day yet, oldest first: every session since the last date that has one, and
/// every date with orders that end with it, also one whose session was taken away (CAL-4).
async fn without_end(conn: &mut PgConnection, calendar: &Calendar, now: Timestamp) -> Result<Vec<NaiveDate>, DbError> {
    let today = to_new_york(now).date_naive();
    let last = sqlx::query_scalar!("select max(business_date) from eod_dates")
        .fetch_one(&mut *conn)
        .await?;
    let sessions = last
        .into_iter()
        .flat_map(|last| last.iter_days().skip(1))
        .take_while(|date| *date <= today)
        .filter(|date| calendar.session_bounds(SessionDate::new(*date)).is_some());
    let mut dates: Vec<NaiveDate> = sessions.chain(dates_with_orders(conn, today).await?).collect();
    dates.sort_unstable();
    dates.dedup();
    let begun = begun(conn, &dates).await?;
    let is_over = |date: &NaiveDate| calendar.ends_at(SessionDate::new(*date)).is_some_and(|end| end <= now);
    dates.retain(|date| is_over(date) && !begun.contains(date));
    Ok(dates)
}

/// The session dates of open orders that end with their session. One look into the index for each date, not for each order.
async fn dates_with_orders(conn: &mut PgConnection, until: NaiveDate) -> Result<Vec<NaiveDate>, DbError> {
    let dates = sqlx::query_scalar!(
        r#"with recursive d as (
               (select session_date from open_orders where session_date <= $1 order by session_date limit 1)
               union all
               select (select o.session_date
                         from open_orders o
                        where o.session_date > d.session_date
                          and o.session_date <= $1
                        order by o.session_date
                        limit 1)
                 from d
                where d.session_date is not null)
           select session_date as "date!"
             from d
            where session_date is not null
              and exists (select from open_orders o
                           where o.session_date = d.session_date
                             and o.time_in_force <> 'gtc')"#,
        until,
    );
    Ok(dates.fetch_all(conn).await?)
}

async fn begun(conn: &mut PgConnection, dates: &[NaiveDate]) -> Result<Vec<NaiveDate>, DbError> {
    let begun = sqlx::query_scalar!(
        "select business_date from eod_dates where business_date = any($1)",
        dates
    );
    Ok(begun.fetch_all(conn).await?)
}

/// Whether a run for this date was begun from here and has not got a worker yet, or failed for good.
async fn waits_for_a_worker(conn: &mut PgConnection, date: NaiveDate) -> Result<bool, DbError> {
    let waits = sqlx::query_scalar!(
        r#"select exists (select from job_runs
                           where schedule = $1
                             and by_hand
                             and state in ('waiting', 'running')
                             and arguments ->> 'date' = $2) as "waits!""#,
        NAME,
        date.to_string(),
    );
    Ok(waits.fetch_one(conn).await?)
}
