//! Partitions of the outbox.
#![expect(clippy::unwrap_used, reason = "tests")]

use scheduler::engine::{Done, Job, Run};
use scheduler::{Config, Housekeeping};
use serde_json::json;

use crate::deps;

#[tokio::test]
async fn a_week_of_partitions_is_made_ahead_and_a_second_run_makes_none() {
    let (db, deps) = deps().await;
    let count = || async {
        let n: i64 = sqlx::query_scalar("select count(*) from pg_inherits where inhparent = 'outbox'::regclass")
            .fetch_one(&db.pool)
            .await
            .unwrap();
        n
    };
    let job = Housekeeping::new(Config::default().keep_messages, deps.pool.clone());
    let run = Run::begin(&db.pool, deps.ids.uuid(), "housekeeping", json!({}))
        .await
        .unwrap();
    let made = |n| Done::Finished(format!("{n} partitions of the outbox made, 0 dropped"));
    assert_eq!(job.run(&run).await.unwrap(), made(8));
    assert_eq!(count().await, 9, "eight days and the default one");
    assert_eq!(job.run(&run).await.unwrap(), made(0));
    assert_eq!(count().await, 9);
}
