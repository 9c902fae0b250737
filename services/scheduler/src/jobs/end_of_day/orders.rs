//! Steps 1 to 6: the orders of the date. Everything here asks; what becomes of an order is the status-updater's commit.

use bus::{NewEvent, Topic};
use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::{OrderId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use tracing::warn;
use uuid::Uuid;
use venue::Venue;
use wire::events::v1;

use super::steps::{EodStep, span};
use super::store::{self, Day};
use super::{EndOfDay, prices, unresolved};
use crate::engine::{JobError, Run};
use crate::expiry::{self, Owner, Place, Tally};
use crate::jobs::StepOutcome;

/// Who asks, in events and logs.
const NAME: &str = "end_of_day";
/// The venue's name in reports of the day where no exchange can be reached from here.
pub(crate) const VENUE: &str = "daybook";
/// Open orders read at once: a bounded statement, however many there are.
const LOOK: i64 = 5_000;
/// The longest pause between two questions about one order.
const LONGEST_ASK: u32 = 4;
/// A session that opens so soon is as good as open: what is told now may be heard in it.
const BEFORE_OPEN: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// An open order as the close looks at it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct OpenRow {
    pub(super) account_id: Uuid,
    pub(super) order_id: Uuid,
    pub(super) symbol: String,
    pub(super) time_in_force: Option<String>,
    pub(super) session_date: Option<NaiveDate>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) status: String,
    pub(super) request_id: String,
}

/// What the close wants of an open order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Its end.
    End,
    /// A word whether the exchange has it.
    Word,
    /// That it rests until the next session.
    Rest,
    /// Nothing: it rests, waits for another session, or is another date's.
    Nothing,
}

impl OpenRow {
    fn is_gtc(&self) -> bool {
        self.time_in_force.as_deref() == Some("gtc")
    }

    /// What this date's close wants of it (EOD-4: an order belongs to the session fixed at acceptance).
    pub(super) fn wanted(&self, date: NaiveDate, now: Timestamp) -> Wanted {
        let own_time_is_over = self.expires_at.is_some_and(|end| end <= now);
        let of_today = self.session_date == Some(date);
        let began = self.session_date.is_some_and(|session| session <= date);
        match self.status.as_str() {
            _ if own_time_is_over || (of_today && !self.is_gtc()) => Wanted::End,
            "pending_new" if self.is_gtc() && began => Wanted::Word,
            "new" | "partially_filled" if self.is_gtc() && began => Wanted::Rest,
            _ => Wanted::Nothing,
        }
    }

    /// In words, for the list of what is unresolved.
    pub(super) fn why(&self, wanted: Wanted) -> String {
        match wanted {
            Wanted::Word => "the exchange did not say whether it has the order".to_owned(),
            _ if self.status == "accepted" => "it was never heard of again after it was accepted".to_owned(),
            _ => "its time is over, and the exchange did not say that it ended".to_owned(),
        }
    }

    fn request(&self) -> Option<RequestId> {
        RequestId::new(&self.request_id).ok()
    }
}

/// How far the questions of step 4 are.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Asking {
    /// The last order looked at in this round.
    after: Option<(Uuid, Uuid)>,
    /// Orders found open in this round.
    found: usize,
    /// Rounds that are over.
    rounds: u32,
    /// Questions so far.
    asked: usize,
    /// When the next round may ask.
    next: Option<Timestamp>,
}

