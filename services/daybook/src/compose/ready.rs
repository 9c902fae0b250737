//! When the process can do its work: `/readyz` follows these gates.
//!
//! | gate        | opens when                                   | closes again              |
//! |-------------|----------------------------------------------|---------------------------|
//! | `database`  | it answers                                   | whenever it does not      |
//! | `assets`    | what can be traded is known                  | never                     |
//! | `exchange`  | it was reached once                          | never: orders wait for it |
//! | `leases`    | every partition has somebody who works on it | while one has nobody      |

use std::sync::Arc;

use bus::engine::RELAY;
use bus::{Bus, PARTITIONS, Topic};
use chassis::health::{Gate, Health};
use chassis::step::{Progress, Step, StepError};
use db::PgPool;
use instruments::Instruments;
use strum::VariantArray;
use venue::Venue;
use venue::alpaca::AlpacaVenue;

use super::Part;

/// Looks at the gates.
pub(super) struct Readiness {
    pool: PgPool,
    instruments: Instruments,
    database: Gate,
    assets: Option<Gate>,
    exchange: Option<(Gate, Arc<AlpacaVenue>)>,
    leases: Option<(Gate, Share)>,
}

/// Groups that have to be at work, and how many partitions they have together.
struct Share {
    groups: Vec<String>,
    partitions: i64,
}

impl Share {
    /// What this process alone has to answer for: everything, or the relay.
    fn of(part: Part, bus: &Bus) -> Option<Self> {
        let consumers = [executor::GROUP, status_updater::GROUP, notifier::GROUP];
        let mut groups = match part {
            Part::All => consumers.to_vec(),
            Part::Relay => Vec::new(),
            _ => return None,
        };
        let mut topics = groups.len();
        if bus.kafka().is_some() {
            groups.push(RELAY);
            topics += Topic::VARIANTS.len();
        }
        Some(Share {
            groups: groups.into_iter().map(str::to_owned).collect(),
            partitions: i64::from(PARTITIONS) * i64::try_from(topics).unwrap_or(i64::MAX),
        })
    }
}

impl Readiness {
    /// All gates of this part, closed.
    pub(super) fn new(
        part: Part,
        bus: &Bus,
        instruments: Instruments,
        venue: Option<Arc<AlpacaVenue>>,
        health: &Health,
    ) -> Self {
        Readiness {
            pool: bus.pool().clone(),
            instruments,
            database: health.gate("database"),
            assets: part.does(Part::OrderManager).then(|| health.gate("assets")),
            exchange: venue.map(|venue| (health.gate("exchange"), venue)),
            leases: Share::of(part, bus).map(|share| (health.gate("leases"), share)),
        }
    }

    async fn look_at_database(&self) -> Result<(), StepError> {
        let groups = self
            .leases
            .as_ref()
            .map(|(_, share)| share.groups.as_slice())
            .unwrap_or_default();
        let owned = sqlx::query_scalar!(
            r#"select count(*) as "owned!"
                 from bus_positions
                where consumer_group = any($1)
                  and owner is not null
                  and lease_until > daybook_now()"#,
            groups,
        )
        .fetch_one(&self.pool)
        .await?;
        self.database.ready();
        if let Some((gate, share)) = &self.leases {
            let all = share.partitions;
            if owned == all {
                gate.ready()
            } else {
                gate.not_ready(format!("{owned} of {all} partitions are worked on"))
            }
        }
        Ok(())
    }

    /// Once is enough: an exchange that goes away later keeps nobody from placing orders, they wait.
    async fn look_at_exchange(&mut self) {
        let Some((gate, venue)) = &self.exchange else { return };
        match venue.assets().await {
            Ok(_) => {
                gate.ready();
                self.exchange = None;
            }
            Err(fault) => gate.not_ready(format!("not reached yet: {fault}")),
        }
    }
}

impl Step for Readiness {
    fn name(&self) -> &'static str {
        "readiness"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        if let Some(gate) = self.assets.take_if(|_| self.instruments.is_loaded()) {
            gate.ready();
        }
        self.look_at_exchange().await;
        if let Err(error) = self.look_at_database().await {
            self.database.not_ready("does not answer");
            return Err(error);
        }
        Ok(Progress::Idle)
    }
}
