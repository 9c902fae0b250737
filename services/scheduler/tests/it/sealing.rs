//! V16: the chain of operators' acts, and what it says when somebody changed them.
#![expect(clippy::unwrap_used, reason = "tests")]

use identity::acts::{Act, record};
use rstest::rstest;
use scheduler::engine::{Done, Job, JobError, Run, alerts};
use scheduler::jobs::seal_audit::{self, SealAudit};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgPool};
use testkit::{TestDb, start_of_time};
use uuid::Uuid;

/// Acts 1, 2, 3 … by their ids; the details are of every kind of text.
async fn act(conn: &mut PgConnection, n: u128) {
    let details = ["", "ünïcode – 12:ab", "line\nbreak", "tab\tand \"quotes\""];
    let act = Act {
        actor: "ada".to_owned(),
        act: "block".to_owned(),
        subject: format!("account {n}"),
        detail: details[usize::try_from(n % 4).unwrap()].to_owned(),
    };
    let ids = testkit::ids(u64::try_from(n).unwrap());
    record(conn, &*ids, start_of_time(), &act).await.unwrap();
}

async fn acts(pool: &PgPool, numbers: std::ops::RangeInclusive<u128>) {
    let mut conn = pool.acquire().await.unwrap();
    for n in numbers {
        act(&mut conn, n).await;
    }
}

async fn run(db: &TestDb) -> Run {
    Run::begin(&db.pool, Uuid::from_u128(99), seal_audit::NAME, json!({}))
        .await
        .unwrap()
}

async fn sealed(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from audit_chain")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// The first thing that the proof tells.
async fn told(pool: &PgPool) -> Option<String> {
    let mut conn = pool.acquire().await.unwrap();
    let found = audit::chain(&mut conn).await.unwrap();
    found.first.first().map(|offence| offence.problem.clone())
}

/// Seals until everything that was committed is in the chain: other tests of the cluster may hold the horizon back.
async fn seal_all(job: &SealAudit, run: &Run, pool: &PgPool, wanted: i64) {
    testkit::wait_until("all acts are sealed", std::time::Duration::from_secs(30), async || {
        job.run(run).await.unwrap();
        sealed(pool).await == wanted
    })
    .await;
}

#[tokio::test]
async fn v16_acts_are_sealed_once_in_order_and_the_proof_agrees_text_by_text() {
    let db = TestDb::new().await;
    let (job, run) = (SealAudit::new(db.pool.clone()), run(&db).await);
    acts(&db.pool, 1..=4).await;
    seal_all(&job, &run, &db.pool, 4).await;
    acts(&db.pool, 5..=7).await;
    assert_eq!(told(&db.pool).await, None, "acts that are not sealed yet break nothing");
    seal_all(&job, &run, &db.pool, 7).await;
    assert_eq!(told(&db.pool).await, None);
    let mut conn = db.pool.acquire().await.unwrap();
    let head = identity::chain::head(&mut conn).await.unwrap();
    let nothing_new = format!("0 acts sealed, the chain ends at {head}");
    assert_eq!(job.run(&run).await.unwrap(), Done::Finished(nothing_new));
    assert_eq!(head.seq, 7);
}

#[tokio::test]
async fn v16_an_act_that_commits_late_is_sealed_after_those_before_it() {
    let db = TestDb::new().await;
    let (job, run) = (SealAudit::new(db.pool.clone()), run(&db).await);
    let mut late = db::begin(&db.pool).await.unwrap();
    act(&mut late, 1).await;
    acts(&db.pool, 2..=3).await;
    job.run(&run).await.unwrap();
    assert_eq!(sealed(&db.pool).await, 0, "nothing above an open transaction is sealed");
    late.commit().await.unwrap();
    seal_all(&job, &run, &db.pool, 3).await;
    let first: String =
        sqlx::query_scalar("select a.subject from audit_chain c join admin_acts a using (act_id) where c.seq = 1")
            .fetch_one(&db.pool)
            .await
            .unwrap();
    assert_eq!((first.as_str(), told(&db.pool).await), ("account 1", None));
}

#[rstest]
#[case::altered(
    "update admin_acts set detail = 'nothing' where subject = 'account 3'",
    3,
    "was altered"
)]
#[case::another_name("update admin_acts set actor = 'bob' where subject = 'account 1'", 1, "was altered")]
#[case::another_time(
    "update admin_acts set at = at + interval '1 microsecond' where subject = 'account 5'",
    5,
    "was altered"
)]
#[case::taken_out(
    "delete from admin_acts where subject = 'account 2'",
    2,
    "is missing from admin_acts"
)]
#[case::unlinked("delete from audit_chain where seq = 4", 5, "position 4 is missing before it")]
#[case::swapped(
    "alter table audit_chain drop constraint audit_chain_pkey; alter table audit_chain drop constraint audit_chain_act_key;
     update audit_chain set seq = case seq when 2 then 3 else 2 end where seq in (2, 3)",
    2,
    "was altered"
)]
#[case::rewritten_alone("update audit_chain set hash = sha256('x') where seq = 3", 3, "was altered")]
#[tokio::test]
async fn v16_the_first_act_that_was_changed_is_named(
    #[case] tampering: &'static str,
    #[case] at: i64,
    #[case] said: &str,
) {
    let db = TestDb::new().await;
    let (job, run) = (SealAudit::new(db.pool.clone()), run(&db).await);
    acts(&db.pool, 1..=6).await;
    seal_all(&job, &run, &db.pool, 6).await;
    tamper(&db, tampering).await;
    let mut conn = db.pool.acquire().await.unwrap();
    let found = audit::chain(&mut conn).await.unwrap();
    let first = found.first.first().unwrap();
    assert!(
        first.subject.ends_with(&format!("at position {at}")),
        "{}: {}",
        first.subject,
        first.problem
    );
    assert!(first.problem.starts_with(said), "{}", first.problem);
    drop(conn);
    // A process that starts proves before it seals: it seals nothing, and tells.
    let fresh = SealAudit::new(db.pool.clone());
    acts(&db.pool, 7..=7).await;
    assert!(matches!(fresh.run(&run).await, Err(JobError::Fatal(_))));
    let mut conn = db.pool.acquire().await.unwrap();
    let open = alerts::list(&mut conn, false, 10).await.unwrap();
    assert_eq!(open[0].kind, seal_audit::BROKEN);
}