impl<V: Venue> EndOfDay<V> {
    /// Step 1. The executor stops by the calendar and new orders are taken for the next session by it; what is left is the
    /// row that says so, and the prices of the close.
    pub(super) async fn close_routing(&self, run: &Run, day: &Day) -> Result<StepOutcome, JobError> {
        let mut tx = db::begin(&self.deps.pool).await?;
        run.check(&mut tx).await?;
        let kept = prices::keep_closing(&mut tx, day.date).await?;
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
    async fn wish(&self, run: &Run, day: &Day) -> Result<Tally, JobError> {
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

    /// Step 4: everything that should be over, and everything in doubt, is asked about in rounds, so many a second, until
    /// nothing is left. What is left when the time is up is listed; it keeps its hold, and nobody waits for it.
    pub(super) async fn look_up(&self, run: &Run, day: &Day, now: Timestamp) -> Result<StepOutcome, JobError> {
        let row = day.row(EodStep::LookUp);
        let figures = row.map(|row| row.figures.clone()).unwrap_or_default();
        let mut asking: Asking = serde_json::from_value(figures).unwrap_or_default();
        let begun_at = row.map_or(now, |row| row.begun_at);
        if asking.rounds == 0 && asking.after.is_none() {
            self.wish(run, day).await?;
        }
        let time_is_up = now >= begun_at + span(self.settings.look_up_for);
        let may_ask = asking.next.is_none_or(|next| next <= now);
        if !may_ask && !time_is_up && self.still_open(day, now).await? {
            return Ok(self.wait_for_answers(now));
        }
        let over = self.round(run, day, now, &mut asking, may_ask).await?;
        let found = asking.found;
        if over {
            asking.after = None;
            asking.found = 0;
            if may_ask {
                asking.rounds += 1;
                let pause = self.settings.ask_again * 2u32.pow(asking.rounds.min(LONGEST_ASK) - 1);
                asking.next = Some(now + span(pause));
            }
        }
        self.keep(run, day, &asking).await?;
        match (over, found) {
            (false, _) => Ok(StepOutcome::Wait {
                until: now + chrono::TimeDelta::seconds(1),
                why: format!("{} questions asked so far", asking.asked),
            }),
            (true, 0) => Ok(StepOutcome::Done(format!(
                "all orders are known, {} questions",
                asking.asked
            ))),
            (true, _) if time_is_up => {
                let listed = unresolved::list(&self.deps.pool, run, day, now).await?;
                Ok(StepOutcome::Done(format!("{listed} orders are unresolved")))
            }
            (true, _) => Ok(self.wait_for_answers(now)),
        }
    }

    fn wait_for_answers(&self, now: Timestamp) -> StepOutcome {
        StepOutcome::Wait {
            until: now + span(self.settings.poll),
            why: "answers of the exchange".to_owned(),
        }
    }

    /// Looks at open orders from where the round is, and asks about those that want something if it `may_ask`. True when the
    /// round is over, false when so much was asked that the exchange needs a rest.
    async fn round(
        &self,
        run: &Run,
        day: &Day,
        now: Timestamp,
        asking: &mut Asking,
        may_ask: bool,
    ) -> Result<bool, JobError> {
        let most = usize::try_from(self.settings.look_ups_per_second).unwrap_or(usize::MAX);
        let mut room = most;
        loop {
            let mut tx = db::begin(&self.deps.pool).await?;
            run.check(&mut tx).await?;
            let page = open_page(&mut tx, asking.after, LOOK).await?;
            let wants: Vec<(&OpenRow, Wanted)> = page
                .iter()
                .map(|row| (row, row.wanted(day.date, now)))
                .filter(|(_, wanted)| matches!(wanted, Wanted::End | Wanted::Word))
                .take(room)
                .collect();
            let full = wants.len() == room;
            if may_ask {
                let events: Vec<NewEvent> = wants
                    .iter()
                    .flat_map(|(row, wanted)| questions(row, *wanted, now))
                    .collect();
                bus::append(&mut tx, &events).await?;
                asking.asked += wants.len();
                room -= wants.len();
            }
            asking.found += wants.len();
            let last = wants.last().filter(|_| full).map(|(row, _)| *row).or(page.last());
            asking.after = last.map(|row| (row.account_id, row.order_id)).or(asking.after);
            tx.commit().await?;
            if may_ask && !wants.is_empty() {
                self.deps.bus.wake(Topic::Orders);
            }
            if page.is_empty() || (!full && i64::try_from(page.len()) != Ok(LOOK)) {
                return Ok(true);
            }
            if room == 0 {
                return Ok(false);
            }
        }
    }

    /// Whether an order of the date, or one whose own time is over, is open: by an index, so it may be asked often.
    async fn still_open(&self, day: &Day, now: Timestamp) -> Result<bool, JobError> {
        let open = sqlx::query_scalar!(
            r#"select exists (select from open_orders where session_date = $1 and time_in_force <> 'gtc')
                   or exists (select from open_orders where expires_at <= $2) as "open!""#,
            day.date,
            now,
        );
        Ok(open.fetch_one(&mut *self.deps.pool.acquire().await?).await?)
    }

    async fn keep(&self, run: &Run, day: &Day, asking: &Asking) -> Result<(), JobError> {
        let figures = serde_json::to_value(asking)?;
        let mut tx = db::begin(&self.deps.pool).await?;
        run.check(&mut tx).await?;
        store::note(&mut tx, day.date, EodStep::LookUp, Some(&figures), None).await?;
        tx.commit().await?;
        Ok(())
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

    /// Reports that the day is over for each live order that outlives it; gives how many those were. One that was told
    /// already shows it, or is told again, which changes nothing.
    async fn send_to_rest(&self, run: &Run, day: &Day, now: Timestamp) -> Result<usize, JobError> {
        let venue = self.deps.venue.as_ref().map_or(VENUE, |venue| venue.name());
        let (mut after, mut told) = (None, 0);
        loop {
            let mut tx = db::begin(&self.deps.pool).await?;
            run.check(&mut tx).await?;
            let page = open_page(&mut tx, after, LOOK).await?;
            let rests = page.iter().filter(|row| row.wanted(day.date, now) == Wanted::Rest);
            let events: Vec<NewEvent> = rests
                .filter_map(|row| report(row, v1::Fact::DoneForDay, venue, now))
                .collect();
            bus::append(&mut tx, &events).await?;
            tx.commit().await?;
            told += events.len();
            after = page.last().map(|row| (row.account_id, row.order_id));
            if after.is_none() {
                if told > 0 {
                    self.deps.bus.wake(Topic::VenueReports);
                }
                return Ok(told);
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

/// A page of all open orders, by key.
pub(super) async fn open_page(
    conn: &mut PgConnection,
    after: Option<(Uuid, Uuid)>,
    limit: i64,
) -> Result<Vec<OpenRow>, DbError> {
    let (account, order) = after.unwrap_or_default();
    let rows = sqlx::query_as!(
        OpenRow,
        "select w.account_id, w.order_id, w.symbol, w.time_in_force, w.session_date, w.expires_at, o.status, o.request_id
           from (select account_id, order_id, symbol, time_in_force, session_date, expires_at
                   from open_orders
                  where (account_id, order_id) > ($1, $2)
                  order by account_id, order_id
                  limit $3) w
           join orders o using (order_id)
          order by w.account_id, w.order_id",
        account,
        order,
        limit,
    );
    Ok(rows.fetch_all(conn).await?)
}

/// What is asked of the executor: to look the order up, and to cancel it once more where its end is wanted.
fn questions(row: &OpenRow, wanted: Wanted, now: Timestamp) -> Vec<NewEvent> {
    let Some(request) = row.request() else {
        warn!(order.id = %row.order_id, "order {} cannot be asked about: its request id", row.order_id);
        return vec![];
    };
    let look_up = v1::LookUpRequested {
        order_id: row.order_id,
        account_id: row.account_id,
        symbol: row.symbol.clone(),
        asked_by: NAME.to_owned(),
        why: row.why(wanted),
        requested_at: now,
    };
    let look_up = NewEvent {
        topic: Topic::Orders,
        key: row.symbol.clone(),
        order_id: OrderId::new(row.order_id),
        kind: v1::LookUpRequested::KIND,
        payload: serde_json::to_string(&look_up).expect("a plain struct with text keys always encodes"),
        request_id: request.clone(),
    };
    if wanted != Wanted::End {
        return vec![look_up];
    }
    let cancel = v1::CancelRequested {
        order_id: row.order_id,
        account_id: row.account_id,
        symbol: row.symbol.clone(),
        asked_by: expiry::ASKED_BY.to_owned(),
        requested_at: now,
    };
    vec![look_up, NewEvent::cancel_requested(&cancel, request)]
}

/// A report about an order, from the day itself and not from the exchange.
pub(crate) fn report_of_day(
    order_id: Uuid,
    account_id: Uuid,
    fact: v1::Fact,
    venue: &str,
    request: RequestId,
    now: Timestamp,
) -> NewEvent {
    let report = v1::VenueReport {
        venue: venue.to_owned(),
        order_id,
        account_id,
        fact,
        source: NAME.to_owned(),
        received_at: now,
    };
    NewEvent::venue_report(&report, request)
}

fn report(row: &OpenRow, fact: v1::Fact, venue: &str, now: Timestamp) -> Option<NewEvent> {
    let request = row.request()?;
    Some(report_of_day(row.order_id, row.account_id, fact, venue, request, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(time_in_force: &str, session: &str, status: &str, expires_at: Option<&str>) -> OpenRow {
        OpenRow {
            account_id: Uuid::nil(),
            order_id: Uuid::nil(),
            symbol: "XYZ".to_owned(),
            time_in_force: Some(time_in_force.to_owned()),
            session_date: session.parse().ok(),
            expires_at: expires_at.and_then(|at| at.parse().ok()),
            status: status.to_owned(),
            request_id: "r-1".to_owned(),
        }
    }

    /// What the close of Monday, 23 November 2026, wants at 16:10 New York.
    fn wanted(row: &OpenRow) -> Wanted {
        let now = "2026-11-23T21:10:00Z".parse().expect("a time");
        row.wanted("2026-11-23".parse().expect("a date"), now)
    }

    #[test]
    fn eod_4_the_close_wants_nothing_of_the_next_sessions_orders() {
        assert_eq!(wanted(&row("day", "2026-11-24", "accepted", None)), Wanted::Nothing);
        assert_eq!(
            wanted(&row("gtc", "2026-11-24", "accepted", Some("2027-02-19T21:15:00Z"))),
            Wanted::Nothing
        );
        assert_eq!(wanted(&row("day", "2026-11-23", "accepted", None)), Wanted::End);
    }

    #[test]
    fn whatever_ends_with_its_session_has_to_end_however_it_stands() {
        for status in ["accepted", "pending_new", "new", "partially_filled"] {
            for time_in_force in ["day", "ioc", "fok"] {
                assert_eq!(
                    wanted(&row(time_in_force, "2026-11-23", status, None)),
                    Wanted::End,
                    "{time_in_force} {status}"
                );
            }
        }
    }

    #[test]
    fn tif_2_a_good_till_canceled_order_rests_unless_its_own_time_is_over_or_it_is_in_doubt() {
        let gtc = |status, expires_at| wanted(&row("gtc", "2026-11-20", status, Some(expires_at)));
        assert_eq!(gtc("new", "2027-02-19T21:15:00Z"), Wanted::Rest);
        assert_eq!(gtc("done_for_day", "2027-02-19T21:15:00Z"), Wanted::Nothing);
        assert_eq!(gtc("pending_new", "2027-02-19T21:15:00Z"), Wanted::Word);
        assert_eq!(gtc("new", "2026-11-23T21:00:00Z"), Wanted::End);
        assert_eq!(gtc("done_for_day", "2026-11-23T21:00:00Z"), Wanted::End);
    }
}
