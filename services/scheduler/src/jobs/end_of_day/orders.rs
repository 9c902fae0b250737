//! Steps 1 to 3, 5 and 6: the orders of the date. Everything here asks; what becomes of an order is the status-updater's
//! commit.

use bus::{NewEvent, Topic};
use domain::Timestamp;
use venue::Venue;
use wire::events::v1;

use super::open::{LOOK, VENUE, Wanted, open_page, report};
use super::steps::{EodStep, span};
use super::store::{self, Day};
use super::{EndOfDay, prices, unresolved};
use crate::engine::{JobError, Run};
use crate::expiry::{self, Owner, Place, Tally};
use crate::jobs::StepOutcome;

/// When step 5 last told the orders that rest, in its figures.
const TOLD_AT: &str = "told_at";
/// How long before they are told once more.
const TELL_AGAIN: chrono::TimeDelta = chrono::TimeDelta::minutes(2);
/// A session that opens so soon is as good as open: what is told now may be heard in it.
const BEFORE_OPEN: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

impl<V: Venue> EndOfDay<V> {
    /// Step 1. The executor stops by the calendar and new orders are taken for the next session by it; what is left is the
    /// row that says so, and the prices of the close.
    pub(super) async fn close_routing(&self, run: &Run, day: &Day) -> Result<StepOutcome, JobError> {
        let mut tx = db::begin(&self.deps.pool).await?;
        run.check(&mut tx).await?;
        let kept = prices::keep_closing(&mut tx, day.date, day.close_at).await?;
        tx.commit().await?;
        Ok(StepOutcome::Done(format!("{kept} closing prices")))
    }

    /// Step 2, and again at the start of step 4 for what was accepted in the last moment.
    pub(super) async fn cancel(&self, run: &Run, day: &Day) -> Result<StepOutcome, JobError> {
        let tally = self.wish(run, day).await?;
        for (order, why) in &tally.refused {
            run.log(format!("the end of order {order} cannot be asked for: {why}"))
                .await;
        }
        Ok(StepOutcome::Done(format!("{} orders asked to end", tally.asked)))
    }

    /// Asks for the end of every order of the date, and of every order whose own time is over.
    pub(super) async fn wish(&self, run: &Run, day: &Day) -> Result<Tally, JobError> {
        let pool = &self.deps.pool;
        let workers = self.settings.workers;
        let limit = self.settings.batch * i64::try_from(workers).unwrap_or(1);
        let mut all = Tally::default();
        let mut after = None;
        loop {
            let page = expiry::of_date(&mut *pool.acquire().await?, day.date, after, limit).await?;
            after = page.last().copied();
            if page.is_empty() {
                break;
            }
            all.add(expiry::expire(pool, &self.deps.bus, Owner::Run(run), &page, workers).await?);
        }
        let now = db::database_time(&mut *pool.acquire().await?).await?;
        let mut after = None;
        loop {
            let page = expiry::due(&mut *pool.acquire().await?, now, after, limit).await?;
            after = page.last().copied();
            if page.is_empty() {
                return Ok(all);
            }
            let mut page: Vec<Place> = page.iter().map(|due| due.place).collect();
            page.sort_by_key(|place| (place.account_id, place.order_id));
            all.add(expiry::expire(pool, &self.deps.bus, Owner::Run(run), &page, workers).await?);
        }
    }

    /// Step 3: prints of the close come after the bell. Over early only when there is nothing left that could trade.
    pub(super) async fn take_prints(&self, day: &Day, now: Timestamp) -> Result<StepOutcome, JobError> {
        let until = day.close_at + span(self.settings.prints_until);
        if now >= until {
            return Ok(StepOutcome::Done("the time for late prints is over".to_owned()));
        }
        let open = sqlx::query_scalar!(
            r#"select exists (select from open_orders where session_date <= $1) as "open!""#,
            day.date,
        );
        if open.fetch_one(&mut *self.deps.pool.acquire().await?).await? {
            let until = until.min(now + span(self.settings.poll));
            let why = "late prints of orders that are still open".to_owned();
            return Ok(StepOutcome::Wait { until, why });
        }
        Ok(StepOutcome::Done("no order is open".to_owned()))
    }

