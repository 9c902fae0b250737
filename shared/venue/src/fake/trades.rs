//! The scripted venue's record of executions after the fact: taken back, restated, forgotten, and its trade file.

use super::FakeVenue;
use super::state::State;
use crate::{ExecutionView, Fault, UpdateKind, VenueExecution, VenueStatus, trade_file};
use chrono::NaiveDate;
use domain::calendar::to_new_york;
use domain::{ExecId, Price, Qty, Side, Symbol, Timestamp, VenueOrderId};
use std::collections::{HashMap, VecDeque};
use std::fmt::Write;

/// What the venue knows of executions besides that they happened.
#[derive(Default)]
pub(super) struct Trades {
    busted: HashMap<ExecId, Timestamp>,
    /// What strangers call their orders, by execution.
    strangers: HashMap<ExecId, String>,
    /// Answers to the next requests for a file, before it is written as it should be.
    scripted: VecDeque<Result<Vec<u8>, Fault>>,
    asked: HashMap<ExecId, usize>,
    forgotten: Vec<VenueExecution>,
}

impl FakeVenue {
    /// The ids of all executions, oldest first.
    pub fn executions(&self) -> Vec<ExecId> {
        self.state().executions.iter().map(|x| x.exec_id.clone()).collect()
    }

    /// Takes an execution back, and tells.
    pub fn bust(&self, id: &ExecId) {
        let now = self.0.clock.now();
        let mut state = self.state();
        state.bust(id, now);
        self.tell(&mut state);
    }

    /// The execution was for so much at this price, the venue now says; nobody is told.
    pub fn restate(&self, id: &ExecId, qty: Qty, price: Price) {
        let mut state = self.state();
        let found = state.executions.iter_mut().find(|x| x.exec_id == *id);
        let execution = found.expect("an execution of this venue");
        (execution.qty, execution.price) = (qty, price);
    }

    /// The venue denies that this execution ever happened.
    pub fn forget_execution(&self, id: &ExecId) {
        let mut state = self.state();
        let (forgotten, kept) = std::mem::take(&mut state.executions)
            .into_iter()
            .partition(|x| x.exec_id == *id);
        state.executions = kept;
        state.trades.forgotten.extend::<Vec<_>>(forgotten);
    }

    /// It remembers, in its place.
    pub fn remember_execution(&self, id: &ExecId) {
        let mut state = self.state();
        let forgotten = std::mem::take(&mut state.trades.forgotten);
        let (remembered, still): (Vec<_>, Vec<_>) = forgotten.into_iter().partition(|x| x.exec_id == *id);
        state.trades.forgotten = still;
        state.executions.extend(remembered);
        state.executions.sort_by(|a, b| a.cursor.cmp(&b.cursor));
    }

    /// An execution in our name for an order that we never sent.
    pub fn trade_for_stranger(
        &self,
        client_order_id: &str,
        symbol: &Symbol,
        side: Side,
        qty: Qty,
        price: Price,
    ) -> ExecId {
        let now = self.0.clock.now();
        self.state()
            .trade_for_stranger(client_order_id, symbol, side, qty, price, now)
    }

    /// The next requests for a trade file are answered so, in this order.
    pub fn script_trade_files(&self, answers: impl IntoIterator<Item = Result<Vec<u8>, Fault>>) {
        self.state().trades.scripted.extend(answers);
    }

    /// How often this execution was asked for by its id.
    pub fn asked_for(&self, id: &ExecId) -> usize {
        self.state().trades.asked.get(id).copied().unwrap_or(0)
    }

    /// The trade file as it is written now.
    pub fn written_trade_file(&self, date: NaiveDate) -> Vec<u8> {
        self.state().trade_file(date)
    }
}

impl State {
    fn bust(&mut self, id: &ExecId, now: Timestamp) {
        let execution = self.executions.iter().find(|x| x.exec_id == *id);
        let execution = execution.expect("an execution of this venue").clone();
        self.trades.busted.insert(id.clone(), now);
        let Some(at) = self.position_of(&execution.venue_order_id) else {
            return;
        };
        let view = &mut self.orders[at];
        view.filled_qty = view.filled_qty.minus(execution.qty).expect("it was filled before");
        view.updated_at = now;
        if view.status == VenueStatus::Filled {
            view.status = VenueStatus::Working;
        }
        let VenueExecution {
            exec_id, qty, price, ..
        } = execution;
        self.record(at, UpdateKind::Busted { exec_id, qty, price }, now);
    }

    fn trade_for_stranger(
        &mut self,
        client_order_id: &str,
        symbol: &Symbol,
        side: Side,
        qty: Qty,
        price: Price,
        now: Timestamp,
    ) -> ExecId {
        let number = self.executions.len() + 1;
        let exec_id = ExecId::new(&format!("exec-{number}")).expect("plain text");
        self.trades
            .strangers
            .insert(exec_id.clone(), client_order_id.to_owned());
        self.executions.push(VenueExecution {
            cursor: format!("{number:09}"),
            exec_id: exec_id.clone(),
            venue_order_id: VenueOrderId::new(&format!("strange-{number}")).expect("plain text"),
            symbol: symbol.clone(),
            side,
            qty,
            price,
            at: now,
        });
        exec_id
    }

    pub(super) fn execution(&mut self, id: &ExecId) -> Option<ExecutionView> {
        *self.trades.asked.entry(id.clone()).or_default() += 1;
        let execution = self.executions.iter().find(|x| x.exec_id == *id)?.clone();
        let busted_at = self.trades.busted.get(id).copied();
        Some(ExecutionView { execution, busted_at })
    }

    pub(super) fn scripted_trade_file(&mut self, date: NaiveDate) -> Result<Vec<u8>, Fault> {
        let scripted = self.trades.scripted.pop_front();
        scripted.unwrap_or_else(|| Ok(self.trade_file(date)))
    }

    fn trade_file(&self, date: NaiveDate) -> Vec<u8> {
        let mut file = format!("H,{date}\n");
        let zero = rust_decimal::Decimal::ZERO;
        let (mut count, mut shares, mut dollars) = (0, zero, zero);
        for (x, number) in self.executions.iter().zip(1..) {
            if to_new_york(x.at).date_naive() != date {
                continue;
            }
            let live = !self.trades.busted.contains_key(&x.exec_id);
            let key = self.position_of(&x.venue_order_id).and_then(|at| self.orders[at].key);
            let stranger = self.trades.strangers.get(&x.exec_id).cloned();
            let client = stranger.or_else(|| key.map(|key| key.to_string())).unwrap_or_default();
            let at = x.at.to_rfc3339();
            writeln!(
                file,
                "T,{number},{},{},\"{client}\",{},{},{},{},{at},{}",
                x.exec_id,
                x.venue_order_id,
                x.symbol,
                x.side.as_str(),
                x.qty.get(),
                x.price.get(),
                if live { "live" } else { "busted" },
            )
            .expect("a string takes everything");
            count += 1;
            if live {
                shares += x.qty.get();
                dollars += x.qty.get() * x.price.get();
            }
        }
        let digest = trade_file::digest(&file);
        writeln!(file, "Z,{count},{shares},{dollars},{digest}").expect("a string takes everything");
        file.into_bytes()
    }
}
