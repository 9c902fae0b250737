//! The ledger's rules, pure: from what happened to the balanced transfer that books it.

mod breaks;
mod correct;
mod fees;
mod money;
mod order;
mod replace;
mod settle;

pub use breaks::{Disputed, assigned, found_theirs, missing_theirs, missing_to_error, unknown_to_error};
pub use correct::{Correction, correct};
pub use fees::{Executed, FeeDay, FeeKind, FeePosting, FeeRate, FeeRates, Fees, Payers, Per, Purse, fee_posting};
pub use money::{
    deposit_collected, deposit_started, unknown_execution, withdrawal_asked, withdrawal_failed, withdrawal_paid,
};
pub use order::{Change, Occasion, Order, Standing, TakenBack, TradeDates, buy_hold, change, hold, hold_beside};
pub use replace::{Beside, Leg, held, held_in_waiting};
pub use settle::{DueTrade, Proceeds, settlement};
