//! Fees: what a trade accrues exactly (FEE-1 to FEE-4), and what a day's accruals cost whom (FEE-5, LED-12).

use crate::transfer::{Asset, Book, Cause, Entry, LedgerError, Transfer};
use chrono::NaiveDate;
use domain::{AccountId, AmountError, Money, Price, Qty, Side, Timestamp};
use rust_decimal::Decimal;
use std::collections::BTreeSet;
use strum::{Display, EnumString, IntoStaticStr};

/// Who the fee goes to in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum FeeKind {
    /// Section 31: the SEC, on the principal of sales.
    Sec,
    /// The trading activity fee: FINRA, on shares sold.
    Taf,
    /// The consolidated audit trail, on shares bought and sold.
    Cat,
}

impl FeeKind {
    /// All of them, in the order of their columns.
    pub const ALL: [Self; 3] = [Self::Sec, Self::Taf, Self::Cat];
}

/// What a rate is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Per {
    /// Dollars of principal.
    Dollar,
    /// Shares.
    Share,
}

/// Whose executions pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Payers {
    /// Sales.
    Sell,
    /// Purchases and sales.
    Both,
}

/// One rate and when it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeRate {
    /// Which fee.
    pub kind: FeeKind,
    /// First day.
    pub valid_from: NaiveDate,
    /// Last day; none: until further notice.
    pub valid_to: Option<NaiveDate>,
    /// Dollars per dollar of principal, or per share.
    pub rate: Decimal,
    /// Of what.
    pub per: Per,
    /// Whose executions pay.
    pub side: Payers,
    /// Most dollars of one execution (FEE-3).
    pub cap: Option<Decimal>,
    /// Executions of up to so many dollars pay nothing (FEE-1).
    pub waived_dollars: Option<Decimal>,
    /// Executions of up to so many shares pay nothing (FEE-1).
    pub waived_shares: Option<Decimal>,
}

impl FeeRate {
    /// Whether it is in force on this trade date.
    pub fn is_in_force(&self, date: NaiveDate) -> bool {
        self.valid_from <= date && self.valid_to.is_none_or(|last| date <= last)
    }

    /// Exactly what one execution accrues; nothing is rounded.
    ///
    /// # Errors
    /// [`AmountError::Overflow`] beyond 28 digits.
    pub fn accrue(&self, execution: &Executed) -> Result<Decimal, AmountError> {
        let (qty, principal) = (execution.qty.get(), execution.price.notional(execution.qty)?.get());
        let is_free = (self.side == Payers::Sell && execution.side == Side::Buy)
            // A share that is worth less than its fee pays none.
            || (self.kind == FeeKind::Taf && execution.price.get() < self.rate)
            || self.waived_dollars.is_some_and(|most| principal <= most)
            || self.waived_shares.is_some_and(|most| qty <= most);
        if is_free {
            return Ok(Decimal::ZERO);
        }
        let base = match self.per {
            Per::Dollar => principal,
            Per::Share => qty,
        };
        let fee = base.checked_mul(self.rate).ok_or(AmountError::Overflow)?;
        Ok(self.cap.map_or(fee, |most| fee.min(most)))
    }
}

/// An execution as fees see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executed {
    /// Bought or sold.
    pub side: Side,
    /// Shares.
    pub qty: Qty,
    /// Dollars a share.
    pub price: Price,
}

/// Dollars of each kind of fee: exact where accrued, whole cents where posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fees {
    /// Section 31.
    pub sec: Decimal,
    /// Trading activity fee.
    pub taf: Decimal,
    /// Consolidated audit trail.
    pub cat: Decimal,
}

impl Fees {
    /// All three together.
    pub fn total(&self) -> Decimal {
        self.sec + self.taf + self.cat
    }

    /// With the other sign: what the bust of a trade takes back.
    #[must_use]
    pub fn negated(&self) -> Self {
        // Nothing has no sign: -0 would be told to people.
        self.map(|fee| if fee.is_zero() { fee } else { -fee })
    }

    /// Kind by kind, the sum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            sec: self.sec + other.sec,
            taf: self.taf + other.taf,
            cat: self.cat + other.cat,
        }
    }

    /// Each kind up to the cent, once for an account and trade date (FEE-2).
    #[must_use]
    pub fn ceil_to_cent(&self) -> Self {
        self.map(|fee| Money::from_decimal(fee).ceil_to_cent().get())
    }

    /// The amount of one kind.
    pub const fn get(&self, kind: FeeKind) -> Decimal {
        match kind {
            FeeKind::Sec => self.sec,
            FeeKind::Taf => self.taf,
            FeeKind::Cat => self.cat,
        }
    }

    fn map(&self, each: impl Fn(Decimal) -> Decimal) -> Self {
        Self {
            sec: each(self.sec),
            taf: each(self.taf),
            cat: each(self.cat),
        }
    }
}

