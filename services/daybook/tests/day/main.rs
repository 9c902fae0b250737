//! Whole trading days, step by step: the real executor, status-updater and jobs on a real Postgres, against an exchange that
//! does what the script says. Clocks are moved; nothing sleeps for a time of day.
#![expect(clippy::unwrap_used, reason = "tests")]

mod close;
#[cfg(feature = "failpoints")]
mod kills;
mod late;
mod overrides;
mod world;
