//! The rule: may this order be taken, given the books as they are under the lock?
//!
//! Pure. A batch is decided one by one in arrival order over one [`Books`]; a refusal leaves it untouched, so it
//! changes nothing for the next order of the account (BP-2).
//!
//! | module     | what                                                              |
//! |------------|-------------------------------------------------------------------|
//! | `command`  | the order                                                         |
//! | `books`    | what it is decided by                                             |
//! | `own`      | of it: open orders that this one could trade against              |
//! | `recent`   | of it: orders of the last two seconds                             |
//! | `checks`   | one small function each, in the order in which they are asked     |
//! | `funds`    | money or shares, the last check, which sets them aside            |
//! | `replacement` | an order that is to take another one's place               |
//! | `accepted` | what comes out, and the rows of it                                |

mod accepted;
mod books;
mod checks;
mod command;
mod funds;
pub mod own;
pub mod recent;
mod replacement;

use std::collections::HashSet;

use domain::calendar::Calendar;
use domain::{AmountError, Money, Timestamp};
use orders::churn::Strike;
use risk::InForce;

pub use accepted::{Accepted, new_order};
pub use books::{AccountBook, Books, Shares};
pub use checks::churn::{Churn, Struck};
pub use checks::{Unchecked, Unmeasured};
pub use command::Command;
pub use replacement::{Replacement, decide_replacement};

use crate::error::PlaceOrderError;
use accepted::{accepted_event, stored};
use checks::Seen;
use checks::churn::{Verdict, verdict};
use recent::Recent;

/// What is the same for all orders of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// What time it is.
    pub now: Timestamp,
    /// Which session an order belongs to.
    pub calendar: &'a Calendar,
    /// Switches and restricted symbols in force.
    pub risk: &'a InForce,
    /// The exchange that orders go to.
    pub venue: &'a str,
    /// What all open orders of the firm are worth, about.
    pub firm_open: Money,
    /// Orders of the last two seconds.
    pub recent: &'a Recent,
}

/// Takes or refuses one order: the first check that fails gives the reason.
///
/// # Errors
/// Why not; `books` is then as before.
pub fn decide(books: &mut Books, command: &Command, given: Given<'_>) -> Result<Accepted, PlaceOrderError> {
    let account = books
        .accounts
        .get(&command.account)
        .ok_or(PlaceOrderError::AccountNotActive)?;
    // A copy, so that a refusal leaves no trace.
    let mut sequence = account.sequence;
    let at = sequence.next_submitted_at(given.now);
    let value = command.limit_price.notional(command.qty).map_err(too_large)?;
    let passed = checks::check(Seen {
        command,
        qty: command.qty,
        value,
        more: value,
        books,
        account,
        at,
        given,
    })?;
    let order = stored(command, passed.times, at);
    let hold = ledger::rules::hold(&for_ledger(command, account.strict), &order.state, at).map_err(too_large)?;
    let event = accepted_event(&order, sequence.next_event_at(at));
    sequence.opened(order.open_value());
    let counted = (value, passed.duplicate_of.is_some());
    books.take(command, counted, sequence, &hold)?;
    Ok(Accepted {
        order,
        hold,
        event,
        unchecked: passed.unchecked,
        unmeasured: passed.unmeasured,
        duplicate_of: passed.duplicate_of,
    })
}

fn too_large<E>(_: E) -> PlaceOrderError {
    PlaceOrderError::BadAmount {
        field: "qty",
        why: AmountError::TooLarge,
    }
}

/// What is to be written of those who went on placing where they had canceled too much (RSK-8): one for each account
/// and symbol of those that were refused for it.
pub fn strikes(books: &Books, refused: &[&Command], now: Timestamp) -> Vec<Strike> {
    let mut seen = HashSet::new();
    refused
        .iter()
        .filter(|command| seen.insert((command.account, &command.symbol)))
        .filter_map(|command| {
            let account = books.accounts.get(&command.account)?;
            let (rule, churn) = (account.churn_rule?, account.churn.get(&command.symbol)?);
            let Verdict::Strike(struck) = verdict(churn, rule, now) else {
                return None;
            };
            Some(Strike {
                account: command.account,
                symbol: command.symbol.clone(),
                strikes: struck.strikes,
                struck_at: struck.at,
                cool_off_until: struck.cool_off_until,
            })
        })
        .collect()
}

fn for_ledger(command: &Command, strict: bool) -> ledger::rules::Order {
    ledger::rules::Order {
        account: command.account,
        order: command.order_id,
        symbol: command.symbol.clone(),
        side: command.side,
        limit_price: command.limit_price,
        strict,
    }
}

#[cfg(test)]
mod tests;
