//! Transfers: balanced by construction, named by their cause.

use crate::rules::Fees;
use chrono::NaiveDate;
use domain::{AccountId, AmountError, ExecId, OrderId, Side, Symbol, Timestamp};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::fmt;
use strum::{Display, IntoStaticStr};
use thiserror::Error;
use uuid::{Builder, Uuid};

/// Names every transfer of this ledger: v5 ids are drawn under it.
const NAMESPACE: Uuid = Uuid::from_u128(0x6ba7_b9c4_0d1e_5b6f_9a01_da7b_00c1_ed9e);

/// Why a transfer could not be built or posted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// The entries of one asset do not sum to zero.
    #[error("entries in {asset} leave {rest}")]
    Unbalanced {
        /// The asset.
        asset: String,
        /// What is left.
        rest: Decimal,
    },
    /// The numbers left the exact range.
    #[error(transparent)]
    Amount(#[from] AmountError),
}

/// What an entry counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asset {
    /// Dollars.
    Usd,
    /// Shares of one symbol.
    Security(Symbol),
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usd => f.write_str("USD"),
            Self::Security(symbol) => symbol.fmt(f),
        }
    }
}

/// The accounts of the ledger. `cust.*` belong to a customer, all others to the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr)]
pub enum Book {
    /// Free cash.
    #[strum(serialize = "cust.cash.avail")]
    CashAvail,
    /// Cash reserved for open buys.
    #[strum(serialize = "cust.cash.held")]
    CashHeld,
    /// Sale proceeds that have not settled (`cash_strict` only).
    #[strum(serialize = "cust.cash.unsettled")]
    CashUnsettled,
    /// Deposits on their way in.
    #[strum(serialize = "cust.cash.dep_pending")]
    CashDepPending,
    /// Withdrawals on their way out.
    #[strum(serialize = "cust.cash.wd_pending")]
    CashWdPending,
    /// Shares free to sell.
    #[strum(serialize = "cust.sec.avail")]
    SecAvail,
    /// Shares reserved for open sells.
    #[strum(serialize = "cust.sec.held")]
    SecHeld,
    /// Cash due at the clearing firm for unsettled trades.
    #[strum(serialize = "street.cash.pending")]
    StreetCashPending,
    /// Shares due at the clearing firm for unsettled trades.
    #[strum(serialize = "street.sec.pending")]
    StreetSecPending,
    /// Cash at the clearing firm.
    #[strum(serialize = "street.cash.settled")]
    StreetCashSettled,
    /// Shares at the clearing firm.
    #[strum(serialize = "street.sec.settled")]
    StreetSecSettled,
    /// The customers' bank account.
    #[strum(serialize = "bank.fbo")]
    BankFbo,
    /// Transfers under way between banks.
    #[strum(serialize = "ach.inflight")]
    AchInflight,
    /// Unexplained breaks, in cash and shares.
    #[strum(serialize = "firm.suspense")]
    FirmSuspense,
    /// What the firm's own mistakes brought it, in cash and shares.
    #[strum(serialize = "firm.error")]
    FirmError,
    /// What the firm bears of fees that a customer cannot pay.
    #[strum(serialize = "firm.rounding")]
    FirmRounding,
    /// Section 31 fees, collected for the SEC.
    #[strum(serialize = "fees.sec")]
    FeesSec,
    /// Trading activity fees, collected for FINRA.
    #[strum(serialize = "fees.taf")]
    FeesTaf,
    /// Audit trail fees, collected for CAT.
    #[strum(serialize = "fees.cat")]
    FeesCat,
}

impl Book {
    /// Whether a customer owns the account, so that a running balance is kept.
    pub const fn is_customer(self) -> bool {
        matches!(
            self,
            Self::CashAvail
                | Self::CashHeld
                | Self::CashUnsettled
                | Self::CashDepPending
                | Self::CashWdPending
                | Self::SecAvail
                | Self::SecHeld
        )
    }
}

/// What a transfer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum TransferKind {
    /// LED-6, LED-10.
    Hold,
    /// LED-7, LED-9.
    Release,
    /// LED-8, LED-11, LED-15.
    Fill,
    /// LED-16.
    Bust,
    /// LED-1.
    DepositStarted,
    /// LED-2.
    DepositCollected,
    /// LED-5.
    WithdrawalAsked,
    /// LED-5.
    WithdrawalPaid,
    /// LED-5.
    WithdrawalFailed,
    /// LED-20.
    UnknownExecution,
    /// LED-17: what was booked is taken back.
    CorrectOut,
    /// LED-17: what is booked instead.
    CorrectIn,
    /// LED-21.
    MissingTheirs,
    /// LED-21 undone: the street knows it after all, or took it back.
    FoundTheirs,
    /// LED-20: an execution nobody knew is a customer's.
    Assigned,
    /// Out of suspense, into the firm's error account.
    ToError,
    /// LED-12.
    Fees,
    /// LED-13, LED-14.
    Settlement,
}

