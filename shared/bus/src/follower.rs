//! Reading a topic along, outside any group: no lease, no stored position, nothing kept for it.
//!
//! For what every process has to hear by itself, such as which accounts have news for the streams it serves. It
//! begins with the present, so who needs the past looks there first; after a pause, an outage or a restored database
//! it may miss events, so who cannot afford that looks again by itself from time to time.

use crate::backend::postgres as backend;
use crate::positions::{self, Place};
use crate::{Bus, BusError, Fetched, PARTITIONS, Topic};

/// One reader of a topic from now on.
pub struct Follower {
    bus: Bus,
    topic: Topic,
    /// Empty until it has begun.
    places: Vec<Place>,
}

impl Follower {
    pub(crate) fn new(bus: Bus, topic: Topic) -> Self {
        Follower {
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
            let position = positions::present(pool).await?;
            let place = |partition| Place {
                partition,
                epoch: 0,
                position,
            };
            self.places = (0..PARTITIONS).map(place).collect();
        }
        let events = backend::events_after(pool, self.topic, &self.places, limit).await?;
        let held_back = events.is_empty() && backend::held_back(pool, self.topic, &self.places).await?;
        for event in &events {
            if let Some(place) = self.places.iter_mut().find(|place| place.partition == event.partition) {
                place.position = event.position;
            }
        }
        if let Some(last) = events.last() {
            // Places behind the one that was cut short come first the next time.
            let after = self.places.iter().position(|place| place.partition == last.partition);
            let places = self.places.len();
            self.places.rotate_left(after.map_or(0, |at| (at + 1) % places));
        }
        Ok(Fetched { events, held_back })
    }

    /// Nobody needs it for now: the next call begins anew.
    pub fn rest(&mut self) {
        self.places.clear();
    }
}
