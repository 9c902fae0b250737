//! The only one that moves an order after acceptance.
//!
//! ```text
//!  venue's stream ─┐                                    ┌─ order, fills
//!                  ├─▶ intake ─▶ bus: venue-reports ─▶ applier ─▶ ledger, positions   one commit a batch
//!  venue's record ─┘   (lease)        ▲                 └─ order_events, bus: order-updates
//!                                executor
//! ```
//!
//! | module | what |
//! |---|---|
//! | `report` | a report's numbers and names, checked once |
//! | `books` | what a batch reads and writes, in memory |
//! | `apply` `executions` `corrections` `replace` `stamps` | decides report after report: pure |
//! | `refuse` `aside` | reports that no rule allows: suspense, and a row for the operator |
//! | `applier` | loads, has it decided, writes set-based |
//! | `intake` | the venue's stream and record of executions, onto the bus |
//!
//! Late, repeated and reordered reports give the same end (ORD-6): an execution is known by its id, an end waits for the
//! fills that the venue had counted.

pub mod applier;
pub mod apply;
pub mod aside;
pub mod books;
mod config;
mod corrections;
mod executions;
pub mod intake;
pub mod refuse;
pub mod replace;
pub mod report;
mod stamps;

pub use applier::{Applier, GROUP};
pub use config::{Config, Deps, run};
pub use intake::{Intake, IntakeSettings};
