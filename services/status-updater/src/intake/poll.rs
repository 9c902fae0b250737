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
use venue::{ExecutionPage, Lookup, Venue, VenueExecution};

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
        let page = match self.venue.executions_after(self.cursors.record.as_deref()).await {
            Ok(page) => page,
            Err(fault) => {
                metrics::counter!("daybook_status_updater_poll_failed_total", "fault" => fault.word()).increment(1);
                debug!(
                    venue = self.venue.name(),
                    "the record of {} cannot be read: {fault}",
                    self.venue.name()
                );
                return Ok(false);
            }
        };
        let old_enough = now - delta(self.settings.grace);
        let stream_brings_young = self.feed.is_some() && !self.gap;
        let settled = page
            .executions
            .iter()
            .take_while(|execution| execution.at <= old_enough)
            .count();
        let wanted = if stream_brings_young {
            &page.executions[..settled]
        } else {
            &page.executions[..]
        };
        let missing = self.missing(wanted).await?;
        let keys_known = self.ask_keys(&missing).await;
        let told = missing
            .iter()
            .filter_map(|x| Some(translate::execution(x, self.memory.key(&x.venue_order_id)?)));
        let told: Vec<translate::Told> = told.collect();
        if !told.is_empty() {
            info!(
                venue = self.venue.name(),
                count = told.len(),
                "the record has executions that the stream did not bring"
            );
        }
        // The cursor passes neither the young ones nor one whose order the venue could not name.
        let unnamed = missing
            .iter()
            .find(|x| self.memory.key(&x.venue_order_id).is_none())
            .map(|x| x.cursor.clone());
        let passed: Vec<&VenueExecution> = page.executions[..settled]
            .iter()
            .take_while(|x| Some(&x.cursor) != unnamed.as_ref())
            .collect();
        let record = passed
            .last()
            .map(|x| x.cursor.clone())
            .or_else(|| self.cursors.record.clone());
        let moved = record != self.cursors.record;
        let cursors = Cursors {
            record,
            ..self.cursors.clone()
        };
        self.append(told, cursors, "poll").await?;
        Ok(self.after_page(&page, settled, moved && keys_known))
    }

    /// More at once while whole pages are behind us; else the gap is closed, as far as it can be now.
    fn after_page(&mut self, page: &ExecutionPage, settled: usize, moved: bool) -> bool {
        let again = page.more && moved && settled == page.executions.len();
        if again {
            self.poll_at = None;
        } else if moved || page.executions.is_empty() || settled < page.executions.len() {
            self.gap = page.more && self.gap;
        }
        again
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

    /// Asks the venue which orders its names stand for, as the record does not say. False when some answer is missing.
    async fn ask_keys(&mut self, missing: &[VenueExecution]) -> bool {
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
        let complete = answers.iter().all(|(_, answer)| answer.is_some());
        for (name, answer) in answers {
            if let Some(key) = answer {
                self.memory.name(name, key);
            }
        }
        complete
    }
}
