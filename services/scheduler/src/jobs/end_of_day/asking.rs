//! Step 4: what is still open or in doubt is asked about.

use bus::{NewEvent, Topic};
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use venue::Venue;

use super::open::{LOOK, OpenRow, Wanted, open_page, questions};
use super::steps::{EodStep, span};
use super::store::{self, Day};
use super::{EndOfDay, unresolved};
use crate::engine::{JobError, Run};
use crate::jobs::StepOutcome;

/// The longest pause between two questions about one order.
const LONGEST_ASK: u32 = 4;

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
}