/// The event that makes a transfer; each posts at most once (LED-I4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// An order was accepted.
    Hold(OrderId),
    /// An order ended.
    Release(OrderId),
    /// An execution at a venue.
    Fill {
        /// The venue.
        venue: String,
        /// Its name for the execution.
        exec_id: ExecId,
    },
    /// An execution taken back by its venue.
    Bust {
        /// The venue.
        venue: String,
        /// Its name for the execution.
        exec_id: ExecId,
    },
    /// An execution that was for another quantity or price.
    Corrected {
        /// The venue.
        venue: String,
        /// Its name for the execution.
        exec_id: ExecId,
        /// Which correction of it, from 1.
        nth: i32,
        /// What is booked instead; else what is taken back.
        anew: bool,
    },
    /// An execution that belongs to no order of ours.
    Unknown {
        /// The venue.
        venue: String,
        /// Its name for the execution.
        exec_id: ExecId,
    },
    /// One step of a deposit, a withdrawal or a reconciliation break, by its own id.
    Movement(TransferKind, Uuid),
    /// The fees of a customer's trades of one date. Late trades and busts are charged by further postings.
    Fees {
        /// Whose.
        account: AccountId,
        /// The trade date.
        date: NaiveDate,
        /// Counts the postings of the date, from 1.
        posting: i32,
    },
    /// A trade settled; named by the transfer that booked it.
    Settle(TransferId),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold(order) => write!(f, "hold:{order}"),
            Self::Release(order) => write!(f, "release:{order}"),
            Self::Fill { venue, exec_id } => write!(f, "fill:{venue}:{exec_id}"),
            Self::Bust { venue, exec_id } => write!(f, "bust:{venue}:{exec_id}"),
            Self::Corrected {
                venue, exec_id, nth, ..
            } => write!(f, "{}:{venue}:{exec_id}:{nth}", self.kind()),
            Self::Unknown { venue, exec_id } => write!(f, "unknown:{venue}:{exec_id}"),
            Self::Movement(kind, id) => write!(f, "{kind}:{id}"),
            Self::Fees { account, date, posting } => write!(f, "fees:{account}:{date}:{posting}"),
            Self::Settle(trade) => write!(f, "settle:{}", trade.get()),
        }
    }
}

impl Cause {
    const fn kind(&self) -> TransferKind {
        match self {
            Self::Hold(_) => TransferKind::Hold,
            Self::Release(_) => TransferKind::Release,
            Self::Fill { .. } => TransferKind::Fill,
            Self::Bust { .. } => TransferKind::Bust,
            Self::Corrected { anew: true, .. } => TransferKind::CorrectIn,
            Self::Corrected { anew: false, .. } => TransferKind::CorrectOut,
            Self::Unknown { .. } => TransferKind::UnknownExecution,
            Self::Movement(kind, _) => *kind,
            Self::Fees { .. } => TransferKind::Fees,
            Self::Settle(_) => TransferKind::Settlement,
        }
    }
}

/// A transfer's name, computed from its cause: a replay meets itself and is a no-op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(Uuid);

impl TransferId {
    /// The id that `cause` has, always.
    pub fn of(cause: &Cause) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, cause.to_string().as_bytes()))
    }

    /// The id of what an order holds and gives back: the account and the order's age lead, so that the rows that end an
    /// account's orders lie side by side in the indexes on it, not all over them. The rest is of the cause alone.
    fn beside(account: AccountId, order: OrderId, cause: &Cause) -> Self {
        let mut bytes = Self::of(cause).0.into_bytes();
        // The ends of ids differ; so do their beginnings with time, here by the quarter of a day.
        bytes[..4].copy_from_slice(&account.get().as_bytes()[12..]);
        bytes[4..6].copy_from_slice(&order.get().as_bytes()[1..3]);
        Self(Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Wraps an id read from a table.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The bare UUID.
    pub const fn get(self) -> Uuid {
        self.0
    }
}

/// One line of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The customer, for `cust.*` books.
    pub account: Option<AccountId>,
    /// Which account of the ledger.
    pub book: Book,
    /// What is counted.
    pub asset: Asset,
    /// Dollars or shares; credit above zero, debit below.
    pub amount: Decimal,
}

/// What a trade accrues in fees. A bust accrues the same with the other sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accrual {
    /// Dollars a share of the execution.
    pub price: Decimal,
    /// Exact dollars; `None` while the date has no rates, until the fee job knows them.
    pub fees: Option<Fees>,
}

/// What a fill (or its bust, with `reversal`) means for positions and settlement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    /// Ticker.
    pub symbol: Symbol,
    /// Bought or sold.
    pub side: Side,
    /// Shares, above zero.
    pub qty: Decimal,
    /// Dollars, zero or above (tiny fills may round to nothing).
    pub cash: Decimal,
    /// The day of the trade.
    pub trade_date: NaiveDate,
    /// The day it settles.
    pub settle_date: NaiveDate,
    /// Whether this takes an earlier fill back.
    pub reversal: bool,
    /// The transfer that booked what this takes back, where it is known.
    pub reverses: Option<TransferId>,
    /// Its fees; `None` for the bust of a trade that had none.
    pub accrual: Option<Accrual>,
}

