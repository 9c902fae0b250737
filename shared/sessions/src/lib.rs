//! The trading calendar in force: the rule and the operators' exceptions, shared by every process.
//!
//! | module       | what                                                                      |
//! |--------------|---------------------------------------------------------------------------|
//! | `handle`     | `Sessions`: the copy in memory that decisions are made by                 |
//! | `change`     | what an operator may change about a day, and what that does (pure)        |
//! | `exceptions` | the table of the days that are not as the rule says (CAL-4)               |
//! | `table`      | the table of all sessions, for whoever asks in SQL (CAL-7)                |
//!
//! Parts of Daybook never read the table of sessions: they hold a [`Sessions`] and refresh it every second or so.

mod change;
mod exceptions;
mod handle;
mod table;

pub use change::{Change, Effect, Refusal, judge};
pub use exceptions::{ExceptionRow, in_force, load, lock, put, remove};
pub use handle::Sessions;
pub use table::{SessionRow, list, sync};
