//! The trading calendar in force: the rule and the operators' exceptions, shared by every process.

mod handle;

pub use handle::Sessions;