/// Entries that sum to zero per asset, with their cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    id: TransferId,
    cause: Cause,
    entries: Vec<Entry>,
    /// The customer concerned, if any.
    pub account: Option<AccountId>,
    /// The order concerned, if any.
    pub order: Option<OrderId>,
    /// When it is posted.
    pub at: Timestamp,
    /// The trade behind it, if any.
    pub trade: Option<Trade>,
    /// Whether it may leave the customer's cash below zero (LED-15, LED-16).
    pub may_debit: bool,
}

impl Transfer {
    /// The only way to make one. Entries of zero are dropped.
    ///
    /// # Errors
    /// [`LedgerError::Unbalanced`] unless each asset sums to zero.
    pub fn new(cause: Cause, at: Timestamp, entries: Vec<Entry>) -> Result<Self, LedgerError> {
        let entries: Vec<Entry> = entries.into_iter().filter(|e| !e.amount.is_zero()).collect();
        let mut sums: BTreeMap<&Asset, Decimal> = BTreeMap::new();
        for entry in &entries {
            let sum = sums.entry(&entry.asset).or_default();
            *sum = sum.checked_add(entry.amount).ok_or(AmountError::Overflow)?;
        }
        if let Some((asset, rest)) = sums.into_iter().find(|(_, rest)| !rest.is_zero()) {
            return Err(LedgerError::Unbalanced {
                asset: asset.to_string(),
                rest,
            });
        }
        let id = TransferId::of(&cause);
        Ok(Self {
            id,
            cause,
            entries,
            account: None,
            order: None,
            at,
            trade: None,
            may_debit: false,
        })
    }

    /// The same transfer, said to concern this customer.
    #[must_use]
    pub fn of_account(self, account: AccountId) -> Self {
        Self {
            account: Some(account),
            ..self
        }
    }

    /// The same transfer, said to concern the customer of its entries, where it has any.
    #[must_use]
    pub fn of_customers(self) -> Self {
        let account = self.entries.iter().find_map(|entry| entry.account);
        Self { account, ..self }
    }

    /// The same transfer, said to concern this order of this customer.
    #[must_use]
    pub fn of_order(self, account: AccountId, order: OrderId) -> Self {
        let id = match self.cause {
            Cause::Hold(_) | Cause::Release(_) => TransferId::beside(account, order, &self.cause),
            _ => self.id,
        };
        Self {
            id,
            account: Some(account),
            order: Some(order),
            ..self
        }
    }

    /// The same transfer with the trade behind it, and whether it may leave the customer's cash below zero.
    #[must_use]
    pub fn of_trade(self, trade: Option<Trade>, may_debit: bool) -> Self {
        Self {
            trade,
            may_debit,
            ..self
        }
    }

    /// Its name.
    pub const fn id(&self) -> TransferId {
        self.id
    }

    /// Why it exists.
    pub const fn cause(&self) -> &Cause {
        &self.cause
    }

    /// What it is for.
    pub const fn kind(&self) -> TransferKind {
        self.cause.kind()
    }

    /// Its lines, none of them zero.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The sum of its lines in one book and asset.
    pub fn sum(&self, book: Book, asset: &Asset) -> Decimal {
        self.entries
            .iter()
            .filter(|e| e.book == book && &e.asset == asset)
            .map(|e| e.amount)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(cause: Cause, account: u128, order: u128) -> TransferId {
        let at = chrono::DateTime::UNIX_EPOCH;
        let transfer = Transfer::new(cause, at, Vec::new()).expect("nothing is balanced");
        let account = AccountId::new(Uuid::from_u128(account));
        transfer.of_order(account, OrderId::new(Uuid::from_u128(order))).id()
    }

    #[test]
    fn led_i4_what_an_order_holds_and_gives_back_has_the_same_ids_always_beside_its_accounts_others() {
        let order = |n: u128| OrderId::new(Uuid::from_u128(n));
        let (hold, release) = (
            posted(Cause::Hold(order(7)), 1, 7),
            posted(Cause::Release(order(7)), 1, 7),
        );
        assert_eq!(hold, posted(Cause::Hold(order(7)), 1, 7));
        let next = posted(Cause::Hold(order(8)), 1, 8);
        assert!(hold != release && hold != next && release != next);
        let place = |id: TransferId| id.get().into_bytes()[..6].to_vec();
        assert_eq!([place(hold), place(release), place(next)], [[0, 0, 0, 1, 0, 0]; 3]);
        assert_eq!(place(posted(Cause::Hold(order(9)), 2, 9)), [0, 0, 0, 2, 0, 0]);
    }

    #[test]
    fn led_i4_an_execution_is_found_again_by_its_cause_alone() {
        let (venue, exec_id) = ("venue".to_owned(), ExecId::new("x-1").expect("a short text"));
        let cause = Cause::Fill { venue, exec_id };
        assert_eq!(posted(cause.clone(), 1, 7), TransferId::of(&cause));
    }
}
