//! Everything the decisions of one batch depend on, moved on by each acceptance.

use std::collections::{HashMap, HashSet};

use domain::{AccountId, ClientOrderId, Money, Qty, Symbol};
use identity::Flags;
use identity::limits::ChurnRule;
use ledger::Transfer;
use orders::Sequence;

use super::own::OwnOrders;
use super::recent::{Alike, Earlier};
use super::{Churn, Command};
use crate::error::PlaceOrderError;

/// The books of a batch's accounts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Books {
    /// By account; one that is not there does not exist.
    pub accounts: HashMap<AccountId, AccountBook>,
    /// Client order ids of this batch that are taken.
    pub taken: HashSet<(AccountId, ClientOrderId)>,
    /// Orders of this batch that are taken, to see that another one is the same (RSK-4).
    pub recent: HashMap<Alike, Earlier>,
    /// What the orders of this batch that are taken are worth.
    pub added: Money,
}

/// One account's part of the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountBook {
    /// Dollars free, fees to come included.
    pub avail: Money,
    /// Dollars of fees to come: they are there to be paid, not to be spent (BP-11).
    pub fees: Money,
    /// Whether sale proceeds wait for settlement.
    pub strict: bool,
    /// What it may not do.
    pub flags: Flags,
    /// Whether the customer takes parts of a share.
    pub fractional: bool,
    /// Its limits.
    pub rules: risk::Settings,
    /// Its numbers.
    pub sequence: Sequence,
    /// Its shares, by symbol; a symbol that is not there has none.
    pub shares: HashMap<Symbol, Shares>,
    /// Its open orders, by symbol; a symbol that is not there has few enough.
    pub open_in: HashMap<Symbol, i64>,
    /// When its canceling is too much; `None` where the rule is off.
    pub churn_rule: Option<ChurnRule>,
    /// Its canceling, by symbol; a symbol that is not there has none.
    pub churn: HashMap<Symbol, Churn>,
    /// Its own open orders that another one could trade against, by symbol.
    pub own: HashMap<Symbol, OwnOrders>,
}

impl Books {
    /// Moves the books on by an order that passed every check but the last, or refuses and changes nothing.
    pub(super) fn take(
        &mut self,
        command: &Command,
        (value, is_duplicate): (Money, bool),
        sequence: Sequence,
        hold: &Transfer,
    ) -> Result<(), PlaceOrderError> {
        let account = self
            .accounts
            .get_mut(&command.account)
            .ok_or(PlaceOrderError::AccountNotActive)?;
        account.set_aside(command, hold)?;
        account.sequence = sequence;
        *account.open_in.entry(command.symbol.clone()).or_default() += 1;
        let own = account.own.entry(command.symbol.clone()).or_default();
        own.add(command.side, command.limit_price, command.order_id);
        self.taken.insert((command.account, command.client_order_id.clone()));
        let earlier = Earlier {
            order: command.order_id,
            shown: is_duplicate,
        };
        self.recent.insert(Alike::of(command), earlier);
        self.added = self.added.plus(value).unwrap_or(self.added);
        Ok(())
    }
}

/// Shares of one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shares {
    /// Free to sell.
    pub avail: Qty,
    /// Set aside for open sells.
    pub held: Qty,
}
