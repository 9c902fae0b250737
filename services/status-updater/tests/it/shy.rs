//! The fake venue, but it does not say which order some of its names stand for.

use domain::{ExecId, OrderId, Symbol, VenueOrderId};
use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use venue::fake::FakeVenue;
use venue::{
    Canceling, ExecutionPage, ExecutionView, Fault, Lookup, Replacing, Submitted, Updates, Venue, VenueAsset,
    VenueOrder, VenueOrderView, VenueQuote, VenueVolume,
};

/// What it does instead of naming an order.
#[derive(Clone, Copy)]
pub enum Instead {
    DenyIt,
    NeverAnswer,
}

#[derive(Clone)]
pub struct Shy {
    pub inner: FakeVenue,
    shy_of: Arc<Mutex<HashMap<VenueOrderId, Instead>>>,
}

impl Shy {
    pub fn new(inner: FakeVenue) -> Self {
        Self {
            inner,
            shy_of: Arc::default(),
        }
    }

    pub fn be_shy_of(&self, order: OrderId, instead: Instead) {
        let name = self.inner.shown(order).unwrap().venue_order_id;
        self.shy_of.lock().unwrap().insert(name, instead);
    }

    pub fn get_over_it(&self) {
        self.shy_of.lock().unwrap().clear();
    }
}

impl Venue for Shy {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn order(&self, id: &VenueOrderId) -> Lookup {
        let instead = self.shy_of.lock().unwrap().get(id).copied();
        match instead {
            Some(Instead::DenyIt) => Lookup::NotFound,
            Some(Instead::NeverAnswer) => pending().await,
            None => self.inner.order(id).await,
        }
    }

    async fn submit(&self, key: OrderId, order: &VenueOrder) -> Submitted {
        self.inner.submit(key, order).await
    }

    async fn lookup(&self, key: OrderId) -> Lookup {
        self.inner.lookup(key).await
    }

    async fn lookup_many(&self, keys: &[OrderId]) -> HashMap<OrderId, Lookup> {
        self.inner.lookup_many(keys).await
    }

    async fn cancel(&self, id: &VenueOrderId) -> Canceling {
        self.inner.cancel(id).await
    }

    async fn replace(&self, key: OrderId, old: &VenueOrderId, order: &VenueOrder) -> Replacing {
        self.inner.replace(key, old, order).await
    }

    async fn executions_after(&self, cursor: Option<&str>) -> Result<ExecutionPage, Fault> {
        self.inner.executions_after(cursor).await
    }

    async fn execution(&self, id: &ExecId) -> Result<Option<ExecutionView>, Fault> {
        self.inner.execution(id).await
    }

    async fn trade_file(&self, date: chrono::NaiveDate) -> Result<Vec<u8>, Fault> {
        self.inner.trade_file(date).await
    }

    async fn open_orders(&self) -> Result<Vec<VenueOrderView>, Fault> {
        self.inner.open_orders().await
    }

    async fn updates(&self, since: Option<String>) -> Result<Updates, Fault> {
        self.inner.updates(since).await
    }

    async fn quotes(&self, symbols: &[Symbol]) -> Result<Vec<VenueQuote>, Fault> {
        self.inner.quotes(symbols).await
    }

    async fn daily_volumes(&self, symbols: &[Symbol], before: chrono::NaiveDate) -> Result<Vec<VenueVolume>, Fault> {
        self.inner.daily_volumes(symbols, before).await
    }

    async fn assets(&self) -> Result<Vec<VenueAsset>, Fault> {
        self.inner.assets().await
    }
}
