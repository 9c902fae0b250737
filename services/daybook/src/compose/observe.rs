//! Metrics that are read from the database now and then, and the instruments' copy in memory.

use std::collections::HashMap;

use chassis::metrics::{count, describe_counter, describe_gauge};
use chassis::step::{Progress, Step, StepError};
use db::PgPool;
use instruments::Instruments;

/// Open orders are counted up to here: beyond it the exact number says no more than "many".
const COUNTED: i64 = 20_000;
/// What an open order can be stored as.
const OPEN: [&str; 5] = ["accepted", "pending_new", "new", "partially_filled", "done_for_day"];

/// Sets the gauges of the event log and of orders by state.
pub(super) struct Observe {
    pool: PgPool,
}

impl Observe {
    pub(super) fn new(pool: PgPool) -> Self {
        describe_gauge(
            "daybook_orders_open",
            "Open orders by state, counted up to 20,000 in all.",
        );
        describe_gauge(
            "daybook_db_connections",
            "Connections of the process' working pool, by what they do.",
        );
        describe_counter(
            "daybook_ledger_postings_total",
            "Transfers written to the ledger, by kind; those of a transaction that was rolled back are among them.",
        );
        Observe { pool }
    }

    async fn orders_by_state(&self) -> Result<(), StepError> {
        let rows = sqlx::query!(
            r#"select o.status, count(*) as "orders!"
                 from (select order_id from open_orders limit $1) w
                 join orders o using (order_id)
                group by o.status"#,
            COUNTED,
        )
        .fetch_all(&self.pool)
        .await?;
        let counted: HashMap<String, i64> = rows.into_iter().map(|row| (row.status, row.orders)).collect();
        for status in OPEN {
            let orders = usize::try_from(counted.get(status).copied().unwrap_or(0)).unwrap_or(0);
            metrics::gauge!("daybook_orders_open", "status" => status).set(count(orders));
        }
        Ok(())
    }
}

impl Step for Observe {
    fn name(&self) -> &'static str {
        "observe"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        bus::observe(&self.pool).await?;
        self.orders_by_state().await?;
        let idle = self.pool.num_idle();
        let all = usize::try_from(self.pool.size()).unwrap_or(0);
        metrics::gauge!("daybook_db_connections", "state" => "idle").set(count(idle));
        metrics::gauge!("daybook_db_connections", "state" => "used").set(count(all.saturating_sub(idle)));
        Ok(Progress::Idle)
    }
}

/// Keeps the copy of the instruments fresh in a process that does not run market-data.
pub(super) struct Refresh {
    pool: PgPool,
    instruments: Instruments,
}

impl Refresh {
    pub(super) fn new(pool: PgPool, instruments: Instruments) -> Self {
        Refresh { pool, instruments }
    }
}

impl Step for Refresh {
    fn name(&self) -> &'static str {
        "instruments"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        self.instruments.refresh(&self.pool).await?;
        Ok(Progress::Idle)
    }
}
