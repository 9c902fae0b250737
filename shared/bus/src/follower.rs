//! Reading a topic along, outside any group: no lease, no stored position, nothing kept for it.
//!
//! For what every process has to hear by itself, such as which accounts have news for the streams it serves. It
//! begins with the present, so who needs the past looks there first; after a pause, an outage or a restored database
//! it may miss events, so who cannot afford that looks again by itself from time to time.

use crate::backend::Source;
use crate::positions::{self, Place};
use crate::{Bus, BusError, Fetched, PARTITIONS, Topic};

/// One reader of a topic from now on.
pub struct Follower {
    bus: Bus,
    topic: Topic,
    /// Empty until it has begun.
    places: Vec<Place>,
    source: Source,
}

impl Follower {
    pub(crate) fn new(bus: Bus, topic: Topic) -> Self {
        Follower {
            source: Source::of_follower(&bus, topic),
            bus,
            topic,
            places: Vec::new(),
        }
    }

    /// Events committed since the last call, at most `limit`, in order within each partition. The first call begins:
    /// whatever commits after it has returned will come, and a few earlier ones may.
    pub async fn fetch(&mut self, limit: i64) -> Result<Fetched, BusError> {
        let pool = self.bus.pool();
        if self.places.is_empty() {
            // In this order: what the source had before it began lies before the present.
            self.source.begin().await?;
            let position = positions::present(pool).await?;
            let place = |partition| Place {
                partition,
                epoch: 0,
                position,
            };
            self.places = (0..PARTITIONS).map(place).collect();
        }
        let fetched = self.source.fetch(pool, self.topic, &self.places, limit).await?;
        for event in &fetched.events {
            if let Some(place) = self.places.iter_mut().find(|place| place.partition == event.partition) {
                place.position = event.position;
            }
        }
        self.source.done(&self.places);
        if let Some(last) = fetched.events.last() {
            // Places behind the one that was cut short come first the next time.
            let after = self.places.iter().position(|place| place.partition == last.partition);
            let places = self.places.len();
            self.places.rotate_left(after.map_or(0, |at| (at + 1) % places));
        }
        Ok(fetched)
    }

    /// Nobody needs it for now: the next call begins anew.
    pub fn rest(&mut self) {
        self.places.clear();
    }
}
