//! The sweep, the engine and the housekeeping against a real Postgres.

mod closing;
mod engine;
mod housekeeping;
mod kill;
mod listing;
mod reconcile;
mod sealing;
mod sweep;
mod times;

use std::sync::Arc;

use bus::{Bus, BusSettings};
use domain::Symbol;
use domain::calendar::Calendar;
use scheduler::{Config, Deps};
use sessions::Sessions;
use testkit::TestDb;
use venue::fake::FakeVenue;

/// What the jobs work with, on a database of their own.
async fn deps() -> (TestDb, Deps<FakeVenue>) {
    let db = TestDb::new().await;
    let bus = Bus::new(db.pool.clone(), testkit::ids(1), BusSettings::default());
    let sessions = Sessions::fixed(Calendar::always_open());
    let symbols = Symbol::parse("AAPL");
    let deps = Deps {
        pool: db.pool.clone(),
        bus,
        venue: Some(Arc::new(FakeVenue::new(testkit::clock(), symbols.as_slice()))),
        sessions,
        clock: testkit::clock(),
        ids: testkit::ids(2),
    };
    (db, deps)
}

fn small_pages() -> Config {
    Config {
        page: 2,
        ..Config::default()
    }
}
