//! The double-entry ledger for cash and shares.
//!
//! [`rules`] is pure: it turns what happened to an order into a balanced [`Transfer`]. [`pg`] posts transfers
//! set-based and keeps the customers' running balances next to the entries.
//!
//! | when | cash for a buy | shares for a sell |
//! |---|---|---|
//! | order accepted | avail -> held, limit x qty | avail -> held |
//! | fill | held -> street, price x qty; the rest of limit x qty -> avail | held -> street |
//! | order ended | rest of held -> avail | same |
//!
//! A sale's cash comes from the street to avail (`limited_margin`) or unsettled (`cash_strict`). At the end of the day
//! the fees that trades accrued are posted, and what was due at the street for trades of the day before settles.
//!
//! Invariants: every transfer sums to zero per asset (there is no other way to build one, a trigger checks it again,
//! and `daybook audit` a third time); `avail >= 0` unless the account is flagged; a closed order holds nothing.

pub mod pg;
pub mod rules;
mod transfer;

pub use pg::{
    BookedTrade, CashBalance, HistoryRow, ShareBalance, booked_trades, cash, fees, history, lock, open_account,
    positions, post, settlement, shares, withdrawable,
};
pub use transfer::{Accrual, Asset, Book, Cause, Entry, LedgerError, Trade, Transfer, TransferId, TransferKind};
