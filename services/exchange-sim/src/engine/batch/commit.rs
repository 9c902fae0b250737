//! Writes a batch in one transaction, and shows it.

use std::collections::HashMap;
use std::sync::Arc;

use chassis::metrics::count;
use db::DbError;
use sqlx::Connection;

use super::super::live::Live;
use super::{Batch, Changes};
use crate::store::rows::{EventRow, OrderRow};
use crate::store::write;

impl Batch<'_> {
    pub(super) async fn commit(mut self) -> Result<(), DbError> {
        let Changes {
            touched,
            walks,
            settings,
            ..
        } = &self.changes;
        if !(touched.is_empty() && walks.is_empty() && settings.is_empty()) {
            self.write().await?;
        }
        self.show();
        Ok(())
    }

    async fn write(&mut self) -> Result<(), DbError> {
        let Live {
            connection,
            open,
            priorities,
            ..
        } = &mut *self.live;
        let rows: Vec<&OrderRow> = self
            .changes
            .touched
            .iter()
            .filter_map(|no| open.get(no).or_else(|| self.ended.get(no)))
            .collect();
        let (old, new): (Vec<&OrderRow>, Vec<&OrderRow>) =
            rows.into_iter().partition(|order| order.no <= self.last_old);
        let priority = |no: i64| priorities.get(&no).copied().unwrap_or(no);
        let opened: Vec<(i64, i64)> = new
            .iter()
            .filter(|order| order.status.is_open())
            .map(|order| (order.no, priority(order.no)))
            .collect();
        let mut tx = connection.begin().await?;
        write::insert_orders(&mut tx, &new, &self.changes.forgotten).await?;
        write::update_orders(&mut tx, &old).await?;
        write::open_and_close(&mut tx, &opened, &self.changes.closed).await?;
        write::reprioritize(&mut tx, &self.changes.reprioritized).await?;
        write::insert_executions(&mut tx, &self.changes.executions).await?;
        write::bust(&mut tx, &self.changes.busts).await?;
        write::insert_events(&mut tx, &self.changes.events).await?;
        if !self.changes.walks.is_empty() {
            write::save_walks(&mut tx, &self.changes.walks).await?;
        }
        for setting in &self.changes.settings {
            write::set(&mut tx, setting).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// After the commit: settings, quotes and reports, for everybody to see.
    fn show(self) {
        let Self {
            parts,
            live,
            now,
            ended,
            changes,
            ..
        } = self;
        for setting in &changes.settings {
            parts.settings.apply(setting);
        }
        metrics::counter!("daybook_exchange_executions_total").increment(changes.executions.len() as u64);
        metrics::gauge!("daybook_exchange_open_orders").set(count(live.open.len()));
        let now_is = |no: &i64| Some((*no, Arc::new(live.open.get(no).or_else(|| ended.get(no))?.clone())));
        let orders: HashMap<i64, Arc<OrderRow>> = changes.touched.iter().filter_map(now_is).collect();
        let mut quoted = changes.quoted;
        quoted.extend(
            orders
                .values()
                .filter_map(|order| live.symbols.get(&*order.symbol).copied()),
        );
        let quotes = quoted.into_iter().map(|symbol| (symbol, live.market.quote(symbol)));
        parts.board.update_quotes(quotes, now);
        let report = |event: EventRow| orders.get(&event.order_no).map(|order| (event, order.clone()));
        parts
            .board
            .publish(changes.events.into_iter().filter_map(report).collect());
    }
}
