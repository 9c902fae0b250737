//! The exchange as the brokerage sees it: trait, Alpaca-dialect adapter, scripted fake.
//!
//! | module | what |
//! |---|---|
//! | `order` `outcome` `report` `market` | the words of the trait: what is asked, what came of it, what was heard |
//! | `alpaca` | the one real adapter: any server of the Alpaca dialect, the bundled exchange included |
//! | `fake` | an exchange in memory that misbehaves by script, for tests |
//! | `trade_file` | the end-of-day file of a session's executions, read strictly |
//! | `volume` | the average of the last sessions; pure |
//! | `contract` | what every venue must do, run against the fake and against a real server |
//!
//! "Don't know" is a result here, not an error: a time-out, a 5xx or an answer that does not fit what was asked says
//! nothing about whether the order is live. Whoever gets [`Submitted::Unknown`] asks by key before anything else.

pub mod alpaca;
pub mod contract;
pub mod fake;
mod market;
mod order;
mod outcome;
mod report;
pub mod trade_file;
mod volume;

pub use market::{VenueAsset, VenueQuote, VenueVolume};
pub use order::{VenueOrder, VenueOrderView, VenueStatus};
pub use outcome::{Canceling, Fault, Lookup, Refusal, Replacing, Submitted};
pub use report::{ExecutionPage, ExecutionView, UpdateKind, VenueExecution, VenueUpdate};
pub use volume::SESSIONS;

use chrono::NaiveDate;
use domain::{ExecId, OrderId, Symbol, VenueOrderId};
use futures::Stream;
use futures::stream::BoxStream;
use std::collections::HashMap;
use std::future::Future;

/// An exchange. Calls may be made side by side; none is repeated by the adapter itself.
pub trait Venue: Send + Sync + 'static {
    /// Its name in reports; with an execution id it identifies a fill (ORD-6).
    fn name(&self) -> &str;

    /// Hands in an order. Safe to repeat: `key` names it at the venue, a second call finds the first.
    fn submit(&self, key: OrderId, order: &VenueOrder) -> impl Future<Output = Submitted> + Send;

    /// Asks what became of a key.
    fn lookup(&self, key: OrderId) -> impl Future<Output = Lookup> + Send;

    /// Asks for many keys at once; the answer has an entry for each.
    fn lookup_many(&self, keys: &[OrderId]) -> impl Future<Output = HashMap<OrderId, Lookup>> + Send;

    /// Asks for an order by the venue's own name for it, as executions give it.
    fn order(&self, id: &VenueOrderId) -> impl Future<Output = Lookup> + Send;

    /// Asks to end an order. Safe to repeat; the end itself is heard later.
    fn cancel(&self, id: &VenueOrderId) -> impl Future<Output = Canceling> + Send;

    /// Asks to put an order in another one's place: `order` says all of it, symbol and side are the old one's, and `qty`
    /// is the new total, with what has traded. The replacement is an order of its own: `key` names it at the venue, and
    /// makes it safe to repeat.
    fn replace(&self, key: OrderId, old: &VenueOrderId, order: &VenueOrder) -> impl Future<Output = Replacing> + Send;

    /// Executions after a cursor (an earlier page's), oldest first; without one, from the venue's beginning.
    fn executions_after(&self, cursor: Option<&str>) -> impl Future<Output = Result<ExecutionPage, Fault>> + Send;

    /// One execution by its id, also when it was taken back; `None` when the venue knows of none.
    fn execution(&self, id: &ExecId) -> impl Future<Output = Result<Option<ExecutionView>, Fault>> + Send;

    /// The end-of-day file of a session's executions, as it came; [`trade_file::read`] reads it. [`Fault::NotYet`]
    /// before it is written, [`Fault::NotOffered`] where there is none.
    fn trade_file(&self, date: NaiveDate) -> impl Future<Output = Result<Vec<u8>, Fault>> + Send;

    /// All orders that may still trade.
    fn open_orders(&self) -> impl Future<Output = Result<Vec<VenueOrderView>, Fault>> + Send;

    /// What happens from now on, as it happens; with `since`, a former update's `event_id`, from there on where the
    /// venue can. It ends with an error when the connection does: connect again and poll what was missed.
    fn updates(&self, since: Option<String>) -> impl Future<Output = Result<Updates, Fault>> + Send;

    /// Last quotes; symbols without one are left out.
    fn quotes(&self, symbols: &[Symbol]) -> impl Future<Output = Result<Vec<VenueQuote>, Fault>> + Send;

    /// How much of these symbols trades: the average of their last 20 sessions before a date of New York's. Symbols that did
    /// not trade in any of them are left out.
    fn daily_volumes(
        &self,
        symbols: &[Symbol],
        before: NaiveDate,
    ) -> impl Future<Output = Result<Vec<VenueVolume>, Fault>> + Send;

    /// Everything it trades.
    fn assets(&self) -> impl Future<Output = Result<Vec<VenueAsset>, Fault>> + Send;
}

/// A running report of a venue.
pub struct Updates(BoxStream<'static, Result<VenueUpdate, Fault>>);

impl Updates {
    /// Wraps a venue's stream.
    pub fn new(stream: impl Stream<Item = Result<VenueUpdate, Fault>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }
}

impl Stream for Updates {
    type Item = Result<VenueUpdate, Fault>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}
