//! The rule: may this order be taken, given the books as they are under the lock?
//!
//! Pure. A batch is decided one by one in arrival order over one [`Books`]; a refusal leaves it untouched, so it
//! changes nothing for the next order of the account (BP-2).
//!
//! | module     | what                                                              |
//! |------------|-------------------------------------------------------------------|
//! | `command`  | the order                                                         |
//! | `books`    | what it is decided by                                             |
//! | `checks`   | one small function each, in the order in which they are asked     |
//! | `funds`    | money or shares, the last check, which sets them aside            |
//! | `replacement` | an order that is to take another one's place               |
//! | `accepted` | what comes out, and the rows of it                                |

mod accepted;
mod books;
mod checks;
mod command;
mod funds;
mod replacement;

use domain::calendar::Calendar;
use domain::{AmountError, Timestamp};

pub use accepted::{Accepted, new_order};
pub use books::{AccountBook, Books, Limits, Shares};
pub use command::Command;
pub use replacement::{Replacement, decide_replacement};

use crate::error::PlaceOrderError;
use accepted::{accepted_event, stored};
use checks::Seen;

/// What is the same for all orders of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// What time it is.
    pub now: Timestamp,
    /// Which session an order belongs to.
    pub calendar: &'a Calendar,
    /// How many orders may be open.
    pub limits: Limits,
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
    let times = checks::check(Seen {
        command,
        books,
        account,
        at,
        given,
    })?;
    let order = stored(command, times, at);
    let hold = ledger::rules::hold(&for_ledger(command, account.strict), &order.state, at).map_err(|_| {
        PlaceOrderError::BadAmount {
            field: "qty",
            why: AmountError::TooLarge,
        }
    })?;
    let event = accepted_event(&order, sequence.next_event_at(at));
    sequence.open_orders += 1;
    books.take(command, sequence, &hold)?;
    Ok(Accepted { order, hold, event })
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
