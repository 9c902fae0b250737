//! Risk controls: what an order is measured by before it is taken, and what stops it (domain rules RSK-1 to RSK-6, PX-5).
//!
//! | module       | what                                                                      |
//! |--------------|---------------------------------------------------------------------------|
//! | `settings`   | limits, by installation, firm, tier and account: pure                     |
//! | `switch`     | kill switches, and what it takes to lift one: pure                        |
//! | `in_force`   | [`Risk`]: everything in force, in memory, at most 250 ms old              |
//! | `desk`       | what operators change                                                     |
//! | `flags`      | what surveillance should see of orders that were taken                    |
//!
//! Owns `risk_settings`, `restricted_symbols`, `kill_switches`, `risk_revision` and `risk_flags`. The checks themselves are
//! order-manager's; the executor asks for the switches alone.

pub mod desk;
pub mod flags;
mod in_force;
mod settings;
mod switch;

pub use in_force::{InForce, Risk};
pub use settings::{BadSetting, Overrides, Scope, Settings};
pub use switch::{Level, LiftRefused, Lifting, Mode, Switch, Target, UnknownTarget, lifting};
