//! The venue's record of executions, polled behind the stream: what the stream lost, lost connections included, is
//! found here within an interval. What is booked already, or is on its way, is left out.

use super::cursors::Cursors;
use super::{Intake, delta, translate};
use crate::{aside, report};
use chassis::step::StepError;
use db::DbError;
use domain::VenueOrderId;
use futures::StreamExt;
use orders::VenueExec;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, info, warn};
use venue::{ExecutionPage, Fault, Lookup, Venue, VenueExecution};

/// Look-ups under way at a time.
const SIDE_BY_SIDE: usize = 8;

impl<V: Venue> Intake<V> {
    pub(super) fn poll_is_due(&self) -> bool {
        self.poll_at.is_none_or(|at| at <= self.clock.now())
    }

    /// Takes one page of the record. True when there may be another one to take at once.
    pub(super) async fn poll(&mut self) -> Result<bool, StepError> {
        self.poll_later();
        let again = self.take_page().await?;
        // Counted from the end, so that a slow venue leaves time for the stream.
        self.poll_later();
        if again {
            self.poll_at = None;
        }
        Ok(again)
    }

    fn poll_later(&mut self) {
        self.poll_at = Some(self.clock.now() + delta(self.settings.poll_every));
    }

    async fn take_page(&mut self) -> Result<bool, StepError> {
        let (deadline, epoch) = (self.deadline(), self.epoch);
        let old_enough = self.clock.now() - delta(self.settings.grace);
        let Some(page) = self.page(deadline).await else {
            return Ok(false);
        };
        let settled = page.executions.iter().take_while(|x| x.at <= old_enough).count();
        let stream_brings_young = self.feed.is_some() && !self.gap;
        let wanted = if stream_brings_young {
            &page.executions[..settled]
        } else {
            &page.executions[..]
        };
        let missing = self.missing(wanted).await?;
        self.ask_keys(&missing, deadline).await;
        if !self.is_owner().await? || self.epoch != epoch {
            return Ok(false);
        }
        let record = self.passed(&page.executions[..settled], &missing);
        let whole = record.is_some() && record == page.executions.last().map(|last| last.cursor.clone());
        let cursors = Cursors {
            record: record.or_else(|| self.cursors.record.clone()),
            ..self.cursors.clone()
        };
        let told = self.told(&missing);
        self.append(told, cursors, "poll").await?;
        if whole && page.more {
            return Ok(true);
        }
        // Young executions of a gap were told above; what the venue could not name is asked again.
        self.gap &= page.more || missing.iter().any(|x| self.memory.key(&x.venue_order_id).is_none());
        Ok(false)
    }

    /// Those of the missing ones whose order is known, or is known to be nobody's.
    fn told(&self, missing: &[VenueExecution]) -> Vec<translate::Told> {
        let told: Vec<translate::Told> = missing
            .iter()
            .filter_map(|x| Some(translate::execution(x, self.memory.key(&x.venue_order_id)?)))
            .collect();
        if !told.is_empty() {
            let count = told.len();
            info!(
                venue = self.venue.name(),
                count, "the record has executions that the stream did not bring"
            );
        }
        told
    }

    async fn page(&mut self, deadline: Instant) -> Option<ExecutionPage> {
        let reading = self.venue.executions_after(self.cursors.record.as_deref());
        let page = timeout_at(deadline, reading).await.unwrap_or(Err(Fault::Timeout));
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

    /// Asks the venue which orders its names stand for, as the record does not say. What is not answered in time is asked
    /// again with the next page.
    async fn ask_keys(&mut self, missing: &[VenueExecution], deadline: Instant) {
        let unknown: BTreeSet<VenueOrderId> = missing
            .iter()
            .filter(|x| self.memory.key(&x.venue_order_id).is_none())
            .map(|x| x.venue_order_id.clone())
            .collect();
        self.memory.keep_unfound(&unknown);
        let venue = Arc::clone(&self.venue);
        let mut answers = futures::stream::iter(unknown)
            .map(async |name| {
                let answer = venue.order(&name).await;
                (name, answer)
            })
            .buffer_unordered(SIDE_BY_SIDE);
        while let Ok(Some((name, answer))) = timeout_at(deadline, answers.next()).await {
            self.named(name, answer);
        }
    }

    fn named(&mut self, name: VenueOrderId, answer: Lookup) {
        match answer {
            Lookup::Found(view) => self.memory.name(name, view.key),
            Lookup::NotFound => {
                let now = self.clock.now();
                let since = self.memory.unfound(&name, now);
                if now - since >= delta(self.settings.nobodys_after) {
                    warn!(
                        venue = self.venue.name(),
                        "executions of an order that {} does not know: {name}",
                        self.venue.name()
                    );
                    self.memory.name(name, None);
                }
            }
            Lookup::Unknown(_) => {}
        }
    }
}
