//! Partitions of the outbox.
#![expect(clippy::unwrap_used, reason = "tests")]

use chassis::step::Step;
use scheduler::{Config, Housekeeping};

use crate::deps;

#[tokio::test]
async fn a_week_of_partitions_is_made_ahead_and_a_second_look_makes_none() {
    let (db, deps) = deps().await;
    let count = || async {
        let n: i64 = sqlx::query_scalar("select count(*) from pg_inherits where inhparent = 'outbox'::regclass")
            .fetch_one(&db.pool)
            .await
            .unwrap();
        n
    };
    let mut job = Housekeeping::new(Config::default(), deps.pool.clone());
    job.step().await.unwrap();
    assert_eq!(count().await, 9, "eight days and the default one");
    job.step().await.unwrap();
    assert_eq!(count().await, 9);
}