#[tokio::test]
async fn v16_an_act_that_was_slipped_in_behind_the_seal_is_named() {
    let db = TestDb::new().await;
    let (job, run) = (SealAudit::new(db.pool.clone()), run(&db).await);
    acts(&db.pool, 1..=3).await;
    seal_all(&job, &run, &db.pool, 3).await;
    tamper(
        &db,
        "insert into admin_acts (act_id, at, actor, act, subject, detail, xid)
         select gen_random_uuid(), at, 'bob', act, 'x', '', xid from admin_acts where subject = 'account 1'",
    )
    .await;
    let said = told(&db.pool).await.unwrap();
    assert!(said.starts_with("was slipped in"), "{said}");
}

#[tokio::test]
async fn v16_acts_and_seals_can_only_be_added() {
    let db = TestDb::new().await;
    let (job, run) = (SealAudit::new(db.pool.clone()), run(&db).await);
    acts(&db.pool, 1..=2).await;
    seal_all(&job, &run, &db.pool, 2).await;
    for change in [
        "update admin_acts set actor = 'bob'",
        "delete from admin_acts",
        "truncate admin_acts",
        "update audit_chain set sealed_at = daybook_now()",
        "delete from audit_chain",
    ] {
        assert!(db.pool.execute(change).await.is_err(), "{change}");
    }
}

/// As somebody with every right in the database.
async fn tamper(db: &TestDb, statements: &str) {
    let mut conn = db.pool.acquire().await.unwrap();
    let statements = format!("set session_replication_role = replica; {statements}; reset session_replication_role");
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut *conn)
        .await
        .unwrap();
}
