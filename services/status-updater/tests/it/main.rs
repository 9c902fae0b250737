//! Status-updater: the rules on a desk without a database, then the whole path on a real one.
#![expect(clippy::unwrap_used, reason = "tests")]

mod crashes;
mod fees;
mod intake;
mod path;
mod properties;
mod replacing;
mod rules;
mod script;
mod set_aside;
mod shy;
mod slow_venue;
mod together;
mod world;
