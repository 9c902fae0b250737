//! The engine's memory: books, open orders, the next numbers; and how it is loaded from the tables.

use std::collections::HashMap;
use std::time::Duration;

use chassis::clock::Clock;
use chrono::TimeDelta;
use db::{DbError, PgConnection};
use domain::{OrderStatus, Timestamp};

use super::batch::Pending;
use super::{Parts, Print};
use crate::core::{Market, NewOrder, OrderNo, Shares, SymbolIx, Ticks};
use crate::settings::Halt;
use crate::store::rows::OrderRow;
use crate::store::state::{self, Last};

const LOCK_TRIES: u32 = 20;
/// Open orders read at a time: a million come in many short statements.
const PAGE: i64 = 20_000;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Memory that agrees with the tables.
pub(super) struct Live {
    /// Holds the engine's lock; the only connection that writes.
    pub(super) connection: PgConnection,
    pub(super) market: Market,
    /// The open orders by number.
    pub(super) open: HashMap<i64, OrderRow>,
    pub(super) last: Last,
    /// Whether any symbol is.
    halted: bool,
    /// Symbols by name.
    pub(super) symbols: HashMap<String, SymbolIx>,
    /// Prints to come, by the time they are told of.
    pub(super) prints: Vec<(Timestamp, Print)>,
    /// Replacements that are taken and not decided.
    pub(super) pending: HashMap<i64, Pending>,
    /// Places in the queue of open orders that have another one than their number.
    pub(super) priorities: HashMap<i64, i64>,
    /// When the walks were saved.
    pub(super) walks_saved_at: Timestamp,
}

impl Live {
    /// Reads everything anew, on a connection of its own that takes the engine's lock.
    pub(super) async fn load(parts: &Parts) -> Result<Self, DbError> {
        let mut connection = parts.pool.acquire().await?.detach();
        if !lock_patiently(&mut connection).await? {
            return Err(DbError::Inconsistent {
                table: "sim_state",
                what: "another exchange runs on this database".to_owned(),
            });
        }
        parts.settings.load(state::settings(&mut connection).await?);
        let now = parts.settings.now();
        let symbols = (0..)
            .zip(parts.listings.iter())
            .map(|(n, listing)| (listing.symbol.clone(), SymbolIx(n)))
            .collect();
        let mut live = Self {
            market: Market::new(&parts.listings, parts.seed, parts.largest_quote),
            open: HashMap::new(),
            halted: false,
            last: state::last(&mut connection).await?,
            symbols,
            prints: Vec::new(),
            pending: HashMap::new(),
            priorities: HashMap::new(),
            walks_saved_at: now,
            connection,
        };
        live.market.set_session(parts.settings.calendar().is_open(now));
        live.resume_walks().await?;
        live.rebuild_books(now).await?;
        parts.board.set_head(live.last.event);
        live.show_quotes(parts, now);
        Ok(live)
    }

    /// A time later than all before, at the precision of a row.
    pub(super) fn next_time(&mut self, now: Timestamp) -> Timestamp {
        let at = self.coming_time(now);
        self.last.at = Some(at);
        at
    }

    /// What [`Live::next_time`] will give.
    pub(super) fn coming_time(&self, now: Timestamp) -> Timestamp {
        self.last
            .at
            .map_or(now, |last| now.max(last + TimeDelta::microseconds(1)))
    }

    /// An order's place in the queue of its price.
    pub(super) fn priority(&self, no: i64) -> i64 {
        self.priorities.get(&no).copied().unwrap_or(no)
    }

    pub(super) fn show_quotes(&self, parts: &Parts, now: Timestamp) {
        let quotes = (0..parts.listings.len())
            .map(|n| self.market.quote(SymbolIx(n)))
            .collect();
        parts.board.set_quotes(quotes, now);
    }

    async fn resume_walks(&mut self) -> Result<(), DbError> {
        for walk in state::walks(&mut self.connection).await? {
            if let Some(&symbol) = self.symbols.get(&walk.symbol) {
                self.market
                    .resume_walk(symbol, Ticks(walk.mid_ticks), walk.generator.cast_unsigned());
            }
        }
        Ok(())
    }

    async fn rebuild_books(&mut self, now: Timestamp) -> Result<(), DbError> {
        let mut after = 0;
        loop {
            let page = state::open_orders(&mut self.connection, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.priority;
            for open in page {
                let priority = open.priority;
                let order = open.order()?;
                if priority != order.no {
                    self.priorities.insert(order.no, priority);
                }
                self.rebuild(order, now)?;
            }
        }
    }

    fn rebuild(&mut self, order: OrderRow, now: Timestamp) -> Result<(), DbError> {
        let symbol = *self.symbols.get(&*order.symbol).ok_or_else(|| DbError::Inconsistent {
            table: "sim_orders",
            what: format!(
                "order {} trades {}, which is not listed: raise the number of symbols",
                order.no, order.symbol
            ),
        })?;
        match (order.status, order.replaces) {
            // How long it was to wait is forgotten: it is decided by the next tick.
            (OrderStatus::PendingNew, Some(old)) => {
                self.pending.insert(order.no, Pending { old, due: now });
            }
            (status, _) => {
                let core = core_order(&order, symbol, order.leaves());
                self.market.restore(core, status == OrderStatus::Accepted);
            }
        }
        self.open.insert(order.no, order);
        Ok(())
    }

    /// Puts the halts in force.
    pub(super) fn heed_halts(&mut self, parts: &Parts, now: Timestamp) {
        let halts = parts.settings.halts(now);
        if halts.is_empty() && !self.halted {
            return;
        }
        self.halted = !halts.is_empty();
        for (ix, listing) in (0..).map(SymbolIx).zip(parts.listings.iter()) {
            let is_meant = |halt: &Halt| halt.symbol.as_ref().is_none_or(|symbol| *symbol == listing.symbol);
            self.market.set_halted(ix, halts.iter().any(is_meant));
        }
    }
}

/// The connection that was lost a moment ago may hold the lock until the server notices.
async fn lock_patiently(connection: &mut PgConnection) -> Result<bool, DbError> {
    for _ in 0..LOCK_TRIES {
        if state::lock_engine(connection).await? {
            return Ok(true);
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    Ok(false)
}

/// The part of an order that the core wants to know.
pub(super) fn core_order(order: &OrderRow, symbol: SymbolIx, qty: Shares) -> NewOrder {
    NewOrder {
        no: OrderNo(order.no),
        symbol,
        side: order.side,
        time_in_force: order.time_in_force,
        limit: order.limit,
        qty,
        expires_at: order.expires_at,
    }
}
