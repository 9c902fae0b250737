//! Seals the audit trail: each act of an operator goes into a chain of hashes (V16).
//!
//! The first run of a process proves the chain as a whole before it adds to it, and once a day again; what is sealed by hand on
//! a broken chain would only hide where it broke. Where the chain ends is in the run's history and in the log: a copy kept
//! elsewhere tells later whether anything was taken off its end.

use std::sync::Mutex;
use std::sync::PoisonError;

use chrono::TimeDelta;
use db::PgPool;
use domain::Timestamp;
use futures::FutureExt;
use futures::future::BoxFuture;
use identity::chain::{self, Head};
use tracing::info;

use crate::engine::alerts::{self, NewAlert};
use crate::engine::{Done, Job, JobError, Run};

/// The kind of job.
pub const NAME: &str = "seal-audit";
/// The alert about a chain that does not hold.
pub const BROKEN: &str = "audit_chain_broken";
/// How long a proof of the whole chain is relied on.
const PROVEN_FOR: TimeDelta = TimeDelta::hours(24);

/// The job.
pub struct SealAudit {
    pool: PgPool,
    proven_at: Mutex<Option<Timestamp>>,
}

impl SealAudit {
    /// A job on this database, which has proven nothing yet.
    pub const fn new(pool: PgPool) -> Self {
        SealAudit {
            pool,
            proven_at: Mutex::new(None),
        }
    }

    async fn run_once(&self, run: &Run) -> Result<Done, JobError> {
        self.prove(run).await?;
        let mut sealed = 0;
        loop {
            let (more, head) = self.seal(run).await?;
            sealed += more;
            if more == 0 {
                return Ok(Done::Finished(format!(
                    "{sealed} acts sealed, the chain ends at {head}"
                )));
            }
        }
    }

    /// One transaction: the next acts.
    async fn seal(&self, run: &Run) -> Result<(usize, Head), JobError> {
        let mut tx = db::begin(&self.pool).await?;
        run.check(&mut tx).await?;
        let now = db::database_time(&mut tx).await?;
        let (sealed, head) = chain::seal(&mut tx, now).await?;
        tx.commit().await?;
        if sealed > 0 {
            info!(acts = sealed, "sealed {sealed} acts, the audit chain ends at {head}");
        }
        Ok((sealed, head))
    }

    /// Proves the chain as it is, where that was not done of late.
    async fn prove(&self, run: &Run) -> Result<(), JobError> {
        let mut tx = db::begin(&self.pool).await?;
        run.check(&mut tx).await?;
        let now = db::database_time(&mut tx).await?;
        let last = *self.proven_at.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|at| now - at < PROVEN_FOR) {
            return Ok(());
        }
        let broken = audit::chain(&mut tx).await?;
        match broken.first.first() {
            None => {
                alerts::clear(&mut tx, BROKEN, "", now).await?;
                tx.commit().await?;
                *self.proven_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
                Ok(())
            }
            Some(offence) => {
                let message = format!(
                    "{} {}: somebody changed the audit trail in the database. `daybook audit --chain`",
                    offence.subject, offence.problem
                );
                let alert = NewAlert {
                    kind: BROKEN,
                    subject: String::new(),
                    message: message.clone(),
                };
                alerts::raise(&mut tx, &alert, now).await?;
                tx.commit().await?;
                Err(JobError::Fatal(message))
            }
        }
    }
}

impl Job for SealAudit {
    fn name(&self) -> &'static str {
        NAME
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Done, JobError>> {
        self.run_once(run).boxed()
    }
}
