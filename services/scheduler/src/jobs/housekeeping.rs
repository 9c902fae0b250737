//! Daily partitions of the outbox: made a week ahead, dropped once everybody has read them.

use chrono::TimeDelta;
use db::{PgPool, database_time};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::engine::{Done, Job, JobError, Run};

/// The job. Twice at once would do no harm: a partition is made or dropped by whoever is first.
pub struct Housekeeping {
    keep_messages: TimeDelta,
    pool: PgPool,
}

impl Housekeeping {
    /// A job on this database, which keeps messages so long after everybody has read them.
    pub const fn new(keep_messages: TimeDelta, pool: PgPool) -> Self {
        Housekeeping { keep_messages, pool }
    }

    async fn keep_house(&self, run: &Run) -> Result<Done, JobError> {
        let mut conn = self.pool.acquire().await?;
        run.check(&mut conn).await?;
        let now = database_time(&mut conn).await?;
        let made = bus::ensure_outbox_partitions(&mut conn, now.date_naive()).await?;
        let dropped = bus::drop_outbox_partitions(&mut conn, now - self.keep_messages).await?;
        if !dropped.is_empty() {
            run.log(format!("dropped {}, read by everybody", dropped.join(", ")))
                .await;
        }
        let dropped = dropped.len();
        Ok(Done::Finished(format!(
            "{made} partitions of the outbox made, {dropped} dropped"
        )))
    }
}

impl Job for Housekeeping {
    fn name(&self) -> &'static str {
        "housekeeping"
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Done, JobError>> {
        self.keep_house(run).boxed()
    }
}