    /// Step 5: live good-till-canceled orders are told that their day is over; then no order of the date is open but those
    /// that are listed as unresolved.
    pub(super) async fn end(&self, run: &Run, day: &Day, now: Timestamp) -> Result<StepOutcome, JobError> {
        let begun_at = day.row(EodStep::End).map_or(now, |row| row.begun_at);
        let resting = if self.next_session_is_near(now) {
            None
        } else {
            Some(self.send_to_rest(run, day, now).await?)
        };
        let ending = unresolved::unlisted(&mut *self.deps.pool.acquire().await?, day.date).await?;
        let waits = ending > 0 || resting.is_some_and(|resting| resting > 0);
        if waits && now < begun_at + span(self.settings.look_up_for) {
            let until = now + span(self.settings.poll);
            let why = format!("{ending} orders to end, {} to rest", resting.unwrap_or(0));
            return Ok(StepOutcome::Wait { until, why });
        }
        if ending > 0 {
            unresolved::list(&self.deps.pool, run, day, now).await?;
        }
        Ok(StepOutcome::Done(match resting {
            None => "the next session is open, so nothing rests".to_owned(),
            Some(0) => "orders of the day are over, the others rest".to_owned(),
            Some(n) => format!("{n} good-till-canceled orders were not told that their day is over"),
        }))
    }

    fn next_session_is_near(&self, now: Timestamp) -> bool {
        let calendar = self.deps.sessions.calendar();
        calendar.is_open(now) || calendar.next_open(now).is_ok_and(|open| open - now <= BEFORE_OPEN)
    }

    /// Reports that the day is over for each live order that outlives it; gives how many those are. What was told is in the
    /// log, however long the status-updater takes to read it, so it is told again only once in a while: an order may have
    /// been acknowledged meanwhile. Telling all of them at each look would bury the fills of the close.
    async fn send_to_rest(&self, run: &Run, day: &Day, now: Timestamp) -> Result<usize, JobError> {
        let told_at: Option<Timestamp> = day
            .row(EodStep::End)
            .and_then(|row| serde_json::from_value(row.figures.get(TOLD_AT)?.clone()).ok());
        let tells = told_at.is_none_or(|at| now >= at + TELL_AGAIN);
        let venue = self.deps.venue.as_ref().map_or(VENUE, |venue| venue.name());
        let (mut after, mut rest) = (None, 0);
        loop {
            let mut tx = db::begin(&self.deps.pool).await?;
            run.check(&mut tx).await?;
            let page = open_page(&mut tx, after, LOOK).await?;
            let rests = page.iter().filter(|row| row.wanted(day.date, now) == Wanted::Rest);
            let events: Vec<NewEvent> = rests
                .filter_map(|row| report(row, v1::Fact::DoneForDay, venue, now))
                .collect();
            rest += events.len();
            if tells {
                bus::append(&mut tx, &events).await?;
            }
            after = page.last().map(|row| (row.account_id, row.order_id));
            if after.is_none() && tells {
                let figures = serde_json::json!({ TOLD_AT: now });
                store::note(&mut tx, day.date, EodStep::End, Some(&figures), None).await?;
            }
            tx.commit().await?;
            if after.is_none() {
                if tells && rest > 0 {
                    self.deps.bus.wake(Topic::VenueReports);
                }
                return Ok(rest);
            }
        }
    }

    /// Step 6: the holds went with the ends, in the same commits; this makes sure (LED-I2).
    pub(super) async fn release(&self, run: &Run) -> Result<StepOutcome, JobError> {
        let options = self.deps.pool.connect_options().as_ref().clone();
        let report = audit::audit_some(options, false, |check| check.invariant == "V2").await?;
        for finding in report.broken() {
            run.log(format!("{}: {} times not so", finding.check.title, finding.violations))
                .await;
        }
        Ok(StepOutcome::Done(if report.is_clean() {
            "no ended order holds anything".to_owned()
        } else {
            "holds are wrong: the proof will say which".to_owned()
        }))
    }
}
