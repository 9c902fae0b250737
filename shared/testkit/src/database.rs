//! A database of its own for each test, copied from a template that has the migrations applied.
//!
//! The template's name holds a hash of the migrations, so a changed list makes a new one. It is built
//! once under an advisory lock, by whichever test binary comes first, and appears under its name only
//! when it is complete.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chassis::clock::SystemClock;
use chassis::ids::{Ids, SystemIds};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool};
use tokio::sync::OnceCell;

const CLUSTER: &str = "DAYBOOK_TEST_DATABASE_URL";
const KEEP: &str = "DAYBOOK_TEST_KEEP";
const PREFIX: &str = "test";
/// Any number, the same in all test binaries.
const TEMPLATE_LOCK: i64 = 0x0064_6179_626f_6f6b;

/// A fresh database with the migrations applied; dropped after the end of the test.
pub struct TestDb {
    /// To connect once more, e.g. from a process of its own.
    pub url: String,
    /// A pool on it.
    pub pool: PgPool,
    name: String,
    cluster: String,
}

impl TestDb {
    /// The database's name, which no other test has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A database with the product's migrations.
    ///
    /// # Panics
    /// Without a cluster to make it on, and on any failure: a test cannot go on then.
    pub async fn new() -> Self {
        Self::with_migrator(&db::MIGRATOR, "daybook").await
    }

    /// A database with another list of migrations; `list` names it, so that their templates differ.
    ///
    /// # Panics
    /// As [`TestDb::new`].
    pub async fn with_migrator(migrator: &Migrator, list: &str) -> Self {
        let cluster = std::env::var(CLUSTER).unwrap_or_else(|_| {
            panic!("{CLUSTER} is not set: run the tests through deploy/test, or name a throw-away Postgres cluster")
        });
        drop_left_overs(&cluster).await;
        let template = template(&cluster, migrator, list).await;
        let name = new_name();
        let mut admin = connect(&cluster, None).await;
        run(
            &mut admin,
            format!("create database \"{name}\" template \"{template}\""),
        )
        .await;
        let _ = admin.close().await;
        let url = url_of(&cluster, &name);
        let pool = db::connect(&url, patient())
            .await
            .expect("a database just created can be reached");
        TestDb {
            url,
            pool,
            name,
            cluster,
        }
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if std::env::var_os(KEEP).is_some() {
            eprintln!("{KEEP} is set, the test's database stays: {}", self.url);
            return;
        }
        REAPER.send(Ended {
            cluster: self.cluster.clone(),
            name: self.name.clone(),
        });
    }
}

/// The database of a test that has ended.
struct Ended {
    cluster: String,
    name: String,
}

/// Drops databases on a thread of its own, while the test's runtime goes on to its end.
///
/// A test must not wait for this. Postgres drops a database only after every backend of the cluster has answered
/// it, and a backend whose client is in the middle of logging in answers nobody until that client speaks or
/// `authentication_timeout` (a minute) is over. That client may well be a task of the very test that would be
/// waiting, and then all drops on the cluster stand still. What is left when the process ends is cleared away
/// by a later one.
struct Reaper(OnceLock<Sender<Ended>>);

static REAPER: Reaper = Reaper(OnceLock::new());

impl Reaper {
    fn send(&self, ended: Ended) {
        let sender = self.0.get_or_init(|| {
            let (sender, queue) = channel();
            std::thread::spawn(move || reap(&queue));
            sender
        });
        // Nobody takes it once the thread has ended; a later process does.
        let _ = sender.send(ended);
    }
}

fn reap(queue: &Receiver<Ended>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    for Ended { cluster, name } in queue {
        runtime.block_on(async {
            if let Ok(mut admin) = options(&cluster, None).connect().await {
                let _ = sqlx::query(AssertSqlSafe(drop_statement(&name)))
                    .execute(&mut admin)
                    .await;
                let _ = admin.close().await;
            }
        });
    }
}

/// Tests share few cores, so they are allowed more time than a hot role.
fn patient() -> db::PoolSettings {
    db::PoolSettings {
        max_connections: 12,
        application_name: "test".to_owned(),
        statement_timeout_ms: 30_000,
        lock_timeout_ms: 0,
        idle_in_transaction_timeout_ms: 30_000,
        acquire_timeout: Duration::from_secs(30),
    }
}

