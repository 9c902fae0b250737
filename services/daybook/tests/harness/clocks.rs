//! The clocks of a brokerage and of its exchange, which tests put to a time that suits them.

use chassis::clock::{Clock, SystemClock};
use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::market::Market;

/// Ten o'clock in New York on an ordinary Tuesday: whatever the hour is at which a test runs, no session ends beneath it.
const IN_THE_MORNING: &str = "2026-11-24T15:00:00Z";

/// When tests begin that do not say when.
pub fn in_the_morning() -> DateTime<Utc> {
    IN_THE_MORNING.parse().expect("a literal of this file")
}

/// From now on the brokerage's clock goes from here, and the exchange's from there.
pub async fn set_clocks(brokerage: &PgPool, ours: DateTime<Utc>, exchange: &Market, theirs: DateTime<Utc>) {
    let machine = SystemClock.now();
    exchange.shift_clock(theirs - machine).await;
    let mut conn = brokerage.acquire().await.unwrap();
    db::shift_database_time(&mut conn, ours - machine).await.unwrap();
}
