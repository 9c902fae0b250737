//! Before orders go out, and when they go on: queued ones are checked once more before the bell, or before their own time
//! (TIF-7), and at the bell those whose day was over go on.
//!
//! All of it asks or reports, page by page; run again, it finds what is still so. Sending is the executor's, by its calendar.

mod bell;
mod check;
mod resume;
mod rule;
mod submit_check;

pub use bell::{RECHECK, Recheck};
pub use resume::{RESUME, Resume};
pub use rule::{Allowed, Collar, Queued, Verdict, check};
pub(crate) use submit_check::EVERY as SUBMIT_CHECK_EVERY;
pub use submit_check::SubmitCheck;

/// Orders looked at in one transaction.
const PAGE: i64 = 2_000;