/// The template with exactly these migrations, built if it is not there.
async fn template(cluster: &str, migrator: &Migrator, list: &str) -> String {
    let name = format!("template_{list}_{:016x}", fingerprint(migrator));
    let mut admin = connect(cluster, None).await;
    if !exists(&mut admin, &name).await {
        // Held until this session ends, also if this process is killed in the middle.
        sqlx::query("select pg_advisory_lock($1)")
            .bind(TEMPLATE_LOCK)
            .execute(&mut admin)
            .await
            .expect("a lock can be taken");
        if !exists(&mut admin, &name).await {
            build_template(&mut admin, cluster, migrator, &name).await;
        }
    }
    let _ = admin.close().await;
    name
}

async fn build_template(admin: &mut PgConnection, cluster: &str, migrator: &Migrator, name: &str) {
    let unfinished = format!("{name}_unfinished");
    run(admin, drop_statement(&unfinished)).await;
    run(admin, format!("create database \"{unfinished}\"")).await;
    let mut connection = connect(cluster, Some(&unfinished)).await;
    migrator
        .run(&mut connection)
        .await
        .expect("the migrations apply to an empty database");
    // A template with somebody in it cannot be copied.
    connection.close().await.expect("a connection can be closed");
    run(admin, format!("alter database \"{unfinished}\" rename to \"{name}\"")).await;
}

fn fingerprint(migrator: &Migrator) -> u64 {
    let mut hasher = DefaultHasher::new();
    for migration in migrator.iter() {
        (migration.version, &migration.checksum).hash(&mut hasher);
    }
    hasher.finish()
}

/// Databases of processes that are gone. Once per process, and nothing depends on its success.
async fn drop_left_overs(cluster: &str) {
    static DONE: OnceCell<()> = OnceCell::const_new();
    DONE.get_or_init(|| async {
        let mut admin = connect(cluster, None).await;
        let names: Vec<String> = sqlx::query_scalar("select datname::text from pg_database where datname like $1")
            .bind(format!("{PREFIX}\\_%"))
            .fetch_all(&mut admin)
            .await
            .unwrap_or_default();
        for name in names.iter().filter(|name| is_left_over(name)) {
            let _ = sqlx::query(AssertSqlSafe(drop_statement(name)))
                .execute(&mut admin)
                .await;
        }
        let _ = admin.close().await;
    })
    .await;
}

fn is_left_over(name: &str) -> bool {
    let maker = name.split('_').nth(1).and_then(|pid| pid.parse::<u32>().ok());
    maker.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
}

/// Says who made it, and never comes again.
fn new_name() -> String {
    let ids = SystemIds::new(Arc::new(SystemClock));
    format!("{PREFIX}_{}_{}", std::process::id(), ids.uuid().simple())
}

fn drop_statement(name: &str) -> String {
    format!("drop database if exists \"{name}\" with (force)")
}

fn options(cluster: &str, database: Option<&str>) -> PgConnectOptions {
    let options: PgConnectOptions = cluster.parse().unwrap_or_else(|error| panic!("{CLUSTER}: {error}"));
    let options = options.application_name("testkit").disable_statement_logging();
    match database {
        Some(name) => options.database(name),
        None => options,
    }
}

async fn connect(cluster: &str, database: Option<&str>) -> PgConnection {
    options(cluster, database)
        .connect()
        .await
        .unwrap_or_else(|error| panic!("{CLUSTER}={cluster} cannot be reached: {error}"))
}

async fn exists(admin: &mut PgConnection, name: &str) -> bool {
    let found: Option<i32> = sqlx::query_scalar("select 1 from pg_database where datname = $1")
        .bind(name)
        .fetch_optional(admin)
        .await
        .expect("the list of databases can be read");
    found.is_some()
}

async fn run(admin: &mut PgConnection, statement: String) {
    let done = sqlx::query(AssertSqlSafe(statement.clone())).execute(admin).await;
    if let Err(error) = done {
        panic!("{statement}: {error}");
    }
}

fn url_of(cluster: &str, database: &str) -> String {
    options(cluster, Some(database)).to_url_lossy().to_string()
}