/// The rates as they are known, of any dates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeeRates(Vec<FeeRate>);

impl FeeRates {
    /// These rates; no two of a kind are in force on one day.
    pub const fn new(rates: Vec<FeeRate>) -> Self {
        Self(rates)
    }

    /// All of them.
    pub fn all(&self) -> &[FeeRate] {
        &self.0
    }

    /// The kinds without a rate on this date: never free, always an error of the fee job (FEE-4).
    pub fn missing(&self, date: NaiveDate) -> BTreeSet<FeeKind> {
        let is_missing = |kind: &FeeKind| self.find(*kind, date).is_none();
        FeeKind::ALL.into_iter().filter(is_missing).collect()
    }

    /// Exactly what an execution of this date accrues; `None` while a kind has no rate for the date.
    ///
    /// # Errors
    /// [`AmountError::Overflow`] beyond 28 digits.
    pub fn accrue(&self, date: NaiveDate, execution: &Executed) -> Result<Option<Fees>, AmountError> {
        let mut each = [Decimal::ZERO; 3];
        for (kind, fee) in FeeKind::ALL.into_iter().zip(&mut each) {
            let Some(rate) = self.find(kind, date) else {
                return Ok(None);
            };
            *fee = rate.accrue(execution)?;
        }
        let [sec, taf, cat] = each;
        Ok(Some(Fees { sec, taf, cat }))
    }

    fn find(&self, kind: FeeKind, date: NaiveDate) -> Option<&FeeRate> {
        self.0.iter().find(|rate| rate.kind == kind && rate.is_in_force(date))
    }
}

/// What an account has that a fee may be taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purse {
    /// Unsettled proceeds (`cash_strict` only).
    pub unsettled: Money,
    /// What is missing in them: fees and busts have taken it.
    pub missing: Money,
    /// Free cash, below zero for an account in debit.
    pub avail: Money,
    /// What the firm bore of this date's fees before.
    pub from_firm: Money,
}

/// The day of one account whose fees are posted, and as which posting of that day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeDay {
    /// Whose.
    pub account: AccountId,
    /// The trade date.
    pub date: NaiveDate,
    /// Counts the postings of the date, from 1.
    pub posting: i32,
}

/// A posting of fees, and what it means for the firm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeePosting {
    /// The transfer; `None` where no cent moves.
    pub transfer: Option<Transfer>,
    /// What the firm bears of it; below zero where it gets back what it bore.
    pub from_firm: Money,
}

/// LED-12 with FEE-5: `due` is the difference to what was posted before, below zero after a bust. It comes from
/// unsettled proceeds, else from free cash, else the firm bears it: no customer goes below zero for a fee. What is
/// given back goes to the firm first, as far as it bore any, then to unsettled proceeds that lack it: what has not settled does
/// not come free as a fee (BP-8).
///
/// # Errors
/// As [`Transfer::new`].
pub fn fee_posting(day: FeeDay, due: &Fees, purse: &Purse, at: Timestamp) -> Result<FeePosting, LedgerError> {
    let total = due.total();
    let (unsettled, avail, firm) = if total < Decimal::ZERO {
        let firm = total.max(-purse.from_firm.get());
        let unsettled = (total - firm).max(-purse.missing.or_zero().get());
        (unsettled, total - firm - unsettled, firm)
    } else {
        let unsettled = total.min(purse.unsettled.or_zero().get());
        let avail = (total - unsettled).min(purse.avail.or_zero().get());
        (unsettled, avail, total - unsettled - avail)
    };
    let line = |account, book, amount| Entry {
        account,
        book,
        asset: Asset::Usd,
        amount,
    };
    let cause = Cause::Fees {
        account: day.account,
        date: day.date,
        posting: day.posting,
    };
    let entries = vec![
        line(Some(day.account), Book::CashUnsettled, -unsettled),
        line(Some(day.account), Book::CashAvail, -avail),
        line(None, Book::FirmRounding, -firm),
        line(None, Book::FeesSec, due.sec),
        line(None, Book::FeesTaf, due.taf),
        line(None, Book::FeesCat, due.cat),
    ];
    let transfer = Transfer::new(cause, at, entries)?.of_customers();
    Ok(FeePosting {
        transfer: (!transfer.entries().is_empty()).then_some(transfer),
        from_firm: Money::from_decimal(firm),
    })
}
