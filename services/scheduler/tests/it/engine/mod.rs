//! The engine: schedules, runs, alerts, an operator's desk.

mod alerting;
mod desk;
mod planning;
pub mod rig;
mod running;
mod taking_over;
