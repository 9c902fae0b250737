//! An exchange in memory that misbehaves by script, for tests. Nothing happens on its own: orders rest until the test
//! fills or ends them, and time is the test's clock.

mod replace;
mod state;
#[cfg(test)]
mod tests;
mod trades;

pub use state::{Act, Call, CallKind};

use crate::{
    Canceling, ExecutionPage, ExecutionView, Fault, Lookup, Replacing, Submitted, Updates, Venue, VenueAsset,
    VenueOrder, VenueOrderView, VenueQuote, VenueUpdate, VenueVolume,
};
use chassis::clock::SharedClock;
use chrono::NaiveDate;
use domain::order::EndKind;
use domain::{ExecId, OrderId, Price, Qty, Symbol, VenueOrderId};
use futures::{StreamExt, stream};
use state::State;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{broadcast, watch};

/// Executions on one page.
const PAGE: usize = 100;

/// The scripted venue; clones are the same venue.
#[derive(Clone)]
pub struct FakeVenue(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    paused: watch::Sender<bool>,
    told: broadcast::Sender<VenueUpdate>,
    clock: SharedClock,
}

impl FakeVenue {
    /// A venue that trades these symbols, parts of a share too, each quoted at 99.98 to 100.02.
    pub fn new(clock: SharedClock, symbols: &[Symbol]) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::new(State::new(symbols)),
            paused: watch::Sender::new(false),
            told: broadcast::Sender::new(1024),
            clock,
        }))
    }

    /// The next calls of this kind do these things, in this order; after them, all goes well again.
    pub fn script(&self, kind: CallKind, acts: impl IntoIterator<Item = Act>) {
        self.state().script(kind, acts);
    }

    /// As [`FakeVenue::script`], for the calls about one order only; these come first.
    pub fn script_for(&self, key: OrderId, kind: CallKind, acts: impl IntoIterator<Item = Act>) {
        self.state().script_for(key, kind, acts);
    }

    /// What was scripted and has not happened will not: all goes well from now on.
    pub fn behave(&self) {
        self.state().behave();
    }

    /// Holds every call, from now on, until [`FakeVenue::resume`]; a call given up meanwhile was never made.
    pub fn pause(&self) {
        self.0.paused.send_replace(true);
    }

    /// Lets held calls go on.
    pub fn resume(&self) {
        self.0.paused.send_replace(false);
    }

    /// Of this symbol only whole shares are traded from now on.
    pub fn whole_shares_only(&self, symbol: &Symbol) {
        self.state().whole_only.insert(symbol.clone());
    }

    /// So many shares of this symbol trade in a session from now on.
    pub fn volume(&self, symbol: &Symbol, average: u64) {
        self.state().volumes.insert(symbol.clone(), average);
    }

    /// Orders that can trade at the quote do so at once, in full.
    pub fn trade_at_quote(&self) {
        self.state().trades_at_quote = true;
    }

    /// The requests of [`Act::Late`] arrive now; says how many became an order.
    pub fn deliver_late(&self) -> usize {
        let now = self.0.clock.now();
        let mut state = self.state();
        let late = std::mem::take(&mut state.late);
        let mut arrives = |(key, order, old): &(OrderId, VenueOrder, Option<VenueOrderId>)| match old {
            None => state.accept(*key, order, now).is_some(),
            Some(old) => {
                let is_new = state.of_key(*key).is_none();
                state.take_replacement(*key, old, order, now, false).is_ok() && is_new
            }
        };
        let new = late.iter().filter(|request| arrives(request)).count();
        self.tell(&mut state);
        new
    }

    /// Trades `qty` of an order at `price`.
    pub fn fill(&self, key: OrderId, qty: Qty, price: Price) {
        let now = self.0.clock.now();
        let mut state = self.state();
        state.fill(key, qty, price, now);
        self.tell(&mut state);
    }

    /// Ends an order by the venue's own decision.
    pub fn end(&self, key: OrderId, why: EndKind) {
        let now = self.0.clock.now();
        let mut state = self.state();
        state.end(key, why, now);
        self.tell(&mut state);
    }

    /// The session is over for an order that lives on.
    pub fn done_for_day(&self, key: OrderId) {
        let now = self.0.clock.now();
        let mut state = self.state();
        state.done_for_day(key, now);
        self.tell(&mut state);
    }

    /// The venue forgets that it ever had this key, and loses its order.
    pub fn forget(&self, key: OrderId) {
        self.state().forget(key);
    }

    /// Every call made so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// How many calls of this kind were made about this order.
    pub fn count(&self, kind: CallKind, key: OrderId) -> usize {
        self.state()
            .calls
            .iter()
            .filter(|call| call.kind == kind && call.keys.contains(&key))
            .count()
    }

    /// Orders that were ever taken under this key: more than one is the defect that keys are there to prevent (V5).
    pub fn taken(&self, key: OrderId) -> usize {
        self.state().taken.get(&key).copied().unwrap_or(0)
    }

    /// The order of a key as it now stands.
    pub fn shown(&self, key: OrderId) -> Option<VenueOrderView> {
        self.state().of_key(key).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what is new in the record of updates; nobody listening is fine, the record stays for replay.
    fn tell(&self, state: &mut State) {
        for update in state.untold() {
            let _ = self.0.told.send(update);
        }
    }

    async fn arrive(&self) {
        let mut paused = self.0.paused.subscribe();
        // An error means that the venue itself is gone; then nobody waits either.
        let _ = paused.wait_for(|paused| !*paused).await;
    }

    async fn act(&self, kind: CallKind, keys: &[OrderId]) -> Act {
        self.arrive().await;
        self.state().act(kind, keys)
    }
}

