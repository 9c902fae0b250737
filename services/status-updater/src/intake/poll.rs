//! The venue's record of executions, polled behind the stream: what the stream lost, lost connections included, is
//! found here within an interval. What is booked already, or is on its way, is left out.

use super::cursors::Cursors;
use super::{Intake, delta, translate};
use crate::{aside, report};
use chassis::step::StepError;
use db::DbError;
use domain::{OrderId, VenueOrderId};
use futures::StreamExt;
use orders::VenueExec;
use std::collections::{BTreeSet, HashSet};
use tracing::{debug, info};
use venue::{ExecutionPage, Fault, Lookup, Venue, VenueExecution};

/// Look-ups under way at a time.
const SIDE_BY_SIDE: usize = 8;

impl<V: Venue> Intake<V> {
    pub(super) fn poll_is_due(&self) -> bool {
        self.poll_at.is_none_or(|at| at <= self.clock.now())
    }

    /// Takes one page of the record. True when there may be another one to take at once.
    pub(super) async fn poll(&mut self) -> Result<bool, StepError> {
        let now = self.clock.now();
        self.poll_at = Some(now + delta(self.settings.poll_every));
        let Some(page) = self.page().await else {
            return Ok(false);
        };
        let old_enough = now - delta(self.settings.grace);
        let settled = page
            .executions
            .iter()
            .take_while(|execution| execution.at <= old_enough)
            .count();
        let stream_brings_young = self.feed.is_some() && !self.gap;
        let wanted = if stream_brings_young {
            &page.executions[..settled]
        } else {
            &page.executions[..]
        };
        let missing = self.missing(wanted).await?;
        self.ask_keys(&missing).await;
        let record = self.passed(&page.executions[..settled], &missing);
        let whole = record.is_some() && record == page.executions.last().map(|last| last.cursor.clone());
        let told = missing
            .iter()
            .filter_map(|x| Some(translate::execution(x, self.memory.key(&x.venue_order_id)?)));
        let told: Vec<translate::Told> = told.collect();
        if !told.is_empty() {
            let count = told.len();
            info!(
                venue = self.venue.name(),
                count, "the record has executions that the stream did not bring"
            );
        }
        let cursors = Cursors {
            record: record.or_else(|| self.cursors.record.clone()),
            ..self.cursors.clone()
        };
        self.append(told, cursors, "poll").await?;
        if whole && page.more {
            self.poll_at = None;
            return Ok(true);
        }
        // Young executions of a gap were told above; what the venue could not name is asked again.
        self.gap &= page.more || missing.iter().any(|x| self.memory.key(&x.venue_order_id).is_none());
        Ok(false)
    }

    async fn page(&mut self) -> Option<ExecutionPage> {
        let page = self.venue.executions_after(self.cursors.record.as_deref()).await;
        let failed = |fault: &Fault| {
            metrics::counter!("daybook_status_updater_poll_failed_total", "fault" => fault.word()).increment(1);
            debug!(
                venue = self.venue.name(),
                "the record of {} cannot be read: {fault}",
                self.venue.name()
            );
        };
        page.inspect_err(failed).ok()
    }

    /// How far the cursor may go: not past the young ones, nor past one whose order the venue could not name.
    fn passed(&self, settled: &[VenueExecution], missing: &[VenueExecution]) -> Option<String> {
        let unnamed = missing
            .iter()
            .find(|x| self.memory.key(&x.venue_order_id).is_none())
            .map(|x| &x.cursor);
        settled
            .iter()
            .take_while(|x| Some(&x.cursor) != unnamed)
            .last()
            .map(|x| x.cursor.clone())
    }

    /// The executions that are neither booked, nor set aside, nor told a moment ago.
    async fn missing(&mut self, executions: &[VenueExecution]) -> Result<Vec<VenueExecution>, DbError> {
        let named = |x: &VenueExecution| -> VenueExec { (self.venue.name().to_owned(), x.exec_id.clone()) };
        let new: Vec<&VenueExecution> = executions.iter().filter(|x| !self.memory.was_told(&named(x))).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let mut conn = self.pool.acquire().await?;
        let asked: Vec<VenueExec> = new.iter().map(|x| named(x)).collect();
        let booked = orders::known_fills(&mut conn, &asked).await?;
        let ids: Vec<uuid::Uuid> = asked
            .iter()
            .map(|(venue, id)| report::aside_id("fill", venue, id))
            .collect();
        let set_aside: HashSet<uuid::Uuid> = aside::known(&mut conn, &ids).await?.into_keys().collect();
        let is_new = |(asked, id): (&VenueExec, &uuid::Uuid)| !booked.contains_key(asked) && !set_aside.contains(id);
        Ok(new
            .into_iter()
            .zip(asked.iter().zip(&ids))
            .filter(|(_, ids)| is_new(*ids))
            .map(|(x, _)| x.clone())
            .collect())
    }

    /// Asks the venue which orders its names stand for, as the record does not say.
    async fn ask_keys(&mut self, missing: &[VenueExecution]) {
        let unknown: BTreeSet<VenueOrderId> = missing
            .iter()
            .filter(|x| self.memory.key(&x.venue_order_id).is_none())
            .map(|x| x.venue_order_id.clone())
            .collect();
        let venue = &self.venue;
        let answers: Vec<(VenueOrderId, Option<Option<OrderId>>)> = futures::stream::iter(unknown)
            .map(async |name| {
                let answer = match venue.order(&name).await {
                    Lookup::Found(view) => Some(view.key),
                    Lookup::NotFound => Some(None),
                    Lookup::Unknown(_) => None,
                };
                (name, answer)
            })
            .buffered(SIDE_BY_SIDE)
            .collect()
            .await;
        for (name, answer) in answers {
            if let Some(key) = answer {
                self.memory.name(name, key);
            }
        }
    }
}
