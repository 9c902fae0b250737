//! Fees in the tables: the rates, and posting what a day accrued.

mod late;
mod post;
mod rates;
mod report;

pub use late::unrated;
pub use post::{FeeBatch, give_back, post_due};
pub use rates::{RateRow, add_rate, rate_rows, rates};
pub use report::{FeeDayTotals, of_date};
