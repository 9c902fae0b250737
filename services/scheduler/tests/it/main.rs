//! The sweep and the housekeeping against a real Postgres.

mod housekeeping;
mod sweep;

use std::sync::Arc;

use bus::{Bus, BusSettings};
use domain::calendar::Calendar;
use scheduler::{Config, Deps};
use testkit::TestDb;

/// What the jobs work with, on a database of their own.
async fn deps() -> (TestDb, Deps) {
    let db = TestDb::new().await;
    let bus = Bus::new(db.pool.clone(), testkit::ids(1), BusSettings::default());
    let calendar = Arc::new(Calendar::always_open());
    let deps = Deps {
        pool: db.pool.clone(),
        bus,
        calendar,
    };
    (db, deps)
}

fn small_pages() -> Config {
    Config {
        page: 2,
        ..Config::default()
    }
}
