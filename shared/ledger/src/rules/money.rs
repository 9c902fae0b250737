//! Money that moves between a customer's bank and the account (LED-1, 2, 5), and executions nobody knows (LED-20).

use crate::transfer::{Asset, Book, Cause, Entry, LedgerError, Transfer, TransferKind};
use domain::{AccountId, Money, Price, Qty, Side, Symbol, Timestamp};
use rust_decimal::Decimal;
use uuid::Uuid;

/// LED-1: a deposit of `amount` dollars is on its way.
///
/// # Errors
/// As [`Transfer::new`]; so for all functions here.
pub fn deposit_started(
    account: AccountId,
    movement: Uuid,
    amount: Money,
    at: Timestamp,
) -> Result<Transfer, LedgerError> {
    let lines = [(Book::AchInflight, -amount.get()), (Book::CashDepPending, amount.get())];
    movement_of(TransferKind::DepositStarted, account, movement, at, &lines)
}

/// LED-2: the deposit arrived and can be used.
///
/// # Errors
/// As [`Transfer::new`].
pub fn deposit_collected(
    account: AccountId,
    movement: Uuid,
    amount: Money,
    at: Timestamp,
) -> Result<Transfer, LedgerError> {
    let amount = amount.get();
    let lines = [
        (Book::BankFbo, -amount),
        (Book::AchInflight, amount),
        (Book::CashDepPending, -amount),
        (Book::CashAvail, amount),
    ];
    movement_of(TransferKind::DepositCollected, account, movement, at, &lines)
}

/// LED-5: a withdrawal is asked for; the money leaves what can be spent at once.
///
/// # Errors
/// As [`Transfer::new`].
pub fn withdrawal_asked(
    account: AccountId,
    movement: Uuid,
    amount: Money,
    at: Timestamp,
) -> Result<Transfer, LedgerError> {
    let lines = [(Book::CashAvail, -amount.get()), (Book::CashWdPending, amount.get())];
    movement_of(TransferKind::WithdrawalAsked, account, movement, at, &lines)
}

/// LED-5: the bank paid the withdrawal.
///
/// # Errors
/// As [`Transfer::new`].
pub fn withdrawal_paid(
    account: AccountId,
    movement: Uuid,
    amount: Money,
    at: Timestamp,
) -> Result<Transfer, LedgerError> {
    let lines = [(Book::CashWdPending, -amount.get()), (Book::BankFbo, amount.get())];
    movement_of(TransferKind::WithdrawalPaid, account, movement, at, &lines)
}

/// LED-5: the bank refused the withdrawal; the money is back.
///
/// # Errors
/// As [`Transfer::new`].
pub fn withdrawal_failed(
    account: AccountId,
    movement: Uuid,
    amount: Money,
    at: Timestamp,
) -> Result<Transfer, LedgerError> {
    let lines = [(Book::CashWdPending, -amount.get()), (Book::CashAvail, amount.get())];
    movement_of(TransferKind::WithdrawalFailed, account, movement, at, &lines)
}

fn movement_of(
    kind: TransferKind,
    account: AccountId,
    movement: Uuid,
    at: Timestamp,
    lines: &[(Book, Decimal)],
) -> Result<Transfer, LedgerError> {
    let entries = lines
        .iter()
        .map(|&(book, amount)| Entry {
            account: book.is_customer().then_some(account),
            book,
            asset: Asset::Usd,
            amount,
        })
        .collect();
    Ok(Transfer::new(Cause::Movement(kind, movement), at, entries)?.of_account(account))
}

/// LED-20: the street shows an execution that belongs to no order of ours; it waits in suspense.
///
/// # Errors
/// As [`Transfer::new`].
pub fn unknown_execution(
    cause: Cause,
    symbol: &Symbol,
    side: Side,
    qty: Qty,
    price: Price,
    at: Timestamp,
) -> Result<Transfer, LedgerError> {
    let cash = price.notional(qty)?.round_to_cent().get();
    let sign = if side == Side::Buy {
        Decimal::ONE
    } else {
        Decimal::NEGATIVE_ONE
    };
    let security = Asset::Security(symbol.clone());
    let house = |book, asset: &Asset, amount| Entry {
        account: None,
        book,
        asset: asset.clone(),
        amount,
    };
    Transfer::new(
        cause,
        at,
        vec![
            house(Book::StreetSecPending, &security, -sign * qty.get()),
            house(Book::FirmSuspense, &security, sign * qty.get()),
            house(Book::FirmSuspense, &Asset::Usd, -sign * cash),
            house(Book::StreetCashPending, &Asset::Usd, sign * cash),
        ],
    )
}