impl Venue for FakeVenue {
    fn name(&self) -> &str {
        "fake"
    }

    async fn submit(&self, key: OrderId, order: &VenueOrder) -> Submitted {
        let act = self.act(CallKind::Submit, &[key]).await;
        let now = self.0.clock.now();
        let mut state = self.state();
        let answer = state.submit(&act, key, order, now);
        self.tell(&mut state);
        answer
    }

    async fn lookup(&self, key: OrderId) -> Lookup {
        let act = self.act(CallKind::Lookup, &[key]).await;
        self.state().lookup(&act, key)
    }

    async fn lookup_many(&self, keys: &[OrderId]) -> HashMap<OrderId, Lookup> {
        let act = self.act(CallKind::Lookup, keys).await;
        let state = self.state();
        keys.iter().map(|key| (*key, state.lookup(&act, *key))).collect()
    }

    async fn order(&self, id: &VenueOrderId) -> Lookup {
        self.arrive().await;
        self.state()
            .of_id(id)
            .map_or(Lookup::NotFound, |view| Lookup::Found(view.clone()))
    }

    async fn cancel(&self, id: &VenueOrderId) -> Canceling {
        let key = self.state().of_id(id).and_then(|view| view.key);
        let act = self.act(CallKind::Cancel, key.as_slice()).await;
        let now = self.0.clock.now();
        let mut state = self.state();
        let answer = state.cancel(&act, id, now);
        self.tell(&mut state);
        answer
    }

    async fn replace(&self, key: OrderId, old: &VenueOrderId, order: &VenueOrder) -> Replacing {
        let act = self.act(CallKind::Replace, &[key]).await;
        let now = self.0.clock.now();
        let mut state = self.state();
        let answer = state.replace(&act, key, old, order, now);
        self.tell(&mut state);
        answer
    }

    async fn executions_after(&self, cursor: Option<&str>) -> Result<ExecutionPage, Fault> {
        self.arrive().await;
        let state = self.state();
        let known = |cursor: &str| state.executions.iter().position(|execution| execution.cursor == cursor);
        let from = cursor.and_then(known).map_or(0, |at| at + 1);
        let rest = &state.executions[from..];
        Ok(ExecutionPage {
            executions: rest.iter().take(PAGE).cloned().collect(),
            more: rest.len() > PAGE,
        })
    }

    async fn execution(&self, id: &ExecId) -> Result<Option<ExecutionView>, Fault> {
        self.arrive().await;
        Ok(self.state().execution(id))
    }

    async fn trade_file(&self, date: NaiveDate) -> Result<Vec<u8>, Fault> {
        self.arrive().await;
        self.state().scripted_trade_file(date)
    }

    async fn open_orders(&self) -> Result<Vec<VenueOrderView>, Fault> {
        self.arrive().await;
        Ok(self.state().open())
    }

    async fn updates(&self, since: Option<String>) -> Result<Updates, Fault> {
        self.arrive().await;
        let state = self.state();
        // Subscribed under the lock, so that nothing falls between the replay and what follows.
        let live = self.0.told.subscribe();
        let missed = state.updates_since(since.as_deref());
        let live = stream::unfold(live, |mut live| async move {
            let update = live.recv().await.map_err(|error| Fault::Connection(error.to_string()));
            Some((update, live))
        });
        Ok(Updates::new(stream::iter(missed.into_iter().map(Ok)).chain(live)))
    }

    async fn quotes(&self, symbols: &[Symbol]) -> Result<Vec<VenueQuote>, Fault> {
        self.arrive().await;
        let now = self.0.clock.now();
        Ok(self.state().quotes(symbols, now))
    }

    async fn daily_volumes(&self, symbols: &[Symbol], before: NaiveDate) -> Result<Vec<VenueVolume>, Fault> {
        let act = self.act(CallKind::Volumes, &[]).await;
        self.state().daily_volumes(&act, symbols, before)
    }

    async fn assets(&self) -> Result<Vec<VenueAsset>, Fault> {
        self.arrive().await;
        Ok(self.state().assets())
    }
}
